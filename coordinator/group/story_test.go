package group

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gregor-mq/gregor/test/story"
	"github.com/gregor-mq/gregor/wire"
)

// TestStories runs the files in testdata. See teller for the language.
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

// teller drives a machine as a shell does, with a clock that stands still until
// told and a log in memory. Lines are a verb, positional words and key=value
// words; requests begin with their ticket.
type teller struct {
	t     *testing.T
	cfg   Config
	m     *Machine
	now   time.Time
	wakes map[string]time.Time
	auto  bool // appends succeed at once
	open  map[uint64]Write
	log   []storyRecord
	words []string
	args  map[string]string
	out   bytes.Buffer
}

type storyRecord struct {
	at, producer int64
	Record
	marker, commit bool
}

var storyStart = time.UnixMilli(1_000_000_000_000)

func newTeller(t *testing.T) *teller {
	s := &teller{t: t, cfg: DefaultConfig(), now: storyStart}
	s.reset()
	return s
}

func (s *teller) reset() {
	s.m, s.wakes, s.open = New(s.cfg), map[string]time.Time{}, map[uint64]Write{}
}

func (s *teller) line(line string) {
	words := strings.Fields(line)
	s.words, s.args = nil, map[string]string{}
	for _, w := range words[1:] {
		if k, v, ok := strings.Cut(w, "="); ok && !strings.Contains(k, ":") {
			s.args[k] = v
		} else if w == "require" || w == "skip" || w == "stable" {
			s.args[w] = ""
		} else {
			s.words = append(s.words, w)
		}
	}
	switch verb := words[0]; verb {
	case "config":
		s.config()
	case "auto":
		s.auto = s.word(0) == "on"
	case "time":
		s.advance(s.duration(s.word(0)))
	case "done":
		s.done()
	case "reload":
		s.reload()
	case "replay":
		s.replay()
	case "resign":
		s.step(Resign{})
	case "expire":
		s.step(Expire{})
	case "deleted":
		s.step(PartitionsDeleted{Topics: s.partitions(0)})
	default:
		s.step(s.request(verb))
	}
}

func (s *teller) request(verb string) Event {
	n, err := strconv.Atoi(strings.TrimPrefix(s.word(0), "#"))
	if err != nil {
		s.t.Fatalf("%s: %v", verb, err)
	}
	t, name, member := Ticket(n), s.word(1), s.args["member"]
	if name == `""` {
		name = ""
	}
	switch verb {
	case "join":
		_, require := s.args["require"]
		_, skip := s.args["skip"]
		return Join{
			Ticket: t, Group: name, Member: member, Instance: s.opt("instance"),
			RequireMemberID: require, SkipAssignment: skip,
			ClientID: s.or("client", "c"), ClientHost: "/10.0.0.1",
			Rebalance: s.duration(s.or("rebalance", "60s")), Session: s.duration(s.or("session", "10s")),
			ProtocolType: s.or("type", "consumer"), Protocols: s.protocols(), UUID: "u" + strconv.Itoa(n), Reason: s.args["reason"],
		}
	case "sync":
		e := Sync{Ticket: t, Group: name, Member: member, Instance: s.opt("instance"), Generation: s.gen(), ProtocolType: s.opt("type"), ProtocolName: s.opt("protocol")}
		for _, a := range s.list("assign") {
			id, data, _ := strings.Cut(a, ":")
			e.Assignments = append(e.Assignments, Assignment{id, []byte(data)})
		}
		return e
	case "heartbeat":
		return Heartbeat{t, name, member, s.opt("instance"), s.gen()}
	case "leave":
		e := Leave{Ticket: t, Group: name}
		for _, id := range s.list("members") {
			id, instance, static := strings.Cut(id, "/")
			l := LeavingMember{Member: id}
			if static {
				l.Instance = &instance
			}
			e.Members = append(e.Members, l)
		}
		return e
	case "commit":
		retention, err := strconv.ParseInt(s.or("retention", "-1"), 10, 64)
		if err != nil {
			s.t.Fatal(err)
		}
		return Commit{Ticket: t, Group: name, Member: member, Instance: s.opt("instance"), Generation: s.gen(), RetentionMs: retention, Topics: s.offsets(2)}
	case "txn-commit":
		return TxnCommit{Ticket: t, Group: name, Member: member, Generation: s.gen(), ProducerID: s.producer(), ProducerEpoch: 1, Topics: s.offsets(2)}
	case "marker":
		commit := s.word(1) == "commit"
		s.log = append(s.log, storyRecord{at: int64(len(s.log)), producer: s.producer(), marker: true, commit: commit})
		return TxnEnd{Ticket: t, ProducerID: s.producer(), Commit: commit}
	case "fetch":
		_, stable := s.args["stable"]
		return Fetch{Ticket: t, Group: name, RequireStable: stable, Topics: s.partitions(2)}
	case "delete-offsets":
		return DeleteOffsets{Ticket: t, Group: name, Topics: s.partitions(2)}
	case "describe":
		return Describe{t, name}
	case "list":
		return List{t, s.list("states"), s.list("types")}
	case "delete":
		return Delete{t, name}
	}
	s.t.Fatalf("unknown verb %q", verb)
	return nil
}

