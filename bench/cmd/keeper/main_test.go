package main

import (
	"slices"
	"strings"
	"testing"

	"github.com/gregor-mq/gregor/bench/load"
	"github.com/gregor-mq/gregor/bench/table"
	"github.com/gregor-mq/gregor/zk"
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
	if o := f("", ""); o.runs != 5 || !slices.Equal(o.only, names()) || len(o.against) != 2 || o.sizes != full || o.caveat != "" {
		t.Errorf("%+v", o)
	}
	if o := f("-short -only start,watch -servers apache", ""); o.runs != 1 || !slices.Equal(o.only, []string{"start", "watch"}) ||
		o.against[0] != table.Apache || o.sizes != tiny || o.caveat == "" {
		t.Errorf("%+v", o)
	}
	f("-only nothing", `no scenario "nothing"`)
	f("-servers etcd", `no server "etcd"`)
	f("-runs 0", "at least 1")
}

func TestEveryScenarioIsDistinct(t *testing.T) {
	seen := map[string]bool{}
	for _, s := range scenarios {
		if seen[s.name] || s.run == nil || s.about == "" || s.members < 1 {
			t.Errorf("scenario %q", s.name)
		}
		seen[s.name] = true
		keys := map[string]bool{}
		for _, m := range s.metrics {
			if keys[m.Key] {
				t.Errorf("scenario %q has %q twice", s.name, m.Key)
			}
			keys[m.Key] = true
		}
	}
}

// What is patched into a frame is what encoding it anew would give.
func TestFrames(t *testing.T) {
	data := make([]byte, dataSize)
	f := func(what string, frame []byte, seq int, want zk.Request) {
		t.Helper()
		if plain := zk.AppendRequest([]byte("before"), load.XID(seq), want); string(frame) != string(plain) {
			t.Errorf("%s\ngot  %q\nwant %q", what, frame, plain)
		}
	}
	before := func() []byte { return []byte("before") }
	sets, gets, creates, mixed, watches := set(3), get(3), create(3), mix(3), watch(3)
	for _, seq := range []int{0, 7, 12_345_678} {
		f("set", sets(before(), 2, seq), seq, &zk.SetDataRequest{Path: "/load/n0002", Data: data, Version: -1})
		f("get", gets(before(), 1, seq), seq, &zk.GetDataRequest{Path: "/load/n0001"})
		f("watch", watches(before(), 1, seq), seq, &zk.GetDataRequest{Path: "/load/n0000", Watch: true})
	}
	f("create", creates(before(), 1, 0), 0, &zk.CreateRequest{Path: "/load/n0001/00000000", Data: data, ACL: zk.OpenACL()})
	f("create", creates(before(), 0, 90210), 90210, &zk.CreateRequest{Path: "/load/n0000/00090210", Data: data, ACL: zk.OpenACL()})
	count := 0
	for seq := range 1000 {
		h, _, err := zk.DecodeRequest(mixed(nil, 1, seq)[zk.LengthSize:])
		if err != nil || h.Xid != load.XID(seq) {
			t.Fatalf("request %d: %+v, %v", seq, h, err)
		}
		if h.Op == zk.OpSetData {
			count++
		}
	}
	if count != 100 {
		t.Errorf("%d of 1000 are sets", count)
	}
}
