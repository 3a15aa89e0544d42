package member

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gregor-mq/gregor/client/internal/assign"
	"github.com/gregor-mq/gregor/test/story"
)

// TestStories runs the files in testdata. See teller.line for the language.
func TestStories(t *testing.T) {
	story.Files(t, func(t *testing.T, text string) string {
		s := newTeller(t)
		return story.Lines(text, func(line string) string {
			s.out.Reset()
			s.line(line)
			return s.out.String()
		})
	})
}

// teller tells of the member g_a: 4 tries, 2 s apart, session timeout 6 s, margin
// 1 s.
type teller struct {
	t     *testing.T
	m     *Machine
	begin time.Time
	now   time.Time
	until time.Time
	group assign.Group
	// brokers is how many there are.
	brokers int
	wake    time.Time
	// asked is the last effect that is answered.
	asked Effect
	out   strings.Builder
}

func newTeller(t *testing.T) *teller {
	begin := time.Unix(1_700_000_000, 0)
	return &teller{t: t, begin: begin, now: begin, brokers: 1, group: assign.Group{Partitions: map[string][]int32{}},
		m: New(Config{ID: "g_a", Strategy: assign.Range, Retries: 4, Backoff: 2 * time.Second, Expiry: 6 * time.Second, Margin: time.Second})}
}

// line carries out one line:
//
//	topic NAME PARTITIONS       a topic is so large, and members know by seen
//	member ID TOPIC=STREAMS ... a member, or with no topics one less
//	brokers N
//	session                     starts
//	expired                     the session did
//	changed, leave
//	freed PARTITION
//	seen                        answers with the above
//	seen gone T-P ...           and owner nodes that somebody deleted
//	seen fault TEXT             and a topic that cannot be read
//	registered, committed, released, dropped, left, seen, found, claimed
//	  ... error TEXT            the answer is an error; "registered taken" is ErrTaken
//	found T-P=OFFSET ...        the others have none
//	claimed [taken T-P ...]     all others are made
//	heard                       the server answers a request sent now
//	wait DURATION               and Tick, if its time has come
func (s *teller) line(line string) {
	words := strings.Fields(line)
	rest := words[1:]
	switch words[0] {
	case "topic":
		s.group.Partitions[rest[0]] = nil
		for p := range s.number(rest[1]) {
			s.group.Partitions[rest[0]] = append(s.group.Partitions[rest[0]], int32(p))
		}
	case "member":
		s.member(rest[0], rest[1:])
	case "brokers":
		s.brokers = int(s.number(rest[0]))
	case "heard":
		s.until = s.now.Add(6 * time.Second)
	case "wait":
		s.wait(rest[0])
	default:
		s.step(s.event(words[0], rest))
	}
}

func (s *teller) member(id string, topics []string) {
	s.group.Members = slices.DeleteFunc(s.group.Members, func(m assign.Member) bool { return m.ID == id })
	m := assign.Member{ID: id, Streams: map[string]int32{}}
	for _, w := range topics {
		topic, n, _ := strings.Cut(w, "=")
		m.Streams[topic] = int32(s.number(n))
	}
	if len(topics) > 0 {
		s.group.Members = append(s.group.Members, m)
	}
}

func (s *teller) wait(text string) {
	d, err := time.ParseDuration(text)
	if err != nil {
		s.t.Fatal(err)
	}
	end := s.now.Add(d)
	for !s.wake.IsZero() && !s.wake.After(end) {
		s.now = s.wake
		s.step(Tick{})
	}
	s.now = end
}

func (s *teller) event(name string, words []string) Event {
	err := s.fault(words)
	switch name {
	case "session":
		s.until = s.now.Add(6 * time.Second)
		return SessionStarted{}
	case "expired":
		s.until = time.Time{}
		return SessionEnded{}
	case "changed":
		return Changed{}
	case "freed":
		return Freed{s.partition(words[0])}
	case "leave":
		return Leave{}
	case "registered":
		if slices.Equal(words, []string{"taken"}) {
			err = ErrTaken
		}
		return Registered{err}
	case "seen":
		return s.seen(words, err)
	case "committed":
		return Committed{err}
	case "released":
		return Released{err}
	case "dropped":
		return Dropped{err}
	case "left":
		return Left{}
	case "found":
		return s.found(words, err)
	case "claimed":
		return s.claimed(words, err)
	}
	s.t.Fatalf("no event %q", name)
	return nil
}

