package keeper_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gregor-mq/gregor/internal/env"
	"github.com/gregor-mq/gregor/internal/env/memfs"
	"github.com/gregor-mq/gregor/keeper"
	"github.com/gregor-mq/gregor/keeper/snap"
	"github.com/gregor-mq/gregor/keeper/tree"
	"github.com/gregor-mq/gregor/zk"
)

// lived is a keeper's directory in which somebody wrote, with a session that is
// still open.
func lived(t *testing.T, e env.Env, dir string) *raw {
	t.Helper()
	cfg := config(dir)
	cfg.ExtendedTypes, cfg.SnapCount, cfg.SnapRetain = true, 20, 2
	k, err := keeper.Start(t.Context(), cfg, e, quiet)
	if err != nil {
		t.Fatal(err)
	}
	c := dial(t, k).hello(zk.ConnectRequest{Timeout: 30_000})
	c.create("/a", "one")
	c.create("/a/b", "")
	for i := range 70 {
		c.create(fmt.Sprintf("/a/n%d", i), "x")
	}
	c.ok(&zk.CreateRequest{Path: "/a/mine", ACL: zk.ReadACL(), Flags: zk.Ephemeral}, &zk.CreateResponse{})
	c.ok(&zk.CreateRequest{Kind: zk.OpCreateTTL, Path: "/ttl", ACL: zk.OpenACL(), Flags: zk.PersistentTTL, TTL: 3_600_000}, &zk.Create2Response{})
	c.ok(&zk.CreateRequest{Kind: zk.OpCreateContainer, Path: "/container", ACL: zk.OpenACL(), Flags: zk.Container}, &zk.Create2Response{})
	if err := k.Stop(context.Background()); err != nil {
		t.Fatal(err)
	}
	return c
}

// ok makes a request that must succeed.
func (r *raw) ok(req zk.Request, body zk.Record) {
	r.t.Helper()
	if h := r.reply(r.post(req), body); h.Err != zk.OK {
		r.t.Fatalf("%v: %v", req.Op(), h.Err)
	}
}

func (r *raw) create(path, data string) {
	r.t.Helper()
	r.ok(&zk.CreateRequest{Path: path, Data: []byte(data), ACL: zk.OpenACL()}, &zk.CreateResponse{})
}

