package storage

import (
	"errors"
	"testing"

	"github.com/gregor-mq/gregor/internal/env"
)

// afterRename is a disk on which something happens between a rename and the
// moment when its caller learns of it.
type afterRename struct {
	env.FS
	then func()
}

func (f *afterRename) Rename(from, to string) error {
	err := f.FS.Rename(from, to)
	if f.then != nil {
		f.then()
	}
	return err
}

// A reader that looks up a place while its log is deleted finds no file. That is
// no fault of the disk.
func TestReadingWhileDeletedLeavesTheDirectoryAlone(t *testing.T) {
	b := newBench(t)
	disk := &afterRename{FS: b.fs}
	b.env.FS = disk
	if err := b.dir.Close(); err != nil {
		t.Fatal(err)
	}
	b.openDir()
	l := b.segmented()
	b.dir.files.closeIdle(true)
	disk.then = func() {
		if _, err := l.Read(1, l.EndOffset(), 1000, true); !errors.Is(err, ErrClosed) {
			t.Errorf("read = %v, want ErrClosed", err)
		}
	}
	_, err := l.DeleteUnsynced()
	if err != nil {
		t.Fatal(err)
	}
	if err := b.dir.Failed(); err != nil {
		t.Fatalf("the directory went offline: %v", err)
	}
}
