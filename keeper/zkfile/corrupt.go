package zkfile

import "fmt"

// CorruptError says that a file of ZooKeeper holds bytes that it never wrote
// so, or that something is missing.
type CorruptError struct {
	File string
	// Offset is where, in bytes; in a compressed file, of what it unpacks to
	// unless Packed.
	Offset int64
	Packed bool
	Reason string
	// Unfinished says that the end of a snapshot was never written: ZooKeeper was
	// killed meanwhile, and passes the file over itself.
	Unfinished bool
}

// Error implements error.
func (e *CorruptError) Error() string {
	of := ""
	if e.Packed {
		of = " of the compressed bytes"
	}
	return fmt.Sprintf("%s is damaged at byte %d%s: %s", e.File, e.Offset, of, e.Reason)
}
