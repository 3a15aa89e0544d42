//go:build interop

package cluster

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/gregor-mq/gregor/interop/peer"
	"github.com/gregor-mq/gregor/test/check"
	"github.com/gregor-mq/gregor/wire"
)

// heard is one request as Apache's request log tells it.
type heard struct {
	RequestHeader struct {
		RequestAPIKey     int    `json:"requestApiKey"`
		RequestAPIVersion int    `json:"requestApiVersion"`
		RequestAPIKeyName string `json:"requestApiKeyName"`
		ClientID          string `json:"clientId"`
	} `json:"requestHeader"`
	Request map[string]any `json:"request"`
}

// from returns the requests whose client is a broker: its control channels are
// named by its id, its fetchers too, among other words.
func from(t *testing.T, log string, sender *peer.Broker) []heard {
	t.Helper()
	var out []heard
	for line := range strings.Lines(log) {
		_, rest, ok := strings.Cut(line, "Completed request:")
		if !ok {
			continue
		}
		var h heard
		if err := json.NewDecoder(strings.NewReader(rest)).Decode(&h); err != nil {
			if strings.HasSuffix(line, "\n") {
				t.Fatalf("%v in %s", err, line)
			}
			continue // still being written
		}
		switch h.RequestHeader.ClientID {
		case fmt.Sprint(sender.ID), fmt.Sprintf("broker-%d-fetcher-0", sender.ID):
			out = append(out, h)
		}
	}
	return out
}

// spoken are the APIs of the requests in their versions, and the fields of each.
func spoken(requests []heard) map[string][]string {
	fields := map[string]map[string]bool{}
	for _, h := range requests {
		api := fmt.Sprintf("%s v%d", h.RequestHeader.RequestAPIKeyName, h.RequestHeader.RequestAPIVersion)
		if fields[api] == nil {
			fields[api] = map[string]bool{}
		}
		names(h.Request, "", fields[api])
	}
	out := map[string][]string{}
	for api, f := range fields {
		out[api] = slices.Sorted(maps.Keys(f))
	}
	return out
}

// names collects the paths of all fields of a request.
func names(v any, path string, into map[string]bool) {
	switch v := v.(type) {
	case map[string]any:
		for k, e := range v {
			into[path+k] = true
			names(e, path+k+".", into)
		}
	case []any:
		for _, e := range v {
			names(e, path, into)
		}
	}
}

// TestVersions lets a gregor and an Apache broker be controller, leader and
// follower over against the same Apache broker: by what that one hears from
// them, they cannot be told apart.
func TestVersions(t *testing.T) {
	c := clients(t, peer.StartCluster(t, peer.ClusterOptions{Brokers: []peer.Kind{gregor, apache, apache}, Keeper: gregor, Requests: true}))
	listener, senders := c.Brokers[1], []*peer.Broker{c.Brokers[0], c.Brokers[2]}
	c.createTopic(t, steady, rotated(3, all...))
	for i, s := range senders {
		c.elect(t, s)
		c.controls(t, fmt.Sprint("controlled-", i))
	}
	c.elect(t, listener)
	other := map[*peer.Broker]*peer.Broker{senders[0]: senders[1], senders[1]: senders[0]}
	for _, s := range senders {
		c.initProducer(t, s) // takes a block from the controller
		// The other one leaves the ISR of what s leads, and comes back to it.
		other[s].Kill(t)
		c.registered(t, other[s], false)
		other[s].Start(c.scope)
		c.inSync(t, steady)
		c.electLeaders(t, preferred, steady, all...) // for the next one to lead again
	}
	for _, s := range senders {
		s.Stop(t) // asks the controller to move its leaders
		c.registered(t, s, false)
		s.Start(c.scope)
		c.inSync(t, steady)
	}
	log := listener.Stdout()
	var heardOf [2]map[string][]string
	for i, s := range senders {
		requests := from(t, log, s)
		heardOf[i] = spoken(requests)
		sessions(t, s, requests)
	}
	for _, api := range []string{"LEADER_AND_ISR v7", "UPDATE_METADATA v8", "STOP_REPLICA v4", "CONTROLLED_SHUTDOWN v3", "ALTER_PARTITION v3", "FETCH v17", "ALLOCATE_PRODUCER_IDS v0"} {
		for i, s := range senders {
			if heardOf[i][api] == nil {
				t.Errorf("broker %d never sent %s", s.ID, api)
			}
		}
	}
	for api, want := range heardOf[1] {
		got := heardOf[0][api]
		if strings.HasPrefix(api, "FETCH ") {
			got, want = sometimes(got, want)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s has the fields\n%v from gregor,\n%v from Apache", api, got, want)
		}
	}
	for api := range heardOf[0] {
		if heardOf[1][api] == nil {
			t.Errorf("only gregor sends %s", api)
		}
	}
}

// sometimes drops what lies inside the partitions that a session is to forget where
// only one of two fetchers had any: a follower that the controller moves between two
// fetches has, one that it moves before the session begins has none.
func sometimes(a, b []string) (x, y []string) {
	const path = "forgottenTopicsData."
	inside := func(field string) bool { return strings.HasPrefix(field, path) }
	if slices.ContainsFunc(a, inside) == slices.ContainsFunc(b, inside) {
		return a, b
	}
	return slices.DeleteFunc(slices.Clone(a), inside), slices.DeleteFunc(slices.Clone(b), inside)
}

// controls gives a controller something to say.
func (c *cluster) controls(t *testing.T, topic string) {
	t.Helper()
	c.createTopic(t, topic, rotated(3, all...))
	to := map[int32][]int32{0: {0, 2}, 1: {2, 0}, 2: {0, 2, 1}}
	peer.Eventually(t, patience, func() error { return c.reassign(topic, to) })
	c.assigned(t, topic, to)
	for p := range int32(3) {
		part := check.Partition{Topic: topic, Index: p}
		leader := c.Brokers[c.mustStates(t, topic)[p].Leader]
		peer.Eventually(t, patience, func() error { return put(leader, part, -1, []byte("x")) })
	}
	c.deleteTopic(t, topic)
	c.deleted(t, topic, 3)
}

// sessions checks that a follower's fetches go on in sessions and name only
// what changed.
func sessions(t *testing.T, s *peer.Broker, requests []heard) {
	t.Helper()
	in, lean := 0, 0
	for _, h := range requests {
		if h.RequestHeader.RequestAPIKey != int(wire.KeyFetch) {
			continue
		}
		id, _ := h.Request["sessionId"].(float64)
		epoch, _ := h.Request["sessionEpoch"].(float64)
		topics, _ := h.Request["topics"].([]any)
		if id != 0 && epoch > 1 {
			in++
			if len(topics) == 0 {
				lean++
			}
		}
	}
	if in == 0 || lean == 0 {
		t.Errorf("broker %d: %d fetches of sessions, %d that name nothing", s.ID, in, lean)
	}
}
