package sasl

import (
	"crypto/md5"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"testing"
)

func users(m map[string]string) func(string) (string, bool) {
	return func(u string) (string, bool) {
		p, ok := m[u]
		return p, ok
	}
}

// begun is a server that sent its challenge.
func begun(t testing.TB, s *Server) *Server {
	t.Helper()
	challenge, err := s.Next(nil)
	if err != nil {
		t.Fatal(err)
	}
	if want := "realm=" + quote(s.host) + `,nonce="` + s.nonce + `",charset=utf-8,algorithm=md5-sess`; string(challenge) != want {
		t.Fatalf("%s\nwant\n%s", challenge, want)
	}
	return s
}

// TestExamplesOfTheRFC: RFC 2831, section 4.
func TestExamplesOfTheRFC(t *testing.T) {
	f := func(service, nonce, response, want string) {
		t.Helper()
		s := begun(t, NewServer(service, "elwood.innosoft.com", nonce, users(map[string]string{"chris": "secret"})))
		got, err := s.Next([]byte(response))
		if err != nil || string(got) != want {
			t.Fatalf("%s, %v, want %s", got, err, want)
		}
		if user, ok := s.User(); !ok || user != "chris" {
			t.Errorf("%q, %v", user, ok)
		}
	}
	f("imap", "OA6MG9tEQGm2hh", `charset=utf-8,username="chris",realm="elwood.innosoft.com",nonce="OA6MG9tEQGm2hh",nc=00000001,`+
		`cnonce="OA6MHXh6VqTrRk",digest-uri="imap/elwood.innosoft.com",response=d388dad90d4bbd760a152321f2143af7,qop=auth`,
		"rspauth=ea40f60335c427b5527b84dbabcdfffd")
	f("acap", "OA9BSXrbuRhWay", `charset=utf-8,username="chris",realm="elwood.innosoft.com",nonce="OA9BSXrbuRhWay",nc=00000001,`+
		`cnonce="OA9BSuZWMSpW8m",digest-uri="acap/elwood.innosoft.com",response=6084c6db3fede7352c551284490fd0fc,qop=auth`,
		"rspauth=2f0b3d7c3c2e486600ef710726aa2eae")
}

// answer is what a client sends, computed apart from the server's code.
func answer(user, password, realm, nonce, cnonce, authzid string) string {
	sum := func(s string) string { h := md5.Sum([]byte(s)); return string(h[:]) }
	hexed := func(s string) string { return hex.EncodeToString([]byte(sum(s))) }
	a1 := sum(user+":"+realm+":"+password) + ":" + nonce + ":" + cnonce
	out := fmt.Sprintf(`username="%s",realm="%s",nonce="%s",nc=00000001,cnonce="%s",digest-uri="zookeeper/zk-sasl-md5",maxbuf=65536,qop=auth,charset=utf-8`,
		user, realm, nonce, cnonce)
	if authzid != "" {
		a1 += ":" + authzid
		out += `,authzid="` + authzid + `"`
	}
	return out + ",response=" + hexed(hexed(a1)+":"+nonce+":00000001:"+cnonce+":auth:"+hexed("AUTHENTICATE:zookeeper/zk-sasl-md5"))
}

const nonce = "W7zVZQ5hJXqEw4h1"

var jaas = users(map[string]string{"alice": "a-secret", "bob": "b-secret", "empty": "", "jos\u00e9": "pa\u00df"})

func exchange(t testing.TB, response string) (*Server, error) {
	t.Helper()
	s := begun(t, NewServer(Service, Host, nonce, jaas))
	_, err := s.Next([]byte(response))
	return s, err
}

func TestOnlyTheRightPasswordProves(t *testing.T) {
	s, err := exchange(t, answer("alice", "a-secret", Host, nonce, "c1", ""))
	if user, ok := s.User(); err != nil || !ok || user != "alice" {
		t.Fatalf("%q, %v, %v", user, ok, err)
	}
	for _, r := range []string{
		answer("alice", "b-secret", Host, nonce, "c1", ""), answer("alice", "", Host, nonce, "c1", ""),
		answer("empty", "x", Host, nonce, "c1", ""), answer("mallory", "", Host, nonce, "c1", ""), answer("Alice", "a-secret", Host, nonce, "c1", ""),
	} {
		s, err := exchange(t, r)
		if user, ok := s.User(); !errors.Is(err, ErrDenied) || ok {
			t.Errorf("%s: %q, %v", r, user, err)
		}
	}
}

func TestTextsAreLatin1WhereTheyCanBe(t *testing.T) {
	r := answer("jos\xe9", "pa\xdf", Host, nonce, "c1", "")
	r = strings.Replace(r, "jos\xe9", "jos\u00e9", 1)
	if s, err := exchange(t, r); err != nil {
		t.Fatal(err)
	} else if user, _ := s.User(); user != "jos\u00e9" {
		t.Errorf("%q", user)
	}
}

