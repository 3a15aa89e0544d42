package zkfile

import (
	"encoding/binary"
	"fmt"
	"hash/adler32"
	"strings"

	"github.com/gregor-mq/gregor/internal/env"
	"github.com/gregor-mq/gregor/keeper/tree"
)

const (
	// logHead is magic, version and a database's number.
	logHead = 4 + 4 + 8
	// recordHead is a checksum and a length.
	recordHead = 8 + 4
	// recordEnd stands behind every transaction.
	recordEnd = 'B'
)

// Torn is what a crash left of the last write of a log: nobody was told of it.
type Torn struct {
	File string
	// Offset is where it begins, Bytes how long it is.
	Offset, Bytes int64
}

// logReader reads one log file. ZooKeeper fills a file up with zeros beforehand,
// so those are its end.
type logReader struct {
	name string
	b    []byte
	used int // behind it are zeros alone
	at   int
}

// readLog gives the transactions of a file to take, which returns why one cannot
// be. What a crash left of the last write is returned, nil for nothing. Damage
// is a *CorruptError.
func readLog(fsys env.FS, f File, take func(x *tree.Txn, dg *Digest) (reason string)) (*Torn, error) {
	b, err := fsys.ReadFile(f.Name)
	if err != nil {
		return nil, fmt.Errorf("zookeeper data: %w", err)
	}
	r := &logReader{name: f.Name, b: b, used: len(b)}
	for r.used > 0 && b[r.used-1] == 0 {
		r.used--
	}
	torn, reason := r.all(f, take)
	if reason != "" {
		return nil, &CorruptError{File: f.Name, Offset: int64(r.at), Reason: reason}
	}
	return torn, nil
}

func (r *logReader) all(f File, take func(*tree.Txn, *Digest) string) (*Torn, string) {
	const head = "ZKLG\x00\x00\x00\x02" // with the version; what follows may be zeros
	switch begin := string(r.b[:min(len(head), r.used)]); {
	case !strings.HasPrefix(head, begin):
		return nil, "it does not begin like a log of ZooKeeper"
	case len(begin) < len(head) || len(r.b) < logHead:
		return r.torn(), "" // a crash while the file was made
	}
	for r.at = logHead; r.at < r.used; {
		body, reason := r.record()
		if reason != "" {
			return nil, reason
		}
		if body == nil {
			return r.torn(), ""
		}
		x, dg, reason := decodeTxn(body)
		if reason == "" && r.at == logHead && x.Zxid != f.Zxid {
			reason = fmt.Sprintf("it begins with transaction 0x%x, which is not what its name says", x.Zxid)
		}
		if reason == "" {
			reason = take(&x, dg)
		}
		if reason != "" {
			return nil, reason
		}
		r.at += recordHead + len(body) + 1
	}
	return nil, ""
}

func (r *logReader) torn() *Torn {
	return &Torn{File: r.name, Offset: int64(r.at), Bytes: int64(r.used - r.at)}
}

// record returns the transaction at the place where the reader is, or nil when
// a crash cut it off: then its last byte was not written, nor anything behind it.
func (r *logReader) record() (body []byte, reason string) {
	if r.used <= r.at+recordHead {
		return nil, ""
	}
	size := int64(int32(binary.BigEndian.Uint32(r.b[r.at+8:])))
	end := int64(r.at) + recordHead + size
	if size > 0 && end < int64(r.used) {
		return r.check(int(end))
	}
	switch {
	case size <= 0:
		return nil, fmt.Sprintf("a length of %d, and bytes behind it", size)
	case r.wholeUpTo(r.used):
		return nil, "the length of the last transaction is wrong"
	}
	for p := r.at + 1; p+recordHead < r.used; p++ {
		if n := int64(int32(binary.BigEndian.Uint32(r.b[p+8:]))); n > 0 && int64(p)+recordHead+n < int64(r.used) {
			later := &logReader{b: r.b, at: p}
			if later.wholeUpTo(p + recordHead + int(n) + 1) {
				return nil, fmt.Sprintf("the end of a transaction is missing, though a whole one is at byte %d", p)
			}
		}
	}
	return nil, ""
}

// check returns the transaction whose last byte is at end.
func (r *logReader) check(end int) ([]byte, string) {
	if r.b[end] != recordEnd {
		return nil, "the mark behind a transaction is missing"
	}
	if !r.wholeUpTo(end + 1) {
		return nil, "the checksum of a transaction is wrong"
	}
	return r.b[r.at+recordHead : end : end], ""
}

// wholeUpTo reports whether the bytes up to end are a record, whatever its
// length says.
func (r *logReader) wholeUpTo(end int) bool {
	if end < r.at+recordHead+2 || r.b[end-1] != recordEnd {
		return false
	}
	return binary.BigEndian.Uint64(r.b[r.at:]) == uint64(adler32.Checksum(r.b[r.at+recordHead:end-1]))
}
