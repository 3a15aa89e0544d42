//go:build interop

package keeper

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gregor-mq/gregor/interop/peer"
	"github.com/gregor-mq/gregor/zk"
)

// releases are what data comes from.
var releases = []struct {
	name, version string
	old           bool // comes with an old Kafka
	modern        bool // knows containers and times to live
	digests       bool
	logDir        bool // logs lie apart from snapshots
	brief         bool // the import alone
	properties    map[string]string
}{
	{name: "3.4.9", version: "3.4.9", old: true},
	{name: "3.5.7", version: "3.5.7", old: true, modern: true},
	{name: "3.8.4", version: "3.8.4", modern: true, digests: true},
	{name: "3.8.4 gz", version: "3.8.4", modern: true, digests: true, brief: true, logDir: true, properties: map[string]string{"snapshot.compression.method": "gz"}},
	{name: "3.9.4", version: "3.9.4", modern: true, digests: true, logDir: true},
	{name: "3.9.4 snappy", version: "3.9.4", modern: true, digests: true, brief: true, properties: map[string]string{"snapshot.compression.method": "snappy"}},
	{name: "3.9.4 without digests", version: "3.9.4", modern: true, brief: true, properties: map[string]string{"digest.enabled": "false", "closeSessionTxn.enabled": "false"}},
}

// TestThereAndBack kills Apache ZooKeeper while it writes and takes snapshots.
// What a restart makes of that and what gregor's keeper imports must be the same
// tree; and what gregor exports, Apache serves as well.
func TestThereAndBack(t *testing.T) {
	for _, r := range releases {
		t.Run(r.name, func(t *testing.T) {
			start := peer.ZooKeeper
			if r.old {
				start = peer.OldZooKeeper
			}
			data, logs := t.TempDir(), ""
			if r.logDir {
				logs = t.TempDir()
			}
			apache := start(t, r.version, on(data, logs, r.properties))
			stop := make(chan struct{})
			churned := churn(t, apache.Addr, stop)
			who := fill(t, apache.Addr, r.modern)
			who.short = connect(t, apache.Addr, shortSession, nil)
			who.short.create("/short", "", zk.Ephemeral)
			apache.Kill(t)
			close(stop)
			churned()

			restarted := start(t, r.version, on(copied(t, data), copied(t, logs), r.properties))
			want := dump(t, restarted.Addr)
			restarted.Kill(t)

			gregor, said := imported(t, data, logs)
			if strings.Contains(said, "digest:") != r.digests {
				t.Errorf("digest checked: want %v\n%s", r.digests, said)
			}
			got := dump(t, gregor.Addr)
			if !slices.ContainsFunc(want, func(l string) bool { return strings.HasPrefix(l, "/zookeeper/config ") }) {
				added := func(l string) bool {
					return strings.HasPrefix(l, "/zookeeper ") || strings.HasPrefix(l, "/zookeeper/config ")
				}
				want, got = slices.DeleteFunc(want, added), slices.DeleteFunc(got, added)
			}
			same(t, "gregor after Apache", want, got)
			if !r.brief {
				sessionsLive(t, gregor, who)
				back(t, gregor, who)
			}
		})
	}
}

// on are the options of a server on these directories.
func on(data, logs string, more map[string]string) peer.ZooKeeperOptions {
	p := properties(more)
	if logs != "" {
		p["dataLogDir"] = logs
	}
	return peer.ZooKeeperOptions{DataDir: data, Properties: p}
}

