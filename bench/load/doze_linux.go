package load

import (
	"syscall"
	"time"
)

// doze sleeps in the kernel. The runtime's timers are up to a millisecond late
// while nothing else runs, which would be added to every latency.
func doze(d time.Duration) {
	t := syscall.NsecToTimespec(int64(d))
	// A signal cuts it short, which only makes the caller look at the clock.
	_ = syscall.Nanosleep(&t, nil)
}
