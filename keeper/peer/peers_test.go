package peer

import (
	"fmt"
	"testing"

	"github.com/gregor-mq/gregor/internal/env"
)

func TestMessagesArriveInOrder(t *testing.T) {
	each(t, func(t *testing.T, e env.Env, cfg Config) {
		a, b := begin(t, e, cfg, person(1, 10)), begin(t, e, cfg, person(2, 20))
		if a.Send(2, 'x', nil) {
			t.Error("sent to somebody who is not up")
		}
		a.SetMembers(map[uint64]string{2: b.Addr().String()})
		want(t, a.o.await("up 2"), "up 2 boot 20 I am 2")
		const n = 1000
		for i := range n {
			if !a.Send(2, 'm', fmt.Appendf(nil, "%d", i)) {
				t.Fatalf("message %d not sent", i)
			}
		}
		got := b.o.await(fmt.Sprintf("from 1 boot 10: m %d", n-1))
		for i, line := range got {
			if line != fmt.Sprintf("from 1 boot 10: m %d", i) {
				t.Fatalf("line %d is %q", i, line)
			}
		}
		a.stop()
		want(t, a.o.await("down"), "down 2: stopped")
		want(t, b.o.await("lost"), "lost 1 boot 10: gone")
	})
}
