package admin

import (
	"fmt"
	"slices"
	"testing"

	"github.com/gregor-mq/gregor/wire"
)

func plain(ids ...int32) []Broker {
	var out []Broker
	for _, id := range ids {
		out = append(out, Broker{ID: id})
	}
	return out
}

func racked(racks ...string) []Broker {
	var out []Broker
	for i, r := range racks {
		out = append(out, Broker{ID: int32(i), Rack: &r})
	}
	return out
}

// TestAssignAsKafkaDocuments checks the examples in the comment of Kafka's
// AdminUtils.assignReplicasToBrokers.
func TestAssignAsKafkaDocuments(t *testing.T) {
	f := func(brokers []Broker, n, factor int, at Spread, want ...[]int32) {
		t.Helper()
		got, err := Assign(brokers, n, factor, at)
		if err != nil || len(got) != len(want) {
			t.Fatalf("%v, %v", got, err)
		}
		for i, w := range want {
			p := int32(at.Partition + i)
			if !slices.Equal(got[p], w) {
				t.Errorf("partition %d: %v, want %v", p, got[p], w)
			}
		}
	}
	f(plain(0, 1, 2, 3, 4), 10, 3, Spread{},
		[]int32{0, 1, 2}, []int32{1, 2, 3}, []int32{2, 3, 4}, []int32{3, 4, 0}, []int32{4, 0, 1},
		[]int32{0, 2, 3}, []int32{1, 3, 4}, []int32{2, 4, 0}, []int32{3, 0, 1}, []int32{4, 1, 2})
	f(racked("rack1", "rack3", "rack3", "rack2", "rack2", "rack1"), 7, 3, Spread{},
		[]int32{0, 3, 1}, []int32{3, 1, 5}, []int32{1, 5, 4}, []int32{5, 4, 2}, []int32{4, 2, 0}, []int32{2, 0, 3}, []int32{0, 4, 2})
	f(plain(7), 2, 1, Spread{Start: 0, Shift: 0, Partition: 3}, []int32{7}, []int32{7})
	f(plain(1, 2, 3), 2, 2, Spread{Start: 1, Shift: 1, Partition: 4}, []int32{3, 2}, []int32{1, 3})
	// More replicas than racks: every rack gets one, then they go round.
	f(racked("a", "a", "b"), 1, 3, Spread{}, []int32{0, 2, 1})
}

func TestAssignSpreadsEvenly(t *testing.T) {
	for start := range 6 {
		for shift := range 6 {
			got, err := Assign(racked("a", "b", "c", "a", "b", "c"), 12, 3, Spread{Start: start, Shift: shift})
			if err != nil {
				t.Fatal(err)
			}
			leaders, held := map[int32]int{}, map[int32]int{}
			for p, replicas := range got {
				racks := map[int32]bool{}
				for _, id := range replicas {
					held[id]++
					racks[id%3] = true
				}
				leaders[replicas[0]]++
				if len(racks) != 3 || duplicates(replicas) {
					t.Errorf("start %d shift %d partition %d: %v", start, shift, p, replicas)
				}
			}
			for id := range int32(6) {
				if leaders[id] != 2 || held[id] != 6 {
					t.Errorf("start %d shift %d: broker %d leads %d and holds %d", start, shift, id, leaders[id], held[id])
				}
			}
		}
	}
}

func TestAssignRefuses(t *testing.T) {
	f := func(brokers []Broker, n, factor int, want wire.Code) {
		t.Helper()
		_, err := Assign(brokers, n, factor, Spread{})
		if code, text := CodeOf(err); code != want || text == "" {
			t.Errorf("code %v %q, want %v", code, text, want)
		}
	}
	f(plain(1), 0, 1, wire.CodeInvalidPartitions)
	f(plain(1), 1, 0, wire.CodeInvalidReplicationFactor)
	f(plain(1), 1, 2, wire.CodeInvalidReplicationFactor)
	f(append(plain(7), racked("a")...), 1, 1, wire.CodeUnknownServerError)
}

func TestCodeOf(t *testing.T) {
	if code, text := CodeOf(nil); code != 0 || text != "" {
		t.Errorf("nil: %v %q", code, text)
	}
	if code, _ := CodeOf(fmt.Errorf("wrapped: %w", refuse(wire.CodeInvalidConfig, "x"))); code != wire.CodeInvalidConfig {
		t.Errorf("wrapped: %v", code)
	}
	if code, text := CodeOf(fmt.Errorf("disk")); code != wire.CodeUnknownServerError || text != "disk" {
		t.Errorf("other: %v %q", code, text)
	}
}

type fixedRand struct{ next byte }

func (r *fixedRand) Uint64() uint64 { r.next++; return uint64(r.next) }
func (r *fixedRand) Read(p []byte) {
	for i := range p {
		p[i] = r.next
	}
	r.next++
}

func TestTopicIDsDoNotStartWithADash(t *testing.T) {
	r := &fixedRand{next: 0xf0} // 0xf8 to 0xfb would make one
	seen := map[wire.UUID]bool{}
	for range 12 {
		id := NewTopicID(r)
		if id.String()[0] == '-' || id[6]>>4 != 4 || id[8]>>6 != 2 || seen[id] {
			t.Errorf("id %s", id)
		}
		seen[id] = true
	}
	if r.next != 0 { // 12 ids and the four that were thrown away
		t.Errorf("%d draws, want 16", r.next-0xf0)
	}
}
