package memfs

import (
	"errors"
	"io/fs"
	"math/rand/v2"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gregor-mq/gregor/internal/env"
)

func newFS(t *testing.T, capacity int64) *FS {
	t.Helper()
	f := New(capacity, func() time.Time { return time.Unix(1700000000, 0) })
	if err := f.MkdirAll("/d", 0o755); err != nil {
		t.Fatal(err)
	}
	return f
}

func write(t *testing.T, f *FS, name, text string, sync bool) {
	t.Helper()
	h, err := f.Open(name, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	size, err := h.Size()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := h.WriteAt([]byte(text), size); err != nil {
		t.Fatal(err)
	}
	if sync {
		if err := h.Sync(); err != nil {
			t.Fatal(err)
		}
	}
	if err := h.Close(); err != nil {
		t.Fatal(err)
	}
}

func content(f *FS, name string) string {
	b, err := f.ReadFile(name)
	if err != nil {
		return "missing"
	}
	return string(b)
}

func TestPowerCutKeepsWhatWasSynced(t *testing.T) {
	f := newFS(t, 0)
	if err := f.SyncDir("/"); err != nil {
		t.Fatal(err)
	}
	write(t, f, "/d/synced", "abc", true)
	if err := f.SyncDir("/d"); err != nil {
		t.Fatal(err)
	}
	write(t, f, "/d/synced", "def", false)
	write(t, f, "/d/noname", "xyz", true) // data synced, directory not
	after := f.CrashClone(Crash{})
	if got := content(after, "/d/synced"); got != "abc" {
		t.Errorf("synced = %q, want the synced prefix", got)
	}
	if got := content(after, "/d/noname"); got != "missing" {
		t.Errorf("noname = %q, want missing: its directory was not synced", got)
	}
	if got := content(f, "/d/synced"); got != "abcdef" {
		t.Errorf("the original changed: %q", got)
	}
}

func TestPowerCutMayTearAndReorder(t *testing.T) {
	f := newFS(t, 0)
	write(t, f, "/d/f", "", true)
	for _, dir := range []string{"/", "/d"} {
		if err := f.SyncDir(dir); err != nil {
			t.Fatal(err)
		}
	}
	for range 4 {
		write(t, f, "/d/f", "abcd", false)
	}
	seen := map[string]bool{}
	for seed := range uint64(200) {
		after := f.CrashClone(Crash{Rand: rand.New(rand.NewPCG(seed, 1)), KeepPercent: 50})
		got := content(after, "/d/f")
		seen[got] = true
		for i, r := range got {
			if r != 0 && byte(r) != "abcd"[i%4] {
				t.Fatalf("seed %d: %q holds a byte never written there", seed, got)
			}
		}
	}
	if len(seen) < 20 {
		t.Errorf("only %d different outcomes", len(seen))
	}
}

func TestRenameIsAtomicAndDurableAfterSyncDir(t *testing.T) {
	f := newFS(t, 0)
	write(t, f, "/d/a", "old", true)
	write(t, f, "/d/a.tmp", "new", true)
	for _, dir := range []string{"/", "/d"} {
		if err := f.SyncDir(dir); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.Rename("/d/a.tmp", "/d/a"); err != nil {
		t.Fatal(err)
	}
	if got := content(f.CrashClone(Crash{}), "/d/a"); got != "old" {
		t.Errorf("before SyncDir: %q", got)
	}
	if err := f.SyncDir("/d"); err != nil {
		t.Fatal(err)
	}
	if got := content(f.CrashClone(Crash{}), "/d/a"); got != "new" {
		t.Errorf("after SyncDir: %q", got)
	}
}

func TestFullDiskTakesWhatFits(t *testing.T) {
	f := newFS(t, 5)
	h, err := f.Open("/d/f", os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	n, err := h.WriteAt([]byte("abcdefgh"), 0)
	if n != 5 || !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("WriteAt = %d, %v; want 5 bytes and ENOSPC", n, err)
	}
	if err := f.Remove("/d/f"); err != nil {
		t.Fatal(err)
	}
	if free, total, _ := f.Free("/d"); free != 5 || total != 5 {
		t.Errorf("Free = %d of %d after removal", free, total)
	}
}

func TestInjectedFaultsAndErrorKinds(t *testing.T) {
	f := newFS(t, 0)
	write(t, f, "/d/f", "x", true)
	f.SetInjector(func(op Op, name string) error {
		if op == OpWrite && strings.HasSuffix(name, "f") {
			return syscall.EIO
		}
		return nil
	})
	h, err := f.Open("/d/f", os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := h.WriteAt([]byte("y"), 0); !errors.Is(err, syscall.EIO) {
		t.Errorf("WriteAt = %v, want EIO", err)
	}
	if _, err := f.Open("/d/none", os.O_RDWR, 0); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Open = %v, want ErrNotExist", err)
	}
	l, err := f.Lock("/d/.lock")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Lock("/d/.lock"); !errors.Is(err, env.ErrLocked) {
		t.Errorf("second Lock = %v, want ErrLocked", err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Lock("/d/.lock"); err != nil {
		t.Errorf("Lock after release = %v", err)
	}
}

func TestRealLockExcludesThisProcessToo(t *testing.T) {
	disk, name := env.Real().FS, t.TempDir()+"/.lock"
	l, err := disk.Lock(name)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if _, err := disk.Lock(name); !errors.Is(err, env.ErrLocked) {
		t.Errorf("second Lock = %v, want ErrLocked", err)
	}
}
