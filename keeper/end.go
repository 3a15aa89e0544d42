package keeper

import (
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/gregor-mq/gregor/internal/env"
	"github.com/gregor-mq/gregor/keeper/wal"
)

// endName is the file that says up to where the log is durable. Without it a log
// that somebody cut looks like what a power cut leaves of a write that nobody
// was told of.
const endName = "keeper.end"

var endTable = crc32.MakeTable(crc32.Castagnoli)

// endMark is that file while the keeper runs. It is written over, in place,
// between an fsync of the log and the answers that wait for it, and is synced
// itself only when the keeper stops: so it costs next to nothing, knows the end
// exactly after kill -9, and less, but never too much, after a power cut.
type endMark struct {
	file env.File // nil after a failure
	log  *slog.Logger
}

// formatEnd writes a mark; all have the same length, and fit into a sector.
func formatEnd(end wal.End) []byte {
	b := fmt.Appendf(nil, "version=1\nlog=%s\nsize=%020d\n", end.Segment, end.Size)
	return fmt.Appendf(b, "crc=%08x\n", crc32.Checksum(b, endTable))
}

// readEnd returns what the mark says: the zero value when it says nothing, for
// it is evidence only.
func readEnd(files env.FS, dir string) (wal.End, error) {
	text, err := files.ReadFile(filepath.Join(dir, endName))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return wal.End{}, fmt.Errorf("read %s: %w", endName, err)
	}
	var end wal.End
	if _, err := fmt.Sscanf(string(text), "version=1\nlog=%s\nsize=%d\n", &end.Segment, &end.Size); err != nil {
		return wal.End{}, nil
	}
	if string(text) != string(formatEnd(end)) {
		return wal.End{}, nil
	}
	return end, nil
}

// openEnd begins to keep the mark of a log that is durable up to end.
func openEnd(files env.FS, dir string, end wal.End, log *slog.Logger) (*endMark, error) {
	f, err := files.Open(filepath.Join(dir, endName), os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", endName, err)
	}
	m := &endMark{file: f, log: log}
	m.note(end)
	return m, nil
}

// note moves the mark. A mark that cannot be written is left behind where it is:
// it still says nothing wrong.
func (m *endMark) note(end wal.End) {
	if m.file == nil {
		return
	}
	if _, err := m.file.WriteAt(formatEnd(end), 0); err != nil {
		m.log.Warn("cannot note how far the log is durable; a log that is cut will not be noticed", "file", m.file.Name(), "error", err)
		_ = m.file.Close() // the write has said what there is to say
		m.file = nil
	}
}

// close leaves the mark durable at the end of the log.
func (m *endMark) close(files env.FS, end wal.End) error {
	m.note(end)
	if m.file == nil {
		return nil
	}
	name := m.file.Name()
	if err := errors.Join(m.file.Truncate(int64(len(formatEnd(end)))), m.file.Sync(), m.file.Close()); err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	return files.SyncDir(filepath.Dir(name))
}
