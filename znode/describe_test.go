package znode

import (
	"encoding/hex"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "rewrite what testdata expects")

// TestDescribe runs testdata/describe.txt: blocks of a path and a content ("null"
// for none, "hex …" for bytes), "----", and the description.
func TestDescribe(t *testing.T) {
	const file = "testdata/describe.txt"
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	for i, block := range strings.Split(strings.TrimSpace(string(want)), "\n\n") {
		input, _, _ := strings.Cut(block, "\n----")
		if i > 0 {
			out.WriteString("\n")
		}
		fmt.Fprintf(&out, "%s\n----\n", input)
		path, content, _ := strings.Cut(input, "\n")
		describeTo(&out, Describe(path, contentOf(t, content)))
	}
	if out.String() == string(want) {
		return
	}
	if *update {
		if err := os.WriteFile(file, []byte(out.String()), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	t.Errorf("descriptions differ; -update rewrites them. Got:\n%s", out.String())
}

func contentOf(t *testing.T, s string) []byte {
	t.Helper()
	if s == "null" {
		return nil
	}
	digits, isHex := strings.CutPrefix(s, "hex ")
	if !isHex {
		return []byte(s)
	}
	data, err := hex.DecodeString(digits)
	if err != nil {
		t.Fatalf("%q: %v", s, err)
	}
	return data
}

func describeTo(out *strings.Builder, d Description) {
	fmt.Fprintf(out, "%q\n", d.What)
	for _, f := range d.Facts {
		fmt.Fprintf(out, "  %s: %s\n", f.Name, f.Value)
	}
	if d.Fault != nil {
		fmt.Fprintf(out, "  ! %v\n", d.Fault)
	}
}
