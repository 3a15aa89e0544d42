package keeper_test

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/gregor-mq/gregor/internal/env/memfs"
	"github.com/gregor-mq/gregor/keeper"
)

const (
	closedFile = "/data/keeper.closed"
	logFile    = "/data/log/0000000000000001.log"
)

func size(t *testing.T, f *memfs.FS, name string) int64 {
	t.Helper()
	st, err := f.Stat(name)
	if err != nil {
		t.Fatal(err)
	}
	return st.Size()
}

// TestACutLogIsRefused cuts the log of a keeper that stopped in order at each
// byte: none of them is taken for what a power cut leaves.
func TestACutLogIsRefused(t *testing.T) {
	f := memfs.New(0, time.Now)
	stop(t, boot(t, piped(), onDisk(f)))
	whole, err := f.ReadFile(logFile)
	if err != nil {
		t.Fatal(err)
	}
	h, err := f.Open(logFile, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	for cut := int64(len(whole)) - 1; cut >= 0; cut-- {
		if err := h.Truncate(cut); err != nil {
			t.Fatal(err)
		}
		k, err := keeper.Start(t.Context(), piped(), onDisk(f), quiet)
		if err == nil {
			stop(t, k)
			t.Fatalf("cut to %d of %d bytes: the keeper started", cut, len(whole))
		}
		for _, want := range []string{logFile, "nothing was changed", "restore"} {
			if !strings.Contains(err.Error(), want) {
				t.Fatalf("cut to %d bytes: %v, want %q", cut, err, want)
			}
		}
		if got := size(t, f, logFile); got != cut {
			t.Fatalf("cut to %d bytes: the log has %d after the refusal", cut, got)
		}
	}
	if _, err := h.WriteAt(whole, 0); err != nil {
		t.Fatal(err)
	}
	k := boot(t, piped(), onDisk(f)) // as good as it was
	if _, err := f.Stat(closedFile); err == nil {
		t.Error("the mark of a stop is there while the keeper runs")
	}
	stop(t, k)
	size(t, f, closedFile)
}

func TestAMissingSegmentIsRefused(t *testing.T) {
	f := memfs.New(0, time.Now)
	stop(t, boot(t, piped(), onDisk(f)))
	if err := f.Remove(logFile); err != nil {
		t.Fatal(err)
	}
	if _, err := keeper.Start(t.Context(), piped(), onDisk(f), quiet); err == nil || !strings.Contains(err.Error(), "put it back") {
		t.Errorf("got %v", err)
	}
}

// A mark that cannot be read is no reason to refuse anything.
func TestAMarkThatSaysNothing(t *testing.T) {
	f := memfs.New(0, time.Now)
	stop(t, boot(t, piped(), onDisk(f)))
	h, err := f.Open(closedFile, os.O_RDWR|os.O_TRUNC, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := h.WriteAt([]byte("version=9"), 0); err != nil {
		t.Fatal(err)
	}
	stop(t, boot(t, piped(), onDisk(f)))
}