func (s *teller) word(i int) string {
	if i < len(s.words) {
		return s.words[i]
	}
	return ""
}

func (s *teller) or(key, otherwise string) string {
	if v, ok := s.args[key]; ok {
		return v
	}
	return otherwise
}

func (s *teller) opt(key string) *string {
	if v, ok := s.args[key]; ok {
		return &v
	}
	return nil
}

func (s *teller) list(key string) []string {
	if v := s.args[key]; v != "" {
		return strings.Split(v, ",")
	}
	return nil
}

func (s *teller) duration(text string) time.Duration {
	d, err := time.ParseDuration(text)
	if err != nil {
		s.t.Fatal(err)
	}
	return d
}

func (s *teller) gen() int32 {
	n, err := strconv.ParseInt(s.or("gen", "-1"), 10, 32)
	if err != nil {
		s.t.Fatal(err)
	}
	return int32(n)
}

func (s *teller) producer() int64 {
	n, err := strconv.ParseInt(s.or("producer", "-1"), 10, 64)
	if err != nil {
		s.t.Fatal(err)
	}
	return n
}

// protocols reads name:metadata,…; metadata of the form topics=a+b cannot be
// given here, a consumer subscription is written @a+b.
func (s *teller) protocols() []Protocol {
	var out []Protocol
	for p := range strings.SplitSeq(s.or("protocols", "range:x"), ",") {
		if p == "" {
			continue
		}
		name, data, _ := strings.Cut(p, ":")
		if topics, ok := strings.CutPrefix(data, "@"); ok {
			data = string(subscription(strings.Split(topics, "+")...))
		}
		out = append(out, Protocol{name, []byte(data)})
	}
	return out
}

func subscription(topics ...string) []byte {
	b := []byte{0, 1, 0, 0, 0, byte(len(topics))}
	for _, t := range topics {
		b = append(append(b, 0, byte(len(t))), t...)
	}
	return append(b, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0)
}

// partitions reads topic:partition words.
func (s *teller) partitions(from int) []TopicPartitions {
	var out []TopicPartitions
	for _, t := range s.offsets(from) {
		tp := TopicPartitions{Topic: t.Topic}
		for _, p := range t.Partitions {
			tp.Partitions = append(tp.Partitions, p.Partition)
		}
		out = append(out, tp)
	}
	return out
}

// offsets reads topic:partition=offset[/metadata] words.
func (s *teller) offsets(from int) []CommitTopic {
	var out []CommitTopic
	for _, w := range s.words[min(from, len(s.words)):] {
		key, value, _ := strings.Cut(w, "=")
		topic, partition, _ := strings.Cut(key, ":")
		number, metadata, _ := strings.Cut(value, "/")
		p, _ := strconv.Atoi(partition)
		n, _ := strconv.ParseInt(number, 10, 64)
		if len(out) == 0 || out[len(out)-1].Topic != topic {
			out = append(out, CommitTopic{Topic: topic})
		}
		t := &out[len(out)-1]
		t.Partitions = append(t.Partitions, CommitPartition{int32(p), n, -1, metadata, -1})
	}
	return out
}

