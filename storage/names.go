package storage

import (
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
)

// Names of files in a log directory and in a partition's directory.
const (
	fileLock        = ".lock"
	fileMeta        = "meta.properties"
	fileClean       = ".kafka_cleanshutdown"
	fileEpochs      = "leader-epoch-checkpoint"
	filePartition   = "partition.metadata"
	fileMoved       = "gregor.moved" // in a replica's directory: see Log.TakeOver
	dirRemoteCache  = "remote-log-index-cache"
	suffixLog       = ".log"
	suffixIndex     = ".index"
	suffixTimeIndex = ".timeindex"
	suffixTxnIndex  = ".txnindex"
	suffixSnapshot  = ".snapshot"
	suffixDeleted   = ".deleted"
	suffixCleaned   = ".cleaned"
	suffixSwap      = ".swap"
	suffixTmp       = ".tmp"
)

// maxName is the longest name of a directory that file systems take, in bytes.
const maxName = 255

// Checkpoint names one of the offset checkpoint files of a Dir.
type Checkpoint string

// The offset checkpoints.
const (
	RecoveryPoints Checkpoint = "recovery-point-offset-checkpoint" // flushed up to here
	LogStarts      Checkpoint = "log-start-offset-checkpoint"      // starts above the first segment
	HighWatermarks Checkpoint = "replication-offset-checkpoint"
	CleanerPoints  Checkpoint = "cleaner-offset-checkpoint"
)

// TopicPartition names one partition.
type TopicPartition struct {
	Topic     string
	Partition int32
}

// String is the name of the partition's directory.
func (tp TopicPartition) String() string { return tp.Topic + "-" + strconv.Itoa(int(tp.Partition)) }

// PartitionKind says what a directory of a partition is for.
type PartitionKind uint8

// The kinds.
const (
	Current PartitionKind = iota // the replica
	Deleted                      // -delete: to be removed
	Future                       // -future: being copied from another log directory
	Stray                        // -stray: set aside by KRaft migration, not served
)

var kindSuffixes = [...]string{Deleted: "-delete", Future: "-future", Stray: "-stray"}

// PartitionDir is one directory of a Dir.
type PartitionDir struct {
	TopicPartition
	Kind PartitionKind
	Name string // of the directory
}

// parsePartitionDir takes a name apart. The topic of a deleted partition may be
// cut short.
func parsePartitionDir(name string) (PartitionDir, bool) {
	p := PartitionDir{Name: name}
	plain := name
	for kind := Deleted; kind <= Stray; kind++ {
		stem, found := strings.CutSuffix(name, kindSuffixes[kind])
		if !found {
			continue
		}
		dot := strings.LastIndexByte(stem, '.')
		if dot < 0 || dot == len(stem)-1 {
			return p, false
		}
		p.Kind, plain = kind, stem[:dot]
	}
	dash := strings.LastIndexByte(plain, '-')
	if dash <= 0 {
		return p, false
	}
	n, err := strconv.ParseInt(plain[dash+1:], 10, 32)
	if err != nil {
		return p, false
	}
	p.Topic, p.Partition = plain[:dash], int32(n)
	return p, true
}

// CanMove reports whether a future copy of the partition could have a name: the
// topic is not cut short in it, so that it can be found again.
func (tp TopicPartition) CanMove() bool { return len(markedName(tp, Future, [16]byte{})) <= maxName }

// markedName is a new name for a partition's directory of that kind. The topic
// is cut where the name would become too long, except for Future.
func markedName(tp TopicPartition, kind PartitionKind, random [16]byte) string {
	tail := fmt.Sprintf("-%d.%s%s", tp.Partition, hex.EncodeToString(random[:]), kindSuffixes[kind])
	topic := tp.Topic
	if room := maxName - len(tail); kind != Future && len(topic) > room {
		topic = topic[:room]
	}
	return topic + tail
}

// fileName is the name of a segment's or snapshot's file.
func fileName(offset int64, suffix string) string { return fmt.Sprintf("%020d%s", offset, suffix) }

// parseFileName takes the name of a segment's or snapshot's file apart: rest is
// everything from the first dot on.
func parseFileName(name string) (offset int64, rest string, ok bool) {
	dot := strings.IndexByte(name, '.')
	if dot <= 0 {
		return 0, "", false
	}
	offset, err := strconv.ParseInt(name[:dot], 10, 64)
	if err != nil || offset < 0 || name[0] == '+' {
		return 0, "", false
	}
	return offset, name[dot:], true
}
