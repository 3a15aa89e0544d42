package keeper

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/gregor-mq/gregor/keeper/admin"
	"github.com/gregor-mq/gregor/keeper/metrics"
	"github.com/gregor-mq/gregor/keeper/secure"
)

// Operate is by what a running keeper is looked at and looked after. The zero
// value has none of it but the four-letter words. Names in comments are those of
// zoo.cfg.
type Operate struct {
	Admin      Admin
	Prometheus Prometheus
	Audit      Audit
	// Source are the lines of zoo.cfg, which the command initial_configuration
	// shows, without passwords.
	Source string
}

// Admin is the server for commands over HTTP.
type Admin struct {
	// Listen is host:port (admin.serverAddress, admin.serverPort); empty for none.
	Listen string
	// Lenient starts the keeper also when that port is taken: nobody asked for it.
	Lenient bool
	// URL is the path of commands (admin.commandURL, /commands).
	URL string
	// IdleTimeout is how long a connection may be idle (admin.idleTimeout, 30 s).
	IdleTimeout time.Duration
	// UnifyTLS lets clients speak TLS (admin.portUnification), ForceTLS makes them
	// (admin.forceHttps), with the members' certificates (ssl.quorum.*).
	// NeedClientAuth wants certificates of them too (admin.needClientAuth).
	UnifyTLS, ForceTLS, NeedClientAuth bool
	// NoSnapshot and NoRestore turn those commands off (admin.snapshot.enabled,
	// admin.restore.enabled).
	NoSnapshot, NoRestore bool
	// Interval is how often they may be given (admin.rateLimiterIntervalInMS, 5
	// min); 0 for as often as one likes.
	Interval time.Duration
}

func (a *Admin) tls() bool { return a.UnifyTLS || a.ForceTLS }

// Prometheus is the server for metrics.
type Prometheus struct {
	// Listen is host:port (metricsProvider.httpHost, metricsProvider.httpPort);
	// empty for none.
	Listen string
	// NoRuntime leaves out those of the process (metricsProvider.exportJvmInfo).
	NoRuntime bool
}

// check names every value that cannot be used.
func (o *Operate) check(s *Security) error {
	if !o.Admin.tls() || s.protectsMembers() {
		return nil // checked with the members'
	}
	return s.Members.Check("ssl.quorum.")
}

// site is a server over HTTP.
type site struct {
	name   string
	ln     net.Listener
	server *http.Server
}

const (
	// httpHeaderTimeout bounds how long a client over HTTP may take to ask.
	httpHeaderTimeout = 10 * time.Second
	defaultCommandURL = "/commands"
)

// bindSites opens the ports for commands and metrics.
func (k *Keeper) bindSites(ctx context.Context) error {
	o := &k.cfg.Operate
	if o.Prometheus.Listen != "" {
		mux := http.NewServeMux()
		mux.Handle("/metrics", metrics.Handler(&k.measures.set, k.gauges, !o.Prometheus.NoRuntime))
		if err := k.bindSite(ctx, "metrics", o.Prometheus.Listen, &http.Server{Handler: mux}); err != nil {
			return err
		}
	}
	if o.Admin.Listen == "" {
		return nil
	}
	handler := admin.Handler(admin.Config{
		URL: cmp.Or(o.Admin.URL, defaultCommandURL), Commands: k.commands(), Serves: k.serves, Authorize: k.authorize, Log: k.log,
	})
	err := k.bindSite(ctx, "admin", o.Admin.Listen, &http.Server{
		Handler: handler, IdleTimeout: cmp.Or(o.Admin.IdleTimeout, 30*time.Second),
		ConnContext: func(ctx context.Context, c net.Conn) context.Context {
			return context.WithValue(ctx, admin.ConnKey{}, c)
		},
	})
	if err != nil && o.Admin.Lenient {
		k.log.Warn("commands are not served over HTTP; admin.serverPort names another port, admin.enableServer=false none", "error", err)
		return nil
	}
	return err
}

func (k *Keeper) bindSite(ctx context.Context, name, addr string, server *http.Server) error {
	ln, err := k.env.Net.Listen(ctx, "tcp", addr)
	if err != nil {
		return fmt.Errorf("cannot listen on %s for %s: %w", addr, name, err)
	}
	if a := &k.cfg.Operate.Admin; name == "admin" && a.tls() {
		opts := k.cfg.Security.Members
		if opts.ClientAuth = secure.None; a.NeedClientAuth {
			opts.ClientAuth = secure.Need
		}
		source, err := secure.Open(name, opts, k.env, k.log)
		if err != nil {
			return errors.Join(fmt.Errorf("ssl.quorum: %w", err), ln.Close())
		}
		ln = source.Listener(ln, !a.ForceTLS, func(f func()) { k.group.Light(f) })
	}
	server.Handler = k.gate.around(server.Handler)
	server.ReadHeaderTimeout = httpHeaderTimeout
	server.ErrorLog = slog.NewLogLogger(k.log.Handler(), slog.LevelDebug)
	k.sites = append(k.sites, site{name, ln, server})
	return nil
}

// gate counts the requests over HTTP that are in work: the tree must not go before
// they are done.
type gate struct {
	mu     sync.Mutex
	closed bool
	inside sync.WaitGroup
}

// around lets requests pass while the gate is open.
func (g *gate) around(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		g.mu.Lock()
		if g.closed {
			g.mu.Unlock()
			return
		}
		g.inside.Add(1)
		g.mu.Unlock()
		defer g.inside.Done()
		h.ServeHTTP(w, r)
	})
}

func (g *gate) close() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.closed = true
}

// serveSites answers over HTTP.
func (k *Keeper) serveSites() {
	for _, s := range k.sites {
		k.group.Go("keeper-"+s.name, func(context.Context) error {
			if err := s.server.Serve(s.ln); !errors.Is(err, http.ErrServerClosed) {
				k.log.Error("nothing is served over HTTP any more", "what", s.name, "error", err)
			}
			return nil
		})
	}
}

// closeSites ends them, and whom they talk to.
func (k *Keeper) closeSites() {
	k.gate.close()
	defer k.gate.inside.Wait()
	for _, s := range k.sites {
		// Nobody could do anything about a listener that does not close.
		_, _ = s.server.Close(), s.ln.Close()
	}
}

// SiteAddr is where commands ("admin") or metrics ("metrics") are served over
// HTTP, nil for nowhere.
func (k *Keeper) SiteAddr(name string) net.Addr {
	for _, s := range k.sites {
		if s.name == name {
			return s.ln.Addr()
		}
	}
	return nil
}

// sourceLines are the properties of the configuration file.
func (o *Operate) sourceLines() (out [][2]string) {
	for line := range strings.Lines(o.Source) {
		if line = strings.TrimSpace(line); line != "" && line[0] != '#' && line[0] != '!' {
			name, value := splitProperty(line)
			out = append(out, [2]string{name, value})
		}
	}
	return out
}
