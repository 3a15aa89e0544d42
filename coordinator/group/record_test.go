package group

import (
	"encoding/hex"
	"testing"
	"time"

	"github.com/gregor-mq/gregor/wire"
)

// TestRecordBytes pins keys and values to the bytes a Kafka 3.9 broker writes.
func TestRecordBytes(t *testing.T) {
	f := func(r Record, err error, key, value string) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		if got := hex.EncodeToString(r.Key); got != key {
			t.Errorf("key is   %s,\nwant     %s", got, key)
		}
		if got := hex.EncodeToString(r.Value); got != value {
			t.Errorf("value is %s,\nwant     %s", got, value)
		}
	}
	tp := topicPartition{"t", 3}
	key := "0001" + "000167" + "000174" + "00000003"
	o := offset{offset: 5, epoch: 2, metadata: "m", committed: 0x0102030405, expires: -1}
	r, err := offsetRecord("g", tp, &o)
	f(r, err, key, "0003"+"0000000000000005"+"00000002"+"00016d"+"0000000102030405")
	o.expires = 9
	r, err = offsetRecord("g", tp, &o)
	f(r, err, key, "0001"+"0000000000000005"+"00016d"+"0000000102030405"+"0000000000000009")
	r, err = offsetRecord("g", tp, nil)
	f(r, err, key, "")
	if r.Value != nil {
		t.Error("a tombstone's value is not null")
	}

	g := newGroup("g")
	g.protocolType, g.generation, g.since = "consumer", 7, 1
	r, err = groupRecord(g, nil)
	empty := "0003" + "0008636f6e73756d6572" + "00000007" + "ffff" + "ffff" + "0000000000000001" + "00000000"
	f(r, err, "0002"+"000167", empty)

	g.protocol = new("p")
	g.add(&member{
		id: "m", instance: new("i"), clientID: "c", clientHost: "/h", rebalance: time.Second, session: 2 * time.Second,
		protocols: []Protocol{{"p", []byte("sub")}},
	}, "consumer")
	r, err = groupRecord(g, map[string][]byte{"m": []byte("as")})
	f(r, err, "0002"+"000167", "0003"+"0008636f6e73756d6572"+"00000007"+"000170"+"00016d"+"0000000000000001"+"00000001"+
		"00016d"+"000169"+"000163"+"00022f68"+"000003e8"+"000007d0"+"00000003737562"+"000000026173")
}

// TestOldAndNewVersions reads the value versions that other brokers may have
// left.
func TestOldAndNewVersions(t *testing.T) {
	for version := range int16(5) {
		value, err := wire.AppendVersioned(nil, &wire.OffsetCommitValue{Offset: 5, LeaderEpoch: -1, Metadata: "m", CommitTimestamp: 6, ExpireTimestamp: -1}, version)
		if err != nil {
			t.Fatal(err)
		}
		o, err := decodeOffset(value)
		if want := (offset{5, -1, "m", 6, -1, 0}); err != nil || o != want {
			t.Errorf("version %d: %v, %v", version, o, err)
		}
		value, err = wire.AppendVersioned(nil, &wire.GroupMetadataValue{
			ProtocolType: "consumer", Generation: 3, Protocol: new("p"), Leader: new("m"), CurrentStateTimestamp: 9,
			Members: []wire.GroupMetadataValueMemberMetadata{{MemberID: "m", RebalanceTimeout: 5, SessionTimeout: 4}},
		}, version)
		if err != nil {
			t.Fatal(err)
		}
		m := New(DefaultConfig())
		key, err := groupKey("g")
		if err != nil {
			t.Fatal(err)
		}
		if err := m.Replay(0, -1, key, value); err != nil {
			t.Fatalf("version %d: %v", version, err)
		}
		m.Step(storyStart, Loaded{})
		g := m.groups["g"]
		if g.state != Stable || g.leader != "m" || g.generation != 3 {
			t.Errorf("version %d: %s, leader %s, generation %d", version, g.state, g.leader, g.generation)
		}
		if want := map[bool]int64{true: 9, false: -1}[version >= 2]; g.since != want {
			t.Errorf("version %d: since %d, want %d", version, g.since, want)
		}
		if want := map[bool]time.Duration{true: 4, false: 5}[version == 0]; g.order[0].rebalance != want*time.Millisecond {
			t.Errorf("version %d: rebalance timeout %v", version, g.order[0].rebalance)
		}
	}
}

