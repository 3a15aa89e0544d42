//go:build interop

package peer

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// cacheRoot is where everything fetched lives.
func cacheRoot() (string, error) {
	if dir := os.Getenv("GREGOR_INTEROP_CACHE"); dir != "" {
		return filepath.Abs(dir)
	}
	dir, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("cache of the peers (set GREGOR_INTEROP_CACHE): %w", err)
	}
	return filepath.Join(dir, "gregor", "interop"), nil
}

// cached returns the directory of that name in the cache. The first process to
// ask fills it; others wait. A directory is there whole or not at all.
func cached(name string, fill func(dir string) error) (string, error) {
	root, err := cacheRoot()
	if err != nil {
		return "", err
	}
	dir, ready := filepath.Join(root, name), filepath.Join(root, name+".ready")
	if exists(ready) {
		return dir, nil
	}
	if err := os.MkdirAll(root, 0o755); err != nil {
		return "", err
	}
	unlock, err := lock(filepath.Join(root, name+".lock"))
	if err != nil {
		return "", err
	}
	defer unlock()
	if exists(ready) {
		return dir, nil
	}
	// What a killed run left is of unknown worth. The directory is filled in its
	// final place because a Python environment cannot be moved.
	if err := os.RemoveAll(dir); err != nil {
		return "", err
	}
	if err := os.Mkdir(dir, 0o755); err != nil {
		return "", err
	}
	if err := fill(dir); err != nil {
		return "", fmt.Errorf("fetch %s into %s (the first run needs the network): %w", name, root, err)
	}
	return dir, os.WriteFile(ready, nil, 0o644)
}

func exists(name string) bool {
	_, err := os.Stat(name)
	return !errors.Is(err, fs.ErrNotExist)
}

// lock waits for an exclusive lock of the file, which the kernel drops when
// this process dies.
func lock(name string) (unlock func(), err error) {
	f, err := os.OpenFile(name, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	for {
		if err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX); !errors.Is(err, syscall.EINTR) {
			break
		}
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("lock %s: %w", name, err)
	}
	return func() { f.Close() }, nil
}
