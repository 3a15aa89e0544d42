package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/gregor-mq/gregor/cli/term"
)

// defaultClusterDir is where a local cluster lives when no directory is named.
const defaultClusterDir = "./gregor-cluster"

func (p Program) clusterCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "cluster",
		Short: "A local cluster of processes: brokers, and a keeper of their own",
		Long: "A local cluster of processes: brokers, and a keeper of their own, on loopback only.\n" +
			"Its directory keeps everything; `up` on the same directory continues the cluster.",
	}
	cmd.AddCommand(p.clusterUpCommand(), p.clusterStatusCommand(), p.clusterDownCommand())
	term.Verbs(cmd)
	return cmd
}

// dirFlag adds --dir, which all verbs of a cluster have.
func dirFlag(cmd *cobra.Command, dir *string) {
	cmd.Flags().StringVar(dir, "dir", defaultClusterDir, "the directory of the cluster")
}

func (p Program) clusterUpCommand() *cobra.Command {
	var dir string
	var o upOptions
	cmd := &cobra.Command{
		Use:   "up",
		Short: "Run the cluster until Ctrl-C or SIGTERM",
		Long: "Run the cluster until Ctrl-C or SIGTERM; a second one exits at once. Brokers get the ports from --port on,\n" +
			"the keeper --keeper-port. Properties of a broker lie in its server.properties, which is written once and then yours.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			given := map[string]int{}
			for name, value := range map[string]int{brokersKey: o.shape.brokers, portKey: o.shape.port, keeperPortKey: o.shape.keeperPort} {
				if cmd.Flags().Changed(flagOf(name)) {
					given[name] = value
				}
			}
			return p.clusterUp(cmd.Context(), dir, o, given)
		},
	}
	dirFlag(cmd, &dir)
	cmd.Flags().IntVar(&o.shape.brokers, flagOf(brokersKey), 3, "how many brokers")
	cmd.Flags().IntVar(&o.shape.port, flagOf(portKey), 9092, "the port of broker 0; the others follow")
	cmd.Flags().IntVar(&o.shape.keeperPort, flagOf(keeperPortKey), 2181, "the port of the keeper")
	cmd.Flags().StringArrayVar(&o.overrides, "override", nil, "a property=value that wins over every broker's file (may be repeated)")
	cmd.Flags().StringVar(&o.level, "log-level", "WARN", "TRACE, DEBUG, INFO, WARN, ERROR or FATAL, of all processes")
	return cmd
}

func (p Program) clusterStatusCommand() *cobra.Command {
	var dir string
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Print who runs, who is the controller, and which partitions are under-replicated",
		Long:  "Print who runs, who is the controller, and which partitions are under-replicated. The exit code is 0 when all is well.",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			d, err := p.openCluster(dir)
			if err != nil {
				return err
			}
			return p.clusterStatus(cmd.Context(), d)
		},
	}
	dirFlag(cmd, &dir)
	return cmd
}

func (p Program) clusterDownCommand() *cobra.Command {
	var dir string
	cmd := &cobra.Command{
		Use:   "down",
		Short: "Stop a cluster that runs elsewhere, cleanly; its data stays",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			d, err := p.openCluster(dir)
			if err != nil {
				return err
			}
			return p.clusterDown(cmd.Context(), d)
		},
	}
	dirFlag(cmd, &dir)
	return cmd
}

// openCluster finds the cluster that lives in a directory.
func (p Program) openCluster(dir string) (*clusterDir, error) {
	d, err := newClusterDir(p.Env.FS, dir)
	if err != nil {
		return nil, err
	}
	found, err := d.load()
	if err == nil && !found {
		err = fmt.Errorf("--dir %s: there is no cluster here; `gregor cluster up --dir %s` makes one", dir, dir)
	}
	return d, err
}
