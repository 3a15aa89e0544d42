package node

import (
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
	"github.com/gregor-mq/gregor/internal/proc"
	"github.com/gregor-mq/gregor/zk/session"
)

// sessionFile holds what another process needs to end this broker's ZooKeeper
// session: after kill -9 the broker is back at once, and need not wait until
// its own ephemeral nodes expire. It is a plain file in the first log
// directory, where an Apache broker passes over it.
const sessionFile = "gregor.session"

// formerSession is the content of sessionFile.
type formerSession struct {
	proc.Life
	id       int64
	password []byte
}

func (f formerSession) encode() []byte {
	return append(fmt.Appendf(nil, "version=1\nsession=%#x\npassword=%s\n", uint64(f.id), hex.EncodeToString(f.password)), f.Life.Encode()...)
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
	life, whole := proc.Decode(src)
	f = formerSession{Life: life, id: int64(id), password: password}
	return f, errors.Join(err1, err2) == nil && whole && fields["version"] == "1" && id != 0
}

func (n *Node) sessionPath() string { return filepath.Join(n.dirs[0].Path(), sessionFile) }

// rememberSession writes the file for the next life of this broker.
func (n *Node) rememberSession(z *session.Session) error {
	self, ok := proc.Of(n.env.FS, os.Getpid())
	if !ok {
		return nil // this system cannot tell lives apart: the next start waits
	}
	f := formerSession{Life: self, id: z.ID(), password: z.Password()}
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
	self, ok := proc.Of(n.env.FS, os.Getpid())
	if !ok {
		return nil
	}
	if f.Alive(n.env.FS) || f.Boot != self.Boot {
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
