package term

import (
	"fmt"
	"strconv"
	"time"
)

// ParseTime reads milliseconds since 1970, or RFC 3339.
func ParseTime(s string) (time.Time, error) {
	if ms, err := strconv.ParseInt(s, 10, 64); err == nil && ms >= 0 {
		return time.UnixMilli(ms), nil
	}
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		return time.Time{}, fmt.Errorf("time %q: want milliseconds since 1970 or a time such as 2026-01-31T12:00:00Z", s)
	}
	return t, nil
}
