package torture

import (
	"context"
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/gregor-mq/gregor/node"
	"github.com/gregor-mq/gregor/test/gregor"
	"github.com/gregor-mq/gregor/test/inside"
	"github.com/gregor-mq/gregor/wire"
	"github.com/gregor-mq/gregor/zk"
)

var (
	seedFlag  = flag.Uint64("seed", 1, "what the garbage is made from")
	countFlag = flag.Int("connections", 400, "how many connections to spoil")
)

// patience bounds every wait.
const patience = 20 * time.Second

func start(t testing.TB, m *inside.Machine) *node.Node {
	t.Helper()
	n, err := m.Start(context.WithoutCancel(t.Context()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := inside.Stop(n); err != nil {
			t.Error(err)
		}
	})
	return n
}

// framed puts a length in front.
func framed(body []byte) []byte {
	return append(binary.BigEndian.AppendUint32(nil, uint32(len(body))), body...)
}

func header(key wire.Key, version int16) []byte {
	client := "torturer"
	return wire.AppendRequestHeader(nil, wire.RequestHeader{Key: key, Version: version, CorrelationID: 7, ClientID: &client})
}

func noise(rng *rand.Rand, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(rng.Uint32())
	}
	return b
}

// spoiler makes the bytes of one bad connection.
type spoiler struct {
	name string
	make func(rng *rand.Rand) []byte
}

var kafkaSpoilers = []spoiler{
	{"a length above the limit", func(rng *rand.Rand) []byte {
		return append(binary.BigEndian.AppendUint32(nil, 101<<20+rng.Uint32N(1<<30)), noise(rng, rng.IntN(100))...)
	}},
	{"a negative length", func(rng *rand.Rand) []byte {
		return append(binary.BigEndian.AppendUint32(nil, 1<<31|rng.Uint32()), noise(rng, rng.IntN(100))...)
	}},
	{"the wrong protocol", func(*rand.Rand) []byte { return []byte("GET / HTTP/1.1\r\nHost: x\r\n\r\n") }},
	{"a cut length", func(rng *rand.Rand) []byte { return make([]byte, 1+rng.IntN(3)) }},
	{"a cut frame", func(rng *rand.Rand) []byte {
		whole := framed(append(header(wire.KeyMetadata, 9), noise(rng, 20+rng.IntN(3000))...))
		return whole[:5+rng.IntN(len(whole)-5)]
	}},
	{"a length that lies", func(rng *rand.Rand) []byte {
		return append(binary.BigEndian.AppendUint32(nil, 50<<20), noise(rng, rng.IntN(5000))...)
	}},
	{"a frame shorter than a header", func(rng *rand.Rand) []byte { return framed(noise(rng, rng.IntN(8))) }},
	{"a client id longer than the frame", func(*rand.Rand) []byte {
		return framed([]byte{0, 3, 0, 1, 0, 0, 0, 7, 0x7f, 0xff, 'x'})
	}},
	{"an unknown key", func(rng *rand.Rand) []byte { return framed(header(wire.Key(1000+rng.IntN(30000)), 0)) }},
	{"an unknown version", func(rng *rand.Rand) []byte { return framed(header(wire.KeyFetch, 100+int16(rng.IntN(1000)))) }},
	{"a body cut short", func(rng *rand.Rand) []byte {
		body, err := wire.Append(header(wire.KeyFetch, 12), wire.NewRequest(wire.KeyFetch), 12)
		if err != nil {
			panic(err)
		}
		return framed(body[:len(body)-1-rng.IntN(10)])
	}},
	{"an array longer than the frame", func(*rand.Rand) []byte {
		return framed(append(header(wire.KeyMetadata, 1), 0x7f, 0xff, 0xff, 0xff))
	}},
}

// hello opens a session, so that requests may follow.
func hello() []byte {
	return zk.AppendFrame(nil, &zk.ConnectRequest{Timeout: 10000, Password: make([]byte, 16)})
}

