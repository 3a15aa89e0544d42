package zkfile

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/gregor-mq/gregor/internal/must"
	"github.com/gregor-mq/gregor/keeper/tree"
	"github.com/gregor-mq/gregor/zk"
)

func TestSnapshotsOfAllVersions(t *testing.T) {
	s, _ := told(story())
	want := describe(s)
	plain := snapBytes(s)
	noDigest := tailDigest(plain, 0, 0)
	old := zk.NewEncoder(bytes.Clone(plain)) // the text that a digest was before 3.6.0
	old.Long(14)
	old.Int(1)
	old.String("1a2b")
	f := func(name string, b []byte, reached int64, digest uint64) {
		t.Helper()
		d := disk(t)
		got, err := ReadSnapshot(d, put(t, d, name, b))
		if err != nil {
			t.Fatal(err)
		}
		if describe(got.State) != want {
			t.Errorf("%s: got\n%s\nwant\n%s", name, describe(got.State), want)
		}
		var sum uint64
		if got.Digest != nil {
			sum = got.Digest.Sum
		}
		if got.Reached != reached || sum != digest {
			t.Errorf("%s: reached %d with digest %x, want %d and %x", name, got.Reached, sum, reached, digest)
		}
	}
	f("snapshot.e", plain, 14, 0)
	f("snapshot.e", tailDigest(plain, 14, 99), 14, 99)
	f("snapshot.e", tailDigest(plain, 20, 99), 20, 99)
	f("snapshot.e", noDigest, 14, 0)
	f("snapshot.e", tailLast(plain, 15), 15, 0)
	f("snapshot.e", tailLast(tailDigest(plain, 15, 99), 16), 16, 99)
	f("snapshot.e", seal(old.Bytes()), 14, 0x1a2b)
	f("snapshot.e.gz", gzipped(tailDigest(plain, 14, 99)), 14, 99)
	f("snapshot.e.snappy", snapped(tailDigest(plain, 14, 99)), 14, 99)
}

// TestCutAndFlippedSnapshots: a snapshot is whole, or damaged.
func TestCutAndFlippedSnapshots(t *testing.T) {
	s, _ := told(story()[:6])
	plain := snapBytes(s)
	digest := tailDigest(plain, 6, 99)
	whole := tailLast(digest, 6)
	for _, pack := range []struct {
		name string
		pack func([]byte) []byte
	}{{"snapshot.6", bytes.Clone}, {"snapshot.6.gz", gzipped}, {"snapshot.6.snappy", snapped}} {
		d, b := disk(t), pack.pack(whole)
		for cut := range b {
			if pack.name == "snapshot.6" && (cut == len(plain) || cut == len(digest)) {
				continue // what an older version wrote
			}
			_, err := ReadSnapshot(d, put(t, d, pack.name, b[:cut]))
			damaged(t, fmt.Sprintf("%s cut at %d", pack.name, cut), err)
		}
		for at := range b {
			bad := bytes.Clone(b)
			bad[at] ^= 1 << (at % 8)
			got, err := ReadSnapshot(d, put(t, d, pack.name, bad))
			if err == nil && pack.name != "snapshot.6" && describe(got.State) == describe(s) {
				continue // a header of the compression that says nothing
			}
			damaged(t, fmt.Sprintf("%s flipped at %d", pack.name, at), err)
		}
		_, err := ReadSnapshot(d, put(t, d, pack.name, append(b, 0)))
		damaged(t, pack.name+" with a byte more", err)
	}
}

func TestMalformedTreesAreRefused(t *testing.T) {
	f := func(reason string, nodes ...node) {
		t.Helper()
		e := zk.NewEncoder(nil)
		e.Int(snapMagic)
		e.Int(fileVersion)
		e.Long(-1)
		e.Int(0)
		e.Int(0)
		w := snapWriter{e: e}
		for i := range nodes {
			must.Hold(w.node(&nodes[i].Image, nodes[i].Owner) == nil, "nothing is written yet")
		}
		e.String(endPath)
		d := disk(t)
		_, err := ReadSnapshot(d, put(t, d, "snapshot.1", seal(e.Bytes())))
		if err == nil || !strings.Contains(err.Error(), reason) {
			t.Errorf("%v, want %q", err, reason)
		}
		damaged(t, reason, err)
	}
	// The owner of an open ACL is its number here.
	root := node{Image: tree.Image{Path: "/", Owner: openACLID}}
	at := func(path string) node { return node{Image: tree.Image{Path: path, Owner: openACLID}} }
	f("there is no root")
	f("has no parent", root, at("/a/b"))
	f("has no parent", root, at("a"))
	f("has no parent", root, at("/a"), at("/a/"))
	f("is there twice", root, at("/a"), at("/a"))
	f("is there twice", root, root)
}

// TestWrittenSnapshotIsRead writes a tree of the keeper and reads it.
func TestWrittenSnapshotIsRead(t *testing.T) {
	s, _ := told(story())
	b := tree.NewBuilder(tree.Options{ExtendedTypes: true})
	for id, timeout := range s.Sessions {
		b.Session(id, tree.Session{Timeout: timeout})
	}
	if err := s.Images(b.Add); err != nil {
		t.Fatal(err)
	}
	built, err := b.Finish(s.Zxid)
	if err != nil {
		t.Fatal(err)
	}
	d := disk(t)
	name, err := WriteSnapshot(d, "/out", built)
	if err != nil || name != "/out/version-2/snapshot.e" {
		t.Fatalf("%s, %v", name, err)
	}
	got, err := ReadSnapshot(d, File{name, s.Zxid})
	if err != nil {
		t.Fatal(err)
	}
	lines := slices.DeleteFunc(strings.Split(describe(got.State), "\n"), func(l string) bool { return strings.HasPrefix(l, "{Path:/zookeeper/config ") })
	if text := strings.Join(lines, "\n"); text != describe(s) {
		t.Errorf("got\n%s\nwant\n%s", text, describe(s))
	}
	if got.Digest == nil || got.Digest.Sum != s.Sum() || got.Digest.Zxid != s.Zxid {
		t.Errorf("digest %+v, want %x of %d", got.Digest, s.Sum(), s.Zxid)
	}
	if _, err := WriteSnapshot(d, "/out", built); err == nil {
		t.Error("a file was written over")
	}
}
