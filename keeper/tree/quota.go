package tree

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// The nodes below /zookeeper/quota/<path> that hold a quota and what is used.
const (
	limitsName = "zookeeper_limits"
	statsName  = "zookeeper_stats"
)

// quotaFor returns the longest path above or at path that has a limit.
func (t *Tree) quotaFor(path string) (string, bool) {
	if len(t.quotas) == 0 {
		return "", false
	}
	for p := path; p != ""; p, _ = splitPath(p) {
		if _, ok := t.quotas[p]; ok {
			return p, true
		}
	}
	return "", false
}

// quotaCreated keeps account of a new node, which may be a quota itself.
func (t *Tree) quotaCreated(path string, bytes int64) {
	if parent, name := splitPath(path); strings.HasPrefix(parent, quotaPath) {
		limited := strings.TrimPrefix(parent, quotaPath)
		switch name {
		case limitsName:
			if limited != "" {
				t.quotas[limited] = struct{}{}
			}
		case statsName:
			t.countQuota(limited)
		}
	}
	if q, ok := t.quotaFor(path); ok {
		t.addToStats(q, bytes, 1)
	}
}

func (t *Tree) quotaDeleted(path string, bytes int64) {
	if parent, name := splitPath(path); name == limitsName && strings.HasPrefix(parent, quotaPath) {
		delete(t.quotas, strings.TrimPrefix(parent, quotaPath))
	}
	if q, ok := t.quotaFor(path); ok {
		t.addToStats(q, -bytes, -1)
	}
}

func (t *Tree) quotaChanged(path string, diff int64) {
	if q, ok := t.quotaFor(path); ok {
		t.addToStats(q, diff, 0)
	}
}

// countQuota fills a fresh stats node with what is there already.
func (t *Tree) countQuota(path string) {
	st := parseTrack(nil)
	st.set("count", 0)
	st.set("bytes", 0)
	if top := t.find(path); top != 0 && path != "" {
		count, bytes := t.weigh(top)
		st.set("count", count)
		st.set("bytes", bytes)
	}
	t.writeStats(path, st)
}

// weigh counts a node with all below it, and their data.
func (t *Tree) weigh(top num) (count, bytes int64) {
	work := []num{top}
	for len(work) > 0 {
		n := work[len(work)-1]
		work = work[:len(work)-1]
		nd := t.s.node(n)
		count++
		bytes += int64(max(nd.dataLen, 0))
		for c := t.s.extraOf(nd).firstChild; c != 0; c = t.s.node(c).next {
			work = append(work, c)
		}
	}
	return count, bytes
}

func (t *Tree) addToStats(path string, bytes, count int64) {
	n := t.find(quotaPath + path + "/" + statsName)
	if n == 0 {
		return
	}
	st := parseTrack(t.s.data(t.s.node(n)))
	st.set("count", st.get("count")+count)
	st.set("bytes", st.get("bytes")+bytes)
	t.writeStats(path, st)
}

// writeStats changes data behind the back of versions and watchers, as
// ZooKeeper does.
func (t *Tree) writeStats(path string, st track) {
	if n := t.find(quotaPath + path + "/" + statsName); n != 0 {
		t.s.touch(n)
		t.s.setData(t.s.node(n), []byte(st.String()))
	}
}

// overQuota reports whether a change would break a hard limit.
func (t *Tree) overQuota(path string, bytes, count int64) bool {
	if !t.opts.EnforceQuota {
		return false
	}
	q, ok := t.quotaFor(path)
	if !ok {
		return false
	}
	limits, stats := t.trackAt(q, limitsName), t.trackAt(q, statsName)
	over := func(key, limit string, diff int64) bool {
		hard := limits.get(limit)
		return diff != 0 && hard > -1 && stats.get(key)+diff > hard
	}
	return over("count", "countHardLimit", count) || over("bytes", "byteHardLimit", bytes)
}

func (t *Tree) trackAt(path, name string) track {
	n := t.find(quotaPath + path + "/" + name)
	if n == 0 {
		return parseTrack(nil)
	}
	return parseTrack(t.s.data(t.s.node(n)))
}

// track is the text in quota nodes: count=1,bytes=2 and hard limits after
// semicolons (ZooKeeper's StatsTrack).
type track []trackEntry

type trackEntry struct {
	key   string
	value int64
}

func parseTrack(data []byte) track {
	var t track
	for pair := range strings.FieldsFuncSeq(string(data), func(r rune) bool { return r == ',' || r == ';' }) {
		key, rest, _ := strings.Cut(pair, "=")
		text, _, _ := strings.Cut(rest, "=")
		if v, err := strconv.ParseInt(text, 10, 64); err == nil {
			t.set(key, v)
		}
	}
	return t
}

func (t track) get(key string) int64 {
	for _, e := range t {
		if e.key == key {
			return e.value
		}
	}
	return -1
}

func (t *track) set(key string, value int64) {
	for i := range *t {
		if (*t)[i].key == key {
			(*t)[i].value = value
			return
		}
	}
	*t = append(*t, trackEntry{key, value})
}

// String writes the text as ZooKeeper 3.9 does, with its odd sign before the
// hard limits.
func (t track) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "count=%d,bytes=%d", t.get("count"), t.get("bytes"))
	rest := slices.DeleteFunc(slices.Clone(t), func(e trackEntry) bool { return e.key == "count" || e.key == "bytes" })
	slices.SortFunc(rest, func(a, b trackEntry) int { return strings.Compare(a.key, b.key) })
	if len(rest) > 0 {
		b.WriteByte('=')
	}
	for _, e := range rest {
		fmt.Fprintf(&b, ";%s=%d", e.key, e.value)
	}
	return b.String()
}
