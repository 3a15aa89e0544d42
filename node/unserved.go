package node

import (
	"context"
	"fmt"

	"github.com/gregor-mq/gregor/config"
)

// refuseUnserved ends the start when the configuration asks for protection that
// this broker does not give yet: going on without it would open what the
// operator believes closed.
func (n *Node) refuseUnserved(context.Context) error { return unserved(n.settings.Broker()) }

func unserved(b *config.Broker) error {
	switch {
	case b.Text("authorizer.class.name") != "":
		return fmt.Errorf("authorizer.class.name=%s: authorization is not served yet; unset it only where every client may do everything",
			b.Text("authorizer.class.name"))
	case b.Bool("zookeeper.ssl.client.enable"):
		return fmt.Errorf("zookeeper.ssl.client.enable=true: TLS to ZooKeeper is not served yet; set it to false and connect to a plain port")
	case b.Bool("zookeeper.set.acl"):
		return fmt.Errorf("zookeeper.set.acl=true: it needs a session that SASL or TLS has authenticated, which is not served yet; set it to false")
	}
	return nil
}
