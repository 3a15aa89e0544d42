package zkfile

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/gregor-mq/gregor/internal/env/memfs"
	"github.com/gregor-mq/gregor/keeper/tree"
	"github.com/gregor-mq/gregor/zk"
)

// shelf is a directory that is filled file by file.
type shelf struct {
	t    *testing.T
	d    *memfs.FS
	txns []tree.Txn
	log  [][]byte
	all  *State
}

func newShelf(t *testing.T) *shelf {
	t.Helper()
	s := &shelf{t: t, d: disk(t), txns: story()}
	s.all, s.log = told(s.txns)
	return s
}

// after is the state after n transactions.
func (s *shelf) after(n int) *State {
	state, _ := told(s.txns[:n])
	return state
}

func (s *shelf) load() (*Loaded, error) {
	s.t.Helper()
	return Load(s.d, find(s.t, s.d))
}

func (s *shelf) whole(what string) *Loaded {
	s.t.Helper()
	l, err := s.load()
	if err != nil {
		s.t.Fatalf("%s: %v", what, err)
	}
	if describe(l.State) != describe(s.all) || !l.Checked || l.Mismatch != nil {
		s.t.Fatalf("%s: checked %v, %v, got\n%s\nwant\n%s", what, l.Checked, l.Mismatch, describe(l.State), describe(s.all))
	}
	return l
}

func (s *shelf) refused(want string) {
	s.t.Helper()
	if _, err := s.load(); err == nil || !strings.Contains(err.Error(), want) {
		s.t.Fatalf("%v, want %q", err, want)
	}
}

func TestLogsAloneGoBackToTheFirst(t *testing.T) {
	s := newShelf(t)
	put(t, s.d, "log.1", logBytes(s.log[:5]...))
	put(t, s.d, "log.6", logBytes(s.log[5:]...))
	if l := s.whole("two logs"); l.Txns != len(s.txns) || len(l.Logs) != 2 || l.Snapshot != "" {
		t.Errorf("%+v", l)
	}
	s = newShelf(t)
	put(t, s.d, "log.6", logBytes(s.log[5:]...))
	s.refused("there is no snapshot, and the first log begins with transaction 0x6")
}

func TestLogsBeforeTheSnapshotAreLeftAlone(t *testing.T) {
	s := newShelf(t)
	put(t, s.d, "log.1", []byte("damaged, and nobody needs it"))
	put(t, s.d, "log.5", logBytes(s.log[4:7]...))
	put(t, s.d, "log.8", logBytes(s.log[7:]...))
	put(t, s.d, "snapshot.6", tailDigest(snapBytes(s.after(6)), 6, s.after(6).Sum()))
	if l := s.whole("a snapshot in the middle"); l.Txns != len(s.txns)-6 || len(l.Logs) != 2 {
		t.Errorf("%+v", l)
	}
}

func TestMissingTransactionsAreNoticed(t *testing.T) {
	s := newShelf(t)
	put(t, s.d, "snapshot.3", snapBytes(s.after(3)))
	put(t, s.d, "log.6", logBytes(s.log[5:]...))
	s.refused("log.6 is damaged at byte 16: transaction 0x6 follows 0x3: those between them are missing")

	s = newShelf(t)
	put(t, s.d, "log.1", logBytes(append(append([][]byte{}, s.log[:3]...), s.log[4:]...)...))
	s.refused("transaction 0x5 follows 0x3")

	s = newShelf(t) // the snapshot holds what the log does not
	put(t, s.d, "snapshot.3", tailDigest(snapBytes(s.after(8)), 8, 1))
	put(t, s.d, "log.4", logBytes(s.log[3:5]...))
	s.refused("snapshot.3 holds parts of transactions up to 0x8, and the log ends with 0x5")
	if _, err := s.load(); !errors.Is(err, ErrGap) {
		t.Errorf("%v is no gap", err)
	}
	put(t, s.d, "snapshot.3", snapBytes(s.after(8)))
	s.refused("and the log ends with 0x5: transactions are missing")
}

