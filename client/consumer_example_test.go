package client_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"time"

	"github.com/gregor-mq/gregor/client"
)

// A member of the group "billing" reads orders until its context ends, and leaves
// in order: whoever gets its partitions goes on with the next record.
func ExampleGroupConsumer() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Hour)
	defer cancel()
	consumer, err := client.NewGroupConsumer(ctx, "zk1:2181,zk2:2181/kafka", "billing",
		client.Topics("orders"), client.StartAt(client.Earliest), client.AutoCommit(5*time.Second))
	if err != nil {
		log.Fatal(err)
	}
	defer consumer.Close(context.Background())
	for {
		records, err := consumer.Poll(ctx)
		switch {
		case ctx.Err() != nil && err != nil:
			return
		case errors.Is(err, client.ErrRebalance):
			log.Print(err) // it tries on by itself
		case err != nil:
			log.Print(err)
		}
		for _, r := range records {
			fmt.Printf("%s-%d@%d %s\n", r.Topic, r.Partition, r.Offset, r.Value)
		}
	}
}

// With ManualCommit the application says when it is done; before partitions go to
// another member it has one last chance.
func ExampleManualCommit() {
	var consumer *client.GroupConsumer
	save := client.OnRevoked(func(ctx context.Context, partitions map[string][]int32) {
		if err := consumer.Commit(ctx); err != nil {
			log.Printf("%v will be read again: %v", partitions, err)
		}
	})
	var err error
	consumer, err = client.NewGroupConsumer(context.Background(), "zk1:2181", "billing", client.WhiteList("orders-.*"), client.ManualCommit(), save)
	if err != nil {
		log.Fatal(err)
	}
	defer consumer.Close(context.Background())
}
