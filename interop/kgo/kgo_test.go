//go:build interop

package kgo

import (
	"bytes"
	"cmp"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gregor-mq/gregor/interop/peer"
)

// module is where the tests come from. Another version has other tests, hence
// another list.
const module = "github.com/twmb/franz-go@v1.22.2"

// records is how many records the larger tests move, a tenth of their own
// default: enough for many batches, and over in a minute on two cores.
// KGO_TEST_RECORDS sets another number.
const records = "50000"

func TestMain(m *testing.M) { os.Exit(peer.Run(m)) }

func TestFranzGoSuite(t *testing.T) {
	list, err := parse(expectations)
	if err != nil {
		t.Fatal(err)
	}
	all := peer.TargetIsApache()
	broker := peer.Target(t, peer.Options{Properties: map[string]string{"offsets.topic.num.partitions": "5"}})
	cmd := exec.Command("go", "test", "-json", "-count=1", "-timeout=20m",
		"-run="+pattern(list, func(expected string) bool { return all || expected != transactions }), "./pkg/kgo")
	cmd.Dir = source(t)
	cmd.Env = append(os.Environ(), "GOWORK=off", "GOFLAGS=", "KGO_SEEDS="+broker.Addr, "KGO_TEST_RF=1",
		"KGO_TEST_RECORDS="+cmp.Or(os.Getenv("KGO_TEST_RECORDS"), records), "KGO_LOG_LEVEL=none")
	out, runErr := cmd.Output() // a failed test is an error here; the outcomes tell which
	if err := os.WriteFile(filepath.Join(t.ArtifactDir(), "go-test.json"), out, 0o644); err != nil {
		t.Fatal(err)
	}
	outcomes, output := events(out)
	if len(outcomes) == 0 {
		t.Fatalf("the suite did not run: %v\n%s", runErr, out)
	}
	for _, wrong := range judge(list, outcomes, all) {
		t.Errorf("%s\n%s", wrong, output[strings.FieldsFunc(wrong, func(r rune) bool { return r == ' ' || r == ':' })[0]])
	}
	passed := 0
	for name, outcome := range outcomes {
		if outcome == pass && !strings.Contains(name, "/") {
			passed++
		}
	}
	t.Logf("%d tests of the top level pass", passed)
}

// source returns a copy of the module: the one in the module cache is read-only,
// and the go command does not test it in place.
func source(t *testing.T) string {
	t.Helper()
	out, err := exec.Command("go", "mod", "download", "-json", module).Output()
	if err != nil {
		t.Fatalf("go mod download %s (the first run needs the network): %v\n%s", module, err, out)
	}
	var found struct{ Dir string }
	if err := json.Unmarshal(out, &found); err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "franz-go")
	if err := os.CopyFS(dir, os.DirFS(found.Dir)); err != nil {
		t.Fatal(err)
	}
	return dir
}

// events reads what "go test -json" printed: each test's outcome and output.
func events(out []byte) (outcomes, output map[string]string) {
	outcomes, output = map[string]string{}, map[string]string{}
	for line := range bytes.Lines(out) {
		var e struct{ Action, Test, Output string }
		if json.Unmarshal(line, &e) != nil || e.Test == "" {
			continue // the build's own lines, and the package as a whole
		}
		switch e.Action {
		case "output":
			output[e.Test] += e.Output
		case "pass", "fail", "skip":
			outcomes[e.Test] = e.Action
		}
	}
	return outcomes, output
}
