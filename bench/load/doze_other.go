//go:build !linux

package load

import "time"

// doze sleeps as precisely as the runtime's timers are.
func doze(d time.Duration) { <-time.After(d) }
