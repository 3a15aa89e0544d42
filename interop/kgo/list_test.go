//go:build interop

package kgo

import (
	_ "embed"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"
)

//go:embed tests.txt
var expectations string

// What may be expected of a test.
const (
	pass         = "pass"
	transactions = "transactions"
	skip         = "skip"
)

// parse reads the list into what is expected by test name.
func parse(text string) (map[string]string, error) {
	out := map[string]string{}
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line == "" || line[0] == '#' {
			continue
		}
		name, rest, ok := strings.Cut(line, ": ")
		word, _, _ := strings.Cut(rest, " ")
		switch {
		case !ok || !slices.Contains([]string{pass, transactions, skip}, word):
			return nil, fmt.Errorf("line %q is no test, colon and expectation", line)
		case out[name] != "":
			return nil, fmt.Errorf("%s is listed twice", name)
		}
		out[name] = word
	}
	return out, nil
}

// pattern matches the listed tests of the top level for which keep holds.
func pattern(list map[string]string, keep func(expected string) bool) string {
	var names []string
	for name, expected := range list {
		if !strings.Contains(name, "/") && keep(expected) {
			names = append(names, regexp.QuoteMeta(name))
		}
	}
	slices.Sort(names)
	return "^(" + strings.Join(names, "|") + ")$"
}

// judge compares outcomes ("pass", "fail", "skip") with the list and returns
// what is wrong. Without transactions, tests that need them were not run.
func judge(list, outcomes map[string]string, withTransactions bool) []string {
	var wrong []string
	for _, name := range slices.Sorted(maps.Keys(list)) {
		expected, got := list[name], outcomes[name]
		switch {
		case expected == transactions && !withTransactions:
		case expected == transactions && got == skip && strings.Contains(name, "/"):
			// Its variants of KIP-848 skip themselves.
		case got == "":
			wrong = append(wrong, name+" did not finish")
		case expected == skip && got == pass:
			wrong = append(wrong, name+` passes now: move it to "pass" in tests.txt`)
		case expected == skip && got != skip, expected != skip && got != pass:
			wrong = append(wrong, fmt.Sprintf("%s: %s, expected %s", name, got, expected))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(outcomes)) {
		if list[name] == "" {
			wrong = append(wrong, name+" is not in tests.txt")
		}
	}
	return wrong
}

func TestJudge(t *testing.T) {
	list, err := parse("# comment\nA: pass\nA/x: pass\nB: transactions\nC: skip why\n")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		outcomes map[string]string
		with     bool
		want     string
	}{
		{map[string]string{"A": pass, "A/x": pass, "C": skip}, false, "[]"},
		{map[string]string{"A": pass, "A/x": pass, "B": pass, "C": skip}, true, "[]"},
		{map[string]string{"A": pass, "A/x": pass, "C": skip}, true, "[B did not finish]"},
		{map[string]string{"A": "fail", "C": skip}, false, "[A: fail, expected pass A/x did not finish]"},
		{map[string]string{"A": skip, "A/x": pass, "C": pass}, false, `[A: skip, expected pass C passes now: move it to "pass" in tests.txt]`},
		{map[string]string{"A": pass, "A/x": pass, "C": skip, "D": pass}, false, "[D is not in tests.txt]"},
	} {
		if got := fmt.Sprint(judge(list, c.outcomes, c.with)); got != c.want {
			t.Errorf("%v, transactions %v:\n got %s\nwant %s", c.outcomes, c.with, got, c.want)
		}
	}
	for _, bad := range []string{"A pass", "A: maybe", "A: pass\nA: pass"} {
		if _, err := parse(bad); err == nil {
			t.Errorf("%q is accepted", bad)
		}
	}
	if got := pattern(list, func(e string) bool { return e != transactions }); got != "^(A|C)$" {
		t.Errorf("pattern %s", got)
	}
}
