package quota

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gregor-mq/gregor/test/story"
)

// TestStories runs the files in testdata. See teller.line for the language.
func TestStories(t *testing.T) {
	story.Files(t, func(t *testing.T, text string) string {
		s := &teller{t: t, now: time.UnixMilli(0), window: Window{11, time.Second}}
		s.q = NewReplication(s.window)
		return story.Lines(text, func(line string) string {
			s.out.Reset()
			s.line(strings.Fields(line))
			return s.out.String()
		})
	})
}

// teller is one throttle of broker 1.
type teller struct {
	t      *testing.T
	now    time.Time
	window Window
	q      *Replication
	out    bytes.Buffer
}

// line carries out one event:
//
//	window SAMPLES LENGTH   begin anew with another window
//	limit BYTES|unlimited
//	topic NAME [LIST]       its throttled replicas, by commas
//	throttled NAME PARTITION...
//	record BYTES
//	sleep DURATION
//	rate                    bytes per second, whether that is too much, and for how long
//	wait                    sleep until more may pass
func (s *teller) line(words []string) {
	switch words[0] {
	case "window":
		s.window = Window{int(s.number(words[1])), s.duration(words[2])}
		s.q = NewReplication(s.window)
	case "limit":
		if words[1] == "unlimited" {
			s.q.SetLimit(Unlimited)
		} else {
			s.q.SetLimit(s.number(words[1]))
		}
	case "topic":
		list := strings.Split(strings.Join(words[2:], ""), ",")
		s.q.SetTopic(words[1], ParseReplicas(list, 1))
	case "throttled":
		for _, p := range words[2:] {
			fmt.Fprintf(&s.out, "%s-%s %v\n", words[1], p, s.q.Throttled(words[1], int32(s.number(p))))
		}
	case "record":
		s.q.Record(s.now, int(s.number(words[1])))
	case "sleep":
		s.now = s.now.Add(s.duration(words[1]))
	case "rate":
		fmt.Fprintf(&s.out, "%.2f/s exceeded=%v wait=%v\n", s.q.mu.rate.PerSecond(s.now), s.q.Exceeded(s.now),
			s.q.Wait(s.now).Round(time.Millisecond))
	case "wait":
		for d := s.q.Wait(s.now); d > 0; d = s.q.Wait(s.now) {
			s.now = s.now.Add(d)
		}
	default:
		s.t.Fatalf("no event %q", words)
	}
}

func (s *teller) number(text string) int64 {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		s.t.Fatal(err)
	}
	return n
}

func (s *teller) duration(text string) time.Duration {
	d, err := time.ParseDuration(text)
	if err != nil {
		s.t.Fatal(err)
	}
	return d
}

// Who waits as it is told and then sends a piece keeps the limit on average, and
// is not held back much below it.
func TestWaitingKeepsTheLimit(t *testing.T) {
	const limit, piece = 1000, 300
	q := NewReplication(Window{11, time.Second})
	q.SetLimit(limit)
	begin := time.UnixMilli(0)
	now, sent := begin, 0
	for now.Sub(begin) < 5*time.Minute {
		if d := q.Wait(now); d > 0 {
			now = now.Add(d)
			continue
		}
		q.Record(now, piece)
		sent += piece
	}
	rate := float64(sent) / now.Sub(begin).Seconds()
	if rate < 0.95*limit || rate > 1.15*limit {
		t.Errorf("%.1f per second under a limit of %d", rate, limit)
	}
}
