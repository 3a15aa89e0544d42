package gregor

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
)

// scratch is the directory of this test run; Main removes it.
var scratch = sync.OnceValues(func() (string, error) { return os.MkdirTemp("", "gregor-test-") })

// BinaryVariable names the program to test in the environment of a test binary
// that runs itself again, where it could not build.
const BinaryVariable = "GREGOR_TEST_BINARY"

// Binary returns the path of the program that the tests run.
func Binary() (string, error) { return binary() }

// binary builds cmd/gregor once per test run, with the race detector when the
// tests themselves run under it.
var binary = sync.OnceValues(func() (string, error) {
	if path := os.Getenv(BinaryVariable); path != "" {
		return path, nil
	}
	dir, err := scratch()
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "gregor")
	args := []string{"build", "-o", path}
	if raceEnabled {
		args = append(args, "-race")
	}
	cmd := exec.Command("go", append(args, "github.com/gregor-mq/gregor/cmd/gregor")...)
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build cmd/gregor: %w\n%s", err, out)
	}
	return path, nil
})