// copied copies a directory, "" for none.
func copied(t *testing.T, dir string) string {
	t.Helper()
	if dir == "" {
		return ""
	}
	to := filepath.Join(t.TempDir(), "copy")
	if err := os.CopyFS(to, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	return to
}

// imported runs gregor's keeper on what Apache left.
func imported(t *testing.T, dataDir, logDir string) (*peer.Ensemble, string) {
	t.Helper()
	check(t, dataDir, logDir)
	to := filepath.Join(t.TempDir(), "keeper")
	config := filepath.Join(t.TempDir(), "zoo.cfg")
	if err := os.WriteFile(config, []byte("dataDir="+to+"\nextendedTypesEnabled=true\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	out, errs, exit := peer.RunGregor(t, "", "keeper", "import", "--from", dataDir, "--log-from", logDir, "--config", config)
	if exit != 0 {
		t.Fatalf("import: exit %d\n%s%s", exit, out, errs)
	}
	t.Logf("import:\n%s%s", out, errs)
	if _, errs, exit := peer.RunGregor(t, "", "keeper", "import", "--from", dataDir, "--to", to); exit == 0 || !strings.Contains(errs, "not empty") {
		t.Errorf("import into what is there: exit %d, %s", exit, errs)
	}
	check(t, to, "")
	return peer.GregorKeeper(t, on(to, "", nil)), out
}

// check runs the verb on a directory that is whole.
func check(t *testing.T, dir, logDir string) {
	t.Helper()
	out, errs, exit := peer.RunGregor(t, "", "keeper", "check", "--dir", dir, "--log-dir", logDir)
	if exit != 0 || !strings.Contains(out, "all is whole") {
		t.Errorf("check %s: exit %d\n%s%s", dir, exit, out, errs)
	}
}

// sessionsLive takes the long session up again, and waits until the short one has
// ended with its node.
func sessionsLive(t *testing.T, z *peer.Ensemble, who actors) {
	t.Helper()
	begin := time.Now()
	wrong := *who.long
	wrong.session.Password = make([]byte, zk.PasswordSize)
	if _, err := tryConnect(t, z.Addr, longSession, &wrong); err == nil {
		t.Error("a session was attached to with a wrong password")
	}
	c := connect(t, z.Addr, longSession, who.long)
	if st := c.exists("/mine"); st == nil || st.EphemeralOwner != who.long.session.SessionID {
		t.Errorf("/mine: %+v", st)
	}
	if c.exists("/short") == nil {
		t.Error("the short session's node is gone at once")
	}
	peer.Eventually(t, shortSession+patience, func() error {
		if c.exists("/short") != nil {
			return errors.New("the short session's node is still there")
		}
		return nil
	})
	if took := time.Since(begin); took < shortSession/2 {
		t.Errorf("the short session ended after %v, its timeout is %v", took, shortSession)
	}
	if c.exists("/mine") == nil {
		t.Error("the long session's node went with the short one's")
	}
}

// back exports what gregor has and has Apache serve it.
func back(t *testing.T, gregor *peer.Ensemble, who actors) {
	t.Helper()
	c := connect(t, gregor.Addr, longSession, who.long)
	top := c.exists("/mine").Mzxid
	c.create("/from-gregor", "new", zk.Persistent)
	if st := c.exists("/from-gregor"); st.Czxid <= top {
		t.Errorf("czxid 0x%x does not go on after 0x%x", st.Czxid, top)
	}
	c.create("/from-gregor/mine", "", zk.Ephemeral)
	want := dump(t, gregor.Addr)
	gregor.Stop(t)
	check(t, gregor.DataDir, "")
	for _, version := range []string{"3.8.4", "3.9.4"} {
		to := filepath.Join(t.TempDir(), "zookeeper")
		out, errs, exit := peer.RunGregor(t, "", "keeper", "export", "--from", gregor.DataDir, "--to", to)
		if exit != 0 {
			t.Fatalf("export: exit %d\n%s%s", exit, out, errs)
		}
		check(t, to, "")
		apache := peer.ZooKeeper(t, version, on(to, "", nil))
		same(t, "Apache "+version+" after gregor", want, dump(t, apache.Addr))
		c := connect(t, apache.Addr, longSession, who.long)
		if c.exists("/from-gregor/mine") == nil {
			t.Error("an ephemeral node of gregor's is gone")
		}
		for i := range 100 {
			c.create(fmt.Sprint("/more-", i), "", zk.Persistent)
		}
		apache.Stop(t)
		if log := apache.Stdout() + apache.Stderr(); strings.Contains(strings.ToLower(log), "mismatch") {
			t.Errorf("Apache %s complains of the digest:\n%s", version, log)
		}
		check(t, to, "")
	}
}
