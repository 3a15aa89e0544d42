package node

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/pprof"
	"time"
)

// debugHeaderTimeout bounds how long a client of the profiles may take to ask.
const debugHeaderTimeout = 10 * time.Second

// serveProfiles serves Go's profiles when gregor.debug.pprof.address is set.
func (n *Node) serveProfiles(ctx context.Context) error {
	b := n.settings.Broker()
	const name = "gregor.debug.pprof.address"
	if !b.Has(name) {
		return nil
	}
	ln, err := n.env.Net.Listen(ctx, "tcp", b.Text(name))
	if err != nil {
		return fmt.Errorf("%s=%s: %w", name, b.Text(name), err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/debug/pprof/", pprof.Index)
	mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("/debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
	srv := &http.Server{Handler: mux, ReadHeaderTimeout: debugHeaderTimeout}
	n.group.Go("profiles", func(context.Context) error {
		if err := srv.Serve(ln); !errors.Is(err, http.ErrServerClosed) {
			return err
		}
		return nil
	})
	n.group.Go("profiles-end", func(ctx context.Context) error {
		<-ctx.Done()
		return srv.Close()
	})
	return nil
}
