package fetch_test

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gregor-mq/gregor/client/internal/fetch"
)

// Those without an offset are found first, then all are read; leader and epoch are
// those of the picture.
func TestBegin(t *testing.T) {
	for _, c := range []struct {
		begin     int64
		committed bool
		list      string
		fetch     string
	}{
		{fetch.Earliest, false, "0s broker 1 list t-0@-2/1 u-0@-2/4", "0s broker 1 fetch t-0@3/1 t-1@6/1 u-0@0/4"},
		{fetch.Latest, true, "0s broker 1 list committed t-0@-1/1 u-0@-1/4", "0s broker 1 fetch committed t-0@8/1 t-1@6/1 u-0@0/4"},
	} {
		inBubble(t, func(t *testing.T, h *hall) {
			h.lead("u", 0, 1, 4)
			h.change("t-0", func(l *log) { l.start = 3 })
			h.write("t-0", h.plain(3, 5), h.plain(6, 7))
			h.write("t-1", h.plain(0, 5))
			h.cfg.Begin, h.cfg.Committed = c.begin, c.committed
			f := h.start(share("t-0", -1), share("t-1", 6), share("u-0", -1))
			got, _, _ := strings.Cut(h.questions(), "\n"+"0s broker 1 fetch u")
			lines := strings.Split(got, "\n")
			h.check("asked", strings.Join(lines[:2], "\n"), c.list+"\n"+c.fetch)
			if c.begin == fetch.Earliest {
				h.check("settled", settled(f), "t-0@3 t-1@6 u-0@0")
				h.check("taken", take(f, 100), "t-0: 3 4 5 6 7")
			} else {
				h.check("settled", settled(f), "t-0@8 t-1@6 u-0@0")
				h.check("taken", take(f, 100), "")
			}
		})
	}
}

// A stored offset may be amid a batch.
func TestReadsOn(t *testing.T) {
	inBubble(t, func(t *testing.T, h *hall) {
		h.write("t-0", h.plain(0, 5), h.plain(6, 7))
		f := h.start(share("t-0", 4))
		h.asks("0s broker 1 fetch t-0@4/1")
		<-h.ready
		h.check("taken", take(f, 100), "t-0: 4 5 6 7")
		h.asks("0s broker 1 fetch t-0@8/1")
		pass(500 * time.Millisecond)
		h.asks("500ms broker 1 fetch t-0@8/1")
		h.write("t-0", h.plain(8, 8))
		<-h.ready
		h.check("taken", take(f, 100), "t-0: 8")
	})
}

// Settled tells of what Settle was called after, and of what there is nothing to
// take from.
func TestSettle(t *testing.T) {
	inBubble(t, func(t *testing.T, h *hall) {
		h.lead("u", 0, -1, 1)
		h.lead("t", 1, -1, 1)
		h.write("t-0", h.plain(0, 3))
		f := h.start(share("t-0", 0), share("t-1", 7), share("u-0", -1))
		h.check("settled", settled(f), "t-0@0 t-1@7")
		h.check("taken", take(f, 2), "t-0: 0 1")
		h.check("settled", settled(f), "t-0@0 t-1@7")
		f.Settle()
		h.check("settled", settled(f), "t-0@2 t-1@7")
		f.Settle()
		h.check("taken", take(f, 2), "t-0: 2 3")
		h.check("settled", settled(f), "t-0@2 t-1@7")
		f.Settle()
		h.check("settled", settled(f), "t-0@4 t-1@7")
	})
}

// Partitions take turns: one with much to take does not keep others waiting.
func TestTakeTurns(t *testing.T) {
	inBubble(t, func(t *testing.T, h *hall) {
		h.write("t-0", h.plain(0, 5))
		h.write("t-1", h.plain(0, 1))
		h.write("t-2", h.plain(0, 2))
		f := h.start(share("t-0", 0), share("t-1", 0), share("t-2", 0))
		h.check("nothing taken", take(f, 0), "")
		h.check("taken", take(f, 4), "t-0: 0 1 2 3")
		h.check("taken", take(f, 3), "t-0: 4 5; t-1: 0")
		h.check("taken", take(f, 1), "t-1: 1")
		h.write("t-0", h.plain(6, 6))
		h.check("taken", take(f, 1), "t-2: 0")
		pass(time.Second)
		h.check("taken", take(f, 9), "t-2: 1 2; t-0: 6")
		h.check("taken", take(f, 9), "")
	})
}

// What nobody takes is held once: its partition is not asked for again.
func TestHoldsWhatIsNotTaken(t *testing.T) {
	inBubble(t, func(t *testing.T, h *hall) {
		h.write("t-0", h.plain(0, 1))
		h.write("t-0", h.plain(2, 3))
		h.cfg.PartitionMaxBytes = int32(len(h.plain(0, 1).data))
		f := h.start(share("t-0", 0))
		h.asks("0s broker 1 fetch t-0@0/1")
		pass(time.Minute)
		h.asks()
		h.check("taken", take(f, 1), "t-0: 0")
		pass(time.Minute)
		h.asks()
		h.check("taken", take(f, 5), "t-0: 1")
		h.asks("0s broker 1 fetch t-0@2/1")
		h.check("taken", take(f, 5), "t-0: 2 3")
	})
}

