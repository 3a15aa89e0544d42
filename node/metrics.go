package node

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/gregor-mq/gregor/controller"
	"github.com/gregor-mq/gregor/controller/decide"
	"github.com/gregor-mq/gregor/replica"
)

// metricsListener is the property that says where metrics are served.
const metricsListener = "gregor.metrics.listener"

// metrics are those of one broker, under the names that Kafka's have behind the
// JMX exporter with its usual rules: dashboards and alerts find what they know.
// What can be read when somebody asks is read then; only the controller's events
// are counted as they happen.
type metrics struct {
	registry *prometheus.Registry
	waited   prometheus.Summary
	took     map[int8]prometheus.Summary // by the number of Kafka's ControllerState
}

// quantiles are Kafka's, each with how far off it may be.
var quantiles = map[float64]float64{0.5: 0.05, 0.75: 0.025, 0.95: 0.005, 0.98: 0.002, 0.99: 0.001, 0.999: 0.0001}

func newMetrics(n *Node) *metrics {
	m := &metrics{registry: prometheus.NewRegistry(), took: map[int8]prometheus.Summary{}}
	m.waited = m.summary("kafka_controller_controllereventmanager_eventqueuetimems", "How long events of the controller stood in the queue, in ms.")
	for state, name := range controllerStates {
		m.took[state] = m.summary("kafka_controller_controllerstats_"+name+"rateandtimems",
			"How long the controller took for events of this kind, in ms.")
	}
	m.registry.MustRegister(reader(n.reading), collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

func (m *metrics) summary(name, help string) prometheus.Summary {
	s := prometheus.NewSummary(prometheus.SummaryOpts{Name: name, Help: help, Objectives: quantiles})
	m.registry.MustRegister(s)
	return s
}

// controllerStates are Kafka's names of what a controller can be at, as far as
// Kafka measures them.
var controllerStates = map[int8]string{
	1: "controllerchange", 2: "leaderelection", 3: "topicchange", 4: "topicdeletion", 5: "partitionreassignment", 6: "autoleaderbalance",
	7: "manualleaderbalance", 8: "controlledshutdown", 9: "isrchange", 10: "leaderandisrresponsereceived", 11: "logdirchange",
	12: "controllershutdown", 13: "uncleanleaderelectionenable", 14: "topicuncleanleaderelectionenable", 15: "listpartitionreassignment",
	17: "updatefeatures",
}

// event counts one event of the controller, on its goroutine.
func (m *metrics) event(e controller.Notice) {
	m.waited.Observe(milliseconds(e.Waited))
	if s := m.took[decide.MetricState(e.Event)]; s != nil {
		s.Observe(milliseconds(e.Took))
	}
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// serveMetrics serves them as Prometheus text when gregor.metrics.listener is
// set.
func (n *Node) serveMetrics(ctx context.Context) error {
	if n.metrics == nil {
		return nil
	}
	mux := http.NewServeMux()
	mux.Handle("/metrics", promhttp.HandlerFor(n.metrics.registry, promhttp.HandlerOpts{}))
	return n.serveHTTP(ctx, metricsListener, mux)
}

// reading is what the owners say at one moment.
type reading struct {
	now        time.Time
	controller controller.Snapshot
	replicas   replica.Numbers
}

func (n *Node) reading() reading {
	return reading{n.env.Clock.Now(), n.controller.Snapshot(), n.replicas.Numbers()}
}

// number is a metric that is read when somebody asks.
type number struct {
	name, help string
	kind       prometheus.ValueType
	value      func(r *reading) float64
}

func gauge(name, help string, value func(r *reading) float64) number {
	return number{name, help, prometheus.GaugeValue, value}
}

func counter(name, help string, value func(r *reading) float64) number {
	return number{name, help, prometheus.CounterValue, value}
}

func (n number) desc() *prometheus.Desc { return prometheus.NewDesc(n.name, n.help, nil, nil) }

var (
	requestsWaiting = prometheus.NewDesc("kafka_controller_controllerchannelmanager_queuesize",
		"Requests of the controller that wait for a broker.", []string{"broker_id"}, nil)
	currentEvent = prometheus.NewDesc("gregor_controller_current_event_seconds",
		"For how long the controller has been at the event that it is at; absent while it is at none.", []string{"event"}, nil)
)

// reader is the prometheus.Collector of what is read when somebody asks.
type reader func() reading

// Describe implements prometheus.Collector.
func (r reader) Describe(out chan<- *prometheus.Desc) {
	for _, m := range numbers {
		out <- m.desc()
	}
	out <- requestsWaiting
	out <- currentEvent
}

// Collect implements prometheus.Collector.
func (r reader) Collect(out chan<- prometheus.Metric) {
	is := r()
	for _, m := range numbers {
		out <- prometheus.MustNewConstMetric(m.desc(), m.kind, m.value(&is))
	}
	for id, waiting := range is.controller.Requests {
		out <- prometheus.MustNewConstMetric(requestsWaiting, prometheus.GaugeValue, float64(waiting), strconv.Itoa(int(id)))
	}
	if c := &is.controller; c.Event != "" {
		out <- prometheus.MustNewConstMetric(currentEvent, prometheus.GaugeValue, is.now.Sub(c.Since).Seconds(), c.Event)
	}
}
