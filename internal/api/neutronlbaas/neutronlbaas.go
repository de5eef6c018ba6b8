// Package neutronlbaas is the face that LBaaS v2 had before Octavia: neutron-lbaas, below the network service's path. Its names, texts and
// codes are neutron-lbaas', for its clients. The objects are those of the Octavia API: what is written goes through that API's operations,
// and what is read comes from the same store, so that neither face can say what the other does not know. There is one file per noun, one
// table of routes (routes.go) and one place each for bodies (body.go), attributes (attribute.go), lists (list.go) and errors (error.go).
package neutronlbaas

import (
	"context"
	"log/slog"
	"net/http"

	"plimsoll/internal/policy"
	"plimsoll/internal/provider"
	"plimsoll/internal/store"
	"plimsoll/internal/web"
	"plimsoll/lbaas"
)

// Operations are those of the Octavia API. The id is that of the object that was made or changed. A call has all the effects and all the
// checks that the same request has over HTTP; its errors are *lbaas.Error in Octavia's words, or internal.
type Operations interface {
	Call(ctx context.Context, c web.Call) (id string, err error)
}

// Config is what the API is made of.
type Config struct {
	Store   *store.Store
	Octavia Operations
	Auth    web.Authenticator

	// Policy says who may do what, by Octavia's rules; nil stands for the defaults.
	Policy *policy.Enforcer

	// Providers are those that an operator enabled.
	Providers []provider.Face

	// Stats asks the data plane for the counters of a load balancer's listeners. Where it is nil or fails, the store's last observation
	// is answered.
	Stats func(ctx context.Context, lb *lbaas.LoadBalancer) (map[string]lbaas.Statistics, error)

	// MaxBody bounds the body of a request, in bytes; 0 stands for web.MaxBody.
	MaxBody int64

	Log *slog.Logger
}

type api struct{ Config }

// New returns the API. It serves the paths of Routes below "/v2.0".
func New(c Config) http.Handler {
	if c.Policy == nil {
		c.Policy = policy.Default()
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	a := &api{c}
	face := &web.API{Name: "neutron-lbaas", Routes: a.routes(), Fault: fault, Auth: c.Auth, Log: c.Log, MaxBody: c.MaxBody}
	return face.Handler()
}
