package peer

import (
	"errors"
	"io"
	"syscall"
)

// Why a connection ended, besides what the network says; see Gone.
var (
	// ErrSilent: the other end sent nothing, or took nothing, for too long.
	ErrSilent = errors.New("the other end is silent")
	// ErrReplaced: the member made a newer connection.
	ErrReplaced = errors.New("replaced by a newer connection")
	// ErrRestarted: another process speaks for the member now.
	ErrRestarted = errors.New("another process of the member has come")
	// ErrOverflow: more waited to be sent than Config allows.
	ErrOverflow = errors.New("too much waits to be sent")
	// ErrMoved: the member's address was changed.
	ErrMoved = errors.New("the address has changed")
	// ErrRemoved: the member is no longer named.
	ErrRemoved = errors.New("no longer a member")
	// ErrStopped: Stop was called.
	ErrStopped = errors.New("stopped")
)

// Gone reports whether a connection ended because the other end closed it, as
// the system does for a process that is killed. It is false when the other end
// was only silent, and for what this end decided.
func Gone(err error) bool {
	for _, end := range []error{io.EOF, io.ErrUnexpectedEOF, syscall.ECONNRESET, syscall.EPIPE, syscall.ECONNABORTED} {
		if errors.Is(err, end) {
			return true
		}
	}
	return false
}

// RefusedError says that the other side does not want to talk, or did not take
// a file.
type RefusedError struct {
	Reason string // its own words
}

func (e *RefusedError) Error() string { return "refused: " + e.Reason }

// ProtocolError says that bytes came which no member sends: damage, or a
// stranger.
type ProtocolError struct {
	Reason string
}

func (e *ProtocolError) Error() string { return e.Reason }
