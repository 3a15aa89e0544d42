package zkfile

import (
	"errors"
	"fmt"
	"path/filepath"

	"github.com/gregor-mq/gregor/internal/env"
	"github.com/gregor-mq/gregor/keeper/tree"
)

// Check reads every file of a directory and the state that they lead to. It tells
// say, a line at a time, what it found whole, and returns all that is damaged.
func Check(fsys env.FS, d *Dir, say func(line string)) error {
	var errs []error
	for i, f := range d.Snapshots {
		s, err := ReadSnapshot(fsys, f)
		if c, ok := errors.AsType[*CorruptError](err); ok && c.Unfinished && i == len(d.Snapshots)-1 {
			say(fmt.Sprintf("%s is unfinished: ZooKeeper was stopped while it wrote it, and passes it over", filepath.Base(f.Name)))
			continue
		}
		if err != nil {
			errs = append(errs, err)
			continue
		}
		line := fmt.Sprintf("%s: %d znodes, %d sessions, from transaction 0x%x on", filepath.Base(f.Name), s.Nodes(), len(s.Sessions), f.Zxid)
		if s.Reached > f.Zxid {
			line += fmt.Sprintf(", with parts up to 0x%x", s.Reached)
		}
		say(line)
	}
	for _, f := range d.Logs {
		line, err := checkLog(fsys, f)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		say(line)
	}
	if len(errs) > 0 {
		return errors.Join(errs...)
	}
	l, err := Load(fsys, d)
	if err != nil {
		return err
	}
	from := "the log"
	if l.Snapshot != "" {
		from = filepath.Base(l.Snapshot) + " and the log"
	}
	proof := ""
	if l.Checked && l.Mismatch == nil {
		proof = ", the digest is the one that ZooKeeper noted"
	}
	say(fmt.Sprintf("%s lead to transaction 0x%x: %d znodes, %d sessions%s", from, l.Zxid, l.Nodes(), len(l.Sessions), proof))
	return l.Mismatch
}

// checkLog reads one log. That it leads on to the next one is for Load to find,
// where that is needed.
func checkLog(fsys env.FS, f File) (line string, err error) {
	n, end := 0, int64(0)
	torn, err := readLog(fsys, f, func(x *tree.Txn, _ *Digest) string {
		if n > 0 && x.Zxid > end && x.Zxid != end+1 && !beginsEpoch(x.Zxid, end) {
			return fmt.Sprintf("transaction 0x%x follows 0x%x: those between them are missing", x.Zxid, end)
		}
		n++
		end = max(end, x.Zxid)
		return ""
	})
	if err != nil {
		return "", err
	}
	line = fmt.Sprintf("%s: %d transactions", filepath.Base(f.Name), n)
	if n > 0 {
		line += fmt.Sprintf(", 0x%x to 0x%x", f.Zxid, end)
	}
	if torn != nil {
		line += fmt.Sprintf(", then %d bytes of a write that was never acknowledged, at byte %d", torn.Bytes, torn.Offset)
	}
	return line, nil
}
