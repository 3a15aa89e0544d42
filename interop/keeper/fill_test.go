//go:build interop

package keeper

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gregor-mq/gregor/zk"
)

// properties are those of all servers here: sessions as long as tests need them,
// snapshots all the time, and one whom no ACL stops.
func properties(more map[string]string) map[string]string {
	p := map[string]string{
		"tickTime": "500", "minSessionTimeout": "1000", "maxSessionTimeout": "120000", "snapCount": "60",
		"DigestAuthenticationProvider.superDigest": "super:xQJmxLMiHGwaqBvst5y6rkB6HQs=", // super:admin
	}
	maps.Copy(p, more)
	return p
}

const (
	longSession  = 2 * time.Minute
	shortSession = 30 * time.Second
)

// actors are the sessions that a fill leaves behind.
type actors struct {
	long, short *client
}

// fill makes nodes of all kinds. modern says that the server knows containers and
// times to live.
func fill(t *testing.T, addr string, modern bool) actors {
	t.Helper()
	a := actors{long: connect(t, addr, longSession, nil)}
	c := a.long
	c.create("/plain", "one", zk.Persistent)
	for i := range 5 {
		c.set("/plain", fmt.Sprint("version ", i))
	}
	c.create("/empty", "", zk.Persistent)
	c.do(&zk.CreateRequest{Path: "/null", ACL: zk.OpenACL()}, &zk.CreateResponse{})
	c.create("/large", strings.Repeat("0123456789abcdef", 50_000), zk.Persistent)
	c.create("/ünïcode-ключ", "ü", zk.Persistent)
	for range 5 {
		c.create("/plain/s-", "seq", zk.PersistentSequential)
		c.delete(c.create("/plain/s-", "gone", zk.PersistentSequential))
	}
	c.create("/mine", "eph", zk.Ephemeral)
	c.create("/plain/mine-", "eph", zk.EphemeralSequential)
	fillACLs(c)
	fillQuota(c)
	fillMulti(t, c)
	if modern {
		c.special("/container", 0)
		c.create("/container/child", "", zk.Persistent)
		c.special("/ttl", time.Hour)
		c.special("/plain/ttl", 1<<39*time.Millisecond/1000)
	}
	closed := connect(t, addr, longSession, nil)
	closed.create("/plain/closed-", "", zk.EphemeralSequential)
	closed.do(zk.CloseRequest{}, nil)
	return a
}

func fillACLs(c *client) {
	c.t.Helper()
	c.auth("me:secret")
	c.create("/acl", "", zk.Persistent, zk.ACL{Perms: zk.PermAll, Scheme: zk.SchemeAuth})
	c.create("/acl/read", "r", zk.Persistent, zk.ReadACL()...)
	c.create("/acl/ip", "i", zk.Persistent, zk.ACL{Perms: zk.PermAll, Scheme: zk.SchemeIP, ID: "10.0.0.1"},
		zk.ACL{Perms: zk.PermRead, Scheme: zk.SchemeWorld, ID: zk.AnyoneID})
	c.create("/acl/changed", "c", zk.Persistent)
	c.do(&zk.SetACLRequest{Path: "/acl/changed", ACL: zk.ReadACL(), Version: 0}, &zk.StatResponse{})
}

// fillQuota sets a quota as setquota of zkCli does.
func fillQuota(c *client) {
	c.t.Helper()
	c.create("/quota", "12345", zk.Persistent)
	c.create("/zookeeper/quota/quota", "", zk.Persistent)
	c.create("/zookeeper/quota/quota/zookeeper_limits", "count=100,bytes=10000", zk.Persistent)
	c.create("/zookeeper/quota/quota/zookeeper_stats", "count=0,bytes=0", zk.Persistent)
	c.create("/quota/a", "123", zk.Persistent)
	c.create("/quota/a/b", "", zk.Persistent)
	c.set("/quota/a", "1234567")
}

