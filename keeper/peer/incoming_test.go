package peer

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gregor-mq/gregor/internal/env"
	"github.com/gregor-mq/gregor/internal/env/memnet"
)

// second is the hello of member 2 for member 1.
func second(boot uint64) Hello {
	return Hello{Version: 1, Ensemble: 7, Member: 2, To: 1, Boot: boot}
}

// TestCutAtEveryByte: of a frame that is not whole nothing is seen, and the end
// is seen at once.
func TestCutAtEveryByte(t *testing.T) {
	each(t, func(t *testing.T, e env.Env, cfg Config) {
		a := begin(t, e, cfg, person(1, 10))
		whole, part := frame('m', "whole"), frame('p', "a part")
		for n := range part {
			r := enter(t, e, a, second(20))
			r.put(append(slices.Clone(whole), part[:n]...))
			if err := r.Close(); err != nil {
				t.Fatal(err)
			}
			began := time.Now()
			want(t, a.o.await("lost"), "from 2 boot 20: m whole", "lost 2 boot 20: gone")
			if took := time.Since(began); took > 5*time.Second {
				t.Errorf("the end was seen after %v", took)
			}
		}
	})
}

// TestEveryBitCounts: a frame with one bit changed is never received.
func TestEveryBitCounts(t *testing.T) {
	each(t, func(t *testing.T, e env.Env, cfg Config) {
		cfg.MaxFrame = 1000
		a := begin(t, e, cfg, person(1, 10))
		good := frame('m', "good")
		for bit := range 8 * len(good) {
			bad := slices.Clone(good)
			bad[bit/8] ^= 1 << (bit % 8)
			r := enter(t, e, a, second(20))
			r.put(bad)
			_ = r.Close() // a frame that became longer waits for the rest
			got := a.o.await("lost")
			if len(got) != 1 {
				t.Fatalf("bit %d: %q", bit, got)
			}
			if reason := strings.TrimPrefix(got[0], "lost 2 boot 20: "); reason != "gone" && !strings.HasPrefix(reason, "a frame of ") {
				t.Errorf("bit %d: %s", bit, reason)
			}
		}
		r := enter(t, e, a, second(20))
		bad := frame('m', "damaged")
		bad[len(bad)-1]++
		r.put(bad)
		r.ended()
		lost := a.o.await("lost")
		if len(lost) != 1 || !strings.Contains(lost[0], "a frame of kind 109 and 7 bytes has CRC") {
			t.Errorf("%q", lost)
		}
	})
}

// TestHelloIsCut: who goes away within the hello, or before, was never there.
func TestHelloIsCut(t *testing.T) {
	each(t, func(t *testing.T, e env.Env, cfg Config) {
		a := begin(t, e, cfg, person(1, 10))
		hello := appendWord(nil, wordHello, appendHello(nil, second(20)))
		for n := range hello {
			nc, err := e.Net.Dial(t.Context(), "tcp", a.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			r := raw{nc, t}
			r.put(hello[:n])
			_ = r.Close()
		}
		enter(t, e, a, second(21)).put(frame('m', "there"))
		want(t, a.o.await("from"), "from 2 boot 21: m there")
	})
}

// TestWrongHello tells who speaks to the wrong one, or badly, what is wrong.
func TestWrongHello(t *testing.T) {
	bytes := func(h Hello) []byte { return appendWord(nil, wordHello, appendHello(nil, h)) }
	change := func(f func(h *Hello)) []byte {
		h := second(20)
		f(&h)
		return bytes(h)
	}
	later := bytes(second(20))
	later[len(magic)] = 2
	crc := crc32.Update(crc32.Checksum(later[len(magic):wordHead-4], castagnoli), castagnoli, later[wordHead:])
	binary.BigEndian.PutUint32(later[wordHead-4:], crc)
	damaged := bytes(second(20))
	damaged[len(damaged)-1]++
	huge := bytes(second(20))
	huge[len(magic)+2] = 0xff
	cases := []struct {
		name, reason string // no reason: closed without a word
		bytes        []byte
	}{
		{"to another", "this is member 1, not 3", change(func(h *Hello) { h.To = 3 })},
		{"of ourselves", "both ends are member 1", change(func(h *Hello) { h.Member = 1 })},
		{"of nobody", "a hello of member 0, outside of 1 to 254", change(func(h *Hello) { h.Member = 0 })},
		{"of too high a number", "a hello of member 255, outside of 1 to 254", change(func(h *Hello) { h.Member = 255 })},
		{"short", "a hello of 35 bytes, fewer than 36", appendWord(nil, wordHello, make([]byte, 35))},
		{"no hello", "a word of kind 5, not of [1 2]", appendWord(nil, wordReady, nil)},
		{"of a later version", "speaks version 2 of the format, not 1", later},
		{"damaged", "", damaged},
		{"huge", "", huge},
		{"not ours", "", []byte("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			each(t, func(t *testing.T, e env.Env, cfg Config) {
				a := begin(t, e, cfg, person(1, 10))
				nc, err := e.Net.Dial(t.Context(), "tcp", a.Addr().String())
				if err != nil {
					t.Fatal(err)
				}
				defer nc.Close()
				r := raw{nc, t}
				_, _ = r.Write(c.bytes) // a memory network does not take what is not read
				if c.reason != "" {
					if got := string(r.word(wordRefusal).body); got != c.reason {
						t.Errorf("refused: %s", got)
					}
				}
				r.ended()
				if lines := a.o.seen(); len(lines) > 0 {
					t.Errorf("the owner saw %q", lines)
				}
			})
		})
	}
}

