package replica

import (
	"cmp"
	"errors"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/gregor-mq/gregor/internal/run"
	"github.com/gregor-mq/gregor/quota"
	"github.com/gregor-mq/gregor/storage"
	"github.com/gregor-mq/gregor/wire"
)

// A replica moves to another log directory (AlterReplicaLogDirs) while it is in
// use: a copy there is filled from the log, and takes its place when it is
// level. move.go is the table of what moves, move_copy.go fills the copies,
// move_finish.go replaces, move_load.go finds them again at the start.

// MoveConfig is what moves between log directories know of the properties.
type MoveConfig struct {
	// Backoff is replica.fetch.backoff.ms: the pause after a failure, and the
	// longest between two looks at the throttle.
	Backoff time.Duration
	// Throttle is replica.alter.log.dirs.io.max.bytes.per.second; nil is none.
	Throttle *quota.Replication
}

// move is one replica on its way.
type move struct {
	key  partitionKey
	copy *storage.Log // in the directory that it moves to
	// part is nil until LeaderAndIsr names the partition; guarded by moves.
	part *Partition

	// What follows belongs to the goroutine that fills the copy.
	after time.Time // not to be tried again before
	told  string    // the failure that was logged last
}

// moves is the table of what moves. What is in it changes with Manager.control
// held, but for copies whose disk failed.
type moves struct {
	// ready wakes the goroutine that fills the copies of a directory; the map
	// itself never changes.
	ready map[*storage.Dir]chan struct{}

	mu struct {
		sync.Mutex
		all map[partitionKey]*move
		// preferred is where replicas that are not here yet are to be made.
		preferred map[partitionKey]*storage.Dir
		// left are logs whose place was taken by a copy in a directory that failed
		// at that moment: either may be the one that the next start finds.
		left []*storage.Log
	}
	// twins are logs whose place another one took before the start; guarded by
	// Manager.control.
	twins []*storage.Log
}

// maxPreferred bounds the wishes for replicas that never came: more than any
// broker holds.
const maxPreferred = 1 << 20

func (v *moves) init(dirs []*storage.Dir) {
	v.mu.all, v.mu.preferred = map[partitionKey]*move{}, map[partitionKey]*storage.Dir{}
	v.ready = make(map[*storage.Dir]chan struct{}, len(dirs))
	for _, d := range dirs {
		v.ready[d] = make(chan struct{}, 1)
	}
}

func (v *moves) find(key partitionKey) *move {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.mu.all[key]
}

// put adds a move, unless the partition has one.
func (v *moves) put(mv *move) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.mu.all[mv.key] != nil {
		return false
	}
	v.mu.all[mv.key] = mv
	return true
}

// remove takes a move out; it reports whether it was in.
func (v *moves) remove(mv *move) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.mu.all[mv.key] != mv {
		return false
	}
	delete(v.mu.all, mv.key)
	return true
}

// start lets the copy be filled.
func (v *moves) start(mv *move, p *Partition) {
	v.mu.Lock()
	mv.part = p
	v.mu.Unlock()
	run.Hint(v.ready[mv.copy.Dir()])
}

// partition is the one whose replica moves, nil while LeaderAndIsr did not name it.
func (v *moves) partition(mv *move) *Partition {
	v.mu.Lock()
	defer v.mu.Unlock()
	return mv.part
}

// each calls f for every copy, without holding the table's lock.
func (v *moves) each(f func(l *storage.Log)) {
	for _, mv := range v.list() {
		f(mv.copy)
	}
}

// in returns the logs in a directory that no partition has as its own.
func (v *moves) in(d *storage.Dir) (logs []*storage.Log) {
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, mv := range v.mu.all {
		if mv.copy.Dir() == d {
			logs = append(logs, mv.copy)
		}
	}
	for _, l := range v.mu.left {
		if l.Dir() == d {
			logs = append(logs, l)
		}
	}
	return logs
}

// list returns all moves, by name.
func (v *moves) list() []*move {
	v.mu.Lock()
	all := make([]*move, 0, len(v.mu.all))
	for _, mv := range v.mu.all {
		all = append(all, mv)
	}
	v.mu.Unlock()
	slices.SortFunc(all, func(a, b *move) int {
		return cmp.Or(cmp.Compare(a.key.topic, b.key.topic), cmp.Compare(a.key.index, b.key.index))
	})
	return all
}

