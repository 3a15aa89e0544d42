package follow

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gregor-mq/gregor/config"
	"github.com/gregor-mq/gregor/internal/env"
	"github.com/gregor-mq/gregor/internal/env/memnet"
	"github.com/gregor-mq/gregor/internal/rpc"
	"github.com/gregor-mq/gregor/test/story"
	"github.com/gregor-mq/gregor/wire"
)

// TestStories runs the files in testdata: what leaders heard, replicas did and
// the log said. See teller.line for the language. Time is virtual, connections
// are real ones in memory.
func TestStories(t *testing.T) {
	story.Files(t, func(t *testing.T, text string) (told string) {
		synctest.Test(t, func(t *testing.T) { told = tell(t, text) })
		return told
	})
}

func tell(t *testing.T, text string) string {
	s := newTeller(t)
	defer s.end()
	return story.Lines(text, func(line string) string {
		s.line(line)
		synctest.Wait()
		lines := s.journal.take()
		if s.sorted {
			slices.Sort(lines)
		}
		var out strings.Builder
		for _, l := range lines {
			fmt.Fprintln(&out, l)
		}
		return out.String()
	})
}

// teller is a broker's fetchers, its local logs and the brokers around it.
type teller struct {
	t        *testing.T
	env      env.Env
	cfg      Config
	quota    *quota
	fetchers *Fetchers
	journal  *journal
	locals   map[Partition]*local
	leaders  map[int32]*leader
	at       sync.Map // addresses by broker
	sorted   bool
	words    []string
	args     map[string]string
}

func newTeller(t *testing.T) *teller {
	s := &teller{t: t, env: env.Real(), journal: &journal{}, quota: &quota{}, locals: map[Partition]*local{}, leaders: map[int32]*leader{}}
	s.env.Net = memnet.New()
	latest, err := config.ParseProtocolVersion("3.9")
	if err != nil {
		t.Fatal(err)
	}
	s.cfg = Config{
		BrokerID: 1, BrokerEpoch: func() int64 { return 77 }, Protocol: latest, Fetchers: 1,
		MaxWait: 500 * time.Millisecond, MinBytes: 1, MaxBytes: 10 << 20, PartitionBytes: 1 << 20, Backoff: time.Second,
		Address: func(broker int32) (string, error) {
			at, ok := s.at.Load(broker)
			if !ok {
				return "", fmt.Errorf("broker %d is not known", broker)
			}
			return at.(string), nil
		},
		Dial: func(address, clientID string) Peer {
			return rpc.New(t.Context(), rpc.Config{Address: address, ClientID: clientID}, s.env)
		},
		Throttle: s.quota, Settle: func() { s.journal.add("recovery points are written") },
	}
	return s
}

func (s *teller) end() {
	if s.fetchers != nil {
		s.fetchers.Stop()
	}
	for _, l := range s.leaders {
		l.close()
	}
	synctest.Wait()
}

// started returns the fetchers, which the first command that needs them starts.
func (s *teller) started() *Fetchers {
	if s.fetchers == nil {
		s.fetchers = New(s.cfg, s.env, slog.New(&logLines{journal: s.journal}))
		s.fetchers.Start(s.t.Context())
	}
	return s.fetchers
}

func (s *teller) line(line string) {
	words := strings.Fields(line)
	s.words, s.args = nil, map[string]string{}
	for _, w := range words[1:] {
		if k, v, ok := strings.Cut(w, "="); ok {
			s.args[k] = v
		} else {
			s.words = append(s.words, w)
		}
	}
	commands := map[string]func(){
		"protocol": s.protocol, "fetchers": func() { s.cfg.Fetchers = int(s.number(s.word(0))) }, "sorted": func() { s.sorted = true },
		"leader": s.leads, "local": s.local, "follow": s.follow, "unfollow": s.unfollow, "append": s.append,
		"wait": func() { time.Sleep(s.duration(s.word(0))) },
		"next": func() { l := s.leader(s.word(0)); l.change(func() { l.next = s.code(s.word(1)) }) },
		"refuse": func() {
			l := s.leader(s.word(0))
			l.change(func() { l.logs[s.name(s.word(1))].code = s.code(s.word(2)) })
		},
		"batch": func() { l := s.leader(s.word(0)); l.change(func() { l.batch = int(s.number(s.word(1))) }) },
		"fail":  s.fail, "revoke": func() { s.change(s.word(0), func(l *local) { l.revoked = true }) },
		"down": func() { s.leader(s.word(0)).close() }, "cut": func() { s.leader(s.word(0)).cut() }, "up": s.up,
		"no-session": func() { l := s.leader(s.word(0)); l.change(func() { l.noSession = true }) },
		"quota":      func() { s.quota.set(s.args["exceeded"] == "yes", s.args["limits"]) },
		"resize":     func() { s.started().Resize(int(s.number(s.word(0)))) },
		"stop":       func() { s.started().Stop() },
		"stats":      func() { s.journal.add("%+v", s.started().Stats()) },
		"recorded":   func() { s.journal.add("recorded %d bytes", s.quota.recorded()) },
	}
	f := commands[words[0]]
	if f == nil {
		s.t.Fatalf("no such command: %s", line)
	}
	f()
}

