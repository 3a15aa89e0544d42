package node

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/gregor-mq/gregor/internal/env"
	"github.com/gregor-mq/gregor/zk/session"
)

// sessionFile holds what another process needs to end this broker's ZooKeeper
// session: after kill -9 the broker is back at once, and need not wait until
// its own ephemeral nodes expire. It is a plain file in the first log
// directory, where an Apache broker passes over it.
const sessionFile = "gregor.session"

// life identifies one process on one boot of one host.
type life struct {
	boot    string // /proc/sys/kernel/random/boot_id
	pid     int
	started string // start time in clock ticks since boot, /proc/PID/stat
}

// formerSession is the content of sessionFile.
type formerSession struct {
	life
	id       int64
	password []byte
}

func (f formerSession) encode() []byte {
	return fmt.Appendf(nil, "version=1\nsession=%#x\npassword=%s\nboot=%s\npid=%d\nstarted=%s\n",
		uint64(f.id), hex.EncodeToString(f.password), f.boot, f.pid, f.started)
}

// decodeSession reads a session file; ok is false when it says nothing usable,
// which is never an error: the broker then waits for the old session's end.
func decodeSession(src []byte) (f formerSession, ok bool) {
	fields := map[string]string{}
	for line := range strings.Lines(string(src)) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		fields[key] = value
	}
	id, err1 := strconv.ParseUint(strings.TrimPrefix(fields["session"], "0x"), 16, 64)
	password, err2 := hex.DecodeString(fields["password"])
	pid, err3 := strconv.Atoi(fields["pid"])
	f = formerSession{life: life{boot: fields["boot"], pid: pid, started: fields["started"]}, id: int64(id), password: password}
	return f, errors.Join(err1, err2, err3) == nil && fields["version"] == "1" && f.boot != "" && f.started != "" && id != 0
}

// lifeOf describes a running process; ok is false when there is none, or the
// system does not tell.
func lifeOf(files env.FS, pid int) (l life, ok bool) {
	boot, err := files.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return life{}, false
	}
	stat, err := files.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return life{}, false
	}
	// The command name may hold anything, so count from the last bracket: the
	// start time is field 22, the 20th after it.
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	if len(fields) < 20 {
		return life{}, false
	}
	return life{boot: strings.TrimSpace(string(boot)), pid: pid, started: fields[19]}, true
}

func (n *Node) sessionPath() string { return filepath.Join(n.dirs[0].Path(), sessionFile) }

// rememberSession writes the file for the next life of this broker.
func (n *Node) rememberSession(z *session.Session) error {
	self, ok := lifeOf(n.env.FS, os.Getpid())
	if !ok {
		return nil // this system cannot tell lives apart: the next start waits
	}
	f := formerSession{life: self, id: z.ID(), password: z.Password()}
	tmp := n.sessionPath() + ".tmp"
	if err := writePrivate(n.env.FS, tmp, f.encode()); err != nil {
		return fmt.Errorf("remember the zookeeper session: %w", err)
	}
	if err := n.env.FS.Rename(tmp, n.sessionPath()); err != nil {
		return fmt.Errorf("remember the zookeeper session: %w", err)
	}
	return nil
}

func writePrivate(files env.FS, name string, content []byte) error {
	h, err := files.Open(name, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = h.WriteAt(content, 0)
	return errors.Join(err, h.Sync(), h.Close())
}

// closeFormerSession ends the session of this broker's former life, when that
// process is gone. A session that a living process may own is left alone.
func (n *Node) closeFormerSession(ctx context.Context, cfg session.Config) error {
	src, err := n.env.FS.ReadFile(n.sessionPath())
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read the former zookeeper session: %w", err)
	}
	f, ok := decodeSession(src)
	if !ok {
		n.log.Warn("cannot understand the file of the former session: waiting for its end instead", "file", n.sessionPath())
		return nil
	}
	self, ok := lifeOf(n.env.FS, os.Getpid())
	if !ok {
		return nil
	}
	if now, alive := lifeOf(n.env.FS, f.pid); alive && now == f.life || f.boot != self.boot {
		return nil
	}
	closed, err := session.CloseOther(ctx, cfg, n.env, f.id, f.password)
	if err != nil {
		n.log.Warn("cannot end the former session: waiting for its end instead", "error", err)
		return nil
	}
	if closed {
		n.log.Info("ended the session that the former process left", "session", fmt.Sprintf("%#x", uint64(f.id)))
	}
	return nil
}

// forgetSession removes the file after the session was closed in order.
func (n *Node) forgetSession() error {
	err := n.env.FS.Remove(n.sessionPath())
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
