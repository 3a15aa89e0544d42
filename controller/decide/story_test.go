package decide

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gregor-mq/gregor/test/story"
	"github.com/gregor-mq/gregor/wire"
	"github.com/gregor-mq/gregor/zk"
	"github.com/gregor-mq/gregor/znode"
)

// TestStories runs the files in testdata. See world.command for the language.
func TestStories(t *testing.T) {
	story.Files(t, retell)
}

func retell(t *testing.T, text string) string {
	w := &world{t: t, nodes: map[string]*node{}, watches: map[string]bool{}, now: time.UnixMilli(1_700_000_000_000)}
	return story.Blocks(text, func(commands []string) string {
		for _, c := range commands {
			w.command(strings.Fields(c))
		}
		return w.take()
	})
}

type node struct {
	data    []byte
	version int32
	czxid   int64
}

type fault struct {
	path string
	err  zk.Err
	// moved makes the fence refuse.
	moved bool
	// done lets the operation happen before the error, as a lost reply does.
	done bool
	// writes spares what only reads.
	writes bool
}

// world is a controller with the ZooKeeper it talks to.
type world struct {
	t       *testing.T
	s       *State
	nodes   map[string]*node
	watches map[string]bool // "d /path" data or existence, "c /path" children
	zxid    int64
	now     time.Time
	queue   []Event
	faults  []fault
	ids     byte
	quiet   bool
	out     bytes.Buffer
	hold    bool
	pending []Op
}

func (w *world) take() string {
	s := w.out.String()
	w.out.Reset()
	if s == "" {
		return "nothing\n"
	}
	return s
}

func (w *world) printf(format string, args ...any) {
	if !w.quiet {
		fmt.Fprintf(&w.out, format+"\n", args...)
	}
}

func (w *world) command(f []string) {
	if len(f) == 0 {
		return
	}
	switch args := f[1:]; f[0] {
	case "controller":
		w.controller(args)
	case "quiet":
		w.quiet = args[0] == "on"
	case "put":
		w.put(args[0], []byte(strings.Join(args[1:], " ")))
		w.drain()
	case "rm":
		w.remove(args[0])
		w.drain()
	case "broker":
		w.broker(args)
		w.drain()
	case "topic":
		w.topic(args)
		w.drain()
	case "fail":
		w.faults = append(w.faults, parseFault(w.t, args))
	case "hold":
		w.hold = true
	case "release":
		w.hold = false
		ops := w.pending
		w.pending = nil
		w.step(ZnodesDone{w.perform(ops)})
		w.drain()
	case "show":
		w.show()
	case "advance":
		d, err := time.ParseDuration(args[0])
		w.must(err)
		w.now = w.now.Add(d)
	default:
		w.queue = append(w.queue, w.event(f[0], args))
		w.drain()
	}
}

func (w *world) must(err error) {
	if err != nil {
		w.t.Helper()
		w.t.Fatal(err)
	}
}

func (w *world) controller(args []string) {
	cfg := Config{
		BrokerID: 1, DeleteTopics: true, AutoBalance: false, BalanceInterval: 300 * time.Second, BalancePercent: 10,
		FeatureVersion: 2, LeaderRecovery: true,
		NewTopicID: func() TopicID { w.ids++; return TopicID{0xff, w.ids} },
	}
	for _, a := range args {
		switch k, v, _ := strings.Cut(a, "="); k {
		case "id":
			cfg.BrokerID = atoi(w.t, v)
		case "unclean":
			cfg.UncleanElection = true
		case "no-delete":
			cfg.DeleteTopics = false
		case "balance":
			cfg.AutoBalance = true
		case "changes":
			cfg.Changed = func(c Change) {
				who := fmt.Sprintf("%s-%d", c.Topic, c.Partition)
				if c.Replica >= 0 {
					who += fmt.Sprint(" on ", c.Replica)
				}
				w.printf("change %s from %s to %s, leader %d, isr %v", who, c.From, c.To, c.Leader, c.ISR)
			}
		case "features":
			cfg.FeatureVersion = int(atoi(w.t, v))
		default:
			w.t.Fatalf("controller: %q", a)
		}
	}
	w.s = New(cfg)
	for _, p := range []string{"/brokers/ids", "/brokers/topics", "/admin/delete_topics", "/isr_change_notification",
		"/log_dir_event_notification", "/latest_producer_id_block", "/config/topics"} {
		if w.nodes[p] == nil {
			w.nodes[p] = &node{}
		}
	}
}

