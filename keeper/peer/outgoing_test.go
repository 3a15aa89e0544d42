package peer

import (
	"context"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gregor-mq/gregor/internal/env"
	"github.com/gregor-mq/gregor/internal/env/memnet"
)

// TestGapShowsAsDownAndUp breaks a connection under a stream of messages: what
// arrives on each connection is a row without a hole that begins at its begin.
func TestGapShowsAsDownAndUp(t *testing.T) {
	each(t, func(t *testing.T, e env.Env, cfg Config) {
		w := &wires{Net: e.Net}
		e.Net = w
		sender, receiver := &stream{owner: person(1, 10)}, &rows{owner: person(2, 20), got: map[string]int{}}
		b := beginAs(t, e, cfg, receiver.owner, receiver)
		a := beginAs(t, e, cfg, sender.owner, sender)
		sender.p = a.Peers
		a.SetMembers(map[uint64]string{2: b.Addr().String()})
		const breaks = 6
		for n := range breaks {
			sender.await(fmt.Sprintf("up %d", n+1))
			for range 50 {
				sender.send()
			}
			receiver.await(fmt.Sprintf("row %d", n+1))
			w.cut()
			sender.await("down")
		}
		a.stop()
		b.stop()
		if len(receiver.got) != breaks {
			t.Errorf("%d rows have come, want %d", len(receiver.got), breaks)
		}
	})
}

// stream sends numbered messages whose numbers begin anew with each Up.
type stream struct {
	*owner
	p     *Peers
	state sync.Mutex // held over Send: nothing is sent between Down and Up
	up    bool
	row   int
	next  int
}

func (s *stream) Up(uint64, Hello) {
	s.state.Lock()
	defer s.state.Unlock()
	s.up, s.next = true, 0
	s.row++
	s.write("up %d", s.row)
}

func (s *stream) Down(uint64, error) {
	s.state.Lock()
	defer s.state.Unlock()
	s.up = false
	s.write("down %d", s.row)
}

func (s *stream) send() {
	s.state.Lock()
	defer s.state.Unlock()
	if s.up && s.p.Send(2, 'm', fmt.Appendf(nil, "%d %d", s.row, s.next)) {
		s.next++
	}
}

// rows checks that each row begins with 0 and has no hole.
type rows struct {
	*owner
	got map[string]int // one connection at a time writes
}

func (r *rows) Receive(_ uint64, _ Hello, _ byte, payload []byte) {
	row, number, _ := strings.Cut(string(payload), " ")
	if number != fmt.Sprint(r.got[row]) {
		r.t.Errorf("row %s: %s after %d messages", row, number, r.got[row])
	}
	if r.got[row]++; r.got[row] == 25 {
		r.write("row %s", row)
	}
}

// wires is a network whose dialed connections can be broken.
type wires struct {
	env.Net
	mu     sync.Mutex
	conns  []net.Conn
	dialed []time.Time
	refuse bool
}

func (w *wires) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.dialed = append(w.dialed, time.Now())
	if w.refuse {
		return nil, fmt.Errorf("no way to %s", address)
	}
	nc, err := w.Net.Dial(ctx, network, address)
	if err == nil {
		w.conns = append(w.conns, nc)
	}
	return nc, err
}

func (w *wires) cut() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, c := range w.conns {
		_ = c.Close()
	}
	w.conns = nil
}

// attempts returns when somebody dialed since the last call.
func (w *wires) attempts() []time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	out := w.dialed
	w.dialed = nil
	return out
}

