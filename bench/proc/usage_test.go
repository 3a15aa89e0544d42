package proc

import (
	"os"
	"runtime"
	"testing"
	"time"
)

func TestParseStat(t *testing.T) {
	f := func(text string, want time.Duration, ok bool) {
		t.Helper()
		got, err := parseStat(text)
		if got != want || (err == nil) != ok {
			t.Errorf("parseStat(%q) = %v, %v", text, got, err)
		}
	}
	const rest = " S 1 2 3 4 -1 4194304 10 20 30 40 150 50 7 8 20 0 12 0 999 1000 200"
	f("123 (java)"+rest, 2*time.Second, true)
	f("123 (a b) c) S)"+rest, 2*time.Second, true)
	f("123 ()"+rest+"\n", 2*time.Second, true)
	f("123 (java) S 1 2 3", 0, false)
	f("123 java"+rest, 0, false)
	f("123 (java) S 1 2 3 4 -1 4194304 10 20 30 40 x 50 7 8", 0, false)
	f("", 0, false)
}

func TestParseStatus(t *testing.T) {
	const text = "Name:\tjava\nVmHWM:\t  346112 kB\nVmRSS:\t     12 kB\nThreads:\t7\n"
	f := func(name string, want int64, ok bool) {
		t.Helper()
		got, err := parseStatus(text, name)
		if got != want || (err == nil) != ok {
			t.Errorf("%s = %d, %v", name, got, err)
		}
	}
	f("VmHWM", 346112<<10, true)
	f("VmRSS", 12<<10, true)
	f("Threads", 0, false)
	f("Vm", 0, false)
	f("VmPeak", 0, false)
}

func TestUsageOfThisProcess(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("needs /proc")
	}
	u, err := usageOf(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	if u.RSS < 1<<20 || u.Peak < u.RSS || u.CPU < 0 {
		t.Errorf("%+v", u)
	}
	if sum := u.plus(u); sum.RSS != 2*u.RSS || sum.CPU != 2*u.CPU || sum.Peak != 2*u.Peak {
		t.Errorf("twice %+v is %+v", u, sum)
	}
	if _, err := usageOf(-1); err == nil {
		t.Error("process -1 has a usage")
	}
}
