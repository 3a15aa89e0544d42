package sim

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/gregor-mq/gregor/internal/env"
	"github.com/gregor-mq/gregor/test/check"
	"github.com/gregor-mq/gregor/zk"
	"github.com/gregor-mq/gregor/zk/session"
	"github.com/gregor-mq/gregor/znode"
)

// observer looks at the znodes, over a session of its own.
type observer struct {
	w *world
	e env.Env
	s *session.Session // nil before the first look and after it expired
}

func (w *world) newObserver(name string) *observer {
	return &observer{w: w, e: w.newMachine(name).Boot()}
}

func (o *observer) calls(ctx context.Context) (session.Calls, error) {
	if o.s == nil {
		s, err := session.Dial(ctx, session.Config{Servers: []string{o.w.zookeeper.addr + ":" + zookeeperPort}, Timeout: 30 * time.Second}, o.e)
		if err != nil {
			return session.Calls{}, err
		}
		o.s = s
	}
	return o.s.Retrying(), nil
}

func (o *observer) close() {
	if o.s != nil {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		_ = o.s.Close(ctx) // nothing hangs on it
		o.s = nil
	}
}

// partition is one partition as its znodes describe it.
type partition struct {
	topic    string
	index    int32
	replicas []int32
	moving   bool // a reassignment is going on
	state    znode.PartitionState
}

func (p partition) String() string {
	return fmt.Sprintf("%s-%d: replicas %v, leader %d, epoch %d, isr %v", p.topic, p.index, p.replicas, p.state.Leader, p.state.LeaderEpoch, p.state.ISR)
}

// partitions reads all partitions that have a state, in order.
func (o *observer) partitions(ctx context.Context) ([]partition, error) {
	z, err := o.calls(ctx)
	if err != nil {
		return nil, err
	}
	topics, _, err := z.Children(ctx, znode.TopicsPath, false)
	if err != nil {
		return nil, o.lost(err)
	}
	slices.Sort(topics)
	var out []partition
	for _, topic := range topics {
		path := znode.TopicPath(topic)
		data, _, err := z.Get(ctx, path, false)
		if errors.Is(err, zk.ErrNoNode) {
			continue // deleted meanwhile
		}
		if err != nil {
			return nil, o.lost(err)
		}
		t, err := znode.DecodeTopic(path, data)
		if err != nil {
			return nil, err
		}
		for _, index := range sortedKeys(t.Partitions) {
			r := t.Partitions[index]
			p := partition{topic: topic, index: index, replicas: r.Replicas, moving: len(r.Adding)+len(r.Removing) > 0}
			path := znode.StatePath(topic, index)
			data, _, err := z.Get(ctx, path, false)
			if err != nil {
				return nil, o.lost(err)
			}
			if p.state, err = znode.DecodePartitionState(path, data); err != nil {
				return nil, err
			}
			out = append(out, p)
		}
	}
	return out, nil
}

// lost forgets a session that is gone.
func (o *observer) lost(err error) error {
	if errors.Is(err, zk.ErrSessionExpired) {
		o.close()
	}
	return err
}

// topics reads all topics but the internal ones with their settings; it is an
// error when some are still to be deleted.
func (o *observer) topics(ctx context.Context) ([]check.Topic, error) {
	z, err := o.calls(ctx)
	if err != nil {
		return nil, err
	}
	leaving, _, err := z.Children(ctx, znode.DeleteTopicsPath, false)
	if err == nil && len(leaving) > 0 {
		return nil, fmt.Errorf("%v are still to be deleted", leaving)
	}
	names, _, err := z.Children(ctx, znode.TopicsPath, false)
	if err != nil {
		return nil, o.lost(err)
	}
	var out []check.Topic
	for _, name := range names {
		if strings.HasPrefix(name, "__") {
			continue
		}
		path := znode.TopicPath(name)
		data, _, err := z.Get(ctx, path, false)
		if err != nil {
			return nil, o.lost(err)
		}
		t, err := znode.DecodeTopic(path, data)
		if err != nil {
			return nil, err
		}
		path = znode.EntityConfigPath(znode.Entity{Topic: znode.Named(name)})
		configs := map[string]string{}
		if data, _, err = z.Get(ctx, path, false); err == nil {
			configs, err = znode.DecodeConfig(path, data)
		}
		if err != nil && !errors.Is(err, zk.ErrNoNode) {
			return nil, o.lost(err)
		}
		out = append(out, check.Topic{Name: name, ID: t.ID, Partitions: len(t.Partitions), Configs: configs})
	}
	return out, nil
}

// depose removes the controller's node, as administrators do: another one is
// elected while the former does not know yet.
func (o *observer) depose() {
	defer o.close()
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	z, err := o.calls(ctx)
	if err == nil {
		err = z.Delete(ctx, znode.ControllerPath, -1)
	}
	o.w.trace.Add("depose the controller: %v", err)
}
