package keeper_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/gregor-mq/gregor/internal/env"
	"github.com/gregor-mq/gregor/zk"
)

func TestIdentitiesOfAConnectionAreBounded(t *testing.T) {
	k := start(t, config(t.TempDir()), env.Real())
	refused := func(r *raw, auth string) {
		t.Helper()
		xid := r.post(&zk.AuthRequest{Scheme: zk.SchemeDigest, Auth: []byte(auth)})
		if h := r.reply(xid, nil); h.Err != zk.ErrAuthFailed {
			t.Fatalf("%+v", h)
		}
		r.closed()
	}
	r := client(t, k)
	for i := range 63 { // and its address
		r.must(&zk.AuthRequest{Scheme: zk.SchemeDigest, Auth: fmt.Appendf(nil, "user%d:secret", i)})
	}
	r.must(&zk.AuthRequest{Scheme: zk.SchemeDigest, Auth: []byte("user7:secret")}) // no news
	if who := r.must(zk.WhoAmIRequest{}).(*zk.WhoAmIResponse); len(who.Clients) != 64 {
		t.Errorf("%d identities", len(who.Clients))
	}
	refused(r, "user63:secret")

	r = client(t, k)
	r.must(&zk.AuthRequest{Scheme: zk.SchemeDigest, Auth: []byte(strings.Repeat("u", 900) + ":secret")})
	r.must(&zk.AuthRequest{Scheme: zk.SchemeDigest, Auth: []byte("u:" + strings.Repeat("secret", 900))})
	refused(r, strings.Repeat("u", 1024)+":secret")
}
