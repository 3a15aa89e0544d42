package groups

import (
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// isoDuration is ISO 8601's form without years and months, which have no fixed
// length, as Java's Duration.parse takes it.
var isoDuration = regexp.MustCompile(`^P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?)?$`)

// parseDuration reads a span of time as kafka-consumer-groups.sh takes it, PT1H30M
// or P1D, or as Go writes it, 1h30m.
func parseDuration(s string) (time.Duration, error) {
	bad := fmt.Errorf("%q: want a span of time such as 1h30m, PT1H30M or P7D", s)
	if !strings.HasPrefix(s, "P") {
		d, err := time.ParseDuration(s)
		if err != nil || d < 0 {
			return 0, bad
		}
		return d, nil
	}
	m := isoDuration.FindStringSubmatch(s)
	if m == nil || s == "P" || strings.HasSuffix(s, "T") {
		return 0, bad
	}
	var total time.Duration
	for i, unit := range []time.Duration{24 * time.Hour, time.Hour, time.Minute, time.Second} {
		if m[i+1] == "" {
			continue
		}
		n, err := strconv.ParseInt(m[i+1], 10, 64)
		if err != nil || n > int64((math.MaxInt64-total)/unit) {
			return 0, bad
		}
		total += time.Duration(n) * unit
	}
	return total, nil
}
