package reach

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/gregor-mq/gregor/internal/env"
	"github.com/gregor-mq/gregor/zk"
	"github.com/gregor-mq/gregor/zk/session"
	"github.com/gregor-mq/gregor/znode"
)

// DefaultBootstrap is where `gregor server` listens.
const DefaultBootstrap = "127.0.0.1:9092"

// Kafka says where some of the brokers are.
type Kafka struct {
	// Bootstrap are brokers, HOST:PORT; the others are learnt from them.
	Bootstrap []string
}

// Flags adds --bootstrap-server to a command and all below it.
func (k *Kafka) Flags(cmd *cobra.Command, byDefault ...string) {
	cmd.PersistentFlags().StringSliceVar(&k.Bootstrap, "bootstrap-server", byDefault, "brokers to begin with, `HOST:PORT[,…]`")
}

// Client connects to the brokers and makes sure that one answers.
func (k *Kafka) Client(ctx context.Context, e env.Env, opts ...kgo.Opt) (*kgo.Client, error) {
	for _, b := range k.Bootstrap {
		if _, port, err := net.SplitHostPort(b); err != nil || port == "" {
			return nil, fmt.Errorf("--bootstrap-server %q: want HOST:PORT", b)
		}
	}
	all := append([]kgo.Opt{kgo.SeedBrokers(k.Bootstrap...), kgo.ClientID("gregor"), kgo.Dialer(e.Net.Dial)}, opts...)
	client, err := kgo.NewClient(all...)
	if err != nil {
		return nil, err
	}
	ping, cancel := context.WithTimeoutCause(ctx, ConnectTimeout, fmt.Errorf("no answer within %v", ConnectTimeout))
	defer cancel()
	if err := client.Ping(ping); err != nil {
		client.Close()
		if ping.Err() != nil {
			err = context.Cause(ping)
		}
		return nil, fmt.Errorf("brokers %s: %w", strings.Join(k.Bootstrap, ","), err)
	}
	return client, nil
}

// Brokers reads from ZooKeeper where the brokers are: those of their listeners
// that speak Kafka's protocol in plain text.
func Brokers(ctx context.Context, s *session.Session) ([]string, error) {
	ids, _, err := s.Children(ctx, znode.BrokerIDsPath, false)
	if errors.Is(err, zk.ErrNoNode) {
		return nil, fmt.Errorf("no Kafka cluster is registered in this ZooKeeper: %w (is a chroot missing?)", err)
	}
	if err != nil {
		return nil, err
	}
	addrs := map[string]bool{}
	var faults []error
	for _, id := range ids {
		path := znode.BrokerIDsPath + "/" + id
		data, _, err := s.Get(ctx, path, false)
		if errors.Is(err, zk.ErrNoNode) {
			continue // it has just gone
		}
		if err != nil {
			return nil, err
		}
		b, err := znode.DecodeBroker(path, data)
		if err != nil {
			faults = append(faults, err)
			continue
		}
		for _, e := range b.Endpoints {
			if e.Protocol == "PLAINTEXT" {
				addrs[e.Addr()] = true
			}
		}
	}
	if len(addrs) == 0 {
		return nil, errors.Join(append(faults, errors.New("no broker that speaks PLAINTEXT is registered in this ZooKeeper"))...)
	}
	return slices.Sorted(maps.Keys(addrs)), nil
}
