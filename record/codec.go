package record

import "fmt"

// Codec is how records are compressed, numbered as in batch attributes.
type Codec int8

// The codecs of Kafka 3.9.
const (
	None   Codec = 0
	Gzip   Codec = 1
	Snappy Codec = 2 // xerial framing
	LZ4    Codec = 3 // frame format, independent blocks
	Zstd   Codec = 4 // v2 batches only
)

var codecNames = [...]string{"none", "gzip", "snappy", "lz4", "zstd"}

// Known says whether c is a codec of Kafka 3.9.
func (c Codec) Known() bool { return c >= None && c <= Zstd }

// String is the codec's name as producers' compression.type has it.
func (c Codec) String() string {
	if c.Known() {
		return codecNames[c]
	}
	return fmt.Sprintf("codec(%d)", int8(c))
}

// ParseCodec reads a codec name of compression.type; "producer" and
// "uncompressed" are the topic's way of speaking, see ParseTopicCodec.
func ParseCodec(name string) (Codec, error) {
	for i, n := range codecNames {
		if n == name {
			return Codec(i), nil
		}
	}
	return None, fmt.Errorf("compression type %q: %w", name, ErrUnsupportedCodec)
}

// ParseTopicCodec reads a topic's or broker's compression.type. With "producer"
// keep is true: batches stay as they came. "uncompressed" is None.
func ParseTopicCodec(name string) (c Codec, keep bool, err error) {
	switch name {
	case "producer":
		return None, true, nil
	case "uncompressed":
		return None, false, nil
	case "none": // a producer's word; BrokerCompressionType has none of it
		return None, false, fmt.Errorf("topic compression type %q: %w", name, ErrUnsupportedCodec)
	}
	c, err = ParseCodec(name)
	return c, false, err
}
