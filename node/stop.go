package node

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/gregor-mq/gregor/internal/env"
	"github.com/gregor-mq/gregor/wire"
	"github.com/gregor-mq/gregor/zk"
)

func isNoNode(err error) bool { return errors.Is(err, zk.ErrNoNode) }

// Stop is a clean shutdown: leaders move away where there is somewhere to go,
// connections end, logs are flushed and get their clean mark, the ZooKeeper
// session is closed. It returns what went wrong on the way; ctx bounds the
// polite parts, not the flush.
func (n *Node) Stop(ctx context.Context) error {
	// A broker that failed has nobody left who could answer.
	switch {
	case n.Err() != nil:
	case !n.zooKeeperAnswers(ctx):
		n.log.Warn("zookeeper does not answer: this broker stops without moving leaders away, and its registration expires")
		bounded, cancel := context.WithTimeout(ctx, loneTimeout)
		defer cancel()
		return n.shutdown(bounded)
	case n.settings.Broker().ControlledShutdown:
		n.controlledShutdown(ctx)
	}
	return n.shutdown(ctx)
}

const (
	// answerTimeout is how long a session may be without a connection before its
	// broker stops without it: one that only changes servers has another sooner.
	answerTimeout = 2 * time.Second
	// loneTimeout bounds the polite parts of a stop without ZooKeeper.
	loneTimeout = 3 * time.Second
)

// zooKeeperAnswers reports whether the session has a connection. Without one no
// controller can move leaders, and no session be closed.
func (n *Node) zooKeeperAnswers(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	return n.zk.Load().WaitConnected(ctx) == nil
}

// abandon closes what a failed start has opened.
func (n *Node) abandon() error {
	ctx, cancel := context.WithTimeout(context.Background(), abandonTimeout)
	defer cancel()
	return n.shutdown(ctx)
}

// abandonTimeout bounds the closing of a start that failed.
const abandonTimeout = 10 * time.Second

// shutdown closes in the opposite order of start; each part may be missing.
func (n *Node) shutdown(ctx context.Context) error {
	var errs []error
	n.hearing.Stop()
	errs = append(errs, n.hearing.Wait())
	n.tasks.Stop() // a request that waits for ZooKeeper must not hold its connection
	if n.server != nil {
		errs = append(errs, n.server.Stop())
	}
	errs = append(errs, n.tasks.Wait())
	if n.campaigning.Load() {
		errs = append(errs, n.controller.Stop(ctx))
	}
	switch {
	case n.replicas != nil:
		errs = append(errs, n.replicas.Stop())
	default:
		errs = append(errs, closeDirs(n.dirs))
	}
	n.brain.close()
	n.group.Stop()
	errs = append(errs, n.group.Wait())
	errs = append(errs, n.closeSession(ctx))
	if n.keeper != nil {
		errs = append(errs, n.keeper.Stop(ctx))
	}
	return joinDistinct(errs...)
}

// joinDistinct is errors.Join without errors that an earlier one contains: one
// failed disk speaks from several parts.
func joinDistinct(errs ...error) error {
	var all error
	for _, err := range errs {
		if err != nil && (all == nil || !strings.Contains(all.Error(), err.Error())) {
			all = errors.Join(all, err)
		}
	}
	return all
}

func (n *Node) closeSession(ctx context.Context) error {
	z := n.zk.Load()
	if z == nil {
		return nil
	}
	if err := z.Close(ctx); err != nil {
		n.log.Warn("zookeeper session not closed: its nodes expire", "error", err)
		return nil
	}
	if n.keeper == nil {
		return n.forgetSession()
	}
	return nil
}

// controlledShutdown asks the controller to move leaders away, as often as
// controlled.shutdown.max.retries says; then the broker stops anyway.
func (n *Node) controlledShutdown(ctx context.Context) {
	b := n.settings.Broker()
	for attempt := range max(b.Int("controlled.shutdown.max.retries"), 1) {
		left, err := n.askToLeave(ctx)
		if err == nil && left == 0 {
			return
		}
		n.log.Info("controlled shutdown incomplete", "attempt", attempt+1, "still_leading", left, "error", err)
		if env.Sleep(ctx, n.env.Clock, b.Millis("controlled.shutdown.retry.backoff.ms")) != nil {
			return
		}
	}
}

// askToLeave returns how many partitions this broker leads afterwards, not
// counting those that have no other replica.
func (n *Node) askToLeave(ctx context.Context) (int, error) {
	req := wire.NewControlledShutdownRequest()
	req.BrokerID, req.BrokerEpoch = n.settings.Broker().ID, n.epoch.Load()
	resp, err := answerOf[*wire.ControlledShutdownResponse](ctx, n.brain, req, 3)
	if err != nil {
		return 0, err
	}
	if resp.ErrorCode != wire.CodeNone {
		return 0, resp.ErrorCode
	}
	return len(resp.RemainingPartitions), nil
}
