package producer

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/gregor-mq/gregor/test/story"
)

// TestStories runs the files in testdata. Inputs:
//
//	append pid=1 epoch=0 seq=0 n=3 [txn] [coordinator|replica] [guard=1] [verify]
//	commit|abort pid=1 epoch=0 [coordinator-epoch=2] [replica]
//	verify pid=1 epoch=0 seq=0
//	recall pid=1 epoch=0 seq=0 n=3 offset=7
//	replicated 10      expire 1000      snapshot      stable
//
// Offsets and timestamps count up by themselves.
func TestStories(t *testing.T) {
	story.Files(t, func(t *testing.T, text string) string {
		p := &player{s: NewState(), now: 1000}
		return story.Lines(text, func(line string) string { return p.play(t, line) + "\n" })
	})
}

type player struct {
	s    *State
	next int64 // offset
	now  int64
}

func (p *player) play(t *testing.T, line string) string {
	words := strings.Fields(line)
	args := map[string]int64{}
	for _, w := range words[1:] {
		k, v, _ := strings.Cut(w, "=")
		n, err := strconv.ParseInt(v, 10, 64)
		if err != nil && v != "" {
			t.Fatal(line)
		}
		if n2, err := strconv.ParseInt(k, 10, 64); err == nil {
			k, n = "", n2
		}
		args[k] = n
	}
	has := func(k string) bool { _, ok := args[k]; return ok }
	p.now += 10
	switch words[0] {
	case "append":
		last := args["seq"] + args["n"] - 1
		if last > 1<<31-1 {
			last -= 1 << 31
		}
		return p.apply(Batch{ProducerID: args["pid"], Epoch: int16(args["epoch"]), FirstSeq: int32(args["seq"]), LastSeq: int32(last),
			FirstOffset: p.next, LastOffset: p.next + args["n"] - 1, Timestamp: p.now, Transactional: has("txn")},
			originOf(has), Guard(args["guard"]), has("verify"))
	case "commit", "abort":
		origin := Coordinator
		if has("replica") {
			origin = Replica
		}
		return p.apply(Batch{ProducerID: args["pid"], Epoch: int16(args["epoch"]), FirstSeq: None, LastSeq: None, FirstOffset: p.next,
			LastOffset: p.next, Timestamp: p.now, Transactional: true, Control: true,
			Marker: &Marker{Commit: words[0] == "commit", CoordinatorEpoch: int32(args["coordinator-epoch"]), Timestamp: p.now}}, origin, 0, true)
	case "recall":
		p.s.Recall(Batch{ProducerID: args["pid"], Epoch: int16(args["epoch"]), FirstSeq: int32(args["seq"]), LastSeq: int32(args["seq"] + args["n"] - 1),
			FirstOffset: args["offset"], LastOffset: args["offset"] + args["n"] - 1, Timestamp: p.now})
		return fmt.Sprintf("below %d", p.s.End())
	case "verify":
		return fmt.Sprintf("guard %d", p.s.StartVerification(args["pid"], int16(args["epoch"]), int32(args["seq"]), p.now))
	case "replicated":
		p.s.Replicated(args[""])
		return p.stable()
	case "expire":
		return fmt.Sprintf("%d expired, %d left", p.s.Expire(p.now, args[""]), p.s.Len())
	case "stable":
		return p.stable()
	case "snapshot":
		bytes := p.s.AppendSnapshot(nil)
		p.s = NewState()
		if err := p.s.LoadSnapshot(bytes, p.now, 1<<60); err != nil {
			t.Fatal(err)
		}
		var out strings.Builder
		out.WriteString(fmt.Sprintf("%d bytes", len(bytes)))
		for _, a := range p.s.Active() {
			out.WriteString(fmt.Sprintf("\npid %d epoch %d seq %d time %d coordinator-epoch %d txn %d",
				a.ProducerID, a.Epoch, a.LastSequence, a.LastTimestamp, a.CoordinatorEpoch, a.TxnStartOffset))
		}
		return out.String()
	}
	t.Fatalf("what is %q", line)
	return ""
}

func originOf(has func(string) bool) Origin {
	switch {
	case has("coordinator"):
		return Coordinator
	case has("replica"):
		return Replica
	}
	return Client
}

func (p *player) apply(b Batch, origin Origin, guard Guard, verify bool) string {
	dup, err := p.s.Check(b, origin, guard, verify)
	if err != nil {
		return "refused: " + err.Error()
	}
	if dup != nil {
		return fmt.Sprintf("duplicate of [%d, %d] at %d", dup.FirstOffset, dup.LastOffset, dup.Timestamp)
	}
	p.next = b.LastOffset + 1
	out := fmt.Sprintf("[%d, %d]", b.FirstOffset, b.LastOffset)
	if c := p.s.Apply(b); c != nil {
		out += fmt.Sprintf(" ends [%d, %d] aborted=%v stable=%d", c.FirstOffset, c.LastOffset, c.Aborted, c.LastStable)
	}
	return out + ", " + p.stable()
}

func (p *player) stable() string {
	if o, ok := p.s.FirstUnstable(); ok {
		return fmt.Sprintf("unstable from %d", o)
	}
	return "all stable"
}

func TestErrorsAreDistinct(t *testing.T) {
	s := NewState()
	s.Apply(Batch{ProducerID: 1, Epoch: 3, FirstSeq: 0, LastSeq: 4, LastOffset: 4})
	f := func(b Batch, want error) {
		t.Helper()
		if _, err := s.Check(b, Client, 0, true); !errors.Is(err, want) {
			t.Errorf("%+v: %v, want %v", b, err, want)
		}
	}
	f(Batch{ProducerID: 1, Epoch: 2, FirstSeq: 5, LastSeq: 5}, ErrEpoch)
	f(Batch{ProducerID: 1, Epoch: 3, FirstSeq: 6, LastSeq: 6}, ErrOutOfOrder)
	f(Batch{ProducerID: 1, Epoch: 4, FirstSeq: 1, LastSeq: 1}, ErrOutOfOrder)
	f(Batch{ProducerID: 1, Epoch: 3, FirstSeq: 5, LastSeq: 5, Transactional: true}, ErrTxnState)
}
