package link

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/sasl"
)

// authenticate shows credentials, by the first mechanism that the broker has.
func (s *Single) authenticate(ctx context.Context) error {
	if len(s.cfg.SASL) == 0 {
		return nil
	}
	mechanism, err := s.handshake(ctx)
	if err != nil {
		return err
	}
	session, out, err := mechanism.Authenticate(ctx, s.addr)
	if err != nil {
		return fmt.Errorf("sasl %s: %w", mechanism.Name(), err)
	}
	began := s.env.Clock.Now()
	for done := false; !done || len(out) > 0; {
		answer, err := s.present(ctx, out)
		if err != nil {
			return fmt.Errorf("sasl %s: %w", mechanism.Name(), err)
		}
		if lifetime := time.Duration(answer.SessionLifetimeMillis) * time.Millisecond; lifetime > 0 {
			// Earlier than the broker counts: a connection is rather made anew than
			// closed under a request.
			s.expiry = began.Add(lifetime * 9 / 10)
		}
		if out = nil; done {
			continue
		}
		if done, out, err = session.Challenge(answer.SASLAuthBytes); err != nil {
			return fmt.Errorf("sasl %s: %w", mechanism.Name(), err)
		}
	}
	return nil
}

// handshake agrees on a mechanism. A broker that refuses the first names those
// that it has.
func (s *Single) handshake(ctx context.Context) (sasl.Mechanism, error) {
	var theirs []string
	for i, m := range s.cfg.SASL {
		if i > 0 && !slices.Contains(theirs, m.Name()) {
			continue
		}
		req := kmsg.NewPtrSASLHandshakeRequest()
		req.Mechanism = m.Name()
		resp, err := s.exchange(ctx, req)
		if err != nil {
			return nil, err
		}
		shake, ok := resp.(*kmsg.SASLHandshakeResponse)
		if !ok {
			return nil, errors.New("no answer to SaslHandshake")
		}
		switch err := kerr.ErrorForCode(shake.ErrorCode); {
		case err == nil:
			return m, nil
		case !errors.Is(err, kerr.UnsupportedSaslMechanism):
			return nil, fmt.Errorf("sasl %s: %w", m.Name(), err)
		}
		theirs = shake.SupportedMechanisms
	}
	return nil, fmt.Errorf("broker has sasl mechanisms %v: %w", theirs, kerr.UnsupportedSaslMechanism)
}

// present sends one message of the mechanism.
func (s *Single) present(ctx context.Context, message []byte) (*kmsg.SASLAuthenticateResponse, error) {
	req := kmsg.NewPtrSASLAuthenticateRequest()
	req.SASLAuthBytes = message
	resp, err := s.exchange(ctx, req)
	if err != nil {
		return nil, err
	}
	answer, ok := resp.(*kmsg.SASLAuthenticateResponse)
	if !ok {
		return nil, errors.New("no answer to SaslAuthenticate")
	}
	if err := kerr.ErrorForCode(answer.ErrorCode); err != nil {
		if answer.ErrorMessage != nil {
			err = fmt.Errorf("%w: %s", err, *answer.ErrorMessage)
		}
		return nil, err
	}
	return answer, nil
}
