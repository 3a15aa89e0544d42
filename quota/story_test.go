package quota

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "rewrite the stories in testdata")

// TestStories runs the files in testdata: blocks of events, "----", and what
// they have as effect. See story.line for the language.
func TestStories(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no stories: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got := tell(t, string(want))
			if *update {
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if got != string(want) {
				t.Errorf("story differs; -update rewrites it. Got:\n%s", got)
			}
		})
	}
}

func tell(t *testing.T, text string) string {
	s := &story{t: t, now: time.UnixMilli(0), window: Window{11, time.Second}}
	s.q = NewReplication(s.window)
	var out bytes.Buffer
	for i, block := range strings.Split(strings.TrimSpace(text), "\n\n") {
		input, _, _ := strings.Cut(block, "\n----")
		if i > 0 {
			out.WriteString("\n")
		}
		out.WriteString(input + "\n----\n")
		for line := range strings.SplitSeq(input, "\n") {
			if strings.HasPrefix(line, "#") {
				continue
			}
			s.out.Reset()
			s.line(strings.Fields(line))
			out.Write(s.out.Bytes())
		}
	}
	return out.String()
}

// story is one throttle of broker 1.
type story struct {
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
func (s *story) line(words []string) {
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

func (s *story) number(text string) int64 {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		s.t.Fatal(err)
	}
	return n
}

func (s *story) duration(text string) time.Duration {
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
