package fault

import (
	"time"
	"unsafe"
)

// instant is how package time lays out a Time that has a monotonic reading: a
// mark, 33 bits of seconds since 1885, 30 bits of nanoseconds; and nanoseconds
// of monotonic time.
type instant struct {
	wall uint64
	ext  int64
	loc  *time.Location
}

const (
	monotonicMark = 1 << 63
	secondsAt     = 30
)

var wallEpoch = time.Date(1885, time.January, 1, 0, 0, 0, 0, time.UTC).Unix()

// split moves the wall clock of a time and leaves its monotonic reading alone,
// for which package time has no function. A time without one (in virtual time)
// gets the time since epoch.
func split(t, epoch time.Time, skew time.Duration) time.Time {
	mono := int64(t.Sub(epoch))
	if (*instant)(unsafe.Pointer(&t)).wall&monotonicMark != 0 {
		if skew == 0 {
			return t
		}
		mono = (*instant)(unsafe.Pointer(&t)).ext
	}
	shown := t.Round(0).Add(skew)
	out := instant{
		wall: monotonicMark | uint64(shown.Unix()-wallEpoch)<<secondsAt | uint64(shown.Nanosecond()),
		ext:  mono, loc: t.Location(),
	}
	return *(*time.Time)(unsafe.Pointer(&out))
}
