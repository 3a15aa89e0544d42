//go:build unix

package client

import (
	"errors"
	"syscall"
)

// taken reports whether an error means that a local port was taken by somebody
// else in the meantime.
func taken(err error) bool {
	return errors.Is(err, syscall.EADDRINUSE) || errors.Is(err, syscall.EADDRNOTAVAIL)
}
