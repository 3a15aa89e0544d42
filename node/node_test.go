package node

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/gregor-mq/gregor/internal/env/memfs"
	"github.com/gregor-mq/gregor/wire"
	"github.com/gregor-mq/gregor/zk/session"
	"github.com/gregor-mq/gregor/znode"
)

func TestStartServeStop(t *testing.T) {
	onMachine(t, func(t *testing.T, m *machine) {
		n := m.start()
		m.createTopic(n, "t", 3)
		m.wantProduced(n, "t", 0)
		cluster := n.ClusterID()
		if n.LogCount() != 3 || n.Err() != nil || len(n.KeeperAddrs()) != 1 || n.Config().ID != 0 {
			t.Errorf("%d logs, %v, keeper %v, id %d", n.LogCount(), n.Err(), n.KeeperAddrs(), n.Config().ID)
		}
		m.stop(n)
		if _, err := m.fs.Stat("/logs/.kafka_cleanshutdown"); err != nil {
			t.Errorf("no mark of a clean stop: %v", err)
		}
		n = m.start()
		if n.ClusterID() != cluster {
			t.Errorf("cluster %s, was %s", n.ClusterID(), cluster)
		}
		m.wantProduced(n, "t", 1)
		m.stop(n)
	})
}

// Whatever fails on the way up, all that was opened is closed again: the same
// machine starts a broker afterwards.
func TestFailedStarts(t *testing.T) {
	onMachine(t, func(t *testing.T, m *machine) {
		squat := func(address, text string, more ...string) {
			t.Helper()
			l, err := m.net.Listen(t.Context(), "tcp", address)
			if err != nil {
				t.Fatal(err)
			}
			m.refused(text, more...)
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
		}
		squat("127.0.0.1:9092", "listener PLAINTEXT cannot bind 127.0.0.1:9092")
		squat("127.0.0.1:2181", "embedded keeper")
		squat("127.0.0.1:6060", "gregor.debug.pprof.address", "gregor.debug.pprof.address=127.0.0.1:6060")
		squat("127.0.0.1:9404", "gregor.metrics.listener", "gregor.metrics.listener=127.0.0.1:9404")
		m.refused("security protocol SSL is not served yet", "listeners=SSL://127.0.0.1:9093,PLAINTEXT://127.0.0.1:9092")
		m.refused("zookeeper.connection.timeout.ms", "zookeeper.connect=127.0.0.1:2999", "zookeeper.connection.timeout.ms=300")

		lock, err := m.fs.Lock("/logs/.lock")
		if err != nil {
			t.Fatal(err)
		}
		m.refused("in use by another broker process", "log.dirs=/other,/logs")
		if err := lock.Close(); err != nil {
			t.Fatal(err)
		}
		if err := m.fs.MkdirAll("/stray/what is this", 0o755); err != nil {
			t.Fatal(err)
		}
		m.refused("what is this", "log.dirs=/stray")

		n := m.start()
		m.stop(n)
		m.refused("broker.id is 0", "broker.id=7")
		m.refused("but /keeper2 holds no cluster", "gregor.keeper.data.dir=/keeper2")
		m.stop(m.start())
	})
}

// Every operation on the disk fails once, at each step of a start and of a
// stop: the node starts, or says why not; it never hangs and leaves nothing.
func TestDiskFailsAtEachStep(t *testing.T) {
	for step := 1; ; step++ {
		done := false
		onMachine(t, func(t *testing.T, m *machine) {
			m.stop(m.start())
			var count atomic.Int64
			m.fs.SetInjector(func(memfs.Op, string) error {
				if count.Add(1) == int64(step) {
					return syscall.EIO
				}
				return nil
			})
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			n, err := Start(ctx, Options{Config: properties(t), Env: m.env})
			if err == nil {
				// A disk that failed once stays offline; that shows in the stop.
				stopping, cancel := context.WithTimeout(context.Background(), time.Minute)
				_ = n.Stop(stopping)
				cancel()
			} else if ctx.Err() != nil {
				t.Errorf("step %d: the start hung: %v", step, err)
			}
			cancel()
			done = count.Load() < int64(step)
			m.fs.SetInjector(nil)
			if left := m.net.Conns(); left != 0 {
				t.Errorf("step %d: %d ends of connections left", step, left)
			}
			m.stop(m.start()) // locks are free, nothing is spoilt
		})
		if done {
			return
		}
	}
}