func (s *teller) config() {
	for k, v := range s.args {
		n, _ := strconv.Atoi(v)
		switch k {
		case "delay":
			s.cfg.InitialDelay = s.duration(v)
		case "max-size":
			s.cfg.MaxSize = n
		case "max-metadata":
			s.cfg.MaxMetadata = n
		case "retention":
			s.cfg.Retention = s.duration(v)
		default:
			s.t.Fatalf("unknown config %q", k)
		}
	}
	s.m.cfg = s.cfg
}

// advance moves the clock, stopping at every wake on the way.
func (s *teller) advance(d time.Duration) {
	end := s.now.Add(d)
	for {
		name, at := "", end
		for g, w := range s.wakes {
			if w.Before(at) || w.Equal(at) && (name == "" || g < name) {
				name, at = g, w
			}
		}
		if name == "" {
			break
		}
		s.now = at
		delete(s.wakes, name)
		before := s.out.Len()
		s.step(Tick{name})
		if s.out.Len() > before {
			text := s.out.String()[before:]
			s.out.Truncate(before)
			fmt.Fprintf(&s.out, "%s\n%s", s.clock(at.UnixMilli()), text)
		}
	}
	s.now = end
}

func (s *teller) clock(ms int64) string {
	if ms == -1 {
		return "@never"
	}
	return "@" + time.UnixMilli(ms).Sub(storyStart).String()
}

// done ends the oldest write under way, or the newest.
func (s *teller) done() {
	ids := slices.Sorted(maps.Keys(s.open))
	if len(ids) == 0 {
		s.out.WriteString("no write is under way\n")
		return
	}
	id := ids[0]
	if s.word(0) == "newest" {
		id = ids[len(ids)-1]
	}
	code := wire.CodeNone
	if name, ok := s.args["code"]; ok {
		for code = -1; code.Name() != name; code++ {
			if code > 130 {
				s.t.Fatalf("unknown code %q", name)
			}
		}
	}
	s.finish(id, code)
}

func (s *teller) finish(id uint64, code wire.Code) {
	w := s.open[id]
	delete(s.open, id)
	base := int64(len(s.log))
	if inLog(code) {
		for _, r := range w.Records {
			s.log = append(s.log, storyRecord{at: base, producer: w.ProducerID, Record: r})
		}
	}
	s.step(WriteDone{ID: id, Base: base, Code: code})
}

// reload replays the log into a new machine, as a broker does that becomes
// leader.
func (s *teller) reload() {
	s.reset()
	for _, r := range s.log {
		if r.marker {
			s.m.ReplayMarker(r.producer, r.commit)
		} else if err := s.m.Replay(r.at, r.producer, r.Key, r.Value); err != nil {
			fmt.Fprintf(&s.out, "skipped %v\n", err)
		}
	}
	s.step(Loaded{})
}

// replay adds a raw record to the log.
func (s *teller) replay() {
	var b [2][]byte
	for i := range b {
		text, err := strconv.Unquote(s.word(i))
		if err != nil && s.word(i) != "null" {
			s.t.Fatalf("%s: %v", s.word(i), err)
		}
		if err == nil {
			b[i] = []byte(text)
		}
	}
	s.log = append(s.log, storyRecord{at: int64(len(s.log)), producer: s.producer(), Record: Record{b[0], b[1]}})
}

func (s *teller) step(e Event) {
	fx := s.m.Step(s.now, e)
	for _, n := range fx.Notes {
		fmt.Fprintf(&s.out, "note   %s: %s\n", n.Group, n.Text)
	}
	for _, r := range fx.Replies {
		fmt.Fprintf(&s.out, "reply  #%d %s\n", r.Ticket, s.body(r.Body))
	}
	for _, w := range fx.Wakes {
		s.wakes[w.Group] = w.At
	}
	var ids []uint64
	for _, w := range fx.Writes {
		s.open[w.ID] = w
		ids = append(ids, w.ID)
		fmt.Fprintf(&s.out, "write  %d sequence=%d producer=%d\n", w.ID, w.BaseSequence, w.ProducerID)
		for _, r := range w.Records {
			fmt.Fprintf(&s.out, "       %s\n", s.record(r))
		}
	}
	if s.auto {
		for _, id := range ids {
			s.finish(id, wire.CodeNone)
		}
	}
}
