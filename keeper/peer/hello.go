package peer

import (
	"encoding/binary"
	"fmt"
)

// Hello is what each end of a connection says first.
type Hello struct {
	// Version of what the owner sends, for Handler.Accept to judge.
	Version uint32
	// Ensemble is the ensemble's id, 0 while it is not known.
	Ensemble uint64
	// Member is the number of the one who speaks, 1 to 254.
	Member uint64
	// To is the number of the one that is spoken to; Greet need not set it.
	To uint64
	// Boot is random and differs with every process.
	Boot uint64
	// Greeting is opaque to this package, at most 64 KiB.
	Greeting []byte
}

func appendHello(dst []byte, h Hello) []byte {
	dst = binary.BigEndian.AppendUint32(dst, h.Version)
	for _, n := range []uint64{h.Ensemble, h.Member, h.To, h.Boot} {
		dst = binary.BigEndian.AppendUint64(dst, n)
	}
	return append(dst, h.Greeting...)
}

func decodeHello(b []byte) (Hello, error) {
	if len(b) < helloSize {
		return Hello{}, &ProtocolError{Reason: fmt.Sprintf("a hello of %d bytes, fewer than %d", len(b), helloSize)}
	}
	u64 := func(i int) uint64 { return binary.BigEndian.Uint64(b[4+8*i:]) }
	h := Hello{Version: binary.BigEndian.Uint32(b), Ensemble: u64(0), Member: u64(1), To: u64(2), Boot: u64(3), Greeting: b[helloSize:]}
	if h.Member < 1 || h.Member > maxMember {
		return Hello{}, &ProtocolError{Reason: fmt.Sprintf("a hello of member %d, outside of 1 to %d", h.Member, maxMember)}
	}
	return h, nil
}

// meets says what is wrong when a hello answers mine: either may be dialed at an
// address that belongs to somebody else.
func (h Hello) meets(mine Hello) error {
	switch {
	case h.To != mine.Member:
		return fmt.Errorf("this is member %d, not %d", mine.Member, h.To)
	case h.Member != mine.To:
		return fmt.Errorf("member %d answers, not %d", h.Member, mine.To)
	case h.Member == mine.Member:
		return fmt.Errorf("both ends are member %d", h.Member)
	}
	return nil
}
