package keystone

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"sync"
	"time"

	"plimsoll/internal/identity"
)

// sessions keeps validated tokens for a short while, under a hash of their text. What this process changes voids all of them at
// once; what another process changes is seen after sessionLife.
type sessions struct {
	mu  sync.RWMutex
	all map[[sha256.Size]byte]session
}

type session struct {
	*identity.Session
	actor *identity.Actor
	epoch uint64 // store.IdentityEpoch before it was read
	until time.Time
}

const (
	sessionLife = 4 * time.Second
	maxSessions = 10000
)

func newSessions() *sessions { return &sessions{all: map[[sha256.Size]byte]session{}} }

func (c *sessions) get(key [sha256.Size]byte, epoch uint64, now time.Time) (session, bool) {
	c.mu.RLock()
	v, ok := c.all[key]
	c.mu.RUnlock()
	return v, ok && v.epoch == epoch && now.Before(v.until)
}

func (c *sessions) put(key [sha256.Size]byte, v session) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.all) >= maxSessions {
		clear(c.all) // those in use come back at the cost of a few reads each
	}
	c.all[key] = v
}

// Authenticate returns who a token stands for. An unknown, expired or revoked token is lbaas.Unauthorized.
func (s *Service) Authenticate(ctx context.Context, token string) (*identity.Actor, error) {
	v, err := s.validate(ctx, token)
	return v.actor, err
}

// validate returns what a token stands for.
func (s *Service) validate(ctx context.Context, text string) (session, error) {
	if text == "" || len(text) > maxSealed {
		return session{}, identity.Unauthorized()
	}
	key, epoch, now := sha256.Sum256([]byte(text)), s.store.IdentityEpoch(), s.now()
	if v, ok := s.sessions.get(key, epoch, now); ok {
		return v, nil
	}
	token, err := s.open(text)
	if err != nil {
		return session{}, identity.Unauthorized()
	}
	read, err := s.store.Session(ctx, token)
	if err != nil {
		return session{}, fmt.Errorf("validate a token: %w", err)
	}
	if err := read.Check(now); err != nil {
		return session{}, err
	}
	v := session{Session: read, actor: read.Actor(), epoch: epoch, until: until(read, now)}
	s.sessions.put(key, v)
	return v, nil
}

func (s *Service) open(text string) (*identity.Token, error) {
	payload, err := s.keys.open(text)
	if err != nil {
		return nil, err
	}
	token, err := identity.DecodeToken(payload)
	if err != nil {
		return nil, errors.Join(errSealed, err)
	}
	return token, nil
}

// until is how long a session may be taken for true.
func until(v *identity.Session, now time.Time) time.Time {
	t := now.Add(sessionLife)
	if v.Token.ExpiresAt.Before(t) {
		t = v.Token.ExpiresAt
	}
	if c := v.AppCredential; c != nil && !c.ExpiresAt.IsZero() && c.ExpiresAt.Before(t) {
		t = c.ExpiresAt
	}
	return t
}