// DirChange asks for a replica to lie in a log directory of this broker.
type DirChange struct {
	Topic     string
	Partition int32
	// Dir is the directory as DescribeDirs tells it.
	Dir string
}

// AlterDirs begins moves of replicas to other log directories, and returns what
// became of each: nil, a wire.Code or a *storage.DirError. A replica that moves
// already moves to the new directory instead, or stays when it lies there. One
// that is not here is REPLICA_NOT_AVAILABLE, and will be made there when it
// comes.
func (m *Manager) AlterDirs(changes []DirChange) []error {
	m.control.Lock()
	defer m.control.Unlock()
	out := make([]error, len(changes))
	var begun []*move
	grown := map[*storage.Dir]bool{}
	for i, c := range changes {
		mv, err := m.alterDir(c)
		if mv != nil {
			begun = append(begun, mv)
			grown[mv.copy.Dir()] = true
		}
		if out[i] = m.observe(err); err != nil {
			m.log.Warn("cannot move a replica", "topic", c.Topic, "partition", c.Partition, "dir", c.Dir, "error", err)
		}
	}
	for _, d := range m.dirs {
		if grown[d] {
			// What a former replica of the name left in the checkpoints is not
			// about these. Before a record is in them.
			_ = m.checkpointDir(d) // it has told the log
		}
	}
	for _, mv := range begun {
		m.moves.start(mv, m.lookup(mv.key.topic, mv.key.index))
	}
	return out
}

// alterDir handles one change; the move is not nil when it is a new one, to
// be started.
func (m *Manager) alterDir(c DirChange) (*move, error) {
	key := partitionKey{c.Topic, c.Partition}
	if !(storage.TopicPartition{Topic: c.Topic, Partition: c.Partition}).CanMove() {
		return nil, wire.CodeInvalidTopicException
	}
	dir, err := m.dirAt(c.Dir)
	if err != nil {
		return nil, err
	}
	p := m.lookup(c.Topic, c.Partition)
	if p != nil && p.offline() {
		return nil, wire.CodeKafkaStorageError
	}
	if mv := m.moves.find(key); p != nil && mv != nil && mv.copy.Dir() != dir {
		m.cancelMove(key)
	}
	if p == nil || m.stopped {
		m.prefer(key, dir)
		return nil, m.notHere(c)
	}
	if mv := m.moves.find(key); mv != nil || p.log().Dir() == dir {
		return nil, nil // on its way, or there
	}
	if err := m.dirMissing(); err != nil {
		return nil, err // a copy may lie there already
	}
	return m.beginMove(p, dir)
}

// dirAt returns the log directory of a path. Errors: LOG_DIR_NOT_FOUND,
// KAFKA_STORAGE_ERROR, *storage.DirError.
func (m *Manager) dirAt(path string) (*storage.Dir, error) {
	for _, d := range m.dirs {
		if samePath(d.Path(), path) {
			if err := d.Failed(); err != nil {
				return nil, err
			}
			return d, nil
		}
	}
	for _, d := range m.cfg.Missing {
		if samePath(d.Path, path) {
			return nil, wire.CodeKafkaStorageError
		}
	}
	return nil, wire.CodeLogDirNotFound
}

func samePath(configured, asked string) bool {
	asked = filepath.Clean(asked)
	return asked == filepath.Clean(configured) || asked == absolute(configured)
}

// absolute is a directory as brokers tell it to clients.
func absolute(path string) string {
	if abs, err := filepath.Abs(path); err == nil {
		return abs
	}
	return path
}

// dirMissing is why not all of log.dirs can be used, nil when they can.
func (m *Manager) dirMissing() error {
	if len(m.cfg.Missing) > 0 {
		return wire.CodeKafkaStorageError
	}
	for _, d := range m.dirs {
		if err := d.Failed(); err != nil {
			return err
		}
	}
	return nil
}

func (p *Partition) offline() bool {
	p.mu.RLock()
	defer p.mu.RUnlock()
	return p.mu.role == roleOffline
}

