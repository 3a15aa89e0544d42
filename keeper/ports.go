package keeper

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"

	"github.com/gregor-mq/gregor/keeper/ensemble"
	"github.com/gregor-mq/gregor/keeper/secure"
)

// guard is what stands before the keeper: set before any port is open, never
// changed.
type guard struct {
	users   map[string]string // of SASL, with their passwords; nil for none
	clients *secure.Source    // TLS of ports for clients; nil for none
	members *secure.Source    // TLS between members; nil for none
	plain   int               // how many of Keeper.listen are plain ports
}

// port is an address to listen on.
type port struct {
	addr string
	wrap func(net.Listener) net.Listener
}

// openGuard reads users and certificates and returns the ports, plain ones
// first.
func (k *Keeper) openGuard() ([]port, error) {
	s, g := &k.cfg.Security, &k.guard
	var err error
	if g.users, err = k.loadUsers(); err != nil {
		return nil, err
	}
	if s.servesTLS() {
		if g.clients, err = secure.Open("clients", s.TLS, k.env, k.log); err != nil {
			return nil, fmt.Errorf("ssl: %w", err)
		}
	}
	if s.protectsMembers() {
		if g.members, err = secure.Open("members", s.Members, k.env, k.log); err != nil {
			return nil, fmt.Errorf("ssl.quorum: %w", err)
		}
		k.nameMembers(nil)
	}
	closeOn := func(f func()) { k.group.Light(f) }
	var ports []port
	for _, addr := range k.cfg.Listen {
		p := port{addr, func(l net.Listener) net.Listener { return l }}
		if s.PortUnification {
			p.wrap = func(l net.Listener) net.Listener { return g.clients.Listener(l, true, closeOn) }
		}
		ports = append(ports, p)
	}
	g.plain = len(ports)
	for _, addr := range s.Listen {
		ports = append(ports, port{addr, func(l net.Listener) net.Listener { return g.clients.Listener(l, false, closeOn) }})
	}
	return ports, nil
}

// MemberTLS is what members speak to each other by; nil unless sslQuorum or
// portUnification is on.
func (k *Keeper) MemberTLS() *secure.Source { return k.guard.members }

// nameMembers lets members go by the hosts of some servers, and of those in the
// configuration.
func (k *Keeper) nameMembers(servers []ensemble.Server) {
	if k.guard.members == nil {
		return
	}
	var hosts []string
	for _, s := range slices.Concat(k.cfg.Servers, servers) {
		hosts = append(hosts, s.Host)
	}
	k.guard.members.SetHosts(hosts)
}

// memberConn is what wraps connections between members; nil for plain ones.
func (k *Keeper) memberConn() func(ctx context.Context, nc net.Conn, client bool) (net.Conn, error) {
	if k.guard.members == nil {
		return nil
	}
	s := &k.cfg.Security
	return k.guard.members.Member(s.SecureMembers, s.UnifiedMembers)
}

// ReloadCertificates reads the files of keys and trusted certificates again.
// Connections that exist stay; what cannot be used leaves everything as it was.
func (k *Keeper) ReloadCertificates() error {
	var errs []error
	for _, s := range []*secure.Source{k.guard.clients, k.guard.members} {
		if s != nil {
			errs = append(errs, s.Load())
		}
	}
	return errors.Join(errs...)
}

// portOf is the number of the first listener, -1 for none.
func portOf(list []net.Listener) int {
	for _, l := range list {
		if a, ok := l.Addr().(*net.TCPAddr); ok {
			return a.Port
		}
	}
	return -1
}
