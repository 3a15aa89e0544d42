//go:build interop

package oracle

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/gregor-mq/gregor/interop/peer"
	"github.com/gregor-mq/gregor/wire"
)

// patience is how long an answer may take before it counts as none.
const patience = 8 * time.Second

// settling is how long a script waits for a state that answers do not wait for.
const settling = 30 * time.Second

// side is one broker, or one cluster, in one case, and what it answered.
type side struct {
	*names
	broker *peer.Broker   // whom the script talks to
	all    []*peer.Broker // in the order of their ids
	epochs *epochs        // of a cluster
	conn   *peer.Conn
	prefix string // of the names of topics and groups of this case
	steps  []step
	extra  []*peer.Conn
}

// step is one request, or one remark of the script, with its outcome.
type step struct {
	label string
	lines []string
}

// broken ends a script early; what it says becomes part of the transcript.
type broken struct{ err error }

// newSide begins a case with the first of the brokers.
func newSide(prefix string, brokers ...*peer.Broker) *side {
	s := &side{broker: brokers[0], all: brokers, prefix: prefix,
		names: &names{ports: map[string]string{}, known: map[string]string{}, count: map[string]int{}}}
	pairs := []string{brokers[0].ZooKeeper, "<zookeeper>"}
	for i, b := range brokers {
		of := ""
		if len(brokers) > 1 {
			of = fmt.Sprint(" ", i)
		}
		_, port, _ := net.SplitHostPort(b.Addr)
		s.ports[port] = "<port" + of + ">"
		for j, dir := range b.LogDirs {
			name := "<log dir" + of + ">"
			if j > 0 {
				name = fmt.Sprintf("<log dir%s/%d>", of, j)
			}
			pairs = append(pairs, dir, name)
		}
		pairs = append(pairs, b.Addr, "<address"+of+">", ":"+port, ":<port"+of+">")
	}
	s.replace = strings.NewReplacer(pairs...)
	return s
}

// to makes the script talk to another broker of the cluster.
func (s *side) to(broker int) {
	s.drop()
	s.broker = s.all[broker]
}

// play runs a script and returns its transcript.
func (s *side) play(script func(*side)) (steps []step) {
	defer func() {
		s.drop()
		for _, c := range s.extra {
			c.Close()
		}
		if r := recover(); r != nil {
			b, ok := r.(broken)
			if !ok {
				panic(r)
			}
			s.note("the script ends here", b.err.Error())
		}
		steps = s.steps
	}()
	script(s)
	return nil
}

func (s *side) note(label string, lines ...string) { s.steps = append(s.steps, step{label, lines}) }

func (s *side) must(err error) {
	if err != nil {
		panic(broken{err})
	}
}

func (s *side) dial() *peer.Conn {
	if s.conn == nil {
		c, err := peer.Dial(s.broker.Addr)
		s.must(err)
		s.conn = c
	}
	return s.conn
}

func (s *side) drop() {
	if s.conn != nil {
		s.conn.Close()
		s.conn = nil
	}
}

// call sends a request and writes its answer down. It returns nil when there
// was none.
func (s *side) call(req wire.Body, version int16) wire.Body {
	return s.callKeeping(req, version, nil)
}

// callKeeping is call with a cut: keep removes from the answer what other
// cases put there.
func (s *side) callKeeping(req wire.Body, version int16, keep func(wire.Body)) wire.Body {
	resp, outcome := s.exchange(req, version)
	if resp != nil && keep != nil {
		keep(resp)
	}
	if resp != nil {
		outcome = s.flatten(resp)
	}
	s.note(fmt.Sprintf("%v v%d %s", req.Key(), version, s.brief(req)), outcome...)
	return resp
}

// quiet is a request that is only needed to get somewhere. Any failure to
// answer ends the script.
func (s *side) quiet(req wire.Body, version int16) wire.Body {
	resp, outcome := s.exchange(req, version)
	if resp == nil {
		s.must(fmt.Errorf("%v v%d: %s", req.Key(), version, strings.Join(outcome, ", ")))
	}
	return resp
}

