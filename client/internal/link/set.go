package link

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/kversion"
	"github.com/twmb/franz-go/pkg/sasl"
)

const (
	// dialTimeout bounds the making of a connection.
	dialTimeout = 5 * time.Second
	// idleTimeout is below Kafka's connections.max.idle.ms of ten minutes, so that
	// it is the client that closes what nobody uses.
	idleTimeout = 5 * time.Minute
	// grace is how long an answer may take beyond the time that the request itself
	// gives the broker.
	grace = 10 * time.Second
)

// ErrClosed is what a closed Set, a link of a broker that left, or a closed
// Single answers.
var ErrClosed = errors.New("link is closed")

// Config says how to connect to brokers.
type Config struct {
	// ClientID is the client.id of requests.
	ClientID string
	// TLS is nil for plain TCP.
	TLS *tls.Config
	// SASL are the mechanisms to try, the first that the broker has is used.
	SASL []sasl.Mechanism
	// Dial makes TCP connections; nil for a net.Dialer's.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// Acks is what every Produce request asks for: -1, 0 or 1.
	Acks int16
	// Log gets changes of connections; nil for none.
	Log *slog.Logger
}

// Set is the links to the brokers in use. All methods may be called from many
// goroutines.
type Set struct {
	opts []kgo.Opt
	mu   struct {
		sync.Mutex
		links  map[string]*Link
		closed bool
	}
}

// NewSet returns a set without links.
func NewSet(cfg Config) *Set {
	acks := map[int16]kgo.Acks{-1: kgo.AllISRAcks(), 0: kgo.NoAck(), 1: kgo.LeaderAck()}[cfg.Acks]
	opts := []kgo.Opt{
		kgo.ClientID(cfg.ClientID), kgo.RequiredAcks(acks), kgo.DisableIdempotentWrite(), kgo.DisableClientMetrics(),
		kgo.MaxVersions(versions()), kgo.MetadataMaxAge(time.Hour), kgo.MetadataMinAge(time.Hour),
		kgo.ConnIdleTimeout(idleTimeout), kgo.RequestTimeoutOverhead(grace), kgo.SASL(cfg.SASL...),
	}
	opts = append(opts, kgo.Dialer(cfg.dial))
	if cfg.Log != nil {
		opts = append(opts, kgo.WithLogger(logger{cfg.Log}))
	}
	s := &Set{opts: opts}
	s.mu.links = map[string]*Link{}
	return s
}

// API keys.
const (
	fetchKey    = 1
	metadataKey = 3
)

// versions returns the requests that may be sent: all but Metadata, for which
// franz-go would ask once an hour at the least, and Fetch up to the last version
// that names topics: those created before 2.8 have no ids in ZooKeeper.
func versions() *kversion.Versions {
	v := kversion.Stable()
	v.SetMaxKeyVersion(fetchKey, 12)
	v.SetMaxKeyVersion(metadataKey, -1)
	return v
}

// Link is what goes to one broker. Produce, Fetch and other requests have a TCP
// connection each, made when it is first used; requests of a kind are answered in
// their order.
type Link struct {
	addr string
	// kafka has this broker as its only seed and discovers no others.
	kafka  *kgo.Client
	broker *kgo.Broker
	// closed is set before kafka is closed, which has more than one word for it.
	closed atomic.Bool
}

// To returns the link to the broker at an address, host:port, making it if
// needed; nothing is sent yet.
func (s *Set) To(addr string) (*Link, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.mu.closed {
		return nil, ErrClosed
	}
	if l, ok := s.mu.links[addr]; ok {
		return l, nil
	}
	kafka, err := kgo.NewClient(append([]kgo.Opt{kgo.SeedBrokers(addr)}, s.opts...)...)
	if err != nil {
		return nil, fmt.Errorf("link to %s: %w", addr, err)
	}
	l := &Link{addr: addr, kafka: kafka, broker: kafka.SeedBrokers()[0]}
	s.mu.links[addr] = l
	return l, nil
}

// Request sends a request and waits for its answer, of the kind that
// req.ResponseKind gives, or for ctx, which ends the wait but not what the broker
// does. After an error the request may have been done. A Produce request gets the
// Acks of the Set's Config; without acks its answer is empty.
func (l *Link) Request(ctx context.Context, req kmsg.Request) (kmsg.Response, error) {
	resp, err := l.broker.Request(ctx, req)
	switch {
	case err != nil && l.closed.Load():
		return nil, fmt.Errorf("%s to %s: %w", kmsg.NameForKey(req.Key()), l.addr, ErrClosed)
	case err != nil:
		return nil, fmt.Errorf("%s to %s: %w", kmsg.NameForKey(req.Key()), l.addr, err)
	}
	return resp, nil
}

// Keep closes the links to all addresses for which stays reports false.
func (s *Set) Keep(stays func(addr string) bool) {
	for _, l := range s.take(func(addr string) bool { return !stays(addr) }) {
		l.closed.Store(true)
		l.kafka.Close()
	}
}

// Close closes all links; requests in flight fail.
func (s *Set) Close() {
	s.mu.Lock()
	s.mu.closed = true
	s.mu.Unlock()
	s.Keep(func(string) bool { return false })
}

// take removes links from the set.
func (s *Set) take(which func(addr string) bool) []*Link {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []*Link
	for addr, l := range s.mu.links {
		if which(addr) {
			out = append(out, l)
			delete(s.mu.links, addr)
		}
	}
	return out
}
