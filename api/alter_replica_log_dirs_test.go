package api

import (
	"fmt"
	"testing"

	"github.com/gregor-mq/gregor/record"
	"github.com/gregor-mq/gregor/wire"
)

// logDirs asks where the replicas of t lie, in words.
func (b *bench) logDirs(version int16) string {
	out := ""
	for _, d := range ask[*wire.DescribeLogDirsResponse](b, version, &wire.DescribeLogDirsRequest{}).Results {
		out += fmt.Sprint(d.LogDir, " ", uint16(d.ErrorCode))
		for _, t := range d.Topics {
			for _, p := range t.Partitions {
				out += fmt.Sprintf(" %s-%d lag=%d future=%v", t.Name, p.PartitionIndex, p.OffsetLag, p.IsFutureKey)
			}
		}
		out += "; "
	}
	return out
}

func TestAlterReplicaLogDirs(t *testing.T) {
	every(t, wire.KeyAlterReplicaLogDirs, func(v int16) {
		b := leadsIn(t, []string{"/d1", "/d2"}, nil, "t", "u")
		b.put(9, produces("t", v2(t, record.Spec{})))
		req := wire.NewAlterReplicaLogDirsRequest()
		in := func(dir string, topic string, partitions ...int32) {
			req.Dirs = append(req.Dirs, wire.AlterReplicaLogDirsRequestAlterReplicaLogDir{
				Path: dir, Topics: []wire.AlterReplicaLogDirsRequestAlterReplicaLogDirTopic{{Name: topic, Partitions: partitions}}})
		}
		in("/nowhere", "u", 0)
		in("/d1", "t", 0) // the last wish holds
		in("/d2", "t", 0, 1)
		in("/d2", "nobody", 3)
		got := ""
		for _, r := range ask[*wire.AlterReplicaLogDirsResponse](b, v, req).Results {
			for _, p := range r.Partitions {
				got += fmt.Sprintf("%s-%d %d; ", r.TopicName, p.PartitionIndex, uint16(p.ErrorCode))
			}
		}
		same(t, v, "answers", got, "u-0 57; t-0 0; t-1 9; nobody-3 3; ")
		same(t, v, "described", b.logDirs(1), "/d1 0 t-0 lag=0 future=false; /d2 0 t-0 lag=1 future=true u-0 lag=0 future=false; ")
	})
}

// All versions tell of copies.
func TestDescribeLogDirsTellsOfCopies(t *testing.T) {
	b := leadsIn(t, []string{"/d1", "/d2"}, nil, "t")
	req := wire.NewAlterReplicaLogDirsRequest()
	req.Dirs = []wire.AlterReplicaLogDirsRequestAlterReplicaLogDir{{Path: "/d2",
		Topics: []wire.AlterReplicaLogDirsRequestAlterReplicaLogDirTopic{{Name: "t", Partitions: []int32{0}}}}}
	b.send(2, req)
	every(t, wire.KeyDescribeLogDirs, func(v int16) {
		same(t, v, "described", b.logDirs(v), "/d1 0 t-0 lag=0 future=false; /d2 0 t-0 lag=0 future=true; ")
	})
}
