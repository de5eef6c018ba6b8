// Package keystone is the embedded identity service: the part of the Keystone v3 API that the openstack client,
// gophercloud and openstacksdk need.
package keystone

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"plimsoll/internal/identity"
	"plimsoll/internal/store"
)

// Config is what the service is made of. Zero values of the optional fields mean the defaults that they name.
type Config struct {
	Store     *store.Store
	KeyDir    string              // where the keys of tokens are kept; made where it is missing
	Region    string              // default RegionOne
	Endpoints []identity.Endpoint // what the catalog lists
	PublicURL string              // scheme and host of the catalog's URLs; default: those that the client used
	Log       *slog.Logger        // default slog.Default()

	TokenLife       time.Duration // default 1 h
	LockoutAttempts int           // failed log-ins after which a user is locked; default 10
	LockoutTime     time.Duration // for how long; default 5 min
}

// Service is the identity service. All methods may be called concurrently.
type Service struct {
	config Config
}

// New makes the service.
func New(c Config) (*Service, error) { return nil, errors.New("not made yet") }

// Handler serves the API below "/": whoever mounts it elsewhere strips the prefix.
func (s *Service) Handler() http.Handler { return nil }

// Authenticate returns who a token stands for. An unknown, expired or revoked token is lbaas.Unauthorized.
func (s *Service) Authenticate(ctx context.Context, token string) (*identity.Actor, error) {
	return nil, errors.New("not made yet")
}

// Bootstrap makes what the first start needs: the domain Default, the projects and users admin and demo, both users with
// the password given, and the roles. Where the domain exists it does nothing.
func (s *Service) Bootstrap(ctx context.Context, adminPassword string) error {
	return errors.New("not made yet")
}
