package proc

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// clockTick is the unit of the times in /proc/PID/stat: USER_HZ, which is 100
// on every architecture that Linux still supports with Go.
const clockTick = 10 * time.Millisecond

// Usage is what a server's processes have used up to now, added up.
type Usage struct {
	CPU  time.Duration // user and system
	RSS  int64         // bytes resident now
	Peak int64         // bytes resident at most since the start
}

func (u Usage) plus(o Usage) Usage {
	return Usage{CPU: u.CPU + o.CPU, RSS: u.RSS + o.RSS, Peak: u.Peak + o.Peak}
}

// usageOf reads /proc/PID/stat and /proc/PID/status.
func usageOf(pid int) (Usage, error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return Usage{}, err
	}
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return Usage{}, err
	}
	var u Usage
	if u.CPU, err = parseStat(string(stat)); err != nil {
		return Usage{}, fmt.Errorf("stat of process %d: %w", pid, err)
	}
	if u.RSS, err = parseStatus(string(status), "VmRSS"); err != nil {
		return Usage{}, fmt.Errorf("status of process %d: %w", pid, err)
	}
	if u.Peak, err = parseStatus(string(status), "VmHWM"); err != nil {
		return Usage{}, fmt.Errorf("status of process %d: %w", pid, err)
	}
	return u, nil
}

// parseStat returns utime plus stime, fields 14 and 15 of proc_pid_stat(5).
// The second field, the command in parentheses, may hold anything, spaces and
// parentheses too.
func parseStat(text string) (time.Duration, error) {
	end := strings.LastIndexByte(text, ')')
	if end < 0 {
		return 0, fmt.Errorf("no command in %q", text)
	}
	fields := strings.Fields(text[end+1:]) // from field 3 on
	if len(fields) < 13 {
		return 0, fmt.Errorf("%d fields after the command, 13 needed", len(fields))
	}
	var ticks int64
	for _, f := range fields[11:13] {
		n, err := strconv.ParseInt(f, 10, 64)
		if err != nil {
			return 0, err
		}
		ticks += n
	}
	return time.Duration(ticks) * clockTick, nil
}

// parseStatus returns the bytes of one field that is given in kB.
func parseStatus(text, name string) (int64, error) {
	for line := range strings.Lines(text) {
		value, ok := strings.CutPrefix(line, name+":")
		if !ok {
			continue
		}
		kb, ok := strings.CutSuffix(strings.TrimSpace(value), " kB")
		if !ok {
			return 0, fmt.Errorf("%s is %q, not in kB", name, strings.TrimSpace(value))
		}
		n, err := strconv.ParseInt(kb, 10, 64)
		return n << 10, err
	}
	return 0, fmt.Errorf("no field %s", name)
}
