// Command keeper measures gregor's keeper and Apache ZooKeeper side by side.
//
// Every scenario runs against both in turn, each time on a fresh server or
// ensemble of three in a fresh directory of the same file system, with a warm-up
// inside. It prints the medians as a Markdown table and writes all figures to a
// JSON file. Both write every change to the disk before they answer, and both are
// configured by the same lines: those of ZooKeeper's sample.
//
//	go run ./bench/cmd/keeper -gregor bin/gregor [-short] [-only start,set-64]
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

	"github.com/gregor-mq/gregor/bench/proc"
	"github.com/gregor-mq/gregor/bench/table"
)

type options struct {
	gregor  string
	runs    int
	only    []string
	against []string
	dir     string
	json    string
	sizes   sizes
	caveat  string
	timeout time.Duration
}

func parseOptions(args []string) (options, error) {
	var o options
	f := flag.NewFlagSet("keeper", flag.ContinueOnError)
	f.StringVar(&o.gregor, "gregor", "bin/gregor", "the built `binary`")
	f.IntVar(&o.runs, "runs", 5, "runs of each scenario against each server")
	short := f.Bool("short", false, "one run of each, so small that its figures say nothing but that all works")
	only := f.String("only", "", "scenarios to run, by `name,...` of "+strings.Join(names(), " "))
	against := f.String("servers", table.Gregor+","+table.Apache, "servers to measure, by `name,...`")
	f.StringVar(&o.dir, "dir", os.TempDir(), "`directory` for the servers' data, on the disk to measure; what is made there is deleted")
	f.StringVar(&o.json, "json", "bin/keeper-bench.json", "`file` for all figures")
	f.DurationVar(&o.timeout, "timeout", 3*time.Hour, "longest `time` for everything")
	if err := f.Parse(args); err != nil {
		return o, err
	}
	o.sizes = full
	if *short {
		o.sizes, o.runs, o.caveat = tiny, 1, "-short is far smaller than the table says"
	}
	o.only, o.against = names(), strings.Split(*against, ",")
	if *only != "" {
		o.only = strings.Split(*only, ",")
	}
	for _, name := range o.only {
		if !slices.Contains(names(), name) {
			return o, fmt.Errorf("no scenario %q; there are %s", name, strings.Join(names(), " "))
		}
	}
	for _, name := range o.against {
		if name != table.Gregor && name != table.Apache {
			return o, fmt.Errorf("no server %q; there are %s %s", name, table.Gregor, table.Apache)
		}
	}
	if o.runs < 1 {
		return o, fmt.Errorf("-runs %d: at least 1", o.runs)
	}
	return o, nil
}

func main() {
	log.SetFlags(log.Ltime)
	o, err := parseOptions(os.Args[1:])
	if errors.Is(err, flag.ErrHelp) {
		return
	}
	if err == nil {
		err = run(o)
	}
	if err != nil {
		log.Fatal(err)
	}
}

func run(o options) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	ctx, cancel := context.WithTimeoutCause(ctx, o.timeout, fmt.Errorf("stopped after %v (-timeout)", o.timeout))
	defer cancel()
	dir, err := os.MkdirTemp(o.dir, "gregor-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	makers, err := o.makers(dir)
	if err != nil {
		return err
	}
	rep := table.New(o.runs, o.caveat)
	runErr := measureAll(ctx, o, makers, rep)
	fmt.Print(rep.Markdown("Apache ZooKeeper "+proc.ZooKeeperVersion, sections()))
	if err := rep.Write(o.json); err != nil {
		return errors.Join(runErr, err)
	}
	return runErr
}

// maker prepares the members of an ensemble; the scenario starts them.
type maker struct {
	key  string
	make func(members int) (*proc.Ensemble, error)
}

func (o options) makers(dir string) ([]maker, error) {
	var out []maker
	if slices.Contains(o.against, table.Gregor) {
		if _, err := os.Stat(o.gregor); err != nil {
			return nil, fmt.Errorf("gregor's binary (make build): %w", err)
		}
		out = append(out, maker{table.Gregor, func(n int) (*proc.Ensemble, error) { return proc.NewGregorEnsemble(o.gregor, dir, n) }})
	}
	if slices.Contains(o.against, table.Apache) {
		cache, err := os.UserCacheDir()
		if err != nil {
			return nil, err
		}
		jars, err := proc.FetchZooKeeperJars(filepath.Join(cache, "gregor", "bench-zookeeper"))
		if err != nil {
			return nil, err
		}
		out = append(out, maker{table.Apache, func(n int) (*proc.Ensemble, error) { return proc.NewApacheEnsemble(jars, dir, n) }})
	}
	return out, nil
}

// measureAll runs every scenario in turn. One that fails against one server is
// reported as such and does not end the others.
func measureAll(ctx context.Context, o options, makers []maker, rep *table.Report) error {
	for _, m := range makers {
		// The programs themselves come into the page cache here.
		if err := once(ctx, m, o, scenario{members: 1, run: startUp}, func(string, float64) {}); err != nil {
			log.Printf("warm-up: %v", err)
		}
	}
	var failed error
	for _, s := range scenarios {
		if !slices.Contains(o.only, s.name) {
			continue
		}
		for i := range o.runs {
			for _, m := range makers {
				if err := context.Cause(ctx); err != nil {
					return err
				}
				log.Printf("%s, run %d of %d, %s", s.name, i+1, o.runs, m.key)
				err := once(ctx, m, o, s, func(metric string, v float64) { rep.Add(s.name, metric, m.key, v) })
				if err != nil {
					failed = errors.Join(failed, fmt.Errorf("%s, %s: %w", s.name, m.key, err))
					log.Print(err)
				}
			}
		}
	}
	return failed
}

// once runs one scenario on fresh members.
func once(ctx context.Context, m maker, o options, s scenario, report reporter) (err error) {
	e, err := m.make(s.members)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, e.Close()) }()
	return s.run(ctx, &stage{Ensemble: e, sizes: o.sizes, report: report})
}
