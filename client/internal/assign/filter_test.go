package assign

import (
	"strings"
	"testing"

	"github.com/gregor-mq/gregor/znode"
)

func TestFilter(t *testing.T) {
	match := func(pattern, text, topic string, want bool) {
		t.Helper()
		f, err := ParseFilter(pattern, text)
		if err != nil {
			t.Error(err)
		} else if got := f.Match(topic); got != want {
			t.Errorf("%s %q takes %q: %t", pattern, f.Text, topic, got)
		}
	}
	white, black := znode.WhiteListPattern, znode.BlackListPattern
	match(white, "a.c", "abc", true)
	match(white, "a.c", "xabc", false)
	match(white, "a|b", "bb", false)
	match(white, ` "a, b" `, "b", true)
	match(white, ".*", "__consumer_offsets", false)
	match(black, "a", "__consumer_offsets", false)
	match(black, "a", "b", true)
	match(black, "a,b", "b", false)
	if f, err := ParseFilter(white, "'a b,c'\n"); err != nil || f.Text != "ab|c" {
		t.Errorf("registered as %q, %v", f.Text, err)
	}
	for _, text := range []string{"(", "a(?=b)", "*"} {
		if _, err := ParseFilter(white, text); err == nil || !strings.Contains(err.Error(), text) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestResolveRefuses(t *testing.T) {
	f := func(c znode.Consumer, part string) {
		t.Helper()
		if _, err := Resolve("g_1", c, []string{"t"}); err == nil || !strings.Contains(err.Error(), "member g_1") || !strings.Contains(err.Error(), part) {
			t.Errorf("%+v: %v", c, err)
		}
	}
	f(znode.Consumer{Pattern: znode.WhiteListPattern, Streams: map[string]int32{"[": 1}}, `"["`)
	f(znode.Consumer{Pattern: znode.StaticPattern, Streams: map[string]int32{"t": 1 << 30}}, "1073741824 streams")
}

// TestJavaStrings holds hash and compare against values that Java gives.
func TestJavaStrings(t *testing.T) {
	if hash("Aa") != hash("BB") || hash("") != 0 || hash("[t,0]") != 87540032 || hash("topic-\U0001F600") != -955570495 {
		t.Error(hash("Aa"), hash("BB"), hash("[t,0]"), hash("topic-\U0001F600"))
	}
	for _, s := range [][2]string{{"a", "b"}, {"a", "ab"}, {"g-10", "g-2"}, {"\U0001F600", "\uFFFD"}, {"", "a"}} {
		if compare(s[0], s[1]) >= 0 || compare(s[1], s[0]) <= 0 || compare(s[0], s[0]) != 0 {
			t.Errorf("%q does not come before %q", s[0], s[1])
		}
	}
}
