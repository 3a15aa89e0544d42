package storage

import (
	"errors"
	"fmt"
	"io/fs"
	"syscall"
)

// Errors that callers tell apart; the numbers are those of the protocol.
var (
	// ErrTooLarge: a batch is above max.message.bytes (10).
	ErrTooLarge = errors.New("batch exceeds max.message.bytes")
	// ErrSegmentTooSmall: a batch is above segment.bytes (18).
	ErrSegmentTooSmall = errors.New("batch exceeds segment.bytes")
	// ErrClosed: the log was closed, deleted or moved away.
	ErrClosed = errors.New("log is closed")
	// ErrExhausted: no descriptor or memory was left to open a file (56). The
	// disk is well, and trying again is safe; what a Flush was to make durable may
	// be in the log already.
	ErrExhausted = errors.New("no file descriptor or memory is left to open a file")
	// ErrBehind: a copy is not level with the log that it is to replace.
	ErrBehind = errors.New("copy is not level with its log")
	// ErrTopicID: another topic id than the one on disk (103).
	ErrTopicID = errors.New("topic id differs from the one on disk")
	// ErrOverflow: offsets of one segment span more than 2³¹−1. Brokers before
	// 2012 could write such segments; nothing is changed on disk.
	ErrOverflow = errors.New("segment spans more offsets than its index can hold")
)

// OffsetError says that an offset is outside of the log (1).
type OffsetError struct {
	Offset     int64
	Start, End int64 // of the log, at that moment
}

func (e *OffsetError) Error() string {
	return fmt.Sprintf("offset %d is outside of [%d, %d]", e.Offset, e.Start, e.End)
}

// OrderError says that a follower was given batches that do not continue its
// log. First and Last let the caller restart an empty log there.
type OrderError struct {
	First, Last int64 // of the batches
	End         int64 // of the log
}

func (e *OrderError) Error() string {
	return fmt.Sprintf("batches [%d, %d] do not continue the log at %d", e.First, e.Last, e.End)
}

// DirError says that a log directory cannot be used: an operation of the disk
// failed (KAFKA_STORAGE_ERROR 56). It takes the directory offline, not others.
type DirError struct {
	Dir string // the entry of log.dirs
	Op  string // what was tried
	Err error
}

func (e *DirError) Error() string {
	return fmt.Sprintf("log directory %s: %s: %v", e.Dir, e.Op, e.Err)
}

// Unwrap gives the cause, usually a *fs.PathError.
func (e *DirError) Unwrap() error { return e.Err }

// LockedError says that another process uses a log directory.
type LockedError struct {
	Dir string
	Err error
}

func (e *LockedError) Error() string {
	return fmt.Sprintf("log directory %s is in use by another broker process: stop it, or give this broker other log.dirs (%v)", e.Dir, e.Err)
}

// Unwrap gives env.ErrLocked.
func (e *LockedError) Unwrap() error { return e.Err }

// MetaError says that meta.properties of a log directory does not belong to
// this broker, or cannot be understood. Nothing was written.
type MetaError struct {
	File string
	What string // what is wrong
	Mend string // what an operator can do
	Err  error  // may be nil
}

func (e *MetaError) Error() string { return fmt.Sprintf("%s: %s; %s", e.File, e.What, e.Mend) }

// Unwrap gives the cause, if there is one.
func (e *MetaError) Unwrap() error { return e.Err }

// StrayError says that a log directory holds a directory that is no partition.
type StrayError struct {
	Dir  string
	Name string
}

func (e *StrayError) Error() string {
	return fmt.Sprintf("%s holds the directory %q, which is neither topic-partition nor marked -delete, -future or -stray: "+
		"log.dirs must hold nothing else; move it away", e.Dir, e.Name)
}

// exhausted marks an error of opening a file that is about this process or
// system, and not about the disk.
func exhausted(err error) error {
	if noDescriptor(err) || errors.Is(err, syscall.ENOMEM) {
		return fmt.Errorf("%w: %w", ErrExhausted, err)
	}
	return err
}

// noDescriptor says that an error is, or is marked as, one that only opening a
// file can meet.
func noDescriptor(err error) bool {
	return errors.Is(err, ErrExhausted) || errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE)
}

func notExist(err error) bool { return errors.Is(err, fs.ErrNotExist) }
