package records

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os/signal"
	"sort"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/gregor-mq/gregor/cli/reach"
	"github.com/gregor-mq/gregor/cli/term"
)

// consumeFlags are the flags of `gregor consume`.
type consumeFlags struct {
	kafka      reach.Kafka
	zk         reach.ZooKeeper
	storage    string
	member     string
	oldNames   bool
	topics     []string
	pattern    string
	group      string
	beginning  bool
	offset     string
	partitions []int32
	max        int64
	timeout    time.Duration
	atEnd      bool
	format     string
	print      []string
	separator  string
	isolation  string
}

// ConsumeCommand returns `gregor consume`.
func ConsumeCommand(t term.Term) *cobra.Command {
	var f consumeFlags
	cmd := &cobra.Command{
		Use:   "consume",
		Short: "Print the records of topics, a line each, until interrupted",
		Long: "Print the records of topics, a line each, until interrupted. Without --group it begins at the end, or where\n" +
			"--from-beginning or --offset say; with --group where the group's offsets are, and commits what was printed.\n\n" +
			"--format is value, json (which `gregor produce --format json` reads), or a template as kcat's -f, which says\n" +
			"itself where lines end: %s or %v value, %k key, %S %V %K their lengths, %h headers, %t topic, %p partition,\n" +
			"%o offset, %T timestamp in milliseconds, %% a percent sign, \\n \\t \\xNN.\n\n" +
			"With --zookeeper it is a member of a group of old consumers, as kafka-console-consumer.sh of 0.8 is: members find\n" +
			"each other, and keep offsets, in ZooKeeper. Those of 0.8.2 may be in the same group.",
		Example: "  gregor consume --topic greetings --from-beginning --exit-at-end\n" +
			"  gregor consume --topic orders --offset @2026-01-31T12:00:00Z --format '%t-%p %o %k %s\\n'\n" +
			"  gregor consume --topic orders --partition 0,1 --offset -10 --print key,headers\n" +
			"  gregor consume --pattern 'log-.*' --group watchers --from-beginning\n" +
			"  gregor consume --zookeeper 127.0.0.1:2181 --topic orders --group old --from-beginning",
		Args: cobra.NoArgs,
		RunE: denied(func(cmd *cobra.Command, _ []string) error {
			show, err := newLayout(f.format, f.print, f.separator)
			if err != nil {
				return err
			}
			if err := f.check(); err != nil {
				return err
			}
			// Who reads may go before this ends: the group is then to be left in order.
			signal.Ignore(syscall.SIGPIPE)
			ctx, stop := t.UntilInterrupted(cmd.Context())
			defer stop()
			s, err := openSource(ctx, t, f)
			if err != nil {
				return err
			}
			return consume(ctx, t, f, show, s)
		}),
	}
	f.flags(cmd)
	return cmd
}

func (f *consumeFlags) flags(cmd *cobra.Command) {
	f.kafka.Flags(cmd, reach.DefaultBootstrap)
	f.zk.Flags(cmd, "")
	flags := cmd.Flags()
	flags.StringVar(&f.storage, "offset-storage", "", "with --zookeeper, where the group's offsets are: zookeeper (the default), kafka or both")
	flags.StringVar(&f.member, "consumer-id", "", "with --zookeeper, the member's name in the group; host:UUID when empty")
	flags.BoolVar(&f.oldNames, "legacy-partition-names", false, "with --zookeeper, keep owners and offsets also under the names of Kafka 0.7, BROKER-PARTITION")
	flags.StringSliceVarP(&f.topics, "topic", "t", nil, "the topics, by commas (may be repeated)")
	flags.StringVar(&f.pattern, "pattern", "", "all topics whose whole name a regular expression matches, also those made later")
	flags.StringVarP(&f.group, "group", "g", "", "the consumer group to be a member of")
	flags.BoolVar(&f.beginning, "from-beginning", false, "begin at the first record, with --group where the group has no offset")
	flags.StringVarP(&f.offset, "offset", "o", "", "begin at start, end, an offset, -N (before the end), +N (after the start) or @TIME (milliseconds since 1970 or 2026-01-31T12:00:00Z)")
	flags.Int32SliceVarP(&f.partitions, "partition", "p", nil, "only these partitions, by commas")
	flags.Int64VarP(&f.max, "max-messages", "n", 0, "stop after so many records; 0 for no limit")
	flags.DurationVar(&f.timeout, "timeout", 0, "stop when no record came for so long; 0 for never")
	flags.BoolVarP(&f.atEnd, "exit-at-end", "e", false, "stop where the partitions ended at the start")
	flags.StringVarP(&f.format, "format", "f", valueFormat, "how to print a record: value, json or a template")
	flags.StringSliceVar(&f.print, "print", nil, "what to print before the value: timestamp, partition, offset, headers, key")
	flags.StringVarP(&f.separator, "key-separator", "K", `\t`, "what goes between the parts of --print")
	flags.StringVar(&f.isolation, "isolation", "read_uncommitted", "read_committed leaves out what transactions have not committed")
	cmd.MarkFlagsMutuallyExclusive("topic", "pattern")
	cmd.MarkFlagsMutuallyExclusive("from-beginning", "offset")
	for _, alone := range []string{"offset", "partition", "exit-at-end"} {
		cmd.MarkFlagsMutuallyExclusive("group", alone)
		cmd.MarkFlagsMutuallyExclusive("zookeeper", alone)
	}
	cmd.MarkFlagsMutuallyExclusive("bootstrap-server", "zookeeper")
	cmd.MarkFlagsOneRequired("topic", "pattern")
}

