package sim

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"testing/cryptotest"
	"testing/synctest"
	"time"

	"github.com/gregor-mq/gregor/internal/run"
)

var (
	seedsFlag = flag.String("seeds", "1..3", "the seeds of TestSim: one, or first..last")
	twiceFlag = flag.Bool("twice", false, "run every seed twice, to see that it replays")
	seedFlag  = flag.Uint64("seed", 0, "the seed that TestSeed runs")
	logFlag   = flag.String("log", "", "a file for the event log of TestSeed")
)

// settings make a process run a seed as any other does: one goroutine at a time,
// which nobody interrupts.
var settings = []string{"GOMAXPROCS=1", "GODEBUG=asyncpreemptoff=1"}

// TestSim runs seeds, each in a process of its own.
func TestSim(t *testing.T) {
	first, last, err := parseSeeds(*seedsFlag)
	if err != nil {
		t.Fatalf("-seeds=%s: %v", *seedsFlag, err)
	}
	count := int(last - first + 1)
	run.Each(count, runtime.NumCPU(), func(i int) {
		seed := first + uint64(i)
		hash := runSeed(t, seed)
		if hash == "" || !*twiceFlag {
			return
		}
		if again := runSeed(t, seed); again != hash {
			t.Errorf("seed %d does not replay: event logs with the hashes %s and %s; see doc.go", seed, hash, again)
		}
	})
}

func parseSeeds(text string) (first, last uint64, err error) {
	from, to, isRange := strings.Cut(text, "..")
	if first, err = strconv.ParseUint(from, 10, 64); err != nil || !isRange {
		return first, first, err
	}
	last, err = strconv.ParseUint(to, 10, 64)
	if err == nil && (first == 0 || last < first) {
		err = fmt.Errorf("must be first..last, from 1")
	}
	return first, last, err
}

// seedLimit is real time: a seed takes seconds.
const seedLimit = 5 * time.Minute

var hashPattern = regexp.MustCompile(`hash ([0-9a-f]{16})`)

// runSeed runs one seed in a child and returns the hash of its event log, "" if
// it failed.
func runSeed(t *testing.T, seed uint64) string {
	ctx, cancel := context.WithTimeout(context.Background(), seedLimit)
	defer cancel()
	args := []string{"-test.run=^TestSeed$", "-test.v", "-test.timeout=0", fmt.Sprintf("-seed=%d", seed)}
	cmd := exec.CommandContext(ctx, os.Args[0], args...)
	cmd.Env = append(os.Environ(), settings...)
	// One that hangs shows where.
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGQUIT) }
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	hash := hashPattern.FindSubmatch(out.Bytes())
	if err != nil || hash == nil {
		t.Errorf("seed %d: %v\n%s\nagain, with an event log: %s go test ./test/sim -run '^TestSeed$' -v -seed %d -log /tmp/events",
			seed, err, out.Bytes(), strings.Join(settings, " "), seed)
		return ""
	}
	t.Logf("%s", summary(out.Bytes()))
	return string(hash[1])
}

func summary(out []byte) string {
	for line := range strings.Lines(string(out)) {
		if hashPattern.MatchString(line) {
			return strings.TrimSpace(line)
		}
	}
	return ""
}

// memoryLimit is from where on the collector works after all.
const memoryLimit = 4 << 30

// TestSeed is one seed, in this process.
func TestSeed(t *testing.T) {
	if *seedFlag == 0 {
		t.Skip("TestSim runs this in processes of its own")
	}
	if err := restrainMonitor(*seedFlag); err != nil {
		t.Logf("it may not replay on a machine that is busy: %v", err)
	}
	debug.SetGCPercent(-1)
	debug.SetMemoryLimit(memoryLimit)
	cryptotest.SetGlobalRandom(t, *seedFlag)
	began := time.Now()
	synctest.Test(t, func(t *testing.T) {
		tr, err := newTrace(*logFlag)
		if err != nil {
			t.Fatal(err)
		}
		w := newWorld(*seedFlag, tr)
		w.run()
		sum, lines := tr.hash()
		t.Logf("seed %d: %v of virtual time, %d events, %d lines, %d records acknowledged, hash %016x",
			*seedFlag, time.Since(tr.began).Round(time.Millisecond), w.sched.fired(), lines, w.acked.Load(), sum)
		if err := w.result(); err != nil {
			t.Errorf("%v", err)
		}
		if err := tr.close(); err != nil {
			t.Error(err)
		}
	})
	t.Logf("took %v", time.Since(began).Round(time.Millisecond))
}
