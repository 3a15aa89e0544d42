package node

import (
	"cmp"
	"flag"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/gregor-mq/gregor/controller"
	"github.com/gregor-mq/gregor/controller/decide"
	"github.com/gregor-mq/gregor/wire"
)

var update = flag.Bool("update", false, "rewrite docs/metrics.md")

// scrape reads a broker's metrics as Prometheus does.
func (c *brokers) scrape(id int32) map[string]float64 {
	c.t.Helper()
	client := http.Client{Transport: &http.Transport{DialContext: c.net.Dial, DisableKeepAlives: true}}
	resp, err := client.Get(fmt.Sprintf("http://127.0.0.1:940%d/metrics", id))
	if err != nil {
		c.t.Fatal(err)
	}
	text, err := io.ReadAll(resp.Body)
	if err := cmp.Or(err, resp.Body.Close()); err != nil || resp.StatusCode != http.StatusOK {
		c.t.Fatalf("%v %s", err, resp.Status)
	}
	out := map[string]float64{}
	for line := range strings.Lines(string(text)) {
		name, value, ok := strings.Cut(strings.TrimSpace(line), " ")
		if !ok || name == "#" {
			continue
		}
		if out[name], err = strconv.ParseFloat(value, 64); err != nil {
			c.t.Errorf("%s: %v", line, err)
		}
	}
	return out
}

func TestMetrics(t *testing.T) {
	onBrokers(t, func(t *testing.T, c *brokers) {
		active, _ := c.split()
		boss := active.Config().ID
		if code := c.create(active, "t", []int32{1, 2, 3}, []int32{2, 3, 1}, []int32{3, 1, 2}); code != wire.CodeNone {
			t.Fatal(code)
		}
		for i, want := range []string{"leader 1 of [1 2 3] in sync [1 2 3]", "leader 2 of [2 3 1] in sync [1 2 3]", "leader 3 of [3 1 2] in sync [1 2 3]"} {
			c.become("t", int32(i), want)
		}
		const kc, rm = "kafka_controller_kafkacontroller_", "kafka_server_replicamanager_"
		expect := func(id int32, want map[string]float64) {
			t.Helper()
			var got map[string]float64
			for range 30 { // half a minute: the controller counts once a second
				got = c.scrape(id)
				maps.DeleteFunc(got, func(name string, _ float64) bool { _, asked := want[name]; return !asked })
				if maps.Equal(got, want) {
					return
				}
				<-c.env.Clock.NewTimer(time.Second).C()
			}
			t.Errorf("broker %d:\n got %v\nwant %v", id, got, want)
		}
		for id := range c.nodes {
			expect(id, map[string]float64{rm + "leadercount": 1, rm + "partitioncount": 3, rm + "underreplicatedpartitions": 0, rm + "underminisrpartitioncount": 0})
			if id != boss {
				expect(id, map[string]float64{kc + "activecontrollercount": 0, kc + "globaltopiccount": 0})
			}
		}
		expect(boss, map[string]float64{kc + "activecontrollercount": 1, kc + "activebrokercount": 3, kc + "globaltopiccount": 1, kc + "globalpartitioncount": 3,
			kc + "offlinepartitionscount": 0, kc + "preferredreplicaimbalancecount": 0, kc + "controllerstate": 0,
			"kafka_controller_controllereventmanager_eventqueuesize": 0, "kafka_controller_controllerchannelmanager_totalqueuesize": 0,
			fmt.Sprintf(`kafka_controller_controllerchannelmanager_queuesize{broker_id="%d"}`, boss): 0})
		got := c.scrape(boss)
		for _, name := range []string{"kafka_controller_controllereventmanager_eventqueuetimems_count", "kafka_controller_controllerstats_controllerchangerateandtimems_count",
			"kafka_controller_controllerstats_leaderelectionrateandtimems_count", "kafka_controller_controllerstats_topicchangerateandtimems_count", "go_goroutines"} {
			if got[name] < 1 {
				t.Errorf("%s is %v", name, got[name])
			}
		}

		away := boss%3 + 1
		c.stop(away)
		expect(boss, map[string]float64{kc + "activebrokercount": 2, kc + "preferredreplicaimbalancecount": 1})
		var under float64
		for id := range c.nodes {
			under += c.scrape(id)[rm+"underreplicatedpartitions"]
		}
		if under != 3 {
			t.Errorf("%v partitions are under-replicated, want 3", under)
		}
	})
}

func gather(t *testing.T, r *prometheus.Registry) []string {
	t.Helper()
	families, err := r.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, f := range families {
		for _, m := range f.Metric {
			value := fmt.Sprint(m.Gauge.GetValue(), m.Counter.GetValue())
			if s := m.Summary; s != nil {
				value = fmt.Sprint(s.GetSampleCount(), s.GetSampleSum())
			}
			out = append(out, fmt.Sprintf("%s%v %s", f.GetName(), m.Label, value))
		}
	}
	return out
}

