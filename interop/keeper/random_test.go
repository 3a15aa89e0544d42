//go:build interop

package keeper

import (
	"errors"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/gregor-mq/gregor/interop/peer"
	"github.com/gregor-mq/gregor/zk"
)

var (
	seedsFlag = flag.String("seeds", "1..50", "the seeds of TestRandom: one, or first..last")
	stepsFlag = flag.Int("steps", 200, "how many requests each seed of TestRandom makes")
)

// parseSeeds reads one number, or first..last.
func parseSeeds(text string) (first, last uint64, err error) {
	from, to, more := strings.Cut(text, "..")
	if !more {
		to = from
	}
	first, err = strconv.ParseUint(from, 10, 64)
	if err == nil {
		last, err = strconv.ParseUint(to, 10, 64)
	}
	if err == nil && (first == 0 || last < first) {
		err = errors.New("must be first..last, from 1")
	}
	return first, last, err
}

// quietly makes both servers do only what they are asked: nothing expires and
// nothing is reaped while a seed runs.
func quietly(more map[string]string) peer.ZooKeeperOptions {
	p := map[string]string{
		"tickTime":                        "60000",
		"enforceQuota":                    "true",
		"znode.container.checkIntervalMs": "1000000000",
		"forceSync":                       "no", // of no interest here
		"preAllocSize":                    "1024",
		"DigestAuthenticationProvider.superDigest": digestID(superUser),
	}
	maps.Copy(p, more)
	return peer.ZooKeeperOptions{Properties: p}
}

// pair is two servers that must not be told apart.
type pair struct {
	sides   [2]*side
	emulate string
}

func startPair(s peer.Scope, version, emulate string) *pair {
	more := map[string]string{}
	if emulate != "" {
		more["gregor.keeper.emulate"] = emulate
	}
	judged := func() *peer.Ensemble {
		if peer.TargetIsApache() { // proves the test itself
			return peer.ZooKeeper(s, version, quietly(nil))
		}
		return peer.GregorKeeper(s, quietly(more))
	}
	return &pair{emulate: emulate, sides: [2]*side{
		{name: "ZooKeeper " + version, run: peer.ZooKeeper(s, version, quietly(nil))},
		{name: "gregor", run: judged()},
	}}
}

// maxFailures is how many seeds may fail before a run gives up.
const maxFailures = 5

// TestRandom compares seed by seed. After a difference the two servers do not
// hold the same, and the next seed gets new ones.
func TestRandom(t *testing.T) {
	first, last, err := parseSeeds(*seedsFlag)
	if err != nil {
		t.Fatalf("-seeds=%s: %v", *seedsFlag, err)
	}
	for _, c := range []struct {
		name, version, emulate string
		mine                   func(seed uint64) bool
	}{
		{"3.9", "3.9.4", "", func(seed uint64) bool { return seed%5 != 0 }},
		{"3.8", "3.8.4", "3.8", func(seed uint64) bool { return seed%5 == 0 }},
	} {
		t.Run(c.name, func(t *testing.T) {
			var p *pair
			failures := 0
			for seed := first; seed <= last; seed++ {
				if !c.mine(seed) {
					continue
				}
				if p == nil {
					p = startPair(t, c.version, c.emulate)
				}
				if err := p.try(seed, *stepsFlag); err != nil {
					t.Errorf("%v\nrun it again with -seeds %d -steps %d", err, seed, *stepsFlag)
					if failures++; failures == maxFailures {
						return
					}
					p = nil
				}
			}
		})
	}
}

// try runs one seed and leaves both servers as empty as it found them.
func (p *pair) try(seed uint64, steps int) (err error) {
	t := &trial{
		rng: rand.New(rand.NewPCG(seed, 0)), sides: p.sides, emulate: p.emulate, root: fmt.Sprintf("/r%d", seed),
		pipelined: seed%3 == 0,
		ended:     map[string]bool{},
	}
	defer func() {
		if d, ok := errors.AsType[*difference](err); ok {
			d.seed = seed
		}
	}()
	if err := t.open(); err != nil {
		return err
	}
	for range steps {
		if err := t.next(); err != nil {
			return err
		}
	}
	for _, c := range append(t.clients, t.left...) { // none may expire later
		if err := t.retire(c); err != nil {
			return err
		}
	}
	return t.clean()
}

