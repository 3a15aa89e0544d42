package keeper_test

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gregor-mq/gregor/internal/env"
	"github.com/gregor-mq/gregor/internal/run"
	"github.com/gregor-mq/gregor/keeper"
	"github.com/gregor-mq/gregor/keeper/ensemble"
	"github.com/gregor-mq/gregor/test/port"
	"github.com/gregor-mq/gregor/zk"
)

// BenchmarkSets measures writes of 100 bytes with one outstanding per session,
// on the real disk.
func BenchmarkSets(b *testing.B) {
	for _, sessions := range []int{1, 64} {
		b.Run(fmt.Sprint(sessions), func(b *testing.B) {
			benchmark(b, sessions, &zk.SetDataRequest{Path: "/n", Data: make([]byte, 100), Version: -1})
		})
	}
}

// BenchmarkGets measures reads of 100 bytes with one outstanding per session.
func BenchmarkGets(b *testing.B) {
	for _, sessions := range []int{1, 64} {
		b.Run(fmt.Sprint(sessions), func(b *testing.B) {
			benchmark(b, sessions, &zk.GetDataRequest{Path: "/n"})
		})
	}
}

// BenchmarkEnsembleSets measures writes to three members on loopback, whose logs
// share a disk; the sessions are with all of them in turn.
func BenchmarkEnsembleSets(b *testing.B) {
	const members = 3
	cfgs := make([]keeper.Config, members)
	var servers []ensemble.Server
	for i := range cfgs {
		s := ensemble.Server{Number: uint64(i + 1), Host: "127.0.0.1"}
		for _, p := range []*int{&s.QuorumPort, &s.ElectionPort} {
			var err error
			if *p, err = port.Free(); err != nil {
				b.Fatal(err)
			}
		}
		servers = append(servers, s)
	}
	var ks []*keeper.Keeper
	for i := range cfgs {
		cfg := config(b.TempDir())
		cfg.TickTime = 2 * time.Second
		cfg.Member, cfg.Servers = uint64(i+1), servers
		ks = append(ks, start(b, cfg, env.Real()))
	}
	for _, k := range ks {
		eventually(b, "clients are served", func() bool { return strings.Contains(word(b, k, "srvr"), "Mode: ") })
	}
	const sessions = 64
	b.Run(fmt.Sprint(sessions), func(b *testing.B) {
		load(b, ks, sessions, &zk.SetDataRequest{Path: "/n", Data: make([]byte, 100), Version: -1})
	})
}

func benchmark(b *testing.B, sessions int, req zk.Request) {
	load(b, []*keeper.Keeper{start(b, config(b.TempDir()), env.Real())}, sessions, req)
}

// load sends a request again and again, over sessions with the members in turn.
func load(b *testing.B, ks []*keeper.Keeper, sessions int, req zk.Request) {
	first := client(b, ks[0])
	if h, _ := first.do(&zk.CreateRequest{Path: "/n", Data: make([]byte, 100), ACL: zk.OpenACL()}); h.Err != zk.OK && h.Err != zk.ErrNodeExists {
		b.Fatal(h.Err)
	}
	all := make([]*raw, sessions)
	for i := range all {
		all[i] = client(b, ks[i%len(ks)])
		if err := all[i].nc.SetDeadline(time.Time{}); err != nil {
			b.Fatal(err)
		}
	}
	frame := zk.AppendRequest(nil, 1, req)
	b.ReportAllocs()
	b.ResetTimer()
	g := run.NewGroup(b.Context())
	for i, r := range all {
		n := b.N / sessions
		if i < b.N%sessions {
			n++
		}
		g.Light(func() {
			var buf []byte
			for range n {
				if _, err := r.nc.Write(frame); err != nil {
					b.Error(err)
					return
				}
				var err error
				if buf, err = zk.ReadFrame(r.nc, buf, 1<<20); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	if err := g.Wait(); err != nil {
		b.Fatal(err)
	}
}

// residentMB is what the process holds.
func residentMB(t testing.TB) float64 {
	text, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Skip(err)
	}
	for l := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(l, "VmRSS:"); ok {
			kb, err := strconv.Atoi(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(rest), "kB")))
			if err != nil {
				t.Fatal(err)
			}
			return float64(kb) / 1024
		}
	}
	t.Fatal("no VmRSS")
	return 0
}

// BenchmarkMillionNodes reports the resident memory of a keeper, client
// included, with 1,000,000 nodes of 100 bytes; run it alone, with -benchtime 1x.
func BenchmarkMillionNodes(b *testing.B) {
	const nodes, parents, window = 1_000_000, 1000, 500
	for b.Loop() {
		cfg := config(b.TempDir())
		cfg.Listen = nil
		k, err := keeper.Start(b.Context(), cfg, env.Real(), quiet)
		if err != nil {
			b.Fatal(err)
		}
		c := pipeClient(b, k)
		if err := c.nc.SetDeadline(time.Time{}); err != nil {
			b.Fatal(err)
		}
		data := make([]byte, 100)
		begin := time.Now()
		answered := int32(0)
		wait := func(upTo int32) {
			for answered < upTo {
				answered++
				if h := c.reply(answered, &zk.CreateResponse{}); h.Err != zk.OK {
					b.Fatal(h.Err)
				}
			}
		}
		for i := range parents {
			c.post(create(fmt.Sprintf("/p%03d", i), zk.Persistent))
		}
		for i := range nodes {
			wait(c.xid - window)
			c.post(&zk.CreateRequest{Path: fmt.Sprintf("/p%03d/node-%06d", i%parents, i), Data: data, ACL: zk.OpenACL()})
		}
		wait(c.xid)
		b.ReportMetric(float64(nodes)/time.Since(begin).Seconds(), "creates/s")
		b.ReportMetric(residentMB(b), "resident-MB")
		stop(b, k)
	}
}
