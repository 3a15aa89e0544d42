package groups

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kadm"

	"github.com/gregor-mq/gregor/cli/reach"
	"github.com/gregor-mq/gregor/cli/term"
	"github.com/gregor-mq/gregor/zk"
)

// verbs is what all verbs share.
type verbs struct {
	term  term.Term
	zk    reach.ZooKeeper
	kafka reach.Kafka
	json  bool
}

// Command returns `gregor groups`.
func Command(t term.Term) *cobra.Command {
	v := &verbs{term: t}
	cmd := &cobra.Command{
		Use:   "groups",
		Short: "Consumer groups, with offsets in ZooKeeper and in Kafka alike",
		Long: "Consumer groups, those of old consumers with offsets in ZooKeeper and those of Kafka's coordinators alike.\n" +
			"With --zookeeper alone the brokers are found there; with --bootstrap-server alone only Kafka's groups are seen;\n" +
			"with neither it is --zookeeper " + reach.DefaultZooKeeper + ".\n\n" +
			"reset, delete and migrate tell what they would do and do it with --execute only. They refuse groups that have\n" +
			"members, and the server makes sure of that in the same step.",
		Example: "  gregor groups list\n" +
			"  gregor groups describe --group g\n" +
			"  gregor groups reset --group g --topic orders --to-earliest --execute\n" +
			"  gregor groups migrate --group g --from zookeeper --to kafka --execute",
	}
	v.zk.Flags(cmd, "")
	v.kafka.Flags(cmd)
	cmd.PersistentFlags().BoolVar(&v.json, "json", false, "print JSON, a line per group")
	cmd.AddCommand(v.list(), v.describe(), v.reset(), v.delete(), v.migrate())
	term.Verbs(cmd)
	return cmd
}

// place is where groups are, while a verb runs.
type place struct {
	verbs  *verbs
	stores []store
	adm    *kadm.Client
	// absent is why no broker answers; nil when one does. Groups in ZooKeeper can
	// then still be looked at.
	absent error
	close  func()
}

// run returns what cobra calls for a verb: it connects for its time.
func (v *verbs) run(f func(ctx context.Context, p *place) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, _ []string) error {
		ctx, stop := v.term.UntilInterrupted(cmd.Context())
		defer stop()
		p, err := v.connect(ctx)
		if err != nil {
			return err
		}
		defer p.close()
		return reach.Denied(f(ctx, p))
	}
}

func (v *verbs) connect(ctx context.Context) (*place, error) {
	p := &place{verbs: v, close: func() {}}
	if v.zk.Connect == "" && len(v.kafka.Bootstrap) == 0 {
		v.zk.Connect = reach.DefaultZooKeeper
	}
	if v.zk.Connect == "" {
		return p, p.connectKafka(ctx, v.kafka)
	}
	s, err := v.zk.Dial(ctx, v.term.Env)
	if err != nil {
		return nil, err
	}
	p.close = func() {
		closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), reach.ConnectTimeout)
		defer cancel()
		// A session that was not closed ends by itself: no reason to fail.
		_ = s.Close(closing)
	}
	p.stores = append(p.stores, zkStore{s})
	kafka := v.kafka
	if len(kafka.Bootstrap) == 0 {
		kafka.Bootstrap, err = reach.Brokers(ctx, s)
		if errors.Is(err, zk.ErrNoNode) {
			err = cmp.Or(v.zk.CheckChroot(ctx, s), err)
			p.close()
			return nil, err
		}
	}
	if err == nil {
		err = p.connectKafka(ctx, kafka)
	}
	if err != nil {
		p.absent = err
		fmt.Fprintf(v.term.Err, "gregor: warning: groups in Kafka and the ends of logs are not known: %v (--bootstrap-server names others)\n", err)
	}
	return p, nil
}

func (p *place) connectKafka(ctx context.Context, kafka reach.Kafka) error {
	client, err := kafka.Client(ctx, p.verbs.term.Env)
	if err != nil {
		return err
	}
	p.adm = kadm.NewClient(client)
	p.stores = append(p.stores, kafkaStore{p.adm, p.verbs.term.Env.Clock})
	closeSession := p.close
	p.close = func() { client.Close(); closeSession() }
	return nil
}

// checkName refuses what would be the path of something else.
func checkName(group string) error {
	switch {
	case group == "":
		return errors.New("--group is missing")
	case group == "." || group == ".." || strings.ContainsAny(group, "/\x00"):
		return fmt.Errorf("--group %q: no name of a group is . or .., or has a slash", group)
	}
	return nil
}

// of returns the stores of a kind, all for "".
func (p *place) of(kind string) ([]store, error) {
	if kind == "" {
		return p.stores, nil
	}
	if kind != inZooKeeper && kind != inKafka {
		return nil, fmt.Errorf("%q: want %s or %s", kind, inZooKeeper, inKafka)
	}
	for _, s := range p.stores {
		if s.kind() == kind {
			return []store{s}, nil
		}
	}
	if kind == inKafka {
		return nil, fmt.Errorf("groups in Kafka: %w", p.absent)
	}
	return nil, errors.New("groups in ZooKeeper need --zookeeper")
}

// one finds the one store that has a group.
func (p *place) one(ctx context.Context, name, kind string) (store, *group, error) {
	stores, err := p.of(kind)
	if err != nil {
		return nil, nil, err
	}
	var found store
	var g *group
	for _, s := range stores {
		got, err := s.read(ctx, name)
		switch {
		case err != nil && kind == "" && len(stores) > 1:
			return nil, nil, fmt.Errorf("%w (--kind leaves %s out)", err, s.kind())
		case err != nil:
			return nil, nil, err
		case got != nil && g != nil:
			return nil, nil, fmt.Errorf("group %s is in ZooKeeper and in Kafka: choose with --kind", name)
		case got != nil:
			found, g = s, got
		}
	}
	if g == nil {
		return nil, nil, noGroup(name, stores)
	}
	return found, g, nil
}

// errNoGroup says that a group is in none of the places that were looked at.
var errNoGroup = errors.New("there is none")

func noGroup(name string, stores []store) error {
	return fmt.Errorf("group %s: %w in %s", name, errNoGroup, kindsOf(stores))
}

// idleBeside refuses to change a group in Kafka that has members in ZooKeeper:
// theirs are the offsets that dual.commit.enabled and offsets.storage=kafka keep
// there, and the coordinator knows nothing of them.
func (p *place) idleBeside(ctx context.Context, s store, name string) error {
	if s.kind() != inKafka {
		return nil
	}
	for _, other := range p.stores {
		if other.kind() != inZooKeeper {
			continue
		}
		g, err := other.read(ctx, name)
		if err != nil {
			return err
		}
		if g != nil {
			return g.idle()
		}
	}
	return nil
}

func kindsOf(stores []store) string {
	var words []string
	for _, s := range stores {
		words = append(words, s.kind())
	}
	return strings.Join(words, " or ")
}