func TestStartIsInterrupted(t *testing.T) {
	onMachine(t, func(t *testing.T, m *machine) {
		ctx, cancel := context.WithCancelCause(t.Context())
		m.env.Clock.AfterFunc(200*time.Millisecond, func() { cancel(errors.New("interrupted")) })
		_, err := Start(ctx, Options{Config: properties(t, "zookeeper.connect=127.0.0.1:2999"), Env: m.env})
		if err == nil || !strings.Contains(err.Error(), "interrupted") {
			t.Errorf("%v", err)
		}
	})
}

// expire ends the node's session behind its back.
func (m *machine) expire(n *Node) {
	m.t.Helper()
	z := n.zk.Load()
	if closed, err := session.CloseOther(m.t.Context(), n.session, m.env, z.ID(), z.Password()); err != nil || !closed {
		m.t.Fatalf("close the session: %v %v", closed, err)
	}
}

func TestSessionExpires(t *testing.T) {
	onMachine(t, func(t *testing.T, m *machine) {
		n := m.start()
		m.createTopic(n, "t", 1)
		m.wantProduced(n, "t", 0)
		for i := range int64(3) {
			before := n.epoch.Load()
			m.expire(n)
			m.eventually("a new broker epoch", func() bool { return n.epoch.Load() > before })
			m.eventually("controller again", func() bool { return n.controller.Active() })
			m.createTopic(n, fmt.Sprint("after-", i), 1)
			m.wantProduced(n, "t", i+1)
		}
		// Settings are heard over the new session too.
		m.alter(n, resourceTopic, "t", "min.insync.replicas", "3")
		m.eventually("the override", func() bool { return n.settings.Topic("t").MinInSyncReplicas == 3 })
		if n.Err() != nil {
			t.Error(n.Err())
		}
		m.stop(n)
	})
}

// What was configured while the broker had no session is in force in the next one,
// though nothing tells of it any more: notifications last for a quarter of an hour.
func TestSettingsOfBetweenTwoSessions(t *testing.T) {
	onMachine(t, func(t *testing.T, m *machine) {
		n := m.start()
		m.createTopic(n, "t", 1)
		m.createTopic(n, "u", 1)
		m.alter(n, resourceTopic, "u", "min.insync.replicas", "2")
		minISR := func(topic string) int32 { return n.settings.Topic(topic).MinInSyncReplicas }
		m.eventually("an override", func() bool { return minISR("u") == 2 })
		z := n.zk.Load().Retrying()
		of := func(topic string) string { return znode.EntityConfigPath(znode.Entity{Topic: znode.Named(topic)}) }
		if _, err := z.Set(t.Context(), of("t"), []byte(`{"version":1,"config":{"min.insync.replicas":"3"}}`), -1); err != nil {
			t.Fatal(err)
		}
		if err := z.Delete(t.Context(), of("u"), -1); err != nil {
			t.Fatal(err)
		}
		m.expire(n)
		m.eventually("the settings of the next session", func() bool { return minISR("t") == 3 && minISR("u") == 1 })
		m.eventually("service", func() bool { _, code := m.produce(n, "t", "x"); return code == wire.CodeNone })
		m.stop(n)
	})
}

