package check

import (
	"bytes"
	"encoding/binary"
	"strings"
	"testing"
)

// entry is an entry of format 2 with a base offset, a leader epoch and a body.
func entry(base int64, epoch uint32, body string) []byte {
	b := binary.BigEndian.AppendUint64(nil, uint64(base))
	b = binary.BigEndian.AppendUint32(b, uint32(4+1+4+len(body)))
	b = binary.BigEndian.AppendUint32(b, epoch)
	b = append(b, 2, 0, 0, 0, 7)
	return append(b, body...)
}

func TestSameReplicas(t *testing.T) {
	a, b, c := entry(0, 1, "aa"), entry(3, 1, "b"), entry(4, 2, "cc")
	log := func(parts ...[]byte) []byte { return bytes.Join(parts, nil) }
	f := func(start, end int64, want string, logs ...[]byte) {
		t.Helper()
		var replicas []Replica
		for i, l := range logs {
			replicas = append(replicas, Replica{Name: string(rune('x' + i)), Log: l})
		}
		err := SameReplicas(p, start, end, replicas)
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
	f(0, 5, "", log(a, b, c), log(a, b, c), log(a, b, c))
	f(0, 0, "", nil, nil)
	f(0, 4, "", log(a, b, c), log(a, b)) // what lies above the watermark may differ
	f(0, 4, "", log(a, b, c), log(a, b, entry(4, 1, "other")))
	f(0, 5, "", log(b, c), log(a, b, c)) // retention was quicker here
	f(3, 5, "", log(a, b, c), log(entry(0, 1, "xx"), b, c))
	f(0, 5, "x has 23 bytes at offset 4 (epoch 2, checksum 00000007), y has ended", log(a, b, c), log(a, b))
	f(0, 5, "y has 23 bytes at offset 4 (epoch 3,", log(a, b, c), log(a, b, entry(4, 3, "cc")))
	f(0, 5, "x has 22 bytes at offset 3", log(a, b, c), log(a, c))
	f(0, 5, "y: offset 0 follows 3", log(a, b, c), log(b, a, c))
	f(0, 5, "y: the entry at offset 4 has 10 of 11 bytes", log(a, b, c), log(a, b, c[:len(c)-1]))
	f(0, 5, "y: 3 bytes behind offset 4 are no entry", log(a, b, c), log(a, b, c, []byte("abc")))
	f(0, 5, "x has 23 bytes at offset 0 (epoch 1, checksum 00000007), y has ended", log(a, b, c), nil)
}

func TestReplicaEnds(t *testing.T) {
	body := string([]byte{0, 0, 0, 0, 0, 4}) // attributes, then the delta of the last offset
	log := append(entry(3, 1, body), entry(8, 1, body)...)
	if got := (Replica{Log: log}).End(); got != 13 {
		t.Errorf("ends at %d", got)
	}
	if _, ok := (Replica{}).Start(); ok {
		t.Error("an empty log begins somewhere")
	}
	if got, ok := (Replica{Log: log}).Start(); got != 3 || !ok {
		t.Errorf("start %d %v", got, ok)
	}
	if got := (Replica{}).End(); got != 0 {
		t.Errorf("an empty one ends at %d", got)
	}
}
