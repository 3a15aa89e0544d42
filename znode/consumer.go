package znode

import (
	"math"
	"strconv"
	"strings"
)

// The forms of a subscription of the old consumer.
const (
	StaticPattern    = "static"
	WhiteListPattern = "white_list"
	BlackListPattern = "black_list"
)

// Consumer is the registration of a member of an old consumer group
// (ConsumerIDPath).
type Consumer struct {
	// Streams is the number of threads by topic; with a pattern other than
	// StaticPattern its one key is a regular expression.
	Streams map[string]int32
	Pattern string
	// Timestamp is in milliseconds since 1970.
	Timestamp int64
}

// Encode writes the registration.
func (c Consumer) Encode() []byte {
	var w writer
	w.open()
	w.int("version", 1)
	w.object("subscription")
	for _, topic := range sortedKeys(c.Streams) {
		w.int(topic, int64(c.Streams[topic]))
	}
	w.close()
	w.text("pattern", c.Pattern)
	w.number("timestamp", c.Timestamp)
	w.close()
	return w.done()
}

// DecodeConsumer reads a registration.
func DecodeConsumer(path string, data []byte) (Consumer, error) {
	o := readObject(path, data)
	c := Consumer{Streams: make(map[string]int32), Pattern: o.text("pattern"), Timestamp: o.timestamp("timestamp")}
	switch c.Pattern {
	case StaticPattern, WhiteListPattern, BlackListPattern:
	default:
		o.failKey("pattern", "static, white_list or black_list")
	}
	o.need("subscription")
	sub := o.child("subscription")
	for topic := range sub.keys() {
		c.Streams[topic] = sub.int32(topic)
		if c.Streams[topic] < 1 {
			sub.failKey(topic, "a number of streams above 0")
		}
	}
	if c.Pattern != StaticPattern && len(c.Streams) != 1 {
		o.fail("a subscription by pattern has %d keys, want the one regular expression", len(c.Streams))
	}
	if o.Err() != nil {
		return Consumer{}, o.Err()
	}
	return c, nil
}

// ThreadID is what an owner node (OwnerPath) holds: the consumer's id and the
// number of one of its streams.
func ThreadID(consumer string, thread int32) string { return consumer + "-" + itoa(thread) }

// ParseThreadID takes a thread id apart.
func ParseThreadID(id string) (consumer string, thread int32, ok bool) {
	i := strings.LastIndexByte(id, '-')
	if i < 0 {
		return "", 0, false
	}
	n, err := strconv.ParseInt(id[i+1:], 10, 32)
	if err != nil || n < 0 || n > math.MaxInt32 {
		return "", 0, false
	}
	return id[:i], int32(n), true
}