// check looks for what cobra does not.
func (f *consumeFlags) check() error {
	if err := reach.CheckTopics(f.topics); err != nil {
		return fmt.Errorf("--topic: %w", err)
	}
	switch {
	case f.zk.Connect != "" && f.group == "":
		return errors.New("--group is missing: consumers by ZooKeeper are members of one")
	case f.pattern != "" && (len(f.partitions) > 0 || f.atEnd):
		return errors.New("--pattern: --partition and --exit-at-end want topics by their names")
	case f.zk.Connect == "" && f.member != "":
		return errors.New("--consumer-id: only members of a group in ZooKeeper name themselves; add --zookeeper")
	case f.zk.Connect == "" && f.oldNames:
		return errors.New("--legacy-partition-names: only groups in ZooKeeper have such names; add --zookeeper")
	case f.zk.Connect == "" && f.storage != "":
		return fmt.Errorf("--offset-storage %s: groups without ZooKeeper have their offsets in Kafka; add --zookeeper", f.storage)
	case f.max < 0:
		return fmt.Errorf("--max-messages %d: want 0 or more", f.max)
	case f.timeout < 0:
		return fmt.Errorf("--timeout %v: want 0 or more", f.timeout)
	case f.isolation != "read_uncommitted" && f.isolation != "read_committed":
		return fmt.Errorf("--isolation %q: want read_uncommitted or read_committed", f.isolation)
	}
	return nil
}

// source gives records.
type source interface {
	// poll waits for records. It returns none, and no error, at the end, or when
	// ctx has ended.
	poll(ctx context.Context) ([]*kgo.Record, error)
	// printed says that records were printed, in the order they came; those that it
	// does not get before close were not.
	printed([]*kgo.Record)
	// close commits what was printed, where offsets are kept.
	close(ctx context.Context) error
}

// denied adds to a verb's errors what helps against ACLs.
func denied(f func(*cobra.Command, []string) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error { return reach.Denied(f(cmd, args)) }
}

// warner returns what tells of trouble that does not end the verb.
func warner(t term.Term) func(error) {
	return func(err error) { fmt.Fprintf(t.Err, "gregor: warning: %v\n", reach.Denied(err)) }
}

// openSource connects to where the flags say.
func openSource(ctx context.Context, t term.Term, f consumeFlags) (source, error) {
	if f.zk.Connect != "" {
		return openZkSource(ctx, t, f)
	}
	return openKafkaSource(ctx, t, f)
}

// closeTimeout bounds the last commit and the leave of a group.
const closeTimeout = 10 * time.Second

// consume prints records until the source ends, ctx does, or enough were
// printed.
func consume(ctx context.Context, t term.Term, f consumeFlags, show layout, s source) error {
	p := &printer{out: t.Out, show: show, left: f.max}
	err := p.loop(ctx, t, f.timeout, s)
	closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTimeout)
	defer cancel()
	return errors.Join(err, s.close(closing))
}

// printer writes records.
type printer struct {
	out  io.Writer
	show layout
	left int64 // how many records may still be printed; 0 for no limit
	// buf is what is to be written next, ends where its records end.
	buf  []byte
	ends []int
}

// writeBuffer is after how many bytes they are written.
const writeBuffer = 256 << 10

var errIdle = errors.New("no record came for --timeout")

func (p *printer) loop(ctx context.Context, t term.Term, idle time.Duration, s source) error {
	for {
		waiting, cancel := context.WithCancelCause(ctx)
		stop := func() bool { return true }
		if idle > 0 {
			stop = t.Env.Clock.AfterFunc(idle, func() { cancel(errIdle) }).Stop
		}
		records, err := s.poll(waiting)
		stop()
		cancel(nil)
		if err != nil || len(records) == 0 {
			return err
		}
		full := p.left > 0 && int64(len(records)) >= p.left
		if full {
			records = records[:p.left]
		}
		p.left -= min(p.left, int64(len(records)))
		n, err := p.print(records)
		s.printed(records[:n])
		if err != nil {
			return err
		}
		if full {
			return nil
		}
	}
}

// print writes records and returns how many were written whole.
func (p *printer) print(records []*kgo.Record) (n int, _ error) {
	for i, r := range records {
		buf, err := p.show(p.buf, r)
		if err != nil {
			err = fmt.Errorf("%s-%d, offset %d: %w", r.Topic, r.Partition, r.Offset, err)
			whole, werr := p.flush()
			return n + whole, errors.Join(err, werr)
		}
		p.buf = buf
		p.ends = append(p.ends, len(p.buf))
		if len(p.buf) < writeBuffer && i < len(records)-1 {
			continue
		}
		whole, err := p.flush()
		if n += whole; err != nil {
			return n, err
		}
	}
	return n, nil
}

// flush writes what is gathered, and returns how many records were written whole.
func (p *printer) flush() (int, error) {
	n, err := p.out.Write(p.buf)
	if err != nil {
		err = fmt.Errorf("%w: %w", errOutput, err)
	}
	whole := sort.SearchInts(p.ends, n+1)
	p.buf, p.ends = p.buf[:0], p.ends[:0]
	return whole, err
}

var errOutput = errors.New("standard output")
