package keeper

import (
	"os"
	"strings"
	"testing"

	"github.com/gregor-mq/gregor/internal/env"
	"github.com/gregor-mq/gregor/zk"
)

func TestMetricsAreDocumented(t *testing.T) {
	text, err := os.ReadFile("../docs/keeper-metrics.md")
	if err != nil {
		t.Fatal(err)
	}
	k := &Keeper{measures: newMeasures(), env: env.Real()}
	var g gaugeList
	k.memberGauges(&g, &role{roleKey: roleKey{leading: true}})
	for _, v := range g.list {
		if !strings.Contains(string(text), "| `"+v.Name+"` | gauge | "+v.Help+" |\n") {
			t.Errorf("docs/keeper-metrics.md has no line of %s: %s", v.Name, v.Help)
		}
	}
	for _, v := range k.measures.set.Values() {
		name, summary := strings.CutPrefix(v.Name, "cnt_")
		if _, part, _ := strings.Cut(v.Name, "_"); !summary && strings.Contains(string(text), "| `"+part+"` | summary |") {
			continue
		}
		if !strings.Contains(string(text), "| `"+name+"` | ") {
			t.Errorf("docs/keeper-metrics.md has no line of %s", name)
		}
	}
}

func TestElectionsAreCounted(t *testing.T) {
	m := newMeasures()
	value := func(name string) any {
		for _, v := range m.set.Values() {
			if v.Name == name {
				return v.Number
			}
		}
		return nil
	}
	none := &role{at: 5, lost: 5}
	m.elected(nil, none)
	m.elected(none, &role{at: 9, lost: 5})
	one := &role{roleKey: roleKey{leader: 1}, at: 25, lost: 5}
	m.elected(none, one)
	m.elected(one, one)
	m.elected(one, &role{at: 30, lost: 30})
	if value("looking_count") != int64(2) || value("cnt_election_time") != int64(1) || value("max_election_time") != int64(20) {
		t.Errorf("looked %v times, %v elections, the longest %v ms", value("looking_count"), value("cnt_election_time"), value("max_election_time"))
	}
	m.told(zk.EventCreated, 0)
	m.told(zk.EventCreated, 3)
	if value("cnt_node_created_watch_count") != int64(1) || value("sum_node_created_watch_count") != int64(3) {
		t.Error("an event that nobody watched was counted")
	}
}
