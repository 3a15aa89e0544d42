package main

import (
	"slices"
	"strings"
	"testing"

	"github.com/gregor-mq/gregor/bench/table"
)

func TestOptions(t *testing.T) {
	f := func(line, wrong string) options {
		t.Helper()
		o, err := parseOptions(strings.Fields(line))
		if wrong == "" && err != nil || wrong != "" && (err == nil || !strings.Contains(err.Error(), wrong)) {
			t.Errorf("%q: %v", line, err)
		}
		return o
	}
	if o := f("", ""); o.runs != 5 || !slices.Equal(o.only, names()) || len(o.against) != 2 {
		t.Errorf("%+v", o)
	}
	if o := f("-quick -only start,fetch -servers apache", ""); o.runs != 1 || !slices.Equal(o.only, []string{"start", "fetch"}) || o.against[0] != table.Apache {
		t.Errorf("%+v", o)
	}
	f("-only nothing", `no workload "nothing"`)
	f("-servers redis", `no server "redis"`)
	f("-runs 0", "at least 1")
}

func TestEveryWorkloadIsDistinct(t *testing.T) {
	seen := map[string]bool{}
	for _, w := range workloads {
		if seen[w.name] || (w.run == nil) == (w.cluster == nil) || w.about == "" {
			t.Errorf("workload %q", w.name)
		}
		seen[w.name] = true
		keys := map[string]bool{}
		for _, m := range w.metrics {
			if keys[m.Key] {
				t.Errorf("workload %q has %q twice", w.name, m.Key)
			}
			keys[m.Key] = true
		}
	}
}
