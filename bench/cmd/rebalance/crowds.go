package main

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"sync"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/gregor-mq/gregor/bench/proc"
	"github.com/gregor-mq/gregor/client"
)

// produce writes a record to each partition, so that there are offsets.
func produce(ctx context.Context, addrs []string, partitions int) error {
	cl, err := kgo.NewClient(kgo.SeedBrokers(addrs...), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err != nil {
		return err
	}
	defer cl.Close()
	var all []*kgo.Record
	for p := range int32(partitions) {
		all = append(all, &kgo.Record{Topic: topic, Partition: p, Value: []byte("v")})
	}
	return cl.ProduceSync(ctx, all...).FirstErr()
}

// golang is gregor's consumers, in this process.
type golang struct {
	members []*client.GroupConsumer
	stop    context.CancelFunc
	polling sync.WaitGroup
}

func enterGolang(ctx context.Context, o options, zookeeper, _ string) (crowd, error) {
	polling, stop := context.WithCancel(ctx)
	g := &golang{stop: stop}
	for i := range o.consumers {
		c, err := client.NewGroupConsumer(ctx, zookeeper, group, client.Topics(topic), client.ConsumerID(member(i)), client.StartAt(client.Earliest))
		if err != nil {
			return nil, errors.Join(err, g.close())
		}
		g.members = append(g.members, c)
		g.polling.Go(func() { poll(polling, c) })
	}
	return g, nil
}

func poll(ctx context.Context, c *client.GroupConsumer) {
	for {
		_, err := c.Poll(ctx)
		switch {
		case ctx.Err() != nil || errors.Is(err, client.ErrClosed):
			return
		case err != nil:
			log.Printf("consumer: %v", err)
		}
	}
}

func (g *golang) leave(ctx context.Context, number int) error { return g.members[number].Close(ctx) }

func (g *golang) close() error {
	g.stop()
	g.polling.Wait()
	var wrong error
	for _, c := range g.members {
		wrong = errors.Join(wrong, c.Close(context.Background()))
	}
	return wrong
}

// consumersJava is the program of the other crowd.
//
//go:embed Consumers.java
var consumersJava []byte

// old is the consumers of 0.8.2.2, in a JVM.
type old struct {
	cmd *exec.Cmd
	in  io.WriteCloser
	log *os.File
}

func enterOld(ctx context.Context, o options, zookeeper, dir string) (crowd, error) {
	cache, err := oldCache()
	if err != nil {
		return nil, err
	}
	jars, err := proc.FetchOldJars(cache)
	if err != nil {
		return nil, err
	}
	source := filepath.Join(dir, "Consumers.java")
	if err := os.WriteFile(source, consumersJava, 0o644); err != nil {
		return nil, err
	}
	settings := filepath.Join(dir, "log4j.properties")
	const quiet = "log4j.rootLogger=ERROR, out\nlog4j.appender.out=org.apache.log4j.ConsoleAppender\nlog4j.appender.out.layout=org.apache.log4j.SimpleLayout\n"
	if err := os.WriteFile(settings, []byte(quiet), 0o644); err != nil {
		return nil, err
	}
	c := &old{cmd: exec.CommandContext(ctx, "java", "-Xmx1G", "-Xms1G", "-Dlog4j.configuration=file:"+settings, "-cp", filepath.Join(jars, "*"),
		source, zookeeper, group, topic, fmt.Sprint(o.consumers))}
	if c.log, err = os.Create(filepath.Join(dir, "consumers.log")); err != nil {
		return nil, err
	}
	c.cmd.Stdout, c.cmd.Stderr = c.log, c.log
	if c.in, err = c.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	return c, c.cmd.Start()
}

func (c *old) leave(_ context.Context, number int) error {
	_, err := fmt.Fprintln(c.in, number)
	return err
}

func (c *old) close() error {
	return errors.Join(c.in.Close(), c.cmd.Wait(), c.log.Close())
}
