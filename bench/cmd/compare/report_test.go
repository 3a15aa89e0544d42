package main

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestMedian(t *testing.T) {
	f := func(want float64, v ...float64) {
		t.Helper()
		before := slices.Clone(v)
		if got := median(v); got != want || !slices.Equal(v, before) {
			t.Errorf("median(%v) = %g, and now %v", before, got, v)
		}
	}
	f(3, 3)
	f(2, 3, 1, 2)
	f(2.5, 4, 1, 2, 3)
	if !math.IsNaN(median(nil)) {
		t.Error("nothing has a median")
	}
}

func TestTargets(t *testing.T) {
	f := func(tg target, own, ratio float64, text string, met bool) {
		t.Helper()
		if tg.String() != text || tg.met(own, ratio) != met {
			t.Errorf("%q at %g, ratio %g: met is %v", tg, own, ratio, !met)
		}
	}
	f(ratioAtMost(1.0/3), 1, 0.33, "≤ 1/3", true)
	f(ratioAtMost(1.0/3), 1, 0.34, "≤ 1/3", false)
	f(ratioAtLeast(2), 1, 2, "≥ 2×", true)
	f(ratioAtLeast(2), 1, 1.9, "≥ 2×", false)
	f(ratioAtMost(1), 1, 1.01, "≤ 1×", false)
	f(atMost(40), 40, 7, "≤ 40", true)
	f(atMost(40), 41, 0, "≤ 40", false)
	f(ratioAtMost(1.0/30).andAtMost(0.1), 0.2, 0.01, "≤ 1/30, ≤ 0.1", false)
}

func TestMarkdown(t *testing.T) {
	r := &report{Time: time.Date(2025, 5, 4, 3, 2, 1, 0, time.UTC), Machine: "a machine", Runs: 3, Figures: map[string]map[string]figures{}}
	for _, v := range []float64{2, 1, 1.5} {
		r.add("produce-1k", "cpu", gregorKey, v)
		r.add("produce-1k", "cpu", apacheKey, 4*v)
	}
	r.add("produce-1k", "throughput", gregorKey, 600)
	r.add("produce-1k", "throughput", apacheKey, 400)
	r.add("start", "rss", gregorKey, 30)
	r.add("start", "start", gregorKey, 0.05)
	const want = `a machine, medians of 3 (least to most), 2025-05-04

| workload | figure | gregor | Apache Kafka 3.9.1 | ratio | target | |
|---|---|---:|---:|---:|---|---|
| start-up with keeper, then idle | to the first Metadata answer, s | 0.050 | - |  | ≤ 1/30, ≤ 0.1 |  |
|  | resident, idle, MB | 30.0 | - |  | ≤ 40 | met |
| raw produce, 100 KB batches of 1 KB records, acks=all, 4 connections with 8 in flight | broker CPU per GB, s | 1.50 (1.00 to 2.00) | 6.00 (4.00 to 8.00) | 1/4.0 | ≤ 1/3 | met |
|  | throughput, MB/s | 600 | 400 | 1.50× | ≥ 2× | missed |
`
	if got := r.markdown(); got != want {
		t.Errorf("got\n%s", got)
	}
	file := filepath.Join(t.TempDir(), "new", "bench.json")
	if err := r.write(file); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(file)
	var back report
	if err == nil {
		err = json.Unmarshal(text, &back)
	}
	if err != nil || !slices.Equal(back.Figures["produce-1k"]["cpu"][apacheKey], []float64{8, 4, 6}) {
		t.Errorf("%v, %+v", err, back)
	}
}

func TestNumbers(t *testing.T) {
	for v, want := range map[float64]string{0.0123: "0.012", 1.234: "1.23", 12.34: "12.3", 1234.5: "1234", -3: "-3.00", 0: "0.000"} {
		if got := number(v); got != want {
			t.Errorf("number(%g) = %s, want %s", v, got, want)
		}
	}
	if showRatio(0.25) != "1/4.0" || showRatio(0.9) != "0.90×" || showRatio(12) != "12.00×" {
		t.Errorf("%s %s %s", showRatio(0.25), showRatio(0.9), showRatio(12))
	}
}

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
	if o := f("-quick -only start,fetch -servers apache", ""); o.runs != 1 || !slices.Equal(o.only, []string{"start", "fetch"}) || o.against[0] != apacheKey {
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
			if keys[m.key] {
				t.Errorf("workload %q has %q twice", w.name, m.key)
			}
			keys[m.key] = true
		}
	}
}
