package cli

import (
	"errors"
	"io/fs"
	"os"
	"syscall"
)

// mends says what to do about failures of the system: the packages that meet
// them know what they tried and where, but not how a machine is put right.
var mends = []struct {
	err  error
	mend string
}{
	{syscall.EADDRINUSE, "another program has that port: stop it, or choose another port (listeners, gregor.metrics.listener, gregor.keeper.client.port, clientPort)"},
	{syscall.EADDRNOTAVAIL, "this machine has no such address: correct the host (listeners, gregor.keeper.client.address, clientPortAddress)"},
	{syscall.ENOSPC, "make room on that disk, or choose another directory"},
	{syscall.EDQUOT, "raise the quota, or choose another directory"},
	{syscall.EROFS, "mount that disk writable, or choose another directory"},
	{syscall.EACCES, "give this user the right to it, or choose another one"},
	{syscall.EPERM, "give this user the right to it, or choose another one"},
	{syscall.EIO, "the disk fails: look into the kernel's log, and replace it"},
	{syscall.EMFILE, "raise the limit of open files (ulimit -n)"},
}

// mend returns what to do about an error, with a separator in front; nothing
// when its text has to say that itself.
func mend(err error) string {
	if path := new(fs.PathError); errors.As(err, &path) && path.Path == os.Stdout.Name() {
		return "" // what it is connected to, whoever connected it knows
	}
	for _, m := range mends {
		if errors.Is(err, m.err) {
			return "; " + m.mend
		}
	}
	return ""
}
