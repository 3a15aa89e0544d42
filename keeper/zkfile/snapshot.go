package zkfile

import (
	"bytes"
	"fmt"
	"hash/adler32"
	"strconv"

	"github.com/gregor-mq/gregor/internal/env"
	"github.com/gregor-mq/gregor/keeper/tree"
	"github.com/gregor-mq/gregor/zk"
)

const (
	snapMagic   = 'Z'<<24 | 'K'<<16 | 'S'<<8 | 'N'
	fileVersion = 2
	// openACLID stands for the ACL that lets everybody do everything.
	openACLID = -1
	// rootPath is how a snapshot writes the root's path, and endPath what stands
	// behind the last node and behind every checksum.
	rootPath, endPath = "", "/"
	// sealSize is a checksum and endPath.
	sealSize = 8 + 4 + 1
	// lastSize is the last zxid and its seal, at the very end since 3.9.
	lastSize = 8 + sealSize
)

// lastBytes end every snapshot: endPath behind its length.
var lastBytes = []byte("\x00\x00\x00\x01" + endPath)

// Snapshot is what one file holds.
type Snapshot struct {
	*State
	// Digest is nil where the file has none: before 3.6.
	Digest *Digest
	// Reached is the last transaction of which the file may hold parts.
	Reached int64
}

// ReadSnapshot reads a snapshot as any version wrote it. Damage is a
// *CorruptError.
func ReadSnapshot(fsys env.FS, f File) (*Snapshot, error) {
	b, err := fsys.ReadFile(f.Name)
	if err != nil {
		return nil, fmt.Errorf("zookeeper data: %w", err)
	}
	if b, err = unpack(f.Name, b); err != nil {
		return nil, err
	}
	r := snapReader{src: b, d: zk.NewDecoder(b), acls: map[int64][]zk.ACL{}, s: &Snapshot{State: empty()}}
	r.s.Zxid, r.s.Reached = f.Zxid, f.Zxid
	if reason := r.all(); reason != "" {
		return nil, &CorruptError{File: f.Name, Offset: r.at(), Reason: reason, Unfinished: !bytes.HasSuffix(b, lastBytes)}
	}
	return r.s, nil
}

type snapReader struct {
	src  []byte
	d    *zk.Decoder
	acls map[int64][]zk.ACL
	s    *Snapshot
}

func (r *snapReader) at() int64 { return int64(len(r.src) - r.d.Len()) }

// cut is the reason when the bytes end too early.
func (r *snapReader) cut(what string) string {
	if r.d.Err() != nil {
		return what + ": " + r.d.Err().Error()
	}
	return ""
}

// all reads the file; a reason says what is wrong where it stopped.
func (r *snapReader) all() (reason string) {
	magic, version := r.d.Int(), r.d.Int()
	r.d.Long() // a database's number, which nobody reads
	switch {
	case r.d.Err() != nil || magic != snapMagic:
		return "it does not begin like a snapshot of ZooKeeper"
	case version != fileVersion:
		return fmt.Sprintf("its format has version %d, known is %d", version, fileVersion)
	}
	for _, part := range []func() string{r.sessions, r.aclList, r.nodes, r.seal, r.tail} {
		if reason := part(); reason != "" {
			return reason
		}
	}
	return ""
}

func (r *snapReader) sessions() string {
	const size = 8 + 4
	n, _ := r.d.Vector(size)
	for range n {
		id := r.d.Long()
		r.s.Sessions[id] = r.d.Int()
	}
	return r.cut("sessions")
}

func (r *snapReader) aclList() string {
	const least = 8 + 4
	n, _ := r.d.Vector(least)
	for range n {
		id := r.d.Long()
		r.acls[id] = orOpen(r.d.ACLs())
	}
	return r.cut("ACLs")
}

func (r *snapReader) nodes() string {
	for {
		path := r.d.String()
		if r.d.Err() != nil {
			return r.cut("nodes")
		}
		if path == endPath {
			if len(r.s.State.nodes) == 0 {
				return "there is no root"
			}
			return ""
		}
		if reason := r.node(path); reason != "" {
			return reason
		}
	}
}

func (r *snapReader) node(path string) string {
	n := &node{Image: tree.Image{Path: path, Data: r.d.Buffer()}}
	acl := r.d.Long()
	n.Czxid, n.Mzxid, n.Ctime, n.Mtime = r.d.Long(), r.d.Long(), r.d.Long(), r.d.Long()
	n.Version, n.Creates, n.Aversion = r.d.Int(), r.d.Int(), r.d.Int()
	n.Owner, n.Pzxid = r.d.Long(), r.d.Long()
	if r.d.Err() != nil {
		return r.cut("node " + strconv.Quote(path))
	}
	if n.ACL = r.acls[acl]; acl == openACLID {
		n.ACL = zk.OpenACL()
	}
	if path == rootPath {
		n.Path = "/"
	}
	_, parent := r.s.State.nodes[parentOf(n.Path)]
	_, twice := r.s.State.nodes[n.Path]
	switch {
	case twice:
		return fmt.Sprintf("node %q is there twice", path)
	case path != rootPath && (!parent || path[0] != '/' || path[len(path)-1] == '/'):
		return fmt.Sprintf("node %q has no parent", path)
	}
	r.s.State.add(n)
	return ""
}

// seal checks what is before it.
func (r *snapReader) seal() string {
	sum := adler32.Checksum(r.src[:r.at()])
	want, end := r.d.Long(), r.d.String()
	switch {
	case r.d.Err() != nil:
		return r.cut("checksum")
	case want != int64(sum) || end != endPath:
		return "the checksum of what is before is wrong"
	}
	return ""
}

// tail reads what was added since 3.6: a digest of the tree after the
// transaction that was the last when the file was complete, and since 3.9 the
// zxid of that transaction. Both can be turned off.
func (r *snapReader) tail() string {
	if n := r.d.Len(); n != 0 && n != lastSize {
		dg := Digest{Zxid: r.d.Long(), Version: r.d.Int()}
		if dg.Version < digestVersion {
			dg.Sum, _ = strconv.ParseUint(r.d.String(), 16, 64)
		} else {
			dg.Sum = uint64(r.d.Long())
		}
		if reason := r.seal(); reason != "" {
			return reason
		}
		if dg.Zxid > 0 {
			r.s.Digest = &dg
			r.s.Reached = max(r.s.Reached, dg.Zxid)
		}
	}
	if r.d.Len() == lastSize {
		r.s.Reached = max(r.s.Reached, r.d.Long())
		if reason := r.seal(); reason != "" {
			return reason
		}
	}
	if r.d.Len() != 0 {
		return "bytes follow the end"
	}
	return ""
}
