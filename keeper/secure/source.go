package secure

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gregor-mq/gregor/internal/env"
	"github.com/gregor-mq/gregor/internal/keystore"
)

// Source gives TLS configurations that follow the files they are made of. It is
// safe for concurrent use.
type Source struct {
	name   string // for the log
	opts   Options
	policy policy
	env    env.Env
	log    *slog.Logger
	state  atomic.Pointer[material]
	hosts  atomic.Pointer[[]string]

	mu struct {
		sync.Mutex
		looked time.Time // when the files were looked at
		stamp  string    // what they were like
	}
}

// material is what the files hold.
type material struct {
	keys  []tls.Certificate
	roots *x509.CertPool // nil without a trust store
}

// lookEvery is the least time between two looks at the files.
const lookEvery = time.Second

// Open reads the files. name says in the log what the TLS is for.
func Open(name string, o Options, e env.Env, log *slog.Logger) (*Source, error) {
	p, err := o.policy()
	if err != nil {
		return nil, err
	}
	s := &Source{name: name, opts: o, policy: p, env: e, log: log}
	s.SetHosts(nil)
	s.mu.looked, s.mu.stamp = e.Clock.Now(), s.stamp()
	return s, s.Load()
}

// SetHosts says which names count as those of any address: a certificate that is
// to name an address may name one of them. The list belongs to the Source.
func (s *Source) SetHosts(hosts []string) { s.hosts.Store(&hosts) }

// Load reads the files again. Connections that exist go on with what they
// agreed on; an error leaves everything as it was.
func (s *Source) Load() error {
	var m material
	if st := s.opts.KeyStore; st.Location != "" {
		kind, data, password, err := s.read(st)
		if err == nil {
			m.keys, err = keystore.Keys(kind, data, password)
		}
		if err != nil {
			return fmt.Errorf("key store %s: %w", st.Location, err)
		}
	}
	if st := s.opts.TrustStore; st.Location != "" {
		kind, data, password, err := s.read(st)
		var certs []*x509.Certificate
		if err == nil {
			certs, err = keystore.Trusted(kind, data, password)
		}
		if err != nil {
			return fmt.Errorf("trust store %s: %w", st.Location, err)
		}
		m.roots = x509.NewCertPool()
		for _, c := range certs {
			m.roots.AddCert(c)
		}
	}
	s.state.Store(&m)
	return nil
}

func (s *Source) read(st Store) (kind keystore.Kind, data []byte, password string, err error) {
	if kind, err = keystore.KindOf(st.Type, st.Location); err != nil {
		return "", nil, "", err
	}
	password = st.Password
	if st.PasswordPath != "" {
		b, err := s.env.FS.ReadFile(st.PasswordPath)
		if err != nil {
			return "", nil, "", fmt.Errorf("its password: %w", err)
		}
		password = strings.TrimSuffix(string(b), "\n")
	}
	data, err = s.env.FS.ReadFile(st.Location)
	return kind, data, password, err
}

// stamp tells whether any of the files is another one.
func (s *Source) stamp() string {
	var b strings.Builder
	for _, st := range []Store{s.opts.KeyStore, s.opts.TrustStore} {
		for _, file := range []string{st.Location, st.PasswordPath} {
			if file == "" {
				continue
			}
			info, err := s.env.FS.Stat(file)
			if err != nil {
				fmt.Fprintf(&b, "%s: %v\n", file, err)
				continue
			}
			fmt.Fprintf(&b, "%s: %d %d\n", file, info.Size(), info.ModTime().UnixNano())
		}
	}
	return b.String()
}

// refresh loads the files when they changed. Who comes while another looks goes
// on with what there is.
func (s *Source) refresh() {
	if !s.opts.Reload || !s.mu.TryLock() {
		return
	}
	defer s.mu.Unlock()
	now := s.env.Clock.Now()
	if now.Sub(s.mu.looked) < lookEvery {
		return
	}
	s.mu.looked = now
	stamp := s.stamp()
	if stamp == s.mu.stamp {
		return
	}
	s.mu.stamp = stamp
	if err := s.Load(); err != nil {
		s.log.Error("changed certificates cannot be used, the former ones stay", "for", s.name, "error", err)
		return
	}
	s.log.Info("certificates loaded again", "for", s.name)
}

// Server returns the configuration of a listener. Every handshake sees what the
// files hold by then. Sessions are not resumed: a certificate is looked at each
// time.
func (s *Source) Server() *tls.Config {
	return &tls.Config{
		MinVersion: s.policy.least, // used by nobody: the next line decides
		GetConfigForClient: func(h *tls.ClientHelloInfo) (*tls.Config, error) {
			s.refresh()
			return s.serverConfig(h), nil
		},
	}
}

func (s *Source) serverConfig(h *tls.ClientHelloInfo) *tls.Config {
	m := s.state.Load()
	c := s.config()
	c.Certificates = m.keys
	c.SessionTicketsDisabled = true
	c.ClientCAs = m.roots
	if c.ClientCAs == nil {
		c.ClientCAs = x509.NewCertPool() // nil would be the system's
	}
	switch s.opts.ClientAuth {
	case Need:
		c.ClientAuth = tls.RequireAndVerifyClientCert
	case Want:
		c.ClientAuth = tls.VerifyClientCertIfGiven
	case None:
		c.ClientAuth = tls.NoClientCert
	}
	if s.opts.ClientHost {
		remote := env.Host(h.Conn.RemoteAddr())
		c.VerifyConnection = func(cs tls.ConnectionState) error {
			if len(cs.PeerCertificates) == 0 {
				return nil
			}
			return s.verifyAddr(cs.PeerCertificates[0], remote)
		}
	}
	return c
}

// Client returns the configuration to dial a host with, a name or an address.
// Every handshake sees what the files hold by then.
func (s *Source) Client(host string) *tls.Config {
	c := s.dialler(func(x *x509.Certificate) error { return verifyHost(x, host) })
	c.ServerName = host
	return c
}

func (s *Source) dialler(same func(*x509.Certificate) error) *tls.Config {
	c := s.config()
	c.InsecureSkipVerify = true // VerifyConnection verifies: with roots of now
	c.GetClientCertificate = func(r *tls.CertificateRequestInfo) (*tls.Certificate, error) {
		keys := s.state.Load().keys
		for i := range keys {
			if r.SupportsCertificate(&keys[i]) == nil {
				return &keys[i], nil
			}
		}
		return &tls.Certificate{}, nil
	}
	c.VerifyConnection = func(cs tls.ConnectionState) error {
		s.refresh()
		return s.verifyServer(cs, same)
	}
	return c
}

func (s *Source) config() *tls.Config {
	return &tls.Config{MinVersion: s.policy.least, MaxVersion: s.policy.most, CipherSuites: slices.Clone(s.policy.suites), Time: s.env.Clock.Now}
}
