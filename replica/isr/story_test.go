package isr

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gregor-mq/gregor/test/story"
	"github.com/gregor-mq/gregor/wire"
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

// teller is a leader with a log in memory: broker 1 of a cluster in which all
// named brokers live, replica.lag.time.max.ms 30 s.
type teller struct {
	t      *testing.T
	cfg    Config
	s      *State
	now    time.Duration
	marks  Marks
	dead   []int32
	pulses map[int32]*Pulse
	sent   *Proposal
	former *Proposal // sent before that
	min    int
	args   map[string]string
	out    bytes.Buffer
}

func newTeller(t *testing.T) *teller {
	s := &teller{t: t, pulses: map[int32]*Pulse{}}
	s.cfg = Config{Self: 1, MaxLag: 30 * time.Second, Alive: func(id int32) bool { return !slices.Contains(s.dead, id) }}
	s.s, s.min = New(&s.cfg), 1
	return s
}

// line carries out one event:
//
//	min-isr N                      min.insync.replicas
//	lead epoch=E v=PARTITIONEPOCH isr=1,2 replicas=1,2,3 [kept]
//	log end=N high=N               what the log holds at the start
//	append N                       N records
//	fetch BROKER at=OFFSET [start=OFFSET] [session] [leader-end=OFFSET]
//	beat BROKER                    a fetch of its session that names no partition
//	left BROKER                    its session forgets the partition
//	wait DURATION
//	tick                           look for those out of sync
//	die BROKER, live BROKER        as far as this broker knows
//	answer CODE [isr=.. v=..]      the controller's, to the last proposal; with
//	                               former to the one before
//	show                           the state
func (s *teller) line(line string) {
	words := strings.Fields(line)
	s.args = map[string]string{}
	for _, w := range words[1:] {
		k, v, _ := strings.Cut(w, "=")
		s.args[k] = v
	}
	switch words[0] {
	case "min-isr":
		s.min = int(s.number(words[1]))
		s.effects(s.s.SetMinISR(s.now, s.min, s.marks))
	case "log":
		s.marks = Marks{End: s.number(s.args["end"]), High: s.number(s.args["high"])}
	case "lead":
		_, kept := s.args["kept"]
		s.effects(s.s.Lead(s.now, Leadership{LeaderEpoch: int32(s.number(s.args["epoch"])), PartitionEpoch: int32(s.number(s.args["v"])),
			ISR: s.brokers("isr"), Replicas: s.brokers("replicas"), MinISR: s.min, Start: s.marks.End, Kept: kept}, s.marks))
	case "append":
		s.marks.End += s.number(words[1])
		s.effects(s.s.Appended(s.now, s.marks))
	case "fetch":
		s.fetch(int32(s.number(words[1])))
	case "beat":
		s.pulses[int32(s.number(words[1]))].Beat(s.now)
	case "left":
		id := int32(s.number(words[1]))
		s.s.Left(id, s.pulses[id], s.marks)
	case "wait":
		d, err := time.ParseDuration(words[1])
		if err != nil {
			s.t.Fatal(err)
		}
		s.now += d
	case "tick":
		s.effects(s.s.Tick(s.now, s.marks))
	case "die":
		s.dead = append(s.dead, int32(s.number(words[1])))
	case "live":
		s.dead = slices.DeleteFunc(s.dead, func(id int32) bool { return id == int32(s.number(words[1])) })
	case "answer":
		s.answer(words[1])
	case "show":
		s.show()
	default:
		s.t.Fatalf("no event %q", line)
	}
}

func (s *teller) fetch(id int32) {
	f := Fetch{Broker: id, Offset: s.number(s.args["at"]), LeaderEnd: s.marks.End}
	if start, ok := s.args["start"]; ok {
		f.LogStart = s.number(start)
	}
	if end, ok := s.args["leader-end"]; ok {
		f.LeaderEnd = s.number(end)
	}
	if _, ok := s.args["session"]; ok {
		if s.pulses[id] == nil {
			s.pulses[id] = new(Pulse)
		}
		f.Pulse = s.pulses[id]
		f.Pulse.Beat(s.now)
	}
	s.effects(s.s.Fetched(s.now, f, s.marks))
}

func (s *teller) answer(code string) {
	to := s.sent
	if _, ok := s.args["former"]; ok {
		to = s.former
	}
	v := Verdict{LeaderEpoch: to.LeaderEpoch, PartitionEpoch: to.PartitionEpoch + 1, ISR: to.ISR}
	for c := wire.Code(-1); c < 128; c++ {
		if c.Name() == code {
			v.Code = c
		}
	}
	if v.Code.Name() != code {
		s.t.Fatalf("no code %q", code)
	}
	if _, ok := s.args["isr"]; ok {
		v.ISR = s.brokers("isr")
	}
	if n, ok := s.args["v"]; ok {
		v.PartitionEpoch = int32(s.number(n))
	}
	if n, ok := s.args["epoch"]; ok {
		v.LeaderEpoch = int32(s.number(n))
	}
	e, again := s.s.Settled(s.now, to, v, s.marks)
	if again {
		fmt.Fprintln(&s.out, "again")
	}
	s.effects(e)
}

func (s *teller) effects(e Effects) {
	if e.Watermark >= 0 {
		s.marks.High = e.Watermark
		fmt.Fprintf(&s.out, "watermark %d\n", e.Watermark)
	}
	if p := e.Proposal; p != nil {
		s.former, s.sent = s.sent, p
		fmt.Fprintf(&s.out, "propose isr=%s epoch=%d v=%d\n", list(p.ISR), p.LeaderEpoch, p.PartitionEpoch)
	}
}

func (s *teller) show() {
	fmt.Fprintf(&s.out, "end=%d high=%d isr=%s v=%d low=%d", s.marks.End, s.marks.High, list(s.s.ISR()), s.s.PartitionEpoch(), s.s.LowWatermark(s.marks.High))
	if s.s.Pending() != nil {
		fmt.Fprint(&s.out, " pending")
	}
	fmt.Fprintf(&s.out, " enough=%t for-ack=%t\n", s.s.Enough(), s.s.EnoughForAck())
	for _, l := range s.s.Lags(s.now, s.marks) {
		behind := l.Behind.String()
		if l.Behind == 1<<63-1 {
			behind = "ever"
		}
		fmt.Fprintf(&s.out, "  broker %d end=%d behind=%s\n", l.Broker, l.End, behind)
	}
}

func (s *teller) number(text string) int64 {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		s.t.Fatal(err)
	}
	return n
}

func (s *teller) brokers(key string) []int32 {
	var out []int32
	for _, w := range strings.Split(s.args[key], ",") {
		out = append(out, int32(s.number(w)))
	}
	return out
}

func list(ids []int32) string {
	return strings.Trim(strings.ReplaceAll(fmt.Sprint(ids), " ", ","), "[]")
}
