package follow

import (
	"fmt"

	"github.com/gregor-mq/gregor/wire"
)

// session is the fetch session with the source (KIP-227): the leader remembers
// what was asked of each partition, and a request tells what changed.
type session struct {
	// id and epoch are those of the next request. Epoch 0 asks for a new session
	// and ends the one named, if any.
	id, epoch int32
	// byID says how this session names topics.
	byID bool
	// number tells this session's members from those of former ones.
	number uint64
	// queue holds those to name in the next request, leaving those to forget.
	// Both may hold partitions that went another way since.
	queue, leaving []*part
	answers        uint64 // counts answers, so that none names a partition twice
}

// member is what a session knows of a partition.
type member struct {
	session  uint64 // number of the session it belongs to
	told     wanted
	queued   bool
	leaving  bool
	answered uint64 // the answer that named it last
}

// wanted is what a request says of a partition.
type wanted struct {
	offset, start      int64
	leaderEpoch, epoch int32
}

func (t *fetcher) wanted(p *part) wanted {
	w := wanted{offset: p.at.End, start: p.at.Start, leaderEpoch: p.LeaderEpoch, epoch: -1}
	if t.set.versions.diverging {
		w.epoch = p.at.Epoch
	}
	return w
}

func (s *session) has(p *part) bool { return p.member.session == s.number && s.number != 0 }

// join names a partition in the next request.
func (s *session) join(p *part) {
	p.member.leaving = false
	if !p.member.queued {
		p.member.queued = true
		s.queue = append(s.queue, p)
	}
}

// leave has the leader forget a partition with the next request.
func (s *session) leave(p *part) {
	p.member.queued = false
	if s.has(p) && !p.member.leaving {
		p.member.leaving = true
		s.leaving = append(s.leaving, p)
	}
}

// inherit makes a partition the member that another one of the same name was.
func (s *session) inherit(old, p *part) {
	if s.has(old) {
		p.member.session, p.member.told = old.member.session, old.member.told
		old.member.session, old.member.leaving = 0, false
	}
}

// mustForget reports that the leader keeps partitions that it should not.
func (s *session) mustForget() bool { return s.epoch != 0 && len(s.leaving) > 0 }

// lost begins anew with the next request, and has the leader end this session
// if it still knows it.
func (s *session) lost() { s.epoch = 0 }

// buildFetch fills the request with what changed since the last one, or with
// all there is for a new session. It returns the version to send it in.
func (t *fetcher) buildFetch() int16 {
	s, version := &t.session, t.set.versions.fetch
	if version >= fetchByID && t.parts.nameless > 0 {
		version = fetchByID - 1
	}
	if byID := version >= fetchByID; byID != s.byID {
		s.byID = byID
		s.lost()
	}
	t.fillHeader(version)
	if s.epoch == 0 {
		s.number++
		for _, p := range s.queue {
			p.member.queued = false
		}
		s.queue, s.leaving = s.queue[:0], s.leaving[:0]
		for _, p := range t.parts.list {
			if p.stage == stageFetching {
				t.tell(p)
			}
		}
		return version
	}
	for _, p := range s.queue {
		if p.member.queued {
			p.member.queued = false
			t.tell(p)
		}
	}
	clear(s.queue)
	s.queue = s.queue[:0]
	for _, p := range s.leaving {
		if p.member.leaving {
			p.member.leaving, p.member.session = false, 0
			// The leader forgets what the same request names: a partition that came
			// back under the same name must not be in both.
			if again := t.sameName(p); again == nil || !s.has(again) {
				t.forget(p)
			}
		}
	}
	clear(s.leaving)
	s.leaving = s.leaving[:0]
	return version
}

func (t *fetcher) fillHeader(version int16) {
	r, cfg := &t.request, &t.set.cfg
	r.ReplicaID, r.ReplicaState = cfg.BrokerID, wire.NewFetchRequestReplicaState()
	if version >= fetchState {
		r.ReplicaID = -1
		r.ReplicaState.ReplicaID, r.ReplicaState.ReplicaEpoch = cfg.BrokerID, cfg.BrokerEpoch()
	}
	r.MaxWaitMs, r.MinBytes, r.MaxBytes = int32(cfg.MaxWait.Milliseconds()), cfg.MinBytes, cfg.MaxBytes
	r.SessionID, r.SessionEpoch = t.session.id, t.session.epoch
	r.Topics, r.ForgottenTopicsData = r.Topics[:0], r.ForgottenTopicsData[:0]
}

