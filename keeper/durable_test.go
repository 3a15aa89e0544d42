package keeper_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gregor-mq/gregor/internal/env"
	"github.com/gregor-mq/gregor/internal/env/memfs"
	"github.com/gregor-mq/gregor/keeper"
	"github.com/gregor-mq/gregor/zk"
)

// onDisk is the real environment over a memory disk.
func onDisk(f *memfs.FS) env.Env {
	e := env.Real()
	e.FS = f
	return e
}

func piped() keeper.Config {
	c := config("/data")
	c.Listen = nil
	return c
}

// boot starts a keeper that the test stops itself.
func boot(t testing.TB, cfg keeper.Config, e env.Env) *keeper.Keeper {
	t.Helper()
	k, err := keeper.Start(t.Context(), cfg, e, quiet)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func stop(t testing.TB, k *keeper.Keeper) {
	t.Helper()
	if err := k.Stop(context.Background()); err != nil {
		t.Fatal(err)
	}
}

// TestNothingAcknowledgedIsLost cuts power at random moments of a busy keeper,
// which takes snapshots and purges logs all the time.
func TestNothingAcknowledgedIsLost(t *testing.T) {
	for seed := range uint64(12) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) { crashOnce(t, seed) })
	}
}

func crashOnce(t *testing.T, seed uint64) {
	r := rand.New(rand.NewPCG(seed, 0))
	disk := memfs.New(0, time.Now)
	cfg := piped()
	cfg.SnapCount = 40
	k := boot(t, cfg, onDisk(disk))
	c := pipeClient(t, k)
	c.must(create("/n", zk.Persistent))
	total := 50 + r.IntN(300)
	for range total {
		c.post(create("/n/c", zk.PersistentSequential))
	}
	var acked []string
	stopAt := r.IntN(total)
	for i := range stopAt {
		var got zk.CreateResponse
		c.reply(int32(i+2), &got)
		acked = append(acked, got.Path)
	}
	crashed := disk.CrashClone(memfs.Crash{Rand: r, KeepPercent: int(seed%3) * 50})
	stop(t, k)

	k = boot(t, cfg, onDisk(crashed))
	defer stop(t, k)
	c = pipeClient(t, k)
	var lastCzxid int64
	for _, path := range acked {
		h, body := c.do(&zk.ExistsRequest{Path: path})
		if h.Err != zk.OK {
			t.Fatalf("acknowledged %s of %d is gone: %v", path, len(acked), h.Err)
		}
		lastCzxid = max(lastCzxid, body.(*zk.StatResponse).Stat.Czxid)
	}
	names := c.must(&zk.GetChildrenRequest{Path: "/n"}).(*zk.GetChildrenResponse).Children
	st := c.must(&zk.ExistsRequest{Path: "/n"}).(*zk.StatResponse).Stat
	if len(names) < len(acked) || len(names) > total || int(st.Cversion) != len(names) {
		t.Fatalf("%d acknowledged, %d there, %+v", len(acked), len(names), st)
	}
	next := c.must(create("/n/c", zk.PersistentSequential)).(*zk.CreateResponse)
	st = c.must(&zk.ExistsRequest{Path: next.Path}).(*zk.StatResponse).Stat
	if next.Path != fmt.Sprintf("/n/c%010d", len(names)) || st.Czxid <= lastCzxid || st.Czxid>>32 != 2 {
		t.Fatalf("%s czxid 0x%x after 0x%x", next.Path, st.Czxid, lastCzxid)
	}
}

func TestFailedFsyncEndsTheKeeper(t *testing.T) {
	disk := memfs.New(0, time.Now)
	k := boot(t, piped(), onDisk(disk))
	c := pipeClient(t, k)
	c.must(create("/before", zk.Persistent))
	disk.SetInjector(func(op memfs.Op, name string) error {
		if op == memfs.OpSync && strings.HasSuffix(name, ".log") {
			return errors.New("I/O error")
		}
		return nil
	})
	c.post(create("/lost", zk.Persistent))
	c.closed() // no reply
	<-k.Done()
	if err := k.Err(); err == nil || !strings.Contains(err.Error(), "fsync") || !strings.Contains(err.Error(), "I/O error") {
		t.Fatalf("%v", err)
	}
	disk.SetInjector(nil)
	k = boot(t, piped(), onDisk(disk.CrashClone(memfs.Crash{})))
	defer stop(t, k)
	c = pipeClient(t, k)
	c.must(&zk.ExistsRequest{Path: "/before"})
	c.fails(&zk.ExistsRequest{Path: "/lost"}, zk.ErrNoNode)
}