// notHere is the answer about a replica that this broker does not have.
func (m *Manager) notHere(c DirChange) error {
	err := m.missing(PartitionName{Topic: c.Topic, Partition: c.Partition}, false)
	if errors.Is(err, wire.CodeNotLeaderOrFollower) {
		return wire.CodeReplicaNotAvailable
	}
	return err
}

// prefer remembers where a replica is to be made when it comes.
func (m *Manager) prefer(key partitionKey, dir *storage.Dir) {
	if l := m.unclaimedLog(key); l != nil && l.Dir() == dir {
		return
	}
	v := &m.moves.mu
	v.Lock()
	defer v.Unlock()
	if v.preferred[key] != nil || len(v.preferred) < maxPreferred {
		v.preferred[key] = dir
	}
}

// placeFor is the directory for a new replica: the one that AlterDirs asked for,
// else the one with the fewest.
func (m *Manager) placeFor(key partitionKey, isNew bool) (*storage.Dir, error) {
	m.moves.mu.Lock()
	dir := m.moves.mu.preferred[key]
	delete(m.moves.mu.preferred, key)
	m.moves.mu.Unlock()
	if dir == nil {
		return m.chooseDir(isNew)
	}
	if err := m.dirMissing(); err != nil && (!isNew || dir.Failed() != nil) {
		return nil, err
	}
	return dir, nil
}

// beginMove makes the copy of a replica in another directory. It is filled when
// the move is started.
func (m *Manager) beginMove(p *Partition, dir *storage.Dir) (*move, error) {
	l := p.log()
	id, err := l.TopicID()
	if err != nil {
		return nil, err
	}
	future, err := dir.CreateLog(l.Partition(), storage.Future, id, l.Config())
	if err != nil {
		return nil, err
	}
	mv := &move{key: p.key, copy: future}
	m.moves.put(mv)
	m.logCount[dir]++
	m.log.Info("moving a replica", "partition", l.Partition().String(), "from", l.Dir().Path(), "to", dir.Path())
	return mv, nil
}

// resumeMove goes on with the move of a partition that LeaderAndIsr named:
// after a restart its copy was found on disk. One that is of no use goes.
func (m *Manager) resumeMove(p *Partition) {
	mv := m.moves.find(p.key)
	if mv == nil {
		return
	}
	id, err := mv.copy.TopicID()
	other := id != (storage.TopicID{}) && p.topicID() != (wire.UUID{}) && wire.UUID(id) != p.topicID()
	if err != nil || other || mv.copy.Dir() == p.log().Dir() {
		m.log.Warn("a copy of a replica is of no use", "partition", mv.copy.Partition().String(), "dir", mv.copy.Dir().Path(), "error", m.observe(err))
		m.cancelMove(p.key)
		return
	}
	m.moves.start(mv, p)
}

// cancelMove deletes the copy of a partition that moves, durably: no second one
// may be found beside it.
func (m *Manager) cancelMove(key partitionKey) {
	deleted := map[*storage.Dir]bool{}
	m.dropMove(key, deleted)
	for d := range deleted {
		m.settleDeletions(d)
	}
}

// dropMove deletes the copy of a partition that moves; its directory is added to
// deleted, for settleDeletions.
func (m *Manager) dropMove(key partitionKey, deleted map[*storage.Dir]bool) {
	mv := m.moves.find(key)
	if mv == nil || !m.moves.remove(mv) {
		return
	}
	m.log.Info("a replica stays where it is", "partition", mv.copy.Partition().String(), "not", mv.copy.Dir().Path())
	m.deleteLog(mv.copy, deleted)
}

// abandonMoves forgets the copies in directories that failed: their replicas
// stay where they are.
func (m *Manager) abandonMoves() {
	for _, mv := range m.moves.list() {
		if mv.copy.Dir().Failed() != nil && m.moves.remove(mv) {
			mv.copy.Abandon()
		}
	}
}

// retainCopy deletes old segments of a copy, as retention does of its log.
func (m *Manager) retainCopy(l *storage.Log) {
	if l.Dir().Failed() != nil {
		return
	}
	now := m.env.Clock.Now()
	_, err := l.Retain(now)
	if err == nil {
		_, _, err = l.RemoveDeleted(now)
	}
	m.moveFailed(l, err)
}