// TestNobodyActsAsAnother: an authorization identity is part of the proof, and
// means nothing.
func TestNobodyActsAsAnother(t *testing.T) {
	s, err := exchange(t, answer("alice", "a-secret", Host, nonce, "c1", "bob"))
	if user, _ := s.User(); err != nil || user != "alice" {
		t.Fatalf("%q, %v", user, err)
	}
}

// TestUnknownUsersInheritNothing: ZOOKEEPER-4839, where an unknown user was
// checked against the password of the last known one.
func TestUnknownUsersInheritNothing(t *testing.T) {
	if _, err := exchange(t, answer("alice", "a-secret", Host, nonce, "c1", "")); err != nil {
		t.Fatal(err)
	}
	s, err := exchange(t, answer("mallory", "a-secret", Host, nonce, "c1", ""))
	if user, ok := s.User(); !errors.Is(err, ErrDenied) || ok {
		t.Fatalf("%q, %v", user, err)
	}
}

func TestANonceIsGoodOnce(t *testing.T) {
	good := answer("alice", "a-secret", Host, nonce, "c1", "")
	s, err := exchange(t, good)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Next([]byte(good)); !errors.Is(err, ErrOver) {
		t.Errorf("in the same exchange: %v", err)
	}
	other := begun(t, NewServer(Service, Host, "anotherNonce1234", jaas))
	if _, err := other.Next([]byte(good)); err == nil {
		t.Error("accepted in another exchange")
	}
	s, _ = exchange(t, answer("alice", "wrong", Host, nonce, "c1", ""))
	if _, err := s.Next([]byte(good)); !errors.Is(err, ErrOver) {
		t.Errorf("a second guess: %v", err)
	}
	if _, ok := s.User(); ok {
		t.Error("a second guess proved something")
	}
}

func TestResponsesThatAreRefused(t *testing.T) {
	good := answer("alice", "a-secret", Host, nonce, "c1", "")
	f := func(old, replacement, rule string) {
		t.Helper()
		r := strings.Replace(good, old, replacement, 1)
		if r == good {
			t.Fatalf("%q is not in %s", old, good)
		}
		s, err := exchange(t, r)
		if _, ok := s.User(); err == nil || ok || !strings.Contains(err.Error(), rule) {
			t.Errorf("%s: %v, want %s", r, err, rule)
		}
	}
	f("nc=00000001", "nc=00000002", "nc=")
	f("qop=auth", "qop=auth-int", "qop=")
	f("charset=utf-8", "charset=latin1", "charset=")
	f(`realm="zk-sasl-md5"`, `realm="elsewhere"`, "realm=")
	f(`realm="zk-sasl-md5",`, ``, "realm=")
	f("zookeeper/", "imap/", "digest-uri=")
	f(nonce, "x", "nonce")
	f(`username="alice"`, `username=""`, "without username")
	f(`username="alice",`, `username="alice",username="bob",`, "more than once")
	f(`cnonce="c1",`, ``, "without cnonce")
	f(`username="alice"`, `username="alice`, "name=value")
	f(`username="alice"`, `username="alice"x`, "name=value")
	f(`username="alice"`, "username=\"\xff\"", "not UTF-8")
	f("qop=auth", "authzid=\"\"", "authzid")
	f("maxbuf=65536", "pad=\""+strings.Repeat("x", 5000)+"\"", "must be below")

	s := NewServer(Service, Host, nonce, jaas)
	if _, err := s.Next([]byte(good)); err == nil {
		t.Error("an initial response was accepted")
	}
	if _, err := s.Next(nil); !errors.Is(err, ErrOver) {
		t.Errorf("after an initial response: %v", err)
	}
	if _, err := NewServer(Service, Host, "short", jaas).Next(nil); err == nil {
		t.Error("a short nonce was accepted")
	}
}

// FuzzNext: whatever a client sends, it is somebody only with a response that
// the password makes.
func FuzzNext(f *testing.F) {
	f.Add([]byte(answer("alice", "a-secret", Host, nonce, "c1", "")))
	f.Add([]byte(`username="a\"b",realm=x,,nonce=1`))
	f.Fuzz(func(t *testing.T, token []byte) {
		s, err := exchange(t, string(token))
		user, ok := s.User()
		if ok != (err == nil) {
			t.Fatalf("%q, %v, %v", user, ok, err)
		}
		if !ok {
			return
		}
		d, err := parse(string(token))
		password, known := jaas(user)
		if err != nil || !known || d["response"] != (response{d, password}).hash("AUTHENTICATE:") {
			t.Fatalf("%q became %q", token, user)
		}
	})
}