// TestExpiryOfOldGroups covers groups whose records do not say since when they
// are empty: their offsets age from their commit.
func TestExpiryOfOldGroups(t *testing.T) {
	m := New(DefaultConfig())
	key, _ := groupKey("g")
	value, err := wire.AppendVersioned(nil, &wire.GroupMetadataValue{ProtocolType: "consumer", Generation: 3}, 1)
	if err != nil {
		t.Fatal(err)
	}
	r, err := offsetRecord("g", topicPartition{"t", 0}, &offset{offset: 1, committed: storyStart.UnixMilli(), expires: -1})
	if err != nil {
		t.Fatal(err)
	}
	for _, err := range []error{m.Replay(0, -1, key, value), m.Replay(1, -1, r.Key, r.Value)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	m.Step(storyStart, Loaded{})
	week := 7 * 24 * time.Hour
	if fx := m.Step(storyStart.Add(week-time.Millisecond), Expire{}); len(fx.Writes) != 0 {
		t.Errorf("expired early: %v", fx.Writes)
	}
	if fx := m.Step(storyStart.Add(week), Expire{}); len(fx.Writes) != 1 || len(fx.Writes[0].Records) != 2 {
		t.Errorf("writes %v, want tombstones of the offset and the group", fx.Writes)
	}
}

func TestPartition(t *testing.T) {
	f := func(group string, partitions, want int32) {
		t.Helper()
		if got := Partition(group, partitions); got != want {
			t.Errorf("Partition(%q, %d) = %d, want %d", group, partitions, got, want)
		}
	}
	f("", 50, 0)
	f("g1", 4, 2)
	f("gtx", 4, 3)
	f("console-consumer-1", 50, 24)
	f("polygenelubricants", 50, 0) // hashes to the int without an absolute value
	f("é", 50, 0xe9%50)
	f("𐍈", 1<<30, (31*0xd800+0xdf48)%(1<<30))
}

func TestSubscriptionPrefix(t *testing.T) {
	whole := subscription("a", "bc")
	prefix := len(whole) - 4 // user data's length ends version 0
	for n := range len(whole) {
		topics := map[string]struct{}{}
		if got := readSubscription(whole[:n], topics); got != (n >= prefix) {
			t.Errorf("%d of %d bytes: %v", n, len(whole), got)
		}
	}
	for _, bad := range []string{"ffff0000000000000000", "0000ffffffff00000000", "00007fffffff", "0000000000017fff", "000000000000" + "00000005" + "01"} {
		b, err := hex.DecodeString(bad)
		if err != nil {
			t.Fatal(err)
		}
		if readSubscription(b, map[string]struct{}{}) {
			t.Errorf("%s was taken for a subscription", bad)
		}
	}
}

func TestRefuse(t *testing.T) {
	f := func(e Event, code, want wire.Code) {
		t.Helper()
		var got wire.Code
		switch b := Refuse(e, code).(type) {
		case JoinReply:
			got = b.Code
		case SyncReply:
			got = b.Code
		case CodeReply:
			got = b.Code
		case LeaveReply:
			got = b.Code
		case CommitReply:
			got = b.Topics[0].Partitions[0].Code
		case FetchReply:
			got = b.Code
		case DeleteOffsetsReply:
			got = b.Code
		case DescribeReply:
			got = b.Code
		case ListReply:
			got = b.Code
		}
		if got != want {
			t.Errorf("Refuse(%T, %v) says %v, want %v", e, code, got, want)
		}
	}
	topics := []CommitTopic{{"t", []CommitPartition{{}}}}
	loading, not := wire.CodeCoordinatorLoadInProgress, wire.CodeNotCoordinator
	for _, e := range []Event{Join{}, Leave{}, Commit{Topics: topics}, TxnCommit{Topics: topics}, Fetch{}, DeleteOffsets{}, Describe{}, List{}, Delete{}} {
		f(e, loading, loading)
		f(e, not, not)
	}
	f(Sync{}, not, not)
	f(Heartbeat{}, not, not)
	f(Sync{}, loading, wire.CodeRebalanceInProgress)
	f(Heartbeat{}, loading, wire.CodeNone)
}
