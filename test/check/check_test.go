package check

import (
	"errors"
	"strings"
	"testing"
)

var p = Partition{"t", 0}

// story is a history with values 0 to n-1 of producer 1 acknowledged at their
// own offsets, and one more that was sent only.
func story(n int) *History {
	h := NewHistory()
	for i := range n {
		h.Acked(p, h.Next(1, p), int64(i))
	}
	h.Next(1, p)
	return h
}

func rec(offset int64, producer int, seq int64) Record {
	return Record{offset, Value{producer, seq}.Encode(p, 5)}
}

func TestValuesComeBack(t *testing.T) {
	for _, v := range []Value{{0, 0}, {7, 1 << 40}} {
		for _, filler := range []int{0, 1, 100} {
			b := v.Encode(p, filler)
			if got, err := DecodeValue(p, b); err != nil || got != v {
				t.Errorf("%v: %v, %v", v, got, err)
			}
			b[len(b)/2] ^= 1
			if got, err := DecodeValue(p, b); err == nil {
				t.Errorf("a flipped bit reads as %v", got)
			}
		}
	}
	if _, err := DecodeValue(Partition{"t", 1}, Value{1, 2}.Encode(p, 0)); err == nil {
		t.Error("a value of another partition was accepted")
	}
	if _, err := DecodeValue(p, []byte("short")); err == nil {
		t.Error("a foreign value was accepted")
	}
}

func TestLogs(t *testing.T) {
	f := func(log []Record, floor int64, want string) {
		t.Helper()
		problems := story(3).Log(p, log, floor)
		if got := errors.Join(problems...); (got == nil) != (want == "") || got != nil && !strings.Contains(got.Error(), want) {
			t.Errorf("got %v, want %q", got, want)
		}
	}
	whole := []Record{rec(0, 1, 0), rec(1, 1, 1), rec(2, 1, 2)}
	f(whole, 3, "")
	f(append(whole[:3:3], rec(3, 1, 3)), 3, "") // sent, never acknowledged
	f(whole[:2], 3, "all below 3 was promised")
	f(whole[:2], 2, "") // a power cut may take the last
	f(append(whole[:3:3], rec(3, 1, 4)), 3, "never sent")
	f(append(whole[:3:3], rec(3, 2, 0)), 3, "never sent")
	f(append(whole[:3:3], rec(3, 1, 2)), 3, "1/2 is at offset 2 and again at 3")
	f([]Record{rec(0, 1, 0), rec(1, 1, 2), rec(2, 1, 1)}, 3, "offset 2 holds 1/1, behind 1/2")
	f([]Record{rec(0, 1, 0), rec(1, 1, 3), rec(2, 1, 2)}, 2, "it held 1/1 before")
	f([]Record{rec(0, 1, 0), rec(2, 1, 2)}, 0, "offset 2 follows 0")
	f([]Record{rec(0, 1, 0), {1, []byte("garbage, garbage")}, rec(2, 1, 2)}, 0, "wrong checksum")
	f([]Record{rec(0, 1, 0), rec(1, 1, 2)}, 0, "1/1 was acknowledged at offset 1 and is not there")
}

func TestWhatAPowerCutTookIsForgotten(t *testing.T) {
	h := story(3)
	h.Read(p, rec(0, 1, 0))
	h.Read(p, rec(1, 1, 1))
	if got := h.Log(p, []Record{rec(0, 1, 0)}, 0); got != nil {
		t.Fatal(got)
	}
	if h.AckedEnd(p) != 1 || h.AckedCount() != 1 {
		t.Errorf("end %d, %d acknowledged", h.AckedEnd(p), h.AckedCount())
	}
	// Another producer may use the offsets again.
	h.Acked(p, h.Next(2, p), 1)
	h.Read(p, rec(1, 2, 0))
	if got := h.Problems(); got != nil {
		t.Error(got)
	}
	if got := h.Partitions(); len(got) != 1 || got[0] != p {
		t.Errorf("partitions %v", got)
	}
}

func TestProblemsOnTheWay(t *testing.T) {
	f := func(do func(h *History), want string) {
		t.Helper()
		h := story(3)
		do(h)
		if got := errors.Join(h.Problems()...); got == nil || !strings.Contains(got.Error(), want) {
			t.Errorf("got %v, want %q", got, want)
		}
	}
	f(func(h *History) { h.Acked(p, Value{1, 0}, 5) }, "acknowledged at offset 0 and at 5")
	f(func(h *History) { h.Acked(p, Value{1, 3}, 2) }, "offset 2 was 1/2, now acknowledged as 1/3")
	f(func(h *History) { h.Read(p, rec(0, 1, 1)) }, "offset 0 was 1/0, now read as 1/1")
	f(func(h *History) { h.Read(p, rec(1, 1, 1)) }, "given offset 1 after -1")
	f(func(h *History) { h.Read(p, Record{0, []byte("what is this")}) }, "wrong checksum")
	f(func(h *History) { h.Refused(p, Value{1, 3}, errors.New("no")) }, "1/3 was refused: no")
	h := story(0)
	for range 3 * maxProblems {
		h.Refused(p, Value{}, errors.New("no"))
	}
	if len(h.Problems()) != maxProblems {
		t.Errorf("%d problems are kept", len(h.Problems()))
	}
}

