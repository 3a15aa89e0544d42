package zkfile

import (
	"errors"
	"fmt"
	"hash"
	"hash/adler32"
	"os"
	"path/filepath"

	"github.com/gregor-mq/gregor/internal/env"
	"github.com/gregor-mq/gregor/keeper/tree"
	"github.com/gregor-mq/gregor/zk"
)

// writeBuffer is how much is gathered before it is written.
const writeBuffer = 1 << 20

// WriteSnapshot writes a tree into dir/version-2, which is made, as ZooKeeper 3.6
// and later write it with its digest; earlier ones do not look at that. The file
// is durable on return; its path is returned.
func WriteSnapshot(fsys env.FS, dir string, t *tree.Tree) (string, error) {
	dir = filepath.Join(dir, versionDir)
	if err := env.MkdirDurable(fsys, dir); err != nil {
		return "", fmt.Errorf("cannot make %s: %w", dir, err)
	}
	name := filepath.Join(dir, fmt.Sprintf("%s%x", snapPrefix, t.LastZxid()))
	f, err := fsys.Open(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return "", fmt.Errorf("cannot write %s: %w", name, err)
	}
	w := snapWriter{f: f, e: zk.NewEncoder(nil), sum: adler32.New()}
	err = errors.Join(w.all(t), f.Sync(), f.Close())
	if err == nil {
		err = fsys.SyncDir(dir)
	}
	if err != nil {
		return "", fmt.Errorf("cannot write %s: %w", name, err)
	}
	return name, nil
}

type snapWriter struct {
	f   env.File
	at  int64
	e   *zk.Encoder
	sum hash.Hash32 // of all that was encoded
}

func (w *snapWriter) all(t *tree.Tree) error {
	const noDatabase = -1
	w.e.Int(snapMagic)
	w.e.Int(fileVersion)
	w.e.Long(noDatabase)
	ids := t.Sessions()
	w.e.Int(int32(len(ids)))
	for _, id := range ids {
		s, _ := t.Session(id)
		w.e.Long(id)
		w.e.Int(s.Timeout)
	}
	digest, err := w.tree(t)
	if err == nil {
		err = w.seal()
	}
	if err != nil {
		return err
	}
	w.e.Long(t.LastZxid())
	w.e.Int(digestVersion)
	w.e.Long(int64(digest))
	if err := w.seal(); err != nil {
		return err
	}
	return w.flush()
}

// tree writes ACLs and nodes and returns the digest of them.
func (w *snapWriter) tree(t *tree.Tree) (digest uint64, err error) {
	ids := map[string]int64{}
	var lists [][]zk.ACL
	err = t.Images(func(im *tree.Image) error {
		key := aclKey(im.ACL)
		if ids[key] == 0 {
			lists = append(lists, im.ACL)
			ids[key] = int64(len(lists))
		}
		return nil
	})
	if err != nil {
		return 0, err
	}
	w.e.Int(int32(len(lists)))
	for i, list := range lists {
		w.e.Long(int64(i + 1))
		w.e.ACLs(list)
	}
	err = t.Images(func(im *tree.Image) error {
		digest += digestOf(im)
		return w.node(im, ids[aclKey(im.ACL)])
	})
	w.e.String(endPath)
	return digest, err
}

func aclKey(list []zk.ACL) string {
	e := zk.NewEncoder(nil)
	e.ACLs(list)
	return string(e.Bytes())
}

func (w *snapWriter) node(im *tree.Image, acl int64) error {
	path := im.Path
	if path == "/" {
		path = rootPath
	}
	w.e.String(path)
	w.e.Buffer(im.Data)
	w.e.Long(acl)
	for _, v := range []int64{im.Czxid, im.Mzxid, im.Ctime, im.Mtime} {
		w.e.Long(v)
	}
	for _, v := range []int32{im.Version, im.Creates, im.Aversion} {
		w.e.Int(v)
	}
	w.e.Long(im.Owner)
	w.e.Long(im.Pzxid)
	if len(w.e.Bytes()) < writeBuffer {
		return nil
	}
	return w.flush()
}

// seal writes the checksum of all before it, and a path that is none.
func (w *snapWriter) seal() error {
	if err := w.flush(); err != nil {
		return err
	}
	w.e.Long(int64(w.sum.Sum32()))
	w.e.String(endPath)
	return nil
}

// flush writes what was gathered.
func (w *snapWriter) flush() error {
	b := w.e.Bytes()
	_, _ = w.sum.Write(b) // a hash takes everything
	_, err := w.f.WriteAt(b, w.at)
	w.at += int64(len(b))
	w.e = zk.NewEncoder(b[:0])
	return err
}
