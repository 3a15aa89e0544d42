package keeper_test

import (
	"net"
	"strings"
	"testing"
	"time"

	"github.com/gregor-mq/gregor/internal/env"
	"github.com/gregor-mq/gregor/keeper"
	"github.com/gregor-mq/gregor/zk"
)

// TestAPeerThatTakesNothingIsLetGo fills the window of a client that reads
// nothing any more. Its session expires, and its connection goes with it.
func TestAPeerThatTakesNothingIsLetGo(t *testing.T) {
	k := start(t, config(t.TempDir()), env.Real())
	for name, open := range map[string]func() net.Conn{
		"network": func() net.Conn { return dial(t, k).nc },
		"pipe": func() net.Conn {
			nc, err := k.Pipe(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			return nc
		},
	} {
		t.Run(name, func(t *testing.T) { takesNothing(t, k, wrap(t, open()), "/large-"+name) })
	}
}

func takesNothing(t *testing.T, k *keeper.Keeper, r *raw, path string) {
	r.hello(zk.ConnectRequest{Timeout: int32(200 * time.Millisecond / time.Millisecond)})
	large := create(path, zk.Ephemeral)
	large.Data = make([]byte, 900<<10)
	r.must(large)
	for range 40 { // more than sockets hold, less than a client may leave
		r.post(&zk.GetDataRequest{Path: path})
	}
	eventually(t, "the keeper forgets the connection", func() bool {
		return strings.Contains(word(t, k, "mntr"), "zk_num_alive_connections\t1\n")
	})
}
