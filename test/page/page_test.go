package page

import (
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gregor-mq/gregor/internal/env"
	"github.com/gregor-mq/gregor/test/gregor"
)

// patience bounds one command, and how long is waited for what it should show.
const patience = 2 * time.Minute

// A page names the ports that a reader would use; here they are others.
var ports = []int{2181, 9092, 9093, 9094, 9404}

func TestHowZooKeeperCoordinates(t *testing.T) {
	play(t, "../../docs/how-zookeeper-coordinates.md")
}

func play(t *testing.T, file string) {
	if _, err := exec.LookPath("bash"); err != nil {
		t.Skip("the commands are for bash: ", err)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	binary, err := gregor.Binary()
	if err != nil {
		t.Fatal(err)
	}
	there := map[string]string{}
	for i, free := range gregor.FreePorts(t, len(ports)) {
		there[strconv.Itoa(ports[i])] = strconv.Itoa(free)
	}
	steps, err := parse(string(text))
	if err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	dir := t.TempDir()
	programs := filepath.Join(dir, ".bin")
	if err := os.Mkdir(programs, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(binary, filepath.Join(programs, "gregor")); err != nil {
		t.Fatal(err)
	}
	sh := open(t, dir, programs)
	to, back := replacer(there), replacer(inverse(there))
	for _, s := range steps {
		check(t, sh, s, to, back)
	}
}

// check runs a step until it shows what the page says.
func check(t *testing.T, sh *shell, s step, to, back *strings.Replacer) {
	t.Helper()
	want := plain(s.want)
	for until := time.Now().Add(patience); ; {
		got := back.Replace(sh.run(t, to.Replace(s.command), patience))
		switch {
		case plain(got) == want:
			return
		case !looks.MatchString(s.command) || time.Now().After(until):
			t.Fatalf("line %d: %s\nprints\n%s\nand should print\n%s", s.line, s.command, got, s.want)
		}
		if err := env.Sleep(t.Context(), env.Real().Clock, 50*time.Millisecond); err != nil {
			t.Fatal(err)
		}
	}
}

func replacer(pairs map[string]string) *strings.Replacer {
	var list []string
	for _, k := range slices.Sorted(maps.Keys(pairs)) {
		list = append(list, k, pairs[k])
	}
	return strings.NewReplacer(list...)
}

func inverse(pairs map[string]string) map[string]string {
	out := map[string]string{}
	for k, v := range pairs {
		out[v] = k
	}
	return out
}

func TestParse(t *testing.T) {
	steps, err := parse("text\n```console\n$ a\nprints\n\nmore\n$ cat <<END\n> x\n> END\n```\n$ no\n```go\n$ no\n```\n```console\n$ b\n> c\n```\n")
	want := []step{{3, "a", "prints\n\nmore\n"}, {7, "cat <<END\nx\nEND", ""}, {16, "b\nc", ""}}
	if err != nil || !slices.Equal(steps, want) {
		t.Errorf("%+v, %v", steps, err)
	}
	for _, bad := range []string{"", "```console\noutput\n```\n"} {
		if _, err := parse(bad); err == nil {
			t.Errorf("%q is a page", bad)
		}
	}
}

func TestPlain(t *testing.T) {
	a := plain("at 2026-11-21T17:12:15.919Z  session 0x100000a2b3c0001 id ZNEGEOFHRxOj6SS5BV_raw\n")
	if b := plain("at 2025-01-02T03:04:05Z session\t0xdeadbeef id 0123456789abcdefghijkA"); a != b {
		t.Errorf("%q, %q", a, b)
	}
	if plain("leader 1") == plain("leader 2") {
		t.Error("all is alike")
	}
}
