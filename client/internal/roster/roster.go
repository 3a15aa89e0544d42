package roster

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/gregor-mq/gregor/client/internal/assign"
	"github.com/gregor-mq/gregor/client/internal/coord"
	"github.com/gregor-mq/gregor/client/internal/member"
	"github.com/gregor-mq/gregor/zk"
	"github.com/gregor-mq/gregor/zk/session"
	"github.com/gregor-mq/gregor/znode"
)

// Roster is a group as one member sees it. All that it writes it writes in the
// session that its caller gives, and not at all once that has ended.
type Roster struct {
	// Group and ID name the member's node, Subscription is what it says but for
	// the time.
	Group, ID    string
	Subscription znode.Consumer
	// OldNames says that claims have aliases: Read tells the preferred replicas.
	OldNames bool
	// Watch gets the paths that are read with a watch.
	Watch *coord.Subscription

	// watched are the topics whose nodes have a watch.
	watched map[string]bool
	// contested are the owner nodes that the last claim met and watches.
	contested []string
	// aliases are the second owner nodes of what was claimed last.
	aliases map[assign.TopicPartition]string
}

// acl is that of all that members create: open, as /consumers is.
func acl(string) []zk.ACL { return zk.OpenACL() }

// Check refuses names that cannot be those of znodes.
func (r *Roster) Check() error {
	names := map[string]string{"group": r.Group, "consumer id": r.ID}
	if r.Subscription.Pattern == znode.StaticPattern {
		for topic := range r.Subscription.Streams {
			names["topic "+topic] = topic
		}
	}
	for what, name := range names {
		if err := checkName(name); err != nil {
			return fmt.Errorf("%s: %q %w", what, name, err)
		}
	}
	return nil
}

// Register creates the member's node. The error is member.ErrTaken when another
// session holds it.
func (r *Roster) Register(ctx context.Context, s *session.Session, now time.Time) error {
	c := r.Subscription
	c.Timestamp = now.UnixMilli()
	path := znode.ConsumerIDPath(r.Group, r.ID)
	calls := s.Retrying()
	for {
		_, _, err := calls.CreateRecursive(ctx, path, c.Encode(), acl, zk.Ephemeral)
		if !errors.Is(err, zk.ErrNodeExists) {
			return err
		}
		switch stat, err := calls.Exists(ctx, path, false); {
		case errors.Is(err, zk.ErrNoNode): // gone since: once more
		case err != nil:
			return err
		case stat.EphemeralOwner != s.ID():
			return member.ErrTaken
		default:
			return nil // made by an attempt whose answer was lost
		}
	}
}

// Unregister deletes the member's node.
func (r *Roster) Unregister(ctx context.Context, s *session.Session) error {
	return r.remove(ctx, s, []string{znode.ConsumerIDPath(r.Group, r.ID)})
}

// Claim creates owner nodes. Made are those that this session holds now, Taken
// those that others hold, each with a watch on its end. Who has the node of a
// partition's number owns it; the node of its alias follows, and one that somebody
// else made keeps the partition from being taken too.
func (r *Roster) Claim(ctx context.Context, s *session.Session, claims []assign.Claim) (out member.Claimed) {
	r.Watch.Unwatch(r.contested...)
	r.contested = nil
	if out.Err = r.ownersParents(ctx, s, claims); out.Err != nil {
		return out
	}
	out = r.take(ctx, s, claims, func(c assign.Claim) string { return r.owner(c.TopicPartition) })
	if out.Err != nil || len(out.Taken) > 0 {
		return out
	}
	r.aliases = map[assign.TopicPartition]string{}
	var named []assign.Claim
	for _, c := range claims {
		if c.Alias != "" {
			r.aliases[c.TopicPartition] = znode.OwnersPath(r.Group, c.Topic) + "/" + c.Alias
			named = append(named, c)
		}
	}
	second := r.take(ctx, s, named, func(c assign.Claim) string { return r.aliases[c.TopicPartition] })
	if out.Taken, out.Err = second.Taken, second.Err; out.Err != nil || len(out.Taken) > 0 {
		return out
	}
	var gone []assign.TopicPartition
	if gone, out.Err = r.hold(ctx, s, out.Made); len(gone) > 0 && out.Err == nil {
		out.Err = fmt.Errorf("znode %s: somebody deleted it", r.owner(gone[0]))
	}
	return out
}

// hold sets a watch on owner nodes of this session, under both names, and returns
// the partitions of which somebody deleted one.
func (r *Roster) hold(ctx context.Context, s *session.Session, owned []assign.TopicPartition) (gone []assign.TopicPartition, err error) {
	var reqs []zk.Request
	var of []assign.TopicPartition
	for _, tp := range owned {
		for _, path := range r.owners(tp) {
			r.Watch.Watch(path)
			reqs, of = append(reqs, &zk.ExistsRequest{Path: path, Watch: true}), append(of, tp)
		}
	}
	for i, resp := range s.DoRetry(ctx, reqs) {
		body, ok := resp.Body.(*zk.StatResponse)
		switch {
		case resp.Err != nil && !errors.Is(resp.Err, zk.ErrNoNode):
			return nil, fmt.Errorf("look after the owner nodes of %s-%d: %w", of[i].Topic, of[i].Partition, resp.Err)
		case !ok || body.Stat.EphemeralOwner != s.ID():
			gone = append(gone, of[i])
		}
	}
	return gone, nil
}

