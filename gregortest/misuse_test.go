package gregortest_test

import (
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/gregor-mq/gregor/gregortest"
)

// witness is a test that fails for what it is about.
type witness struct {
	testing.TB
	said strings.Builder
}

func (w *witness) Errorf(format string, args ...any) { fmt.Fprintf(&w.said, format+"\n", args...) }

func (w *witness) Fatalf(format string, args ...any) {
	w.Errorf(format, args...)
	runtime.Goexit()
}

// saying returns what f made a test say.
func saying(t *testing.T, f func(testing.TB)) string {
	t.Helper()
	w := &witness{TB: t}
	done := make(chan struct{})
	go func() {
		defer close(done)
		f(w)
	}()
	<-done
	return w.said.String()
}

func TestMisuseIsTold(t *testing.T) {
	for want, f := range map[string]func(testing.TB){
		"Brokers(0): want 1 or more":                    func(t testing.TB) { gregortest.Start(t, gregortest.Brokers(0)) },
		"Broker(1): the cluster has brokers 0 to 0":     func(t testing.TB) { gregortest.Start(t).Broker(1) },
		"property min.insyc.replicas: Kafka knows none": func(t testing.TB) { gregortest.Start(t, gregortest.Property("min.insyc.replicas", "2")) },
		"pause broker 0: it does not run":               func(t testing.TB) { b := gregortest.Start(t).Broker(0); b.Kill(); b.Pause(); b.Restart() },
	} {
		if got := saying(t, f); !strings.Contains(got, want) {
			t.Errorf("said %q, want %q", got, want)
		}
	}
}
