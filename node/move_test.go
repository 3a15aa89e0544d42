package node

import (
	"fmt"
	"testing"
	"time"

	"github.com/gregor-mq/gregor/wire"
)

// dirsOf says where the replicas of a topic lie.
func (m *machine) dirsOf(n *Node, topic string) string {
	m.t.Helper()
	out := ""
	for _, d := range ask[*wire.DescribeLogDirsResponse](m, n, &wire.DescribeLogDirsRequest{}, 4).Results {
		for _, t := range d.Topics {
			for _, p := range t.Partitions {
				if t.Name == topic {
					out += fmt.Sprintf("%s lag=%d future=%v; ", d.LogDir, p.OffsetLag, p.IsFutureKey)
				}
			}
		}
	}
	return out
}

func (m *machine) moveTo(n *Node, dir, topic string) wire.Code {
	m.t.Helper()
	req := wire.NewAlterReplicaLogDirsRequest()
	req.Dirs = []wire.AlterReplicaLogDirsRequestAlterReplicaLogDir{{Path: dir,
		Topics: []wire.AlterReplicaLogDirsRequestAlterReplicaLogDirTopic{{Name: topic, Partitions: []int32{0}}}}}
	return ask[*wire.AlterReplicaLogDirsResponse](m, n, req, 2).Results[0].Partitions[0].ErrorCode
}

// A replica moves while it is written to, as slowly as the dynamic throttle wants,
// through a restart of the broker.
func TestAReplicaMovesBetweenLogDirs(t *testing.T) {
	onMachine(t, func(t *testing.T, m *machine) {
		dirs := "log.dirs=/a,/b"
		n := m.start(dirs)
		m.createTopic(n, "t", 1)
		for i := range 20 {
			m.wantProduced(n, "t", int64(i))
		}
		const rate = "replica.alter.log.dirs.io.max.bytes.per.second"
		m.alter(n, resourceBroker, "0", rate, "1")
		m.eventually("the throttle holds", func() bool { return n.settings.throttles.moves.Limit() == 1 })
		if code := m.moveTo(n, "/c", "t"); code != wire.CodeLogDirNotFound {
			t.Errorf("to nowhere: %v", code)
		}
		if code := m.moveTo(n, "/b", "t"); code != wire.CodeNone {
			t.Fatal(code)
		}
		m.eventually("the first piece is copied", func() bool { return m.dirsOf(n, "t") == "/a lag=0 future=false; /b lag=0 future=true; " })
		m.wantProduced(n, "t", 20)
		<-m.env.Clock.NewTimer(5 * time.Second).C()
		if got := m.dirsOf(n, "t"); got != "/a lag=0 future=false; /b lag=1 future=true; " {
			t.Errorf("throttled: %s", got)
		}
		m.stop(n)
		n = m.start(dirs)
		m.wantProduced(n, "t", 21)
		m.alter(n, resourceBroker, "0", rate, "1000000")
		m.eventually("it has moved", func() bool { return m.dirsOf(n, "t") == "/b lag=0 future=false; " })
		m.wantProduced(n, "t", 22)
		m.stop(n)
		n = m.start(dirs)
		if got := m.dirsOf(n, "t"); got != "/b lag=0 future=false; " {
			t.Errorf("after another restart: %s", got)
		}
		m.wantProduced(n, "t", 23)
		m.stop(n)
	})
}
