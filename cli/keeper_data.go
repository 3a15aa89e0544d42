package cli

import (
	"errors"
	"fmt"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/gregor-mq/gregor/keeper"
)

// keeperImportCommand takes over what an Apache ZooKeeper stored.
func (p Program) keeperImportCommand() *cobra.Command {
	var from, logFrom, file, to string
	cmd := &cobra.Command{
		Use:   "import",
		Short: "Make a keeper's directory of the data of an Apache ZooKeeper",
		Long: "Make a keeper's directory of the data of an Apache ZooKeeper, 3.4 to 3.9, that was stopped.\n" +
			"Nodes, ACLs, versions, times and zxids stay what they are; so do sessions with their ephemeral nodes.\n" +
			"The keeper's directory must not exist, or be empty.",
		Example: "  gregor keeper import --from /var/lib/zookeeper --config zoo.cfg\n" +
			"  gregor keeper import --from /var/lib/zookeeper --log-from /var/log/zookeeper --to /var/lib/gregor/keeper",
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			cfg, err := p.importConfig(file, to)
			if err != nil {
				return err
			}
			got, err := keeper.Import(p.Env, from, logFrom, cfg)
			if err != nil {
				return err
			}
			p.warn(got.Warnings)
			p.tellImported(got, cfg, file == "")
			return nil
		},
	}
	f := cmd.Flags()
	f.StringVar(&from, "from", "", "ZooKeeper's dataDir")
	f.StringVar(&logFrom, "log-from", "", "ZooKeeper's dataLogDir, when it is another one")
	f.StringVar(&file, "config", "", "the keeper's zoo.cfg, whose dataDir and dataLogDir are made")
	f.StringVar(&to, "to", "", "the keeper's dataDir, instead of --config")
	_ = cmd.MarkFlagRequired("from")
	return cmd
}

// importConfig says where a keeper's directories are to be.
func (p Program) importConfig(file, to string) (keeper.Config, error) {
	switch {
	case (file == "") == (to == ""):
		return keeper.Config{}, errors.New("--config or --to: one of them says where the keeper's data is to be")
	case to != "":
		// Whether its zoo.cfg will allow times to live is not known here.
		return keeper.Config{DataDir: to, ExtendedTypes: true}, nil
	}
	return p.loadZooCfg(file, nil)
}

func (p Program) tellImported(got *keeper.Imported, cfg keeper.Config, unconfigured bool) {
	w := p.Out
	snapshot := "no snapshot"
	if got.Snapshot != "" {
		snapshot = got.Snapshot
	}
	fmt.Fprintf(w, "snapshot:    %s\n", snapshot)
	for _, l := range got.Logs {
		fmt.Fprintf(w, "log:         %s\n", l)
	}
	fmt.Fprintf(w, "transactions after the snapshot: %d\n", got.Txns)
	fmt.Fprintf(w, "last zxid:   0x%x\n", got.Zxid)
	fmt.Fprintf(w, "znodes:      %d\n", got.Nodes)
	fmt.Fprintf(w, "sessions:    %d\n", got.Sessions)
	fmt.Fprintf(w, "ephemerals:  %d\n", got.Ephemerals)
	if got.Dead > 0 {
		fmt.Fprintf(w, "left out:    %d ephemerals whose sessions had ended\n", got.Dead)
	}
	if got.TTLs > 0 {
		fmt.Fprintf(w, "with a TTL:  %d\n", got.TTLs)
		if unconfigured {
			fmt.Fprintln(p.Err, "gregor: warning: nodes with a TTL need extendedTypesEnabled=true in the keeper's zoo.cfg")
		}
	}
	if got.Checked {
		fmt.Fprintln(w, "digest:      the one that ZooKeeper noted")
	}
	fmt.Fprintf(w, "made:        %s\n", cfg.DataDir)
}

// keeperExportCommand is the way back.
func (p Program) keeperExportCommand() *cobra.Command {
	var from, logFrom, to string
	cmd := &cobra.Command{
		Use:   "export",
		Short: "Write the data of a stopped keeper as a dataDir of Apache ZooKeeper",
		Long: "Write the data of a stopped keeper as a dataDir of Apache ZooKeeper, 3.5 or later.\n" +
			"The keeper's directory does not change; the other one must not exist, or be empty.",
		Example: "  gregor keeper export --from /var/lib/gregor/keeper --to /var/lib/zookeeper",
		Args:    cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			got, err := keeper.Export(p.Env, from, logFrom, to)
			if err != nil {
				return err
			}
			p.warn(got.Warnings)
			fmt.Fprintf(p.Out, "last zxid:   0x%x\nznodes:      %d\nsessions:    %d\nephemerals:  %d\n", got.Zxid, got.Nodes, got.Sessions, got.Ephemerals)
			if got.Ended > 0 {
				fmt.Fprintf(p.Out, "left out:    %d sessions of the keeper's own process\n", got.Ended)
			}
			fmt.Fprintf(p.Out, "made:        %s\n", filepath.Clean(got.File))
			return nil
		},
	}
	f := cmd.Flags()
	f.StringVar(&from, "from", "", "the keeper's dataDir")
	f.StringVar(&logFrom, "log-from", "", "the keeper's dataLogDir, when it is another one")
	f.StringVar(&to, "to", "", "ZooKeeper's dataDir")
	_, _ = cmd.MarkFlagRequired("from"), cmd.MarkFlagRequired("to")
	return cmd
}

// keeperCheckCommand looks whether data is whole.
func (p Program) keeperCheckCommand() *cobra.Command {
	var dir, logDir string
	cmd := &cobra.Command{
		Use:   "check",
		Short: "Check the data of a stopped keeper, or of a stopped Apache ZooKeeper",
		Long: "Check the data of a stopped keeper, or of a stopped Apache ZooKeeper: every file, and that they lead to a whole\n" +
			"tree. Nothing is changed. Damage is named with its file and byte, and the exit code is 1.",
		Example: "  gregor keeper check --dir /var/lib/gregor/keeper",
		Args:    cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			if err := keeper.Check(p.Env, dir, logDir, func(line string) { fmt.Fprintln(p.Out, line) }); err != nil {
				return err
			}
			_, err := fmt.Fprintln(p.Out, "all is whole")
			return err
		},
	}
	f := cmd.Flags()
	f.StringVar(&dir, "dir", "", "dataDir")
	f.StringVar(&logDir, "log-dir", "", "dataLogDir, when it is another one")
	_ = cmd.MarkFlagRequired("dir")
	return cmd
}

func (p Program) warn(warnings []string) {
	for _, w := range warnings {
		fmt.Fprintf(p.Err, "gregor: warning: %s\n", w)
	}
}
