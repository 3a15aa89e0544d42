package metrics_test

import (
	"math"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/gregor-mq/gregor/keeper/metrics"
)

func find(t *testing.T, s *metrics.Set, name string) any {
	t.Helper()
	values := s.Values()
	i := slices.IndexFunc(values, func(v metrics.Value) bool { return v.Name == name })
	if i < 0 {
		t.Fatalf("no %s in %v", name, values)
	}
	return values[i].Number
}

func TestValuesAreThoseOfZooKeepersProvider(t *testing.T) {
	var s metrics.Set
	c := s.Counter("commit_count", "c")
	slow, fast := s.Detailed("updatelatency", "u"), s.Summary("fsynctime", "f")
	want := func(name string, v any) {
		t.Helper()
		if got := find(t, &s, name); got != v {
			t.Errorf("%s = %v, want %v", name, got, v)
		}
	}
	want("avg_updatelatency", float64(0))
	want("min_updatelatency", int64(0))
	want("p99_updatelatency", int64(0))
	c.Add(2)
	for v := range int64(100) {
		slow.Observe(v + 1)
	}
	fast.Observe(-3)
	fast.Observe(1)
	fast.Observe(1)
	want("commit_count", int64(2))
	for name, v := range map[string]int64{"min": 1, "max": 100, "cnt": 100, "sum": 5050, "p50": 51, "p95": 96, "p99": 100, "p999": 100} {
		want(name+"_updatelatency", v)
	}
	want("avg_fsynctime", -0.3333)
	want("min_fsynctime", int64(-3))
	if values := s.Values(); values[0].Name != "commit_count" || values[1].Name != "avg_fsynctime" || values[len(values)-1].Name != "p999_updatelatency" {
		t.Errorf("order: %v", values)
	}
	s.Reset()
	want("commit_count", int64(0))
	want("max_fsynctime", int64(0))
}

func TestQuantilesOfManyValues(t *testing.T) {
	var s metrics.Set
	m := s.Detailed("x", "")
	for v := range int64(100_000) {
		m.Observe(v)
	}
	if p := find(t, &s, "p50_x").(int64); math.Abs(float64(p)-50_000) > 6_000 {
		t.Errorf("median %d", p)
	}
	if p := find(t, &s, "p99_x").(int64); math.Abs(float64(p)-99_000) > 2_000 {
		t.Errorf("99%%: %d", p)
	}
}

func TestPrometheusText(t *testing.T) {
	var s metrics.Set
	s.Counter("commit_count", "Transactions.").Add(3)
	s.Summary("fsynctime", "Time.").Observe(7)
	s.Detailed("readlatency", "Time.")
	gauges := func() []metrics.Gauge {
		return []metrics.Gauge{{Value: metrics.Value{Name: "znode_count", Number: int64(5)}, Help: "Nodes."}}
	}
	r := httptest.NewRecorder()
	metrics.Handler(&s, gauges, true).ServeHTTP(r, httptest.NewRequest("GET", "/metrics", nil))
	for _, line := range []string{
		"# TYPE commit_count counter", "commit_count 3", `fsynctime{quantile="0.5"} 7`, "fsynctime_sum 7", "fsynctime_count 1",
		`readlatency{quantile="0.99"} NaN`, "# HELP znode_count Nodes.", "znode_count 5", "go_goroutines ",
	} {
		if !strings.Contains(r.Body.String(), "\n"+line) && !strings.HasPrefix(r.Body.String(), line) {
			t.Errorf("no line %q in\n%s", line, r.Body)
		}
	}
}
