package zkfile

import (
	"errors"
	"fmt"
	"path/filepath"

	"github.com/gregor-mq/gregor/internal/env"
	"github.com/gregor-mq/gregor/keeper/tree"
)

// Loaded is the state that a directory holds, and what it was made of.
type Loaded struct {
	*State
	// Snapshot is the file it begins with, "" when the log goes back to the
	// first transaction.
	Snapshot string
	// Passed are snapshots that are newer and cannot be read: a crash leaves
	// such behind. The log leads to the same state from an older one.
	Passed []error
	// Logs are the files that follow, Txns how many of their transactions came
	// after the snapshot.
	Logs []string
	Txns int
	// Torn is what a crash left at the end of the last log, nil for nothing.
	Torn *Torn
	// Checked says that ZooKeeper noted a digest of just this tree, and Mismatch
	// that the tree has another one: then some file does not tell the truth, or
	// ZooKeeper ran with a character set other than UTF-8.
	Checked  bool
	Mismatch error
	// Dead is how many nodes went because their sessions had ended.
	Dead int
}

// ErrGap says that transactions are missing between a snapshot and the end of
// the log.
var ErrGap = errors.New("transactions are missing")

// Load reads the newest snapshot that can be read and carries the log out over
// it.
func Load(fsys env.FS, d *Dir) (*Loaded, error) {
	var passed []error
	for i := len(d.Snapshots) - 1; i >= 0; i-- {
		s, err := ReadSnapshot(fsys, d.Snapshots[i])
		if _, damaged := errors.AsType[*CorruptError](err); damaged {
			passed = append(passed, err)
			continue
		}
		if err != nil {
			return nil, err
		}
		l, err := replay(fsys, d, d.Snapshots[i], s)
		if err != nil {
			return nil, errors.Join(append(passed, err)...)
		}
		l.Passed = passed
		return l, nil
	}
	if len(d.Snapshots) > 0 {
		return nil, fmt.Errorf("no snapshot can be read: %w", errors.Join(passed...))
	}
	if first := d.Logs[0]; first.Zxid&counterBits > 1 || first.Zxid>>32 > 1 {
		return nil, fmt.Errorf("there is no snapshot, and the first log begins with transaction 0x%x: %w", first.Zxid, ErrGap)
	}
	return replay(fsys, d, File{}, &Snapshot{State: New()})
}

// replay carries the log behind a snapshot out over it.
func replay(fsys env.FS, d *Dir, f File, s *Snapshot) (*Loaded, error) {
	p := player{l: &Loaded{State: s.State, Snapshot: f.Name}}
	p.compare(s.Digest)
	for i, log := range d.Logs {
		if i+1 < len(d.Logs) && d.Logs[i+1].Zxid <= s.Zxid+1 {
			continue // all of it is in the snapshot
		}
		p.l.Logs = append(p.l.Logs, log.Name)
		torn, err := readLog(fsys, log, p.take)
		if err != nil {
			return nil, err
		}
		// One that is not last is no harm: a restart began the next file, and
		// that goes on with the very transaction, or take says what is missing.
		p.l.Torn = torn
	}
	if err := p.whole(s, f); err != nil {
		return nil, err
	}
	p.l.Dead = p.l.EndDead()
	return p.l, nil
}

// player carries the transactions of several files out.
type player struct{ l *Loaded }

// take carries one transaction out, unless it is in the snapshot for sure.
func (p *player) take(x *tree.Txn, dg *Digest) (reason string) {
	last := p.l.Zxid
	if x.Zxid <= last {
		return ""
	}
	if follows := last + 1; x.Zxid != follows && !beginsEpoch(x.Zxid, last) {
		return fmt.Sprintf("transaction 0x%x follows 0x%x: those between them are missing", x.Zxid, last)
	}
	p.l.Apply(x)
	p.l.Txns++
	p.compare(dg)
	return ""
}

// compare looks whether the tree has the digest that ZooKeeper noted after the
// last transaction. Within what a fuzzy snapshot may hold it has not; what counts
// is the last digest that there is.
func (p *player) compare(dg *Digest) {
	if dg == nil || dg.Version != digestVersion || dg.Zxid != p.l.Zxid {
		return
	}
	p.l.Checked, p.l.Mismatch = true, nil
	if sum := p.l.Sum(); sum != dg.Sum {
		p.l.Mismatch = fmt.Errorf("the tree after transaction 0x%x has digest %x, and ZooKeeper noted %x", dg.Zxid, sum, dg.Sum)
	}
}

// counterBits is the part of a zxid that begins anew with each epoch.
const counterBits = 1<<32 - 1

// beginsEpoch reports whether a transaction is the first of a leader after the
// one of last.
func beginsEpoch(zxid, last int64) bool { return zxid>>32 > last>>32 && zxid&counterBits <= 1 }

// whole checks that nothing shows a transaction behind the last.
func (p *player) whole(s *Snapshot, f File) error {
	name := filepath.Base(f.Name)
	if s.Reached > p.l.Zxid {
		return fmt.Errorf("%s holds parts of transactions up to 0x%x, and the log ends with 0x%x: %w", name, s.Reached, p.l.Zxid, ErrGap)
	}
	if fault := p.l.fault(); fault != "" {
		return fmt.Errorf("%s holds %s, and the log ends with 0x%x: %w", name, fault, p.l.Zxid, ErrGap)
	}
	return nil
}