func (s *teller) fault(words []string) error {
	if len(words) > 1 && words[0] == "error" {
		return errors.New(strings.Join(words[1:], " "))
	}
	return nil
}

func (s *teller) seen(words []string, err error) Event {
	ev := Seen{Group: s.group, Brokers: s.brokers, Err: err}
	switch {
	case len(words) > 1 && words[0] == "gone":
		for _, w := range words[1:] {
			ev.Gone = append(ev.Gone, s.partition(w))
		}
	case len(words) > 1 && words[0] == "fault":
		ev.Faults = append(ev.Faults, errors.New(strings.Join(words[1:], " ")))
	}
	return ev
}

func (s *teller) found(words []string, err error) Event {
	f := Found{Offsets: map[assign.TopicPartition]int64{}, Err: err}
	if err != nil {
		return f
	}
	for _, c := range s.asked.(Find).Claims {
		f.Offsets[c.TopicPartition] = -1
	}
	for _, w := range words {
		p, n, _ := strings.Cut(w, "=")
		f.Offsets[s.partition(p)] = s.number(n)
	}
	return f
}

func (s *teller) claimed(words []string, err error) Event {
	c := Claimed{Err: err}
	if len(words) > 0 && words[0] == "taken" {
		for _, w := range words[1:] {
			c.Taken = append(c.Taken, Taken{s.partition(w), w + " is owned by another member"})
		}
	}
	for _, a := range s.asked.(Claim).Claims {
		taken := slices.ContainsFunc(c.Taken, func(t Taken) bool { return t.TopicPartition == a.TopicPartition })
		if !taken && err == nil {
			c.Made = append(c.Made, a.TopicPartition)
		}
	}
	return c
}

func (s *teller) step(ev Event) {
	for _, e := range s.m.Step(s.now, s.until, ev) {
		if w, ok := e.(Wake); ok {
			s.wake = w.At
			continue
		}
		s.print(e)
	}
}

func (s *teller) print(e Effect) {
	name := strings.ToLower(strings.TrimPrefix(fmt.Sprintf("%T", e), "member."))
	if !s.now.Equal(s.begin) {
		name = s.now.Sub(s.begin).String() + " " + name
	}
	switch e := e.(type) {
	case Register, Read, Unregister:
		s.asked = e
		name += " ->"
	case Commit:
		s.asked = e
		name += claims(e.Owned) + " ->"
	case Release:
		s.asked = e
		name += claims(e.Owned) + " ->"
	case Find:
		s.asked = e
		name += claims(e.Claims) + " ->"
	case Claim:
		s.asked = e
		for _, c := range e.Claims {
			name += fmt.Sprintf(" %s-%d=%s", c.Topic, c.Partition, c.Thread)
		}
		name += " ->"
	case Drop:
		s.asked = e
		for _, p := range e.Made {
			name += fmt.Sprintf(" %s-%d", p.Topic, p.Partition)
		}
		name += " ->"
	case Lost:
		name += claims(e.Owned)
	case Start:
		for _, sh := range e.Shares {
			name += fmt.Sprintf(" %s-%d@%d", sh.Topic, sh.Partition, sh.Offset)
		}
	case Report:
		name += ": " + e.Err.Error()
	case Failed:
		if name += ": " + e.Err.Error(); e.Contested {
			name += " (contested)"
		}
	case Stop, Pause, Resume, Abort, Wake, Gone:
	}
	fmt.Fprintln(&s.out, name)
}

func claims(all []assign.Claim) string {
	var b strings.Builder
	for _, c := range all {
		fmt.Fprintf(&b, " %s-%d", c.Topic, c.Partition)
	}
	return b.String()
}

func (s *teller) partition(text string) assign.TopicPartition {
	i := strings.LastIndexByte(text, '-')
	return assign.TopicPartition{Topic: text[:i], Partition: int32(s.number(text[i+1:]))}
}

func (s *teller) number(text string) int64 {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		s.t.Fatal(err)
	}
	return n
}
