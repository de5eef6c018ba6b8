package keystone

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"runtime"
	"time"

	"golang.org/x/crypto/bcrypt"

	"plimsoll/internal/identity"
	"plimsoll/lbaas"
)

// passwords hashes and compares them, a few at a time: each takes some 60 ms of a processor.
type passwords struct {
	slots chan struct{}
	cost  int // of bcrypt: bcryptCost, less in tests that are not about time
	equal func(hash, digest []byte) error
}

const (
	bcryptCost  = 10
	maxWait     = 10 * time.Second // for a slot
	maxPassword = 4096             // characters

	// noHash is compared with where there is no user, so that it takes as long. Nobody knows what it is the hash of.
	noHash = "$2a$10$HIwpN6U5241CNFoOzLyVNORzZoi8A2I5i6UtdoY8Qc.9YvGL3kddu"
)

func newPasswords() *passwords {
	return &passwords{slots: make(chan struct{}, max(1, runtime.GOMAXPROCS(0)-1)), cost: bcryptCost, equal: bcrypt.CompareHashAndPassword}
}

// enter waits for a slot.
func (p *passwords) enter(ctx context.Context) (leave func(), err error) {
	ctx, cancel := context.WithTimeout(ctx, maxWait)
	defer cancel()
	select {
	case p.slots <- struct{}{}:
		return func() { <-p.slots }, nil
	case <-ctx.Done():
		return nil, lbaas.Errorf(lbaas.Unavailable, "Too many log-ins are waiting.")
	}
}

func (p *passwords) hash(ctx context.Context, password string) (string, error) {
	leave, err := p.enter(ctx)
	if err != nil {
		return "", err
	}
	defer leave()
	hash, err := bcrypt.GenerateFromPassword(digest(password), p.cost)
	if err != nil {
		return "", fmt.Errorf("hash a password: %w", err)
	}
	return string(hash), nil
}

// compare tells whether a password has the hash. The caller holds a slot.
func (p *passwords) compare(hash, password string) bool {
	return p.equal([]byte(hash), digest(password)) == nil
}

// digest makes passwords of any length and content fit for bcrypt, which takes 72 bytes and stops at a NUL. The key keeps
// digests of leaked passwords from being tried in place of the passwords.
func digest(password string) []byte {
	mac := hmac.New(sha256.New, []byte("plimsoll password"))
	mac.Write([]byte(password))
	return base64.RawStdEncoding.AppendEncode(nil, mac.Sum(nil))
}

// login returns the user whom find finds, if the password is right and the user may log in. All else is one answer that
// takes one time. find runs while the slot is held, so that of many tries at once each sees how the one before it
// ended.
func (s *Service) login(ctx context.Context, find func(context.Context) (*identity.User, error), password string) (*identity.User, error) {
	leave, err := s.passwords.enter(ctx)
	if err != nil {
		return nil, err
	}
	defer leave()
	user, err := find(ctx)
	if err != nil && !errors.Is(err, lbaas.NotFound) {
		return nil, err
	}
	if user == nil || user.PasswordHash == "" || s.lockout.Locked(user, s.now()) {
		s.passwords.compare(noHash, password)
		return nil, identity.Unauthorized()
	}
	if !s.passwords.compare(user.PasswordHash, password) {
		return nil, s.loginFailed(ctx, user)
	}
	if user.FailedLogins > 0 {
		if err := s.store.LoginSucceeded(ctx, user.ID); err != nil {
			return nil, err
		}
	}
	return user, nil
}

// loginFailed counts the failure, also when the client does not wait for it.
func (s *Service) loginFailed(ctx context.Context, user *identity.User) error {
	if err := s.store.LoginFailed(context.WithoutCancel(ctx), user.ID, s.lockout, s.now()); err != nil {
		return err
	}
	s.log.Info("log-in failed", "user", user.ID, "failures", user.FailedLogins+1)
	return identity.Unauthorized()
}
