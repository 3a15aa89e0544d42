package groups

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/gregor-mq/gregor/cli/reach"
	"github.com/gregor-mq/gregor/internal/env"
)

const (
	// coordinatorTimeout bounds the wait for a coordinator: the topic of offsets is
	// made when it is first needed, and loaded by its leaders.
	coordinatorTimeout = 30 * time.Second
	coordinatorPause   = 100 * time.Millisecond
)

// kafkaStore is the groups that Kafka's coordinators keep.
type kafkaStore struct {
	adm   *kadm.Client
	clock env.Clock
}

// insist calls f until the group's coordinator is there.
func (s kafkaStore) insist(ctx context.Context, f func() error) error {
	for began := s.clock.Now(); ; {
		err := f()
		if err == nil || s.clock.Now().Sub(began) > coordinatorTimeout {
			return err
		}
		switch {
		case errors.Is(err, kerr.CoordinatorNotAvailable), errors.Is(err, kerr.CoordinatorLoadInProgress), errors.Is(err, kerr.NotCoordinator):
		default:
			return err
		}
		if env.Sleep(ctx, s.clock, coordinatorPause) != nil {
			return err
		}
	}
}

func (kafkaStore) kind() string { return inKafka }

// list implements store.
func (s kafkaStore) list(ctx context.Context) ([]listed, error) {
	all, err := s.all(ctx)
	var out []listed
	for _, g := range all.Sorted() {
		out = append(out, listed{g.Group, inKafka, g.State})
	}
	return out, err
}

// all returns the groups of all brokers that answer; the error names the others.
func (s kafkaStore) all(ctx context.Context) (all kadm.ListedGroups, err error) {
	err = s.insist(ctx, func() error {
		asking, cancel := context.WithTimeout(ctx, reach.AnswerTimeout)
		defer cancel()
		all, err = s.adm.ListGroups(asking)
		return err
	})
	if err != nil {
		return all, fmt.Errorf("groups in Kafka are not all known: %w", reach.ByBroker(err))
	}
	return all, nil
}

// read implements store. A group that its coordinator calls dead is none. Who is
// no group is found out by the list: to ask for its coordinator would make the
// topic of offsets where there is none yet.
func (s kafkaStore) read(ctx context.Context, name string) (*group, error) {
	all, err := s.all(ctx)
	if _, ok := all[name]; !ok {
		return nil, err
	}
	var described kadm.DescribedGroups
	err = s.insist(ctx, func() error {
		described, err = s.adm.DescribeGroups(ctx, name)
		return cmp.Or(err, described.Error())
	})
	if errors.Is(err, kerr.GroupIDNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("describe group %s in Kafka: %w", name, err)
	}
	d := described[name]
	if d.State == "Dead" {
		return nil, nil
	}
	var offsets kadm.OffsetResponses
	err = s.insist(ctx, func() error {
		offsets, err = s.adm.FetchOffsets(ctx, name)
		return cmp.Or(err, offsets.Error())
	})
	if err != nil {
		return nil, fmt.Errorf("read the offsets of group %s in Kafka: %w", name, err)
	}
	g := &group{name: name, kind: inKafka, state: d.State, assignor: d.Protocol, offsets: map[part]int64{}, owners: map[part]string{}}
	offsets.Each(func(o kadm.OffsetResponse) {
		if o.At >= 0 {
			g.offsets[partition(o.Topic, o.Partition)] = o.At
		}
	})
	for _, m := range d.Members {
		g.members = append(g.members, member{ID: m.MemberID, Client: m.ClientID, Host: m.ClientHost, Wants: wants(m)})
		if a, ok := m.Assigned.AsConsumer(); ok {
			for _, t := range a.Topics {
				for _, p := range t.Partitions {
					g.owners[partition(t.Topic, p)] = m.MemberID
				}
			}
		}
	}
	return g, nil
}

func wants(m kadm.DescribedGroupMember) string {
	if c, ok := m.Join.AsConsumer(); ok {
		return strings.Join(c.Topics, ", ")
	}
	return ""
}

// commit implements store: the coordinator refuses offsets from outside of a
// group that has members.
func (s kafkaStore) commit(ctx context.Context, name string, _ *group, to map[part]int64) error {
	var offsets kadm.Offsets
	for p, at := range to {
		offsets.AddOffset(p.topic, p.partition, at, -1)
	}
	err := s.insist(ctx, func() error {
		answers, err := s.adm.CommitOffsets(ctx, name, offsets)
		return cmp.Or(err, answers.Error())
	})
	return s.refusal("commit offsets of", name, err)
}

// remove implements store.
func (s kafkaStore) remove(ctx context.Context, g *group) error {
	err := s.insist(ctx, func() error {
		answer, err := s.adm.DeleteGroup(ctx, g.name)
		return cmp.Or(err, answer.Err)
	})
	return s.refusal("delete", g.name, err)
}

// refusal tells a group that has members from other errors.
func (kafkaStore) refusal(what, name string, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, kerr.UnknownMemberID), errors.Is(err, kerr.NonEmptyGroup), errors.Is(err, kerr.RebalanceInProgress):
		return fmt.Errorf("%s group %s in Kafka: %w: %w", what, name, errActive, err)
	}
	return fmt.Errorf("%s group %s in Kafka: %w", what, name, err)
}
