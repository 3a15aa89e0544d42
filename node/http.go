package node

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"
)

// httpHeaderTimeout bounds how long a client of what is served over HTTP may
// take to ask.
const httpHeaderTimeout = 10 * time.Second

// serveHTTP serves over HTTP on the address that a property names; unset is
// nowhere.
func (n *Node) serveHTTP(ctx context.Context, property string, handler http.Handler) error {
	b := n.settings.Broker()
	if !b.Has(property) {
		return nil
	}
	ln, err := n.env.Net.Listen(ctx, "tcp", b.Text(property))
	if err != nil {
		return fmt.Errorf("%s=%s: %w", property, b.Text(property), err)
	}
	srv := &http.Server{Handler: handler, ReadHeaderTimeout: httpHeaderTimeout}
	n.group.Go(property, func(context.Context) error {
		if err := srv.Serve(ln); !errors.Is(err, http.ErrServerClosed) {
			return err
		}
		return nil
	})
	n.group.Go(property+"-end", func(ctx context.Context) error {
		<-ctx.Done()
		return srv.Close()
	})
	return nil
}
