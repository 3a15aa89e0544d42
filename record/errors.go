package record

import (
	"errors"
	"fmt"
)

// ErrShort says that the bytes end before the batch, or its header, does. It is
// what a reader of a log file meets at the end of its window; in a request it
// means corruption.
var ErrShort = errors.New("record batch is not whole")

// ErrOldFormat says that a v2 batch was wanted and a magic 0 or 1 entry found.
var ErrOldFormat = errors.New("message format is older than v2")

// ErrTooLarge says that a conversion grew beyond the limit its caller set
// (MESSAGE_TOO_LARGE 10).
var ErrTooLarge = errors.New("converted batch exceeds its size limit")

// ErrUnsupportedCodec says that a codec cannot be written in the target format
// (UNSUPPORTED_COMPRESSION_TYPE 76): zstd in magic 0 or 1, an unknown codec number.
var ErrUnsupportedCodec = errors.New("unsupported compression type")

// CorruptError says that bytes are damaged: a wrong checksum, an impossible
// length, an unknown magic (CORRUPT_MESSAGE 2).
type CorruptError struct {
	Reason string // what was found, with its value
}

func (e *CorruptError) Error() string { return "corrupt batch: " + e.Reason }

func corrupt(format string, args ...any) error {
	return &CorruptError{Reason: fmt.Sprintf(format, args...)}
}

// InvalidError says that a batch with a good checksum breaks a rule of its
// format or one the leader enforces on producers (INVALID_RECORD 87).
type InvalidError struct {
	Reason string // the rule, with the value that broke it
}

func (e *InvalidError) Error() string { return "invalid record: " + e.Reason }

func invalid(format string, args ...any) error {
	return &InvalidError{Reason: fmt.Sprintf(format, args...)}
}