// Twice in a row, the second time before the first is digested.
func TestSessionExpiresTwice(t *testing.T) {
	onMachine(t, func(t *testing.T, m *machine) {
		n := m.start()
		m.createTopic(n, "t", 1)
		first := n.zk.Load().ID()
		m.expire(n)
		m.eventually("another session", func() bool { return n.zk.Load().ID() != first })
		before := n.epoch.Load()
		m.expire(n)
		m.eventually("a new broker epoch", func() bool { return n.epoch.Load() > before && n.controller.Active() })
		m.eventually("service", func() bool { _, code := m.produce(n, "t", "x"); return code == wire.CodeNone })
		m.stop(n)
	})
}

// A keeper whose disk fails ends the node; one log directory of two does not.
func TestDisksFailWhileRunning(t *testing.T) {
	onMachine(t, func(t *testing.T, m *machine) {
		n := m.start("log.dirs=/logs,/logs2")
		m.createTopic(n, "t", 1)
		m.createTopic(n, "u", 1)
		fail := func(prefix string) {
			m.fs.SetInjector(func(op memfs.Op, name string) error {
				if strings.HasPrefix(name, prefix) && (op == memfs.OpWrite || op == memfs.OpSync) {
					return syscall.EIO
				}
				return nil
			})
		}
		log, err := n.replicas.Log("t", 0)
		if err != nil {
			t.Fatal(err)
		}
		bad := log.Dir().Path()
		fail(bad + "/")
		if _, code := m.produce(n, "t", "x"); code != wire.CodeKafkaStorageError {
			t.Errorf("produce to the failed disk: %v", code)
		}
		if _, code := m.produce(n, "u", "x"); code != wire.CodeNone {
			t.Errorf("produce to the other disk: %v", code)
		}
		m.eventually("the controller knows", func() bool {
			topic := n.cache.Image().Topic("t")
			p, ok := topic.Partition(0)
			return ok && p.Leader < 0
		})
		fail("/keeper/")
		go func() {
			_ = n.admin().SetConfig(t.Context(), znode.Entity{Topic: znode.Named("t")}, map[string]string{"a": "b"})
		}()
		<-n.Done()
		if err := n.Err(); err == nil || !strings.Contains(err.Error(), "embedded keeper") {
			t.Errorf("why it ended: %v", err)
		}
		m.fs.SetInjector(nil)
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		_ = n.Stop(ctx) // the keeper's error again, or none
	})
	onMachine(t, func(t *testing.T, m *machine) {
		n := m.start()
		m.createTopic(n, "t", 1)
		m.fs.SetInjector(func(op memfs.Op, name string) error {
			if strings.HasPrefix(name, "/logs/") && op == memfs.OpWrite {
				return syscall.EIO
			}
			return nil
		})
		m.produce(n, "t", "x")
		<-n.Done()
		if err := n.Err(); err == nil || !strings.Contains(err.Error(), "no log directory is left") {
			t.Errorf("why it ended: %v", err)
		}
		m.fs.SetInjector(nil)
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		_ = n.Stop(ctx)
	})
}

const (
	resourceTopic, resourceBroker, resourceLogger = 2, 4, 8
)

// alter sets one configuration value and wants no error.
func (m *machine) alter(n *Node, kind int8, name, key, value string) {
	m.t.Helper()
	req := wire.NewIncrementalAlterConfigsRequest()
	req.Resources = []wire.IncrementalAlterConfigsRequestAlterConfigsResource{{
		ResourceType: kind, ResourceName: name,
		Configs: []wire.IncrementalAlterConfigsRequestAlterableConfig{{Name: key, Value: &value}},
	}}
	resp := ask[*wire.IncrementalAlterConfigsResponse](m, n, req, 1)
	if r := resp.Responses[0]; r.ErrorCode != wire.CodeNone {
		m.t.Fatalf("alter %s %s=%s: %v", name, key, value, r.ErrorCode)
	}
}

