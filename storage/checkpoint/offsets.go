package checkpoint

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/gregor-mq/gregor/storage/epoch"
)

// ErrMalformed says that a file is not what its name promises; the error that
// wraps it names the line.
var ErrMalformed = errors.New("malformed checkpoint")

// version is the first line of every checkpoint file.
const version = 0

// Offset is one line of an offset checkpoint.
type Offset struct {
	Topic     string
	Partition int32
	Offset    int64
}

// AppendOffsets encodes an offset checkpoint file.
func AppendOffsets(dst []byte, entries []Offset) []byte {
	dst = appendHead(dst, len(entries))
	for _, e := range entries {
		dst = append(dst, e.Topic...)
		dst = append(dst, ' ')
		dst = strconv.AppendInt(dst, int64(e.Partition), 10)
		dst = append(dst, ' ')
		dst = strconv.AppendInt(dst, e.Offset, 10)
		dst = append(dst, '\n')
	}
	return dst
}

// DecodeOffsets reads an offset checkpoint file. An empty one holds nothing.
func DecodeOffsets(src []byte) ([]Offset, error) {
	var out []Offset
	err := decode(src, func(f []string) bool {
		if len(f) != 3 {
			return false
		}
		p, err1 := strconv.ParseInt(f[1], 10, 32)
		o, err2 := strconv.ParseInt(f[2], 10, 64)
		out = append(out, Offset{strings.Clone(f[0]), int32(p), o})
		return err1 == nil && err2 == nil && p >= 0
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// AppendEpochs encodes a leader-epoch-checkpoint.
func AppendEpochs(dst []byte, entries []epoch.Entry) []byte {
	dst = appendHead(dst, len(entries))
	for _, e := range entries {
		dst = strconv.AppendInt(dst, int64(e.Epoch), 10)
		dst = append(dst, ' ')
		dst = strconv.AppendInt(dst, e.Start, 10)
		dst = append(dst, '\n')
	}
	return dst
}

// DecodeEpochs reads a leader-epoch-checkpoint. An empty one holds nothing.
func DecodeEpochs(src []byte) ([]epoch.Entry, error) {
	var out []epoch.Entry
	err := decode(src, func(f []string) bool {
		if len(f) != 2 {
			return false
		}
		e, err1 := strconv.ParseInt(f[0], 10, 32)
		o, err2 := strconv.ParseInt(f[1], 10, 64)
		out = append(out, epoch.Entry{Epoch: int32(e), Start: o})
		return err1 == nil && err2 == nil && e >= 0 && o >= 0
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

func appendHead(dst []byte, n int) []byte {
	dst = strconv.AppendInt(dst, version, 10)
	dst = append(dst, '\n')
	dst = strconv.AppendInt(dst, int64(n), 10)
	return append(dst, '\n')
}

// decode checks version and count, and gives the words of each line to parse.
func decode(src []byte, parse func([]string) bool) error {
	if len(src) == 0 {
		return nil
	}
	lines := strings.Split(strings.TrimSuffix(string(bytes.ReplaceAll(src, []byte("\r\n"), []byte("\n"))), "\n"), "\n")
	if v, err := strconv.Atoi(lines[0]); err != nil || v != version {
		return fmt.Errorf("version %q, want %d: %w", clip(lines[0]), version, ErrMalformed)
	}
	if len(lines) == 1 {
		return nil // as a writer that was cut off leaves it; Kafka reads nothing too
	}
	count, err := strconv.Atoi(lines[1])
	if err != nil || count != len(lines)-2 {
		return fmt.Errorf("count %q with %d lines: %w", clip(lines[1]), len(lines)-2, ErrMalformed)
	}
	for i, line := range lines[2:] {
		if !parse(strings.Fields(line)) {
			return fmt.Errorf("line %d %q: %w", i+3, clip(line), ErrMalformed)
		}
	}
	return nil
}

// clip keeps error messages short when a file is garbage.
func clip(s string) string {
	const enough = 60
	if len(s) > enough {
		return s[:enough] + "..."
	}
	return s
}
