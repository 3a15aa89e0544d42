package metrics

import (
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Gauge is a figure that is read when somebody asks.
type Gauge struct {
	Value
	Help string
}

// Handler serves a set and gauges as Prometheus text; runtime adds those of the
// process and of Go.
func Handler(set *Set, gauges func() []Gauge, runtime bool) http.Handler {
	registry := prometheus.NewRegistry()
	registry.MustRegister(&collector{set, gauges})
	if runtime {
		registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	}
	return promhttp.HandlerFor(registry, promhttp.HandlerOpts{})
}

// collector reads a keeper's figures. Which gauges there are depends on who leads.
type collector struct {
	set    *Set
	gauges func() []Gauge
}

// Describe implements prometheus.Collector. A collector that describes nothing may
// collect what it likes.
func (*collector) Describe(chan<- *prometheus.Desc) {}

// Collect implements prometheus.Collector.
func (c *collector) Collect(out chan<- prometheus.Metric) {
	for _, g := range c.gauges() {
		out <- prometheus.MustNewConstMetric(desc(g.Name, g.Help), prometheus.GaugeValue, number(g.Number))
	}
	for _, n := range c.set.counters {
		out <- prometheus.MustNewConstMetric(desc(n.name, n.help), prometheus.CounterValue, float64(n.metric.Value()))
	}
	for _, s := range c.set.summaries {
		of := []float64{0.5}
		if s.metric.detailed {
			of = []float64{0.5, 0.9, 0.99}
		}
		quantiles := map[float64]float64{}
		for i, v := range s.metric.quantiles(of...) {
			quantiles[of[i]] = v
		}
		out <- prometheus.MustNewConstSummary(desc(s.name, s.help), uint64(s.metric.count.Load()), float64(s.metric.sum.Load()), quantiles)
	}
}

func desc(name, help string) *prometheus.Desc { return prometheus.NewDesc(name, help, nil, nil) }

func number(v any) float64 {
	switch n := v.(type) {
	case int64:
		return float64(n)
	case float64:
		return n
	}
	return 0
}
