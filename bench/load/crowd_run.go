package load

import (
	"context"
	"fmt"
	"time"

	"github.com/gregor-mq/gregor/zk"
)

// Crowding is what a crowd does.
type Crowding struct {
	// Request appends request number seq of a session, which counts from 0 on over
	// all runs, as one frame. Its xid must be XID(seq).
	Request func(dst []byte, session, seq int) []byte
	// Window is how many requests of a session are under way, 1 to MaxWindow.
	Window int
	// Each is how many requests each session sends, 0 for as many as it can in Time.
	Each int
	Time time.Duration
}

// XID is the xid of a session's request number seq.
func XID(seq int) int32 { return int32(seq + 1) }

// crowdRun is one run of a crowd.
type crowdRun struct {
	*Crowd
	Crowding
	result Result
	limits []int     // how many requests each session may have sent, where Each counts
	until  time.Time // otherwise
	under  int       // requests under way
}

// Run sends requests and returns when all are answered. The first that fails ends
// it, and the crowd is then of no more use.
func (c *Crowd) Run(ctx context.Context, w Crowding) (*Result, error) {
	if w.Window < 1 || w.Window > MaxWindow || (w.Each == 0) == (w.Time == 0) {
		return nil, fmt.Errorf("a window of %d, %d requests each or for %v", w.Window, w.Each, w.Time)
	}
	started, cpu := time.Now(), selfCPU()
	r := &crowdRun{Crowd: c, Crowding: w, until: started.Add(w.Time)}
	for i := range c.members {
		r.limits = append(r.limits, c.members[i].sent+w.Each)
	}
	for i := range c.members {
		if err := r.send(i, w.Window, started); err != nil {
			return nil, err
		}
	}
	if err := c.wait(ctx, func() bool { return r.under == 0 }, r.ready); err != nil {
		return nil, err
	}
	r.result.Elapsed, r.result.CPU = time.Since(started), selfCPU()-cpu
	return &r.result, nil
}

// ready takes the answers of one session and sends as many requests more.
func (r *crowdRun) ready(i int) error {
	now, answered := time.Now(), 0
	err := r.read(i, func(m *member, frame []byte) error {
		reply, err := r.reply(m, frame)
		if reply {
			r.result.Latency.Record(now.Sub(m.began[m.done%MaxWindow]))
			m.done++
			answered++
		}
		return err
	})
	r.result.Requests += int64(answered)
	r.under -= answered
	if err != nil {
		return err
	}
	return r.send(i, answered, now)
}

// send sends up to n requests of a session.
func (r *crowdRun) send(i, n int, now time.Time) error {
	m := &r.members[i]
	if r.Each > 0 {
		n = min(n, r.limits[i]-m.sent)
	} else if !now.Before(r.until) {
		n = 0
	}
	if n == 0 {
		return nil
	}
	r.out = r.out[:0]
	for range n {
		r.out = r.Request(r.out, i, m.sent)
		m.began[m.sent%MaxWindow] = now
		m.sent++
	}
	r.under += n
	return r.write(m, r.out)
}

// reply reads the header of a frame. It reports whether the frame answers the
// oldest request, as it must unless it is a watch event.
func (c *Crowd) reply(m *member, frame []byte) (bool, error) {
	d := zk.NewDecoder(frame)
	var h zk.ReplyHeader
	h.Decode(d)
	switch {
	case d.Err() != nil:
		return false, fmt.Errorf("session %x: reply: %w", m.session, d.Err())
	case h.Xid == zk.XidNotification:
		c.events++
		return false, nil
	case h.Xid != XID(m.done):
		return false, fmt.Errorf("session %x: xid %d was answered, not %d", m.session, h.Xid, XID(m.done))
	case h.Err != zk.OK:
		return false, fmt.Errorf("session %x: request %d: %w", m.session, m.done, h.Err)
	}
	return true, nil
}

// Events waits for a watch event for each session, counted since the last call,
// and returns when the last was read.
func (c *Crowd) Events(ctx context.Context) (time.Time, error) {
	err := c.wait(ctx, func() bool { return c.events >= len(c.members) }, func(i int) error {
		return c.read(i, func(m *member, frame []byte) error {
			reply, err := c.reply(m, frame)
			if reply {
				err = fmt.Errorf("session %x: a reply, where nothing was asked", m.session)
			}
			return err
		})
	})
	c.events = 0
	return time.Now(), err
}
