package wire

import (
	"errors"
	"fmt"
	"regexp"
	"testing"
)

func TestCodesAreComplete(t *testing.T) {
	texts := map[string]Code{}
	for c := Code(-1); int(c)+1 < len(codes); c++ {
		i := c.info()
		if !regexp.MustCompile(`^[A-Z]+(_[A-Z]+)*$`).MatchString(i.name) || i.text == "" {
			t.Errorf("code %d: name %q, text %q", c, i.name, i.text)
		}
		for _, s := range []string{i.name, i.text} {
			if other, taken := texts[s]; taken {
				t.Errorf("codes %d and %d share %q", other, c, s)
			}
			texts[s] = c
		}
	}
	if last := Code(len(codes) - 2); last != CodeVoterNotFound {
		t.Errorf("last code is %d", last)
	}
}

// TestCodes names codes by their numbers in Kafka's protocol guide.
func TestCodes(t *testing.T) {
	for _, c := range []struct {
		number    Code
		name      string
		retriable bool
	}{
		{-1, "UNKNOWN_SERVER_ERROR", false},
		{0, "NONE", false},
		{2, "CORRUPT_MESSAGE", true},
		{3, "UNKNOWN_TOPIC_OR_PARTITION", true},
		{6, "NOT_LEADER_OR_FOLLOWER", true},
		{10, "MESSAGE_TOO_LARGE", false},
		{19, "NOT_ENOUGH_REPLICAS", true},
		{27, "REBALANCE_IN_PROGRESS", false},
		{41, "NOT_CONTROLLER", true},
		{51, "CONCURRENT_TRANSACTIONS", true},
		{74, "FENCED_LEADER_EPOCH", true},
		{77, "STALE_BROKER_EPOCH", false},
		{98, "SNAPSHOT_NOT_FOUND", false},
		{99, "POSITION_OUT_OF_RANGE", false},
		{100, "UNKNOWN_TOPIC_ID", true},
		{127, "VOTER_NOT_FOUND", false},
		{128, "UNKNOWN_SERVER_ERROR", false}, // from a newer peer
		{-2, "UNKNOWN_SERVER_ERROR", false},
	} {
		if c.number.Name() != c.name || c.number.Retriable() != c.retriable {
			t.Errorf("%d: %s, retriable %v; want %s, %v", c.number, c.number.Name(), c.number.Retriable(), c.name, c.retriable)
		}
	}
}

func TestCodeIsAnError(t *testing.T) {
	err := fmt.Errorf("append to t-0: %w", CodeNotLeaderOrFollower)
	if !errors.Is(err, CodeNotLeaderOrFollower) {
		t.Error("the code is lost in wrapping")
	}
	c, ok := errors.AsType[Code](err)
	if !ok || c != 6 {
		t.Errorf("got %d, %v", c, ok)
	}
	if got, want := Code(6).Error(), "NOT_LEADER_OR_FOLLOWER (6): "; got[:len(want)] != want {
		t.Errorf("got %q", got)
	}
	if got, want := Code(500).Error(), "UNKNOWN_SERVER_ERROR (500): "; got[:len(want)] != want {
		t.Errorf("got %q", got)
	}
}
