package fetch_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/gregor-mq/gregor/client/internal/fetch"
)

// A log that has no such offset is read from where the configuration says.
func TestOffsetOutOfRange(t *testing.T) {
	for _, c := range []struct {
		begin, stored int64
		asked, taken  string
		settled       string
	}{
		{fetch.Earliest, 2, "-2", "t-0: 5 6 7", "t-0@5"},
		{fetch.Earliest, 9, "-2", "t-0: 5 6 7", "t-0@5"},
		{fetch.Latest, 2, "-1", "", "t-0@8"},
		{fetch.Latest, 9, "-1", "", "t-0@8"},
	} {
		inBubble(t, func(t *testing.T, h *hall) {
			h.change("t-0", func(l *log) { l.start = 5 })
			h.write("t-0", h.plain(5, 7))
			h.cfg.Begin = c.begin
			f := h.start(share("t-0", c.stored))
			from, _, _ := strings.Cut(strings.TrimPrefix(c.settled, "t-0@"), " ")
			h.asks(fmt.Sprintf("0s broker 1 fetch t-0@%d/1", c.stored), "0s broker 1 list t-0@"+c.asked+"/1", "0s broker 1 fetch t-0@"+from+"/1")
			h.check("settled", settled(f), c.settled)
			h.check("taken", take(f, 9), c.taken)
			if r := h.reported(); len(r) > 0 {
				t.Errorf("reported %q", r)
			}
		})
	}
}

// A log that is cut while what was taken is not done with: how far that came stays
// what is settled.
func TestOffsetOutOfRangeLater(t *testing.T) {
	inBubble(t, func(t *testing.T, h *hall) {
		h.write("t-0", h.plain(0, 7))
		f := h.start(share("t-0", 0))
		h.check("taken", take(f, 8), "t-0: 0 1 2 3 4 5 6 7")
		h.change("t-0", func(l *log) { l.batches, l.end = []batch{h.plain(0, 3)}, 4 })
		synctest.Wait()
		h.check("settled", settled(f), "t-0@0")
		h.check("taken", take(f, 8), "t-0: 0 1 2 3")
		h.check("settled", settled(f), "t-0@0")
		f.Settle()
		h.check("settled", settled(f), "t-0@4")
	})
}

// Until it is known where to go on, how far it came stays settled.
func TestOffsetOutOfRangeAndNoOther(t *testing.T) {
	inBubble(t, func(t *testing.T, h *hall) {
		h.change("t-0", func(l *log) { l.findCode = kerr.OffsetNotAvailable.Code })
		f := h.start(share("t-0", 9))
		h.asks("0s broker 1 fetch t-0@9/1", "0s broker 1 list t-0@-2/1")
		h.check("settled", settled(f), "t-0@9")
		h.change("t-0", func(l *log) { l.findCode = 0 })
		pass(200 * time.Millisecond)
		h.check("settled", settled(f), "t-0@0")
	})
}

// A broker is to answer by the time at which a partition has rested, to the
// millisecond that requests can tell.
func TestNoLongRequestBesideARest(t *testing.T) {
	inBubble(t, func(t *testing.T, h *hall) {
		h.change("t-0", func(l *log) { l.code = kerr.NotLeaderForPartition.Code })
		f := h.start(share("t-0", 0), share("t-1", 0))
		h.change("t-0", func(l *log) { l.code = 0 })
		pass(100*time.Millisecond + 500*time.Microsecond)
		h.write("t-1", h.plain(0, 0))
		pass(0)
		h.check("taken", take(f, 9), "t-1: 0")
		h.questions()
		pass(time.Second)
		if q, _, _ := strings.Cut(h.questions(), "\n"); !strings.HasPrefix(q, "100ms broker 1 fetch t-0@0/1 t-1@1/1") {
			t.Errorf("asked %s", q)
		}
	})
}

