// Package keystone is the embedded identity service: the part of the Keystone v3 API that the openstack client,
// gophercloud and openstacksdk need.
package keystone

import (
	"cmp"
	"context"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/google/uuid"

	"plimsoll/internal/identity"
	"plimsoll/internal/store"
	"plimsoll/internal/web"
)

// Config is what the service is made of. Zero values of the optional fields mean the defaults that they name.
type Config struct {
	Store     *store.Store
	KeyDir    string              // where the keys of tokens are kept; made where it is missing
	Region    string              // default RegionOne
	Endpoints []identity.Endpoint // what the catalog lists
	PublicURL string              // scheme and host of the URLs in answers; default: those that the client used
	Log       *slog.Logger        // default slog.Default()

	TokenLife       time.Duration // default 1 h
	LockoutAttempts int           // failed log-ins in a row after which a user is locked; default 10
	LockoutTime     time.Duration // for how long; default 5 min
}

// Service is the identity service. All methods may be called concurrently.
type Service struct {
	store     *store.Store
	keys      *keys
	passwords *passwords
	sessions  *sessions
	region    string
	endpoints []identity.Endpoint
	publicURL string
	tokenLife time.Duration
	lockout   identity.Lockout
	log       *slog.Logger
	now       func() time.Time
}

// New makes the service, and its keys on the first start.
func New(c Config) (*Service, error) {
	k, err := openKeys(c.KeyDir)
	if err != nil {
		return nil, err
	}
	return &Service{
		store: c.Store, keys: k, passwords: newPasswords(), sessions: newSessions(),
		region:    cmp.Or(c.Region, "RegionOne"),
		endpoints: c.Endpoints,
		publicURL: strings.TrimSuffix(c.PublicURL, "/"),
		tokenLife: cmp.Or(c.TokenLife, time.Hour),
		lockout:   identity.Lockout{Attempts: cmp.Or(c.LockoutAttempts, 10), Time: cmp.Or(c.LockoutTime, 5*time.Minute)},
		log:       cmp.Or(c.Log, slog.Default()),
		now:       time.Now,
	}, nil
}

// Handler serves the API below "/": whoever mounts it elsewhere strips the prefix.
func (s *Service) Handler() http.Handler {
	api := &web.API{Name: "identity", Routes: s.routes(), Fault: fault, Auth: s, Log: s.log}
	h := api.Handler()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "" { // "/identity" without its prefix
			r = r.Clone(r.Context())
			r.URL.Path = "/"
		}
		w.Header().Set("Vary", "X-Auth-Token")
		h.ServeHTTP(w, r)
	})
}

// Bootstrap makes what the first start needs: the domain Default, the projects and users admin and demo, with the passwords
// given, and the roles. Where the domain exists it does nothing.
func (s *Service) Bootstrap(ctx context.Context, adminPassword, demoPassword string) error {
	started, err := s.store.Started(ctx)
	if err != nil || started {
		return err
	}
	adminHash, err := s.passwords.hash(ctx, adminPassword)
	if err != nil {
		return err
	}
	demoHash, err := s.passwords.hash(ctx, demoPassword)
	if err != nil {
		return err
	}
	if err := s.store.Start(ctx, identity.FirstStart(newID, adminHash, demoHash)); err != nil {
		return err
	}
	s.log.Info("identity service set up", "users", "admin, demo")
	return nil
}

// newID makes an id as Keystone's are: 32 hexadecimal digits.
func newID() string { return strings.ReplaceAll(uuid.NewString(), "-", "") }