// TestBackOff: attempts get rarer, up to one each second, and one is made at
// once when the member is there or has another address.
func TestBackOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := memory(memnet.New())
		w := &wires{Net: e.Net, refuse: true}
		inner := e
		e.Net = w
		a := begin(t, e, Config{}, person(1, 10))
		a.SetMembers(map[uint64]string{2: "127.0.0.1:1"})
		time.Sleep(time.Minute)
		at := w.attempts()
		pause := minPause
		for i := range at[1:] {
			if d := at[i+1].Sub(at[i]); d < pause/2 || d > pause {
				t.Errorf("pause %d is %v, want %v to %v", i, d, pause/2, pause)
			}
			pause = min(2*pause, maxPause)
		}
		if len(at) < 60 || len(at) > 130 {
			t.Errorf("%d attempts within a minute", len(at))
		}
		// Up to a second is left to wait; it dials us, so we dial it.
		time.Sleep(maxPause)
		synctest.Wait()
		w.attempts()
		began := time.Now()
		r := enter(t, inner, a, second(20))
		synctest.Wait()
		time.Sleep(minPause)
		synctest.Wait()
		if at := w.attempts(); len(at) == 0 || at[0].Sub(began) > minPause {
			t.Errorf("it has dialed us at %v, we at %v", began, at)
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		w.attempts()
		began = time.Now()
		a.SetMembers(map[uint64]string{2: "127.0.0.1:2"})
		synctest.Wait()
		if at := w.attempts(); len(at) != 1 || at[0] != began {
			t.Errorf("the address has changed at %v, dialed at %v", began, at)
		}
		_ = r.Close()
	})
}

// TestMembersChange: a new address ends the old connection, and so does a
// removal, in both directions.
func TestMembersChange(t *testing.T) {
	each(t, func(t *testing.T, e env.Env, cfg Config) {
		a, b := pair(t, e, cfg)
		elsewhere := cfg
		if cfg.Listen == "" {
			elsewhere.Listen = "127.0.0.1:4000"
		}
		moved := begin(t, e, elsewhere, person(2, 21))
		if !a.Send(2, 'm', []byte("before")) {
			t.Error("not up")
		}
		b.o.await("from 1")
		a.SetMembers(map[uint64]string{2: moved.Addr().String()})
		want(t, a.o.await("up 2"), "down 2: the address has changed", "up 2 boot 21 I am 2")
		want(t, b.o.await("lost"), "lost 1 boot 10: gone")
		if !a.Send(2, 'm', []byte("after")) {
			t.Error("not up")
		}
		want(t, moved.o.await("from"), "from 1 boot 10: m after")
		b.stop()
		a.o.await("lost")
		moved.SetMembers(map[uint64]string{1: a.Addr().String()})
		moved.o.await("up 1")
		moved.Send(1, 'm', nil)
		a.o.await("from 2")
		a.SetMembers(map[uint64]string{})
		got := a.o.await("down", "lost")
		slices.Sort(got)
		want(t, got, "down 2: no longer a member", "lost 2 boot 21: no longer a member")
		if a.Send(2, 'm', nil) {
			t.Error("sent to somebody who was removed")
		}
	})
}

// TestRestarted: when another process of a member dials us, the connection to
// the one before is given up.
func TestRestarted(t *testing.T) {
	each(t, func(t *testing.T, e env.Env, cfg Config) {
		a, h := begin(t, e, cfg, person(1, 10)), open(t, e)
		a.SetMembers(map[uint64]string{2: h.Addr().String()})
		h.admit(wordHello, Hello{Member: 2, Boot: 20})
		a.o.await("up 2 boot 20")
		enter(t, e, a, second(20)).put(frame('m', "the same"))
		want(t, a.o.await("from"), "from 2 boot 20: m the same")
		enter(t, e, a, second(21))
		h.admit(wordHello, Hello{Member: 2, Boot: 21})
		got := a.o.await("up 2")
		want(t, got[len(got)-2:], "down 2: another process of the member has come", "up 2 boot 21 ")
	})
}

