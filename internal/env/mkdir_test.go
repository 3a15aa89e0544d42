package env_test

import (
	"testing"
	"time"

	"github.com/gregor-mq/gregor/internal/env"
	"github.com/gregor-mq/gregor/internal/env/memfs"
)

func TestNewDirectoriesOutliveAPowerCut(t *testing.T) {
	disk := memfs.New(0, time.Now)
	for _, dir := range []string{"/new/with/parents", "/new/with/brother", "/alone", "below/here"} {
		if err := env.MkdirDurable(disk, dir); err != nil {
			t.Fatal(err)
		}
		if _, err := disk.CrashClone(memfs.Crash{}).Stat(dir); err != nil {
			t.Errorf("after a power cut: %v", err)
		}
	}
}