// serves starts a keeper on a directory and tells all that it shows.
func serves(t *testing.T, dir string, old *raw) string {
	t.Helper()
	cfg := config(dir)
	cfg.ExtendedTypes = true
	k := start(t, cfg, env.Real())
	c := old.again(k)
	if c.resp.SessionID != old.resp.SessionID {
		t.Fatalf("session %x, want %x", c.resp.SessionID, old.resp.SessionID)
	}
	var b strings.Builder
	var walk func(path string)
	walk = func(path string) {
		var kids zk.GetChildren2Response
		var data zk.GetDataResponse
		var acl zk.GetACLResponse
		c.ok(&zk.GetChildren2Request{Path: path}, &kids)
		c.ok(&zk.GetDataRequest{Path: path}, &data)
		c.ok(&zk.GetACLRequest{Path: path}, &acl)
		fmt.Fprintf(&b, "%s %+v %q %v\n", path, kids.Stat, data.Data, acl.ACL)
		slices.Sort(kids.Children)
		for _, name := range kids.Children {
			walk(strings.TrimSuffix(path, "/") + "/" + name)
		}
	}
	walk("/")
	if err := k.Stop(context.Background()); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// checked runs Check on a directory that must be whole.
func checked(t *testing.T, e env.Env, dir string) string {
	t.Helper()
	var lines []string
	if err := keeper.Check(e, dir, "", func(line string) { lines = append(lines, line) }); err != nil {
		t.Fatalf("check %s: %v\n%s", dir, err, strings.Join(lines, "\n"))
	}
	return strings.Join(lines, "\n")
}

func TestExportedAndImportedIsTheSame(t *testing.T) {
	e, root := env.Real(), t.TempDir()
	c := lived(t, e, root+"/keeper")
	said := checked(t, e, root+"/keeper")
	if strings.Count(said, ".snap: ") != 2 || !strings.Contains(said, "79 znodes and 1 sessions") || !strings.Contains(said, "segments of the log") {
		t.Errorf("check says\n%s", said)
	}
	out, err := keeper.Export(e, root+"/keeper", "", root+"/zookeeper")
	if err != nil {
		t.Fatal(err)
	}
	if out.Nodes != 79 || out.Sessions != 1 || out.Ephemerals != 1 || out.Ended != 0 || len(out.Warnings) > 0 ||
		out.File != filepath.Join(root, "zookeeper", "version-2", fmt.Sprintf("snapshot.%x", out.Zxid)) {
		t.Errorf("exported %+v", out)
	}
	if said := checked(t, e, root+"/zookeeper"); !strings.Contains(said, "79 znodes, 1 sessions, the digest is the one that ZooKeeper noted") {
		t.Errorf("check says\n%s", said)
	}
	cfg := keeper.Config{DataDir: root + "/again", DataLogDir: root + "/again-log", ExtendedTypes: true}
	in, err := keeper.Import(e, root+"/zookeeper", "", cfg)
	if err != nil {
		t.Fatal(err)
	}
	if in.Nodes != 79 || in.Sessions != 1 || in.Ephemerals != 1 || in.TTLs != 1 || in.Zxid != out.Zxid || !in.Checked || in.Txns != 0 || in.Snapshot != out.File {
		t.Errorf("imported %+v", in)
	}
	if err := keeper.Check(e, root+"/again", root+"/again-log", func(string) {}); err != nil {
		t.Error(err)
	}
	if err := keeper.Check(e, root+"/again", "", func(string) {}); err == nil {
		t.Error("a directory without its log was whole")
	}
	one := root + "/one"
	if _, err := keeper.Import(e, root+"/zookeeper/version-2", "", keeper.Config{DataDir: one, ExtendedTypes: true}); err != nil {
		t.Fatal(err)
	}
	checked(t, e, one)
	if want, got := serves(t, root+"/keeper", c), serves(t, one, c); got != want || len(got) < 79*50 {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	checked(t, e, one)
	serves(t, one, c)
}

// TestSessionsOfTheProcessAreNotExported: they ended with it.
func TestSessionsOfTheProcessAreNotExported(t *testing.T) {
	e, root := env.Real(), t.TempDir()
	k, err := keeper.Start(t.Context(), config(root+"/keeper"), e, quiet)
	if err != nil {
		t.Fatal(err)
	}
	nc, err := k.Pipe(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	c := wrap(t, nc).hello(zk.ConnectRequest{})
	c.ok(&zk.CreateRequest{Path: "/mine", ACL: zk.OpenACL(), Flags: zk.Ephemeral}, &zk.CreateResponse{})
	if _, err := keeper.Export(e, root+"/keeper", "", root+"/out"); !errors.Is(err, env.ErrLocked) {
		t.Errorf("export of a keeper that runs: %v", err)
	}
	if err := keeper.Check(e, root+"/keeper", "", func(string) {}); !errors.Is(err, env.ErrLocked) {
		t.Errorf("check of a keeper that runs: %v", err)
	}
	if err := k.Stop(context.Background()); err != nil {
		t.Fatal(err)
	}
	out, err := keeper.Export(e, root+"/keeper", "", root+"/out")
	if err != nil || out.Ended != 1 || out.Sessions != 0 || out.Ephemerals != 0 || out.Nodes != 4 {
		t.Errorf("%+v, %v", out, err)
	}
}

func TestImportRefuses(t *testing.T) {
	e, root := env.Real(), t.TempDir()
	lived(t, e, root+"/keeper")
	if _, err := keeper.Export(e, root+"/keeper", "", root+"/zk"); err != nil {
		t.Fatal(err)
	}
	f := func(want string, from string, cfg keeper.Config) {
		t.Helper()
		if _, err := keeper.Import(e, from, "", cfg); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
		files, err := os.ReadDir(root)
		if err != nil || len(files) != 2 {
			t.Errorf("%v, %v", files, err)
		}
	}
	f("is not empty, it holds", root+"/zk", keeper.Config{DataDir: root + "/keeper", ExtendedTypes: true})
	f("1 nodes have a time to live, which needs extendedTypesEnabled=true", root+"/zk", keeper.Config{DataDir: root + "/new"})
	f("lie in each other", root+"/zk", keeper.Config{DataDir: root + "/new", DataLogDir: root + "/new/log", ExtendedTypes: true})
	f("no snapshot and no log of ZooKeeper", root+"/keeper", keeper.Config{DataDir: root + "/new"})
	f("no such file", root+"/nowhere", keeper.Config{DataDir: root + "/new"})
	snapshots, err := filepath.Glob(root + "/zk/version-2/snapshot.*")
	if err != nil || len(snapshots) != 1 {
		t.Fatal(snapshots, err)
	}
	b, err := os.ReadFile(snapshots[0])
	if err != nil {
		t.Fatal(err)
	}
	b[500] ^= 4
	if err := os.WriteFile(snapshots[0], b, 0o600); err != nil {
		t.Fatal(err)
	}
	f(filepath.Base(snapshots[0])+" is damaged at byte", root+"/zk", keeper.Config{DataDir: root + "/new", ExtendedTypes: true})
	if err := keeper.Check(e, root+"/zk", "", func(string) {}); err == nil || !strings.Contains(err.Error(), "is damaged at byte") {
		t.Errorf("check: %v", err)
	}
}

func TestExportRefuses(t *testing.T) {
	e, root := env.Real(), t.TempDir()
	lived(t, e, root+"/keeper")
	f := func(want, from, to string) {
		t.Helper()
		if _, err := keeper.Export(e, from, "", to); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
		files, err := os.ReadDir(root)
		if err != nil || len(files) != 1 {
			t.Errorf("%v, %v", files, err)
		}
	}
	f("is not empty, it holds", root+"/keeper", root+"/keeper")
	f("holds no keeper's data", root, root+"/new")
	f("holds no keeper's data", root+"/nowhere", root+"/new")
	if err := keeper.Check(e, root, "", func(string) {}); err == nil || !strings.Contains(err.Error(), "holds no keeper's data") {
		t.Errorf("check: %v", err)
	}
}

// onMemory returns an environment whose disk is memory, with an exported directory
// at /zk and the keeper's, that it comes from, at /keeper.
func onMemory(t *testing.T) (env.Env, *memfs.FS) {
	t.Helper()
	real, root := env.Real(), t.TempDir()
	lived(t, real, root+"/keeper")
	if _, err := keeper.Export(real, root+"/keeper", "", root+"/zk"); err != nil {
		t.Fatal(err)
	}
	disk := memfs.New(0, time.Now)
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		name := strings.TrimPrefix(path, root)
		if err != nil || d.IsDir() {
			return errors.Join(err, disk.MkdirAll("/"+name, 0o755))
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		f, err := disk.Open(name, os.O_RDWR|os.O_CREATE, 0o644)
		if err != nil {
			return err
		}
		_, err = f.WriteAt(b, 0)
		return errors.Join(err, f.Sync(), f.Close())
	})
	for _, dir := range []string{"/", "/zk", "/zk/version-2", "/keeper", "/keeper/log", "/keeper/snapshots"} {
		err = errors.Join(err, disk.SyncDir(dir))
	}
	if err != nil {
		t.Fatal(err)
	}
	real.FS = disk
	return real, disk
}

// TestImportIsWholeOrNothing fails and crashes an import at every call.
func TestImportIsWholeOrNothing(t *testing.T) {
	e, disk := onMemory(t)
	cfg := keeper.Config{DataDir: "/new", DataLogDir: "/new-log", ExtendedTypes: true}
	whole := 0
	for fail := 0; whole == 0; fail++ {
		d := disk.CrashClone(memfs.Crash{})
		e.FS = d
		calls := 0
		d.SetInjector(func(memfs.Op, string) error {
			if calls++; calls == fail+1 {
				return errors.New("disk is gone")
			}
			return nil
		})
		_, err := keeper.Import(e, "/zk", "", cfg)
		d.SetInjector(nil)
		if err == nil {
			whole++
		}
		after := []*memfs.FS{d, d.CrashClone(memfs.Crash{}), d.CrashClone(memfs.Crash{Rand: rand.New(rand.NewPCG(uint64(fail), 1)), KeepPercent: 50})}
		for i, d := range after {
			e.FS = d
			if _, missing := d.Stat("/new"); missing != nil {
				if err == nil {
					t.Fatalf("call %d, disk %d: an import that succeeded is gone", fail, i)
				}
				continue
			}
			if err := keeper.Check(e, "/new", "/new-log", func(string) {}); err != nil {
				t.Fatalf("call %d, disk %d: half a directory: %v", fail, i, err)
			}
		}
		if _, left := d.Stat("/new"); err != nil && left == nil {
			t.Fatalf("call %d failed (%v), and there is a directory", fail, err)
		}
	}
}

// TestMyidStays: it is the administrator's, and may be there before the data.
func TestMyidStays(t *testing.T) {
	e, disk := onMemory(t)
	if err := disk.MkdirAll("/new", 0o755); err != nil {
		t.Fatal(err)
	}
	rewrite(t, disk, "/new/myid", []byte("3\n"))
	cfg := keeper.Config{DataDir: "/new", ExtendedTypes: true, Member: 3}
	if _, err := keeper.Import(e, "/zk", "", cfg); err != nil {
		t.Fatal(err)
	}
	if said := checked(t, e, "/new"); !strings.Contains(said, "of member 3") {
		t.Errorf("check says %s", said)
	}
	done := false
	for fail := 1; !done; fail++ {
		if err := errors.Join(disk.RemoveAll("/new"), disk.MkdirAll("/new", 0o755)); err != nil {
			t.Fatal(err)
		}
		rewrite(t, disk, "/new/myid", []byte("3\n"))
		calls := 0
		disk.SetInjector(func(memfs.Op, string) error {
			if calls++; calls == fail {
				return errors.New("disk is gone")
			}
			return nil
		})
		_, err := keeper.Import(e, "/zk", "", cfg)
		disk.SetInjector(nil)
		if text, missing := disk.ReadFile("/new/myid"); missing != nil || string(text) != "3\n" {
			t.Fatalf("call %d, %v: myid is %q, %v", fail, err, text, missing)
		}
		files, listErr := disk.ReadDir("/new")
		if err != nil && len(files) != 1 || listErr != nil {
			t.Fatalf("call %d, %v: left are %v, %v", fail, err, files, listErr)
		}
		done = calls < fail
	}
}

// TestCheckFindsDamage flips bits of a keeper's files, and cuts them.
func TestCheckFindsDamage(t *testing.T) {
	e, disk := onMemory(t)
	checked(t, e, "/keeper")
	for _, dir := range []string{"/keeper/snapshots", "/keeper/log"} {
		files, err := disk.ReadDir(dir)
		if err != nil || len(files) == 0 {
			t.Fatal(files, err)
		}
		for _, f := range files {
			name := dir + "/" + f.Name()
			whole, err := disk.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			try := func(what string, b []byte) {
				t.Helper()
				before := rewrite(t, disk, name, b)
				err := keeper.Check(e, "/keeper", "", func(string) {})
				if err == nil || !strings.Contains(err.Error(), f.Name()) {
					t.Errorf("%s %s: %v", name, what, err)
				}
				if now, err := disk.ReadFile(name); err != nil || !bytes.Equal(now, before) {
					t.Errorf("%s %s: check changed it, %v", name, what, err)
				}
			}
			for at := 0; at < len(whole); at += 97 {
				bad := bytes.Clone(whole)
				bad[at] ^= 1 << (at % 8)
				try(fmt.Sprint("flipped at ", at), bad)
				try(fmt.Sprint("cut at ", at), whole[:at])
			}
			rewrite(t, disk, name, whole)
		}
	}
	checked(t, e, "/keeper")
}

func rewrite(t *testing.T, disk *memfs.FS, name string, b []byte) []byte {
	t.Helper()
	f, err := disk.Open(name, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o644)
	if err == nil {
		_, err = f.WriteAt(b, 0)
		err = errors.Join(err, f.Close())
	}
	if err != nil {
		t.Fatal(err)
	}
	return bytes.Clone(b)
}

// TestExportPassesOverADamagedSnapshot as a keeper does that starts.
func TestExportPassesOverADamagedSnapshot(t *testing.T) {
	e, disk := onMemory(t)
	files, err := disk.ReadDir("/keeper/snapshots")
	if err != nil || len(files) != 2 {
		t.Fatal(files, err)
	}
	rewrite(t, disk, "/keeper/snapshots/"+files[1].Name(), []byte("short"))
	out, err := keeper.Export(e, "/keeper", "", "/out")
	if err != nil || out.Nodes != 79 || len(out.Warnings) != 1 || !strings.Contains(out.Warnings[0], files[1].Name()) {
		t.Fatalf("%+v, %v", out, err)
	}
	rewrite(t, disk, "/keeper/snapshots/"+files[0].Name(), nil)
	if _, err := keeper.Export(e, "/keeper", "", "/out-2"); err == nil || !strings.Contains(err.Error(), "no snapshot can be used") {
		t.Errorf("%v", err)
	}
}

// TestCheckComparesSnapshots: one that is whole and does not tell the truth shows.
func TestCheckComparesSnapshots(t *testing.T) {
	e, disk := onMemory(t)
	const dir = "/keeper/snapshots"
	found, err := snap.List(disk, dir)
	if err != nil || len(found) != 2 {
		t.Fatal(found, err)
	}
	meta, err := disk.ReadFile("/keeper/keeper.meta")
	if err != nil {
		t.Fatal(err)
	}
	_, text, _ := strings.Cut(string(meta), "\nid=")
	id, err := strconv.ParseUint(text[:16], 16, 64)
	if err != nil {
		t.Fatal(err)
	}
	l := tree.NewLoader(tree.Options{ExtendedTypes: true})
	m, err := snap.Read(disk, dir, found[1], id, l.Load)
	if err != nil {
		t.Fatal(err)
	}
	older, err := l.Finish()
	if err != nil {
		t.Fatal(err)
	}
	older.Apply(&tree.Txn{Op: zk.OpSetData, Zxid: m.Zxid, Path: "/a/b", Data: []byte("never"), Version: 1}, &tree.Result{})
	s := older.BeginSnapshot()
	if _, err := snap.Write(disk, dir, m, s.Next, func() error { return nil }); err != nil {
		t.Fatal(err)
	}
	if err := keeper.Check(e, "/keeper", "", func(string) {}); err == nil || !strings.Contains(err.Error(), "lead to different states") {
		t.Errorf("%v", err)
	}
}
