package records

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/gregor-mq/gregor/cli/reach"
	"github.com/gregor-mq/gregor/cli/term"
)

// anyPartition leaves the choice to the partitioner.
const anyPartition = -1

// input turns lines into records.
type input struct {
	format    string // valueFormat or jsonFormat
	topic     string // wins over a line's; empty to use the line's
	separator string // between key and value; empty when lines are values
	null      string // what stands for null; empty for nothing
	headers   []kgo.RecordHeader
	partition int32     // wins over a line's; anyPartition to use the line's
	anew      bool      // let the partitioner choose, whatever lines name
	timestamp time.Time // of records whose line has none; zero for now
	// patience is how long to wait for a next acknowledgement.
	patience time.Duration
}

// newInput checks the flags.
func newInput(f produceFlags) (input, error) {
	in := input{format: f.format, topic: f.topic, null: f.null, partition: f.partition, anew: f.repartition, patience: f.timeout}
	if in.format != valueFormat && in.format != jsonFormat {
		return in, fmt.Errorf("--format %q: none of %s and %s", f.format, valueFormat, jsonFormat)
	}
	if in.format == jsonFormat && (f.separator != "" || f.null != "") {
		return in, fmt.Errorf("--key-separator and --null go with --format %s only", valueFormat)
	}
	if in.format != jsonFormat && in.topic == "" {
		return in, fmt.Errorf("--topic is missing: lines of JSON alone may name their own")
	}
	if in.topic != "" {
		if err := reach.CheckTopic(in.topic); err != nil {
			return in, fmt.Errorf("--topic: %w", err)
		}
	}
	if f.layerFour && f.zk.Connect == "" {
		return in, errors.New("--layer-four goes with --zookeeper: the brokers to choose from are read there")
	}
	if in.partition < anyPartition {
		return in, fmt.Errorf("--partition %d: want 0 or more", in.partition)
	}
	if in.patience <= 0 {
		return in, fmt.Errorf("--delivery-timeout %v: want more than 0", in.patience)
	}
	var err error
	if in.separator, err = unescape(f.separator); err != nil {
		return in, fmt.Errorf("--key-separator: %w", err)
	}
	if f.timestamp != "" {
		if in.timestamp, err = term.ParseTime(f.timestamp); err != nil {
			return in, fmt.Errorf("--timestamp: %w", err)
		}
	}
	for _, h := range f.headers {
		name, value, ok := strings.Cut(h, "=")
		if !ok || name == "" {
			return in, fmt.Errorf("--header %q: want NAME=VALUE", h)
		}
		in.headers = append(in.headers, kgo.RecordHeader{Key: name, Value: []byte(value)})
	}
	return in, nil
}

// record makes the record of a line, which it keeps; nil for an empty line of
// JSON.
func (in *input) record(line []byte) (*kgo.Record, error) {
	r := &kgo.Record{Partition: anyPartition, Value: line}
	switch {
	case in.format == jsonFormat && len(bytes.TrimSpace(line)) == 0:
		return nil, nil
	case in.format == jsonFormat:
		var err error
		if r, err = fromJSON(line); err != nil {
			return nil, err
		}
	case in.separator != "":
		key, value, ok := bytes.Cut(line, []byte(in.separator))
		if !ok {
			return nil, fmt.Errorf("has no separator %q between key and value", in.separator)
		}
		r.Key, r.Value = key[:len(key):len(key)], value
	}
	if in.null != "" {
		if string(r.Key) == in.null {
			r.Key = nil
		}
		if string(r.Value) == in.null {
			r.Value = nil
		}
	}
	r.Headers = append(r.Headers, in.headers...)
	if in.topic != "" {
		r.Topic = in.topic
	}
	if r.Topic == "" {
		return nil, fmt.Errorf("names no topic, and --topic is missing")
	}
	if in.anew {
		r.Partition = anyPartition
	}
	if in.partition != anyPartition {
		r.Partition = in.partition
	}
	if r.Timestamp.IsZero() {
		r.Timestamp = in.timestamp
	}
	return r, nil
}