// Errors that another leader or time heals: the state is read again, the partition
// asked for again after a while, and nobody is bothered.
func TestErrorsThatHeal(t *testing.T) {
	for _, code := range []*kerr.Error{
		kerr.NotLeaderForPartition, kerr.LeaderNotAvailable, kerr.FencedLeaderEpoch, kerr.UnknownLeaderEpoch,
		kerr.UnknownTopicOrPartition, kerr.KafkaStorageError, kerr.ReplicaNotAvailable, kerr.OffsetNotAvailable, kerr.CorruptMessage,
	} {
		inBubble(t, func(t *testing.T, h *hall) {
			h.write("t-0", h.plain(0, 1))
			h.change("t-0", func(l *log) { l.code, l.findCode = code.Code, code.Code })
			changed, stop := h.pict.Changes()
			defer stop()
			f := h.start(share("t-0", -1))
			select {
			case <-changed:
			default:
				t.Errorf("%s: the state was not read again", code.Message)
			}
			h.asks("0s broker 1 list t-0@-2/1")
			pass(199 * time.Millisecond)
			h.asks()
			h.change("t-0", func(l *log) { l.code, l.findCode = 0, 0 })
			pass(time.Millisecond)
			h.asks("1ms broker 1 list t-0@-2/1", "1ms broker 1 fetch t-0@0/1")
			h.change("t-0", func(l *log) { l.code = code.Code })
			h.check(code.Message, take(f, 9), "t-0: 0 1")
			h.asks("0s broker 1 fetch t-0@2/1")
			pass(199 * time.Millisecond)
			h.asks()
			h.change("t-0", func(l *log) { l.code = 0 })
			pass(time.Millisecond)
			h.asks("1ms broker 1 fetch t-0@2/1")
			if r := h.reported(); len(r) > 0 {
				t.Errorf("%s: reported %q", code.Message, r)
			}
		})
	}
}

// Errors that somebody has to heal are reported and asked about seldom; other
// partitions go on.
func TestErrorsThatDoNot(t *testing.T) {
	inBubble(t, func(t *testing.T, h *hall) {
		h.write("t-1", h.plain(0, 1))
		h.change("t-0", func(l *log) { l.code = kerr.TopicAuthorizationFailed.Code })
		f := h.start(share("t-0", 5), share("t-1", 0))
		want := []string{"read t-0 from offset 5: " + kerr.TopicAuthorizationFailed.Error()}
		if r := h.reported(); !slices.Equal(r, want) {
			t.Errorf("reported %q", r)
		}
		h.check("taken", take(f, 9), "t-1: 0 1")
		h.questions()
		h.lead("t", 1, -1, 2)
		h.questions()
		pass(1999 * time.Millisecond)
		if q := h.questions(); strings.Contains(q, "t-0") {
			t.Errorf("asked too early: %s", q)
		}
		h.change("t-0", func(l *log) { l.code, l.end = 0, 5 })
		h.write("t-0", h.plain(5, 5))
		pass(time.Millisecond)
		h.check("taken", take(f, 9), "t-0: 5")
	})
}

// A whole answer that failed, one that leaves partitions out, one that has those
// nobody asked for, and one that knows no offset: nothing is taken for granted, and
// nothing asked for again at once.
func TestPoorAnswers(t *testing.T) {
	for what, spoil := range map[string]func(kmsg.Response){
		"a failed fetch": func(r kmsg.Response) {
			if r, ok := r.(*kmsg.FetchResponse); ok {
				r.ErrorCode = kerr.UnknownServerError.Code
			}
		},
		"nothing": func(r kmsg.Response) {
			switch r := r.(type) {
			case *kmsg.FetchResponse:
				r.Topics = nil
			case *kmsg.ListOffsetsResponse:
				r.Topics = nil
			}
		},
		"others": func(r kmsg.Response) {
			switch r := r.(type) {
			case *kmsg.FetchResponse:
				for i := range r.Topics {
					r.Topics[i].Topic = "u"
				}
			case *kmsg.ListOffsetsResponse:
				for i := range r.Topics {
					r.Topics[i].Topic = "u"
				}
			}
		},
		"no offset": func(r kmsg.Response) {
			if r, ok := r.(*kmsg.ListOffsetsResponse); ok {
				r.Topics[0].Partitions[0].Offset = -1
			}
		},
	} {
		inBubble(t, func(t *testing.T, h *hall) {
			h.write("t-0", h.plain(0, 1))
			h.spoil = spoil
			f := h.start(share("t-0", -1))
			pass(500 * time.Millisecond)
			if n := strings.Count(h.questions(), "\n") + 1; n < 3 || n > 4 {
				t.Errorf("%s: asked %d times", what, n)
			}
			h.check(what, take(f, 9), "")
			h.mu.Lock()
			h.spoil = nil
			h.mu.Unlock()
			pass(200 * time.Millisecond)
			h.check(what, take(f, 9), "t-0: 0 1")
			if r := h.reported(); len(r) > 0 {
				t.Errorf("%s: reported %q", what, r)
			}
		})
	}
}