// TestRefusal: the reason reaches the other side and its log, whichever side it
// is that refuses, and is logged once.
func TestRefusal(t *testing.T) {
	each(t, func(t *testing.T, e env.Env, cfg Config) {
		a, b := person(1, 10), person(2, 20)
		a.logs, b.logs = true, true
		b.accept = func(h Hello, dialed bool) error {
			return fmt.Errorf("ensemble %d is not mine (%v)", h.Ensemble, dialed)
		}
		na, nb := begin(t, e, cfg, a), begin(t, e, cfg, b)
		na.SetMembers(map[uint64]string{2: nb.Addr().String()})
		want(t, a.await("log"), `log: "refused: ensemble 7 is not mine (false)"`)
		want(t, b.await("log"), `log: "ensemble 7 is not mine (false)"`)
		na.SetMembers(nil)
		nb.SetMembers(map[uint64]string{1: na.Addr().String()})
		want(t, b.await("log"), `log: "its hello does not do: ensemble 7 is not mine (true)"`)
		// b lets go of what a has taken in, and says why.
		const reason = "lost 2 boot 20: refused: ensemble 7 is not mine (true)"
		if got := a.await("lost"); !slices.Contains(got, reason) {
			t.Errorf("%q, want %q", got, reason)
		}
	})
}

// TestKilledAndSilent: who ends is missed at once, who is only silent after
// IdleTimeout, and then the connection to it ends too.
func TestKilledAndSilent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := memory(memnet.New())
		a := begin(t, e, Config{IdleTimeout: 7 * time.Second}, person(1, 10))
		h := open(t, e)
		a.SetMembers(map[uint64]string{2: h.Addr().String()})
		h.admit(wordHello, Hello{Member: 2, Boot: 20})
		a.o.await("up 2")
		r := enter(t, e, a, second(20))
		for range 3 {
			time.Sleep(6 * time.Second)
			r.put(frame('b', "beat"))
		}
		synctest.Wait()
		a.o.await("from")
		began := time.Now()
		want(t, a.o.await("lost", "down"), "lost 2 boot 20: the other end is silent", "down 2: the other end is silent")
		if took := time.Since(began); took != 7*time.Second {
			t.Errorf("silence was noticed after %v", took)
		}
		h.admit(wordHello, Hello{Member: 2, Boot: 20})
		a.o.await("up 2")
		enter(t, e, a, second(20)).Close()
		began = time.Now()
		want(t, a.o.await("lost"), "lost 2 boot 20: gone")
		if took := time.Since(began); took != 0 {
			t.Errorf("the end was noticed after %v", took)
		}
	})
}

// TestPeerIsKilled is the same between two of our own.
func TestPeerIsKilled(t *testing.T) {
	each(t, func(t *testing.T, e env.Env, cfg Config) {
		a, b := pair(t, e, cfg)
		b.stop()
		got := a.o.await("lost", "down")
		slices.Sort(got)
		want(t, got, "down 2: gone", "lost 2 boot 20: gone")
	})
}

