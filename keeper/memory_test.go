package keeper_test

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/gregor-mq/gregor/internal/env"
	"github.com/gregor-mq/gregor/keeper"
	"github.com/gregor-mq/gregor/zk"
)

const allSmall, allLarge = 64 << 20, 1 << 20

// narrow is a keeper with little memory for large requests.
func narrow(t *testing.T) *keeper.Keeper {
	cfg := config(t.TempDir())
	cfg.RequestMemory = allLarge
	return start(t, cfg, env.Real())
}

func large(path string, size int) *zk.CreateRequest {
	r := create(path, zk.Persistent)
	r.Data = make([]byte, size)
	return r
}

// exhaust takes the memory for large requests: by clients that send most of one
// and then nothing.
func exhaust(t *testing.T, k *keeper.Keeper) (holders []*raw) {
	t.Helper()
	frame := zk.AppendRequest(nil, 1, large("/never", 500<<10))
	for range 2 {
		r := client(t, k)
		r.send(frame[:450<<10])
		holders = append(holders, r)
	}
	eventually(t, "the memory is taken", func() bool { _, free := k.FreeMemory(); return free < 100<<10 })
	return holders
}

func allIsBack(t *testing.T, k *keeper.Keeper) {
	t.Helper()
	eventually(t, "all memory is given back", func() bool {
		small, large := k.FreeMemory()
		return small == allSmall && large == allLarge
	})
}

// TestLargeRequestsWaitForMemory: beyond the bound clients wait, but not those
// with small requests, nor the embedded broker.
func TestLargeRequestsWaitForMemory(t *testing.T) {
	k := narrow(t)
	holders := exhaust(t, k)
	late := client(t, k)
	late.must(create("/before", zk.Persistent))
	xid := late.post(large("/late", 150<<10))
	eventually(t, "the late request waits", func() bool { return k.Blocked() == 1 })
	other := client(t, k)
	other.must(create("/small", zk.Persistent))
	other.fails(&zk.GetDataRequest{Path: "/late"}, zk.ErrNoNode)
	pipeClient(t, k).must(large("/broker", 900<<10))
	if k.Blocked() != 1 {
		t.Fatal("the late request does not wait any more")
	}
	_ = holders[0].nc.Close() // gone in the middle of its request
	if h := late.reply(xid, &zk.CreateResponse{}); h.Err != zk.OK {
		t.Fatal(h.Err)
	}
	_ = holders[1].nc.Close()
	allIsBack(t, k)
}

// TestWhoWaitsForMemoryStaysAlive: the pings of a client that waits are not
// read, which is no fault of it.
func TestWhoWaitsForMemoryStaysAlive(t *testing.T) {
	k := narrow(t)
	holders := exhaust(t, k)
	brief := int32(2 * 100) // two ticks, in ms
	late := dial(t, k).hello(zk.ConnectRequest{Timeout: brief})
	xid := late.post(large("/late", 150<<10))
	eventually(t, "the late request waits", func() bool { return k.Blocked() == 1 })
	for range 2 { // a session of the same length, which begins now, ends meanwhile
		dial(t, k).hello(zk.ConnectRequest{Timeout: brief}).closed()
	}
	for _, h := range holders {
		_ = h.nc.Close()
	}
	if h := late.reply(xid, &zk.CreateResponse{}); h.Err != zk.OK {
		t.Fatal(h.Err)
	}
}

// TestWhoWaitsForMemoryMayGo: a connection that ends takes its place in the row
// with it.
func TestWhoWaitsForMemoryMayGo(t *testing.T) {
	k := narrow(t)
	holders := exhaust(t, k)
	late := client(t, k)
	late.post(large("/late", 150<<10))
	eventually(t, "the late request waits", func() bool { return k.Blocked() == 1 })
	again := late.again(k) // closes the old connection
	eventually(t, "nobody waits", func() bool { return k.Blocked() == 0 })
	for _, h := range holders {
		_ = h.nc.Close()
	}
	again.must(large("/again", 150<<10))
	allIsBack(t, k)
}

// TestMemoryComesBack has clients that are quick, slow and gone in the middle.
func TestMemoryComesBack(t *testing.T) {
	k := narrow(t)
	var wg sync.WaitGroup
	for i := range 24 {
		wg.Go(func() {
			rnd := rand.New(rand.NewPCG(uint64(i), 1))
			r := client(t, k)
			for n := range 30 {
				size := rnd.IntN(2000)
				if rnd.IntN(4) == 0 {
					size = rnd.IntN(400 << 10)
				}
				r.post(large(fmt.Sprintf("/%d-%d", i, n), size))
				r.post(&zk.ExistsRequest{Path: "/none"}) // waits behind it
				if i%3 == 0 && n > 20 && rnd.IntN(5) == 0 {
					_ = r.nc.Close()
					return
				}
			}
			for range 30 {
				_ = r.frame()
				_ = r.frame()
			}
			if i%3 == 1 {
				r.must(zk.CloseRequest{})
			}
		})
	}
	wg.Wait()
	allIsBack(t, k)
	client(t, k).must(large("/after", 900<<10))
}

// A client that sends its large request slowly gets its answer.
func TestSlowLargeRequests(t *testing.T) {
	k := narrow(t)
	var wg sync.WaitGroup
	for i := range 6 { // together three times what there is
		wg.Go(func() {
			r := client(t, k)
			frame := zk.AppendRequest(nil, 1, large(fmt.Sprint("/slow", i), 500<<10))
			for at := 0; at < len(frame); at += 50 << 10 {
				r.send(frame[at:min(at+50<<10, len(frame))])
			}
			if h := r.reply(1, &zk.CreateResponse{}); h.Err != zk.OK {
				t.Error(h.Err)
			}
			_ = r.nc.Close()
		})
	}
	wg.Wait()
	allIsBack(t, k)
}

// Requests whose session has moved on are dropped, with what they took.
func TestMemoryOfDroppedRequestsComesBack(t *testing.T) {
	k := narrow(t)
	for round := range 20 {
		r := client(t, k)
		for n := range 50 {
			r.post(create(fmt.Sprintf("/%d-%d", round, n), zk.Persistent))
		}
		r.again(k).must(zk.CloseRequest{})
	}
	allIsBack(t, k)
}
