//go:build interop

package clients

import (
	_ "embed"
	"strings"
	"testing"

	"github.com/gregor-mq/gregor/interop/peer"
)

//go:embed testdata/kafka_python.py
var kafkaPython string

//go:embed testdata/confluent.py
var confluent string

//go:embed testdata/kazoo_walk.py
var kazooWalk string

// python runs a script whose assertions are its own; it ends by printing "all
// is well", so that one that stops early cannot pass.
func python(t *testing.T, script string, args ...string) {
	t.Helper()
	out, errs, exit := peer.Python(t, script, args...)
	if exit != 0 || !strings.HasSuffix(strings.TrimSpace(out), "all is well") {
		t.Fatalf("exit %d\n%s\n%s", exit, out, errs)
	}
}

func TestKafkaPython(t *testing.T) {
	t.Parallel()
	python(t, kafkaPython, broker(t).Addr, name(t, "t"))
}

func TestConfluent(t *testing.T) {
	t.Parallel()
	python(t, confluent, broker(t).Addr, name(t, "t"))
}

func TestKazoo(t *testing.T) {
	t.Parallel()
	python(t, kazooWalk, keeper(t).Addr, "/"+name(t, "kazoo"))
}