func (s *teller) word(i int) string {
	if i >= len(s.words) {
		s.t.Fatalf("word %d is missing behind %v", i, s.words)
	}
	return s.words[i]
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

func (s *teller) name(text string) Partition {
	topic, index, ok := strings.Cut(text, "-")
	if !ok {
		s.t.Fatalf("%q is no partition", text)
	}
	return Partition{topic, int32(s.number(index))}
}

func (s *teller) names(text string) (out []Partition) {
	for n := range strings.SplitSeq(text, ",") {
		out = append(out, s.name(n))
	}
	return out
}

func (s *teller) code(text string) wire.Code {
	for c := wire.Code(-1); c < 128; c++ {
		if c.Name() == text {
			return c
		}
	}
	s.t.Fatalf("no such error: %s", text)
	return 0
}

func (s *teller) broker(text string) int32 { return int32(s.number(strings.TrimPrefix(text, "b"))) }

// leader returns a broker, which its first mention starts.
func (s *teller) leader(text string) *leader {
	id := s.broker(text)
	if s.leaders[id] == nil {
		at := fmt.Sprintf("127.0.0.1:%d", 9000+id)
		s.leaders[id] = serve(s.t, text, at, s.env, s.journal)
		s.at.Store(id, at)
	}
	return s.leaders[id]
}

// up brings a broker back that went down, with what it leads, maybe elsewhere.
func (s *teller) up() {
	old := s.leader(s.word(0))
	id := s.broker(s.word(0))
	at := old.ln.Addr().String()
	if v := s.args["at"]; v != "" {
		at = v
	}
	l := serve(s.t, old.name, at, s.env, s.journal)
	l.change(func() { l.topics, l.logs = old.topics, old.logs })
	s.at.Store(id, at)
	s.leaders[id] = l
}

func (s *teller) protocol() {
	var err error
	if s.cfg.Protocol, err = config.ParseProtocolVersion(s.word(0)); err != nil {
		s.t.Fatal(err)
	}
}

// history reads start=, hw= and log=1*3,2*1: three records of epoch 1, one of 2.
func (s *teller) history() history {
	var h history
	if v := s.args["start"]; v != "" {
		h.start = s.number(v)
	}
	if v := s.args["log"]; v != "" {
		for run := range strings.SplitSeq(v, ",") {
			epoch, n, _ := strings.Cut(run, "*")
			for range s.number(n) {
				h.epochs = append(h.epochs, int32(s.number(epoch)))
			}
		}
	}
	h.high = h.end()
	if v := s.args["hw"]; v != "" {
		h.high = s.number(v)
	}
	return h
}

func (s *teller) id(topic string) wire.UUID {
	if v := s.args["id"]; v != "" && v != "none" {
		return wire.UUID{0: byte(s.number(v)), 1: topic[0]}
	}
	return wire.UUID{1: topic[0]}
}

// leads makes a broker lead partitions, as if it always had.
func (s *teller) leads() {
	l := s.leader(s.word(0))
	l.change(func() {
		for _, name := range s.names(s.word(1)) {
			l.logs[name] = &ledger{history: s.history(), epoch: int32(s.number(s.args["epoch"]))}
			l.topics[name.Topic] = s.id(name.Topic)
		}
	})
}

// append adds records to a leader's log: append b2 t-0 3*2 hw=5.
func (s *teller) append() {
	l := s.leader(s.word(0))
	l.change(func() {
		led := l.logs[s.name(s.word(1))]
		if len(s.words) > 2 {
			s.args["log"] = s.words[2]
			led.epochs = append(led.epochs, s.history().epochs...)
		}
		if v := s.args["hw"]; v != "" {
			led.high = s.number(v)
		}
		if v := s.args["start"]; v != "" {
			to := s.number(v)
			led.start, led.epochs = to, led.epochs[to-led.start:]
		}
	})
}

func (s *teller) local() {
	for _, name := range s.names(s.word(0)) {
		s.locals[name] = &local{journal: s.journal, name: name, log: s.history(), old: len(s.words) > 1 && s.words[1] == "old"}
	}
}

func (s *teller) change(name string, f func(*local)) {
	l := s.locals[s.name(name)]
	l.mu.Lock()
	defer l.mu.Unlock()
	f(l)
}

func (s *teller) fail() {
	s.change(s.word(0), func(l *local) {
		if v := s.args["after"]; v != "" {
			l.failIn = int(s.number(v))
		}
		switch s.word(1) {
		case "disk":
			l.fail = errDisk
		case "half":
			l.half = true
		case "retry":
			l.fail = fmt.Errorf("bad bytes: %w", ErrRetry)
		default:
			s.t.Fatalf("no such failure: %s", s.word(1))
		}
	})
}

// replica returns the local log as it is followed in a leader epoch: that of an
// older epoch is revoked.
func (s *teller) replica(name Partition, epoch string) *local {
	r := s.locals[name]
	if r == nil {
		r = &local{journal: s.journal, name: name}
		s.locals[name] = r
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.epoch != "" && r.epoch != epoch {
		r.revoked = true
		r = &local{journal: s.journal, name: name, log: r.log, old: r.old}
		s.locals[name] = r
	}
	r.epoch = epoch
	return r
}

func (s *teller) follow() {
	var list []Assignment
	for _, name := range s.names(s.word(0)) {
		r := s.replica(name, s.args["epoch"])
		a := Assignment{Partition: name, TopicID: s.id(name.Topic), Leader: s.broker(s.word(1)), LeaderEpoch: int32(s.number(s.args["epoch"])), Replica: r}
		if s.args["id"] == "none" {
			a.TopicID = wire.UUID{}
		}
		list = append(list, a)
	}
	s.started().Follow(list)
}

func (s *teller) unfollow() { s.started().Unfollow(s.names(s.word(0))) }

// quota is a Throttle.
type quota struct {
	mu struct {
		sync.Mutex
		exceeded bool
		limits   string
		bytes    int
	}
}

func (q *quota) set(exceeded bool, limits string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.mu.exceeded, q.mu.limits = exceeded, limits
}

// Exceeded implements Throttle.
func (q *quota) Exceeded(time.Time) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.mu.exceeded
}

// Throttled implements Throttle.
func (q *quota) Throttled(topic string, partition int32) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return slices.Contains(strings.Split(q.mu.limits, ","), Partition{topic, partition}.String())
}

// Record implements Throttle.
func (q *quota) Record(_ time.Time, bytes int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.mu.bytes += bytes
}

func (q *quota) recorded() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.mu.bytes
}

// logLines writes log lines into a journal, but for debug.
type logLines struct {
	journal *journal
	attrs   []slog.Attr
}

// Enabled implements slog.Handler.
func (*logLines) Enabled(_ context.Context, l slog.Level) bool { return l >= slog.LevelInfo }

// Handle implements slog.Handler.
func (h *logLines) Handle(_ context.Context, r slog.Record) error {
	out := fmt.Sprintf("%s %s", r.Level, r.Message)
	r.Attrs(func(a slog.Attr) bool {
		out += " " + a.String()
		return true
	})
	h.journal.add("%s", out)
	return nil
}

// WithAttrs implements slog.Handler.
func (h *logLines) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &logLines{journal: h.journal, attrs: append(h.attrs, attrs...)}
}

// WithGroup implements slog.Handler.
func (h *logLines) WithGroup(string) slog.Handler { return h }
