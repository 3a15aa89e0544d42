//go:build interop

package keeper

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/gregor-mq/gregor/zk"
)

// dump tells all that a server shows of its tree, a line per node.
func dump(t *testing.T, addr string) []string {
	t.Helper()
	c := connect(t, addr, longSession, nil)
	c.auth("super:admin")
	var out []string
	var walk func(path string)
	walk = func(path string) {
		var children zk.GetChildren2Response
		var data zk.GetDataResponse
		var acl zk.GetACLResponse
		c.do(&zk.GetChildren2Request{Path: path}, &children)
		c.do(&zk.GetDataRequest{Path: path}, &data)
		c.do(&zk.GetACLRequest{Path: path}, &acl)
		if children.Stat != data.Stat || acl.Stat != data.Stat {
			t.Errorf("%s: three stats: %+v, %+v, %+v", path, children.Stat, data.Stat, acl.Stat)
		}
		content := fmt.Sprintf("%q", data.Data)
		if data.Data == nil {
			content = "null"
		}
		out = append(out, fmt.Sprintf("%s %+v %+v %s", path, data.Stat, acl.ACL, content))
		slices.Sort(children.Children)
		for _, name := range children.Children {
			walk(strings.TrimSuffix(path, "/") + "/" + name)
		}
	}
	walk("/")
	c.do(zk.CloseRequest{}, nil)
	return out
}

// same compares two dumps.
func same(t *testing.T, what string, want, got []string) {
	t.Helper()
	if len(want) < 20 {
		t.Fatalf("%s: %d nodes are no tree to compare", what, len(want))
	}
	short := func(lines []string) string {
		for i, l := range lines {
			lines[i] = l[:min(len(l), 400)]
		}
		return strings.Join(lines, "\n")
	}
	missing := slices.DeleteFunc(slices.Clone(want), func(l string) bool { return slices.Contains(got, l) })
	extra := slices.DeleteFunc(slices.Clone(got), func(l string) bool { return slices.Contains(want, l) })
	if len(missing)+len(extra) > 0 {
		t.Errorf("%s: %d of %d nodes differ, want\n%s\ngot\n%s", what, len(missing), len(want), short(missing), short(extra))
	}
}
