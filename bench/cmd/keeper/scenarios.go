package main

import (
	"context"
	"fmt"
	"time"

	"github.com/gregor-mq/gregor/bench/table"
)

// scenario is one kind of load and what it tells.
type scenario struct {
	name    string
	about   string
	members int
	run     func(context.Context, *stage) error
	metrics []table.Metric
}

// sizes are how large the scenarios are.
type sizes struct {
	warm, measure time.Duration
	// settle is how long a server is left alone before its memory is read.
	settle time.Duration
	// floor is how long the disk's own pace is measured, before and after a load.
	floor    time.Duration
	sessions int // where there are many
	nodes    int
	watchers int
	changes  int // that the watchers see
	opened   int // at once
	idle     int
}

// dataSize is the size of every node's data in bytes.
const dataSize = 100

var (
	full = sizes{
		warm: 5 * time.Second, measure: 8 * time.Second, settle: 3 * time.Second, floor: time.Second,
		sessions: 1000, nodes: 1_000_000, watchers: 10_000, changes: 5, opened: 1000, idle: 10_000,
	}
	tiny = sizes{
		warm: 100 * time.Millisecond, measure: 300 * time.Millisecond, settle: 100 * time.Millisecond, floor: 100 * time.Millisecond,
		sessions: 70, nodes: 2000, watchers: 100, changes: 2, opened: 50, idle: 100,
	}
)

// few is the number of sessions that keep a server busy.
const few = 64

var scenarios = []scenario{
	{name: "start", about: "start-up of an empty server", members: 1, run: startUp, metrics: []table.Metric{
		{Key: "start", Title: "to the first answer", Unit: "ms", Target: table.AtMost(50)},
		{Key: "rss", Title: "resident, idle", Unit: "MB"},
	}},
	one("set-1", "sets of 100 bytes, 1 session", set),
	one("create-1", "creates of 100 bytes, 1 session", create),
	many("set-64", "sets, 64 sessions with one request each", set, 1.5, 1.0/2),
	many("create-64", "creates, 64 sessions", create, 1.5, 1.0/2),
	crowded("set-1000", "sets, 1,000 sessions", set),
	crowded("create-1000", "creates, 1,000 sessions", create),
	many("get-64", "gets of 100 bytes, 64 sessions", get, 1, 2.0/3),
	{name: "mix-64", about: "9 gets to 1 set, 64 sessions", members: 1, run: load64(mix), metrics: []table.Metric{
		{Key: "p99", Title: "p99", Unit: "ms", Target: table.RatioAtMost(1.0 / 2)}, {Key: "p50", Title: "p50", Unit: "ms"}, {Key: "p999", Title: "p999", Unit: "ms"},
		{Key: "rate", Title: "requests", Unit: "/s"}, {Key: "cpu", Title: "server CPU per 100,000", Unit: "s"},
	}},
	{name: "nodes", about: "1,000,000 nodes of 100 bytes", members: 1, run: nodes, metrics: []table.Metric{
		{Key: "rss", Title: "resident, when they are made", Unit: "MB", Target: table.RatioAtMost(1.0 / 3)},
		{Key: "rss after", Title: "resident, after a restart", Unit: "MB", Target: table.RatioAtMost(1.0 / 3)},
		{Key: "start", Title: "start-up, to the first answer", Unit: "s", Target: table.RatioAtMost(1.0 / 6)},
		{Key: "stop", Title: "to stop", Unit: "s"},
		{Key: "rate", Title: "creates, 64 sessions with 16 requests each", Unit: "/s"},
	}},
	{name: "watch", about: "one change, 10,000 watchers", members: 1, run: watchers, metrics: []table.Metric{
		{Key: "all", Title: "until the last of them has its event", Unit: "ms", Target: table.RatioAtMost(1.0 / 2)},
		{Key: "cpu", Title: "server CPU", Unit: "ms"},
	}},
	{name: "open", about: "1,000 sessions opened at once", members: 1, run: open, metrics: []table.Metric{
		{Key: "all", Title: "until all are granted", Unit: "s", Target: table.RatioAtMost(1.0 / 5)},
		{Key: "cpu", Title: "server CPU", Unit: "ms"},
	}},
	{name: "idle", about: "10,000 idle sessions", members: 1, run: idle, metrics: []table.Metric{
		{Key: "rss", Title: "resident in all", Unit: "MB", Target: table.AtMost(150)},
		{Key: "each", Title: "resident for each", Unit: "KB"},
	}},
	{name: "failover", about: "three members, the leader killed", members: 3, run: failover, metrics: []table.Metric{
		{Key: "write", Title: "from kill -9 to the next write served", Unit: "s", Target: table.RatioAtMost(1.0 / 2)},
	}},
}

// one is a load of one session, which waits for the disk with every request.
func one(name, about string, req request) scenario {
	return scenario{name: name, about: about, members: 1, run: load1(req), metrics: []table.Metric{
		{Key: "rate", Title: "requests", Unit: "/s", Target: table.RatioAtLeast(1)},
		{Key: "share", Title: "of the fsyncs that the disk takes", Unit: "%", Target: table.AtLeast(80)},
		{Key: "floor", Title: "fsyncs of such records, nothing else running", Unit: "/s"},
		{Key: "cpu", Title: "server CPU per 100,000", Unit: "s"},
		{Key: "p50", Title: "p50", Unit: "ms"}, {Key: "p99", Title: "p99", Unit: "ms"},
	}}
}

// many is a load of 64 sessions.
func many(name, about string, req request, rate, cpu float64) scenario {
	return scenario{name: name, about: about, members: 1, run: load64(req), metrics: []table.Metric{
		{Key: "rate", Title: "requests", Unit: "/s", Target: table.RatioAtLeast(rate)},
		{Key: "cpu", Title: "server CPU per 100,000", Unit: "s", Target: table.RatioAtMost(cpu)},
		{Key: "load cpu", Title: "CPU of the load program per 100,000", Unit: "s"},
		{Key: "p50", Title: "p50", Unit: "ms"}, {Key: "p99", Title: "p99", Unit: "ms"},
	}}
}

// crowded is a load of 1,000 sessions.
func crowded(name, about string, req request) scenario {
	s := many(name, about, req, 1.5, 1.0/2)
	s.run = loadMany(req)
	return s
}

func names() []string {
	var out []string
	for _, s := range scenarios {
		out = append(out, s.name)
	}
	return out
}

// sections are what the table shows.
func sections() []table.Section {
	var out []table.Section
	for _, s := range scenarios {
		out = append(out, table.Section{Name: s.name, About: s.about, Metrics: s.metrics})
	}
	return out
}

func node(i int) string { return fmt.Sprintf("/load/n%04d", i) }
