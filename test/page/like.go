package page

import (
	"regexp"
	"strings"
)

// changing is what differs from run to run, with what stands for it.
var changing = []struct {
	what *regexp.Regexp
	name string
}{
	{regexp.MustCompile(`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z`), "TIME"},
	{regexp.MustCompile(`\b1\d{12}\b`), "MILLISECONDS"},
	{regexp.MustCompile(`\b0x[0-9a-f]{6,16}\b`), "SESSION"},
	{regexp.MustCompile(`\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b`), "UUID"},
	{regexp.MustCompile(`\b[0-9A-Za-z_-]{21}[AQgw]\b`), "ID"},
	{regexp.MustCompile(`\b(czxid|mzxid|pzxid) +(0x[0-9a-f]+|\d+)`), "$1 ZXID"},
	{regexp.MustCompile(`[ \t]+`), " "},
	{regexp.MustCompile(`(?m) $`), ""},
}

// plain is a text without what differs from run to run.
func plain(text string) string {
	for _, c := range changing {
		text = c.what.ReplaceAllString(text, c.name)
	}
	return strings.TrimSpace(text)
}

// looks are commands that change nothing. What they look at may come about a
// moment later, so they are repeated until they show what the page says.
var looks = regexp.MustCompile(`^(gregor (zk (--zookeeper \S+ )?(ls|get|stat|acl|du)|groups (list|describe)|topics (list|describe)|cluster status|consume .*--exit-at-end)|cat|grep|curl|wc)\b`)