func TestOffsets(t *testing.T) {
	o := NewOffsets()
	f := func(found, end int64, want string) {
		t.Helper()
		if got := o.Check("g", p, found, end); (got == nil) != (want == "") || got != nil && !strings.Contains(got.Error(), want) {
			t.Errorf("%d of %d: got %v, want %q", found, end, got, want)
		}
	}
	f(None, 0, "")
	f(3, 10, "never committed")
	o.Committing("g", p, 3)
	f(None, 10, "")
	f(3, 10, "")
	f(3, 2, "ahead of the log")
	o.Committed("g", p, 3)
	f(None, 10, "offset 3 was acknowledged")
	o.Committing("g", p, 5)
	f(3, 10, "")
	f(5, 10, "")
	o.Committed("g", p, 5)
	f(3, 10, "offset 5 was acknowledged, 3 is there")
	if o.Acked("g", p) != 5 || o.Acked("h", p) != None {
		t.Error("Acked")
	}
	if err := o.CheckLossy("g", p, 3); err != nil {
		t.Error(err)
	}
	o.Restart("g", p, 3)
	f(3, 10, "")
	o.Restart("g", p, None)
	f(None, 10, "")
}

func TestTopics(t *testing.T) {
	id := [16]byte{1}
	base := func() *Topics {
		ts := NewTopics()
		ts.Creating("a", 2, map[string]string{"x": "1"})
		ts.Created("a", id)
		return ts
	}
	there := Topic{"a", id, 2, map[string]string{"x": "1"}}
	f := func(do func(*Topics), want string, found ...Topic) {
		t.Helper()
		ts := base()
		if do != nil {
			do(ts)
		}
		if got := errors.Join(ts.Check(found)...); (got == nil) != (want == "") || got != nil && !strings.Contains(got.Error(), want) {
			t.Errorf("got %v, want %q", got, want)
		}
	}
	with := func(change func(*Topic)) Topic {
		f := there
		f.Configs = map[string]string{"x": "1"}
		change(&f)
		return f
	}
	f(nil, "", there)
	f(nil, "it is not there")
	f(nil, "nobody asked for it", there, Topic{Name: "b"})
	f(nil, "id was", with(func(t *Topic) { t.ID[0] = 9 }))
	f(nil, "has 3 partitions", with(func(t *Topic) { t.Partitions = 3 }))
	f(nil, "x is \"2\"", with(func(t *Topic) { t.Configs["x"] = "2" }))
	f(nil, "x=1 was acknowledged", with(func(t *Topic) { delete(t.Configs, "x") }))
	f(nil, "y=1 is overridden", with(func(t *Topic) { t.Configs["y"] = "1" }))
	deleting := func(ts *Topics) { ts.Deleting("a") }
	f(deleting, "", there)
	f(deleting, "")
	deleted := func(ts *Topics) { ts.Deleting("a"); ts.Deleted("a") }
	f(deleted, "")
	f(deleted, "its deletion was acknowledged", there)
	setting := func(ts *Topics) { ts.Setting("a", "x", "2"); ts.Setting("a", "y", "1") }
	f(setting, "", there)
	f(setting, "", with(func(t *Topic) { t.Configs["x"], t.Configs["y"] = "2", "1" }))
	f(setting, "x is \"3\"", with(func(t *Topic) { t.Configs["x"] = "3" }))
	three := with(func(t *Topic) { t.Partitions = 3 })
	growing := func(ts *Topics) { ts.Growing("a", 3) }
	f(growing, "", there)
	f(growing, "", three)
	grown := func(ts *Topics) { ts.Growing("a", 3); ts.Grown("a", 3) }
	f(grown, "has 2 partitions, 3 were asked for", there)
	f(grown, "", three)
	set := func(ts *Topics) { ts.Setting("a", "x", "2"); ts.Set("a", "x", "2") }
	f(set, "x is \"1\"", there)
	if got := base().Alive(); len(got) != 1 || got[0] != "a" {
		t.Errorf("alive: %v", got)
	}
}

func TestAnUnansweredCreationFixesItsIDWhenSeen(t *testing.T) {
	ts := NewTopics()
	ts.Creating("a", 1, nil)
	if got := ts.Check(nil); got != nil {
		t.Fatal(got)
	}
	if got := ts.Check([]Topic{{Name: "a", ID: [16]byte{1}, Partitions: 1}}); got != nil {
		t.Fatal(got)
	}
	if got := ts.Check([]Topic{{Name: "a", ID: [16]byte{2}, Partitions: 1}}); got == nil {
		t.Error("another id was accepted")
	}
}

func TestBirths(t *testing.T) {
	b := NewBirths()
	f := func(err error, want string) {
		t.Helper()
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
	f(b.Note("/a", 1), "")
	f(b.Note("/a", 1), "")
	f(b.Note("/b", 1), "belongs to /a")
	f(b.Note("/a", 2), "was 0x1")
	f(b.Next("broker", 5), "")
	f(b.Next("broker", 6), "")
	f(b.Next("broker", 6), "went from 0x6")
	f(b.Next("other", 5), "belongs to broker")
}