// A partition that has nothing must not make wait one that has: while something
// waits to be taken, the broker is not to wait for more.
func TestAnIdlePartitionHoldsUpNobody(t *testing.T) {
	inBubble(t, func(t *testing.T, h *hall) {
		f := h.start(share("t-0", 0), share("t-1", 0))
		var waits []time.Duration
		for i := range int64(10) {
			pass(70 * time.Millisecond)
			began := time.Now()
			h.write("t-0", h.plain(i, i))
			<-h.ready
			waits = append(waits, time.Since(began))
			if got := take(f, 9); got == "" {
				t.Error("nothing is ready")
			}
		}
		if worst := slices.Max(waits); worst > 0 {
			t.Errorf("records came late: %v", waits)
		}
	})
}

// Who takes slowly is not asked for in vain all the time, and gets what others
// have meanwhile.
func TestASlowTakerHoldsUpNobody(t *testing.T) {
	inBubble(t, func(t *testing.T, h *hall) {
		h.write("t-0", h.plain(0, 0))
		f := h.start(share("t-0", 0), share("t-1", 0))
		pass(1100 * time.Millisecond)
		h.asks("0s broker 1 fetch t-0@0/1 t-1@0/1", "0s broker 1 fetch t-1@0/1", "500ms broker 1 fetch t-1@0/1", "1s broker 1 fetch t-1@0/1")
		h.write("t-1", h.plain(0, 0))
		pass(400 * time.Millisecond)
		h.asks("400ms broker 1 fetch t-1@0/1")
		h.check("taken", take(f, 1), "t-0: 0")
		h.write("t-0", h.plain(1, 1))
		h.asks("0s broker 1 fetch t-0@1/1")
		pass(time.Second)
		h.check("taken", take(f, 9), "t-1: 0; t-0: 1")
	})
}

// An answer without records before does not put off what others have now.
func TestOthersAreAskedForAtOnce(t *testing.T) {
	inBubble(t, func(t *testing.T, h *hall) {
		f := h.start(share("t-0", 0), share("t-1", 0))
		pass(550 * time.Millisecond)
		h.asks("0s broker 1 fetch t-0@0/1 t-1@0/1", "500ms broker 1 fetch t-0@0/1 t-1@0/1")
		h.write("t-0", h.plain(0, 0))
		pass(0)
		h.asks("0s broker 1 fetch t-1@0/1")
		h.check("taken", take(f, 1), "t-0: 0")
	})
}

// The bounds go to the broker; what is larger than they allow comes alone.
func TestBounds(t *testing.T) {
	inBubble(t, func(t *testing.T, h *hall) {
		large := h.plain(0, 99)
		h.write("t-0", large, h.plain(100, 100))
		h.write("t-1", h.plain(0, 0))
		h.cfg.MaxBytes, h.cfg.PartitionMaxBytes = 100, 100
		f := h.start(share("t-0", 0), share("t-1", 0))
		h.asks("0s broker 1 fetch t-0@0/1 t-1@0/1", "0s broker 1 fetch t-1@0/1")
		if got := f.Take(100); len(got) != 100 || got[99].Offset != 99 {
			t.Errorf("%d records", len(got))
		}
		synctest.Wait()
		h.check("taken", take(f, 9), "t-1: 0; t-0: 100")

		// A broker gathers MinBytes, but not for longer than MaxWait.
		f.Halt()
		f.Wait()
		h.cfg.MinBytes, h.cfg.MaxWait = 1000, 3*time.Second
		f = h.start(share("t-2", 0))
		h.write("t-2", h.plain(0, 0))
		pass(2 * time.Second)
		h.check("taken", take(f, 9), "")
		pass(time.Second)
		h.check("taken", take(f, 9), "t-2: 0")
		h.write("t-2", h.plain(1, 99))
		synctest.Wait()
		if got := f.Take(1000); len(got) != 99 {
			t.Errorf("%d records", len(got))
		}
	})
}

// Halt does not wait for an answer that is on its way, nor takes it in.
func TestHaltDuringARequest(t *testing.T) {
	inBubble(t, func(t *testing.T, h *hall) {
		h.write("t-0", h.plain(0, 1))
		f := h.start(share("t-0", 0))
		h.check("taken", take(f, 9), "t-0: 0 1")
		f.Settle()
		h.asks("0s broker 1 fetch t-0@0/1", "0s broker 1 fetch t-0@2/1")
		began := time.Now()
		f.Halt()
		f.Wait()
		if d := time.Since(began); d != 0 {
			t.Errorf("it waited %v", d)
		}
		h.write("t-0", h.plain(2, 3))
		pass(time.Minute)
		h.asks()
		h.check("taken", take(f, 9), "")
		h.check("settled", settled(f), "t-0@2")
		if r := h.reported(); len(r) > 0 {
			t.Errorf("reported %q", r)
		}
		// The next to read goes on over the same links.
		f = h.start(share("t-0", 2))
		pass(time.Second)
		h.check("taken", take(f, 9), "t-0: 2 3")
	})
}