// TestACLsThatSnapshotsDoNotList: the list is written before the nodes.
func TestACLsThatSnapshotsDoNotList(t *testing.T) {
	s := newShelf(t)
	b := snapBytes(s.after(3)) // ends with /x/e, whose ACL is the only one in the list
	list := zk.NewEncoder(nil)
	list.Int(1)
	list.Long(1)
	list.ACLs(zk.ReadACL())
	none := zk.NewEncoder(nil)
	none.Int(0)
	unlisted := bytes.Replace(b[:len(b)-sealSize], list.Bytes(), none.Bytes(), 1)
	put(t, s.d, "snapshot.2", seal(unlisted))
	s.refused("of transaction 0x3, and the log ends with 0x2")
	put(t, s.d, "log.1", logBytes(s.log...))
	s.whole("the log tells it")
	put(t, s.d, "snapshot.3", seal(unlisted))
	put(t, s.d, "log.1", logBytes(s.log[:3]...))
	s.refused("snapshot.3 holds node /x/e without its ACL")
}

func TestCrashesBetweenLogs(t *testing.T) {
	s := newShelf(t)
	torn := logBytes(s.log[:6]...)
	put(t, s.d, "log.1", append(torn[:len(torn)-5], make([]byte, 100)...))
	put(t, s.d, "log.6", logBytes(s.log[5:]...))
	if l := s.whole("a restart after a crash"); l.Torn != nil {
		t.Errorf("%+v", l.Torn)
	}
	put(t, s.d, "log.6", logBytes(s.log[6:]...))
	s.refused("log.6 is damaged at byte 16: it begins with transaction 0x7")

	s = newShelf(t)
	put(t, s.d, "log.1", logBytes(s.log...))
	put(t, s.d, "log.f", nil)
	if l := s.whole("a crash while a log was made"); l.Torn == nil || l.Torn.Bytes != 0 {
		t.Errorf("%+v", l.Torn)
	}
}

func TestEpochsFollowEachOther(t *testing.T) {
	s := newShelf(t)
	for i := range s.txns {
		s.txns[i].Zxid = 3<<32 + int64(i+1)
		if i >= 6 {
			s.txns[i].Zxid = 5<<32 + int64(i-5)
		}
		s.txns[i].Time = 1000 + s.txns[i].Zxid&counterBits
	}
	s.all, s.log = told(s.txns)
	put(t, s.d, "snapshot.0", snapBytes(New()))
	put(t, s.d, "log.300000001", logBytes(s.log[:6]...))
	put(t, s.d, "log.500000001", logBytes(s.log[6:]...))
	s.whole("a new epoch")
	put(t, s.d, "log.500000002", logBytes(s.log[7:]...))
	put(t, s.d, "log.500000001", logBytes())
	s.refused("transaction 0x500000002 follows 0x300000006")
}

func TestDamagedSnapshotsArePassedOver(t *testing.T) {
	s := newShelf(t)
	newer := snapBytes(s.after(9))
	put(t, s.d, "snapshot.9", newer[:len(newer)/2])
	put(t, s.d, "snapshot.4", snapBytes(s.after(4)))
	put(t, s.d, "log.1", logBytes(s.log...))
	l := s.whole("an older snapshot")
	if len(l.Passed) != 1 || !strings.Contains(l.Passed[0].Error(), "snapshot.9 is damaged at byte") || !strings.HasSuffix(l.Snapshot, "snapshot.4") {
		t.Errorf("%+v, %s", l.Passed, l.Snapshot)
	}
	put(t, s.d, "snapshot.4", nil)
	s.refused("no snapshot can be read")
	if _, err := s.load(); !strings.Contains(err.Error(), "snapshot.9") || !strings.Contains(err.Error(), "snapshot.4") {
		t.Errorf("%v", err)
	}
}

func TestAWrongTreeShowsInItsDigest(t *testing.T) {
	s := newShelf(t)
	other := s.after(4)
	other.change(other.nodes["/x"], func(n *node) { n.Mtime = 77 })
	put(t, s.d, "snapshot.4", snapBytes(other))
	put(t, s.d, "log.5", logBytes(s.log[4:5]...))
	l, err := s.load()
	if err != nil || l.Mismatch == nil || !l.Checked {
		t.Fatalf("%v, %v", l, err)
	}
}

