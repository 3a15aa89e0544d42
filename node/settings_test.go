package node

import (
	"log/slog"
	"strings"
	"testing"
)

// Who asks for compaction is told once that there is none: per topic, or for all
// that follow the broker.
func TestCompactedTopicsAreNamedOnce(t *testing.T) {
	var out strings.Builder
	s := newSettings(properties(t), slog.New(slog.NewTextHandler(&out, nil)))
	lines := func(want ...string) {
		t.Helper()
		got := out.String()
		out.Reset()
		if strings.Count(got, "\n") != len(want) {
			t.Errorf("%d lines expected:\n%s", len(want), got)
		}
		for _, w := range want {
			if !strings.Contains(got, w) || !strings.Contains(got, "level=WARN") || !strings.Contains(got, "old records stay") {
				t.Errorf("no warning with %q:\n%s", w, got)
			}
		}
	}
	compact := map[string]string{"cleanup.policy": "compact"}
	s.setTopic("plain", map[string]string{"retention.ms": "1000"}, moment{1, 1})
	lines()
	s.setTopic("a", compact, moment{1, 2})
	s.setTopic("b", map[string]string{"cleanup.policy": "delete,compact"}, moment{1, 3})
	lines("topic=a", "topic=b")
	s.setTopic("a", map[string]string{"cleanup.policy": "compact", "segment.bytes": "1000000"}, moment{1, 4})
	lines()
	s.setTopic("a", nil, moment{1, 5}) // deleted, and made again
	if s.setTopic("a", map[string]string{"retention.ms": "5"}, moment{1, 4}) || !s.setTopic("a", nil, moment{1, 5}) {
		t.Error("settings from before others were taken over, or such of the same moment not")
	}
	if !s.setTopic("a", nil, moment{2, 3}) {
		t.Error("a new session's settings were not taken over")
	}
	s.setTopic("a", compact, moment{2, 6})
	lines("topic=a")
	policy := func(p string) {
		if err := s.setBroker(map[string]string{"log.cleanup.policy": p}, nil); err != nil {
			t.Fatal(err)
		}
	}
	policy("compact")
	lines("log.cleanup.policy=compact")
	s.setTopic("c", compact, moment{2, 7})
	policy("compact,delete")
	lines()
}
