package records

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/gregor-mq/gregor/cli/reach"
	"github.com/gregor-mq/gregor/cli/term"
	"github.com/gregor-mq/gregor/internal/env"
	"github.com/gregor-mq/gregor/internal/run"
)

// linesAhead is how many lines wait for their turn: enough that reading and
// sending go on side by side.
const linesAhead = 4096

// produceFlags are the flags of `gregor produce`.
type produceFlags struct {
	kafka       reach.Kafka
	zk          reach.ZooKeeper
	topic       string
	format      string
	separator   string
	null        string
	headers     []string
	partition   int32
	repartition bool
	acks        string
	compression string
	timestamp   string
	batchBytes  int32
	timeout     time.Duration
	layerFour   bool
}

// ProduceCommand returns `gregor produce`.
func ProduceCommand(t term.Term) *cobra.Command {
	var f produceFlags
	cmd := &cobra.Command{
		Use:   "produce [FILE...]",
		Short: "Write lines of files, or of the standard input, as records",
		Long: "Write lines of files, or of the standard input, as records, one each. It ends with the input, or at Ctrl-C when\n" +
			"what was read is acknowledged. A line that cannot be read ends it with an error that names the line.\n\n" +
			"--format value takes a line as the value, or with --key-separator as key and value. --format json takes what\n" +
			"`gregor consume --format json` writes: {\"key\":\"k\",\"value\":\"v\"}, and if wanted topic, partition, timestamp,\n" +
			"headers, key_base64 and value_base64; what is null or missing is null.\n\n" +
			"With --zookeeper the producer learns from ZooKeeper who leads which partition, and asks no broker;\n" +
			"it makes no topics.",
		Example: "  echo hello | gregor produce --topic greetings\n" +
			"  gregor produce --topic users --key-separator : --header source=import users.txt\n" +
			"  gregor consume --topic a --from-beginning --exit-at-end --format json | gregor produce --topic b --format json",
		RunE: denied(func(cmd *cobra.Command, files []string) error {
			in, err := newInput(f)
			if err != nil {
				return err
			}
			if len(files) == 0 {
				files = []string{"-"}
			}
			ctx, stop := t.UntilInterrupted(cmd.Context())
			defer stop()
			s, err := openSink(ctx, t, f)
			if err != nil {
				return err
			}
			defer s.close()
			return produce(ctx, t, &in, s, files)
		}),
	}
	f.flags(cmd)
	return cmd
}

func (f *produceFlags) flags(cmd *cobra.Command) {
	f.kafka.Flags(cmd, reach.DefaultBootstrap)
	f.zk.Flags(cmd, "")
	cmd.MarkFlagsMutuallyExclusive("bootstrap-server", "zookeeper")
	flags := cmd.Flags()
	flags.StringVarP(&f.topic, "topic", "t", "", "the topic; lines of JSON may name their own")
	flags.StringVar(&f.format, "format", valueFormat, "what a line is: value or json")
	flags.StringVarP(&f.separator, "key-separator", "K", "", "what stands between key and value on a line; \\t is a tab")
	flags.StringVar(&f.null, "null", "", "a key or value of this text is null (a null value is a tombstone)")
	flags.StringArrayVarP(&f.headers, "header", "H", nil, "a header `NAME=VALUE` for every record (may be repeated)")
	flags.Int32VarP(&f.partition, "partition", "p", anyPartition, "the partition; -1 for what a line of JSON names, or else the key's hash")
	flags.BoolVar(&f.repartition, "repartition", false, "choose partitions anew, whatever lines of JSON name")
	flags.StringVar(&f.acks, "acks", "all", "who must have a record: all in-sync replicas, 1 (the leader) or 0")
	flags.StringVarP(&f.compression, "compression", "z", "none", "none, gzip, snappy, lz4 or zstd")
	flags.StringVar(&f.timestamp, "timestamp", "", "of records whose line has none: milliseconds since 1970 or 2026-01-31T12:00:00Z")
	flags.Int32Var(&f.batchBytes, "batch-bytes", 1000012, "how large a batch may be, and so a record (max.message.bytes of the topic)")
	flags.DurationVar(&f.timeout, "delivery-timeout", 2*time.Minute, "how long to wait for a next acknowledgement")
	flags.BoolVar(&f.layerFour, "layer-four", false, "with --zookeeper, send everything to one broker, chosen by this producer's own IP address and port, to the partitions that it leads")
	cmd.MarkFlagsMutuallyExclusive("partition", "repartition")
	cmd.MarkFlagsMutuallyExclusive("bootstrap-server", "layer-four")
}

// sink takes records to where they go.
type sink interface {
	// send takes a record, waiting for room, and later calls done once, on some
	// other goroutine or at once.
	send(ctx context.Context, r *kgo.Record, done func(error))
	// flush waits until done was called for all.
	flush(ctx context.Context) error
	// stalled returns why topics may take no records, nil when nothing is known.
	stalled(ctx context.Context, topics []string) error
	close()
}

// openSink connects to where the flags say.
func openSink(ctx context.Context, t term.Term, f produceFlags) (sink, error) {
	if f.zk.Connect != "" {
		return openZkSink(ctx, t, f)
	}
	return openKafkaSink(ctx, t, f)
}