var keeperSpoilers = []spoiler{
	{"a length above jute.maxbuffer", func(rng *rand.Rand) []byte {
		return append(binary.BigEndian.AppendUint32(nil, 1<<21+rng.Uint32N(1<<23)), noise(rng, rng.IntN(100))...)
	}},
	{"a negative length", func(rng *rand.Rand) []byte {
		return append(binary.BigEndian.AppendUint32(nil, 1<<31|rng.Uint32()), noise(rng, rng.IntN(100))...)
	}},
	{"the wrong protocol", func(*rand.Rand) []byte { return []byte("GET / HTTP/1.1\r\nHost: x\r\n\r\n") }},
	{"a cut length", func(rng *rand.Rand) []byte { return make([]byte, 1+rng.IntN(3)) }},
	{"a cut connect request", func(rng *rand.Rand) []byte { return hello()[:5+rng.IntN(20)] }},
	{"a connect request that is none", func(rng *rand.Rand) []byte { return framed(noise(rng, rng.IntN(12))) }},
	{"a length that lies", func(rng *rand.Rand) []byte {
		return append(binary.BigEndian.AppendUint32(nil, 1<<20-1), noise(rng, rng.IntN(5000))...)
	}},
	{"a request shorter than a header", func(rng *rand.Rand) []byte { return append(hello(), framed(noise(rng, rng.IntN(8)))...) }},
	{"a request above jute.maxbuffer", func(rng *rand.Rand) []byte {
		return append(hello(), binary.BigEndian.AppendUint32(nil, 1<<21+rng.Uint32N(1<<23))...)
	}},
	{"a cut request", func(rng *rand.Rand) []byte {
		whole := zk.AppendRequest(nil, 1, &zk.ExistsRequest{Path: "/some/path/somewhere"})
		return append(hello(), whole[:1+rng.IntN(len(whole)-1)]...)
	}},
}

// TestBadFramesOnBothPorts spoils connections over real sockets.
func TestBadFramesOnBothPorts(t *testing.T) {
	m := inside.New(0, nil)
	m.Real = true
	n := start(t, m)
	rng := rand.New(rand.NewPCG(*seedFlag, 0))
	f := func(addr, line, peer string, spoilers []spoiler) {
		t.Helper()
		// What a first connection leaves for good is none of the others' fault.
		spoil(t, addr, []byte{0xff, 0xff, 0xff, 0xff})
		before := settle(t, 0)
		for i := range *countFlag {
			s := spoilers[i%len(spoilers)]
			m.Logs.Clear()
			local := spoil(t, addr, s.make(rng))
			mark := fmt.Sprintf("%s=%s ", peer, local)
			gregor.Eventually(t, patience, fmt.Sprintf("seed %d: %s: one log line", *seedFlag, s.name), func() error {
				if lines := m.Logs.With(line, mark); len(lines) != 1 {
					return fmt.Errorf("%d lines, of all these:\n%s", len(lines), strings.Join(m.Logs.With(), "\n"))
				}
				return nil
			})
			if all := m.Logs.With(); len(all) != 1 {
				t.Errorf("%s: more than one line:\n%s", s.name, strings.Join(all, "\n"))
			}
		}
		settle(t, before)
	}
	f(n.Listeners()[0].Addr.String(), "closing connection", "peer", kafkaSpoilers)
	f(n.KeeperAddrs()[0].String(), "connection closed", "remote", keeperSpoilers)
}

// spoil sends bytes and nothing more, and waits until the server has closed.
func spoil(t *testing.T, addr string, b []byte) (local net.Addr) {
	t.Helper()
	nc, err := net.DialTimeout("tcp", addr, patience)
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	if err := nc.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	if _, err := nc.Write(b); err != nil {
		t.Fatal(err)
	}
	// The server may have closed already, which is what is wanted.
	_ = nc.(*net.TCPConn).CloseWrite()
	if _, err := io.Copy(io.Discard, nc); errors.Is(err, context.DeadlineExceeded) || isTimeout(err) {
		t.Fatalf("the connection is still open after %v; sent % x", patience, b[:min(len(b), 64)])
	}
	return nc.LocalAddr()
}

func isTimeout(err error) bool {
	ne, ok := errors.AsType[net.Error](err)
	return ok && ne.Timeout()
}