// An answer that has a partition twice counts once.
func TestAnAnswerTwice(t *testing.T) {
	inBubble(t, func(t *testing.T, h *hall) {
		h.write("t-0", h.plain(0, 1))
		h.spoil = func(r kmsg.Response) {
			if r, ok := r.(*kmsg.FetchResponse); ok {
				again := r.Topics[0].Partitions[0]
				again.RecordBatches = nil
				r.Topics[0].Partitions = append(r.Topics[0].Partitions, again)
			}
		}
		f := h.start(share("t-0", 0))
		h.check("taken", take(f, 9), "t-0: 0 1")
	})
}

// The leader changes: who led says so, ZooKeeper tells the next, and that is asked
// for what comes after what was had.
func TestTheLeaderMoves(t *testing.T) {
	inBubble(t, func(t *testing.T, h *hall) {
		h.join(2)
		h.write("t-0", h.plain(0, 3))
		f := h.start(share("t-0", 0), share("t-1", 0))
		h.check("taken", take(f, 2), "t-0: 0 1")
		f.Settle()
		h.lead("t", 0, 2, 2)
		h.write("t-0", h.plain(4, 5))
		h.questions()
		h.check("taken", take(f, 9), "t-0: 2 3") // of the last leader, and good
		h.asks("0s broker 2 fetch t-0@4/2")
		h.check("taken", take(f, 9), "t-0: 4 5")
		f.Settle()
		h.check("settled", settled(f), "t-0@6 t-1@0")

		// The brokers know before ZooKeeper tells.
		pass(time.Second)
		h.change("t-0", func(l *log) { l.leader, l.epoch = 1, 3 })
		h.write("t-0", h.plain(6, 6))
		pass(300 * time.Millisecond)
		h.check("taken", take(f, 9), "")
		h.announce("t", 0, 1, 3)
		pass(200 * time.Millisecond)
		h.check("taken", take(f, 9), "t-0: 6")

		// ZooKeeper tells before the brokers know.
		h.announce("t", 0, 1, 4)
		pass(time.Second) // until the request in the last epoch is answered
		h.write("t-0", h.plain(7, 7))
		pass(time.Second)
		h.check("taken", take(f, 9), "")
		h.change("t-0", func(l *log) { l.epoch = 4 })
		pass(200 * time.Millisecond)
		h.check("taken", take(f, 9), "t-0: 7")
		if r := h.reported(); len(r) > 0 {
			t.Errorf("reported %q", r)
		}
	})
}

// A partition that is asked for at one broker is not asked for at another.
func TestOneRequestAtATime(t *testing.T) {
	inBubble(t, func(t *testing.T, h *hall) {
		h.join(2)
		h.start(share("t-0", 0), share("t-1", 0))
		h.asks("0s broker 1 fetch t-0@0/1 t-1@0/1")
		h.announce("t", 0, 2, 2) // broker 1 does not know yet, and waits for records
		pass(499 * time.Millisecond)
		h.asks()
		pass(time.Millisecond)
		lines := strings.Split(h.questions(), "\n")
		slices.Sort(lines)
		h.check("asked", strings.Join(lines, "\n"), "1ms broker 1 fetch t-1@0/1\n1ms broker 2 fetch t-0@0/2")
	})
}

