package keeper

import (
	"crypto/sha1" // what ZooKeeper's digest scheme is made of
	"crypto/sha256"
	"crypto/sha3"
	"crypto/sha512"
	"crypto/subtle"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"hash"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/gregor-mq/gregor/keeper/sasl"
	"github.com/gregor-mq/gregor/keeper/secure"
	"github.com/gregor-mq/gregor/keeper/tree"
	"github.com/gregor-mq/gregor/keeper/x500"
	"github.com/gregor-mq/gregor/zk"
)

// schemeEnsemble proves nothing: a client says which ensemble it expects.
const schemeEnsemble = "ensemble"

// proof is what a connection's reader keeps of whom it talks to.
type proof struct {
	certificate *x509.Certificate // of a client that showed one
	sasl        *sasl.Server      // the exchange, from its first token on
}

// errOtherEnsemble ends a connection without a reply, so that the client tries
// another server: ErrAuthFailed would be its end.
var errOtherEnsemble = errors.New("the client expects another ensemble")

// prove returns what an auth packet proves; ok is false when it fails.
func (k *Keeper) prove(c *conn, r *zk.AuthRequest) (ids []tree.Identity, ok bool, err error) {
	sec := &k.cfg.Security
	switch r.Scheme {
	case zk.SchemeDigest:
		if r.Auth == nil || sec.NoDigest {
			return nil, false, nil
		}
		id := digestBy(digests[sec.DigestAlgorithm], string(r.Auth))
		ids = []tree.Identity{{Scheme: zk.SchemeDigest, ID: id}}
		if k.cfg.SuperDigest != "" && subtle.ConstantTimeCompare([]byte(id), []byte(k.cfg.SuperDigest)) == 1 {
			ids = append([]tree.Identity{{Scheme: zk.SchemeSuper}}, ids...)
		}
		return ids, true, nil
	case zk.SchemeIP:
		return []tree.Identity{{Scheme: zk.SchemeIP, ID: javaHost(c.host)}}, true, nil
	case zk.SchemeX509:
		if c.proof.certificate == nil {
			return nil, false, nil
		}
		ids, err := k.subject(c.proof.certificate)
		return ids, err == nil, nil
	case schemeEnsemble:
		if !sec.Ensemble {
			return nil, false, nil
		}
		switch {
		case len(r.Auth) == 0 || len(sec.EnsembleNames) == 0:
			k.measures.ensembleSkip.Add(1)
		case !slices.Contains(sec.EnsembleNames, string(r.Auth)):
			k.measures.ensembleBad.Add(1)
			return nil, false, errOtherEnsemble
		default:
			k.measures.ensembleGood.Add(1)
		}
		return nil, true, nil
	}
	return nil, false, nil
}

// javaHost writes an IPv6 address as Java does, every group of it.
func javaHost(host string) string {
	a, err := netip.ParseAddr(host)
	if err != nil || a.Is4() {
		return host
	}
	b := a.As16()
	groups := make([]string, 0, len(b)/2)
	for i := 0; i < len(b); i += 2 {
		groups = append(groups, strconv.FormatUint(uint64(b[i])<<8|uint64(b[i+1]), 16))
	}
	s := strings.Join(groups, ":")
	if a.Zone() != "" {
		s += "%" + a.Zone()
	}
	return s
}

// certified takes over what a client's certificate proves, before its first
// request.
func (c *conn) certified() error {
	sc, ok := c.nc.(*secure.Conn)
	if !ok {
		return nil
	}
	certs := sc.Certificates()
	if len(certs) == 0 {
		return nil
	}
	ids, err := c.k.subject(certs[0])
	if err != nil {
		return err
	}
	all, ok := withIdentities(c.identities(), ids)
	if !ok {
		return fmt.Errorf("the certificate's subject exceeds %d bytes", maxIdentity)
	}
	c.proof.certificate = certs[0]
	c.ids.Store(&all)
	return nil
}

// subject is what a certificate proves that TLS has verified.
func (k *Keeper) subject(c *x509.Certificate) ([]tree.Identity, error) {
	name, err := x500.Name(c.RawSubject)
	if err != nil {
		return nil, err
	}
	ids := []tree.Identity{{Scheme: zk.SchemeX509, ID: name}}
	if super := k.cfg.Security.X509SuperUser; super != "" && name == super {
		ids = append([]tree.Identity{{Scheme: zk.SchemeSuper}}, ids...)
	}
	return ids, nil
}

// unheard counts a handshake that failed, and returns err.
func (c *conn) unheard(err error) error {
	if sc, ok := c.nc.(*secure.Conn); ok && sc.Failed() {
		c.k.stats.authFailed.Add(1)
		c.k.measures.handshakes.Add(1)
	}
	return err
}

// unproven refuses a request of a client that has not proven what the
// configuration wants of everybody, and ends the connection. It returns nil for
// one that has.
func (c *conn) unproven(h zk.RequestHeader) error {
	want := c.k.cfg.Security.RequiredSchemes
	if len(want) == 0 || h.Op == zk.OpAuth || h.Op == zk.OpSASL {
		return nil
	}
	if slices.ContainsFunc(c.identities(), func(id tree.Identity) bool { return slices.Contains(want, id.Scheme) }) {
		return nil
	}
	c.post(zk.ReplyHeader{Xid: h.Xid, Err: zk.ErrSessionClosedRequireSASLAuth}, nil)
	c.linger()
	return fmt.Errorf("%v before any of %q was proven", h.Op, want)
}

// post sends a reply that waits for nothing before it.
func (c *conn) post(h zk.ReplyHeader, body zk.Record) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.mu.out = zk.AppendReply(c.mu.out, h, body)
	c.mu.stats.sent++
	c.k.stats.sent.Add(1)
}

// digests are the hashes of scheme digest by their names in Java, those alone
// that Go vouches for; "" is the default.
var digests = map[string]func() hash.Hash{
	"": sha1.New, "SHA": sha1.New, "SHA1": sha1.New, "SHA-1": sha1.New, "SHA-224": sha256.New224, "SHA-256": sha256.New, "SHA-384": sha512.New384, "SHA-512": sha512.New,
	"SHA3-224": func() hash.Hash { return sha3.New224() }, "SHA3-256": func() hash.Hash { return sha3.New256() },
	"SHA3-384": func() hash.Hash { return sha3.New384() }, "SHA3-512": func() hash.Hash { return sha3.New512() },
}

// digest returns user:base64(sha1(user:password)).
func digest(userPassword string) string { return digestBy(sha1.New, userPassword) }

func digestBy(algorithm func() hash.Hash, userPassword string) string {
	if !utf8.ValidString(userPassword) { // ZooKeeper hashes what it read
		userPassword = zk.Text([]byte(userPassword))
	}
	user, _, _ := strings.Cut(zk.Text([]byte(userPassword)), ":")
	h := algorithm()
	h.Write([]byte(userPassword))
	return user + ":" + base64.StdEncoding.EncodeToString(h.Sum(nil))
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
