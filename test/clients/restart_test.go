package clients

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/gregor-mq/gregor/test/gregor"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// What was acknowledged before the broker ended is there when it is back, at
// the same place, for clients that stayed and for new ones.
func TestRestart(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		end  func(*gregor.Broker, testing.TB)
	}{{"stopped", (*gregor.Broker).Stop}, {"killed with -9", (*gregor.Broker).Kill}} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			b := gregor.Start(t, nil)
			cl := clientOf(t, b.Kafka, kgo.RecordPartitioner(kgo.ManualPartitioner()))
			adm := kadm.NewClient(cl)
			topic, group := name(t), name(t)
			createTopic(t, adm, topic, 3, "max.message.bytes", "54321")
			sent := produce(t, cl, numbered(topic, 3, 30)...)
			before := snapshot(t, b, topic)

			member := func(group string) *kgo.Client {
				return clientOf(t, b.Kafka, kgo.ConsumerGroup(group), kgo.ConsumeTopics(topic), kgo.DisableAutoCommit(),
					kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.SessionTimeout(2*time.Second))
			}
			gone, stays := member(group), member(name(t))
			equal(t, "read before", places(read(t, gone, 30)), places(sorted(sent)))
			equal(t, "read before by the other", places(read(t, stays, 30)), places(sorted(sent)))
			all := sorted(sent)
			if err := errors.Join(gone.CommitRecords(within(t), all[3], all[13], all[29]), stays.CommitUncommittedOffsets(within(t))); err != nil {
				t.Fatal(err)
			}
			gone.Close()

			c.end(b, t)
			b.Restart(t)

			equal(t, "cluster, topic and settings", snapshot(t, b, topic), before)
			os, err := kadm.NewClient(clientOf(t, b.Kafka)).FetchOffsets(within(t), group)
			if err != nil {
				t.Fatal(err)
			}
			equal(t, "committed", committed(os), "0=4 1=4 2=10")
			reader := clientOf(t, b.Kafka, kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
			equal(t, "records", places(read(t, reader, 30)), places(sorted(sent)))

			// The producer that stayed goes on with its sequence numbers, and the
			// member that stayed reads what it brings.
			late := produce(t, cl, &kgo.Record{Topic: topic, Partition: 0, Value: []byte("late")})
			equal(t, "place of a late record", places(late), []string{"0/10=late"})
			equal(t, "read by the member that stayed", places(read(t, stays, 1)), []string{"0/10=late"})
			equal(t, "read from the commits on", places(read(t, member(group), 13)), places(append(append(append([]*kgo.Record{}, all[4:10]...), late...), all[14:20]...)))

			// A second time: the log that was recovered is as good as the first.
			c.end(b, t)
			b.Restart(t)
			again := clientOf(t, b.Kafka, kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
			equal(t, "records after the second start", places(read(t, again, 31)), places(sorted(append(sent, late...))))
		})
	}
}

// snapshot writes what must not change over a restart.
func snapshot(t *testing.T, b *gregor.Broker, topic string) string {
	t.Helper()
	adm := kadm.NewClient(clientOf(t, b.Kafka))
	var out string
	eventually(t, "partitions have their leader", func() error {
		md, err := adm.Metadata(t.Context(), topic)
		if err != nil {
			return err
		}
		d := md.Topics[topic] // a broker that starts knows its controller before its topics
		if d.Err != nil || len(d.Partitions) == 0 {
			return fmt.Errorf("%d partitions, error %v", len(d.Partitions), d.Err)
		}
		for _, p := range d.Partitions {
			if p.Err != nil || p.Leader != 0 {
				return fmt.Errorf("partition %d: leader %d, error %v", p.Partition, p.Leader, p.Err)
			}
		}
		out = fmt.Sprint(md.Cluster, md.Controller, d.ID, d.Partitions.Numbers(), config(t, adm, topic, "max.message.bytes"))
		return nil
	})
	return out
}