func fillMulti(t *testing.T, c *client) {
	t.Helper()
	c.do(&zk.MultiRequest{Ops: []zk.Request{
		&zk.CreateRequest{Path: "/multi", ACL: zk.OpenACL(), Data: []byte("m")}, &zk.CreateRequest{Path: "/multi/a", ACL: zk.OpenACL(), Flags: zk.Ephemeral},
		&zk.SetDataRequest{Path: "/multi", Data: []byte("n"), Version: 0}, &zk.CheckRequest{Path: "/multi", Version: 1},
		&zk.CreateRequest{Path: "/multi/b", ACL: zk.OpenACL()}, &zk.DeleteRequest{Path: "/multi/b", Version: 0},
	}}, nil)
	var refused zk.MultiResponse
	c.do(&zk.MultiRequest{Ops: []zk.Request{&zk.CreateRequest{Path: "/never", ACL: zk.OpenACL()}, &zk.DeleteRequest{Path: "/none", Version: 0}}}, &refused)
	if _, err := refused.Fault(); err == nil {
		t.Fatal("a multi that must fail did not")
	}
	if err := c.try(&zk.DeleteRequest{Path: "/none", Version: -1}, nil); err == nil {
		t.Fatal("what is not there was deleted")
	}
}

// churn has several sessions write until stop is closed, so that snapshots are
// taken while the tree changes. It returns when all have written something; wait
// returns when the server let go of them.
func churn(t *testing.T, addr string, stop <-chan struct{}) (wait func()) {
	t.Helper()
	const writers = 6
	var sessions []*client
	for i := range writers {
		sessions = append(sessions, connect(t, addr, longSession, nil))
		sessions[i].create(fmt.Sprint("/churn-", i), "", zk.Persistent)
	}
	var begun, all sync.WaitGroup
	for i, c := range sessions {
		begun.Add(1)
		all.Go(func() {
			r := rand.New(rand.NewPCG(uint64(i), 7))
			for n := 0; ; n++ {
				if n == 200 {
					begun.Done()
				}
				select {
				case <-stop:
					return
				default:
				}
				if churnOnce(c, addr, r) != nil {
					if n < 200 {
						begun.Done()
					}
					return
				}
			}
		})
	}
	begun.Wait()
	return all.Wait
}

// churnOnce writes something. What the tree refuses is right, too: it takes a zxid.
func churnOnce(c *client, addr string, r *rand.Rand) error {
	var path strings.Builder
	path.WriteString(fmt.Sprintf("/churn-%d", r.IntN(6)))
	for range r.IntN(3) {
		path.WriteString(fmt.Sprintf("/%c", 'a'+rune(r.IntN(4))))
	}
	var req zk.Request
	var resp zk.Record
	switch r.IntN(8) {
	case 0, 1:
		req, resp = &zk.CreateRequest{Path: path.String(), Data: []byte(path.String()), ACL: zk.OpenACL()}, &zk.CreateResponse{}
	case 2:
		req, resp = &zk.CreateRequest{Path: path.String(), Data: []byte("e"), ACL: zk.ReadACL(), Flags: zk.Ephemeral}, &zk.CreateResponse{}
	case 3, 4:
		req = &zk.DeleteRequest{Path: path.String(), Version: -1}
	case 5:
		req, resp = &zk.SetACLRequest{Path: path.String(), ACL: zk.OpenACL(), Version: -1}, &zk.StatResponse{}
	case 6:
		if r.IntN(10) == 0 { // a session that ends, with a node
			other, err := tryConnect(c.t, addr, longSession, nil)
			if err != nil {
				return err
			}
			err = other.try(&zk.CreateRequest{Path: path.String() + "-e", ACL: zk.OpenACL(), Flags: zk.Ephemeral}, nil)
			if err == nil {
				err = other.try(zk.CloseRequest{}, nil)
			}
			other.nc.Close()
			return network(err)
		}
		fallthrough
	default:
		req, resp = &zk.SetDataRequest{Path: path.String(), Data: fmt.Append(nil, r.Uint64()), Version: -1}, &zk.StatResponse{}
	}
	return network(c.try(req, resp))
}

// network drops errors that are answers.
func network(err error) error {
	if _, answer := err.(zk.Err); answer {
		return nil
	}
	return err
}
