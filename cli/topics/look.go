package topics

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/gregor-mq/gregor/cli/term"
)

// topicJSON is a line of JSON of list and describe.
type topicJSON struct {
	Topic      string            `json:"topic"`
	ID         string            `json:"id,omitempty"`
	Partitions []partitionJSON   `json:"partitions"`
	Config     map[string]string `json:"config,omitempty"`
}

type partitionJSON struct {
	Partition int32   `json:"partition"`
	Leader    int32   `json:"leader"`
	Replicas  []int32 `json:"replicas"`
	InSync    []int32 `json:"in_sync"`
}

func (v *verbs) list() *cobra.Command {
	var internal bool
	cmd := &cobra.Command{
		Use:     "list",
		Short:   "List topics with their partitions and replicas",
		Example: "  gregor topics list\n  gregor topics list --internal --json",
		Args:    cobra.NoArgs,
		RunE: v.run(func(ctx context.Context, adm *kadm.Client, _ []string) error {
			all, err := adm.ListTopicsWithInternal(ctx)
			if err != nil {
				return fmt.Errorf("list topics: %w", err)
			}
			var rows [][]string
			for _, t := range all.Sorted() {
				if t.IsInternal && !internal {
					continue
				}
				if v.json {
					if err := v.term.JSON(look(t, nil)); err != nil {
						return err
					}
					continue
				}
				rows = append(rows, []string{t.Topic, fmt.Sprint(len(t.Partitions)), fmt.Sprint(t.Partitions.NumReplicas()), fmt.Sprint(under(t))})
			}
			if v.json {
				return nil
			}
			return v.term.Table([]string{"TOPIC", "PARTITIONS", "REPLICAS", "UNDER-REPLICATED"}, rows)
		}),
	}
	cmd.Flags().BoolVar(&internal, "internal", false, "Kafka's own topics too")
	return cmd
}

// under counts partitions with fewer replicas in sync than they have.
func under(t kadm.TopicDetail) (n int) {
	for _, p := range t.Partitions {
		if len(p.ISR) < len(p.Replicas) {
			n++
		}
	}
	return n
}

func look(t kadm.TopicDetail, config map[string]string) topicJSON {
	j := topicJSON{Topic: t.Topic, Partitions: []partitionJSON{}, Config: config}
	if t.ID != (kadm.TopicID{}) {
		j.ID = base64.RawURLEncoding.EncodeToString(t.ID[:]) // as Kafka writes it
	}
	for _, p := range t.Partitions.Sorted() {
		j.Partitions = append(j.Partitions, partitionJSON{p.Partition, p.Leader, p.Replicas, p.ISR})
	}
	return j
}

func (v *verbs) describe() *cobra.Command {
	return &cobra.Command{
		Use:     "describe TOPIC...",
		Short:   "Print partitions, and configuration that differs from the brokers'",
		Example: "  gregor topics describe orders",
		Args:    cobra.MinimumNArgs(1),
		RunE: v.run(func(ctx context.Context, adm *kadm.Client, topics []string) error {
			all, err := adm.ListTopicsWithInternal(ctx, topics...)
			if err != nil {
				return fmt.Errorf("describe topics: %w", err)
			}
			var failed []error
			for _, topic := range topics {
				t := all[topic]
				if t.Err != nil {
					failed = append(failed, fmt.Errorf("topic %s: %w", topic, t.Err))
					continue
				}
				config, err := overrides(ctx, adm, topic)
				if err != nil {
					failed = append(failed, err)
					continue
				}
				if err := v.show(t, config); err != nil {
					return err
				}
			}
			return errors.Join(failed...)
		}),
	}
}

// overrides returns the settings that are the topic's own.
func overrides(ctx context.Context, adm *kadm.Client, topic string) (map[string]string, error) {
	described, err := adm.DescribeTopicConfigs(ctx, topic)
	if err != nil {
		return nil, fmt.Errorf("configuration of topic %s: %w", topic, err)
	}
	out := map[string]string{}
	for _, r := range described {
		if r.Err != nil {
			return nil, fmt.Errorf("configuration of topic %s: %w", topic, refusal(r.Err, r.ErrMessage))
		}
		for _, c := range r.Configs {
			if c.Source == kmsg.ConfigSourceDynamicTopicConfig {
				out[c.Key] = c.MaybeValue()
			}
		}
	}
	return out, nil
}

func (v *verbs) show(t kadm.TopicDetail, config map[string]string) error {
	j := look(t, config)
	if v.json {
		return v.term.JSON(j)
	}
	fmt.Fprintf(v.term.Out, "topic %s: %s", t.Topic, term.Count(len(j.Partitions), "partition"))
	if j.ID != "" {
		fmt.Fprintf(v.term.Out, ", id %s", j.ID)
	}
	fmt.Fprintln(v.term.Out)
	for _, name := range sortedKeys(config) {
		fmt.Fprintf(v.term.Out, "  %s=%s\n", name, config[name])
	}
	var rows [][]string
	for _, p := range j.Partitions {
		leader := "none"
		if p.Leader >= 0 {
			leader = fmt.Sprint(p.Leader)
		}
		rows = append(rows, []string{fmt.Sprint(p.Partition), leader, ids(p.Replicas), ids(p.InSync), ids(missing(p))})
	}
	if err := v.term.Table([]string{"PARTITION", "LEADER", "REPLICAS", "IN SYNC", "OUT OF SYNC"}, rows); err != nil {
		return err
	}
	_, err := fmt.Fprintln(v.term.Out)
	return err
}

// missing are the replicas that are not in sync.
func missing(p partitionJSON) []int32 {
	return slices.DeleteFunc(slices.Clone(p.Replicas), func(id int32) bool { return slices.Contains(p.InSync, id) })
}

func ids(list []int32) string {
	if len(list) == 0 {
		return "-"
	}
	words := make([]string, len(list))
	for i, id := range list {
		words[i] = fmt.Sprint(id)
	}
	return strings.Join(words, ",")
}
