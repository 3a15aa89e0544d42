//go:build interop

package peer

import (
	"fmt"
	"os/exec"
	"path/filepath"
)

// pythonPackages are the clients that the suites drive, at the versions they
// were written against. The wheel of confluent-kafka brings librdkafka along.
var pythonPackages = []string{"kafka-python==3.0.12", "confluent-kafka==2.16.1", "kazoo==2.11.0", "pure-sasl==0.6.2"}

// pythonEnv names the environment in the cache; a change of the packages above
// needs another name.
const pythonEnv = "python-2"

// Python runs a script under an interpreter that has the clients, and returns
// what it printed and its exit status.
func Python(s Scope, script string, args ...string) (stdout, stderr string, exit int) {
	s.Helper()
	dir, err := cached(pythonEnv, fetchPython)
	if err != nil {
		s.Fatalf("%v", err)
	}
	argv := append([]string{"-c", script}, args...)
	return start(s, "python", filepath.Join(dir, "bin", "python"), argv, "").Output(s)
}

func fetchPython(dir string) error {
	venv := exec.Command("python3", "-m", "venv", dir)
	if out, err := venv.CombinedOutput(); err != nil {
		return fmt.Errorf("python3 -m venv: %w\n%s", err, out)
	}
	args := append([]string{"install", "--quiet", "--disable-pip-version-check"}, pythonPackages...)
	if out, err := exec.Command(filepath.Join(dir, "bin", "pip"), args...).CombinedOutput(); err != nil {
		return fmt.Errorf("pip: %w\n%s", err, out)
	}
	return nil
}

// Kcat runs kcat, which must be installed (package kcat of the common
// distributions).
func Kcat(s Scope, stdin string, args ...string) (stdout, stderr string, exit int) {
	s.Helper()
	bin, err := exec.LookPath("kcat")
	if err != nil {
		s.Fatalf("kcat is not installed: %v", err)
	}
	return start(s, "kcat", bin, args, stdin).Output(s)
}
