package zkshell

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/gregor-mq/gregor/zk"
	"github.com/gregor-mq/gregor/zk/session"
)

// aclJSON is a line of `acl --json`.
type aclJSON struct {
	Scheme string `json:"scheme"`
	ID     string `json:"id"`
	Perms  string `json:"perms"`
}

func (sh *shell) acl() *cobra.Command {
	return &cobra.Command{
		Use:     "acl PATH",
		Short:   "Print who may do what with a node: create and delete children, read, write, administer",
		Example: "  gregor zk acl /config/users",
		Args:    cobra.ExactArgs(1),
		RunE: sh.run("", func(ctx context.Context, s *session.Session, path string, _ []string) error {
			list, _, err := s.GetACL(ctx, path)
			if err != nil {
				return explain(err)
			}
			for _, a := range list {
				if sh.json {
					err = sh.term.JSON(aclJSON{a.Scheme, a.ID, perms(a.Perms)})
				} else {
					_, err = fmt.Fprintf(sh.term.Out, "%s:%s %s\n", a.Scheme, a.ID, perms(a.Perms))
				}
				if err != nil {
					return err
				}
			}
			return nil
		}),
	}
}

// perms writes permissions as zkCli does: "cdrwa".
func perms(p int32) string {
	var b strings.Builder
	for _, one := range []struct {
		bit    int32
		letter byte
	}{{zk.PermCreate, 'c'}, {zk.PermDelete, 'd'}, {zk.PermRead, 'r'}, {zk.PermWrite, 'w'}, {zk.PermAdmin, 'a'}} {
		if p&one.bit != 0 {
			b.WriteByte(one.letter)
		}
	}
	return b.String()
}