// settle waits until no more goroutines run than before, and returns how many;
// with 0 it only counts.
func settle(t *testing.T, before int) int {
	t.Helper()
	if before > 0 {
		gregor.Eventually(t, patience, "goroutines of closed connections", func() error {
			if now := runtime.NumGoroutine(); now > before {
				return fmt.Errorf("%d goroutines, %d before", now, before)
			}
			return nil
		})
	}
	return runtime.NumGoroutine()
}

// heap returns the bytes in use after a collection. Two of them empty pools.
func heap() int64 {
	runtime.GC()
	runtime.GC()
	var s runtime.MemStats
	runtime.ReadMemStats(&s)
	return int64(s.HeapAlloc)
}

const (
	// amplification is how many bytes may be held for each that arrived.
	amplification = 16
	// floor is what a connection may hold for the first few bytes: the smallest
	// buffer of either server, and what the test itself needs to hold its end.
	floor = 2 << 10
)

// TestMemoryFollowsWhatArrives holds connections open whose lengths lie. The
// network in memory returns from a Write when the server has read all of it.
func TestMemoryFollowsWhatArrives(t *testing.T) {
	m := inside.New(0, nil)
	start(t, m)
	const conns = 200
	f := func(addr string, claim uint32, arrives int) {
		t.Helper()
		var open []net.Conn
		for range conns {
			nc, err := m.Net.Dial(t.Context(), "tcp", addr)
			if err != nil {
				t.Fatal(err)
			}
			if err := nc.SetDeadline(time.Now().Add(patience)); err != nil {
				t.Fatal(err)
			}
			// The first byte of the length: the connection is there.
			if _, err := nc.Write([]byte{byte(claim >> 24)}); err != nil {
				t.Fatal(err)
			}
			open = append(open, nc)
		}
		before := heap()
		body := make([]byte, 3+arrives)
		copy(body, binary.BigEndian.AppendUint32(nil, claim)[1:])
		for _, nc := range open {
			if _, err := nc.Write(body); err != nil {
				t.Fatal(err)
			}
		}
		held := (heap() - before) / conns
		if limit := int64(amplification*(4+arrives)) + floor; held > limit {
			t.Errorf("%s: %d bytes arrived of %d claimed: %d bytes held per connection, limit %d", addr, 4+arrives, claim, held, limit)
		}
		t.Logf("%s: %d bytes arrived of %d claimed: %d held per connection", addr, 4+arrives, claim, held)
		for _, nc := range open {
			if err := nc.Close(); err != nil {
				t.Fatal(err)
			}
		}
		gregor.Eventually(t, patience, "memory of closed connections", func() error {
			if left := (heap() - before) / conns; left > floor {
				return fmt.Errorf("%d bytes per connection are still held", left)
			}
			return nil
		})
	}
	for _, arrives := range []int{0, 1, 100, 300, 508, 600, 1020, 5000, 9000, 70_000, 200_000} {
		f(inside.Kafka, 90<<20, arrives)
		f(inside.ZooKeeper, 1<<20-1, arrives)
	}
}

// TestLiarsDoNotKeepOthersOut: what lengths claim together is more than all
// the memory for frames, and others are served all the same.
func TestLiarsDoNotKeepOthersOut(t *testing.T) {
	m := inside.New(0, nil)
	start(t, m)
	for range 50 {
		nc, err := m.Net.Dial(t.Context(), "tcp", inside.Kafka)
		if err != nil {
			t.Fatal(err)
		}
		defer nc.Close()
		// A server that waits for memory to hold the claim does not read.
		if err := nc.SetDeadline(time.Now().Add(patience)); err != nil {
			t.Fatal(err)
		}
		if _, err := nc.Write(append(binary.BigEndian.AppendUint32(nil, 99<<20), make([]byte, 1000)...)); err != nil {
			t.Fatal(err)
		}
	}
	ask(t, m)
}

// ask makes sure that the broker answers.
func ask(t testing.TB, m *inside.Machine) {
	t.Helper()
	nc, err := m.Net.Dial(t.Context(), "tcp", inside.Kafka)
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	if err := nc.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	if _, err := nc.Write(framed(header(wire.KeyApiVersions, 0))); err != nil {
		t.Fatal(err)
	}
	var size [4]byte
	if _, err := io.ReadFull(nc, size[:]); err != nil {
		t.Fatalf("the broker does not answer: %v", err)
	}
}
