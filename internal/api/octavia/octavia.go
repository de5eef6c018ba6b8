// Package octavia is the load-balancer API: OpenStack's LBaaS v2, versions 2.0 to 2.30, as Octavia's code answers it. There is one
// file per noun, one table of routes (routes.go) and one place each for reading bodies (form.go), for lists (list.go)
// and for faults (fault.go).
package octavia

import (
	"context"
	"log/slog"
	"net/http"
	"reflect"
	"sync"

	"plimsoll/internal/network"
	"plimsoll/internal/policy"
	"plimsoll/internal/provider"
	"plimsoll/internal/store"
	"plimsoll/internal/web"
	"plimsoll/lbaas"
)

// Networks is what load balancers need of the network service. Objects that are not there are lbaas.NotFound;
// CreatePort answers lbaas.Conflict for an address that is taken.
type Networks interface {
	Network(ctx context.Context, id string) (*network.Network, error)
	Subnet(ctx context.Context, id string) (*network.Subnet, error)
	Port(ctx context.Context, id string) (*network.Port, error)
	CreatePort(ctx context.Context, p *network.Port) error
	UpdatePort(ctx context.Context, id string, fn func(*network.Port) error) (*network.Port, error)
	DeletePort(ctx context.Context, id string) error
	SecurityGroup(ctx context.Context, id string) (*network.SecurityGroup, error)
	QoSPolicy(ctx context.Context, id string) (*network.QoSPolicy, error)
}

// Config is what the API is made of.
type Config struct {
	Store    *store.Store
	Networks Networks
	Auth     web.Authenticator

	// Providers are those that an operator enabled. DefaultProvider names one of them; empty is lbaas.DefaultProvider.
	Providers       []provider.Face
	DefaultProvider string

	// Policy says who may do what; nil stands for the defaults.
	Policy *policy.Enforcer

	// Options are what this deployment decides; the zero Options stand for DefaultOptions.
	Options Options

	// Certificates looks at what TLS refers to; where it is nil no reference can be read.
	Certificates Certificates

	// MaxPage is Octavia's pagination_max_limit: the rows of a page where none are asked for, and the most that may be.
	// 0 stands for 1000; a negative number is no bound.
	MaxPage int

	// MaxBody bounds the body of a request, in bytes; 0 stands for web.MaxBody.
	MaxBody int64

	// Host is the name of this host, to which providers that work on one host bind what they make.
	Host string

	// Stats asks the data plane for the counters of a load balancer's listeners. Where it is nil or fails, the store's
	// last observation is answered.
	Stats func(ctx context.Context, lb *lbaas.LoadBalancer) (map[string]lbaas.Statistics, error)

	Log *slog.Logger
}

// API serves the paths of the API over HTTP, and its operations to other APIs of the same process.
type API struct {
	Config
	turns      turns
	described  func() (openAPIText, error) // made when it is asked for first
	http       http.Handler
	operations map[string]web.Handler // by method and path below the root
}

// ServeHTTP answers a request.
func (a *API) ServeHTTP(w http.ResponseWriter, r *http.Request) { a.http.ServeHTTP(w, r) }

// New returns the API, for paths without the prefix that it is mounted under.
func New(c Config) *API {
	if c.DefaultProvider == "" {
		c.DefaultProvider = lbaas.DefaultProvider
	}
	if c.Policy == nil {
		c.Policy = policy.Default()
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if reflect.ValueOf(c.Options).IsZero() {
		c.Options = DefaultOptions()
	}
	if c.MaxPage == 0 {
		c.MaxPage = 1000
	}
	if !c.Options.AllowPagination {
		c.MaxPage = -1
	}
	a := &API{Config: c, turns: newTurns()}
	a.described = sync.OnceValues(a.openAPIText)
	face := web.API{Name: "octavia", Routes: a.routes(), Fault: fault, Auth: c.Auth, Log: c.Log, MaxBody: c.MaxBody, Guarded: true}
	a.http, a.operations = face.Handler(), a.callOperations()
	return a
}
