package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/gregor-mq/gregor/keeper"
	"github.com/gregor-mq/gregor/node"
)

// defaultZooCfg is what the keeper runs with when no file is named: one
// machine, loopback.
const defaultZooCfg = "dataDir=./gregor-data/keeper\nclientPort=2181\nclientPortAddress=127.0.0.1\n4lw.commands.whitelist=*\nadmin.enableServer=false\n"

func (p Program) keeperCommand() *cobra.Command {
	var file, level string
	var overrides []string
	cmd := &cobra.Command{
		Use:   "keeper",
		Short: "Run the ZooKeeper alone",
		Long:  "Run the ZooKeeper alone. Property names are those of zoo.cfg; without --config it listens on 127.0.0.1:2181.",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := p.loadZooCfg(file, overrides)
			if err != nil {
				return err
			}
			root, err := node.ParseLevel(level)
			if err != nil {
				return err
			}
			return p.keep(cmd.Context(), cfg, node.NewLevels(p.Err, root))
		},
	}
	cmd.Flags().StringVar(&file, "config", "", "a zoo.cfg file")
	cmd.Flags().StringArrayVar(&overrides, "override", nil, "a property=value that wins over the file (may be repeated)")
	cmd.Flags().StringVar(&level, "log-level", "WARN", "TRACE, DEBUG, INFO, WARN, ERROR or FATAL")
	cmd.AddCommand(p.keeperImportCommand(), p.keeperExportCommand(), p.keeperCheckCommand(), p.keeperBackupCommand(), p.keeperRestoreCommand())
	return cmd
}

// loadZooCfg reads the file; overrides are lines behind it, and the last line
// of a property wins.
func (p Program) loadZooCfg(file string, overrides []string) (keeper.Config, error) {
	src := []byte(defaultZooCfg)
	if file != "" {
		var err error
		if src, err = p.Env.FS.ReadFile(file); err != nil {
			return keeper.Config{}, fmt.Errorf("--config: %w", err)
		}
	}
	for _, o := range overrides {
		if !strings.Contains(o, "=") {
			return keeper.Config{}, fmt.Errorf("--override %q: must be property=value", o)
		}
		src = append(append(src, '\n'), o...)
	}
	cfg, warnings, err := keeper.LoadZooCfg(p.Env.FS, src)
	for _, w := range warnings {
		fmt.Fprintf(p.Err, "gregor: warning: %s\n", w)
	}
	return cfg, err
}

func (p Program) keep(ctx context.Context, cfg keeper.Config, levels *node.Levels) error {
	signals, reload := make(chan os.Signal, 2), make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT)
	signal.Notify(reload, syscall.SIGHUP)
	defer signal.Stop(signals)
	defer signal.Stop(reload)
	defer p.stacksOnQuit(ctx)()
	log := levels.Logger("keeper")
	if a := &cfg.Operate.Audit; a.Enable {
		a.Log = levels.Logger("audit")
		if err := levels.SetLevel("audit", "INFO"); err != nil { // whatever --log-level says
			return err
		}
	}
	k, err := keeper.Start(ctx, cfg, p.Env, log)
	if err != nil {
		return err
	}
	for _, a := range k.Addrs() {
		fmt.Fprintf(p.Out, "gregor keeper listens on %s, data in %s\n", a, cfg.DataDir)
	}
	if n := len(cfg.Servers); n > 1 {
		fmt.Fprintf(p.Out, "it is member %d of %d and serves clients once it hears a leader\n", cfg.Member, n)
	}
	for _, what := range []string{"admin", "metrics"} {
		if a := k.SiteAddr(what); a != nil {
			fmt.Fprintf(p.Out, "gregor keeper serves %s over HTTP on %s\n", what, a)
		}
	}
	for {
		select {
		case <-reload:
			if err := k.ReloadCertificates(); err != nil {
				log.Error("certificates cannot be loaded again, the former ones stay", "error", err)
			}
		case <-signals:
			ctx, cancel := context.WithTimeout(ctx, stopTimeout)
			defer cancel()
			return k.Stop(ctx)
		case <-k.Done():
			return errors.Join(errors.New("the keeper ended"), k.Err())
		}
	}
}
