package node

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"sync"

	"github.com/gregor-mq/gregor/internal/rpc"
	"github.com/gregor-mq/gregor/wire"
	"github.com/gregor-mq/gregor/znode"
)

// kafkaVersion is whose protocol this broker speaks.
const kafkaVersion = "3.9.1"

// controllerClient asks the controller that the metadata names, over the
// inter-broker listener and one connection, which follows the controller.
type controllerClient struct {
	n  *Node
	mu struct {
		sync.Mutex
		address string
		client  *rpc.Client // nil until the first call
	}
}

// Ask sends one request, in a version that inter.broker.protocol.version says.
func (c *controllerClient) Ask(ctx context.Context, req wire.Body, version int16) (wire.Body, error) {
	address, err := c.address()
	if err != nil {
		return nil, err
	}
	return c.dialled(address).Ask(ctx, req, version)
}

func (c *controllerClient) address() (string, error) {
	image := c.n.cache.Image()
	b, ok := image.Broker(image.ControllerID)
	if !ok {
		return "", fmt.Errorf("controller %d is not known", image.ControllerID)
	}
	listener := c.n.settings.Broker().InterBrokerListener
	e, ok := b.Endpoint(listener)
	if !ok {
		return "", fmt.Errorf("controller %d has no listener %s", b.ID, listener)
	}
	return znode.Endpoint{Host: e.Host, Port: e.Port}.Addr(), nil
}

// dialled returns the client of an address. The one of a former controller is
// closed in the background: its calls fail, and are made again elsewhere.
func (c *controllerClient) dialled(address string) *rpc.Client {
	c.mu.Lock()
	defer c.mu.Unlock()
	if old := c.mu.client; old == nil || c.mu.address != address {
		b := c.n.settings.Broker()
		c.mu.client, c.mu.address = rpc.New(c.n.group.Context(), rpc.Config{
			Address: address, ClientID: strconv.Itoa(int(b.ID)), Timeout: b.Millis("controller.socket.timeout.ms"),
			Negotiate: true, SoftwareName: "gregor", SoftwareVersion: kafkaVersion}, c.n.env), address
		if old != nil {
			c.n.group.Light(func() { _ = old.Close() }) // nobody needs it any more
		}
	}
	return c.mu.client
}

// AlterPartition implements replica.Controller. Topics without an id can only be
// named in versions 0 and 1.
func (c *controllerClient) AlterPartition(ctx context.Context, req *wire.AlterPartitionRequest) (*wire.AlterPartitionResponse, error) {
	_, limit, _ := wire.Versions(wire.KeyAlterPartition)
	if !c.n.settings.Broker().Protocol.AtLeast("2.8-IV0") || slices.ContainsFunc(req.Topics, nameless) {
		limit = 1
	}
	address, err := c.address()
	if err != nil {
		return nil, err
	}
	version, err := c.dialled(address).Version(ctx, wire.KeyAlterPartition, limit)
	if err != nil {
		return nil, err
	}
	if version < 3 {
		withoutBrokerEpochs(req)
	}
	return answerOf[*wire.AlterPartitionResponse](ctx, c, req, version)
}

// nameless reports a topic without an id.
func nameless(t wire.AlterPartitionRequestTopicData) bool { return t.TopicID == wire.UUID{} }

// withoutBrokerEpochs turns a request into the form of versions 0 to 2.
func withoutBrokerEpochs(req *wire.AlterPartitionRequest) {
	for i := range req.Topics {
		for j := range req.Topics[i].Partitions {
			p := &req.Topics[i].Partitions[j]
			for _, b := range p.NewIsrWithEpochs {
				p.NewIsr = append(p.NewIsr, b.BrokerID)
			}
			p.NewIsrWithEpochs = nil
		}
	}
}

// close ends the connection and all calls.
func (c *controllerClient) close() {
	c.mu.Lock()
	client := c.mu.client
	c.mu.client = nil
	c.mu.Unlock()
	if client != nil {
		_ = client.Close() // says only how its goroutines ended
	}
}

// answerOf is controllerClient.Ask for an answer of one type.
func answerOf[R wire.Body](ctx context.Context, c *controllerClient, req wire.Body, version int16) (R, error) {
	var none R
	answer, err := c.Ask(ctx, req, version)
	if err != nil {
		return none, err
	}
	resp, ok := answer.(R)
	if !ok {
		return none, fmt.Errorf("controller answered a %T to %v", answer, req.Key())
	}
	return resp, nil
}
