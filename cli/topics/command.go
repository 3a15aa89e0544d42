package topics

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/gregor-mq/gregor/cli/reach"
	"github.com/gregor-mq/gregor/cli/term"
)

// verbs is what all verbs share.
type verbs struct {
	term  term.Term
	kafka reach.Kafka
	json  bool
}

// Command returns `gregor topics`.
func Command(t term.Term) *cobra.Command {
	v := &verbs{term: t}
	cmd := &cobra.Command{
		Use:   "topics",
		Short: "List, describe, make, alter and delete topics",
		Example: "  gregor topics list\n" +
			"  gregor topics create orders --partitions 6 --config retention.ms=3600000\n" +
			"  gregor topics describe orders\n" +
			"  gregor topics alter orders --partitions 12 --config cleanup.policy=compact --delete-config retention.ms",
	}
	v.kafka.Flags(cmd, reach.DefaultBootstrap)
	cmd.PersistentFlags().BoolVar(&v.json, "json", false, "print JSON, a line per topic")
	cmd.AddCommand(v.list(), v.describe(), v.create(), v.alter(), v.delete())
	term.Verbs(cmd)
	return cmd
}

// run returns what cobra calls for a verb: it connects for its time.
func (v *verbs) run(f func(ctx context.Context, adm *kadm.Client, topics []string) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, topics []string) error {
		if slices.Contains(topics, "") { // of other names the brokers are the judge
			return reach.CheckTopic("")
		}
		ctx, stop := v.term.UntilInterrupted(cmd.Context())
		defer stop()
		client, err := v.kafka.Client(ctx, v.term.Env)
		if err != nil {
			return err
		}
		defer client.Close()
		return f(ctx, kadm.NewClient(client), topics)
	}
}

// done says what became of each topic, in the order of their names, and returns
// the errors.
func (v *verbs) done(what string, outcomes map[string]error) error {
	var failed []error
	for _, topic := range sortedKeys(outcomes) {
		if err := outcomes[topic]; err != nil {
			failed = append(failed, fmt.Errorf("topic %s: %w", topic, err))
			continue
		}
		if v.json {
			if err := v.term.JSON(map[string]string{"topic": topic, "done": what}); err != nil {
				return err
			}
			continue
		}
		fmt.Fprintf(v.term.Out, "topic %s is %s\n", topic, what)
	}
	return errors.Join(failed...)
}

// refused is an error of a broker with the broker's own words, which tell more than
// what the error means in general.
type refused struct {
	code  *kerr.Error
	words string
}

// Error implements error.
func (r *refused) Error() string { return r.code.Message + ": " + r.words }

// Unwrap returns the error that the words are about.
func (r *refused) Unwrap() error { return r.code }

// refusal joins an error with the broker's words.
func refusal(err error, words string) error {
	var code *kerr.Error
	if words == "" || !errors.As(err, &code) {
		return err
	}
	return &refused{code, words}
}

func sortedKeys[V any](m map[string]V) []string {
	out := make([]string, 0, len(m))
	for k := range m {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}

// settings reads NAME=VALUE.
func settings(flag string, list []string) (map[string]*string, error) {
	out := map[string]*string{}
	for _, s := range list {
		name, value, ok := strings.Cut(s, "=")
		if !ok || name == "" {
			return nil, fmt.Errorf("--%s %q: want NAME=VALUE", flag, s)
		}
		out[name] = &value
	}
	return out, nil
}
