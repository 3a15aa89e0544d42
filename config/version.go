package config

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
)

// ProtocolVersion is a value of inter.broker.protocol.version: a release and
// the step within it.
type ProtocolVersion struct {
	Release string // "0.10.2", "3.9"
	Step    int    // N of -IVN; 0 before 0.10.0
	rank    int    // position in time
}

// releases lists every release with a protocol of its own and how many steps
// it has, oldest first.
var releases = []struct {
	name  string
	steps int
}{
	{"0.8.0", 1}, {"0.8.1", 1}, {"0.8.2", 1}, {"0.9.0", 1}, {"0.10.0", 2}, {"0.10.1", 3}, {"0.10.2", 1},
	{"0.11.0", 3}, {"1.0", 1}, {"1.1", 1}, {"2.0", 2}, {"2.1", 3}, {"2.2", 2}, {"2.3", 2}, {"2.4", 2},
	{"2.5", 1}, {"2.6", 1}, {"2.7", 3}, {"2.8", 2}, {"3.0", 2}, {"3.1", 1}, {"3.2", 1}, {"3.3", 4},
	{"3.4", 1}, {"3.5", 3}, {"3.6", 3}, {"3.7", 5}, {"3.8", 1}, {"3.9", 1},
}

// ParseProtocolVersion reads a version as Kafka does: without a step it is the
// release's last one, and what follows the release number proper ("3.9.1") is
// ignored.
func ParseProtocolVersion(s string) (ProtocolVersion, error) {
	parts := 2
	if strings.HasPrefix(s, "0.") {
		parts = 3
	}
	key := s
	if fields := strings.Split(s, "."); len(fields) > parts {
		key = strings.Join(fields[:parts], ".")
	}
	release, step, hasStep := strings.Cut(key, "-IV")
	rank := 0
	for _, r := range releases {
		if r.name != release {
			rank += r.steps
			continue
		}
		v := ProtocolVersion{release, r.steps - 1, rank + r.steps - 1}
		if hasStep {
			n, err := strconv.ParseUint(step, 10, 8)
			if err != nil || int(n) >= r.steps || strconv.Itoa(int(n)) != step || v.plain() {
				break
			}
			v.Step, v.rank = int(n), rank+int(n)
		}
		return v, nil
	}
	return ProtocolVersion{}, rulef("Version %s is not a valid version", s)
}

// plain reports a release from before steps had names.
func (v ProtocolVersion) plain() bool {
	return slices.Contains([]string{"0.8.0", "0.8.1", "0.8.2", "0.9.0"}, v.Release)
}

// String returns the full name, such as 3.9-IV0.
func (v ProtocolVersion) String() string {
	if v.plain() {
		return v.Release
	}
	return v.Release + "-IV" + strconv.Itoa(v.Step)
}

// Compare orders versions by age, older first.
func (v ProtocolVersion) Compare(w ProtocolVersion) int { return cmp.Compare(v.rank, w.rank) }

// AtLeast reports whether v is as new as the version named by s, which must be
// a valid one.
func (v ProtocolVersion) AtLeast(s string) bool {
	w, err := ParseProtocolVersion(s)
	return err == nil && v.rank >= w.rank
}