// broker registers broker N, or takes it away: "broker 2", "broker 2 gone".
func (w *world) broker(args []string) {
	path := "/brokers/ids/" + args[0]
	if len(args) > 1 && args[1] == "gone" {
		w.remove(path)
		return
	}
	port := 9090 + atoi(w.t, args[0])
	if len(args) > 1 {
		port = atoi(w.t, args[1])
	}
	w.put(path, fmt.Appendf(nil, `{"features":{},"listener_security_protocol_map":{"PLAINTEXT":"PLAINTEXT"},`+
		`"endpoints":["PLAINTEXT://h%s:%d"],"jmx_port":-1,"port":%d,"host":"h%s","version":5,"timestamp":"1"}`, args[0], port, port, args[0]))
}

// topic writes a topic's node: "topic t 0=1,2 1=2,1"; with "noid" as an old
// tool would.
func (w *world) topic(args []string) {
	n := znode.Topic{ID: TopicID{1}, Partitions: map[int32]znode.Replicas{}}
	copy(n.ID[1:], args[0])
	legacy := false
	for _, a := range args[1:] {
		if a == "noid" {
			legacy = true
			continue
		}
		id, list, _ := strings.Cut(a, "=")
		n.Partitions[atoi(w.t, id)] = znode.Replicas{Replicas: ints(w.t, list)}
	}
	data := n.Encode()
	if legacy {
		data = []byte(`{"version":1,"partitions":{"0":[1,2]}}`)
	}
	w.put("/brokers/topics/"+args[0], data)
}

func parseFault(t *testing.T, args []string) fault {
	f := fault{path: args[0]}
	for _, a := range args[1:] {
		switch a {
		case "moved":
			f.moved = true
		case "done":
			f.done = true
		case "writes":
			f.writes = true
		case "BadVersion":
			f.err = zk.ErrBadVersion
		case "NoNode":
			f.err = zk.ErrNoNode
		case "NodeExists":
			f.err = zk.ErrNodeExists
		case "NoAuth":
			f.err = zk.ErrNoAuth
		case "SessionExpired":
			f.err = zk.ErrSessionExpired
		default:
			t.Fatalf("fail: %q", a)
		}
	}
	return f
}

func atoi(t *testing.T, s string) int32 {
	t.Helper()
	n, err := strconv.ParseInt(s, 10, 32)
	if err != nil {
		t.Fatal(err)
	}
	return int32(n)
}

func ints(t *testing.T, s string) []int32 {
	t.Helper()
	var out []int32
	for p := range strings.SplitSeq(s, ",") {
		if p != "" {
			out = append(out, atoi(t, p))
		}
	}
	return out
}

func tps(t *testing.T, s string) []TopicPartition {
	t.Helper()
	var out []TopicPartition
	for p := range strings.SplitSeq(s, ",") {
		out = append(out, tp(t, p))
	}
	return out
}

func tp(t *testing.T, s string) TopicPartition {
	t.Helper()
	i := strings.LastIndex(s, "-")
	if i < 0 {
		t.Fatalf("%q is no topic-partition", s)
	}
	return TopicPartition{s[:i], atoi(t, s[i+1:])}
}