// take creates one node for each claim.
func (r *Roster) take(ctx context.Context, s *session.Session, claims []assign.Claim, path func(assign.Claim) string) (out member.Claimed) {
	left := claims
	for len(left) > 0 && out.Err == nil {
		reqs := make([]zk.Request, len(left))
		for i, c := range left {
			reqs[i] = &zk.CreateRequest{Path: path(c), Data: []byte(c.Thread), ACL: acl(""), Flags: zk.Ephemeral}
		}
		var again []assign.Claim
		for i, resp := range s.DoRetry(ctx, reqs) {
			c := left[i]
			switch {
			case resp.Err == nil:
				out.Made = append(out.Made, c.TopicPartition)
				continue
			case !errors.Is(resp.Err, zk.ErrNodeExists):
				out.Err = fmt.Errorf("claim %s: %w", path(c), resp.Err)
				continue
			}
			switch mine, other, err := r.holder(ctx, s, path(c), c.Thread); {
			case err != nil:
				out.Err = err
			case mine:
				out.Made = append(out.Made, c.TopicPartition)
			case other != "":
				out.Taken = append(out.Taken, member.Taken{TopicPartition: c.TopicPartition, Why: other})
			default:
				again = append(again, c)
			}
		}
		left = again
	}
	return out
}

// ownersParents creates what owner nodes hang from.
func (r *Roster) ownersParents(ctx context.Context, s *session.Session, claims []assign.Claim) error {
	topic := ""
	for _, c := range claims { // in order of topics
		if c.Topic == topic {
			continue
		}
		topic = c.Topic
		_, _, err := s.Retrying().CreateRecursive(ctx, znode.OwnersPath(r.Group, topic), nil, acl, zk.Persistent)
		if err != nil && !errors.Is(err, zk.ErrNodeExists) {
			return err
		}
	}
	return nil
}

// maxOwner bounds what is told of an owner node's text, in characters.
const maxOwner = 80

// holder tells whose an owner node is that exists, or did. One of this session
// with another thread's name is given the right one.
func (r *Roster) holder(ctx context.Context, s *session.Session, path, thread string) (mine bool, other string, err error) {
	r.Watch.Watch(path)
	r.contested = append(r.contested, path)
	data, stat, err := s.Retrying().Get(ctx, path, true)
	switch {
	case errors.Is(err, zk.ErrNoNode):
		return false, "", nil
	case err != nil:
		return false, "", fmt.Errorf("read %s: %w", path, err)
	case stat.EphemeralOwner == 0:
		return false, fmt.Sprintf("znode %s holds %.*q and is no session's: it stays until somebody deletes it", path, maxOwner, data), nil
	case stat.EphemeralOwner != s.ID():
		return false, fmt.Sprintf("znode %s is owned by %.*q", path, maxOwner, data), nil
	case string(data) != thread:
		_, err = s.Retrying().Set(ctx, path, []byte(thread), -1)
	}
	return err == nil, "", err
}

// Release deletes owner nodes of this session, those of aliases first: the next
// owner must not find them.
func (r *Roster) Release(ctx context.Context, s *session.Session, owned []assign.TopicPartition) error {
	var aliases, paths []string
	for _, tp := range owned {
		names := r.owners(tp)
		for _, path := range names {
			if !slices.Contains(r.contested, path) { // it may be another's, waited for
				r.Watch.Unwatch(path)
			}
		}
		paths, aliases = append(paths, names[0]), append(aliases, names[1:]...)
	}
	return r.remove(ctx, s, append(aliases, paths...))
}

// remove deletes nodes as far as they are this session's, and looks first: one
// that somebody deleted may be another's by now, and so may one whose deletion was
// sent and not answered.
func (r *Roster) remove(ctx context.Context, s *session.Session, paths []string) error {
	for len(paths) > 0 {
		mine, err := own(ctx, s, paths)
		if err != nil {
			return err
		}
		reqs := make([]zk.Request, len(mine))
		for i, path := range mine {
			reqs[i] = &zk.DeleteRequest{Path: path, Version: -1}
		}
		paths = nil
		for i, resp := range s.Do(ctx, reqs) {
			switch {
			case errors.Is(resp.Err, zk.ErrConnectionLoss):
				paths = append(paths, mine[i])
			case resp.Err != nil && !errors.Is(resp.Err, zk.ErrNoNode):
				return fmt.Errorf("delete %s: %w", mine[i], resp.Err)
			}
		}
	}
	return nil
}

// own returns those of some nodes that a session made.
func own(ctx context.Context, s *session.Session, paths []string) ([]string, error) {
	reqs := make([]zk.Request, len(paths))
	for i, path := range paths {
		reqs[i] = &zk.ExistsRequest{Path: path}
	}
	var mine []string
	for i, resp := range s.DoRetry(ctx, reqs) {
		body, ok := resp.Body.(*zk.StatResponse)
		switch {
		case errors.Is(resp.Err, zk.ErrNoNode):
		case resp.Err != nil || !ok:
			return nil, fmt.Errorf("look at %s: %w", paths[i], resp.Err)
		case body.Stat.EphemeralOwner == s.ID():
			mine = append(mine, paths[i])
		}
	}
	return mine, nil
}

// owners returns the paths of a partition's owner nodes, that of the alias last if
// it has one.
func (r *Roster) owners(tp assign.TopicPartition) []string {
	if alias := r.aliases[tp]; alias != "" {
		return []string{r.owner(tp), alias}
	}
	return []string{r.owner(tp)}
}

func (r *Roster) owner(tp assign.TopicPartition) string {
	return znode.OwnerPath(r.Group, tp.Topic, tp.Partition)
}

// Freed tells which owner node of the group a path is, if it is one.
func (r *Roster) Freed(path string) (assign.TopicPartition, bool) {
	n := znode.ParsePath(path)
	return assign.TopicPartition{Topic: n.Topic, Partition: n.Partition}, n.Kind == znode.OwnerNode
}
