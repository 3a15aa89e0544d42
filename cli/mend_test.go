package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
)

func TestMend(t *testing.T) {
	f := func(err error, want string) {
		t.Helper()
		if got := mend(fmt.Errorf("what was tried: %w", err)); (got == "") != (want == "") || !strings.Contains(got, want) {
			t.Errorf("%v: %q, want %q", err, got, want)
		}
	}
	f(&net.OpError{Op: "listen", Err: os.NewSyscallError("bind", syscall.EADDRINUSE)}, "choose another port")
	f(&fs.PathError{Op: "write", Path: "/x", Err: syscall.ENOSPC}, "make room")
	f(errors.Join(errors.New("first"), &fs.PathError{Op: "open", Path: "/x", Err: syscall.EROFS}), "writable")
	f(&fs.PathError{Op: "write", Path: "/dev/stdout", Err: syscall.ENOSPC}, "")
	f(fs.ErrPermission, "")
	f(&fs.PathError{Op: "open", Path: "/x", Err: syscall.EACCES}, "right")
	f(errors.New("something else"), "")
}
