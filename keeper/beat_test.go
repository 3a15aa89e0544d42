package keeper

import (
	"reflect"
	"testing"
	"time"

	"github.com/gregor-mq/gregor/internal/env"
)

func FuzzDecodeBeat(f *testing.F) {
	for _, b := range []beat{{}, {stamp: -5, term: 3, start: 1 << 40}, {stamp: 7, touched: []touch{{1, 0}, {-1, 4000}}}} {
		f.Add(b.append(nil))
		f.Add(b.append(nil)[1:])
	}
	f.Fuzz(func(t *testing.T, src []byte) {
		b, ok := decodeBeat(src)
		if !ok {
			return
		}
		if again, ok := decodeBeat(b.append(nil)); !ok || !reflect.DeepEqual(again, b) {
			t.Fatalf("%+v became %+v", b, again)
		}
	})
}

// stoppedClock stands at an instant.
type stoppedClock struct {
	env.Clock
	now time.Time
}

func (c *stoppedClock) Now() time.Time { return c.now }

// leaderAt is a leader with raft id 1, at some ms since its start, in an ensemble
// whose lease is 500 ms.
func leaderAt(now int64) *loop {
	start := time.Unix(1000, 0)
	k := &Keeper{started: start, cfg: Config{Member: 1, TickTime: 500 * time.Millisecond}}
	k.env.Clock = &stoppedClock{now: start.Add(time.Duration(now) * time.Millisecond)}
	k.quorum, k.dir = &quorum{k: k, beat: 50 * time.Millisecond}, &directory{}
	k.dir.raft = 1
	return &loop{k: k, storage: &raftLog{}, heard: map[uint64]int64{}, echoed: map[uint64]int64{}}
}

func TestMajorityIsWhenMostWereHeard(t *testing.T) {
	for _, c := range []struct {
		voters []uint64
		echoed map[uint64]int64
		want   int64
	}{
		{[]uint64{1}, nil, 1000},
		{[]uint64{1, 2}, map[uint64]int64{2: 800}, 800},
		{[]uint64{1, 2, 3}, map[uint64]int64{2: 800}, 800},
		{[]uint64{1, 2, 3}, map[uint64]int64{2: 800, 3: 900}, 900},
		{[]uint64{1, 2, 3}, nil, unheard},
		{[]uint64{1, 2, 3, 4}, map[uint64]int64{2: 700, 3: 800, 4: 900}, 800},
		{[]uint64{1, 2, 3, 4, 5}, map[uint64]int64{2: 600, 3: 700, 4: 800, 5: 900}, 800},
		{[]uint64{2, 3, 4}, map[uint64]int64{2: 600, 3: 700, 4: 800}, 700}, // it has no vote
		{[]uint64{1, 0x102, 3}, map[uint64]int64{2: 600}, 600},             // a directory that came later
		{nil, nil, unheard},
	} {
		l := leaderAt(1000)
		if c.echoed != nil {
			l.echoed = c.echoed
		}
		if got := l.majority(c.voters); got != c.want {
			t.Errorf("voters %x, heard %v: %d, want %d", c.voters, c.echoed, got, c.want)
		}
	}
}

func TestLeaseIsThatOfBothMajorities(t *testing.T) {
	l := leaderAt(1000)
	l.k.until.Store(unheard)
	l.storage.members.Voters, l.storage.members.Outgoing = []uint64{1, 2, 3}, []uint64{1, 4, 5}
	l.echoed = map[uint64]int64{2: 900, 3: 900, 4: 300, 5: 200}
	l.extend()
	if got := l.k.until.Load(); got != 300+500 {
		t.Errorf("served until %d, want 800", got)
	}
	l.echoed = map[uint64]int64{2: 100, 4: 100}
	l.extend()
	if got := l.k.until.Load(); got != 800 {
		t.Errorf("a lease became shorter: until %d", got)
	}
}

func TestSessionsThatMayLive(t *testing.T) {
	for _, c := range []struct {
		name            string
		home            uint64
		heard, ledSince int64 // heard 0: not at all
		now             int64
		want            bool
	}{
		{"with the leader itself", 1, 0, 0, 3100, false},
		{"with nobody known", 0, 0, 0, 3100, false},
		{"its member was heard after its deadline", 2, 3000, 0, 3100, false},
		{"its member was heard just before", 2, 2999, 0, 3100, true},
		{"its member was heard a lease and a timeout ago", 2, 2999, 0, 2999 + 500 + 1000, false},
		{"and a moment less", 2, 2999, 0, 2999 + 500 + 1000 - 1, true},
		{"its member was not heard by this leader", 2, 0, 2000, 3100, true},
		{"nor for long", 2, 0, 2000, 3500, false},
	} {
		l := leaderAt(c.now)
		s := &session{home: c.home}
		s.deadline.Store(3000)
		s.timeout.Store(1000)
		l.ledSince = c.ledSince
		if c.heard != 0 {
			l.heard[2] = c.heard
		}
		if got := l.mayLive(s); got != c.want {
			t.Errorf("%s: %v", c.name, got)
		}
	}
}

// A session is named until the leader has answered a sign of life that named it.
func TestSessionsAreNamedUntilTheLeaderKnows(t *testing.T) {
	l := leaderAt(1000)
	l.named = map[int64]int64{}
	l.k.sessions.m = map[int64]*session{}
	a, b := l.k.sessions.obtain(5, 1000), l.k.sessions.obtain(6, 1000)
	l.k.touched.note(a)
	l.k.touched.note(a)
	want := func(now int64, touches ...touch) {
		t.Helper()
		if got := l.nameTouched(now); !reflect.DeepEqual(got, touches) {
			t.Errorf("named %v, want %v", got, touches)
		}
	}
	want(1000, touch{5, 0})
	l.k.touched.note(b)
	want(1050, touch{5, 50}, touch{6, 0})
	l.k.sessions.remove(5)
	want(1100, touch{6, 50})
}
