package checkpoint

import (
	"encoding/base64"
	"fmt"
	"strings"
)

// TopicID is a topic's id, 16 bytes as Kafka sends them; zero is none.
type TopicID [16]byte

// String is Kafka's text of an id: URL-safe base64 without padding.
func (id TopicID) String() string { return base64.RawURLEncoding.EncodeToString(id[:]) }

// EncodePartition is the content of partition.metadata. Kafka's reader takes a
// line break at the end for one line too many, so there is none.
func EncodePartition(id TopicID) []byte {
	return []byte("version: 0\ntopic_id: " + id.String())
}

// DecodePartition reads partition.metadata.
func DecodePartition(src []byte) (TopicID, error) {
	var id TopicID
	first, second, _ := strings.Cut(string(src), "\n")
	v, ok := strings.CutPrefix(first, "version:")
	if !ok || strings.TrimSpace(v) != "0" {
		return id, fmt.Errorf("partition.metadata begins with %q: %w", clip(first), ErrMalformed)
	}
	text, ok := strings.CutPrefix(strings.TrimSpace(second), "topic_id:")
	raw, err := base64.RawURLEncoding.DecodeString(strings.TrimSpace(text))
	if !ok || err != nil || len(raw) != len(id) || TopicID(raw) == id {
		return id, fmt.Errorf("partition.metadata has %q, want a topic id: %w", clip(second), ErrMalformed)
	}
	return TopicID(raw), nil
}

// EncodeClean is the content of .kafka_cleanshutdown; brokerEpoch is -1 in
// ZooKeeper mode.
func EncodeClean(brokerEpoch int64) []byte {
	return fmt.Appendf(nil, `{"version":0,"brokerEpoch":%d}`, brokerEpoch)
}
