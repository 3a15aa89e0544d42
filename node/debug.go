package node

import (
	"context"
	"net/http"
	"net/http/pprof"
)

// serveProfiles serves Go's profiles when gregor.debug.pprof.address is set.
func (n *Node) serveProfiles(ctx context.Context) error {
	mux := http.NewServeMux()
	mux.HandleFunc("/debug/pprof/", pprof.Index)
	mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("/debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
	return n.serveHTTP(ctx, "gregor.debug.pprof.address", mux)
}
