package snap

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/gregor-mq/gregor/internal/env"
)

// incoming is where a snapshot of another member is gathered; Sweep deletes what
// is left of one.
const incoming = "incoming.snap.tmp"

// Open opens a snapshot to be sent to another member, and says how many bytes it
// has. It can be read to its end even if it is purged meanwhile.
func Open(fsys env.FS, dir string, index uint64) (f env.File, size int64, err error) {
	name := filepath.Join(dir, fileName(index))
	if f, err = fsys.Open(name, os.O_RDONLY, 0); err != nil {
		return nil, 0, fmt.Errorf("snapshot: %w", err)
	}
	if size, err = f.Size(); err != nil {
		return nil, 0, errors.Join(fmt.Errorf("snapshot %s: %w", name, err), f.Close())
	}
	return f, size, nil
}

// Adopt stores a snapshot that another member sent, as one of this directory. Its
// chunks are given to load, as Read does; nothing is stored when they do not check.
func Adopt(
	ctx context.Context, fsys env.FS, dir string, dirID uint64, size int64, from io.Reader, load func(chunk []byte) error,
) (m Meta, err error) {
	name := filepath.Join(dir, incoming)
	f, err := fsys.Open(name, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o644)
	if err != nil {
		return Meta{}, fmt.Errorf("snapshot: %w", err)
	}
	if err = gather(f, size, from); err == nil {
		m, err = convert(ctx, fsys, dir, dirID, reader{f: f, name: name}, load)
	}
	return m, errors.Join(err, f.Close(), fsys.Remove(name))
}

func gather(f env.File, size int64, from io.Reader) error {
	buf := make([]byte, bufferSize)
	for at := int64(0); at < size; {
		n, err := io.ReadFull(from, buf[:min(int64(len(buf)), size-at)])
		if err != nil {
			return fmt.Errorf("snapshot from another member: %w", err)
		}
		if _, err := f.WriteAt(buf[:n], at); err != nil {
			return fmt.Errorf("snapshot from another member: %w", err)
		}
		at += int64(n)
	}
	return nil
}

// convert writes a snapshot again, under this directory's id.
func convert(
	ctx context.Context, fsys env.FS, dir string, dirID uint64, r reader, load func([]byte) error,
) (m Meta, err error) {
	if r.size, err = r.f.Size(); err != nil {
		return m, fmt.Errorf("snapshot %s: %w", r.name, err)
	}
	if m, err = r.head(); err != nil {
		return m, err
	}
	m.DirID, m.Installed = dirID, true
	var failed error
	next := func(dst []byte) ([]byte, bool) {
		more, err := r.chunk(func(b []byte) error {
			dst = append(dst, b...)
			return load(b)
		})
		failed = err
		return dst, more && err == nil
	}
	_, err = Write(fsys, dir, m, next, func() error { return errors.Join(failed, context.Cause(ctx)) })
	return m, err
}
