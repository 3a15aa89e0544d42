// Command compare measures gregor and Apache Kafka side by side.
//
// Every workload runs against both in turn, each time on a fresh server or
// cluster of three in a fresh directory, with a warm-up inside. It prints the
// medians as a Markdown table and writes all figures to a JSON file.
//
//	go run ./bench/cmd/compare -gregor bin/gregor [-quick] [-only start,produce-1k]
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
	profile string
	timeout time.Duration
}

func parseOptions(args []string) (options, error) {
	var o options
	f := flag.NewFlagSet("compare", flag.ContinueOnError)
	f.StringVar(&o.gregor, "gregor", "bin/gregor", "the built `binary`")
	f.IntVar(&o.runs, "runs", 5, "runs of each workload against each server")
	quick := f.Bool("quick", false, "one run of each")
	only := f.String("only", "", "workloads to run, by `name,...` of "+strings.Join(names(), " "))
	against := f.String("servers", "gregor,apache", "servers to measure, by `name,...`")
	f.StringVar(&o.dir, "dir", os.TempDir(), "`directory` for the servers' data; what is made there is deleted")
	f.StringVar(&o.json, "json", "bin/bench.json", "`file` for all figures")
	f.StringVar(&o.profile, "profile", "", "`directory` for CPU profiles of gregor; its figures are then not to be quoted")
	f.DurationVar(&o.timeout, "timeout", 3*time.Hour, "longest `time` for everything")
	if err := f.Parse(args); err != nil {
		return o, err
	}
	if *quick {
		o.runs = 1
	}
	o.only, o.against = list(*only, names()), list(*against, nil)
	for _, name := range o.only {
		if !slices.Contains(names(), name) {
			return o, fmt.Errorf("no workload %q; there are %s", name, strings.Join(names(), " "))
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

func list(text string, none []string) []string {
	if text == "" {
		return none
	}
	return strings.Split(text, ",")
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
	caveat := ""
	if o.profile != "" {
		caveat = "gregor ran under its profiler"
	}
	rep := table.New(o.runs, caveat)
	runErr := measureAll(ctx, o, makers, rep)
	fmt.Print(rep.Markdown("Apache Kafka "+proc.KafkaVersion, sections()))
	if err := rep.Write(o.json); err != nil {
		return errors.Join(runErr, err)
	}
	return runErr
}

// maker prepares one server or cluster; the workload starts it.
type maker struct {
	key         string
	make        func() (proc.Server, error)
	makeCluster func() (*proc.Cluster, error)
}

func (o options) makers(dir string) ([]maker, error) {
	var out []maker
	if slices.Contains(o.against, table.Gregor) {
		if _, err := os.Stat(o.gregor); err != nil {
			return nil, fmt.Errorf("gregor's binary (make build): %w", err)
		}
		out = append(out, maker{table.Gregor,
			func() (proc.Server, error) { return proc.NewGregor(o.gregor, dir, o.profile != "") },
			func() (*proc.Cluster, error) { return proc.NewGregorCluster(o.gregor, dir) }})
	}
	if slices.Contains(o.against, table.Apache) {
		cache, err := os.UserCacheDir()
		if err != nil {
			return nil, err
		}
		jars, err := proc.FetchJars(filepath.Join(cache, "gregor", "bench"))
		if err != nil {
			return nil, err
		}
		out = append(out, maker{table.Apache,
			func() (proc.Server, error) { return proc.NewApache(jars, dir) },
			func() (*proc.Cluster, error) { return proc.NewApacheCluster(jars, dir) }})
	}
	return out, nil
}

// measureAll runs every workload in turn. A workload that fails against one
// server is reported as such and does not end the others.
func measureAll(ctx context.Context, o options, makers []maker, rep *table.Report) error {
	for _, m := range makers {
		// The programs themselves come into the page cache here.
		if err := once(ctx, m, "warm-up", o, workload{run: startUp}, func(string, float64) {}); err != nil {
			log.Printf("warm-up: %v", err)
		}
	}
	var failed error
	for _, w := range workloads {
		if !slices.Contains(o.only, w.name) {
			continue
		}
		for i := range o.runs {
			for _, m := range makers {
				if err := context.Cause(ctx); err != nil {
					return err
				}
				log.Printf("%s, run %d of %d, %s", w.name, i+1, o.runs, m.key)
				err := once(ctx, m, fmt.Sprintf("%s-%d", w.name, i+1), o, w, func(metric string, v float64) {
					rep.Add(w.name, metric, m.key, v)
				})
				if err != nil {
					failed = errors.Join(failed, fmt.Errorf("%s, %s: %w", w.name, m.key, err))
					log.Print(err)
				}
			}
		}
	}
	return failed
}

// once runs one workload on a fresh server or cluster.
func once(ctx context.Context, m maker, label string, o options, w workload, report reporter) (err error) {
	if w.cluster != nil {
		c, err := m.makeCluster()
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, c.Close()) }()
		return w.cluster(ctx, &clusterStage{Cluster: c, report: report})
	}
	s, err := m.make()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	return w.run(ctx, &stage{Server: s, report: report, label: label, profile: o.profile})
}
