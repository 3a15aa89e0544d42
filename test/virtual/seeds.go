package virtual

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

// Seeds are the flags of a test package whose tests run seeds.
type Seeds struct {
	pkg   string // its folder
	seeds *string
	twice *bool
	seed  *uint64
	log   *string
}

// NewSeeds adds the flags. pkg is the folder of the tests, short which seeds run
// without a flag.
func NewSeeds(pkg, short string) *Seeds {
	return &Seeds{
		pkg:   pkg,
		seeds: flag.String("seeds", short, "the seeds to run: one, or first..last"),
		twice: flag.Bool("twice", false, "run every seed twice, to see that it replays"),
		seed:  flag.Uint64("seed", 0, "the seed that TestSeed runs"),
		log:   flag.String("log", "", "a file for the event log of TestSeed"),
	}
}

// settings make a process run a seed as any other does: one goroutine at a time,
// which nobody interrupts.
var settings = []string{"GOMAXPROCS=1", "GODEBUG=asyncpreemptoff=1"}

// Run runs all seeds, each in a process of its own, which runs TestSeed.
func (s *Seeds) Run(t *testing.T) {
	first, last, err := parseSeeds(*s.seeds)
	if err != nil {
		t.Fatalf("-seeds=%s: %v", *s.seeds, err)
	}
	run.Each(int(last-first+1), runtime.NumCPU(), func(i int) {
		seed := first + uint64(i)
		hash := s.inChild(t, seed)
		if hash == "" || !*s.twice {
			return
		}
		if again := s.inChild(t, seed); again != "" && again != hash {
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

// inChild runs one seed in a child and returns the hash of its event log, "" if
// it failed.
func (s *Seeds) inChild(t *testing.T, seed uint64) string {
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
		t.Errorf("seed %d: %v\n%s\nagain, with an event log: %s go test ./%s -run '^TestSeed$' -v -seed %d -log /tmp/events",
			seed, err, out.Bytes(), strings.Join(settings, " "), s.pkg, seed)
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

// One runs one seed in this process: the story says what happened, in a few
// words, and what must not have.
func (s *Seeds) One(t *testing.T, story func(seed uint64, tr *Trace) (sum string, err error)) {
	if *s.seed == 0 {
		t.Skip("another test runs this in processes of its own")
	}
	if err := restrainMonitor(*s.seed); err != nil {
		t.Logf("it may not replay on a machine that is busy: %v", err)
	}
	debug.SetGCPercent(-1)
	debug.SetMemoryLimit(memoryLimit)
	cryptotest.SetGlobalRandom(t, *s.seed)
	began := time.Now()
	synctest.Test(t, func(t *testing.T) {
		tr, err := NewTrace(*s.log)
		if err != nil {
			t.Fatal(err)
		}
		text, err := story(*s.seed, tr)
		sum, lines := tr.Hash()
		t.Logf("seed %d: %v of virtual time, %d lines, %s, hash %016x",
			*s.seed, time.Since(tr.began).Round(time.Millisecond), lines, text, sum)
		if err != nil {
			t.Errorf("%v", err)
		}
		if err := tr.Close(); err != nil {
			t.Error(err)
		}
	})
	t.Logf("took %v", time.Since(began).Round(time.Millisecond))
}
