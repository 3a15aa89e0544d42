package zkshell

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"github.com/gregor-mq/gregor/cli/term"
	"github.com/gregor-mq/gregor/zk/session"
	"github.com/gregor-mq/gregor/znode"
)

// nodeJSON is what `get --json` prints.
type nodeJSON struct {
	Path string `json:"path"`
	// What, Facts and Fault are of znode.Description.
	What  string     `json:"what,omitempty"`
	Facts []factJSON `json:"facts,omitempty"`
	Fault string     `json:"fault,omitempty"`
	// Data is null for null, and for what is not UTF-8.
	Data       *string  `json:"data"`
	DataBase64 *string  `json:"data_base64,omitempty"`
	Stat       statJSON `json:"stat"`
}

type factJSON struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

func (sh *shell) get() *cobra.Command {
	var raw bool
	cmd := &cobra.Command{
		Use:     "get PATH",
		Short:   "Print what a node holds, Kafka's nodes in words",
		Example: "  gregor zk get /brokers/topics/orders\n  gregor zk get --raw /cluster/id\n  gregor zk get --json /controller",
		Args:    cobra.ExactArgs(1),
		RunE: sh.run("", func(ctx context.Context, s *session.Session, path string, _ []string) error {
			if raw && sh.json {
				return errors.New("--raw and --json: choose one")
			}
			data, stat, err := s.Get(ctx, path, false)
			if err != nil {
				return explain(err)
			}
			switch {
			case raw:
				_, err = sh.term.Out.Write(data)
			case sh.json:
				err = sh.term.JSON(describeJSON(path, data, statOf(stat)))
			default:
				_, err = fmt.Fprint(sh.term.Out, describe(path, data))
			}
			return err
		}),
	}
	cmd.Flags().BoolVar(&raw, "raw", false, "the bytes as they are, and nothing else")
	return cmd
}

func describeJSON(path string, data []byte, stat statJSON) nodeJSON {
	d := znode.Describe(path, data)
	n := nodeJSON{Path: path, What: d.What, Stat: stat}
	for _, f := range d.Facts {
		n.Facts = append(n.Facts, factJSON(f))
	}
	if d.Fault != nil {
		n.Fault = d.Fault.Error()
	}
	n.Data, n.DataBase64 = term.Bytes(data)
	return n
}

// describe writes a node for people: what it is, what its content says, and the
// content itself where that says no more than the words do.
func describe(path string, data []byte) string {
	d := znode.Describe(path, data)
	var b strings.Builder
	if d.What == "" {
		fmt.Fprintf(&b, "%s\n", path)
	} else {
		fmt.Fprintf(&b, "%s: %s\n", path, d.What)
	}
	width := 0
	for _, f := range d.Facts {
		width = max(width, utf8.RuneCountInString(f.Name))
	}
	for _, f := range d.Facts {
		fmt.Fprintf(&b, "  %-*s  %s\n", width, f.Name, term.Printable(f.Value))
	}
	if d.Fault != nil {
		fmt.Fprintf(&b, "  malformed: %v\n", d.Fault)
	}
	if len(d.Facts) > 0 {
		return b.String()
	}
	switch {
	case data == nil:
		b.WriteString("  null\n")
	case len(data) == 0:
		b.WriteString("  empty\n")
	default:
		fmt.Fprintf(&b, "  %s\n", term.Printable(string(data)))
	}
	return b.String()
}
