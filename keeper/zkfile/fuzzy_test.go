package zkfile

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/gregor-mq/gregor/internal/env/memfs"
	"github.com/gregor-mq/gregor/keeper/tree"
	"github.com/gregor-mq/gregor/zk"
)

// past is a history with the state after each of its transactions.
type past struct {
	txns   []tree.Txn
	states []*State // states[i] is after i transactions
	r      *rand.Rand
}

// clone copies a state so that it does not change any more.
func clone(s *State) *State {
	c := empty()
	c.Zxid = s.Zxid
	maps.Copy(c.Sessions, s.Sessions)
	_ = s.Images(func(im *tree.Image) error {
		c.add(&node{Image: *im})
		return nil
	})
	return c
}

// newPast makes a history in which names come again and again. Half of the time
// ends of sessions carry no list, as before 3.6.
func newPast(seed uint64, length int) *past {
	p := &past{r: rand.New(rand.NewPCG(seed, 3)), states: []*State{New()}}
	lists := seed%2 == 0
	for len(p.txns) < length {
		x, ok := p.invent(clone(p.states[len(p.txns)]), lists)
		if !ok {
			continue
		}
		now := clone(p.states[len(p.txns)])
		now.Apply(&x)
		p.txns, p.states = append(p.txns, x), append(p.states, now)
	}
	return p
}

func (p *past) path() string {
	var path strings.Builder
	for range 1 + p.r.IntN(3) {
		path.WriteString(fmt.Sprintf("/%c", 'a'+rune(p.r.IntN(3))))
	}
	return path.String()
}

// invent makes a transaction as a leader would, if what it thought of can be done.
func (p *past) invent(now *State, lists bool) (x tree.Txn, ok bool) {
	x = tree.Txn{Zxid: now.Zxid + 1, Time: 1001 + now.Zxid, Session: int64(1 + p.r.IntN(3))}
	_, open := now.Sessions[x.Session]
	switch k := p.r.IntN(12); {
	case !open:
		x.Op, x.Timeout = zk.OpCreateSession, int32(1000*p.r.IntN(9))
		return x, true
	case k == 0:
		x.Op = zk.OpCloseSession
		if lists {
			x.Paths = slices.Sorted(maps.Keys(now.owned[x.Session]))
		}
		return x, true
	case k == 1:
		return p.multi(now, x)
	}
	return x, p.single(now, &x)
}

func (p *past) multi(now *State, x tree.Txn) (tree.Txn, bool) {
	x.Op = zk.OpMulti
	for range 2 + p.r.IntN(3) {
		sub := tree.Txn{Zxid: x.Zxid, Time: x.Time, Session: x.Session}
		if p.single(now, &sub) {
			x.Sub = append(x.Sub, sub)
			now.one(&x, &sub)
		}
	}
	return x, len(x.Sub) > 0
}

func (p *past) single(now *State, x *tree.Txn) bool {
	x.Path = p.path()
	parent, n := now.nodes[parentOf(x.Path)], now.nodes[x.Path]
	switch k := p.r.IntN(10); {
	case k < 4:
		if parent == nil || n != nil || parent.Owner > 0 {
			return false
		}
		x.Op, x.Data, x.ACL, x.Version = zk.OpCreate, fmt.Append(nil, x.Zxid), zk.OpenACL(), parent.Creates+1
		if p.r.IntN(3) == 0 {
			x.Owner = x.Session
		}
	case k < 7:
		x.Op = zk.OpDelete
		return n != nil && len(n.children) == 0
	case n == nil:
		return false
	case k == 7:
		x.Op, x.Version, x.ACL = zk.OpSetACL, n.Aversion+1, []zk.ACL{{Perms: int32(1 + p.r.IntN(31)), Scheme: zk.SchemeWorld, ID: zk.AnyoneID}}
	default:
		x.Op, x.Version, x.Data = zk.OpSetData, n.Version+1, fmt.Append(nil, x.Zxid)
	}
	return true
}

// fuzzy writes a snapshot that begins after a transaction as ZooKeeper does it: it
// goes down the tree, takes each node and the names of its children as they are
// when it comes to them, while the history goes on. It returns how far.
func (p *past) fuzzy(begin int) (s *State, end int) {
	s = empty()
	s.Zxid = p.states[begin].Zxid
	end = begin
	later := func() { end = min(len(p.txns), end+max(0, p.r.IntN(4)-1)) }
	later()
	maps.Copy(s.Sessions, p.states[end].Sessions)
	later()
	listed := map[string]bool{aclKey(zk.OpenACL()): true}
	for _, n := range p.states[end].nodes {
		listed[aclKey(n.ACL)] = true
	}
	var walk func(path string)
	walk = func(path string) {
		n := p.states[end].nodes[path]
		if n == nil {
			return
		}
		im := n.Image
		if !listed[aclKey(im.ACL)] {
			im.ACL = nil
		}
		s.add(&node{Image: im})
		children := slices.Collect(maps.Keys(n.children))
		slices.Sort(children)
		p.r.Shuffle(len(children), func(i, j int) { children[i], children[j] = children[j], children[i] })
		for _, child := range children {
			later()
			walk(child)
		}
	}
	walk("/")
	return s, end
}

// file puts a fuzzy snapshot and the log behind it on a disk.
func (p *past) file(t *testing.T, begin int, digests bool) (d *memfs.FS, end int) {
	t.Helper()
	d = disk(t)
	taken, end := p.fuzzy(begin)
	b := snapBytes(taken)
	if digests {
		b = tailDigest(b, p.states[end].Zxid, p.states[end].Sum())
	}
	put(t, d, fmt.Sprintf("snapshot.%x", begin), b)
	var log [][]byte
	for i := begin; i < len(p.txns); i++ {
		b := encode(&p.txns[i])
		if digests {
			b = withDigest(b, p.states[i+1].Sum())
		}
		log = append(log, b)
	}
	if len(log) > 0 {
		put(t, d, fmt.Sprintf("log.%x", begin+1), logBytes(log...))
	}
	return d, end
}

// TestFuzzySnapshotsLeadToTheSameTree replays histories over snapshots that were
// taken meanwhile.
func TestFuzzySnapshotsLeadToTheSameTree(t *testing.T) {
	pzxid := regexp.MustCompile(`Pzxid:\d+`)
	for seed := range uint64(80) {
		p := newPast(seed, 120)
		want := describe(p.states[len(p.txns)])
		for range 20 {
			begin := p.r.IntN(len(p.txns) + 1)
			d, end := p.file(t, begin, seed%2 == 0)
			l, err := Load(d, find(t, d))
			if err != nil {
				t.Fatalf("seed %d, snapshot of %d to %d: %v", seed, begin, end, err)
			}
			got := describe(l.State)
			if seed%2 != 0 {
				// Without a list nothing tells what a session had deleted when the
				// snapshot came to its nodes, and that their parents saw that.
				got, want = pzxid.ReplaceAllString(got, ""), pzxid.ReplaceAllString(want, "")
			}
			if got != want || l.Mismatch != nil || l.Checked != (seed%2 == 0) {
				t.Fatalf("seed %d, snapshot of %d to %d, %v: got\n%s\nwant\n%s", seed, begin, end, l.Mismatch, got, want)
			}
		}
	}
}
