package ensemble

import (
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/gregor-mq/gregor/test/story"
)

// TestBirth tells of ensembles: "servers" names voters, and observers behind a
// bar; "N is STATE, hears N STATE …" asks what N is to do.
func TestBirth(t *testing.T) {
	story.Files(t, func(t *testing.T, text string) string {
		var c Config
		return story.Lines(text, func(line string) string {
			if list, ok := strings.CutPrefix(line, "servers "); ok {
				c = parseServers(t, list)
				return fmt.Sprintf("voters %v\n", c.Voters())
			}
			who, heard, _ := strings.Cut(line, ", hears ")
			fields := strings.Fields(who) // N is STATE
			others := map[uint64]State{}
			for words := strings.Fields(heard); len(words) > 1; words = words[2:] {
				others[number(t, words[0])] = State(words[1])
			}
			return verdict(Decide(number(t, fields[0]), State(fields[2]), c, others)) + "\n"
		})
	})
}

func number(t *testing.T, text string) uint64 {
	t.Helper()
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func parseServers(t *testing.T, list string) Config {
	t.Helper()
	voters, observers, _ := strings.Cut(list, "|")
	var servers []Server
	for i, part := range []string{voters, observers} {
		for _, n := range strings.Fields(part) {
			servers = append(servers, Server{Number: number(t, n), Host: "h" + n, QuorumPort: 2888, ElectionPort: 3888, Observer: i == 1})
		}
	}
	c, err := NewConfig(0, servers)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func verdict(v Verdict) string {
	return map[Verdict]string{Wait: "wait", Found: "found", Join: "join"}[v]
}
