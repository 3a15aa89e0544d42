package topics

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kadm"
)

func (v *verbs) create() *cobra.Command {
	var partitions int32
	var replicas int16
	var config []string
	var dry bool
	cmd := &cobra.Command{
		Use:   "create TOPIC...",
		Short: "Make topics",
		Example: "  gregor topics create orders\n" +
			"  gregor topics create orders --partitions 6 --replicas 3 --config min.insync.replicas=2",
		Args: cobra.MinimumNArgs(1),
		RunE: v.run(func(ctx context.Context, adm *kadm.Client, topics []string) error {
			if partitions == 0 || partitions < -1 || replicas == 0 || replicas < -1 {
				return fmt.Errorf("--partitions %d --replicas %d: want 1 or more, or -1 for the brokers' default", partitions, replicas)
			}
			set, err := settings("config", config)
			if err != nil {
				return err
			}
			ask, word := adm.CreateTopics, "made"
			if dry {
				ask, word = adm.ValidateCreateTopics, "fit to be made"
			}
			answers, err := ask(ctx, partitions, replicas, set, topics...)
			if err != nil {
				return fmt.Errorf("make topics: %w", err)
			}
			outcomes := map[string]error{}
			for topic, a := range answers {
				outcomes[topic] = refusal(a.Err, a.ErrMessage)
			}
			return v.done(word, outcomes)
		}),
	}
	cmd.Flags().Int32Var(&partitions, "partitions", -1, "how many partitions; -1 for the brokers' num.partitions")
	cmd.Flags().Int16Var(&replicas, "replicas", -1, "how many replicas of each; -1 for the brokers' default.replication.factor")
	cmd.Flags().StringArrayVar(&config, "config", nil, "a setting `NAME=VALUE` of the topic (may be repeated)")
	cmd.Flags().BoolVar(&dry, "dry-run", false, "only check whether the brokers would do it")
	return cmd
}

func (v *verbs) delete() *cobra.Command {
	return &cobra.Command{
		Use:     "delete TOPIC...",
		Short:   "Delete topics with all their records",
		Example: "  gregor topics delete orders",
		Args:    cobra.MinimumNArgs(1),
		RunE: v.run(func(ctx context.Context, adm *kadm.Client, topics []string) error {
			answers, err := adm.DeleteTopics(ctx, topics...)
			if err != nil {
				return fmt.Errorf("delete topics: %w", err)
			}
			outcomes := map[string]error{}
			for topic, a := range answers {
				outcomes[topic] = refusal(a.Err, a.ErrMessage)
			}
			return v.done("deleted", outcomes)
		}),
	}
}

func (v *verbs) alter() *cobra.Command {
	var partitions int
	var config, remove []string
	var dry bool
	cmd := &cobra.Command{
		Use:   "alter TOPIC...",
		Short: "Add partitions to topics, and change their configuration",
		Long: "Add partitions to topics, and change their configuration. Partitions cannot become fewer, and keys of a topic\n" +
			"that gets more go to other partitions from then on.",
		Example: "  gregor topics alter orders --partitions 12\n" +
			"  gregor topics alter orders --config retention.ms=3600000 --delete-config cleanup.policy",
		Args: cobra.MinimumNArgs(1),
		RunE: v.run(func(ctx context.Context, adm *kadm.Client, topics []string) error {
			set, err := settings("config", config)
			if err != nil {
				return err
			}
			var changes []kadm.AlterConfig
			for _, name := range sortedKeys(set) {
				changes = append(changes, kadm.AlterConfig{Op: kadm.SetConfig, Name: name, Value: set[name]})
			}
			for _, name := range remove {
				changes = append(changes, kadm.AlterConfig{Op: kadm.DeleteConfig, Name: name})
			}
			if len(changes) == 0 && partitions == 0 {
				return errors.New("nothing to alter: name --partitions, --config or --delete-config")
			}
			outcomes := map[string]error{}
			if err := alterConfig(ctx, adm, changes, dry, topics, outcomes); err != nil {
				return err
			}
			if err := addPartitions(ctx, adm, partitions, dry, topics, outcomes); err != nil {
				return err
			}
			if dry {
				return v.done("fit to be altered", outcomes)
			}
			return v.done("altered", outcomes)
		}),
	}
	cmd.Flags().IntVar(&partitions, "partitions", 0, "how many partitions there shall be in all")
	cmd.Flags().StringArrayVar(&config, "config", nil, "a setting `NAME=VALUE` to make (may be repeated)")
	cmd.Flags().StringArrayVar(&remove, "delete-config", nil, "the `NAME` of a setting to remove: the brokers' own holds again (may be repeated)")
	cmd.Flags().BoolVar(&dry, "dry-run", false, "only check whether the brokers would do it")
	return cmd
}

func alterConfig(ctx context.Context, adm *kadm.Client, changes []kadm.AlterConfig, dry bool, topics []string, outcomes map[string]error) error {
	if len(changes) == 0 {
		return nil
	}
	ask := adm.AlterTopicConfigs
	if dry {
		ask = adm.ValidateAlterTopicConfigs
	}
	answers, err := ask(ctx, changes, topics...)
	if err != nil {
		return fmt.Errorf("alter the configuration: %w", err)
	}
	for _, a := range answers {
		outcomes[a.Name] = refusal(a.Err, a.ErrMessage)
	}
	return nil
}

// addPartitions leaves topics alone whose configuration could not be altered.
func addPartitions(ctx context.Context, adm *kadm.Client, count int, dry bool, topics []string, outcomes map[string]error) error {
	var left []string
	for _, t := range topics {
		if outcomes[t] == nil {
			left = append(left, t)
		}
	}
	if count == 0 || len(left) == 0 {
		return nil
	}
	ask := adm.UpdatePartitions
	if dry {
		ask = adm.ValidateUpdatePartitions
	}
	answers, err := ask(ctx, count, left...)
	if err != nil {
		return fmt.Errorf("add partitions: %w", err)
	}
	for topic, a := range answers {
		outcomes[topic] = refusal(a.Err, a.ErrMessage)
	}
	return nil
}
