package sim

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"

	"github.com/gregor-mq/gregor/record"
	"github.com/gregor-mq/gregor/test/check"
)

// logDirs are the brokers' log.dirs.
var logDirs = []string{"/data/a", "/data/b"}

// readLog returns the bytes of a partition's log on a disk, all segments.
func (m *machine) readLog(p check.Partition) ([]byte, error) {
	for _, dir := range logDirs {
		at := path.Join(dir, p.String())
		files, err := m.disk.ReadDir(at)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		var out []byte
		for _, f := range files { // their names are in the order of offsets
			if !strings.HasSuffix(f.Name(), ".log") {
				continue
			}
			b, err := m.disk.ReadFile(path.Join(at, f.Name()))
			if err != nil {
				return nil, err
			}
			out = append(out, b...)
		}
		return out, nil
	}
	return nil, fmt.Errorf("%s: %w", p, fs.ErrNotExist)
}

// moving is an error while a replica is being moved to another log directory.
func (w *world) moving() error {
	for _, b := range w.brokers {
		for _, dir := range logDirs {
			files, err := b.disk.ReadDir(dir)
			if err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
			for _, f := range files {
				if strings.HasSuffix(f.Name(), "-future") {
					return fmt.Errorf("%s: %s/%s is still being moved", b.Name(), dir, f.Name())
				}
			}
		}
	}
	return nil
}

// sameLogs compares what all replicas of a partition hold, batch by batch, and
// returns what one of them holds.
func sameLogs(p partition, brokers []*process) ([]byte, error) {
	name := check.Partition{Topic: p.topic, Index: p.index}
	var first []byte
	for i, id := range p.replicas {
		log, err := brokers[id].readLog(name)
		if err != nil {
			return nil, fmt.Errorf("broker %d: %w", id, err)
		}
		if i == 0 {
			first = log
			continue
		}
		if !bytes.Equal(first, log) {
			return nil, fmt.Errorf("%v: brokers %d and %d differ: %s", name, p.replicas[0], id, difference(first, log))
		}
	}
	return first, nil
}

// difference names the first batch that is not the same.
func difference(a, b []byte) string {
	one, two := batches(a), batches(b)
	for i := range max(len(one), len(two)) {
		switch {
		case i >= len(one):
			return fmt.Sprintf("only the second goes on, with %s", two[i].text)
		case i >= len(two):
			return fmt.Sprintf("only the first goes on, with %s", one[i].text)
		case !bytes.Equal(one[i].raw, two[i].raw):
			return fmt.Sprintf("%s, and %s", one[i].text, two[i].text)
		}
	}
	return "in what is no batch"
}

type described struct {
	raw  []byte
	text string
}

func batches(log []byte) []described {
	var out []described
	for b, err := range record.All(log) {
		if err != nil {
			return append(out, described{nil, err.Error()})
		}
		out = append(out, described{b, fmt.Sprintf("offsets %d to %d of epoch %d, producer %d", b.BaseOffset(), b.LastOffset(), b.LeaderEpoch(), b.ProducerID())})
	}
	return out
}

// records decodes a whole log.
func records(log []byte) ([]check.Record, error) {
	var out []check.Record
	for b, err := range record.All(log) {
		if err != nil {
			return out, err
		}
		if err := b.Verify(); err != nil {
			return out, err
		}
		for r, err := range b.Records() {
			if err != nil {
				return out, err
			}
			out = append(out, check.Record{Offset: r.Offset, Value: bytes.Clone(r.Value)})
		}
	}
	return out, nil
}