func TestDeadSessionsLeaveNothing(t *testing.T) {
	s := newShelf(t)
	state := s.after(9)
	delete(state.Sessions, 0x1000000000000aa)
	put(t, s.d, "snapshot.9", snapBytes(state))
	l, err := s.load()
	if err != nil {
		t.Fatal(err)
	}
	_, gone := l.nodes["/x/e"]
	_, container := l.nodes["/c"]
	_, ttl := l.nodes["/t"]
	if l.Dead != 1 || gone || !container || !ttl || l.nodes["/x"].Pzxid != 9 {
		t.Errorf("%d dead, /x/e %v, /c %v, /t %v, %+v", l.Dead, gone, container, ttl, l.nodes["/x"])
	}
	if eph, ttls := l.Owned(); eph != 1 || ttls != 1 {
		t.Errorf("%d ephemerals, %d with a time to live", eph, ttls)
	}
}

func TestEpochOfAMember(t *testing.T) {
	s := newShelf(t)
	put(t, s.d, "log.1", logBytes(s.log...))
	write := func(name, text string) {
		t.Helper()
		if err := errors.Join(s.d.Remove(dir+"/log.2"), s.d.Rename(put(t, s.d, "log.2", []byte(text)).Name, dir+"/"+name)); err != nil && !strings.Contains(err.Error(), "not exist") {
			t.Fatal(err)
		}
	}
	write("acceptedEpoch", "7\n")
	write("currentEpoch", "6")
	if d := find(t, s.d); d.Epoch != 7 {
		t.Errorf("epoch %d", d.Epoch)
	}
	write("currentEpoch", "six")
	_, err := Find(s.d, "/zk", "")
	damaged(t, "an epoch in letters", err)
}

func TestCheckTellsAndFinds(t *testing.T) {
	s := newShelf(t)
	put(t, s.d, "snapshot.4", tailLast(snapBytes(s.after(4)), 5))
	put(t, s.d, "log.1", append(logBytes(s.log...), 1, 2, 3))
	var said []string
	check := func() error {
		said = nil
		return Check(s.d, find(t, s.d), func(line string) { said = append(said, line) })
	}
	err := check()
	want := "snapshot.4: 5 znodes, 2 sessions, from transaction 0x4 on, with parts up to 0x5\n" +
		"log.1: 14 transactions, 0x1 to 0xe, then 3 bytes of a write that was never acknowledged, at byte "
	if got := strings.Join(said, "\n"); err != nil || !strings.HasPrefix(got, want) ||
		!strings.HasSuffix(got, "snapshot.4 and the log lead to transaction 0xe: 7 znodes, 1 sessions, the digest is the one that ZooKeeper noted") {
		t.Errorf("%v\n%s", err, got)
	}
	for name, b := range map[string][]byte{"snapshot.8": nil, "snapshot.9.gz": gzipped(snapBytes(s.after(9)))[:50], "snapshot.a.snappy": snapped(snapBytes(s.after(9)))[:50]} {
		f := put(t, s.d, name, b)
		if err := check(); err != nil || !strings.Contains(strings.Join(said, "\n"), name+" is unfinished") {
			t.Errorf("%v\n%s", err, strings.Join(said, "\n"))
		}
		if err := s.d.Remove(f.Name); err != nil {
			t.Fatal(err)
		}
	}
	put(t, s.d, "snapshot.2", []byte("short"))
	bad := bytes.Clone(logBytes(s.log[:3]...))
	bad[30] ^= 1
	put(t, s.d, "log.1", bad)
	err = check()
	if err == nil || !strings.Contains(err.Error(), "snapshot.2 is damaged at byte") || !strings.Contains(err.Error(), "log.1 is damaged at byte 16") {
		t.Errorf("%v", err)
	}
	if _, err := Find(s.d, "/", ""); !errors.Is(err, ErrNone) || Is(s.d, "/") || !Is(s.d, "/zk") || !Is(s.d, dir) {
		t.Errorf("%v", err)
	}
}