func TestSettingsChangeWhileRunning(t *testing.T) {
	onMachine(t, func(t *testing.T, m *machine) {
		n := m.start()
		m.createTopic(n, "t", 1)
		m.createTopic(n, "u", 1)
		m.alter(n, resourceTopic, "t", "retention.ms", "12345")
		m.eventually("the topic's override", func() bool { return n.settings.Topic("t").RetentionMs == 12345 })
		log, err := n.replicas.Log("t", 0)
		if err != nil {
			t.Fatal(err)
		}
		m.eventually("its log", func() bool { return log.Config().RetentionMs == 12345 })
		m.alter(n, resourceBroker, "", "log.retention.ms", "777")
		m.alter(n, resourceBroker, "0", "log.cleaner.backoff.ms", "999")
		m.eventually("the brokers' default", func() bool { return n.settings.Topic("u").RetentionMs == 777 })
		m.eventually("this broker's own", func() bool { return n.settings.Broker().Long("log.cleaner.backoff.ms") == 999 })
		if n.settings.Topic("t").RetentionMs != 12345 {
			t.Error("the override does not win")
		}
		m.alter(n, resourceTopic, "t", "unclean.leader.election.enable", "true")
		m.alter(n, resourceBroker, "", "unclean.leader.election.enable", "true")
		m.eventually("unclean elections", func() bool { return n.settings.Broker().Bool("unclean.leader.election.enable") })
		m.alter(n, resourceLogger, "0", "server", "DEBUG")
		if level, _ := n.levels.Level("server"); level != "DEBUG" {
			t.Errorf("level %s", level)
		}
		m.stop(n)

		n = m.start()
		if n.settings.Topic("t").RetentionMs != 12345 || n.settings.Topic("u").RetentionMs != 777 {
			t.Error("forgotten over a restart")
		}
		req := wire.NewDescribeConfigsRequest()
		req.Resources = []wire.DescribeConfigsRequestResource{{ResourceType: resourceTopic, ResourceName: "t"}, {ResourceType: resourceBroker, ResourceName: "0"}, {ResourceType: resourceBroker}}
		for _, r := range ask[*wire.DescribeConfigsResponse](m, n, req, 4).Results {
			if r.ErrorCode != wire.CodeNone || len(r.Configs) == 0 {
				t.Errorf("describe %q: %v, %d settings", r.ResourceName, r.ErrorCode, len(r.Configs))
			}
		}
		m.stop(n)
	})
}

