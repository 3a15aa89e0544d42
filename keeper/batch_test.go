package keeper

import (
	"reflect"
	"testing"

	"github.com/gregor-mq/gregor/keeper/tree"
	"github.com/gregor-mq/gregor/zk"
)

// someBatch has calls of two members, the keeper's own between them.
func someBatch() *batch {
	b := newBatch()
	for i, from := range []origin{{1, 1 << 60}, {}, {2, 7}, {1, 1<<60 + 1}, {2, 9}, {}} {
		b.add(tree.Txn{Zxid: int64(i), Session: 5, Op: zk.OpSetData, Path: "/a", Data: []byte("x"), Version: int32(i)}, from)
	}
	return b
}

func TestBatchKeepsWhoAsked(t *testing.T) {
	b := someBatch()
	got, err := decodeBatch(b.data)
	if err != nil || !reflect.DeepEqual(got.origins, b.origins) || !reflect.DeepEqual(got.txns, b.txns) {
		t.Fatalf("%v\n%+v\n%+v", err, got, b)
	}
	old := tree.AppendTxn([]byte{1}, &b.txns[0]) // version 1
	if got, err = decodeBatch(old); err != nil || len(got.txns) != 1 || got.origins[0] != (origin{}) {
		t.Fatalf("version 1: %v, %+v", err, got)
	}
	for n := 1; n < len(b.data); n++ {
		if got, err := decodeBatch(b.data[:n]); err == nil && len(got.txns) == len(b.txns) {
			t.Fatalf("cut at %d: %+v", n, got)
		}
	}
}

func FuzzDecodeBatch(f *testing.F) {
	f.Add(someBatch().data)
	f.Add([]byte{1})
	f.Fuzz(func(t *testing.T, src []byte) {
		if len(src) == 0 {
			return
		}
		if b, err := decodeBatch(src); err == nil && len(b.txns) != len(b.origins) {
			t.Fatalf("%d transactions of %d", len(b.txns), len(b.origins))
		}
	})
}