// Each broker is asked for what it leads, and for offsets before records.
func TestTwoLeaders(t *testing.T) {
	inBubble(t, func(t *testing.T, h *hall) {
		h.join(2)
		h.lead("t", 1, 2, 5)
		h.start(share("t-0", 0), share("t-1", 0), share("t-2", -1), share("u-0", -1))
		lines := strings.Split(h.questions(), "\n")
		slices.Sort(lines)
		h.check("asked", strings.Join(lines, "\n"), "0s broker 1 fetch t-0@0/1 t-2@0/1 u-0@0/1\n0s broker 1 list t-2@-2/1 u-0@-2/1\n0s broker 2 fetch t-1@0/5")
	})
}

// Nobody leads, then somebody does.
func TestNobodyLeads(t *testing.T) {
	inBubble(t, func(t *testing.T, h *hall) {
		h.lead("t", 0, -1, 2)
		h.lead("t", 1, 7, 1) // who is not registered
		h.write("t-0", h.plain(0, 0))
		f := h.start(share("t-0", 0), share("t-1", 0))
		pass(time.Minute)
		h.asks()
		h.lead("t", 0, 1, 3)
		h.check("taken", take(f, 9), "t-0: 0")
	})
}

// A broker that dies takes its connections along; who leads next is asked at once.
func TestABrokerDies(t *testing.T) {
	inBubble(t, func(t *testing.T, h *hall) {
		h.join(2)
		h.write("t-0", h.plain(0, 1))
		f := h.start(share("t-0", 0))
		h.check("taken", take(f, 1), "t-0: 0")
		h.check("taken", take(f, 1), "t-0: 1")
		h.questions()
		h.down(1)
		pass(time.Second)
		h.asks()
		h.write("t-0", h.plain(2, 2))
		h.leave(1)
		h.asks()
		h.lead("t", 0, 2, 2)
		pass(200 * time.Millisecond) // the back-off after the error
		h.check("taken", take(f, 9), "t-0: 2")

		// It comes back and leads again.
		h.join(1)
		h.lead("t", 0, 1, 3)
		h.write("t-0", h.plain(3, 3))
		pass(time.Second)
		h.check("taken", take(f, 9), "t-0: 3")
		if r := h.reported(); len(r) > 0 {
			t.Errorf("reported %q", r)
		}
	})
}

// A broker that hangs is given up when its registration ends, not when its answer
// is late.
func TestABrokerHangs(t *testing.T) {
	inBubble(t, func(t *testing.T, h *hall) {
		h.join(2)
		h.cfg.MaxWait = time.Minute
		f := h.start(share("t-0", 0))
		h.asks("0s broker 1 fetch t-0@0/1")
		pass(time.Second)
		h.leave(1)
		h.announce("t", 0, 2, 2)
		h.brokers.mu.Lock() // whom broker 1 still waits for must not wake it
		h.logs["t-0"].leader, h.logs["t-0"].epoch, h.logs["t-0"].end = 2, 2, 1
		h.logs["t-0"].batches = []batch{h.plain(0, 0)}
		h.brokers.mu.Unlock()
		pass(200 * time.Millisecond)
		h.check("taken", take(f, 9), "t-0: 0")
	})
}

// A broker that cannot be reached is tried again and again, without haste.
func TestABrokerCannotBeReached(t *testing.T) {
	inBubble(t, func(t *testing.T, h *hall) {
		h.down(1)
		h.write("t-0", h.plain(0, 0))
		f := h.start(share("t-0", 0))
		pass(10 * time.Second)
		h.asks()
		h.up(1)
		pass(time.Second)
		h.check("taken", take(f, 9), "t-0: 0")
		if r := h.reported(); len(r) > 0 {
			t.Errorf("reported %q", r)
		}
	})
}