func TestProducerIDs(t *testing.T) {
	onMachine(t, func(t *testing.T, m *machine) {
		n := m.start()
		seen := map[int64]bool{}
		next := func() int64 {
			answer := make(chan int64, 1)
			n.producerIDs.Next(func(id int64, err error) {
				if err != nil {
					t.Error(err)
				}
				answer <- id
			})
			return <-answer
		}
		for range 2500 { // more than two blocks
			id := next()
			if seen[id] {
				t.Fatalf("id %d twice", id)
			}
			seen[id] = true
		}
		req := wire.NewInitProducerIDRequest()
		req.TransactionalID, req.TransactionTimeoutMs = nil, 1000
		if resp := ask[*wire.InitProducerIDResponse](m, n, req, 4); resp.ErrorCode != wire.CodeNone || seen[resp.ProducerID] {
			t.Errorf("%v, id %d", resp.ErrorCode, resp.ProducerID)
		}
		// No controller: those who wait are told to come again, and get ids once
		// there is one.
		lost := wire.NewUpdateMetadataRequest()
		lost.ControllerID, lost.ControllerEpoch = -1, 1
		known := n.cache.Image()
		if _, err := n.cache.Apply(lost); err != nil {
			t.Fatal(err)
		}
		n.producerIDs.mu.Lock()
		n.producerIDs.mu.next, n.producerIDs.mu.end, n.producerIDs.mu.ahead = 0, 0, block{}
		n.producerIDs.mu.Unlock()
		refused := make(chan error, 1)
		n.producerIDs.Next(func(_ int64, err error) { refused <- err })
		if err := <-refused; err != wire.CodeCoordinatorLoadInProgress {
			t.Errorf("without a controller: %v", err)
		}
		waits := make(chan int64, 1)
		n.producerIDs.Next(func(id int64, _ error) { waits <- id })
		found := wire.NewUpdateMetadataRequest()
		found.ControllerID, found.ControllerEpoch = 0, 1
		for _, b := range known.Brokers {
			l := wire.NewUpdateMetadataRequestBroker()
			l.ID = b.ID
			for _, e := range b.Endpoints {
				l.Endpoints = append(l.Endpoints, wire.UpdateMetadataRequestEndpoint{Listener: e.Listener, Host: e.Host, Port: e.Port, SecurityProtocol: e.Protocol})
			}
			found.LiveBrokers = append(found.LiveBrokers, l)
		}
		if _, err := n.cache.Apply(found); err != nil {
			t.Fatal(err)
		}
		if id := <-waits; seen[id] || id < 2500 {
			t.Errorf("after a block was lost: id %d", id)
		}
		n.producerIDs.mu.Lock()
		n.producerIDs.mu.next, n.producerIDs.mu.end, n.producerIDs.mu.ahead = 0, 0, block{}
		n.producerIDs.mu.Unlock()
		if _, err := n.cache.Apply(lost); err != nil {
			t.Fatal(err)
		}
		n.producerIDs.Next(func(_ int64, err error) { refused <- err })
		m.stop(n) // refuses who still waits
		if err := <-refused; err != wire.CodeCoordinatorLoadInProgress {
			t.Errorf("while stopping: %v", err)
		}
	})
}

// Offsets of a group go through the coordinator's log, and come back from it
// after a restart; those of version 0 lie in ZooKeeper.
func TestCommittedOffsets(t *testing.T) {
	onMachine(t, func(t *testing.T, m *machine) {
		n := m.start()
		m.createTopic(n, "t", 1)
		commit := func(version int16, offset int64) wire.Code {
			req := wire.NewOffsetCommitRequest()
			req.GroupID = "g"
			p := wire.NewOffsetCommitRequestPartition()
			p.CommittedOffset = offset
			req.Topics = []wire.OffsetCommitRequestTopic{{Name: "t", Partitions: []wire.OffsetCommitRequestPartition{p}}}
			return ask[*wire.OffsetCommitResponse](m, n, req, version).Topics[0].Partitions[0].ErrorCode
		}
		fetch := func(version int16) int64 {
			req := wire.NewOffsetFetchRequest()
			req.GroupID = "g"
			req.Topics = []wire.OffsetFetchRequestTopic{{Name: "t", PartitionIndexes: []int32{0}}}
			p := ask[*wire.OffsetFetchResponse](m, n, req, version).Topics[0].Partitions[0]
			if p.ErrorCode != wire.CodeNone {
				return -int64(p.ErrorCode)
			}
			return p.CommittedOffset
		}
		find := wire.NewFindCoordinatorRequest()
		find.CoordinatorKey = "g"
		m.eventually("a coordinator", func() bool { return ask[*wire.FindCoordinatorResponse](m, n, find, 2).ErrorCode == wire.CodeNone })
		m.eventually("a commit", func() bool { return commit(5, 42) == wire.CodeNone })
		if got := fetch(0); got != -int64(wire.CodeUnknownTopicOrPartition) {
			t.Errorf("version 0 without an offset: %d", got)
		}
		for _, offset := range []int64{7, 8} {
			if code := commit(0, offset); code != wire.CodeNone {
				t.Errorf("version 0: %v", code)
			}
		}
		m.stop(n)
		n = m.start()
		m.eventually("the offset after a restart", func() bool { return fetch(5) == 42 })
		if got := fetch(0); got != 8 {
			t.Errorf("version 0: offset %d", got)
		}
		m.stop(n)
	})
}