func (s *side) exchange(req wire.Body, version int16) (wire.Body, []string) {
	c := s.dial()
	frame, err := c.Frame(req, version)
	s.must(err)
	if err := c.Send(frame); err != nil {
		return nil, s.failed(err)
	}
	return s.receive(req.Key(), version)
}

func (s *side) receive(key wire.Key, version int16) (wire.Body, []string) {
	c := s.dial()
	reply, err := c.Receive(patience)
	if err != nil {
		return nil, s.failed(err)
	}
	resp, err := c.Decode(reply, key, version)
	if err != nil {
		return nil, []string{"an answer that is none: " + err.Error(), fmt.Sprintf("%.400x", reply)}
	}
	return resp, nil
}

func (s *side) failed(err error) []string {
	s.drop()
	var timeout net.Error
	switch {
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return []string{"connection closed"}
	case errors.As(err, &timeout) && timeout.Timeout():
		return []string{"no answer"}
	}
	return []string{err.Error()}
}

// raw sends a frame as it is. An answer that is one to that API is written
// down field by field, any other in hexadecimal.
func (s *side) raw(label string, key wire.Key, version int16, frame []byte) {
	c := s.dial()
	if err := c.Send(frame); err != nil {
		s.note(label, s.failed(err)...)
		return
	}
	reply, err := c.Receive(patience)
	if err != nil {
		s.note(label, s.failed(err)...)
		return
	}
	_, body, err := wire.DecodeResponseHeader(reply, key, version)
	resp := wire.NewResponse(key)
	if err != nil || resp == nil || resp.Decode(body, version) != nil {
		s.note(label, fmt.Sprintf("%x", reply))
		return
	}
	s.onlyMine(resp)
	s.note(label, append([]string{fmt.Sprintf("header %x", reply[:len(reply)-len(body)])}, s.flatten(resp)...)...)
}

// rawBytes is raw without the size that frames begin with.
func (s *side) rawBytes(label string, b []byte) {
	c := s.dial()
	if _, err := c.Write(b); err != nil {
		s.note(label, s.failed(err)...)
		return
	}
	reply, err := c.Receive(patience)
	if err != nil {
		s.note(label, s.failed(err)...)
		return
	}
	s.note(label, fmt.Sprintf("%x", reply))
}

// unanswered sends a request that gets no reply, and asks for something else
// to see that nothing came before.
func (s *side) unanswered(req wire.Body, version int16) {
	label := fmt.Sprintf("%v v%d %s", req.Key(), version, s.brief(req))
	c := s.dial()
	frame, err := c.Frame(req, version)
	s.must(err)
	if err := c.Send(frame); err != nil {
		s.note(label, s.failed(err)...)
		return
	}
	next, err := c.Frame(wire.NewApiVersionsRequest(), 0)
	s.must(err)
	if err := c.Send(next); err != nil {
		s.note(label, s.failed(err)...)
		return
	}
	if _, outcome := s.receive(wire.KeyApiVersions, 0); outcome != nil {
		s.note(label, outcome...)
		return
	}
	s.note(label, "no answer of its own")
}

// brief shows the fields of a request that are unusual.
func (s *side) brief(req wire.Body) string {
	n := &names{replace: s.replace, ports: s.ports, known: maps.Clone(s.known), count: maps.Clone(s.count)}
	usual := n.flatten(wire.NewRequest(req.Key()))
	lines := slices.DeleteFunc(n.flatten(req), func(l string) bool {
		for _, end := range []string{" = null", ` = ""`, " = none", "Epoch = -1", "LogStartOffset = -1"} {
			if strings.HasSuffix(l, end) {
				return true
			}
		}
		return slices.Contains(usual, l)
	})
	text := strings.Join(lines, "; ")
	if len(text) > 600 {
		text = text[:600] + "..."
	}
	return "{" + text + "}"
}

