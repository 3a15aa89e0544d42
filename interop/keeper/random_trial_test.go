//go:build interop

package keeper

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/gregor-mq/gregor/zk"
)

// trial is one seed.
type trial struct {
	rng   *rand.Rand
	sides [2]*side
	// emulate is "3.8" where both sides answer as that release does.
	emulate string
	root    string // below it nearly all happens
	// pipelined trials send several requests at once now and then, the others set
	// quotas.
	pipelined bool
	clients   []*party
	left      []*party // sessions that nobody uses any more
	admin     *party   // may do everything, and cleans up

	step    int
	history []string
	// seen are paths of nodes that were created, ended the zxids of sessions' ends.
	seen  []string
	ended map[string]bool
	last  [2]int64 // zxids of the last replies
}

// party is one session, with its connection to each side.
type party struct {
	name  string
	links [2]*link // nil without a connection
	id    [2]int64
	pw    [2][]byte
	xid   int32
}

func (c *party) connected() bool { return c.links[0] != nil }

// difference says what the two sides sent for one step.
type difference struct {
	seed    uint64
	step    int
	what    string
	sides   [2]string
	lines   [2][]string
	history []string
}

// Error implements error.
func (d *difference) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "seed %d, step %d: %s\n", d.seed, d.step, d.what)
	for i, lines := range d.lines {
		fmt.Fprintf(&b, "%s:\n\t%s\n", d.sides[i], strings.Join(lines, "\n\t"))
	}
	const shown = 8
	fmt.Fprintf(&b, "before:\n\t%s", strings.Join(d.history[max(0, len(d.history)-shown):], "\n\t"))
	return b.String()
}

// compare ends a step.
func (t *trial) compare(c *party, what string, lines [2][]string) error {
	what = c.name + " " + what
	for i := range lines {
		lines[i] = t.settle(lines[i])
	}
	if !slices.Equal(lines[0], lines[1]) {
		return &difference{step: t.step, what: what, lines: lines, history: t.history,
			sides: [2]string{t.sides[0].name, t.sides[1].name}}
	}
	t.history = append(t.history, fmt.Sprintf("%d: %s -> %s", t.step, what, strings.Join(lines[0], " ; ")))
	if c.links[0] != nil && c.links[0].ended {
		c.links = [2]*link{}
	}
	return nil
}

// settle sorts the events of a session's end. Those of 3.8 do not say whose they
// are.
func (t *trial) settle(lines []string) []string {
	accepted("no-order")
	key := func(line string) string {
		zxid := ""
		if rest, ok := strings.CutPrefix(line, "event xid=-1 "); ok {
			zxid, _, _ = strings.Cut(rest, " ")
		}
		if t.ended[zxid] || t.emulate != "" && zxid != "" {
			return zxid
		}
		return ""
	}
	for i := 0; i < len(lines); {
		j := i + 1
		for j < len(lines) && key(lines[i]) != "" && key(lines[j]) == key(lines[i]) {
			j++
		}
		slices.Sort(lines[i:j])
		i = j
	}
	return lines
}

// exchange sends the bytes that frame makes for each side and reads an answer to
// each of ops, with the events in between.
func (t *trial) exchange(c *party, what string, frame func(side int) []byte, ops ...zk.Op) error {
	for i, l := range c.links {
		l.send(frame(i))
	}
	var lines [2][]string
	for i, s := range t.sides {
		for n := 0; n < len(ops); {
			b, err := c.links[i].receive()
			switch {
			case err != nil:
				lines[i] = append(lines[i], err.Error())
				n = len(ops)
				continue
			case b == nil:
				lines[i] = append(lines[i], "closed")
				n = len(ops)
				continue
			}
			lines[i] = append(lines[i], s.packet(b, ops[n]))
			code, answer := t.note(i, b, ops[n])
			// After these the server closes, but not at the same moment.
			if final := code == zk.ErrUnimplemented || code == zk.ErrAuthFailed; answer && (!final || n < len(ops)-1) {
				n++
			}
		}
	}
	return t.compare(c, what, lines)
}

// note takes from an answer what later requests are made of. answer is false for
// an event.
func (t *trial) note(i int, frame []byte, op zk.Op) (code zk.Err, answer bool) {
	d := zk.NewDecoder(frame)
	var h zk.ReplyHeader
	h.Decode(d)
	if h.Xid == zk.XidNotification {
		return h.Err, false
	}
	t.last[i] = max(t.last[i], h.Zxid)
	if op == zk.OpCloseSession {
		t.ended[t.sides[i].zxid(h.Zxid)] = true
	}
	if i != 0 || h.Err != zk.OK {
		return h.Err, true
	}
	learn := func(path string) {
		if len(t.seen) < 40 && !slices.Contains(t.seen, path) && strings.HasPrefix(path, t.root) {
			t.seen = append(t.seen, path)
		}
	}
	switch r := zk.NewResponse(op).(type) {
	case *zk.CreateResponse:
		r.Decode(d)
		learn(r.Path)
	case *zk.Create2Response:
		r.Decode(d)
		learn(r.Path)
	case *zk.MultiResponse:
		r.Decode(d)
		for _, res := range r.Results {
			if res.Path != "" {
				learn(res.Path)
			}
		}
	}
	return h.Err, true
}

// drain reads the packets of connections that are to end.
func (t *trial) drain(c *party, what string, links [2]*link) error {
	var lines [2][]string
	for i, l := range links {
		err := l.halt(func(b []byte) { lines[i] = append(lines[i], t.sides[i].packet(b, zk.OpError)) })
		if err != nil {
			lines[i] = append(lines[i], err.Error())
		}
	}
	return t.compare(c, what, lines)
}

// hello connects, and notes the session that it gets.
func (t *trial) hello(c *party, what string, hello func(side int) []byte, more ...byte) error {
	var links [2]*link
	for i, s := range t.sides {
		l, err := s.dial()
		if err != nil {
			return err
		}
		links[i] = l
		l.send(append(hello(i), more...))
	}
	var lines [2][]string
	var got [2]*zk.ConnectResponse
	for i, s := range t.sides {
		b, err := links[i].receive()
		switch {
		case err != nil:
			lines[i] = append(lines[i], err.Error())
		case b == nil:
			lines[i] = append(lines[i], "closed")
		default:
			var line string
			line, got[i] = s.welcome(b, c.name, c.pw[i])
			lines[i] = append(lines[i], line)
		}
	}
	if err := t.compare(c, what, lines); err != nil {
		return err
	}
	if got[0] == nil || got[0].SessionID == 0 {
		return t.refused(c, what, links)
	}
	old := c.links
	c.links = links
	for i, r := range got {
		c.id[i], c.pw[i] = r.SessionID, r.Password
	}
	if old[0] == nil {
		return nil
	}
	return t.drain(&party{name: c.name}, what+": the connection before", old)
}

// refused expects the end of a connection that got no session.
func (t *trial) refused(c *party, what string, links [2]*link) error {
	var lines [2][]string
	for i, l := range links {
		for !l.ended {
			b, err := l.receive()
			if err != nil {
				lines[i] = append(lines[i], err.Error())
				break
			}
			if b != nil {
				lines[i] = append(lines[i], fmt.Sprintf("%x", b))
			}
		}
	}
	return t.compare(c, what+": the end", lines)
}
