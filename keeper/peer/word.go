package peer

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"slices"
	"strings"
)

// A word is what two members say outside of a stream of frames. Its head is the
// same in every version, so that a refusal is always understood.
type word struct {
	version byte
	kind    wordKind
	body    []byte
}

type wordKind byte

const (
	wordHello     wordKind = 1 // opens a connection for messages
	wordFileHello wordKind = 2 // opens a connection for one file
	wordAnswer    wordKind = 3 // the hello of the one who was dialed
	wordRefusal   wordKind = 4 // a reason; nothing follows
	wordReady     wordKind = 5 // messages follow
	wordFile      wordKind = 6 // size and header; chunks follow
	wordBusy      wordKind = 7 // the file is being taken
	wordTaken     wordKind = 8 // the file was taken
)

const (
	magic = "GRGPEER"
	// formatVersion is that of words, frames and files.
	formatVersion = 1
	wordHead      = len(magic) + 1 + 1 + 4 + 4
	// maxGreeting bounds Hello.Greeting and a file's header.
	maxGreeting = 64 << 10
	helloSize   = 4 + 4*8
	maxBody     = helloSize + maxGreeting
	// maxReason bounds the text of a refusal.
	maxReason = 1 << 10
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// appendWord adds the bytes of a word of this version.
func appendWord(dst []byte, kind wordKind, body []byte) []byte {
	dst = append(dst, magic...)
	at := len(dst)
	dst = append(dst, formatVersion, byte(kind))
	dst = binary.BigEndian.AppendUint32(dst, uint32(len(body)))
	crc := crc32.Update(crc32.Checksum(dst[at:], castagnoli), castagnoli, body)
	dst = binary.BigEndian.AppendUint32(dst, crc)
	return append(dst, body...)
}

// readWord reads one word, of whatever version.
func readWord(r io.Reader) (word, error) {
	var h [wordHead]byte
	if _, err := io.ReadFull(r, h[:]); err != nil {
		return word{}, err
	}
	if string(h[:len(magic)]) != magic {
		return word{}, &ProtocolError{Reason: fmt.Sprintf("not a member's words: %q", h[:])}
	}
	rest := h[len(magic):]
	w := word{version: rest[0], kind: wordKind(rest[1])}
	size := binary.BigEndian.Uint32(rest[2:])
	if size > maxBody {
		return w, &ProtocolError{Reason: fmt.Sprintf("a word of %d bytes, limit %d", size, maxBody)}
	}
	var err error
	if w.body, err = readGrowing(r, int(size)); err != nil {
		return w, unexpected(err)
	}
	want := binary.BigEndian.Uint32(rest[6:])
	if got := crc32.Update(crc32.Checksum(rest[:6], castagnoli), castagnoli, w.body); got != want {
		return w, &ProtocolError{Reason: fmt.Sprintf("a word of kind %d has CRC %08x, its bytes %08x", w.kind, want, got)}
	}
	return w, nil
}

// unexpected marks an end in the middle of something.
func unexpected(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// refusal returns the reason in a word that is one, bounded and printable.
func (w word) refusal() *RefusedError {
	return &RefusedError{Reason: strings.ToValidUTF8(cut(string(w.body)), "?")}
}

func cut(reason string) string { return reason[:min(len(reason), maxReason)] }

// is says what is wrong with a word where one of certain kinds is due.
func (w word) is(kinds ...wordKind) error {
	if w.kind == wordRefusal {
		return w.refusal()
	}
	if w.version != formatVersion {
		return &ProtocolError{Reason: fmt.Sprintf("speaks version %d of the format, not %d", w.version, formatVersion)}
	}
	if slices.Contains(kinds, w.kind) {
		return nil
	}
	return &ProtocolError{Reason: fmt.Sprintf("a word of kind %d, not of %d", w.kind, kinds)}
}

// readGrowing reads size bytes into a buffer that grows with those that come.
func readGrowing(r io.Reader, size int) ([]byte, error) {
	if size == 0 {
		return nil, nil
	}
	b := make([]byte, min(size, firstGrowth))
	have := 0
	for {
		n, err := io.ReadFull(r, b[have:])
		have += n
		if err != nil || have == size {
			return b[:have], err
		}
		grown := make([]byte, min(size, growth*len(b)))
		copy(grown, b)
		b = grown
	}
}
