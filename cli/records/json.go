package records

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/gregor-mq/gregor/cli/term"
)

// recordJSON is a record as a line of JSON: what consume writes, produce reads.
// Bytes that are not UTF-8 stand in the fields with base64; a field that is null
// or missing in both forms is null.
type recordJSON struct {
	Topic     string `json:"topic,omitempty"`
	Partition *int32 `json:"partition,omitempty"`
	// Offset and TimestampType are not read: the broker gives them.
	Offset        *int64       `json:"offset,omitempty"`
	Timestamp     *moment      `json:"timestamp,omitempty"`
	TimestampType string       `json:"timestamp_type,omitempty"`
	Headers       []headerJSON `json:"headers,omitempty"`
	Key           *string      `json:"key"`
	KeyBase64     *string      `json:"key_base64,omitempty"`
	Value         *string      `json:"value"`
	ValueBase64   *string      `json:"value_base64,omitempty"`
}

type headerJSON struct {
	Key         string  `json:"key"`
	Value       *string `json:"value"`
	ValueBase64 *string `json:"value_base64,omitempty"`
}

// moment is a time in JSON: milliseconds since 1970, and when read also a text
// as RFC 3339 has it.
type moment struct{ time.Time }

// MarshalJSON implements json.Marshaler.
func (m moment) MarshalJSON() ([]byte, error) { return strconv.AppendInt(nil, m.UnixMilli(), 10), nil }

// UnmarshalJSON implements json.Unmarshaler.
func (m *moment) UnmarshalJSON(data []byte) (err error) {
	text := string(data)
	if text[0] == '"' {
		if err := json.Unmarshal(data, &text); err != nil {
			return err
		}
	}
	m.Time, err = term.ParseTime(text)
	return err
}

// timestampTypes are the names of record attributes' timestamp types.
var timestampTypes = map[int8]string{0: "CreateTime", 1: "LogAppendTime"}

// toJSON is r as a line.
func toJSON(r *kgo.Record) ([]byte, error) {
	out := recordJSON{Topic: r.Topic, Partition: &r.Partition, Offset: &r.Offset}
	if typ, ok := timestampTypes[r.Attrs.TimestampType()]; ok {
		out.Timestamp, out.TimestampType = &moment{r.Timestamp}, typ
	}
	for _, h := range r.Headers {
		hj := headerJSON{Key: h.Key}
		hj.Value, hj.ValueBase64 = term.Bytes(h.Value)
		out.Headers = append(out.Headers, hj)
	}
	out.Key, out.KeyBase64 = term.Bytes(r.Key)
	out.Value, out.ValueBase64 = term.Bytes(r.Value)
	return term.Line(out)
}

// fromJSON reads a line. The record's partition is -1 where the line names none,
// its timestamp zero.
func fromJSON(line []byte) (*kgo.Record, error) {
	var in recordJSON
	d := json.NewDecoder(bytes.NewReader(line))
	d.DisallowUnknownFields()
	if err := d.Decode(&in); err != nil {
		return nil, jsonError(err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("want one JSON object on a line, have more behind it")
	}
	r := &kgo.Record{Topic: in.Topic, Partition: anyPartition}
	if in.Partition != nil {
		if r.Partition = *in.Partition; r.Partition < 0 {
			return nil, fmt.Errorf("partition %d: want 0 or more", r.Partition)
		}
	}
	if in.Timestamp != nil {
		r.Timestamp = in.Timestamp.Time
	}
	var err error
	if r.Key, err = bytesOf("key", in.Key, in.KeyBase64); err != nil {
		return nil, err
	}
	if r.Value, err = bytesOf("value", in.Value, in.ValueBase64); err != nil {
		return nil, err
	}
	for i, h := range in.Headers {
		value, err := bytesOf("value", h.Value, h.ValueBase64)
		if err != nil {
			return nil, fmt.Errorf("header %d: %w", i, err)
		}
		r.Headers = append(r.Headers, kgo.RecordHeader{Key: h.Key, Value: value})
	}
	return r, nil
}

// bytesOf undoes term.Bytes.
func bytesOf(name string, text, inBase64 *string) ([]byte, error) {
	switch {
	case text != nil && inBase64 != nil:
		return nil, fmt.Errorf("both %s and %s_base64 are given", name, name)
	case text != nil:
		return []byte(*text), nil
	case inBase64 == nil:
		return nil, nil
	}
	b, err := base64.StdEncoding.DecodeString(*inBase64)
	if err != nil {
		return nil, fmt.Errorf("%s_base64 %q: %w", name, *inBase64, err)
	}
	return b, nil
}

// jsonError says in words what is wrong with a line.
func jsonError(err error) error {
	var typ *json.UnmarshalTypeError
	switch {
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return errors.New("the JSON object is cut off")
	case errors.As(err, &typ):
		if typ.Field == "" {
			return fmt.Errorf("want a JSON object, have a %s", typ.Value)
		}
		return fmt.Errorf("field %s: want a %s, have a %s", typ.Field, typ.Type, typ.Value)
	}
	return errors.New(strings.TrimPrefix(err.Error(), "json: "))
}
