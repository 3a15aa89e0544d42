package group

import (
	"fmt"
	"strings"

	"github.com/gregor-mq/gregor/wire"
)

func text(s *string) string {
	if s == nil {
		return "null"
	}
	return *s
}

// printable shows consumer subscriptions as they are written in stories.
func printable(b []byte) string {
	topics := map[string]struct{}{}
	if len(b) == 0 || !readSubscription(b, topics) {
		return string(b)
	}
	var names []string
	for i := 6; i < len(b)-8; i += 2 + int(b[i+1]) {
		names = append(names, string(b[i+2:i+2+int(b[i+1])]))
	}
	return "@" + strings.Join(names, "+")
}

// record shows a record by decoding its bytes again.
func (s *teller) record(r Record) string {
	version, rest, err := wire.CutVersion(r.Key)
	if err != nil {
		s.t.Fatal(err)
	}
	if version == groupKeyVersion {
		var k wire.GroupMetadataKey
		if err := k.Decode(rest, version); err != nil {
			s.t.Fatal(err)
		}
		if r.Value == nil {
			return fmt.Sprintf("group %s gone", k.Group)
		}
		v, err := decodeGroup(r.Value)
		if err != nil {
			s.t.Fatal(err)
		}
		b := v.body
		var out strings.Builder
		out.WriteString(fmt.Sprintf("group %s v%d type=%s gen=%d protocol=%s leader=%s since=%s", k.Group, v.version, b.ProtocolType,
			b.Generation, text(b.Protocol), text(b.Leader), s.clock(b.CurrentStateTimestamp)))
		for _, m := range b.Members {
			out.WriteString(fmt.Sprintf("\n         %s instance=%s client=%s%s session=%dms rebalance=%dms subscription=%s assignment=%s", m.MemberID,
				text(m.GroupInstanceID), m.ClientID, m.ClientHost, m.SessionTimeout, m.RebalanceTimeout, printable(m.Subscription), m.Assignment))
		}
		return out.String()
	}
	var k wire.OffsetCommitKey
	if err := k.Decode(rest, version); err != nil {
		s.t.Fatal(err)
	}
	if r.Value == nil {
		return fmt.Sprintf("offset %s %s-%d gone", k.Group, k.Topic, k.Partition)
	}
	o, err := decodeOffset(r.Value)
	if err != nil {
		s.t.Fatal(err)
	}
	return fmt.Sprintf("offset %s %s-%d v%d %d epoch=%d metadata=%q committed=%s expires=%s", k.Group, k.Topic, k.Partition,
		r.Value[1], o.offset, o.epoch, o.metadata, s.clock(o.committed), s.clock(o.expires))
}

func (s *teller) body(b Body) string {
	switch b := b.(type) {
	case JoinReply:
		if b.Code != wire.CodeNone {
			return fmt.Sprintf("%s member=%q gen=%d", b.Code.Name(), b.Member, b.Generation)
		}
		var out strings.Builder
		fmt.Fprintf(&out, "joined gen=%d %s/%s leader=%s member=%s", b.Generation, text(b.ProtocolType), text(b.ProtocolName), b.Leader, b.Member)
		if b.SkipAssignment {
			out.WriteString(" skip")
		}
		for _, m := range b.Members {
			fmt.Fprintf(&out, " [%s %s %s]", m.Member, text(m.Instance), printable(m.Metadata))
		}
		return out.String()
	case SyncReply:
		if b.Code != wire.CodeNone {
			return b.Code.Name()
		}
		return fmt.Sprintf("synced %s/%s assignment=%s", text(b.ProtocolType), text(b.ProtocolName), b.Assignment)
	case CodeReply:
		return b.Code.Name()
	case LeaveReply:
		var out strings.Builder
		out.WriteString(b.Code.Name())
		for _, m := range b.Members {
			fmt.Fprintf(&out, " [%s %s %s]", m.Member, text(m.Instance), m.Code.Name())
		}
		return out.String()
	case CommitReply:
		return topicCodes(b.Topics)
	case DeleteOffsetsReply:
		return b.Code.Name() + " " + topicCodes(b.Topics)
	case FetchReply:
		var out strings.Builder
		out.WriteString(b.Code.Name())
		for _, t := range b.Topics {
			for _, p := range t.Partitions {
				fmt.Fprintf(&out, " %s-%d=%d/%d/%q", t.Topic, p.Partition, p.Offset, p.LeaderEpoch, p.Metadata)
				if p.Code != wire.CodeNone {
					out.WriteString("/" + p.Code.Name())
				}
			}
		}
		return out.String()
	case DescribeReply:
		var out strings.Builder
		fmt.Fprintf(&out, "%s %s %s type=%s protocol=%s", b.Code.Name(), b.Group, b.State, b.ProtocolType, b.Protocol)
		for _, m := range b.Members {
			fmt.Fprintf(&out, " [%s %s %s%s %s %s]", m.Member, text(m.Instance), m.ClientID, m.ClientHost, printable(m.Metadata), m.Assignment)
		}
		return out.String()
	case ListReply:
		return fmt.Sprintf("%s %v", b.Code.Name(), b.Groups)
	}
	return fmt.Sprintf("%#v", b)
}

func topicCodes(topics []TopicCodes) string {
	var out []string
	for _, t := range topics {
		for _, p := range t.Partitions {
			out = append(out, fmt.Sprintf("%s-%d:%s", t.Topic, p.Partition, p.Code.Name()))
		}
	}
	return strings.Join(out, " ")
}
