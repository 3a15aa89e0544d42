package cli

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/gregor-mq/gregor/config"
	"github.com/gregor-mq/gregor/internal/run"
	"github.com/gregor-mq/gregor/node"
)

// stopTimeout bounds the polite part of a shutdown: moving leaders, closing
// the ZooKeeper session. Kafka's tools wait as long.
const stopTimeout = 30 * time.Second

func (p Program) serverCommand() *cobra.Command {
	var file, level string
	var overrides []string
	cmd := &cobra.Command{
		Use:   "server",
		Short: "Run a broker, with its own ZooKeeper inside unless zookeeper.connect names another",
		Long: "Run a broker. Without --config it is set up for one machine and listens on loopback only;\n" +
			"with --config every default is Kafka's. Property names are those of Kafka's server.properties.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := p.loadConfig(file, overrides)
			if err != nil {
				return err
			}
			root, err := node.ParseLevel(level)
			if err != nil {
				return err
			}
			return p.serve(cmd.Context(), cfg, node.NewLevels(p.Err, root), file == "")
		},
	}
	cmd.Flags().StringVar(&file, "config", "", "a server.properties file")
	cmd.Flags().StringArrayVar(&overrides, "override", nil, "a property=value that wins over the file (may be repeated)")
	cmd.Flags().StringVar(&level, "log-level", "WARN", "TRACE, DEBUG, INFO, WARN, ERROR or FATAL; can be changed per subsystem at run time")
	return cmd
}

// loadConfig reads the file and prints what it warns about.
func (p Program) loadConfig(file string, overrides []string) (*config.Broker, error) {
	src := config.Source{Overrides: overrides}
	if file != "" {
		data, err := p.Env.FS.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("--config: %w", err)
		}
		src.File = append([]byte{}, data...)
	}
	cfg, warnings, err := config.Load(src)
	for _, w := range warnings {
		fmt.Fprintf(p.Err, "gregor: warning: %s\n", w)
	}
	return cfg, err
}

// sameSignal is how soon a second signal is still the first one: timeout(1) and
// terminals send it to the process and to its group.
const sameSignal = 100 * time.Millisecond

// serve runs a broker until a signal or a failure. The second signal ends the
// process at once.
func (p Program) serve(ctx context.Context, cfg *config.Broker, levels *node.Levels, profile bool) error {
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT)
	defer signal.Stop(signals)
	defer p.stacksOnQuit(ctx)()
	began := p.Env.Clock.Now()
	starting, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	group := run.NewGroup(ctx)
	var n *node.Node
	started := make(chan error, 1)
	group.Go("start", func(context.Context) error {
		var err error
		n, err = node.Start(starting, node.Options{Config: cfg, Env: p.Env, Levels: levels})
		started <- err
		return nil
	})
	select {
	case err := <-started:
		if err != nil {
			return err
		}
	case <-signals:
		cancel(errors.New("interrupted while starting"))
		err := <-started
		if err == nil {
			err = p.stop(ctx, n, signals)
		}
		return err
	}
	p.screen(n, profile, p.Env.Clock.Now().Sub(began))
	select {
	case s := <-signals:
		levels.Logger("node").LogAttrs(ctx, slog.LevelInfo, "stopping", slog.String("signal", s.String()))
		return p.stop(ctx, n, signals)
	case <-n.Done():
		if err := p.stop(ctx, n, signals); err != nil {
			return err // with what ended the node
		}
		return n.Err()
	}
}

func (p Program) stop(ctx context.Context, n *node.Node, signals <-chan os.Signal) error {
	ctx, cancel := context.WithTimeout(ctx, stopTimeout)
	defer cancel()
	group := run.NewGroup(ctx)
	done := make(chan error, 1)
	group.Go("stop", func(ctx context.Context) error {
		done <- n.Stop(ctx)
		return nil
	})
	began := p.Env.Clock.Now()
	for {
		select {
		case err := <-done:
			return err
		case <-signals:
			if p.Env.Clock.Now().Sub(began) < sameSignal {
				continue
			}
		}
		fmt.Fprintln(p.Err, "gregor: second signal: exiting at once; the next start recovers the logs")
		p.Exit(1)
		return errors.New("interrupted while stopping")
	}
}
