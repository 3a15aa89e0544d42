package keeper

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"time"
	"unicode"

	"github.com/gregor-mq/gregor/internal/env"
	"github.com/gregor-mq/gregor/internal/run"
	"github.com/gregor-mq/gregor/keeper/tree"
	"github.com/gregor-mq/gregor/zk"
)

// Audit is a log of who changed what, in ZooKeeper's form: a line per change, on
// the member that the client is connected to.
type Audit struct {
	// Enable turns it on (audit.enable).
	Enable bool
	// File takes the lines (gregor.audit.file); empty for the log.
	File string
	// Log takes them where there is no file; nil for the keeper's own.
	Log *slog.Logger
}

// auditLimit bounds lines that wait to be written. Beyond it changes wait: one that
// is made has its line.
const auditLimit = 8192

// auditor writes lines on its own goroutine. A nil one writes nothing.
type auditor struct {
	in   *run.Inbox[auditLine]
	out  *slog.Logger
	file env.File // nil for none
	log  *slog.Logger
	done chan struct{} // closed when all is written
}

type auditLine struct {
	at    time.Time
	level slog.Level
	text  string
}

// openAudit opens the audit log, nil for none.
func (k *Keeper) openAudit() error {
	a := k.cfg.Operate.Audit
	if !a.Enable {
		return nil
	}
	k.audit = &auditor{in: run.NewInbox[auditLine](auditLimit), out: a.Log, log: k.log, done: make(chan struct{})}
	switch {
	case a.File != "":
		f, err := k.env.FS.Open(a.File, os.O_RDWR|os.O_CREATE, 0o600)
		if err != nil {
			return fmt.Errorf("gregor.audit.file=%s: %w", a.File, err)
		}
		k.audit.file = f
		k.audit.out = slog.New(&lineHandler{appender{f}})
	case a.Log == nil:
		k.audit.out = k.log.With("logger", "audit")
	}
	return nil
}

// run writes lines until the inbox is closed, and all that is in it.
func (a *auditor) run(ctx context.Context) error {
	ctx = context.WithoutCancel(ctx)
	defer close(a.done)
	var lines []auditLine
	for {
		var err error
		if lines, err = a.in.Drain(ctx, lines[:0]); err != nil { // it is closed
			if a.file == nil {
				return nil
			}
			return a.file.Close()
		}
		for _, l := range lines {
			if !a.out.Enabled(ctx, l.level) {
				continue
			}
			if err := a.out.Handler().Handle(ctx, slog.NewRecord(l.at, l.level, l.text, 0)); err != nil {
				a.log.Error("line of the audit log not written", "line", l.text, "error", err)
			}
		}
	}
}

// lineHandler writes a record's time, level and message, as they are.
type lineHandler struct{ w io.Writer }

func (h *lineHandler) Enabled(context.Context, slog.Level) bool { return true }
func (h *lineHandler) WithAttrs([]slog.Attr) slog.Handler       { return h }
func (h *lineHandler) WithGroup(string) slog.Handler            { return h }

// Handle implements slog.Handler.
func (h *lineHandler) Handle(_ context.Context, r slog.Record) error {
	_, err := fmt.Fprintf(h.w, "%s %s audit: %s\n", r.Time.UTC().Format("2006-01-02T15:04:05.000Z"), r.Level, r.Message)
	return err
}

// appender writes at a file's end, also when somebody cut it.
type appender struct{ f env.File }

// Write implements io.Writer.
func (a appender) Write(p []byte) (int, error) {
	at, err := a.f.Size()
	if err != nil {
		return 0, err
	}
	return a.f.WriteAt(p, at)
}

// The operations of ZooKeeper's audit log besides those that clients ask for.
const (
	auditStart     = "serverStart"
	auditStop      = "serverStop"
	auditMulti     = "multiOperation"
	auditEphemeral = "ephemeralZNodeDeletionOnSessionCloseOrExpire"
	auditSelf      = "gregor" // the user where the keeper acts by itself
)

// auditEntry is what a line says; what is empty is left out.
type auditEntry struct{ session, user, ip, operation, znode, mode, acl, result string }

