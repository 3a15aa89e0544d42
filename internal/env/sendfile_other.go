//go:build !linux

package env

import (
	"errors"
	"net"
)

// SendFile is not to be had on this system: it returns errors.ErrUnsupported
// with nothing sent, and the caller copies.
func SendFile(net.Conn, File, int64, int) (int, error) { return 0, errors.ErrUnsupported }
