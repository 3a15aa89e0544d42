package snap

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/gregor-mq/gregor/internal/env/memfs"
)

// sent is a snapshot as another member, whose directory has id 5, sends it.
func sent(t *testing.T) []byte {
	t.Helper()
	f := disk(t)
	if _, err := Write(f, dir, meta, source(chunks(4)), ok); err != nil {
		t.Fatal(err)
	}
	h, size, err := Open(f, dir, meta.Index)
	if err != nil {
		t.Fatal(err)
	}
	b := make([]byte, size)
	if _, err := h.ReadAt(b, 0); err != nil {
		t.Fatal(err)
	}
	return b
}

// adopt takes a snapshot over into a directory with id 9.
func adopt(f *memfs.FS, size int, b []byte, refuse error) (m Meta, loaded [][]byte, err error) {
	m, err = Adopt(context.Background(), f, dir, 9, int64(size), bytes.NewReader(b), func(chunk []byte) error {
		loaded = append(loaded, bytes.Clone(chunk))
		return refuse
	})
	return m, loaded, err
}

// empty checks that nothing is left of what was refused.
func empty(t *testing.T, f *memfs.FS, what string) {
	t.Helper()
	if files, err := f.ReadDir(dir); err != nil || len(files) > 0 {
		t.Fatalf("%s: %d files are left, %v", what, len(files), err)
	}
}

func TestAdoptedSnapshotIsOnesOwn(t *testing.T) {
	b, f := sent(t), disk(t)
	m, loaded, err := adopt(f, len(b), b, nil)
	want := meta
	want.DirID, want.Installed = 9, true
	if err != nil || !reflect.DeepEqual(m, want) || !reflect.DeepEqual(loaded, chunks(4)) {
		t.Fatalf("%+v, %d chunks, %v", m, len(loaded), err)
	}
	// It survives a power cut.
	var again [][]byte
	m, err = Read(f.CrashClone(memfs.Crash{}), dir, meta.Index, 9, func(chunk []byte) error {
		again = append(again, bytes.Clone(chunk))
		return nil
	})
	if err != nil || !reflect.DeepEqual(m, want) || !bytes.Equal(bytes.Join(again, nil), bytes.Join(loaded, nil)) {
		t.Fatalf("read: %+v, %d chunks, %v", m, len(again), err)
	}
	if all, err := List(f, dir); err != nil || len(all) != 1 {
		t.Fatalf("snapshots %v, %v", all, err)
	}
}

func TestWhatIsNotWholeIsNotAdopted(t *testing.T) {
	b := sent(t)
	for cut := range b {
		f := disk(t)
		if m, _, err := adopt(f, len(b), b[:cut], nil); err == nil {
			t.Fatalf("the connection broke at %d: %+v", cut, m)
		}
		empty(t, f, fmt.Sprintf("broken at %d", cut))
		if m, _, err := adopt(f, cut, b, nil); err == nil {
			t.Fatalf("cut at %d: %+v", cut, m)
		}
		empty(t, f, fmt.Sprintf("cut at %d", cut))
	}
	for at := range b {
		f, bad := disk(t), bytes.Clone(b)
		bad[at] ^= 1 << (at % 8)
		if m, _, err := adopt(f, len(b), bad, nil); err == nil {
			t.Fatalf("flip at %d: %+v", at, m)
		}
		empty(t, f, fmt.Sprintf("flip at %d", at))
	}
}

func TestRefusedStateIsNotAdopted(t *testing.T) {
	b, f := sent(t), disk(t)
	if _, _, err := adopt(f, len(b), b, errors.New("no tree")); err == nil || !strings.Contains(err.Error(), "no tree") {
		t.Errorf("%v", err)
	}
	empty(t, f, "refused")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("the keeper ends"))
	if _, err := Adopt(ctx, f, dir, 9, int64(len(b)), bytes.NewReader(b), func([]byte) error { return nil }); err == nil || !strings.Contains(err.Error(), "the keeper ends") {
		t.Errorf("%v", err)
	}
	empty(t, f, "the keeper ends")
}
