package admin

import (
	"maps"
	"slices"

	"github.com/gregor-mq/gregor/wire"
)

// Broker is a broker that replicas can be put on.
type Broker struct {
	ID int32
	// Rack is nil when it has none; then all must have none.
	Rack *string
}

// Spread says where an assignment begins.
type Spread struct {
	// Start is the index of the first broker, Shift how far the first follower
	// is from its leader.
	Start, Shift int
	// Partition is the number of the first partition.
	Partition int
}

// Assign spreads replicas over brokers as Kafka does (AdminUtils): leaders in
// turn, followers at a shift that grows with every round, racks in alternation.
func Assign(brokers []Broker, partitions, factor int, at Spread) (map[int32][]int32, error) {
	switch {
	case partitions <= 0:
		return nil, refuse(wire.CodeInvalidPartitions, "Number of partitions must be larger than 0.")
	case factor <= 0:
		return nil, refuse(wire.CodeInvalidReplicationFactor, "Replication factor must be larger than 0.")
	case factor > len(brokers):
		return nil, refuse(wire.CodeInvalidReplicationFactor, "Replication factor: %d larger than available brokers: %d.", factor, len(brokers))
	}
	racks := map[int32]string{}
	for _, b := range brokers {
		if b.Rack != nil {
			racks[b.ID] = *b.Rack
		}
	}
	if n := len(racks); n > 0 && n < len(brokers) {
		return nil, refuse(wire.CodeUnknownServerError, "Not all brokers have rack information for replica rack aware assignment.")
	}
	s := spreader{factor: factor, racks: racks}
	if len(racks) > 0 {
		s.list, s.rackCount = alternate(racks)
	} else {
		for _, b := range brokers {
			s.list = append(s.list, b.ID)
		}
	}
	out := make(map[int32][]int32, partitions)
	p, shift := max(0, at.Partition), at.Shift
	for range partitions {
		if p > 0 && p%len(s.list) == 0 {
			shift++
		}
		out[int32(p)] = s.replicas((p+at.Start)%len(s.list), shift)
		p++
	}
	return out, nil
}

type spreader struct {
	list      []int32
	factor    int
	racks     map[int32]string
	rackCount int
}

// replicas returns those of the partition whose leader is list[first].
func (s *spreader) replicas(first, shift int) []int32 {
	out := []int32{s.list[first]}
	if s.rackCount == 0 {
		for j := range s.factor - 1 {
			out = append(out, s.list[s.index(first, shift, j)])
		}
		return out
	}
	usedRacks := map[string]bool{s.racks[out[0]]: true}
	for k := 0; len(out) < s.factor; k++ {
		b := s.list[s.index(first, shift*s.rackCount, k)]
		newRack := !usedRacks[s.racks[b]] || len(usedRacks) == s.rackCount
		if newRack && !slices.Contains(out, b) {
			out = append(out, b)
			usedRacks[s.racks[b]] = true
		}
	}
	return out
}

func (s *spreader) index(first, shift, replica int) int {
	return (first + 1 + (shift+replica)%(len(s.list)-1)) % len(s.list)
}

// alternate lists brokers so that neighbours are in different racks, as far as
// that goes: the first of each rack, then the second, and so on.
func alternate(racks map[int32]string) (list []int32, count int) {
	byRack := map[string][]int32{}
	for _, id := range slices.Sorted(maps.Keys(racks)) {
		byRack[racks[id]] = append(byRack[racks[id]], id)
	}
	names := slices.Sorted(maps.Keys(byRack))
	for i := 0; len(list) < len(racks); i++ {
		for _, name := range names {
			if i < len(byRack[name]) {
				list = append(list, byRack[name][i])
			}
		}
	}
	return list, len(names)
}

// spread draws where an assignment begins.
func (a *Admin) spread(brokers int) Spread {
	if brokers == 0 {
		return Spread{}
	}
	n := uint64(brokers)
	return Spread{Start: int(a.rand.Uint64() % n), Shift: int(a.rand.Uint64() % n)}
}
