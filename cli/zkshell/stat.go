package zkshell

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/gregor-mq/gregor/zk"
	"github.com/gregor-mq/gregor/zk/session"
)

// statJSON is a Stat in JSON, with the names that zkCli prints.
type statJSON struct {
	Czxid          int64  `json:"cZxid"`
	Ctime          int64  `json:"ctime"` // milliseconds since 1970, as mtime
	Mzxid          int64  `json:"mZxid"`
	Mtime          int64  `json:"mtime"`
	Pzxid          int64  `json:"pZxid"`
	Cversion       int32  `json:"cversion"`
	DataVersion    int32  `json:"dataVersion"`
	ACLVersion     int32  `json:"aclVersion"`
	EphemeralOwner string `json:"ephemeralOwner"` // 0x…: more than JavaScript's numbers hold
	DataLength     int32  `json:"dataLength"`
	NumChildren    int32  `json:"numChildren"`
}

func statOf(s zk.Stat) statJSON {
	return statJSON{
		Czxid: s.Czxid, Ctime: s.Ctime, Mzxid: s.Mzxid, Mtime: s.Mtime, Pzxid: s.Pzxid,
		Cversion: s.Cversion, DataVersion: s.Version, ACLVersion: s.Aversion,
		EphemeralOwner: fmt.Sprintf("%#x", uint64(s.EphemeralOwner)), DataLength: s.DataLength, NumChildren: s.NumChildren,
	}
}

func (sh *shell) stat() *cobra.Command {
	return &cobra.Command{
		Use:     "stat PATH",
		Short:   "Print a node's versions, times and sizes",
		Example: "  gregor zk stat /brokers/topics/orders",
		Args:    cobra.ExactArgs(1),
		RunE: sh.run("", func(ctx context.Context, s *session.Session, path string, _ []string) error {
			stat, err := s.Exists(ctx, path, false)
			if err != nil {
				return explain(err)
			}
			if sh.json {
				return sh.term.JSON(statOf(stat))
			}
			_, err = fmt.Fprint(sh.term.Out, statText(stat))
			return err
		}),
	}
}

// statText has the names and the order of zkCli.
func statText(s zk.Stat) string {
	var b strings.Builder
	line := func(name, format string, v any) { fmt.Fprintf(&b, "%s = "+format+"\n", name, v) }
	when := func(ms int64) string { return time.UnixMilli(ms).UTC().Format(time.RFC3339Nano) }
	line("cZxid", "%#x", s.Czxid)
	line("ctime", "%s", when(s.Ctime))
	line("mZxid", "%#x", s.Mzxid)
	line("mtime", "%s", when(s.Mtime))
	line("pZxid", "%#x", s.Pzxid)
	line("cversion", "%d", s.Cversion)
	line("dataVersion", "%d", s.Version)
	line("aclVersion", "%d", s.Aversion)
	line("ephemeralOwner", "%#x", uint64(s.EphemeralOwner))
	line("dataLength", "%d", s.DataLength)
	line("numChildren", "%d", s.NumChildren)
	return b.String()
}
