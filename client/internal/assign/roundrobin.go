package assign

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
)

// ErrUneven is why RoundRobin refuses.
var ErrUneven = errors.New("round robin needs all members of a group to read the same topics, each with as many threads for every topic")

// RoundRobin deals the partitions of all topics in a circle over all threads. It
// refuses with ErrUneven unless every topic that one reads is read by all, and by
// the same threads.
//
// Partitions are dealt in the order of the Java hash of "[topic,partition]". Of
// two with one hash (topics "Aa" and "BB") Java takes the one first that its
// member's registration names last; Encode of znode.Consumer writes topics in
// ascending order, so here the greater one is first.
func RoundRobin(self string, g Group) ([]Claim, error) {
	me, ok := g.member(self)
	if !ok || len(me.Streams) == 0 {
		return nil, nil
	}
	threads, err := g.common()
	if err != nil {
		return nil, err
	}
	var out []Claim
	for i, p := range g.circle(me) {
		if t := threads[i%len(threads)]; t.member == self {
			out = append(out, Claim{TopicPartition: p, Thread: t.id})
		}
	}
	return order(out), nil
}

// common returns the threads that read every topic.
func (g Group) common() ([]thread, error) {
	topics := map[string]bool{}
	for _, m := range g.Members {
		for topic := range m.Streams {
			topics[topic] = true
		}
	}
	names := slices.Sorted(maps.Keys(topics))
	threads := g.threads(names[0])
	for _, topic := range names[1:] {
		if other := g.threads(topic); !slices.Equal(threads, other) {
			return nil, fmt.Errorf("%q has the threads %s, %q has %s: %w", names[0], ids(threads), topic, ids(other), ErrUneven)
		}
	}
	return threads, nil
}

func ids(threads []thread) []string {
	out := make([]string, len(threads))
	for i, t := range threads {
		out[i] = t.id
	}
	return out
}

// circle returns the partitions of a member's topics in the order in which they
// are dealt.
func (g Group) circle(m Member) []TopicPartition {
	type hashed struct {
		TopicPartition
		hash int32
	}
	var all []hashed
	for topic := range m.Streams {
		for _, p := range g.Partitions[topic] {
			all = append(all, hashed{TopicPartition{topic, p}, hash("[" + topic + "," + strconv.Itoa(int(p)) + "]")})
		}
	}
	slices.SortFunc(all, func(a, b hashed) int {
		return cmp.Or(cmp.Compare(a.hash, b.hash), -cmp.Compare(a.Topic, b.Topic), cmp.Compare(a.Partition, b.Partition))
	})
	out := make([]TopicPartition, len(all))
	for i, h := range all {
		out[i] = h.TopicPartition
	}
	return out
}
