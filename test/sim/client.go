package sim

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/gregor-mq/gregor/internal/env"
	"github.com/gregor-mq/gregor/internal/rpc"
	"github.com/gregor-mq/gregor/test/check"
	"github.com/gregor-mq/gregor/test/virtual"
	"github.com/gregor-mq/gregor/wire"
)

// client is a Kafka client with one thing to do at a time: with franz-go's many
// goroutines no run would be like another. It has a machine of its own.
type client struct {
	w     *world
	name  string
	rng   *virtual.Random
	env   env.Env
	host  *machine
	conns map[string]*rpc.Client
	image *wire.MetadataResponse // what it knows, nil at first
	asked time.Time              // when it tried to learn that
}

func (w *world) newClient(name string) *client {
	m := w.newMachine(name)
	w.clients = append(w.clients, name)
	return &client{w: w, name: name, rng: virtual.NewRandom(w.seed, name+" itself"), host: m, env: m.Boot(), conns: map[string]*rpc.Client{}}
}

// requestTimeout is request.timeout.ms of the clients.
const requestTimeout = 3 * time.Second

// ask sends a request to an address.
func (c *client) ask(ctx context.Context, address string, req wire.Body, version int16) (wire.Body, error) {
	conn := c.conns[address]
	if conn == nil {
		conn = rpc.New(context.WithoutCancel(ctx), rpc.Config{Address: address, ClientID: c.name, Timeout: requestTimeout}, c.env)
		c.conns[address] = conn
	}
	return conn.Ask(ctx, req, version)
}

// askFor is ask for an answer of one type.
func askFor[R wire.Body](ctx context.Context, c *client, address string, req wire.Body, version int16) (R, error) {
	var none R
	body, err := c.ask(ctx, address, req, version)
	if err != nil {
		return none, err
	}
	resp, ok := body.(R)
	if !ok {
		return none, fmt.Errorf("answer to %v is a %T", req.Key(), body)
	}
	return resp, nil
}

func (c *client) close() {
	for _, address := range slices.Sorted(maps.Keys(c.conns)) {
		_ = c.conns[address].Close() // says only how its goroutines ended
	}
	clear(c.conns)
}

// refresh asks a broker, any one, for its picture of the cluster.
func (c *client) refresh(ctx context.Context) error {
	c.asked = c.env.Clock.Now()
	addresses := c.addresses()
	address := addresses[c.rng.N(len(addresses))]
	resp, err := c.metadata(ctx, address)
	if err == nil {
		c.image = resp
	}
	return err
}

// maxAge is metadata.max.age.ms: a broker that does not know that it leads no
// more may answer for ever, and say nothing new.
const maxAge = 5 * time.Second

// old reports whether the picture must be renewed.
func (c *client) old() bool { return c.env.Clock.Now().Sub(c.asked) > maxAge }

func (c *client) metadata(ctx context.Context, address string) (*wire.MetadataResponse, error) {
	req := wire.NewMetadataRequest()
	req.Topics, req.AllowAutoTopicCreation = nil, false
	return askFor[*wire.MetadataResponse](ctx, c, address, req, 12)
}

// addresses returns where brokers may be: those configured.
func (c *client) addresses() []string {
	var out []string
	for _, b := range c.w.brokers {
		out = append(out, b.addr+":"+kafkaPort)
	}
	return out
}

func (c *client) broker(id int32) (address string, ok bool) {
	if c.image == nil {
		return "", false
	}
	for _, b := range c.image.Brokers {
		if b.NodeID == id {
			return b.Host + ":" + strconv.Itoa(int(b.Port)), true
		}
	}
	return "", false
}

// controller returns the address of the controller as far as it is known.
func (c *client) controller() (string, bool) {
	if c.image == nil {
		return "", false
	}
	return c.broker(c.image.ControllerID)
}

// leader returns the address of a partition's leader as far as it is known.
func (c *client) leader(p check.Partition) (string, bool) {
	if c.image == nil {
		return "", false
	}
	for _, t := range c.image.Topics {
		if t.Name == nil || *t.Name != p.Topic {
			continue
		}
		i := slices.IndexFunc(t.Partitions, func(x wire.MetadataResponsePartition) bool { return x.PartitionIndex == p.Index })
		if i >= 0 {
			return c.broker(t.Partitions[i].LeaderID)
		}
	}
	return "", false
}

var errNobody = errors.New("nobody to ask is known")

// retryPause is how long a client waits after a failure.
const retryPause = 100 * time.Millisecond

// again waits and gets a new picture; it reports false when ctx ended.
func (c *client) again(ctx context.Context, after error) bool {
	c.w.trace.Add("%s: %v", c.name, after)
	if env.Sleep(ctx, c.env.Clock, retryPause+c.rng.Between(0, retryPause)) != nil {
		return false
	}
	if err := c.refresh(ctx); err != nil {
		c.w.trace.Add("%s: metadata: %v", c.name, err)
	}
	return ctx.Err() == nil
}
