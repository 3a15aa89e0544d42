package client

import "time"

// Record is one record, to be produced or consumed.
type Record struct {
	Topic string
	// Partition is where the record is. The producer sets it, by its partitioner,
	// when it takes the record.
	Partition int32
	// Offset is the record's place in its partition; -1 when it is not known: with
	// AcksNone, and for a record that the broker already had.
	Offset int64
	// Key and Value are null when nil. They belong to the producer until the
	// record is acknowledged.
	Key, Value []byte
	Headers    []Header
	// Timestamp is kept in milliseconds. The producer sets the time when it took
	// the record in place of a zero one.
	Timestamp time.Time
	// LeaderEpoch is that of the leader which took the record from its producer;
	// -1 when it is not known. Only consumers are told.
	LeaderEpoch int32
}

// Header is a name and a value that travel with a record. Names may repeat.
type Header struct {
	Key string
	// Value is null when nil.
	Value []byte
}
