package client_test

import (
	"context"
	"fmt"
	"hash/crc32"
	"log"
	"log/slog"
	"time"

	"github.com/gregor-mq/gregor/client"
)

// One record after the other, each acknowledged by all replicas that are in sync.
func ExampleProducer_Send() {
	ctx := context.Background()
	producer, err := client.NewProducer(ctx, "127.0.0.1:2181")
	if err != nil {
		log.Fatal(err)
	}
	defer producer.Close(ctx)

	order := &client.Record{Topic: "orders", Key: []byte("customer 7"), Value: []byte("two apples")}
	if err := producer.Send(ctx, order); err != nil {
		log.Fatal(err)
	}
	fmt.Printf("partition %d, offset %d\n", order.Partition, order.Offset)
}

// Many records at once: they travel in batches, and each is told its outcome.
func ExampleProducer_SendAsync() {
	ctx := context.Background()
	producer, err := client.NewProducer(ctx, "zk1:2181,zk2:2181,zk3:2181/kafka",
		client.Linger(5*time.Millisecond),
		client.Compression(client.LZ4),
		client.Logger(slog.Default()))
	if err != nil {
		log.Fatal(err)
	}
	for i := range 1000 {
		producer.SendAsync(ctx, &client.Record{Topic: "clicks", Value: fmt.Append(nil, i)}, func(r *client.Record, err error) {
			if err != nil {
				log.Printf("click %s is lost: %v", r.Value, err)
			}
		})
	}
	// Close flushes first.
	if err := producer.Close(ctx); err != nil {
		log.Fatal(err)
	}
}

// Partitions by a hash of one's own.
func ExamplePartitionBy() {
	byRegion := client.PartitionBy(func(topic string) func(r *client.Record, partitions int) int {
		return func(r *client.Record, partitions int) int {
			return int(crc32.ChecksumIEEE(header(r, "region")) % uint32(partitions))
		}
	})
	ctx := context.Background()
	producer, err := client.NewProducer(ctx, "127.0.0.1:2181", client.Partitioner(byRegion))
	if err != nil {
		log.Fatal(err)
	}
	defer producer.Close(ctx)
}

func header(r *client.Record, name string) []byte {
	for _, h := range r.Headers {
		if h.Key == name {
			return h.Value
		}
	}
	return nil
}

// One TCP connection to one broker, chosen by the producer's own address.
func ExampleLayerFour() {
	ctx := context.Background()
	producer, err := client.NewProducer(ctx, "", client.LayerFour(), client.Brokers("kafka1:9092", "kafka2:9092", "kafka3:9092"))
	if err != nil {
		log.Fatal(err)
	}
	defer producer.Close(ctx)
	if err := producer.Send(ctx, &client.Record{Topic: "logs", Value: []byte("started")}); err != nil {
		log.Fatal(err)
	}
}
