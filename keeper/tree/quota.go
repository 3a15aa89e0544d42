package tree

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/gregor-mq/gregor/zk"
)

// The nodes below /zookeeper/quota/<path> that hold a quota and what is used.
const (
	limitsName = "zookeeper_limits"
	statsName  = "zookeeper_stats"
)

// limitedBy returns the path whose limits are at parent, in the form that quotas
// has: ZooKeeper leaves names out that are blank. It is "" for none.
func limitedBy(parent string) string {
	rest, ok := strings.CutPrefix(parent, quotaPath)
	if !ok {
		return ""
	}
	return withoutBlanks(rest)
}

// limit notes that there are limits at parent.
func (t *Tree) limit(parent string) {
	if q := limitedBy(parent); q != "" {
		t.quotas[q] = struct{}{}
	}
}

func withoutBlanks(path string) string {
	var b strings.Builder
	for name := range strings.SplitSeq(path, "/") {
		if strings.Trim(name, " ") != "" {
			b.WriteByte('/')
			b.WriteString(name)
		}
	}
	return b.String()
}

// quotaFor returns the longest path above or at path that has a limit.
func (t *Tree) quotaFor(path string) (string, bool) {
	if len(t.quotas) == 0 {
		return "", false
	}
	if strings.Contains(path, "/ ") {
		path = withoutBlanks(path)
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
		switch name {
		case limitsName:
			t.limit(parent)
		case statsName:
			t.countQuota(strings.TrimPrefix(parent, quotaPath))
		}
	}
	if q, ok := t.quotaFor(path); ok {
		t.addToStats(q, bytes, 1)
	}
}

func (t *Tree) quotaDeleted(path string, bytes int64) {
	if parent, name := splitPath(path); name == limitsName {
		delete(t.quotas, limitedBy(parent))
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
	var st track
	st.set("count", 0)
	st.set("bytes", 0)
	if top := t.find(path); top != 0 {
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
	st, _ := parseTrack(t.s.data(t.s.node(n))) // what cannot be read counts as -1
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

// overQuota returns ErrQuotaExceeded for a change that would break a hard limit,
// and ErrMarshalling where the limits or what is used cannot be read.
func (t *Tree) overQuota(path string, bytes, count int64) zk.Err {
	if !t.opts.EnforceQuota {
		return zk.OK
	}
	q, ok := t.quotaFor(path)
	if !ok {
		return zk.OK
	}
	limits, found, ok := t.trackAt(q, limitsName)
	if !found || !ok {
		return unreadable(found)
	}
	checked := func(diff int64, soft, hard string) bool {
		return diff != 0 && (limits.get(soft) > -1 || limits.get(hard) > -1)
	}
	countsNodes, countsBytes := checked(count, "count", "countHardLimit"), checked(bytes, "bytes", "byteHardLimit")
	if !countsNodes && !countsBytes {
		return zk.OK
	}
	stats, found, ok := t.trackAt(q, statsName)
	if !found || !ok {
		return unreadable(found)
	}
	over := func(key, limit string, diff int64) bool {
		hard := limits.get(limit)
		return hard > -1 && stats.get(key)+diff > hard
	}
	if countsNodes && over("count", "countHardLimit", count) || countsBytes && over("bytes", "byteHardLimit", bytes) {
		return zk.ErrQuotaExceeded
	}
	return zk.OK
}

// unreadable answers for a node of a quota that is missing or means nothing.
func unreadable(found bool) zk.Err {
	if found {
		return zk.ErrMarshalling
	}
	return zk.OK
}

func (t *Tree) trackAt(path, name string) (tr track, found, ok bool) {
	n := t.find(quotaPath + path + "/" + name)
	if n == 0 {
		return nil, false, false
	}
	data := t.s.data(t.s.node(n))
	tr, ok = parseTrack(data)
	return tr, true, ok && data != nil
}

// track is the text in quota nodes: count=1,bytes=2 and hard limits after
// semicolons (ZooKeeper's StatsTrack).
type track []trackEntry

type trackEntry struct {
	key   string
	value int64
}

// parseTrack reads what it can; ok is false where ZooKeeper cannot read on.
func parseTrack(data []byte) (t track, ok bool) {
	text := strings.TrimRight(string(data), ",;")
	if text == "" {
		return nil, len(data) == 0
	}
	ok = text[0] != ',' && text[0] != ';'
	for pair := range strings.FieldsFuncSeq(text, func(r rune) bool { return r == ',' || r == ';' }) {
		// Java's split drops empty parts at the end.
		parts := strings.Split(strings.TrimRight(pair, "="), "=")
		if len(parts) < 2 {
			ok = false
			continue
		}
		v, err := strconv.ParseInt(cmp.Or(parts[1], "-1"), 10, 64)
		if err != nil {
			ok = false
			continue
		}
		t.set(parts[0], v)
	}
	return t, ok
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