// outcome gathers what became of records.
type outcome struct {
	mu      sync.Mutex // guards what follows
	acked   int64
	bytes   int64 // of keys and values acknowledged
	waiting int64 // records sent of which nothing is known yet
	topics  []string
	failed  error // the first failure, with its line
	// stop ends what is being sent, with its reason.
	stop context.CancelCauseFunc
	// patience runs while records wait and none is acknowledged. A client's own
	// limits count from the records' timestamps, which may be of any time.
	patience env.Timer
	limit    time.Duration
}

// sent is called before a record is on its way.
func (o *outcome) sent(topic string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !slices.Contains(o.topics, topic) {
		o.topics = append(o.topics, topic)
	}
	if o.waiting++; o.waiting == 1 {
		o.patience.Reset(o.limit)
	}
}

// report is called when it is known what became of a line's record.
func (o *outcome) report(l line, size int, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.waiting--; o.waiting == 0 {
		o.patience.Stop()
	} else if err == nil {
		o.patience.Reset(o.limit)
	}
	switch {
	case err == nil:
		o.acked++
		o.bytes += int64(size)
	case o.failed == nil:
		o.failed = fmt.Errorf("%s: %w", l.at(), err)
		o.stop(o.failed)
	}
}

func (o *outcome) get() (acked, bytes int64, failed error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.acked, o.bytes, o.failed
}

// stalled is the error of records that nobody acknowledges.
func (o *outcome) stalled(ctx context.Context, s sink) error {
	o.mu.Lock()
	topics := slices.Clone(o.topics)
	o.mu.Unlock()
	ctx, cancel := context.WithTimeoutCause(ctx, lookTimeout, fmt.Errorf("no answer within %v", lookTimeout))
	defer cancel()
	err := fmt.Errorf("no record was acknowledged within %v (--delivery-timeout)", o.limit)
	if why := s.stalled(ctx, topics); why != nil {
		return fmt.Errorf("%w: %w", err, why)
	}
	return err
}

// line is the progress.
func (o *outcome) line(since time.Duration) string {
	acked, bytes, _ := o.get()
	return fmt.Sprintf("%s, %s, %s/s", term.Count(acked, "record"), term.Size(float64(bytes)), term.Size(float64(bytes)/max(since.Seconds(), 0.001)))
}

// produce sends all lines until the input ends, ctx does, or something fails.
// What was sent is then waited for.
func produce(ctx context.Context, t term.Term, in *input, s sink, files []string) error {
	// Records on their way outlive ctx, but not a failure of another.
	sending, stop := context.WithCancelCause(context.WithoutCancel(ctx))
	defer stop(nil)
	flushing, giveUp := context.WithCancelCause(context.WithoutCancel(ctx))
	defer giveUp(nil)
	o := &outcome{stop: stop, limit: in.patience}
	o.patience = t.Env.Clock.AfterFunc(in.patience, func() {
		stalled := o.stalled(context.WithoutCancel(ctx), s)
		stop(stalled)
		giveUp(stalled)
	})
	o.patience.Stop() // until something is sent
	defer o.patience.Stop()
	if !t.Typed || !slices.Contains(files, "-") { // who types has the terminal for that
		defer t.Progress(ctx, o.line)()
	}

	reading := run.NewGroup(ctx)
	defer reading.Stop() // a read that hangs is left alone
	lines := make(chan line, linesAhead)
	var readErr error // valid when lines is closed
	reading.Go("lines", func(ctx context.Context) error {
		defer close(lines)
		readErr = readLines(ctx, t, files, lines)
		return nil
	})
	err := sendLines(ctx, sending, in, s, o, lines)
	if err == nil && ctx.Err() == nil && sending.Err() == nil {
		err = readErr
	}
	// What a failure has not cancelled may still be acknowledged, and is counted.
	flushErr := s.flush(flushing)
	acked, _, failed := o.get()
	switch {
	case flushing.Err() != nil:
		err = context.Cause(flushing)
	case failed != nil:
		err = failed
	case err == nil:
		err = flushErr
	}
	if err != nil {
		return fmt.Errorf("%w; %s produced", err, were(acked))
	}
	return nil
}

// sendLines sends lines until there are no more, or either context ends. Its
// error names the line that is no record.
func sendLines(ctx, sending context.Context, in *input, s sink, o *outcome, lines <-chan line) error {
	for {
		select {
		case l, ok := <-lines:
			if !ok {
				return nil
			}
			r, err := in.record(l.text)
			if err != nil {
				return fmt.Errorf("%s: %w", l.at(), err)
			}
			if r != nil {
				size := len(r.Key) + len(r.Value)
				l.text = nil // the record has it
				o.sent(r.Topic)
				s.send(sending, r, func(err error) { o.report(l, size, err) })
			}
		case <-ctx.Done():
			return nil
		case <-sending.Done():
			return nil
		}
	}
}

// were is "1 record was" or "2 records were".
func were(n int64) string {
	if n == 1 {
		return "1 record was"
	}
	return term.Count(n, "record") + " were"
}
