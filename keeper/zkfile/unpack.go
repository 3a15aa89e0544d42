package zkfile

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/klauspost/compress/snappy"
)

// The endings of compressed snapshots (snapshot.compression.method, since 3.6).
const (
	packedGzip   = ".gz"
	packedSnappy = ".snappy"
)

// maxSnapshot bounds what a compressed snapshot may unpack to: a tree has to fit
// into memory, and ZooKeeper's had to as well.
const maxSnapshot = 64 << 30

// unpack returns what ZooKeeper wrote through the compression that the name tells.
func unpack(name string, b []byte) ([]byte, error) {
	switch {
	case strings.HasSuffix(name, packedGzip):
		return unpackGzip(name, b)
	case strings.HasSuffix(name, packedSnappy):
		return unpackSnappy(name, b)
	}
	return b, nil
}

func unpackGzip(name string, b []byte) ([]byte, error) {
	src := bytes.NewReader(b)
	out := []byte{}
	z, err := gzip.NewReader(src)
	if err == nil {
		out, err = io.ReadAll(io.LimitReader(z, maxSnapshot))
	}
	if err != nil {
		return nil, &CorruptError{
			File: name, Offset: int64(len(b) - src.Len()), Packed: true, Reason: "gzip: " + err.Error(),
			Unfinished: errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF),
		}
	}
	return out, nil
}

// snappyMagic begins a stream of the Java library, before two versions of four
// bytes; then come blocks, each behind its length.
var snappyMagic = []byte{0x82, 'S', 'N', 'A', 'P', 'P', 'Y', 0}

var errSnappyCut = errors.New("the stream is cut")

func unpackSnappy(name string, b []byte) ([]byte, error) {
	const head = 8 + 4 + 4
	bad := func(at int, why error) error {
		return &CorruptError{
			File: name, Offset: int64(at), Packed: true, Reason: "snappy: " + why.Error(), Unfinished: errors.Is(why, errSnappyCut),
		}
	}
	switch {
	case !bytes.HasPrefix(b, snappyMagic[:min(len(b), len(snappyMagic))]):
		return nil, bad(0, errors.New("the stream does not begin like one"))
	case len(b) < head:
		return nil, bad(0, errSnappyCut)
	}
	var out []byte
	for at := head; at < len(b); {
		if len(b)-at < 4 {
			return nil, bad(at, errSnappyCut)
		}
		n := int64(binary.BigEndian.Uint32(b[at:]))
		if n > int64(len(b)-at-4) {
			return nil, bad(at, errSnappyCut)
		}
		block := b[at+4 : at+4+int(n)]
		size, err := snappy.DecodedLen(block)
		if err == nil && int64(len(out))+int64(size) > maxSnapshot {
			err = fmt.Errorf("it unpacks to more than %d bytes", int64(maxSnapshot))
		}
		var part []byte
		if err == nil {
			part, err = snappy.Decode(nil, block)
		}
		if err != nil {
			return nil, bad(at, err)
		}
		out = append(out, part...)
		at += 4 + int(n)
	}
	return out, nil
}
