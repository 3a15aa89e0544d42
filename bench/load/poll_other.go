//go:build !linux

package load

import (
	"errors"
	"net"
	"time"
)

// poller needs epoll.
type poller struct{}

func newPoller() (*poller, error) { return nil, errors.New("a Crowd needs Linux") }

func (*poller) add(int, int) error                            { return errors.ErrUnsupported }
func (*poller) connected(int, int) error                      { return errors.ErrUnsupported }
func (*poller) wait(time.Duration, func(key int) error) error { return errors.ErrUnsupported }
func (*poller) close()                                        {}

func dialSocket(*net.TCPAddr) (int, error) { return -1, errors.ErrUnsupported }