// TestPipeSessionsEndWithTheProcess: kill -9 and start again leaves no ephemeral
// of the embedded broker, and those of network clients.
func TestPipeSessionsEndWithTheProcess(t *testing.T) {
	disk := memfs.New(0, time.Now)
	cfg := piped()
	cfg.Listen = []string{"127.0.0.1:0"}
	k := boot(t, cfg, onDisk(disk))
	p, n := pipeClient(t, k), client(t, k)
	p.must(create("/broker", zk.Ephemeral))
	n.must(create("/network", zk.Ephemeral))
	crashed := disk.CrashClone(memfs.Crash{})
	stop(t, k)

	k = boot(t, cfg, onDisk(crashed))
	defer stop(t, k)
	c := pipeClient(t, k)
	c.fails(&zk.ExistsRequest{Path: "/broker"}, zk.ErrNoNode)
	c.must(&zk.ExistsRequest{Path: "/network"})
	again := n.again(k)
	if again.resp.SessionID != n.resp.SessionID {
		t.Fatalf("the network session is gone: %+v", again.resp)
	}
	if got := again.must(&zk.GetEphemeralsRequest{}).(*zk.GetEphemeralsResponse); len(got.Paths) != 1 {
		t.Fatalf("%q", got.Paths)
	}
}

func TestSnapshotsAreTakenAndUsed(t *testing.T) {
	disk := memfs.New(0, time.Now)
	cfg := piped()
	cfg.SnapCount, cfg.SnapRetain = 20, 2
	k := boot(t, cfg, onDisk(disk))
	c := pipeClient(t, k)
	c.must(create("/n", zk.Persistent))
	count := func() int {
		files, err := disk.ReadDir("/data/snapshots")
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		for _, f := range files {
			if strings.HasSuffix(f.Name(), ".snap") {
				n++
			}
		}
		return n
	}
	writes := 0
	eventually(t, "two snapshots are there", func() bool {
		for range 20 {
			c.must(&zk.SetDataRequest{Path: "/n", Data: fmt.Append(nil, writes), Version: -1})
			writes++
		}
		return count() == 2 && writes > 200
	})
	stop(t, k)
	// The newest is damaged: the older one and the log lead to the same state.
	files, err := disk.ReadDir("/data/snapshots")
	if err != nil {
		t.Fatal(err)
	}
	newest := filepath.Join("/data/snapshots", files[len(files)-1].Name())
	f, err := disk.Open(newest, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteAt([]byte{0xff}, 60); err != nil {
		t.Fatal(err)
	}
	k = boot(t, cfg, onDisk(disk))
	defer stop(t, k)
	c = pipeClient(t, k)
	got := c.must(&zk.GetDataRequest{Path: "/n"}).(*zk.GetDataResponse)
	if int(got.Stat.Version) != writes || string(got.Data) != fmt.Sprint(writes-1) {
		t.Fatalf("%q %+v after %d writes", got.Data, got.Stat, writes)
	}
}

func TestDirectoriesThatAreRefused(t *testing.T) {
	f := func(name string, prepare func(*memfs.FS), want ...string) {
		t.Helper()
		disk := memfs.New(0, time.Now)
		stop(t, boot(t, piped(), onDisk(disk)))
		fresh := memfs.New(0, time.Now)
		if strings.HasPrefix(name, "fresh") {
			disk = fresh
		}
		prepare(disk)
		_, err := keeper.Start(t.Context(), piped(), onDisk(disk), quiet)
		if err == nil {
			t.Fatalf("%s: accepted", name)
		}
		for _, w := range want {
			if !strings.Contains(err.Error(), w) {
				t.Errorf("%s: %v does not say %q", name, err, w)
			}
		}
	}
	write := func(d *memfs.FS, name, text string) {
		if err := d.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		h, err := d.Open(name, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o644)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := h.WriteAt([]byte(text), 0); err != nil {
			t.Fatal(err)
		}
	}
	f("fresh, ZooKeeper's", func(d *memfs.FS) { write(d, "/data/version-2/log.1", "ZKLG") }, "/data", "ZooKeeper", "version-2")
	f("fresh, other files", func(d *memfs.FS) { write(d, "/data/photo.jpg", "x") }, "/data", "photo.jpg", "empty directory")
	f("meta gone", func(d *memfs.FS) {
		if err := d.Remove("/data/keeper.meta"); err != nil {
			t.Fatal(err)
		}
	}, "keeper.meta", "put it back")
	f("meta damaged", func(d *memfs.FS) { write(d, "/data/keeper.meta", "version=1\nid=zz") }, "keeper.meta", "damaged")
	f("newer", func(d *memfs.FS) { write(d, "/data/keeper.meta", "version=9\n") }, "version 9")
	f("other member", func(d *memfs.FS) {
		b, err := d.ReadFile("/data/keeper.meta")
		if err != nil {
			t.Fatal(err)
		}
		write(d, "/data/keeper.meta", strings.Replace(string(b), "member=1", "member=3", 1))
	}, "member 3", "myid")
	f("log gone", func(d *memfs.FS) {
		if err := d.RemoveAll("/data/log"); err != nil {
			t.Fatal(err)
		}
		if err := d.MkdirAll("/data/log", 0o755); err != nil {
			t.Fatal(err)
		}
	}, "/data/log", "dataLogDir")
	f("log damaged", func(d *memfs.FS) {
		h, err := d.Open("/data/log/0000000000000001.log", os.O_RDWR, 0)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := h.WriteAt([]byte{1, 2, 3}, 60); err != nil {
			t.Fatal(err)
		}
	}, "0000000000000001.log", "byte", "backup")
	f("in use", func(d *memfs.FS) {
		l, err := d.Lock("/data/keeper.lock")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = l.Close() })
	}, "/data", "in use")
}

