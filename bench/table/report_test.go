package table

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"slices"
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
	f := func(tg Target, own, ratio float64, text string, met bool) {
		t.Helper()
		if tg.String() != text || tg.met(own, ratio) != met {
			t.Errorf("%q at %g, ratio %g: met is %v", tg, own, ratio, !met)
		}
	}
	f(RatioAtMost(1.0/3), 1, 0.33, "≤ 1/3", true)
	f(RatioAtMost(1.0/3), 1, 0.34, "≤ 1/3", false)
	f(RatioAtMost(2.0/3), 1, 0.6, "≤ 1/1.5", true)
	f(RatioAtLeast(2), 1, 2, "≥ 2×", true)
	f(RatioAtLeast(2), 1, 1.9, "≥ 2×", false)
	f(RatioAtMost(1), 1, 1.01, "≤ 1×", false)
	f(AtMost(40), 40, 7, "≤ 40", true)
	f(AtMost(40), 41, 0, "≤ 40", false)
	f(AtLeast(80), 79, 7, "≥ 80", false)
	f(AtLeast(80), 80, 7, "≥ 80", true)
	f(RatioAtMost(1.0/30).AndAtMost(0.1), 0.2, 0.01, "≤ 1/30, ≤ 0.1", false)
}

func TestMarkdown(t *testing.T) {
	r := &Report{Time: time.Date(2025, 5, 4, 3, 2, 1, 0, time.UTC), Machine: "a machine", Runs: 3, Figures: map[string]map[string]figures{}}
	for _, v := range []float64{2, 1, 1.5} {
		r.Add("produce-1k", "cpu", Gregor, v)
		r.Add("produce-1k", "cpu", Apache, 4*v)
	}
	r.Add("produce-1k", "throughput", Gregor, 600)
	r.Add("produce-1k", "throughput", Apache, 400)
	r.Add("start", "rss", Gregor, 30)
	r.Add("start", "start", Gregor, 0.05)
	sections := []Section{
		{"start", "start-up with keeper, then idle", []Metric{
			{"start", "to the first Metadata answer", "s", RatioAtMost(1.0 / 30).AndAtMost(0.1)},
			{"rss", "resident, idle", "MB", AtMost(40)},
			{"idle cpu", "CPU while idle", "% of a core", Target{}},
		}},
		{"produce-1k", "raw produce", []Metric{
			{"cpu", "broker CPU per GB", "s", RatioAtMost(1.0 / 3)},
			{"throughput", "throughput", "MB/s", RatioAtLeast(2)},
		}},
	}
	const want = `a machine, medians of 3 (least to most), 2025-05-04

| workload | figure | gregor | Apache Kafka 3.9.1 | ratio | target | |
|---|---|---:|---:|---:|---|---|
| start-up with keeper, then idle | to the first Metadata answer, s | 0.050 | - |  | ≤ 1/30, ≤ 0.1 |  |
|  | resident, idle, MB | 30.0 | - |  | ≤ 40 | met |
| raw produce | broker CPU per GB, s | 1.50 (1.00 to 2.00) | 6.00 (4.00 to 8.00) | 1/4.0 | ≤ 1/3 | met |
|  | throughput, MB/s | 600 | 400 | 1.50× | ≥ 2× | missed |
`
	if got := r.Markdown("Apache Kafka 3.9.1", sections); got != want {
		t.Errorf("got\n%s", got)
	}
	file := filepath.Join(t.TempDir(), "new", "bench.json")
	if err := r.Write(file); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(file)
	var back Report
	if err == nil {
		err = json.Unmarshal(text, &back)
	}
	if err != nil || !slices.Equal(back.Figures["produce-1k"]["cpu"][Apache], []float64{8, 4, 6}) {
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
