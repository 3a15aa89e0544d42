// Command gregor is an Apache Kafka 3.9 broker in ZooKeeper mode, and the
// ZooKeeper it needs.
package main

import (
	"context"
	"os"

	"github.com/gregor-mq/gregor/cli"
	"github.com/gregor-mq/gregor/internal/env"
)

func main() {
	program := cli.Program{Env: env.Real(), Out: os.Stdout, Err: os.Stderr, Exit: os.Exit}
	os.Exit(program.Run(context.Background(), os.Args[1:]))
}
