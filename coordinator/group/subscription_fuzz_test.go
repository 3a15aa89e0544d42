package group

import (
	"testing"

	"github.com/gregor-mq/gregor/wire"
)

// FuzzSubscription reads what members of a group say of themselves. Where
// Kafka's own form takes it, the topics are the same.
func FuzzSubscription(f *testing.F) {
	sub := wire.NewConsumerProtocolSubscription()
	sub.Topics = []string{"a", "b", "a"}
	for version := range int16(4) {
		b, err := wire.AppendVersioned(nil, sub, version)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, src []byte) {
		topics := map[string]struct{}{}
		ok := readSubscription(src, topics)
		version, body, err := wire.CutVersion(src)
		if err != nil || version != 0 {
			return
		}
		want := wire.NewConsumerProtocolSubscription()
		if err := want.Decode(body, 0); err != nil {
			return
		}
		if !ok {
			t.Fatalf("%x is a subscription to %q, and was refused", src, want.Topics)
		}
		for _, topic := range want.Topics {
			if _, ok := topics[topic]; !ok {
				t.Fatalf("topic %q is missing in %q", topic, topics)
			}
		}
	})
}
