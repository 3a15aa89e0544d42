package sim

import (
	"context"
	"fmt"
	"time"

	"github.com/gregor-mq/gregor/internal/env"
	"github.com/gregor-mq/gregor/test/virtual"
	"github.com/gregor-mq/gregor/wire"
)

// mover moves the load's partitions: to other brokers, to other leaders, to
// other log directories. What becomes of a request it does not ask; in the end
// every replica must be whole, wherever it is.
type mover struct{ *client }

// run moves until ctx ends.
func (m *mover) run(ctx context.Context) {
	defer m.close()
	for ctx.Err() == nil {
		what, err := m.one(ctx)
		m.w.trace.Add("%s: %s: %v", m.name, what, err)
		if err != nil {
			m.again(ctx, err)
		}
		_ = env.Sleep(ctx, m.env.Clock, m.rng.Between(200*time.Millisecond, 3*time.Second)) // ends with ctx, as the loop does
	}
}

func (m *mover) one(ctx context.Context) (string, error) {
	p := int32(m.rng.N(int(m.w.setup.partitions)))
	switch m.rng.N(3) {
	case 0:
		return m.reassign(ctx, p)
	case 1:
		return m.elect(ctx, p)
	}
	return m.moveDir(ctx, p)
}

// reassign asks for other replicas, or the same in another order.
func (m *mover) reassign(ctx context.Context, p int32) (string, error) {
	var replicas []int32
	for _, id := range m.rng.Perm(len(m.w.brokers))[:m.w.setup.copies] {
		replicas = append(replicas, int32(id))
	}
	what := fmt.Sprintf("reassign %s-%d to %v", loadTopic, p, replicas)
	address, ok := m.controller()
	if !ok {
		return what, errNobody
	}
	req := wire.NewAlterPartitionReassignmentsRequest()
	req.TimeoutMs = int32(requestTimeout.Milliseconds())
	req.Topics = []wire.AlterPartitionReassignmentsRequestReassignableTopic{{
		Name: loadTopic, Partitions: []wire.AlterPartitionReassignmentsRequestReassignablePartition{{PartitionIndex: p, Replicas: replicas}},
	}}
	resp, err := askFor[*wire.AlterPartitionReassignmentsResponse](ctx, m.client, address, req, 0)
	if err != nil {
		return what, err
	}
	if resp.ErrorCode != wire.CodeNone {
		return what, resp.ErrorCode
	}
	return what, failure(resp.Responses[0].Partitions[0].ErrorCode)
}

// failure is a code as an error, nil for none.
func failure(code wire.Code) error {
	if code == wire.CodeNone {
		return nil
	}
	return code
}

// elect asks for the preferred leader.
func (m *mover) elect(ctx context.Context, p int32) (string, error) {
	what := fmt.Sprintf("elect the preferred leader of %s-%d", loadTopic, p)
	address, ok := m.controller()
	if !ok {
		return what, errNobody
	}
	req := wire.NewElectLeadersRequest()
	req.TimeoutMs = int32(requestTimeout.Milliseconds())
	req.TopicPartitions = []wire.ElectLeadersRequestTopicPartitions{{Topic: loadTopic, Partitions: []int32{p}}}
	resp, err := askFor[*wire.ElectLeadersResponse](ctx, m.client, address, req, 2)
	if err != nil {
		return what, err
	}
	if resp.ErrorCode != wire.CodeNone {
		return what, resp.ErrorCode
	}
	code := resp.ReplicaElectionResults[0].PartitionResult[0].ErrorCode
	if code == wire.CodeElectionNotNeeded {
		return what + " (not needed)", nil
	}
	return what, failure(code)
}

// moveDir asks a broker to move its replica to one of its log directories.
func (m *mover) moveDir(ctx context.Context, p int32) (string, error) {
	addresses := m.addresses()
	i, dir := m.rng.N(len(addresses)), virtual.Pick(m.rng, logDirs...)
	what := fmt.Sprintf("move %s-%d of broker %d to %s", loadTopic, p, i, dir)
	req := wire.NewAlterReplicaLogDirsRequest()
	req.Dirs = []wire.AlterReplicaLogDirsRequestAlterReplicaLogDir{{
		Path: dir, Topics: []wire.AlterReplicaLogDirsRequestAlterReplicaLogDirTopic{{Name: loadTopic, Partitions: []int32{p}}},
	}}
	resp, err := askFor[*wire.AlterReplicaLogDirsResponse](ctx, m.client, addresses[i], req, 2)
	if err != nil {
		return what, err
	}
	code := resp.Results[0].Partitions[0].ErrorCode
	if code == wire.CodeReplicaNotAvailable {
		return what + " (once it is there)", nil
	}
	return what, failure(code)
}
