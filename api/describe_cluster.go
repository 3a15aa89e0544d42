package api

import (
	"fmt"

	"github.com/gregor-mq/gregor/wire"
)

// DescribeCluster v0-1 (KIP-700, KIP-919). This is a broker: it has no
// controller endpoints to describe.

// Endpoint types of KIP-919.
const (
	brokerEndpoints     = 1
	controllerEndpoints = 2
)

func (b *Broker) describeCluster(c *context, req *wire.DescribeClusterRequest) {
	resp := wire.NewDescribeClusterResponse()
	switch {
	case req.EndpointType == controllerEndpoints:
		resp.ErrorCode = wire.CodeMismatchedEndpointType
		resp.ErrorMessage = new("The request was sent to an endpoint of type BROKER, but we wanted an endpoint of type CONTROLLER")
		c.Reply(resp)
		return
	case req.EndpointType != brokerEndpoints:
		resp.ErrorCode = wire.CodeUnsupportedEndpointType
		resp.ErrorMessage = new(fmt.Sprintf("Unsupported endpoint type %d", req.EndpointType))
		c.Reply(resp)
		return
	}
	image := b.Metadata.Image()
	resp.ClusterID, resp.ControllerID = b.ClusterID, image.ControllerID
	if req.IncludeClusterAuthorizedOperations {
		resp.ClusterAuthorizedOperations = clusterOperations
	}
	listener := c.Peer().Listener
	for _, br := range image.Brokers {
		if e, ok := br.Endpoint(listener); ok {
			resp.Brokers = append(resp.Brokers, wire.DescribeClusterResponseBroker{BrokerID: br.ID, Host: e.Host, Port: e.Port, Rack: br.Rack})
		}
	}
	c.Reply(resp)
}
