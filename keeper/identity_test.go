package keeper

import (
	"errors"
	"io"
	"log/slog"
	"testing"
	"time"

	"github.com/gregor-mq/gregor/internal/env"
	"github.com/gregor-mq/gregor/internal/env/memfs"
)

// The ensemble's id is written down as soon as the disk takes it.
func TestEnsembleIsWrittenDown(t *testing.T) {
	disk := memfs.New(0, time.Now)
	mkdir(t, disk, "/d")
	e := env.Real()
	e.FS = disk
	k := &Keeper{env: e, cfg: Config{DataDir: "/d", Member: 1}, dir: &directory{}, log: slog.New(slog.NewTextHandler(io.Discard, nil))}
	k.dir.state = dirReady
	l := &loop{k: k}
	disk.SetInjector(func(memfs.Op, string) error { return errors.New("I/O error") })
	l.adoptEnsemble(77)
	disk.SetInjector(nil)
	if _, err := disk.ReadFile("/d/" + metaName); err == nil || !l.members.unwritten {
		t.Fatalf("written to a broken disk: %v", err)
	}
	l.writeIdentity()
	text, err := disk.ReadFile("/d/" + metaName)
	if err != nil {
		t.Fatal(err)
	}
	var d directory
	if err := d.parse(metaName, string(text), 1); err != nil || d.ensemble != 77 || l.members.unwritten {
		t.Fatalf("%v, %q", err, text)
	}
}
