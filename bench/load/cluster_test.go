package load

import (
	"slices"
	"strings"
	"testing"
	"time"
)

// newFakeCluster returns brokers that name each other; the last controls.
func newFakeCluster(t *testing.T) ([]*fakeBroker, []string) {
	brokers := []*fakeBroker{newFakeBroker(t), newFakeBroker(t), newFakeBroker(t)}
	var addrs []string
	for _, b := range brokers {
		addrs = append(addrs, b.addr)
	}
	for _, b := range brokers {
		b.mu.cluster = addrs
	}
	return brokers, addrs
}

func TestReplicatedTopicsAreTheControllersToCreate(t *testing.T) {
	brokers, addrs := newFakeCluster(t)
	if err := CreateReplicated(t.Context(), addrs, fakePartitions, 3, "a"); err != nil {
		t.Fatal(err)
	}
	for i, b := range brokers {
		if want := i == len(brokers)-1; want != (len(b.mu.created) == 1) {
			t.Errorf("broker %d was asked for %d topics", i, len(b.mu.created))
		}
		if b.mu.leaders < fakePartitions {
			t.Errorf("broker %d showed %d leaders of %d", i, b.mu.leaders, fakePartitions)
		}
	}
	if got := brokers[2].mu.created[0]; got.ReplicationFactor != 3 || got.NumPartitions != fakePartitions {
		t.Errorf("%+v", got)
	}
	if id, err := Controller(t.Context(), addrs[0]); id != 2 || err != nil {
		t.Errorf("controller %d, %v", id, err)
	}
	brokers[1].mu.cluster = nil
	if err := CreateReplicated(t.Context(), addrs[1:2], 1, 3, "b"); err == nil || !strings.Contains(err.Error(), "controller: broker -1 is not in the metadata") {
		t.Errorf("no controller: %v", err)
	}
}

func TestEveryPartitionIsWrittenWhereItIsLed(t *testing.T) {
	brokers, addrs := newFakeCluster(t)
	if err := WaitLeaders(t.Context(), addrs[0], fakePartitions, "a"); err != nil {
		t.Fatal(err)
	}
	leaders, err := LeaderAddrs(t.Context(), addrs[0], "a")
	if err != nil || !slices.Equal(leaders, addrs) {
		t.Fatalf("%v, %v", leaders, err)
	}
	p := Produce{Topic: "a", Partitions: fakePartitions, Connections: 2 * fakePartitions, InFlight: 2, Acks: -1,
		Batch: Batch{Records: 1, ValueSize: 10}, Limit: Limit{Bytes: 20_000, Time: 10 * time.Second}}
	if _, err := p.RunAt(t.Context(), leaders); err != nil {
		t.Fatal(err)
	}
	for i, b := range brokers {
		if len(b.mu.produced) != 1 || len(b.mu.produced[int32(i)]) == 0 {
			t.Errorf("broker %d was sent records of %d partitions", i, len(b.mu.produced))
		}
	}
}

func TestOtherLeaders(t *testing.T) {
	brokers, addrs := newFakeCluster(t)
	brokers[1].mu.gone = 0
	if err := WaitOtherLeaders(t.Context(), addrs[1], 0, fakePartitions, "a"); err != nil {
		t.Fatal(err)
	}
	if n := brokers[1].mu.leaders; n != fakePartitions+2 {
		t.Errorf("%d looks, the leaders changed with look %d", n, fakePartitions+2)
	}
}

func TestAllBrokersAreWaitedFor(t *testing.T) {
	_, addrs := newFakeCluster(t)
	if err := WaitBrokers(t.Context(), addrs[0], 3); err != nil {
		t.Error(err)
	}
}
