package client_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"strings"
	"testing"

	"github.com/gregor-mq/gregor/client"
)

// One record is produced, and all that the topic has is consumed up to it.
func Example() {
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

	consumer, err := client.NewGroupConsumer(ctx, "127.0.0.1:2181", "billing", client.Topics("orders"), client.StartAt(client.Earliest))
	if err != nil {
		log.Fatal(err)
	}
	defer consumer.Close(ctx)
	for done := false; !done; {
		records, err := consumer.Poll(ctx) // also says: done with what the last Poll returned
		if err != nil {
			log.Print(err) // what can heal is tried again
		}
		for _, r := range records {
			fmt.Printf("%s-%d@%d %s: %s\n", r.Topic, r.Partition, r.Offset, r.Key, r.Value)
			done = done || r.Partition == order.Partition && r.Offset == order.Offset
		}
	}
}

// TestTheProgramInTheDocs: docs/clients.md has the example above as a program.
func TestTheProgramInTheDocs(t *testing.T) {
	body := func(file, begin string) string {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		_, rest, ok := strings.Cut(string(text), begin)
		out, _, end := strings.Cut(rest, "\n}\n")
		if !ok || !end {
			t.Fatalf("%s has no %q", file, begin)
		}
		return out
	}
	docs := body("../docs/clients.md", "func main() {\n")
	if example := body("program_example_test.go", "func Example() {\n"); docs != example {
		t.Errorf("the docs have\n%s\nthe example is\n%s", docs, example)
	}
}
