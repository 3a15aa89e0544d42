package assign

import (
	"cmp"
	"strings"
)

// Range deals each topic by itself: its partitions in numeric order are cut into
// as many ranges as threads read the topic, the first ones longer by one where
// they do not come out even.
func Range(self string, g Group) ([]Claim, error) {
	me, _ := g.member(self)
	var out []Claim
	for topic := range me.Streams {
		threads, partitions := g.threads(topic), g.partitions(topic)
		each, extra := len(partitions)/len(threads), len(partitions)%len(threads)
		for i, t := range threads {
			if t.member != self {
				continue
			}
			from, n := each*i+min(i, extra), each
			if i < extra {
				n++
			}
			for _, p := range partitions[from : from+n] {
				out = append(out, Claim{TopicPartition: TopicPartition{topic, p}, Thread: t.id})
			}
		}
	}
	return order(out), nil
}

// Compare orders partitions by topic and number.
func (p TopicPartition) Compare(q TopicPartition) int {
	return cmp.Or(strings.Compare(p.Topic, q.Topic), cmp.Compare(p.Partition, q.Partition))
}