func TestFullDiskEndsTheKeeperWithoutDamage(t *testing.T) {
	disk := memfs.New(200_000, time.Now)
	k := boot(t, piped(), onDisk(disk))
	c := pipeClient(t, k)
	acked := 0
	var once sync.Once
	for i := 0; ; i++ {
		once.Do(func() { c.must(&zk.CreateRequest{Path: "/n", ACL: zk.OpenACL()}) })
		c.post(&zk.SetDataRequest{Path: "/n", Data: make([]byte, 10_000), Version: -1})
		b, err := zk.ReadFrame(c.nc, nil, 1<<20)
		if err != nil || len(b) == 0 {
			break
		}
		acked++
	}
	<-k.Done()
	if k.Err() == nil || acked < 5 {
		t.Fatalf("%v after %d", k.Err(), acked)
	}
	roomy := memfs.New(0, time.Now)
	copyTree(t, disk, roomy, "/data")
	k = boot(t, piped(), onDisk(roomy))
	defer stop(t, k)
	c = pipeClient(t, k)
	if st := c.must(&zk.ExistsRequest{Path: "/n"}).(*zk.StatResponse).Stat; int(st.Version) < acked {
		t.Fatalf("version %d after %d acknowledged", st.Version, acked)
	}
}

func copyTree(t *testing.T, from, to *memfs.FS, dir string) {
	t.Helper()
	if err := to.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	files, err := from.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		name := filepath.Join(dir, f.Name())
		if f.IsDir() {
			copyTree(t, from, to, name)
			continue
		}
		b, err := from.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		h, err := to.Open(name, os.O_RDWR|os.O_CREATE, 0o644)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := h.WriteAt(b, 0); err != nil {
			t.Fatal(err)
		}
	}
}