// note hands a line over.
func (k *Keeper) note(e auditEntry) {
	a := k.audit
	if a == nil {
		return
	}
	var b strings.Builder
	for _, f := range [][2]string{
		{"session", e.session}, {"user", e.user}, {"ip", e.ip}, {"operation", e.operation}, {"znode", e.znode}, {"znode_type", e.mode},
		{"acl", e.acl}, {"result", e.result},
	} {
		if f[1] == "" {
			continue
		}
		if b.Len() > 0 {
			b.WriteByte('\t')
		}
		b.WriteString(f[0] + "=" + printable(f[1]))
	}
	level := slog.LevelInfo
	if e.result == "failure" {
		level = slog.LevelError
	}
	// The inbox is closed when the keeper has ended.
	_ = a.in.Put(context.WithoutCancel(k.group.Context()), auditLine{k.env.Clock.Now(), level, b.String()})
}

// printable keeps a name that a client chose from looking like another line.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return '?'
		}
		return r
	}, s)
}

// auditWrite tells of a change that a client of this member asked for.
func (k *Keeper) auditWrite(c *call, x *tree.Txn, res *tree.Result) {
	if k.audit == nil || c.kind != callWrite {
		return
	}
	e := auditEntry{session: sessionName(c.req.Session), user: usersOf(c.req.IDs), ip: c.conn.host, result: "success"}
	if x.Op == zk.OpError || res.Err != zk.OK || x.Err != zk.OK {
		e.result = "failure"
	}
	m, multi := c.req.Body.(*zk.MultiRequest)
	switch {
	case !multi:
		e.describe(c.req.Body, res.Path)
		k.note(e)
	case e.result == "failure":
		e.operation = auditMulti
		k.note(e)
	default:
		for i, op := range m.Ops {
			one := e
			one.describe(op, res.Ops[i].Path)
			if one.operation != "" {
				k.note(one)
			}
		}
	}
}

// describe fills in what was asked for; made is the path of a node that was.
func (e *auditEntry) describe(body zk.Request, made string) {
	switch b := body.(type) {
	case *zk.CreateRequest:
		e.operation, e.znode, e.mode = "create", b.Path, strings.ToLower(b.Flags.String())
		if made != "" {
			e.znode = made
		}
	case *zk.DeleteRequest:
		e.operation, e.znode = "delete", b.Path
	case *zk.SetDataRequest:
		e.operation, e.znode = "setData", b.Path
	case *zk.SetACLRequest:
		e.operation, e.znode, e.acl = "setAcl", b.Path, aclText(b.ACL)
	case *zk.ReconfigRequest:
		e.operation = "reconfig"
	}
}

// usersOf names who somebody proved to be.
func usersOf(ids []tree.Identity) string {
	var names []string
	for _, id := range ids {
		if name := userOf(id); strings.TrimSpace(name) != "" {
			names = append(names, name)
		}
	}
	return strings.Join(names, ",")
}

// aclText writes a list as ZooKeeper's log does: nothing is between its entries.
func aclText(acl []zk.ACL) string {
	letters := []struct {
		perm   int32
		letter byte
	}{{zk.PermCreate, 'c'}, {zk.PermDelete, 'd'}, {zk.PermRead, 'r'}, {zk.PermWrite, 'w'}, {zk.PermAdmin, 'a'}}
	var b strings.Builder
	for _, a := range acl {
		fmt.Fprintf(&b, "%s:%s:", a.Scheme, a.ID)
		for _, l := range letters {
			if a.Perms&l.perm != 0 {
				b.WriteByte(l.letter)
			}
		}
	}
	return b.String()
}

// auditSession tells of the nodes that end with a session, on every member.
func (k *Keeper) auditSession(x *tree.Txn) {
	if k.audit == nil {
		return
	}
	for _, path := range x.Paths {
		k.note(auditEntry{session: sessionName(x.Session), user: auditSelf, operation: auditEphemeral, znode: path, result: "success"})
	}
}

// startAudit begins to write; it goes on until all else has ended.
func (k *Keeper) startAudit() {
	if k.audit == nil {
		return
	}
	k.outer.Go("keeper-audit", k.audit.run)
	k.note(auditEntry{user: auditSelf, operation: auditStart, result: "success"})
}

// stopAudit writes the last line.
func (k *Keeper) stopAudit() {
	if k.audit == nil {
		return
	}
	k.note(auditEntry{user: auditSelf, operation: auditStop, result: "invoked"})
	k.audit.in.Close()
	<-k.audit.done
}
