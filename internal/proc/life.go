package proc

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"

	"github.com/gregor-mq/gregor/internal/env"
)

// Life identifies one process on one boot of one host.
type Life struct {
	Boot    string // /proc/sys/kernel/random/boot_id
	PID     int
	Started string // start time in clock ticks since boot, /proc/PID/stat
}

// Of describes a running process; ok is false when there is none, or the
// system does not tell.
func Of(files env.FS, pid int) (l Life, ok bool) {
	boot, err := files.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return Life{}, false
	}
	stat, err := files.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return Life{}, false
	}
	// The command name may hold anything, so count from the last bracket: the
	// state is the first field after it, the start time the 20th.
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	if len(fields) < 20 || fields[0] == "Z" { // a zombie has ended
		return Life{}, false
	}
	return Life{Boot: strings.TrimSpace(string(boot)), PID: pid, Started: fields[19]}, true
}

// Alive reports whether that very process still runs. It is false on systems
// that do not tell.
func (l Life) Alive(files env.FS) bool {
	now, ok := Of(files, l.PID)
	return ok && now == l
}

// Encode writes the life as lines of key=value.
func (l Life) Encode() []byte {
	return fmt.Appendf(nil, "boot=%s\npid=%d\nstarted=%s\n", l.Boot, l.PID, l.Started)
}

// Decode reads what Encode wrote, among lines with other keys; ok is false
// when something is missing.
func Decode(src []byte) (l Life, ok bool) {
	for line := range strings.Lines(string(src)) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		switch key {
		case "boot":
			l.Boot = value
		case "pid":
			l.PID, _ = strconv.Atoi(value) // 0 is refused below
		case "started":
			l.Started = value
		}
	}
	return l, l.Boot != "" && l.PID > 0 && l.Started != ""
}
