package chaos

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
)

// diskBytes is the size of a disk: room for what a hundred rounds write.
const diskBytes = 1 << 30

// disk is a small file system of its own.
type disk struct {
	image string // the file that it lies in
	dir   string // where it is mounted
}

func newDisk(dir string) (*disk, error) {
	d := &disk{image: dir + ".img", dir: dir}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	f, err := os.Create(d.image)
	if err != nil {
		return nil, err
	}
	if err := errors.Join(f.Truncate(diskBytes), f.Close()); err != nil {
		return nil, err
	}
	if err := command("mkfs.ext4", "-q", "-m", "0", d.image); err != nil {
		return nil, err
	}
	return d, d.mount()
}

func (d *disk) mount() error {
	return command("mount", "-o", "loop,errors=remount-ro", d.image, d.dir)
}

func (d *disk) remove() error {
	return errors.Join(command("umount", d.dir), os.Remove(d.image))
}

// sync has the system write what it still keeps in memory.
func (d *disk) sync() error { return command("sync", "-f", d.dir) }

// breakDown is what the kernel does when a disk fails it: the journal is
// aborted and the file system read-only from now on, whoever has files open.
func (d *disk) breakDown() error { return command("mount", "-o", "remount,abort", d.dir) }

// repair makes it writable again, when nobody has files open any more.
func (d *disk) repair() error {
	if err := command("umount", d.dir); err != nil {
		return err
	}
	const mended = 1
	out, err := exec.Command("e2fsck", "-fy", d.image).CombinedOutput()
	if status, ok := errors.AsType[*exec.ExitError](err); err != nil && (!ok || status.ExitCode() != mended) {
		return fmt.Errorf("e2fsck %s: %w: %s", d.image, err, out)
	}
	return d.mount()
}

func (d *disk) filler() string { return filepath.Join(d.dir, "filler") }

// fill leaves no free byte.
func (d *disk) fill() error {
	f, err := os.Create(d.filler())
	if err != nil {
		return err
	}
	end := int64(0)
	for step := int64(diskBytes); step >= 1<<10; {
		err := syscall.Fallocate(int(f.Fd()), 0, end, step)
		switch {
		case err == nil:
			end += step
		case errors.Is(err, syscall.ENOSPC):
			step /= 2
		default:
			return errors.Join(fmt.Errorf("fallocate %s: %w", f.Name(), err), f.Close())
		}
	}
	return f.Close()
}

// empty gives the room back.
func (d *disk) empty() error { return os.Remove(d.filler()) }