// TestNewerReplacesOlder: once the newer connection was accepted nothing of the
// older one is received, also what was read of it already.
func TestNewerReplacesOlder(t *testing.T) {
	each(t, func(t *testing.T, e env.Env, cfg Config) {
		o := person(1, 10)
		in, on := make(chan struct{}), make(chan struct{})
		o.block = func(payload []byte) {
			if string(payload) == "stop" {
				in <- struct{}{}
				<-on
			}
		}
		o.accept = func(h Hello, _ bool) error {
			o.write("accept %d boot %d", h.Member, h.Boot)
			return nil
		}
		a := begin(t, e, cfg, o)
		older := enter(t, e, a, second(20))
		older.put(slices.Concat(frame('m', "first"), frame('m', "stop"), frame('m', "too late"), frame('m', "later")))
		<-in
		newer := knock(t, e, a, wordHello, second(21))
		on <- struct{}{}
		newer.word(wordAnswer)
		newer.put(slices.Concat(appendWord(nil, wordReady, nil), frame('m', "new")))
		got := o.await("from 2 boot 21")
		accepted := slices.Index(got, "accept 2 boot 21")
		replaced := slices.Index(got, "lost 2 boot 20: replaced by a newer connection")
		if accepted < 0 || replaced != accepted+1 || replaced != len(got)-2 {
			t.Errorf("seen:\n%s", strings.Join(got, "\n"))
		}
		older.ended()
	})
}

// TestNewerGivesUp: an owner that blocks holds a newer connection off until that
// gives up, and the older goes on.
func TestNewerGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := memory(memnet.New())
		o := person(1, 10)
		on := make(chan struct{})
		o.block = func([]byte) { <-on }
		a := begin(t, e, Config{HelloTimeout: time.Second}, o)
		older := enter(t, e, a, second(20))
		older.put(frame('m', "one"))
		synctest.Wait()
		began := time.Now()
		knock(t, e, a, wordHello, second(21)).ended()
		if took := time.Since(began); took != time.Second {
			t.Errorf("given up after %v", took)
		}
		close(on)
		older.put(frame('m', "two"))
		want(t, o.await("from 2 boot 20: m two"), "from 2 boot 20: m one", "from 2 boot 20: m two")
	})
}

// TestRefusedNewerLeavesOlder: only one who is accepted replaces.
func TestRefusedNewerLeavesOlder(t *testing.T) {
	each(t, func(t *testing.T, e env.Env, cfg Config) {
		o := person(1, 10)
		o.accept = func(h Hello, _ bool) error {
			if h.Boot != 20 {
				return errors.New("not the one I know")
			}
			return nil
		}
		a := begin(t, e, cfg, o)
		older := enter(t, e, a, second(20))
		newer := knock(t, e, a, wordHello, second(21))
		if got := string(newer.word(wordRefusal).body); got != "not the one I know" {
			t.Errorf("refused: %s", got)
		}
		newer.ended()
		older.put(frame('m', "still here"))
		want(t, o.await("from"), "from 2 boot 20: m still here")
	})
}

// TestStrangersAreBounded: connections that say nothing are closed in time, and
// more than a bounded number at once.
func TestStrangersAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := memory(memnet.New())
		a := begin(t, e, Config{HelloTimeout: time.Second}, person(1, 10))
		var conns []raw
		for range maxStrangers + 1 {
			nc, err := e.Net.Dial(t.Context(), "tcp", a.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			conns = append(conns, raw{nc, t})
		}
		began := time.Now()
		conns[maxStrangers].ended()
		if took := time.Since(began); took != 0 {
			t.Errorf("one too many was closed after %v", took)
		}
		for _, c := range conns {
			c.ended()
			_ = c.Close()
		}
		if took := time.Since(began); took != time.Second {
			t.Errorf("those who say nothing were closed after %v", took)
		}
		enter(t, e, a, second(20)).put(frame('m', "let in"))
		a.o.await("from 2")
	})
}

// TestEveryEntryIsLost: who was accepted is lost also when it goes before it has
// heard so, or without having said anything.
func TestEveryEntryIsLost(t *testing.T) {
	each(t, func(t *testing.T, e env.Env, cfg Config) {
		o := person(1, 10)
		in, on := make(chan struct{}), make(chan struct{})
		o.accept = func(Hello, bool) error { in <- struct{}{}; <-on; return nil }
		a := begin(t, e, cfg, o)
		r := knock(t, e, a, wordHello, second(20))
		<-in
		_ = r.Close()
		on <- struct{}{}
		want(t, o.await("lost"), "lost 2 boot 20: gone")
		o.accept = nil
		r = knock(t, e, a, wordHello, second(21))
		r.word(wordAnswer)
		_ = r.Close()
		want(t, o.await("lost"), "lost 2 boot 21: gone")
		knock(t, e, a, wordHello, second(22)).word(wordAnswer)
		knock(t, e, a, wordHello, second(23)).word(wordAnswer)
		want(t, o.await("lost"), "lost 2 boot 22: replaced by a newer connection")
	})
}
