// Command gregor is an Apache Kafka 3.9 broker in ZooKeeper mode, and the
// ZooKeeper it needs.
package main

import (
	"context"
	"os"

	"github.com/gregor-mq/gregor/cli"
)

func main() { os.Exit(cli.Default().Run(context.Background(), os.Args[1:])) }
