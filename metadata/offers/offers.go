package offers

import (
	"context"
	"errors"
	"log/slog"
	"sync"

	"github.com/gregor-mq/gregor/internal/run"
	"github.com/gregor-mq/gregor/zk"
	"github.com/gregor-mq/gregor/zk/session"
	"github.com/gregor-mq/gregor/znode"
)

// Offers writes how many partitions of each topic this broker leads: those that
// it serves to clients. Topics of which it leads none have no node.
type Offers struct {
	id   int32
	acl  func(path string) []zk.ACL
	log  *slog.Logger
	wake chan struct{}
	mu   struct {
		sync.Mutex
		z     *session.Session
		led   map[string]map[int32]bool // partitions by topic
		dirty map[string]bool           // topics whose node may be out of date
	}
}

// New returns the Offers of a broker; acl says which ACL a path gets.
func New(id int32, acl func(path string) []zk.ACL, log *slog.Logger) *Offers {
	o := &Offers{id: id, acl: acl, log: log, wake: make(chan struct{}, 1)}
	o.mu.led, o.mu.dirty = map[string]map[int32]bool{}, map[string]bool{}
	return o
}

// Lead says whether this broker leads a partition. It does not wait.
func (o *Offers) Lead(topic string, partition int32, leads bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	led := o.mu.led[topic]
	if led[partition] == leads {
		return
	}
	switch {
	case !leads:
		if delete(led, partition); len(led) == 0 {
			delete(o.mu.led, topic)
		}
	case led == nil:
		o.mu.led[topic] = map[int32]bool{partition: true}
	default:
		led[partition] = true
	}
	o.mu.dirty[topic] = true
	run.Hint(o.wake)
}

// Attach goes over to a session, in which none of the nodes exist yet.
func (o *Offers) Attach(z *session.Session) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.mu.z = z
	for topic := range o.mu.led {
		o.mu.dirty[topic] = true
	}
	run.Hint(o.wake)
}

// Run writes until ctx ends.
func (o *Offers) Run(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-o.wake:
		}
		for {
			z, batch := o.take()
			if len(batch) == 0 {
				break
			}
			o.write(ctx, z, batch)
		}
	}
}

// batchSize bounds how many topics are written in one go.
const batchSize = 256

// offer is what one topic's node should say; 0 is that there should be none.
type offer struct {
	topic string
	count int
}

// take returns topics to write and the session to write in.
func (o *Offers) take() (*session.Session, []offer) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.mu.z == nil {
		return nil, nil
	}
	var batch []offer
	for topic := range o.mu.dirty {
		batch = append(batch, offer{topic, len(o.mu.led[topic])})
		if delete(o.mu.dirty, topic); len(batch) == batchSize {
			break
		}
	}
	return o.mu.z, batch
}

// write brings the nodes of some topics up to date. What the session's end
// leaves undone is done in the next one.
func (o *Offers) write(ctx context.Context, z *session.Session, batch []offer) {
	var missing, foreign []offer
	o.each(ctx, z, batch, o.update, func(f offer, r session.Response) {
		switch stat, _ := r.Body.(*zk.StatResponse); {
		case errors.Is(r.Err, zk.ErrNoNode):
			if f.count > 0 {
				missing = append(missing, f)
			}
		case r.Err != nil:
			o.complain(f, r.Err)
		case stat != nil && stat.Stat.EphemeralOwner != z.ID():
			foreign = append(foreign, f)
		}
	})
	// Whoever made a node of this broker's name, it would outlive this broker.
	o.each(ctx, z, foreign, o.remove, func(f offer, r session.Response) {
		if r.Err != nil && !errors.Is(r.Err, zk.ErrNoNode) {
			o.complain(f, r.Err)
			return
		}
		missing = append(missing, f)
	})
	o.each(ctx, z, missing, o.create, func(f offer, r session.Response) {
		// Without the topic's node there is no topic any more; and a node that
		// exists is this very create's, sent twice.
		if r.Err != nil && !errors.Is(r.Err, zk.ErrNoNode) && !errors.Is(r.Err, zk.ErrNodeExists) {
			o.complain(f, r.Err)
		}
	})
}

// each sends one request per offer, all at once, and goes through the answers.
func (o *Offers) each(ctx context.Context, z *session.Session, batch []offer, request func(offer) zk.Request, done func(offer, session.Response)) {
	reqs := make([]zk.Request, len(batch))
	for i, f := range batch {
		reqs[i] = request(f)
	}
	for i, r := range z.DoRetry(ctx, reqs) {
		done(batch[i], r)
	}
}

func (o *Offers) update(f offer) zk.Request {
	if f.count == 0 {
		return o.remove(f)
	}
	return &zk.SetDataRequest{Path: o.path(f), Data: znode.EncodeNumber(int64(f.count)), Version: -1}
}

func (o *Offers) remove(f offer) zk.Request { return &zk.DeleteRequest{Path: o.path(f), Version: -1} }

func (o *Offers) create(f offer) zk.Request {
	path := o.path(f)
	return &zk.CreateRequest{Path: path, Data: znode.EncodeNumber(int64(f.count)), ACL: o.acl(path), Flags: zk.Ephemeral}
}

func (o *Offers) path(f offer) string { return znode.OldTopicBrokerPath(f.topic, o.id) }

// complain logs a failure. The end of a session or of the broker is none.
func (o *Offers) complain(f offer, err error) {
	if errors.Is(err, zk.ErrSessionExpired) || errors.Is(err, session.ErrClosed) || errors.Is(err, context.Canceled) {
		return
	}
	o.log.Warn("cannot tell in the layout of Kafka 0.7 what this broker offers", "path", o.path(f), "partitions", f.count, "error", err)
}
