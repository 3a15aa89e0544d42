package keeper

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/gregor-mq/gregor/keeper/tree"
)

// entryVersion begins every log entry that holds transactions.
const entryVersion = 2

// origin says which call of which member a transaction answers; the zero value
// is for the keeper's own.
type origin struct{ member, seq uint64 }

// batch is the transactions of one log entry.
type batch struct {
	txns    []tree.Txn
	origins []origin // as long as txns
	data    []byte   // of the entry
	last    []origin // each member's last call in it
}

func newBatch() *batch { return &batch{data: []byte{entryVersion}} }

// add appends a transaction; it reports whether the entry is full.
func (b *batch) add(x tree.Txn, from origin) (full bool) {
	b.data = binary.AppendUvarint(b.data, from.member)
	if from.member != 0 {
		last := b.lastOf(from.member)
		b.data = binary.AppendUvarint(b.data, from.seq-*last)
		*last = from.seq
	}
	b.data = tree.AppendTxn(b.data, &x)
	b.txns = append(b.txns, x)
	b.origins = append(b.origins, from)
	return len(b.txns) >= maxBatchTxns || len(b.data) >= maxBatchBytes
}

// lastOf is the number of a member's last call in the entry, 0 for none.
func (b *batch) lastOf(member uint64) *uint64 {
	for i := range b.last {
		if b.last[i].member == member {
			return &b.last[i].seq
		}
	}
	b.last = append(b.last, origin{member: member})
	return &b.last[len(b.last)-1].seq
}

var errEntry = errors.New("malformed entry")

// decodeBatch reads an entry, also one of version 1, in which nobody is named.
// Data of transactions aliases src.
func decodeBatch(src []byte) (*batch, error) {
	version := src[0]
	if version != 1 && version != entryVersion {
		return nil, fmt.Errorf("it has format version %d, this program reads 1 and %d; use the program that wrote it",
			version, entryVersion)
	}
	b := &batch{}
	for rest := src[1:]; len(rest) > 0; {
		var from origin
		if version == entryVersion {
			var ok bool
			if from, rest, ok = b.decodeOrigin(rest); !ok {
				return nil, fmt.Errorf("%w: at byte %d of %d", errEntry, len(src)-len(rest), len(src))
			}
		}
		x, tail, err := tree.DecodeTxn(rest)
		if err != nil {
			return nil, fmt.Errorf("%w, which begin at byte %d", err, len(src)-len(rest))
		}
		b.txns, b.origins = append(b.txns, x), append(b.origins, from)
		rest = tail
	}
	return b, nil
}

func (b *batch) decodeOrigin(src []byte) (from origin, rest []byte, ok bool) {
	var n int
	if from.member, n = binary.Uvarint(src); n <= 0 || from.member > maxMember {
		return from, src, false
	}
	src = src[n:]
	if from.member == 0 {
		return from, src, true
	}
	diff, n := binary.Uvarint(src)
	if n <= 0 {
		return from, src, false
	}
	last := b.lastOf(from.member)
	*last += diff
	from.seq = *last
	return from, src[n:], true
}
