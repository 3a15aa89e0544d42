// Command rebalance measures how long a large group takes to deal its partitions
// anew when a member leaves in order, and how many znodes are written for it: 50 of
// gregor's consumers in one process, and 50 of Kafka 0.8.2.2 in one JVM, each in
// their turn on a fresh cluster of three gregor brokers with 500 partitions.
//
// The time begins when the member is told to leave and ends when the last owner
// node was made of those that the members left should have. What is set differs
// from the defaults in one thing: how often a consumer of 0.8.2.2 tries to rebalance
// before it gives up for good.
//
//	go run ./bench/cmd/rebalance -gregor bin/gregor [-runs 3]
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/gregor-mq/gregor/bench/load"
	"github.com/gregor-mq/gregor/bench/proc"
)

const (
	topic = "load"
	group = "crowd"
)

type options struct {
	gregor     string
	consumers  int
	partitions int
	runs       int
	kinds      []string
	dir        string
	timeout    time.Duration
}

func main() {
	log.SetFlags(log.Ltime)
	var o options
	flag.StringVar(&o.gregor, "gregor", "bin/gregor", "the built `binary`")
	flag.IntVar(&o.consumers, "consumers", 50, "members of the group")
	flag.IntVar(&o.partitions, "partitions", 500, "partitions of the topic")
	flag.IntVar(&o.runs, "runs", 3, "runs with each kind of consumers")
	kinds := flag.String("kinds", "gregor,old", "consumers to measure, by `name,...`")
	flag.StringVar(&o.dir, "dir", os.TempDir(), "`directory` for the servers' data; what is made there is deleted")
	flag.DurationVar(&o.timeout, "timeout", time.Hour, "longest `time` for everything")
	flag.Parse()
	o.kinds = strings.Split(*kinds, ",")
	if err := run(o); err != nil {
		log.Fatal(err)
	}
}

func run(o options) error {
	if o.consumers < 2 || o.partitions < 1 || o.runs < 1 {
		return errors.New("want two consumers, a partition and a run at least")
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	ctx, cancel := context.WithTimeoutCause(ctx, o.timeout, fmt.Errorf("stopped after %v (-timeout)", o.timeout))
	defer cancel()
	dir, err := os.MkdirTemp(o.dir, "gregor-rebalance-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	figures := map[string][]figure{}
	for range o.runs {
		for _, kind := range o.kinds {
			f, err := once(ctx, o, kind, dir)
			if err != nil {
				return fmt.Errorf("%s: %w", kind, err)
			}
			log.Printf("%s: %v", kind, f)
			figures[kind] = append(figures[kind], f)
		}
	}
	table(o, figures)
	return nil
}

// crowd is the members of a group.
type crowd interface {
	// leave ends one of them in order.
	leave(ctx context.Context, number int) error
	close() error
}

// once measures one kind of consumers on a cluster of its own.
func once(ctx context.Context, o options, kind, dir string) (f figure, err error) {
	enter := map[string]func(context.Context, options, string, string) (crowd, error){"gregor": enterGolang, "old": enterOld}[kind]
	if enter == nil {
		return f, errors.New("no such consumers; there are gregor and old")
	}
	cluster, err := proc.NewGregorCluster(o.gregor, dir)
	if err != nil {
		return f, err
	}
	defer func() { err = errors.Join(err, cluster.Close()) }()
	if err := cluster.Start(ctx); err != nil {
		return f, err
	}
	if err := load.CreateReplicated(ctx, cluster.Addrs(), int32(o.partitions), 1, topic); err != nil {
		return f, err
	}
	if err := produce(ctx, cluster.Addrs(), o.partitions); err != nil {
		return f, err
	}
	w, err := newWatcher(ctx, cluster.ZooKeeper(), o.partitions)
	if err != nil {
		return f, err
	}
	defer w.close()
	began := time.Now()
	c, err := enter(ctx, o, cluster.ZooKeeper(), dir)
	if err != nil {
		return f, err
	}
	defer func() { err = errors.Join(err, c.close()) }()
	names := make([]string, o.consumers)
	for i := range names {
		names[i] = member(i)
	}
	if f.join, err = w.dealt(ctx, began, names); err != nil {
		return f, err
	}
	if err := w.quiet(ctx); err != nil {
		return f, err
	}
	// One in the middle: most of the others get other partitions.
	gone := o.consumers / 2
	names = slices.Delete(names, gone, gone+1)
	w.reset()
	began = time.Now()
	left := make(chan error, 1)
	go func() { left <- c.leave(ctx, gone) }()
	if f.time, err = w.dealt(ctx, began, names); err != nil {
		return f, err
	}
	if err := <-left; err != nil {
		return f, err
	}
	if err := w.quiet(ctx); err != nil {
		return f, err
	}
	f.owners, f.offsets, f.others = w.counts()
	return f, nil
}

// member is the name of a member; that of 0.8.2.2 puts the group's before.
func member(i int) string { return fmt.Sprintf("%s_%03d", group, i) }

// figure is what one run told.
type figure struct {
	join, time time.Duration
	// owners, offsets and others are the znodes that were made, changed or deleted.
	owners, offsets, others int
}

func (f figure) String() string {
	return fmt.Sprintf("dealt anew in %v with %d writes (%d of owners, %d of offsets, %d others); all had joined in %v",
		f.time.Round(time.Millisecond), f.writes(), f.owners, f.offsets, f.others, f.join.Round(time.Millisecond))
}

func (f figure) writes() int { return f.owners + f.offsets + f.others }

// table writes the medians as a Markdown table.
func table(o options, all map[string][]figure) {
	fmt.Printf("%d consumers of %d partitions, one leaves; medians of %d runs\n\n", o.consumers, o.partitions, o.runs)
	fmt.Println("| | dealt anew | znode writes | of owners | of offsets | others | all had joined |")
	fmt.Println("|---|---:|---:|---:|---:|---:|---:|")
	for _, kind := range o.kinds {
		fs := all[kind]
		of := func(get func(figure) float64) float64 {
			var vs []float64
			for _, f := range fs {
				vs = append(vs, get(f))
			}
			slices.Sort(vs)
			return (vs[(len(vs)-1)/2] + vs[len(vs)/2]) / 2
		}
		fmt.Printf("| %s | %.3f s | %.0f | %.0f | %.0f | %.0f | %.3f s |\n", kind, of(func(f figure) float64 { return f.time.Seconds() }),
			of(func(f figure) float64 { return float64(f.writes()) }), of(func(f figure) float64 { return float64(f.owners) }),
			of(func(f figure) float64 { return float64(f.offsets) }), of(func(f figure) float64 { return float64(f.others) }),
			of(func(f figure) float64 { return f.join.Seconds() }))
	}
}

// oldCache is where the jars of 0.8.2.2 are kept.
func oldCache() (string, error) {
	cache, err := os.UserCacheDir()
	return filepath.Join(cache, "gregor", "bench-old"), err
}