// TestOverflow: when too much waits nothing more is taken, and the connection
// ends.
func TestOverflow(t *testing.T) {
	each(t, func(t *testing.T, e env.Env, cfg Config) {
		cfg.QueueBytes, cfg.MaxFrame = 1<<20, 8<<20
		a, h := begin(t, e, cfg, person(1, 10)), open(t, e)
		a.SetMembers(map[uint64]string{2: h.Addr().String()})
		r := h.admit(wordHello, Hello{Member: 2, Boot: 20})
		a.o.await("up 2")
		if !a.Send(2, 'm', make([]byte, 7<<20)) {
			t.Error("one message must have room")
		}
		sent := 0
		for a.Send(2, 'm', make([]byte, 100<<10)) {
			if sent++; sent > 1000 {
				t.Fatal("the queue has no bound")
			}
		}
		if a.Send(2, 'm', nil) {
			t.Error("took another message behind one that it did not take")
		}
		want(t, a.o.await("down"), "down 2: too much waits to be sent")
		_ = r.Close()
		h.admit(wordHello, Hello{Member: 2, Boot: 20})
		a.o.await("up 2")
		if a.Send(2, 'm', make([]byte, 8<<20+1)) {
			t.Error("sent more than MaxFrame")
		}
		want(t, a.o.await("down"), "down 2: too much waits to be sent")
	})
}

// TestNobodyTakes: a member that takes nothing is left after IdleTimeout.
func TestNobodyTakes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := memory(memnet.New())
		a, h := begin(t, e, Config{IdleTimeout: 4 * time.Second}, person(1, 10)), open(t, e)
		a.SetMembers(map[uint64]string{2: h.Addr().String()})
		h.admit(wordHello, Hello{Member: 2, Boot: 20})
		a.o.await("up 2")
		time.Sleep(time.Hour) // nothing to take
		began := time.Now()
		a.Send(2, 'm', []byte("take this"))
		want(t, a.o.await("down"), "down 2: the other end is silent")
		if took := time.Since(began); took != 4*time.Second {
			t.Errorf("left after %v", took)
		}
	})
}

// TestBadAnswers: who is dialed and does not answer as a member is let go.
func TestBadAnswers(t *testing.T) {
	hello := func(member uint64) []byte {
		return appendWord(nil, wordAnswer, appendHello(nil, Hello{Member: member, To: 1, Boot: 20}))
	}
	for name, c := range map[string]struct {
		answer []byte
		reason string
	}{
		"another member":  {hello(3), "member 3 answers, not 2"},
		"no hello":        {appendWord(nil, wordAnswer, nil), "a hello of 0 bytes, fewer than 36"},
		"some other word": {appendWord(nil, wordTaken, nil), "a word of kind 8, not of [3]"},
		"a refusal":       {appendWord(nil, wordRefusal, []byte("no \xff")), "refused: no ?"},
		"not ours":        {[]byte("HTTP/1.1 400 Bad Request\r\n"), "not a member's words"},
		"nothing":         {nil, "not done within"},
	} {
		t.Run(name, func(t *testing.T) {
			each(t, func(t *testing.T, e env.Env, cfg Config) {
				cfg.HelloTimeout = 200 * time.Millisecond
				o := person(1, 10)
				o.logs = true
				a, h := begin(t, e, cfg, o), open(t, e)
				a.SetMembers(map[uint64]string{2: h.Addr().String()})
				r, _ := h.next(wordHello)
				_, _ = r.Write(c.answer) // it may go before it has read all
				if got := o.await("log"); !strings.Contains(got[0], c.reason) {
					t.Errorf("%q, want %s", got, c.reason)
				}
			})
		})
	}
}

// TestBytesFromTheReceiver: the one who receives has nothing to say.
func TestBytesFromTheReceiver(t *testing.T) {
	each(t, func(t *testing.T, e env.Env, cfg Config) {
		a, h := begin(t, e, cfg, person(1, 10)), open(t, e)
		a.SetMembers(map[uint64]string{2: h.Addr().String()})
		h.admit(wordHello, Hello{Member: 2, Boot: 20}).put([]byte("x"))
		got := a.o.await("down")
		if !strings.HasSuffix(got[1], "bytes came on a connection that is for sending") {
			t.Errorf("%q", got)
		}
	})
}
