package assign

import (
	"slices"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/gregor-mq/gregor/znode"
)

// Group is what the members of a group compute from. Neither slices nor maps are
// changed.
type Group struct {
	Members []Member
	// Partitions are the partitions of each topic, in any order. A topic that does
	// not exist has none.
	Partitions map[string][]int32
	// Preferred are the first replicas of partitions, for OldNames; nil without.
	Preferred map[TopicPartition]int32
}

// Member is one member's registration, its filter already applied (Resolve).
type Member struct {
	ID string
	// Streams is the number of threads by topic, at least 1 each.
	Streams map[string]int32
}

// TopicPartition names a partition.
type TopicPartition struct {
	Topic     string
	Partition int32
}

// Claim is a partition that a member takes.
type Claim struct {
	TopicPartition
	// Thread is the id of the member's thread that reads it, which is what its
	// owner node holds.
	Thread string
	// Alias is the partition's name in the form of Kafka 0.7, empty when the member
	// keeps none (OldNames).
	Alias string
}

// Strategy computes the claims of the member whose id is self, in order of topic
// and partition. Round robin can refuse.
type Strategy func(self string, g Group) ([]Claim, error)

// OldNames makes a strategy tell aliases too. The broker in them is the preferred
// replica: that is the one thing about a partition's brokers which no failure
// changes, and which stands in the znode that all members deal from.
func OldNames(deal Strategy) Strategy {
	return func(self string, g Group) ([]Claim, error) {
		claims, err := deal(self, g)
		for i, c := range claims {
			if broker, ok := g.Preferred[c.TopicPartition]; ok {
				claims[i].Alias = znode.OldPartitionName(broker, c.Partition)
			}
		}
		return claims, err
	}
}

// thread is one thread of one member.
type thread struct{ member, id string }

// threads returns the threads that read a topic, in the order of all assignors:
// that of their ids, number and all, so that the tenth comes before the second.
func (g Group) threads(topic string) []thread {
	var out []thread
	for _, m := range g.Members {
		for i := range m.Streams[topic] {
			out = append(out, thread{m.ID, znode.ThreadID(m.ID, i)})
		}
	}
	slices.SortFunc(out, func(a, b thread) int { return compare(a.id, b.id) })
	return out
}

// partitions returns the partitions of a topic in numeric order.
func (g Group) partitions(topic string) []int32 {
	return slices.Sorted(slices.Values(g.Partitions[topic]))
}

// member returns the member with an id.
func (g Group) member(id string) (Member, bool) {
	i := slices.IndexFunc(g.Members, func(m Member) bool { return m.ID == id })
	if i < 0 {
		return Member{}, false
	}
	return g.Members[i], true
}

// compare orders strings as Java does: by their UTF-16 units, which differs from
// the order of their bytes where characters above U+FFFF meet some below.
func compare(a, b string) int {
	for a != "" && b != "" {
		ra, na := utf8.DecodeRuneInString(a)
		rb, nb := utf8.DecodeRuneInString(b)
		if ra != rb {
			return slices.Compare(utf16.Encode([]rune{ra}), utf16.Encode([]rune{rb}))
		}
		a, b = a[na:], b[nb:]
	}
	return len(a) - len(b)
}

// hash is Java's String.hashCode.
func hash(s string) int32 {
	var h int32
	for _, unit := range utf16.Encode([]rune(s)) {
		h = 31*h + int32(unit)
	}
	return h
}

// order sorts claims by topic and partition.
func order(claims []Claim) []Claim {
	slices.SortFunc(claims, func(a, b Claim) int { return a.Compare(b.TopicPartition) })
	return claims
}