// topic creates a topic of this case and waits until it has leaders.
func (s *side) topic(name string, partitions int32, configs ...string) string {
	full := s.name(name)
	req := wire.NewCreateTopicsRequest()
	t := wire.CreateTopicsRequestCreatableTopic{Name: full, NumPartitions: partitions, ReplicationFactor: 1,
		Assignments: []wire.CreateTopicsRequestCreatableReplicaAssignment{}, Configs: []wire.CreateTopicsRequestCreatableTopicConfig{}}
	for i := 0; i < len(configs); i += 2 {
		t.Configs = append(t.Configs, wire.CreateTopicsRequestCreatableTopicConfig{Name: configs[i], Value: &configs[i+1]})
	}
	req.Topics = append(req.Topics, t)
	s.eventually(func() error { // a namesake may be on its way out
		c := s.quiet(req, 7).(*wire.CreateTopicsResponse).Topics[0].ErrorCode
		if c != wire.CodeNone && c != wire.CodeTopicAlreadyExists {
			s.must(fmt.Errorf("create %s: %w", full, c))
		}
		if c != wire.CodeNone {
			return c
		}
		return nil
	})
	s.leaders(full, partitions)
	return full
}

// name returns the name of a topic or group of this case.
func (s *side) name(short string) string { return s.prefix + "." + short }

// leaders waits until that many partitions of a topic can be used.
func (s *side) leaders(topic string, partitions int32) {
	s.eventually(func() error {
		m := s.metadata(topic)
		if m.ErrorCode != wire.CodeNone {
			return m.ErrorCode
		}
		if len(m.Partitions) != int(partitions) {
			return fmt.Errorf("%d partitions", len(m.Partitions))
		}
		for _, p := range m.Partitions {
			if p.LeaderID < 0 {
				return errors.New("no leader of partition " + strconv.Itoa(int(p.PartitionIndex)))
			}
		}
		return nil
	})
}

func (s *side) metadata(topic string) wire.MetadataResponseTopic {
	req := wire.NewMetadataRequest()
	req.AllowAutoTopicCreation = false
	req.Topics = []wire.MetadataRequestTopic{{Name: &topic}}
	return s.quiet(req, 12).(*wire.MetadataResponse).Topics[0]
}

// eventually polls until check succeeds.
func (s *side) eventually(check func() error) {
	deadline := time.After(settling)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		err := check()
		if err == nil {
			return
		}
		select {
		case <-tick.C:
		case <-deadline:
			panic(broken{fmt.Errorf("in vain: %w", err)})
		}
	}
}

// id returns the id of a topic.
func (s *side) id(topic string) wire.UUID { return s.metadata(topic).TopicID }

// divergence is a line that one side wrote and the other did not.
type divergence struct {
	label string
	api   string // the first word of the label
	field string
	text  string
}

func diverging(label, text string) divergence {
	api, _, _ := strings.Cut(label, " ")
	field, _, _ := strings.Cut(text[2:], " = ")
	field, _, _ = strings.Cut(field, " record ")
	return divergence{label, api, field, text}
}

// differences compares two transcripts; there are none when they are equal.
func differences(want, got []step) []divergence {
	var out []divergence
	for i := range max(len(want), len(got)) {
		switch {
		case i >= len(got):
			out = append(out, diverging(want[i].label, "- asked"))
			continue
		case i >= len(want):
			out = append(out, diverging(got[i].label, "+ asked"))
			continue
		}
		w, g := want[i], got[i]
		lines := differentLines(w.lines, g.lines) // their order is that of the identities on both sides
		if w.label != g.label {
			lines = append(lines, "+ asked = "+g.label)
		}
		for _, l := range lines {
			out = append(out, diverging(w.label, l))
		}
	}
	return out
}

// differentLines returns what one side said more often than the other.
func differentLines(want, got []string) (out []string) {
	count := map[string]int{}
	for _, l := range want {
		count[l]++
	}
	for _, l := range got {
		count[l]--
	}
	show := func(sign string, lines []string, direction int) {
		for _, l := range lines {
			if count[l]*direction > 0 {
				out = append(out, sign+" "+l)
				count[l] -= direction
			}
		}
	}
	show("-", want, 1)
	show("+", got, -1)
	return out
}

// report shows differences below the requests they belong to.
func report(ds []divergence) string {
	const most = 80 // of one request
	var b strings.Builder
	label, n := "", 0
	for i, d := range ds {
		if i == 0 || d.label != label {
			label, n = d.label, 0
			fmt.Fprintln(&b, label)
		}
		if n++; n <= most {
			fmt.Fprintf(&b, "  %s\n", d.text)
		}
	}
	return b.String()
}