func TestMetricsOfEvents(t *testing.T) {
	for state := int8(1); state < 18; state++ {
		if _, named := controllerStates[state]; named != (state != 16) { // Kafka does not measure it
			t.Errorf("state %d: %t", state, named)
		}
	}
	m := &metrics{took: map[int8]prometheus.Summary{}, registry: prometheus.NewRegistry()}
	m.waited = m.summary("waited", "")
	m.took[9] = m.summary("isrchange", "")
	m.event(controller.Notice{Event: decide.ISRChange{}, Took: 3 * time.Millisecond, Waited: time.Millisecond})
	m.event(controller.Notice{Event: decide.AllocateProducerIDs{}, Took: 3 * time.Millisecond, Waited: time.Millisecond})
	if got := strings.Join(gather(t, m.registry), "; "); got != "isrchange[] 1 3; waited[] 2 2" {
		t.Error(got)
	}
}

// While the controller is at an event, metrics tell at which, and what waits.
func TestMetricsOfABusyController(t *testing.T) {
	began := time.UnixMilli(1_700_000_000_000)
	r := prometheus.NewRegistry()
	r.MustRegister(reader(func() reading {
		return reading{now: began.Add(2500 * time.Millisecond), controller: controller.Snapshot{
			Queued: 7, Requests: map[int32]int{1: 4, 2: 5}, Event: "TopicChange", State: 3, Since: began}}
	}))
	got := gather(t, r)
	for _, want := range []string{
		`gregor_controller_current_event_seconds[name:"event" value:"TopicChange"] 2.5 0`, "kafka_controller_kafkacontroller_controllerstate[] 3 0",
		"kafka_controller_controllereventmanager_eventqueuesize[] 7 0", "kafka_controller_controllerchannelmanager_totalqueuesize[] 9 0",
		`kafka_controller_controllerchannelmanager_queuesize[name:"broker_id" value:"2"] 5 0`,
	} {
		if !slices.ContainsFunc(got, func(s string) bool { return strings.ReplaceAll(s, "  ", " ") == want }) {
			t.Errorf("no %s in\n%s", want, strings.Join(got, "\n"))
		}
	}
}

// TestMetricsDocument fails when docs/metrics.md is not what the table says.
func TestMetricsDocument(t *testing.T) {
	var rows []string
	for _, m := range numbers {
		kind := "gauge"
		if m.kind == prometheus.CounterValue {
			kind = "counter"
		}
		rows = append(rows, fmt.Sprintf("| `%s` | %s | %s |", m.name, kind, m.help))
	}
	slices.Sort(rows)
	text := `# Metrics

With ` + "`gregor.metrics.listener=host:port`" + ` in its properties a broker serves metrics as Prometheus text on
` + "`http://host:port/metrics`" + `, to anybody who can reach it. They have the names that Kafka's have behind the JMX exporter with its
usual rules (` + "`kafka_<package>_<type>_<name>`" + `, in small letters), so that dashboards and alerts made for Kafka find them. Those of
the controller are 0 on all brokers but one. Kafka's counts by topic (BrokerTopicMetrics), by kind of request and by listener are not
there yet.

| name | kind | what it tells |
|---|---|---|
` + strings.Join(rows, "\n") + `
| ` + "`kafka_controller_controllerchannelmanager_queuesize{broker_id}`" + ` | gauge | Requests of the controller that wait for a broker. |
| ` + "`kafka_controller_controllereventmanager_eventqueuetimems`" + ` | summary | How long events of the controller stood in the queue, in ms. |
| ` + "`kafka_controller_controllerstats_<kind>rateandtimems`" + ` | summary | How long the controller took for events of a kind, in ms. |
| ` + "`gregor_controller_current_event_seconds{event}`" + ` | gauge | For how long the controller has been at the event that it is at; absent while it is at none. |

The kinds of events are those of Kafka's ControllerState, by number: `
	var kinds []string
	for state := int8(1); state < 18; state++ {
		if name, ok := controllerStates[state]; ok {
			kinds = append(kinds, fmt.Sprintf("%d `%s`", state, name))
		}
	}
	text += strings.Join(kinds, ", ") + ".\n\nThe process and Go's runtime are told of by `process_*` and `go_*`, as every Go program with Prometheus' client does it.\n"
	const file = "../docs/metrics.md"
	if *update {
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := os.ReadFile(file); err != nil || string(got) != text {
		t.Errorf("%s is stale (%v): run go test ./node -update", file, err)
	}
}
