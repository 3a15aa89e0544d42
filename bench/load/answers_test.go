package load

import (
	"errors"
	"io"
	"testing"
	"time"

	"github.com/gregor-mq/gregor/wire"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// fetchAnswerOf encodes an answer as a broker would, without its size.
func fetchAnswerOf(topic string, correlation byte, records []byte) []byte {
	resp := kmsg.NewPtrFetchResponse()
	resp.SetVersion(fetchVersion)
	rt := kmsg.NewFetchResponseTopic()
	rt.Topic = topic
	rp := kmsg.NewFetchResponseTopicPartition()
	rp.HighWatermark, rp.RecordBatches = 77, records
	rt.Partitions = append(rt.Partitions, rp)
	resp.Topics = append(resp.Topics, rt)
	return resp.AppendTo([]byte{0, 0, 0, correlation, 0})
}

func TestFetchAnswer(t *testing.T) {
	for _, n := range []int{0, 1, 126, 127, 1 << 20} {
		for _, topic := range []string{"t", "a-topic-with-a-longer-name"} {
			var a fetchAnswer
			whole := fetchAnswerOf(topic, 5, make([]byte, n))
			if err := a.parse(whole[:min(len(whole), fetchHead(topic))], topic, 5); err != nil {
				t.Fatal(err)
			}
			if a.highWatermark != 77 || a.records != n {
				t.Errorf("%+v, want %d bytes", a, n)
			}
			if err := a.parse(whole, topic, 6); err == nil {
				t.Error("a wrong correlation id passes")
			}
		}
	}
}

func TestFetchAnswerCutShort(t *testing.T) {
	const topic = "t"
	whole := fetchAnswerOf(topic, 1, make([]byte, 1<<20))
	head := whole[:fetchHead(topic)-2] // the length takes three bytes
	for n := range head {
		var a fetchAnswer
		if err := a.parse(head[:n], topic, 1); !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Fatalf("%d bytes of %d: %v", n, len(head), err)
		}
	}
}

func TestProduceCodeIsWhereItIsSought(t *testing.T) {
	const topic = "some-topic"
	resp := kmsg.NewPtrProduceResponse()
	resp.SetVersion(produceVersion)
	rt := kmsg.NewProduceResponseTopic()
	rt.Topic = topic
	rp := kmsg.NewProduceResponseTopicPartition()
	rp.ErrorCode = int16(wire.CodeNotLeaderOrFollower)
	rt.Partitions = append(rt.Partitions, rp)
	resp.Topics = append(resp.Topics, rt)
	answer := resp.AppendTo([]byte{0, 0, 0, 9, 0})
	if err := checkAnswer(answer, 9, produceCodeAt(topic)); !errors.Is(err, wire.CodeNotLeaderOrFollower) {
		t.Errorf("got %v", err)
	}
}

func TestStamp(t *testing.T) {
	f := func(size int, due time.Duration) {
		t.Helper()
		v := stamp(size, due)
		if len(v) != max(8, size) || stamped(v) != due {
			t.Errorf("%d bytes, due %v", len(v), stamped(v))
		}
	}
	f(512, 1234567*time.Nanosecond)
	f(0, time.Hour)
	if stamped([]byte("short")) != 0 {
		t.Error("a short value has a time")
	}
}

func TestDueKeepsTheRate(t *testing.T) {
	l := Latency{Rate: 20_000}
	if l.due(0) != 0 || l.due(20_000) != time.Second || l.due(1) != 50*time.Microsecond {
		t.Errorf("%v %v %v", l.due(0), l.due(20_000), l.due(1))
	}
}

func TestDozeIsNotShort(t *testing.T) {
	for _, d := range []time.Duration{time.Microsecond, minPause, 3 * time.Millisecond} {
		began := time.Now()
		for range 3 {
			doze(d)
		}
		if took := time.Since(began); took < d || took > 10*time.Second {
			t.Errorf("three times %v took %v", d, took)
		}
	}
}
