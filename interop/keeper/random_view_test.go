//go:build interop

package keeper

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/gregor-mq/gregor/zk"
)

// zxid names a zxid by its distance from the begin of the seed.
func (s *side) zxid(z int64) string {
	if z == 0 || z == -1 {
		return fmt.Sprint(z)
	}
	return fmt.Sprintf("z%+d", z-s.base)
}

// time checks that the changes of one zxid have one time, which is not long ago.
func (s *side) time(zxid, ms int64) string {
	if ms == 0 {
		return "0"
	}
	if zxid <= s.base {
		return "then"
	}
	known, ok := s.times[zxid]
	s.times[zxid] = ms
	at := time.UnixMilli(ms)
	if ok && known != ms || at.Before(s.start.Add(-time.Minute)) || at.After(time.Now().Add(time.Minute)) {
		return fmt.Sprintf("%d (known %d)", ms, known)
	}
	return "now"
}

// session names a session.
func (s *side) session(id int64) string {
	if name, ok := s.owner[id]; ok || id == 0 {
		return name
	}
	return fmt.Sprintf("%#x", id)
}

func (s *side) stat(st *zk.Stat) string {
	return fmt.Sprintf("{c=%s m=%s p=%s ct=%s mt=%s v=%d cv=%d av=%d own=%q len=%d kids=%d}",
		s.zxid(st.Czxid), s.zxid(st.Mzxid), s.zxid(st.Pzxid), s.time(st.Czxid, st.Ctime), s.time(st.Mzxid, st.Mtime),
		st.Version, st.Cversion, st.Aversion, s.session(st.EphemeralOwner), st.DataLength, st.NumChildren)
}

func data(b []byte) string {
	switch {
	case b == nil:
		return "null"
	case len(b) > 200:
		return fmt.Sprintf("%q... (%d bytes)", b[:40], len(b))
	}
	return fmt.Sprintf("%q", b)
}

// sorted shows names that come in no order.
func sorted(names []string) string {
	accepted("no-order")
	names = slices.Clone(names)
	slices.Sort(names)
	return fmt.Sprintf("%q", names)
}

// packet writes a packet down. op is that of the request it may answer.
func (s *side) packet(frame []byte, op zk.Op) string {
	d := zk.NewDecoder(frame)
	var h zk.ReplyHeader
	h.Decode(d)
	if d.Err() != nil {
		return fmt.Sprintf("not a packet: %x", frame)
	}
	head := fmt.Sprintf("xid=%d %s %s", h.Xid, s.zxid(h.Zxid), h.Err.Name())
	if h.Xid == zk.XidNotification {
		var ev zk.Event
		ev.Decode(d)
		return fmt.Sprintf("event %s %v %v %q%s", head, ev.Type, ev.State, ev.Path, rest(d))
	}
	body := zk.NewResponse(op)
	if h.Err != zk.OK && d.Len() == 0 || body == nil {
		return head + rest(d)
	}
	body.Decode(d)
	return head + " " + s.body(body) + rest(d)
}

// rest shows what a packet has beyond what it should have.
func rest(d *zk.Decoder) string {
	if d.Err() != nil {
		return fmt.Sprintf(" (%v)", d.Err())
	}
	if d.Len() > 0 {
		return fmt.Sprintf(" and %x", d.Rest())
	}
	return ""
}

func (s *side) body(r zk.Record) string {
	switch b := r.(type) {
	case *zk.CreateResponse:
		return fmt.Sprintf("%q", b.Path)
	case *zk.Create2Response:
		return fmt.Sprintf("%q %s", b.Path, s.stat(&b.Stat))
	case *zk.StatResponse:
		return s.stat(&b.Stat)
	case *zk.GetDataResponse:
		return data(b.Data) + " " + s.stat(&b.Stat)
	case *zk.GetACLResponse:
		return acls(b.ACL) + " " + s.stat(&b.Stat)
	case *zk.GetChildrenResponse:
		return sorted(b.Children)
	case *zk.GetChildren2Response:
		return sorted(b.Children) + " " + s.stat(&b.Stat)
	case *zk.GetEphemeralsResponse:
		return sorted(b.Paths)
	case *zk.WhoAmIResponse:
		var ids []string
		for _, c := range b.Clients {
			ids = append(ids, c.Scheme+":"+c.User)
		}
		return sorted(ids)
	case *zk.MultiResponse:
		var all []string
		for i := range b.Results {
			all = append(all, s.result(&b.Results[i]))
		}
		return fmt.Sprintf("[%s]", strings.Join(all, " | "))
	}
	return fmt.Sprintf("%+v", r)
}

// acls shows a list in its order. Ids that stand for one "auth" have none:
// ZooKeeper keeps them in a hash set.
func acls(list []zk.ACL) string {
	digests := 0
	for _, a := range list {
		if a.Scheme == zk.SchemeDigest {
			digests++
		}
	}
	if digests > 1 {
		list = slices.SortedFunc(slices.Values(list), func(a, b zk.ACL) int {
			return strings.Compare(fmt.Sprint(a), fmt.Sprint(b))
		})
	}
	return fmt.Sprintf("%+v", list)
}

func (s *side) result(r *zk.OpResult) string {
	switch r.Op {
	case zk.OpCreate:
		return fmt.Sprintf("create %q", r.Path)
	case zk.OpCreate2:
		return fmt.Sprintf("create2 %q %s", r.Path, s.stat(&r.Stat))
	case zk.OpSetData:
		return "setData " + s.stat(&r.Stat)
	case zk.OpGetData:
		return "getData " + data(r.Data) + " " + s.stat(&r.Stat)
	case zk.OpGetChildren:
		return "getChildren " + sorted(r.Children)
	case zk.OpError:
		return r.Err.Name()
	}
	return r.Op.String()
}

// welcome writes the answer to a connect request down. Its session gets a name,
// and its password is shown as the one that is known, or new.
func (s *side) welcome(frame []byte, name string, known []byte) (string, *zk.ConnectResponse) {
	d := zk.NewDecoder(frame)
	r := &zk.ConnectResponse{}
	r.Decode(d)
	if d.Err() != nil {
		return fmt.Sprintf("not a connect response: %x", frame), nil
	}
	if r.SessionID != 0 {
		s.owner[r.SessionID] = name
	}
	pw := "new"
	if string(r.Password) == string(known) {
		pw = "same"
	} else if strings.Trim(string(r.Password), "\x00") == "" {
		pw = "zeros"
	}
	return fmt.Sprintf("connected v=%d timeout=%d session=%q password=%s(%d) ro=%v old=%v%s",
		r.ProtocolVersion, r.Timeout, s.session(r.SessionID), pw, len(r.Password), r.ReadOnly, r.Old, rest(d)), r
}
