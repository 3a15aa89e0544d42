package peer

import (
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/gregor-mq/gregor/internal/env"
	"github.com/gregor-mq/gregor/internal/run"
)

// counter is an owner that counts what it receives.
type counter struct {
	*owner
	got  atomic.Int64
	want int64
	all  chan struct{}
	more chan struct{} // a hint
}

func (c *counter) Receive(uint64, Hello, byte, []byte) {
	if c.got.Add(1) == c.want {
		close(c.all)
	}
	run.Hint(c.more)
}

// BenchmarkSend sends messages of one member to another over loopback, as fast
// as they are taken: at most 8 MiB wait.
func BenchmarkSend(b *testing.B) {
	for _, size := range []int{100, 1 << 10, 64 << 10, 1 << 20} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			cfg := Config{Listen: "127.0.0.1:0"}
			to := &counter{owner: person(2, 20), want: int64(b.N), all: make(chan struct{}), more: make(chan struct{}, 1)}
			receiver := beginAs(b, env.Real(), cfg, to.owner, to)
			sender := begin(b, env.Real(), cfg, person(1, 10))
			sender.SetMembers(map[uint64]string{2: receiver.Addr().String()})
			sender.o.await("up 2")
			payload := make([]byte, size)
			window := int64(8 << 20 / size)
			b.SetBytes(int64(size))
			b.ReportAllocs()
			b.ResetTimer()
			for i := range int64(b.N) {
				for i-to.got.Load() > window {
					<-to.more
				}
				if !sender.Send(2, 'm', payload) {
					b.Fatal("not sent")
				}
			}
			<-to.all
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "messages/s")
		})
	}
}

// BenchmarkRoundTrip sends one small message there and one back.
func BenchmarkRoundTrip(b *testing.B) {
	cfg := Config{Listen: "127.0.0.1:0"}
	one, two := &echo{owner: person(1, 10), back: make(chan struct{}, 1)}, &echo{owner: person(2, 20)}
	first, second := beginAs(b, env.Real(), cfg, one.owner, one), beginAs(b, env.Real(), cfg, two.owner, two)
	two.p = second.Peers
	first.SetMembers(map[uint64]string{2: second.Addr().String()})
	second.SetMembers(map[uint64]string{1: first.Addr().String()})
	one.await("up 2")
	two.await("up 1")
	b.ReportAllocs()
	for b.Loop() {
		first.Send(2, 'm', nil)
		<-one.back
	}
}

// echo sends back what it receives, or says that it has come back.
type echo struct {
	*owner
	p    *Peers
	back chan struct{}
}

func (e *echo) Receive(member uint64, _ Hello, kind byte, payload []byte) {
	if e.back != nil {
		e.back <- struct{}{}
		return
	}
	e.p.Send(member, kind, payload)
}
