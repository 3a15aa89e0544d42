package keeper

import (
	"crypto/sha1" // what ZooKeeper's digest scheme is made of
	"crypto/subtle"
	"encoding/base64"
	"strings"

	"github.com/gregor-mq/gregor/keeper/tree"
	"github.com/gregor-mq/gregor/zk"
)

// prove returns what an auth packet proves, nil when it fails.
func (k *Keeper) prove(c *conn, r *zk.AuthRequest) []tree.Identity {
	switch r.Scheme {
	case zk.SchemeDigest:
		if r.Auth == nil {
			return nil
		}
		id := digest(string(r.Auth))
		ids := []tree.Identity{{Scheme: zk.SchemeDigest, ID: id}}
		if k.cfg.SuperDigest != "" && subtle.ConstantTimeCompare([]byte(id), []byte(k.cfg.SuperDigest)) == 1 {
			ids = append([]tree.Identity{{Scheme: zk.SchemeSuper}}, ids...)
		}
		return ids
	case zk.SchemeIP:
		return []tree.Identity{{Scheme: zk.SchemeIP, ID: c.host}}
	}
	return nil
}

// digest returns user:base64(sha1(user:password)).
func digest(userPassword string) string {
	user, _, _ := strings.Cut(userPassword, ":")
	sum := sha1.Sum([]byte(userPassword))
	return user + ":" + base64.StdEncoding.EncodeToString(sum[:])
}

// maskDigests hides the hashes from those who may not change the ACL.
func maskDigests(acl []zk.ACL) []zk.ACL {
	out := append([]zk.ACL(nil), acl...)
	for i := range out {
		if user, _, ok := strings.Cut(out[i].ID, ":"); ok && out[i].Scheme == zk.SchemeDigest {
			out[i].ID = user + ":x"
		}
	}
	return out
}
