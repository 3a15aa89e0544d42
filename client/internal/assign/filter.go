package assign

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/gregor-mq/gregor/znode"
)

// offsetsTopic is what a filter never matches: the one internal topic that 0.8.2
// knows. __transaction_state is not among them, and leaving it out here would
// deal other partitions than members of 0.8.2 do.
const offsetsTopic = "__consumer_offsets"

// maxStreams bounds the threads that one member may have of a topic: more are a
// mistake, and every member of the group would have to sort them.
const maxStreams = 1 << 14

// Filter is a regular expression for the names of topics: a white list takes what
// matches as a whole, a black list what does not.
type Filter struct {
	// Text is the expression as registrations hold it: without spaces and without
	// quotes around it, commas read as "or".
	Text string
	re   *regexp.Regexp
	not  bool
}

// ParseFilter reads an expression. What Go's syntax lacks of Java's, such as
// look-ahead, is refused.
func ParseFilter(pattern, text string) (Filter, error) {
	f := Filter{Text: tidy(text), not: pattern == znode.BlackListPattern}
	re, err := regexp.Compile("^(?:" + f.Text + ")$")
	if err != nil {
		return Filter{}, fmt.Errorf("topic filter %q: %w", text, err)
	}
	f.re = re
	return f, nil
}

// tidy is what 0.8.2 does to an expression before it is compiled or registered.
func tidy(text string) string {
	text = strings.TrimFunc(text, func(r rune) bool { return r <= ' ' })
	text = strings.ReplaceAll(strings.ReplaceAll(text, ",", "|"), " ", "")
	return strings.Trim(text, `"'`)
}

// Match reports whether the filter takes a topic.
func (f Filter) Match(topic string) bool {
	return topic != offsetsTopic && f.re.MatchString(topic) != f.not
}

// Resolve applies a registration to the topics that exist: a static one stays as
// it is, a filter takes those it matches. Errors name the member.
func Resolve(id string, c znode.Consumer, topics []string) (Member, error) {
	m := Member{ID: id, Streams: make(map[string]int32)}
	for text, streams := range c.Streams {
		if streams > maxStreams {
			return Member{}, fmt.Errorf("member %s: %d streams of %q, at most %d are known to work", id, streams, text, maxStreams)
		}
		if c.Pattern == znode.StaticPattern {
			m.Streams[text] = streams
			continue
		}
		f, err := ParseFilter(c.Pattern, text)
		if err != nil {
			return Member{}, fmt.Errorf("member %s: %w", id, err)
		}
		for _, topic := range topics {
			if f.Match(topic) {
				m.Streams[topic] = streams
			}
		}
	}
	return m, nil
}
