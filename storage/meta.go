package storage

import (
	"fmt"
	"path/filepath"

	"github.com/gregor-mq/gregor/storage/checkpoint"
)

// Meta is what meta.properties says: which broker of which cluster the
// directory belongs to.
type Meta = checkpoint.Meta

// ReadMeta reads meta.properties; ok is false when there is none. A file that
// cannot be understood is a *MetaError.
func (d *Dir) ReadMeta() (m Meta, ok bool, err error) {
	file := filepath.Join(d.path, fileMeta)
	src, err := d.env.FS.ReadFile(file)
	if notExist(err) {
		return Meta{}, false, nil
	} else if err != nil {
		return Meta{}, false, d.fail("read "+fileMeta, err)
	}
	m, ok, err = checkpoint.DecodeMeta(src)
	if err != nil {
		return Meta{}, false, &MetaError{file, err.Error(), "restore it from another directory of log.dirs, " +
			"or move it away if you are sure that the data belongs to this broker", err}
	}
	return m, ok, nil
}

// ClaimDirs makes sure that all directories belong to one broker and returns
// the cluster id and broker id that they tell (empty and -1 when they are
// new). want holds what is known already; its empty and negative fields accept
// anything. Nothing is written. Errors: *MetaError, *DirError.
func ClaimDirs(dirs []*Dir, want Meta) (Meta, error) {
	from := "the configuration"
	for _, d := range dirs {
		m, ok, err := d.ReadMeta()
		if err != nil {
			return want, err
		}
		if !ok {
			continue
		}
		file := filepath.Join(d.path, fileMeta)
		if m.BrokerID >= 0 && want.BrokerID >= 0 && m.BrokerID != want.BrokerID {
			return want, &MetaError{file, fmt.Sprintf("broker.id is %d, but %s says %d", m.BrokerID, from, want.BrokerID),
				"set broker.id to what the directory says, or give this broker its own log.dirs", nil}
		}
		if m.ClusterID != "" && want.ClusterID != "" && m.ClusterID != want.ClusterID {
			return want, &MetaError{file, fmt.Sprintf("cluster.id is %q, but %s says %q", m.ClusterID, from, want.ClusterID),
				"connect this broker to the ZooKeeper of its own cluster (zookeeper.connect), or give it empty log.dirs", nil}
		}
		if m.BrokerID >= 0 && want.BrokerID < 0 {
			want.BrokerID, from = m.BrokerID, file
		}
		if m.ClusterID != "" && want.ClusterID == "" {
			want.ClusterID, from = m.ClusterID, file
		}
	}
	return want, nil
}

// WriteMeta writes meta.properties if the directory has none, or one that
// lacks a field. One that says the same is left alone.
func (d *Dir) WriteMeta(m Meta) error {
	old, ok, err := d.ReadMeta()
	if err != nil || ok && old == m {
		return err
	}
	return d.try("write "+fileMeta, func() error {
		return d.writeAtomic(filepath.Join(d.path, fileMeta), m.Encode(d.env.Clock.Now()), true)
	})
}