// event reads an event as the stories write it.
func (w *world) event(name string, args []string) Event {
	arg := func(key string) string {
		for _, a := range args {
			if v, ok := strings.CutPrefix(a, key+"="); ok {
				return v
			}
		}
		return ""
	}
	epoch := func(id string) int64 {
		if e := arg("broker-epoch"); e != "" {
			return int64(atoi(w.t, e))
		}
		if n := w.nodes["/brokers/ids/"+id]; n != nil {
			return n.czxid
		}
		return 0
	}
	channel := func() Channel {
		return Channel{atoi(w.t, args[0]), epoch(args[0]), atoi(w.t, cmp.Or(arg("controller-epoch"), fmt.Sprint(w.s.Epoch())))}
	}
	switch name {
	case "startup":
		return Startup{}
	case "reelect":
		return Reelect{}
	case "expire":
		return Expire{}
	case "shutdown":
		return Shutdown{}
	case "auto-balance":
		return AutoBalance{}
	case "unclean-default":
		return UncleanDefault{Enabled: args[0] == "on"}
	case "unclean-topic":
		return UncleanTopic{Topic: args[0]}
	case "controlled-shutdown":
		return ControlledShutdown{Tag: 7, Broker: atoi(w.t, args[0]), BrokerEpoch: epoch(args[0])}
	case "producer-ids":
		return AllocateProducerIDs{Tag: 8, Broker: atoi(w.t, args[0]), BrokerEpoch: epoch(args[0])}
	case "elect":
		ev := ElectLeaders{Tag: 9}
		if args[0] == "unclean" {
			ev.Type = UncleanElection
		}
		if p := arg("of"); p != "" {
			ev.Partitions = tps(w.t, p)
		} else {
			ev.Partitions = names(w.s.partitions(nil))
		}
		return ev
	case "alter-partition":
		return w.alterPartition(args, arg, epoch)
	case "reassign":
		ev := AlterReassignments{Tag: 11}
		for _, a := range args {
			p, target, _ := strings.Cut(a, "=")
			r := Reassignment{TopicPartition: tp(w.t, p)}
			if target != "cancel" {
				r.Target = append([]int32{}, ints(w.t, target)...)
			}
			ev.Items = append(ev.Items, r)
		}
		return ev
	case "list-reassignments":
		return ListReassignments{Tag: 12}
	case "update-feature":
		return UpdateFeatures{Tag: 13, Items: []FeatureUpdate{{args[0], int16(atoi(w.t, args[1])), int8(atoi(w.t, args[2]))}}}
	case "lisr-reply":
		return LeaderAndISRDone{Channel: channel(), Err: wire.Code(atoi(w.t, "0"+arg("err"))), Partitions: w.codes(args[1:])}
	case "metadata-reply":
		return UpdateMetadataDone{Channel: channel(), Err: wire.Code(atoi(w.t, "0"+arg("err")))}
	case "stop-reply":
		return StopReplicaDone{Channel: channel(), Err: wire.Code(atoi(w.t, "0"+arg("err"))), Partitions: w.codes(args[1:])}
	}
	w.t.Fatalf("no command %q", name)
	return nil
}

func (w *world) codes(args []string) []PartitionCode {
	var out []PartitionCode
	for _, a := range args {
		p, code, _ := strings.Cut(a, "=")
		if p != "err" && !strings.HasSuffix(p, "-epoch") {
			out = append(out, PartitionCode{tp(w.t, p), wire.Code(atoi(w.t, code))})
		}
	}
	return out
}

func (w *world) alterPartition(args []string, arg func(string) string, epoch func(string) int64) Event {
	ev := AlterPartition{Tag: 10, Broker: atoi(w.t, args[0]), BrokerEpoch: epoch(args[0]), Version: 3}
	if v := arg("version"); v != "" {
		ev.Version = int16(atoi(w.t, v))
	}
	p := tp(w.t, args[1])
	item := ISRProposal{
		Topic: p.Topic, Partition: p.Partition, ISR: ints(w.t, arg("isr")),
		LeaderEpoch: atoi(w.t, arg("epoch")), PartitionEpoch: atoi(w.t, arg("v")), Recovering: slices.Contains(args, "recovering"),
	}
	if t := w.s.topics[p.Topic]; t != nil {
		item.TopicID = t.id
	}
	ev.Items = append(ev.Items, item)
	return ev
}
