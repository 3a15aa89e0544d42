package keeper_test

import (
	"context"
	"net"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/gregor-mq/gregor/internal/env"
)

// shortOfFiles is a network whose listeners fail some times before they accept.
type shortOfFiles struct {
	env.Net
	left atomic.Int64
}

type shortListener struct {
	net.Listener
	n *shortOfFiles
}

func (n *shortOfFiles) Listen(ctx context.Context, network, address string) (net.Listener, error) {
	l, err := n.Net.Listen(ctx, network, address)
	return shortListener{l, n}, err
}

func (l shortListener) Accept() (net.Conn, error) {
	if l.n.left.Add(-1) >= 0 {
		return nil, &net.OpError{Op: "accept", Err: syscall.EMFILE}
	}
	return l.Listener.Accept()
}

func TestTooManyOpenFilesDoNotEndTheKeeper(t *testing.T) {
	e := env.Real()
	n := &shortOfFiles{Net: e.Net}
	n.left.Store(3)
	e.Net = n
	k := start(t, config(t.TempDir()), e)
	if got := word(t, k, "ruok"); got != "imok" {
		t.Fatalf("ruok = %q", got)
	}
	if err := k.Err(); err != nil {
		t.Fatal(err)
	}
}
