package keeper

import (
	"encoding/base64"
	"fmt"
	"slices"
	"strings"

	"github.com/gregor-mq/gregor/keeper/jaas"
	"github.com/gregor-mq/gregor/keeper/sasl"
	"github.com/gregor-mq/gregor/keeper/tree"
	"github.com/gregor-mq/gregor/zk"
)

// nonceSize is the random part of a challenge, in bytes.
const nonceSize = 24

// loadUsers reads the users of SASL; nil without a file.
func (k *Keeper) loadUsers() (map[string]string, error) {
	s := &k.cfg.Security
	if s.JAASFile == "" {
		return nil, nil
	}
	src, err := k.env.FS.ReadFile(s.JAASFile)
	if err != nil {
		return nil, fmt.Errorf("java.security.auth.login.config: %w", err)
	}
	section := s.JAASSection
	if section == "" {
		section = jaas.DefaultSection
	}
	users, err := jaas.Users(string(src), section)
	if err != nil {
		return nil, fmt.Errorf("java.security.auth.login.config=%s: %w", s.JAASFile, err)
	}
	const super = "super"
	if _, ok := users[super]; ok && s.SASLSuperPassword != "" {
		users[super] = s.SASLSuperPassword
	}
	return users, nil
}

// login takes one token of a SASL exchange. Without users it answers an empty
// token, as ZooKeeper does: the client goes on unproven.
func (c *conn) login(xid int32, token []byte) error {
	s := &c.k.cfg.Security
	h := zk.ReplyHeader{Xid: xid}
	if c.k.guard.users == nil {
		c.post(h, &zk.SASLResponse{})
		return nil
	}
	if c.proof.sasl == nil {
		random := make([]byte, nonceSize)
		c.k.env.Rand.Read(random)
		c.proof.sasl = sasl.NewServer(sasl.Service, sasl.Host, base64.StdEncoding.EncodeToString(random), func(user string) (string, bool) {
			password, ok := c.k.guard.users[user]
			return password, ok
		})
	}
	out, err := c.proof.sasl.Next(token)
	if user, ok := c.proof.sasl.User(); ok && err == nil {
		err = c.loggedIn(s.principal(user))
	}
	switch {
	case err == nil:
		c.post(h, &zk.SASLResponse{Token: out})
		return nil
	case s.AllowFailedSASL && !s.requiresSASL():
		c.k.log.Warn("login by SASL failed, the client stays", "remote", c.addr, "reason", err)
		c.post(h, &zk.SASLResponse{})
		return nil
	}
	if h.Err = zk.ErrAuthFailed; s.requiresSASL() {
		h.Err = zk.ErrSessionClosedRequireSASLAuth
	}
	c.k.stats.authFailed.Add(1)
	c.post(h, &zk.SASLResponse{})
	c.linger()
	return fmt.Errorf("login by SASL failed: %w", err)
}

// loggedIn adds what a user is.
func (c *conn) loggedIn(user string) error {
	s := &c.k.cfg.Security
	var ids []tree.Identity
	if s.SASL {
		ids = append(ids, tree.Identity{Scheme: zk.SchemeSASL, ID: user})
	}
	if slices.Contains(s.SuperUsers, user) {
		ids = append(ids, tree.Identity{Scheme: zk.SchemeSuper})
	}
	all, ok := withIdentities(c.identities(), ids)
	if !ok {
		return fmt.Errorf("user %.64q would be one identity too many, or exceeds %d bytes", user, maxIdentity)
	}
	c.ids.Store(&all)
	return nil
}

// principal shortens service/host@realm as the configuration wants it.
func (s *Security) principal(user string) string {
	name, realm, ok := strings.Cut(user, "@")
	if !ok {
		return user // as ZooKeeper has it: without a realm a slash means nothing
	}
	service, host, hasHost := strings.Cut(name, "/")
	if hasHost && !s.RemoveHost {
		service += "/" + host
	}
	if s.RemoveRealm {
		return service
	}
	return service + "@" + realm
}