// tell adds a partition to the request. The memory of a former request is used
// again.
func (t *fetcher) tell(p *part) {
	r := &t.request
	if n := len(r.Topics); n == 0 || r.Topics[n-1].Topic != p.Topic {
		if n < cap(r.Topics) {
			r.Topics = r.Topics[:n+1]
			r.Topics[n].Topic, r.Topics[n].TopicID, r.Topics[n].Partitions = p.Topic, p.TopicID, r.Topics[n].Partitions[:0]
		} else {
			r.Topics = append(r.Topics, wire.FetchRequestTopic{Topic: p.Topic, TopicID: p.TopicID})
		}
	}
	w := t.wanted(p)
	p.member.session, p.member.told, p.member.leaving = t.session.number, w, false
	topic := &r.Topics[len(r.Topics)-1]
	topic.Partitions = append(topic.Partitions, wire.FetchRequestPartition{
		Partition: p.Index, CurrentLeaderEpoch: w.leaderEpoch, FetchOffset: w.offset, LastFetchedEpoch: w.epoch,
		LogStartOffset: w.start, PartitionMaxBytes: t.set.cfg.PartitionBytes,
	})
}

// sameName returns the partition that the leader would take for p, nil if there
// is none.
func (t *fetcher) sameName(p *part) *part {
	if t.session.byID {
		return t.parts.byID[idPartition{p.TopicID, p.Index}]
	}
	return t.parts.byName[p.Partition]
}

// forget adds a partition to those that the leader shall forget.
func (t *fetcher) forget(p *part) {
	r := &t.request
	if n := len(r.ForgottenTopicsData); n == 0 || r.ForgottenTopicsData[n-1].Topic != p.Topic || r.ForgottenTopicsData[n-1].TopicID != p.TopicID {
		r.ForgottenTopicsData = append(r.ForgottenTopicsData, wire.FetchRequestForgottenTopic{Topic: p.Topic, TopicID: p.TopicID})
	}
	f := &r.ForgottenTopicsData[len(r.ForgottenTopicsData)-1]
	f.Partitions = append(f.Partitions, p.Index)
}

// accept takes an answer over into the session. It leaves the partitions that
// the answer names, in its order, in t.found. After an error nothing of the
// answer may be used; fresh says that a new session may be tried at once.
func (t *fetcher) accept(resp *wire.FetchResponse) (fresh bool, err error) {
	s := &t.session
	incremental := s.epoch != 0
	s.lost()
	if resp.ErrorCode != wire.CodeNone {
		if resp.ErrorCode == wire.CodeFetchSessionIDNotFound {
			s.id = 0
		}
		return incremental && sessionError(resp.ErrorCode), resp.ErrorCode
	}
	if err := t.identify(resp); err != nil {
		return false, err
	}
	if asked := t.named(); !incremental && len(t.found) != asked {
		s.id = resp.SessionID
		return false, fmt.Errorf("answer to a full fetch of %d partitions names %d", asked, len(t.found))
	}
	if s.id = resp.SessionID; s.id != 0 {
		s.epoch = 1
		if incremental {
			s.epoch = nextEpoch(t.request.SessionEpoch)
		}
	}
	return false, nil
}

// sessionError reports an error that ends a session but not a conversation.
func sessionError(c wire.Code) bool {
	return c == wire.CodeFetchSessionIDNotFound || c == wire.CodeInvalidFetchSessionEpoch || c == wire.CodeFetchSessionTopicIDError
}

// nextEpoch counts from 1 and skips 0, which means something else.
func nextEpoch(e int32) int32 {
	if e == 1<<31-1 {
		return 1
	}
	return e + 1
}

// identify finds the partitions that an answer names.
func (t *fetcher) identify(resp *wire.FetchResponse) error {
	t.session.answers++
	t.found = t.found[:0]
	for i := range resp.Responses {
		topic := &resp.Responses[i]
		for j := range topic.Partitions {
			index := topic.Partitions[j].PartitionIndex
			p := t.parts.byName[Partition{topic.Topic, index}]
			if t.session.byID {
				p = t.parts.byID[idPartition{topic.TopicID, index}]
			}
			if p == nil || !t.session.has(p) || p.member.answered == t.session.answers {
				return fmt.Errorf("answer names partition %s-%d (topic id %s), which was not asked for", topic.Topic, index, topic.TopicID)
			}
			p.member.answered = t.session.answers
			t.found = append(t.found, p)
		}
	}
	return nil
}

// named is how many partitions the request named.
func (t *fetcher) named() int {
	n := 0
	for i := range t.request.Topics {
		n += len(t.request.Topics[i].Partitions)
	}
	return n
}
