package keeper

import (
	"bytes"
	"os"
	"testing"
	"time"

	"github.com/gregor-mq/gregor/internal/env/memfs"
	"github.com/gregor-mq/gregor/keeper/wal"
)

// FuzzZooCfg: a configuration that is taken can be used.
func FuzzZooCfg(f *testing.F) {
	f.Add([]byte("tickTime=2000\ndataDir = /d\nclientPort 2181\nsyncLimit=5\n"))
	f.Add([]byte("zookeeper.snapCount:\\\n 7"))
	f.Fuzz(func(t *testing.T, src []byte) {
		c, _, err := ParseZooCfg(src)
		if err != nil {
			return
		}
		if err := c.withDefaults().check(); err != nil {
			t.Fatal(err)
		}
	})
}

// FuzzMarks reads the small files of a data directory: what is believed was
// written so.
func FuzzMarks(f *testing.F) {
	f.Add(formatEnd(wal.End{Segment: "0000000000000001.log", Size: 12345}))
	f.Add([]byte("version=1\nid=00000000000000ff\nmember=1\nstate=ready\n"))
	f.Fuzz(func(t *testing.T, src []byte) {
		disk := memfs.New(0, time.Now)
		writeFile(t, disk, "/"+endName, src)
		end, err := readEnd(disk, "/")
		if err != nil {
			t.Fatal(err)
		}
		if end != (wal.End{}) && !bytes.Equal(formatEnd(end), src) {
			t.Fatalf("%q is taken for %+v", src, end)
		}
		var d directory
		if err := d.parse(metaName, string(src), 1); err != nil {
			return
		}
		if err := d.writeMeta(disk, Config{DataDir: "/", Member: 1}); err != nil {
			t.Fatal(err)
		}
		var again directory
		text, err := disk.ReadFile("/" + metaName)
		if err == nil {
			err = again.parse(metaName, string(text), 1)
		}
		if err != nil || again.identity != d.identity {
			t.Fatalf("%q became %q, %v", src, text, err)
		}
	})
}

func writeFile(t *testing.T, disk *memfs.FS, name string, b []byte) {
	t.Helper()
	h, err := disk.Open(name, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := h.WriteAt(b, 0); err != nil {
		t.Fatal(err)
	}
}
