package replica

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"

	"github.com/gregor-mq/gregor/wire"
)

// brain is a controller whose answers a test gives, one by one.
type brain struct{ calls chan asked }

type asked struct {
	*wire.AlterPartitionRequest
	answer chan<- func(*wire.AlterPartitionRequest) (*wire.AlterPartitionResponse, error)
}

func newBrain() *brain { return &brain{calls: make(chan asked)} }

func (b *brain) AlterPartition(ctx context.Context, req *wire.AlterPartitionRequest) (*wire.AlterPartitionResponse, error) {
	answer := make(chan func(*wire.AlterPartitionRequest) (*wire.AlterPartitionResponse, error))
	select {
	case b.calls <- asked{req, answer}:
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	select {
	case f := <-answer:
		return f(req)
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// asks returns what the controller is asked now.
func (s *stand) asks() asked {
	s.t.Helper()
	synctest.Wait()
	select {
	case a := <-s.brain.calls:
		return a
	default:
		s.t.Fatal("the controller is not asked")
		return asked{}
	}
}

// asksNothing wants that the controller is not asked.
func (s *stand) asksNothing() {
	s.t.Helper()
	synctest.Wait()
	select {
	case a := <-s.brain.calls:
		s.t.Errorf("the controller is asked %s", a)
	default:
	}
}

func (a asked) String() string {
	out := fmt.Sprintf("broker-epoch=%d", a.BrokerEpoch)
	for _, t := range a.Topics {
		for _, p := range t.Partitions {
			var isr []int32
			for _, b := range p.NewIsrWithEpochs {
				isr = append(isr, b.BrokerID)
			}
			out += fmt.Sprintf(" %s-%d epoch=%d v=%d isr=%v", t.TopicName, p.PartitionIndex, p.LeaderEpoch, p.PartitionEpoch, isr)
		}
	}
	return out
}

// grant answers as the controller that carried all out.
func (a asked) grant() { a.say(wire.CodeNone) }

// say answers with a code for each partition.
func (a asked) say(code wire.Code) {
	a.answer <- func(req *wire.AlterPartitionRequest) (*wire.AlterPartitionResponse, error) {
		resp := &wire.AlterPartitionResponse{}
		for _, t := range req.Topics {
			out := wire.AlterPartitionResponseTopicData{TopicID: t.TopicID}
			for _, p := range t.Partitions {
				var isr []int32
				for _, b := range p.NewIsrWithEpochs {
					isr = append(isr, b.BrokerID)
				}
				out.Partitions = append(out.Partitions, wire.AlterPartitionResponsePartitionData{PartitionIndex: p.PartitionIndex, ErrorCode: code,
					LeaderID: me, LeaderEpoch: p.LeaderEpoch, Isr: isr, PartitionEpoch: p.PartitionEpoch + 1})
			}
			resp.Topics = append(resp.Topics, out)
		}
		return resp, nil
	}
	synctest.Wait()
}

// refuse answers the request as a whole.
func (a asked) refuse(code wire.Code, err error) {
	a.answer <- func(*wire.AlterPartitionRequest) (*wire.AlterPartitionResponse, error) {
		if err != nil {
			return nil, err
		}
		return &wire.AlterPartitionResponse{ErrorCode: code}, nil
	}
	synctest.Wait()
}

// started is a stand whose periodic work runs.
func started(t *testing.T) *stand {
	t.Helper()
	s := loaded(t)
	s.Manager.Start(t.Context())
	t.Cleanup(func() {
		if err := s.Stop(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// replicated makes this broker lead t-0 to t-(n-1), with replicas and an ISR.
func (s *stand) replicated(n int, replicas, isr []int32) {
	s.t.Helper()
	s.live(replicas...)
	s.epoch++
	var states []wire.LeaderAndIsrRequestPartitionState
	for i := range n {
		st := state("t", int32(i), s.epoch)
		st.Replicas, st.Isr = replicas, isr
		states = append(states, st)
	}
	for _, code := range s.tell(topicID(1), states...) {
		if code != wire.CodeNone {
			s.t.Fatal(code)
		}
	}
}

// live makes the metadata name brokers.
func (s *stand) live(brokers ...int32) {
	s.t.Helper()
	req := wire.NewUpdateMetadataRequest()
	for _, id := range brokers {
		req.LiveBrokers = append(req.LiveBrokers, wire.UpdateMetadataRequestBroker{ID: id})
	}
	if _, err := s.cache.Apply(req); err != nil {
		s.t.Fatal(err)
	}
}

// fetchBy is a follower's fetch that does not wait.
func (s *stand) fetchBy(broker int32, parts ...FetchPartition) string {
	s.t.Helper()
	req := plain(parts...)
	req.ReplicaID, req.MaxWait = broker, 0
	return show(s.now(req))
}

func (s *stand) isr(index int32) string {
	p := s.lookup("t", index)
	p.mu.RLock()
	defer p.mu.RUnlock()
	return fmt.Sprint(p.mu.isr, " v=", p.mu.partitionEpoch)
}

// acked tells what became of appends.
func acked(a *answers) string {
	out := ""
	for _, r := range a.take() {
		if r.Err != nil {
			out += fmt.Sprintf("%d %s;", r.BaseOffset, brief(r.Err))
		} else {
			out += fmt.Sprintf("%d;", r.BaseOffset)
		}
	}
	return out
}

// lost loses the answer.
func (a asked) lost() string {
	a.refuse(0, errors.New("connection reset"))
	return a.String()
}
