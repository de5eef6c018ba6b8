package barbican

import (
	"cmp"
	"log/slog"
	"net/http"
	"time"

	"plimsoll/internal/store"
	"plimsoll/internal/web"
)

// MaxSecret is how many bytes a payload may have where nothing else is said: Barbican's max_allowed_secret_in_bytes.
const MaxSecret = 20000

// Config is what the API is made of.
type Config struct {
	Store *store.Store
	Auth  web.Authenticator

	// MaxSecret bounds a payload, in bytes; 0 stands for MaxSecret.
	MaxSecret int

	Log *slog.Logger
}

// API is the handlers' common ground.
type API struct {
	store     *store.Store
	maxSecret int
	now       func() time.Time
}

// New returns the API, for paths without the prefix that it is mounted under; references to secrets and containers are written with
// whatever the client put before them.
func New(c Config) http.Handler {
	a := &API{store: c.Store, maxSecret: cmp.Or(c.MaxSecret, MaxSecret), now: time.Now}
	log := c.Log
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	face := web.API{Name: "barbican", Routes: a.routes(), Fault: fault, Auth: c.Auth, Log: log, MaxBody: a.maxBody(), Guarded: true}
	return face.Handler()
}

// maxBody leaves room for a payload whose bytes take several in JSON.
func (a *API) maxBody() int64 { return max(web.MaxBody, 6*int64(a.maxSecret)+4096) }
