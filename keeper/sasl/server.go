package sasl

import (
	"crypto/md5" // what DIGEST-MD5 is made of
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// What ZooKeeper's servers call themselves; its clients know no other names.
const (
	// Service is the first part of the digest-uri.
	Service = "zookeeper"
	// Host is the second part, and the realm.
	Host = "zk-sasl-md5"
)

const (
	// maxResponse bounds a response, in bytes (RFC 2831, 2.1.2).
	maxResponse = 4096
	// minNonce is 64 bits of entropy in base64 (RFC 2831, 2.1.1), in bytes.
	minNonce = 11
)

// Server is one exchange: a challenge, a response, the verdict. It is not safe
// for concurrent use.
type Server struct {
	service, host string
	nonce         string
	password      func(user string) (string, bool)
	step          step
	user          string
}

// step is what the server waits for.
type step uint8

const (
	stepStart step = iota
	stepResponse
	stepOver // decided, one way or the other
)

// ErrDenied is returned for an unknown user and for a wrong password alike.
var ErrDenied = errors.New("user or password is wrong")

// ErrOver is returned when something is sent after the verdict.
var ErrOver = errors.New("the SASL exchange is over")

// NewServer begins an exchange of the service at the host. nonce must be drawn
// afresh from a good source for each, at least 11 characters of it; password
// looks up a user's.
func NewServer(service, host, nonce string, password func(user string) (string, bool)) *Server {
	return &Server{service: service, host: host, nonce: nonce, password: password}
}

// Next takes the client's token and returns the server's: the challenge for the
// first, which must be empty, and the proof that the server knows the password
// too for the second. Any error ends the exchange: a nonce is good for one
// response.
func (s *Server) Next(token []byte) ([]byte, error) {
	switch s.step {
	case stepStart:
		s.step = stepOver
		if len(token) != 0 {
			return nil, errors.New("DIGEST-MD5 has no initial response")
		}
		if len(s.nonce) < minNonce {
			return nil, fmt.Errorf("nonce of %d characters: at least %d are needed", len(s.nonce), minNonce)
		}
		s.step = stepResponse
		return []byte("realm=" + quote(s.host) + ",nonce=" + quote(s.nonce) + ",charset=utf-8,algorithm=md5-sess"), nil
	case stepResponse:
		s.step = stepOver
		return s.judge(token)
	}
	return nil, ErrOver
}

// User returns who was authenticated; ok is false before, and after a failure.
// The authorization identity is not regarded: ZooKeeper's server lets nobody
// act as somebody else.
func (s *Server) User() (user string, ok bool) { return s.user, s.user != "" }

// judge checks a response. Everything it needs comes from this response and
// this exchange: what an earlier user proved is of no use to anybody.
func (s *Server) judge(token []byte) ([]byte, error) {
	if len(token) >= maxResponse {
		return nil, fmt.Errorf("digest response of %d bytes: must be below %d", len(token), maxResponse)
	}
	d, err := parse(string(token))
	if err != nil {
		return nil, err
	}
	if err := s.check(d); err != nil {
		return nil, err
	}
	password, known := s.password(d["username"])
	r := response{d: d, password: password}
	match := subtle.ConstantTimeCompare([]byte(r.hash("AUTHENTICATE:")), []byte(d["response"])) == 1
	if !known || !match {
		return nil, ErrDenied
	}
	s.user = d["username"]
	return []byte("rspauth=" + r.hash(":")), nil
}

// check holds a response against the challenge.
func (s *Server) check(d directives) error {
	for _, name := range []string{"username", "nonce", "cnonce", "nc", "digest-uri", "response"} {
		if d[name] == "" {
			return fmt.Errorf("digest response without %s", name)
		}
	}
	_, hasAuthzid := d["authzid"]
	uri := s.service + "/" + s.host
	switch {
	case d["charset"] != "" && !strings.EqualFold(d["charset"], "utf-8"):
		return fmt.Errorf("digest response: charset=%q, must be utf-8", d["charset"])
	case d["charset"] != "" && !(utf8.ValidString(d["username"]) && utf8.ValidString(d["realm"])):
		return errors.New("digest response: not UTF-8, as its charset says")
	case d["nonce"] != s.nonce:
		return errors.New("digest response: the nonce is not the one of this exchange")
	case d["nc"] != "00000001":
		return fmt.Errorf("digest response: nc=%q, the nonce was used never before", d["nc"])
	case d["realm"] != s.host:
		return fmt.Errorf("digest response: realm=%q, must be %q", d["realm"], s.host)
	case !strings.EqualFold(d["digest-uri"], uri) && !strings.EqualFold(d["digest-uri"], uri+"/"+s.host):
		return fmt.Errorf("digest response: digest-uri=%q, must be %q", d["digest-uri"], uri)
	case d["qop"] != "" && d["qop"] != "auth":
		return fmt.Errorf("digest response: qop=%q, must be auth", d["qop"])
	case hasAuthzid && d["authzid"] == "":
		return errors.New("digest response: authzid is empty")
	}
	return nil
}

// response computes what a client that knows the password sends.
type response struct {
	d        directives
	password string
}

// hash returns the response-value for a method: "AUTHENTICATE:" of the client,
// ":" of the server's answer (RFC 2831, 2.1.2.1).
func (r response) hash(method string) string {
	text := func(s string) string { return s }
	if r.d["charset"] != "" {
		text = latin1
	}
	secret := md5.Sum([]byte(text(r.d["username"]) + ":" + text(r.d["realm"]) + ":" + text(r.password)))
	a1 := string(secret[:]) + ":" + r.d["nonce"] + ":" + r.d["cnonce"]
	if id, ok := r.d["authzid"]; ok {
		a1 += ":" + id
	}
	return md5hex(md5hex(a1) + ":" + r.d["nonce"] + ":" + r.d["nc"] + ":" + r.d["cnonce"] + ":auth:" + md5hex(method+r.d["digest-uri"]))
}

func md5hex(s string) string {
	sum := md5.Sum([]byte(s))
	return hex.EncodeToString(sum[:])
}

// latin1 returns a text in ISO 8859-1 if it can be written so, as the RFC wants
// it, else in UTF-8 as it came.
func latin1(s string) string {
	b := make([]byte, 0, len(s))
	for _, r := range s {
		if r > 0xff {
			return s
		}
		b = append(b, byte(r))
	}
	return string(b)
}
