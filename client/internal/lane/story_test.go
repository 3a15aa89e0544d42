package lane_test

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/gregor-mq/gregor/client/internal/lane"
	"github.com/gregor-mq/gregor/test/story"
)

// TestStories runs the files in testdata. Their lines:
//
//	lane [plain] [linger=D] [timeout=D] [bytes=N]   a new lane; plain numbers nothing
//	at D                    the time since the start
//	put NAME [SIZE]
//	ready LEADER/EPOCH [hurry]
//	send LEADER/EPOCH [ID]  ID of the producer, if the lane needs one
//	answer ok|lost|CODE
//	expire, abandon
func TestStories(t *testing.T) {
	story.Files(t, func(t *testing.T, text string) string {
		w := &world{t: t}
		return story.Blocks(text, func(lines []string) string {
			var out strings.Builder
			for _, line := range lines {
				out.WriteString(w.play(strings.Fields(line)))
			}
			return out.String()
		})
	})
}

type world struct {
	t    *testing.T
	now  time.Time
	lane *lane.Lane[string]
}

var start = time.Unix(1000, 0)

func (w *world) play(words []string) string {
	switch words[0] {
	case "lane":
		w.open(words[1:])
		return ""
	case "at":
		w.now = start.Add(w.duration(words[1]))
		return ""
	case "put":
		size := 1
		if len(words) > 2 {
			size = w.number(words[2])
		}
		w.lane.Put(w.now, words[1], size)
		return ""
	case "ready":
		ready, at := w.lane.Ready(w.now, w.leader(words[1]), len(words) > 2)
		switch {
		case ready:
			return "ready\n"
		case at.IsZero():
			return "not ready\n"
		}
		return fmt.Sprintf("not ready, look at %v\n", at.Sub(start))
	case "send":
		return w.send(words)
	case "answer":
		return w.answer(words[1])
	case "expire":
		dropped, why := w.lane.Expire(w.now)
		return fmt.Sprintf("dropped%s, %v\n", names(dropped), why)
	case "abandon":
		return fmt.Sprintf("dropped%s\n", names(w.lane.Abandon()))
	}
	w.t.Fatalf("no line %q", words)
	return ""
}

func (w *world) open(words []string) {
	cfg := &lane.Config{Idempotent: true, BatchBytes: 10, Timeout: time.Minute}
	for _, word := range words {
		key, value, _ := strings.Cut(word, "=")
		switch key {
		case "plain":
			cfg.Idempotent = false
		case "linger":
			cfg.Linger = w.duration(value)
		case "timeout":
			cfg.Timeout = w.duration(value)
		case "bytes":
			cfg.BatchBytes = w.number(value)
		default:
			w.t.Fatalf("no option %q", word)
		}
	}
	w.now, w.lane = start, lane.New[string](cfg)
}

func (w *world) send(words []string) string {
	id := lane.Nobody
	if w.lane.NeedsIdentity() {
		if len(words) < 3 {
			return "needs an identity\n"
		}
		id = lane.Identity{ID: int64(w.number(words[2]))}
	}
	b := w.lane.Send(w.leader(words[1]), id)
	kept := ""
	if b.Wire != nil {
		kept = ", as encoded before"
	}
	b.Wire = []byte{1}
	return fmt.Sprintf("sent%s as %d/%d from %d, attempt %d%s\n", names([]*lane.Batch[string]{b}), b.Identity.ID, b.Identity.Epoch, b.Sequence, b.Attempts(), kept)
}

func (w *world) answer(what string) string {
	var err error
	switch what {
	case "ok":
	case "lost":
		err = errors.New("connection lost")
	default:
		err = kerr.ErrorForCode(int16(w.number(what)))
	}
	switch v, why := w.lane.Answer(w.now, err); v {
	case lane.Acked:
		return "acked\n"
	case lane.Failed:
		return fmt.Sprintf("failed, %v\n", why)
	case lane.Again:
		return "again\n"
	default:
		return "again, look up the leader\n"
	}
}

func names(batches []*lane.Batch[string]) string {
	var out strings.Builder
	for _, b := range batches {
		fmt.Fprintf(&out, " %v", b.Records)
	}
	return out.String()
}

func (w *world) leader(text string) lane.Leader {
	id, epoch, _ := strings.Cut(text, "/")
	return lane.Leader{ID: int32(w.number(id)), Epoch: int32(w.number(epoch))}
}

func (w *world) number(text string) int {
	n, err := strconv.Atoi(text)
	if err != nil {
		w.t.Fatal(err)
	}
	return n
}

func (w *world) duration(text string) time.Duration {
	d, err := time.ParseDuration(text)
	if err != nil {
		w.t.Fatal(err)
	}
	return d
}

// An identity has 2¹⁵ epochs; then the lane needs another one.
func TestIdentityRunsOut(t *testing.T) {
	w := &world{t: t}
	w.open([]string{"timeout=1s"})
	for epoch := range 1 << 15 {
		if fresh := w.lane.NeedsIdentity(); fresh != (epoch == 0) {
			t.Fatalf("epoch %d: needs an identity: %v", epoch, fresh)
		}
		w.lane.Put(w.now, "a", 1)
		b := w.lane.Send(lane.Leader{}, lane.Identity{ID: 7})
		if b.Identity != (lane.Identity{ID: 7, Epoch: int16(epoch)}) || b.Sequence != 0 {
			t.Fatalf("epoch %d: sent as %+v from %d", epoch, b.Identity, b.Sequence)
		}
		if v, _ := w.lane.Answer(w.now, errors.New("connection lost")); v != lane.Again {
			t.Fatal(v)
		}
		w.now = w.now.Add(time.Second)
		if dropped, _ := w.lane.Expire(w.now); len(dropped) != 1 {
			t.Fatal(dropped)
		}
	}
	if !w.lane.NeedsIdentity() {
		t.Fatal("there is no epoch left")
	}
	w.lane.Put(w.now, "b", 1)
	if b := w.lane.Send(lane.Leader{}, lane.Identity{ID: 8}); b.Identity != (lane.Identity{ID: 8}) || b.Sequence != 0 {
		t.Errorf("sent as %+v from %d", b.Identity, b.Sequence)
	}
}