// open connects the one who may do everything, and makes the tree and clients.
func (t *trial) open() error {
	t.admin = &party{name: "admin"}
	for i, s := range t.sides {
		s.begin(0)
		l, err := s.dial()
		if err != nil {
			return err
		}
		t.admin.links[i] = l
		l.send(zk.AppendFrame(nil, &zk.ConnectRequest{Timeout: 600_000, Password: make([]byte, zk.PasswordSize)}))
		l.send(wire(zk.XidAuth, &zk.AuthRequest{Scheme: zk.SchemeDigest, Auth: []byte(superUser)}))
		l.send(wire(zk.XidPing, zk.PingRequest{}))
		for range 3 {
			b, err := l.receive()
			if err != nil || b == nil {
				return fmt.Errorf("%s: the first connection ends: %w", s.name, err)
			}
			var h zk.ReplyHeader
			if err := zk.Unmarshal(b, &h); err != nil {
				return err
			}
			if h.Xid == zk.XidPing {
				s.begin(h.Zxid)
				t.last[i] = h.Zxid
			}
		}
	}
	for n := range 4 {
		t.clients = append(t.clients, &party{name: fmt.Sprintf("c%d", n)})
	}
	return t.must(&zk.CreateRequest{Path: t.root, ACL: zk.OpenACL()})
}

// must is a request of the admin.
func (t *trial) must(req zk.Request) error {
	t.admin.xid++
	b := wire(t.admin.xid, req)
	return t.exchange(t.admin, describe(req), func(int) []byte { return b }, req.Op())
}

// retire ends a client's session, so that nothing of it is left.
func (t *trial) retire(c *party) error {
	if c.id[0] == 0 {
		return nil
	}
	if !c.connected() {
		hello := func(i int) []byte {
			return zk.AppendFrame(nil, &zk.ConnectRequest{Timeout: 600_000, SessionID: c.id[i], Password: c.pw[i]})
		}
		if err := t.hello(c, "comes to close", hello); err != nil {
			return err
		}
	}
	return t.end(c)
}

// preset are the nodes that are always there.
var preset = []string{"/zookeeper", "/zookeeper/config", "/zookeeper/quota"}

// clean removes all that the seed left, also outside of its own tree, and ends
// the admin's session.
func (t *trial) clean() error {
	if err := t.remove("/"); err != nil {
		return err
	}
	for _, req := range []zk.Request{
		&zk.SetACLRequest{Path: "/", ACL: zk.OpenACL(), Version: -1},
		&zk.SetACLRequest{Path: "/zookeeper", ACL: zk.OpenACL(), Version: -1},
		&zk.SetACLRequest{Path: "/zookeeper/quota", ACL: zk.OpenACL(), Version: -1},
		&zk.SetACLRequest{Path: "/zookeeper/config", ACL: zk.ReadACL(), Version: -1},
		&zk.GetChildren2Request{Path: "/"}, &zk.CloseRequest{},
	} {
		if err := t.must(req); err != nil {
			return err
		}
	}
	return nil
}

// remove removes what is below a path. The first side says what there is; that
// the second has the same was compared.
func (t *trial) remove(path string) error {
	req := &zk.GetChildrenRequest{Path: path}
	t.admin.links[0].send(wire(1, req))
	b, err := t.admin.links[0].receive()
	if err != nil {
		return err
	}
	var h zk.ReplyHeader
	var kids zk.GetChildrenResponse
	d := zk.NewDecoder(b)
	h.Decode(d)
	kids.Decode(d)
	if err := t.must(req); err != nil {
		return err
	}
	slices.Sort(kids.Children)
	for _, name := range kids.Children {
		child := strings.TrimSuffix(path, "/") + "/" + name
		if err := t.remove(child); err != nil {
			return err
		}
		if slices.Contains(preset, child) {
			continue
		}
		if err := t.must(&zk.DeleteRequest{Path: child, Version: -1}); err != nil {
			return err
		}
	}
	return nil
}
