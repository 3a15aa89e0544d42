package chaos

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/gregor-mq/gregor/test/gregor"
)

// insideVariable marks the run of this binary that has namespaces of its own.
const insideVariable = "GREGOR_CHAOS_INSIDE"

// scratch is a file system in memory, seen by this process and its children.
// It lies over the directory where ip keeps its namespaces.
const scratch = "/var/run"

// unable is why this machine cannot run these tests, nil when it can.
var unable error

func TestMain(m *testing.M) {
	flag.Parse()
	if os.Getenv(insideVariable) != "" {
		unable = furnish()
		os.Exit(gregor.Main(m))
	}
	if unable = missing(); unable != nil || testing.Short() {
		os.Exit(gregor.Main(m))
	}
	os.Exit(gregor.Main(again{}))
}

// missing says what this machine lacks.
func missing() error {
	if os.Getuid() != 0 {
		return errors.New("namespaces and mounts need root")
	}
	for _, tool := range []string{"ip", "nsenter", "mount", "umount", "sync", "mkfs.ext4", "e2fsck"} {
		if _, err := exec.LookPath(tool); err != nil {
			return err
		}
	}
	probe := exec.Command("true")
	probe.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS | syscall.CLONE_NEWNET}
	if err := probe.Run(); err != nil {
		return fmt.Errorf("new namespaces: %w", err)
	}
	return nil
}

// again runs this binary in namespaces of its own, in the place of its tests.
type again struct{}

// Run returns the exit code.
func (again) Run() int {
	program, err := gregor.Binary()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	cmd := exec.Command("/proc/self/exe", os.Args[1:]...)
	cmd.Env = append(os.Environ(), insideVariable+"=1", gregor.BinaryVariable+"="+program)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS | syscall.CLONE_NEWNET, Pdeathsig: syscall.SIGKILL}
	err = cmd.Run()
	if cmd.ProcessState == nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	if code := cmd.ProcessState.ExitCode(); code >= 0 {
		return code
	}
	fmt.Fprintln(os.Stderr, cmd.ProcessState)
	return 1
}

// furnish prepares the namespaces, and tries what the tests will need.
func furnish() error {
	if err := syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("keep mounts private: %w", err)
	}
	if err := syscall.Mount("tmpfs", scratch, "tmpfs", 0, ""); err != nil {
		return fmt.Errorf("mount tmpfs: %w", err)
	}
	if err := command("ip", "link", "set", "lo", "up"); err != nil {
		return err
	}
	if err := errors.Join(command("ip", "netns", "add", "probe"), command("ip", "netns", "del", "probe")); err != nil {
		return err
	}
	d, err := newDisk(filepath.Join(scratch, "probe"))
	if err != nil {
		return err
	}
	return d.remove()
}

// command runs a tool and returns what it complains of.
func command(name string, args ...string) error {
	out, err := exec.Command(name, args...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s %s: %w: %s", name, strings.Join(args, " "), err, strings.TrimSpace(string(out)))
	}
	return nil
}
