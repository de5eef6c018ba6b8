// Package config turns plimsoll.conf, an INI file with the sections and options that OpenStack's operators know, into
// typed values with defaults. It is strict: what it does not know is an error that names it.
package config

import (
	"net"
	"net/url"
	"path/filepath"
	"strconv"

	"plimsoll/lbaas"
)

// DefaultFile is read when no other file is named and it exists.
const DefaultFile = "/etc/plimsoll/plimsoll.conf"

// Config is the whole configuration.
type Config struct {
	// Debug logs every request and every step.
	Debug bool
	// Host names this machine in the database; "" stands for the kernel's host name.
	Host string
	// StatePath is the state directory.
	StatePath string
	// Region is the name of the one region in the catalog.
	Region string

	API       API
	Database  Database
	Providers []ServiceProvider
	Reconcile Reconcile
	Policy    Policy
	// Quotas is [quotas]: how much a project may have that was given no limits of its own. What is not named has no bound.
	Quotas map[lbaas.Noun]int
	// NetworkQuotas is [quotas] quota_network, quota_port and so on, by resource. What is not named has no bound.
	NetworkQuotas map[string]int
	// SecurityGroups is [securitygroup] enable_security_group.
	SecurityGroups bool

	// Deployment is what load balancers may use.
	Deployment lbaas.Deployment
	Networking Networking
	CORS       CORS
	// CertManager says who is asked for the certificates that listeners and pools refer to.
	CertManager string
	Metrics     Metrics
	HAProxy     HAProxy
	Network     Network
	// Avi are the sections of the providers that use Avi Vantage Controllers, by the provider's name.
	Avi map[string]*Avi
	// MaxBody bounds the body of a request, in bytes.
	MaxBody int
	// MaxSecret bounds what a secret of the key manager keeps, in bytes.
	MaxSecret int
}

// Reconcile is [reconcile]: the times of the loop, in seconds.
type Reconcile struct {
	LeaseTTL int // how long a server that died keeps others off its load balancers
	Deadline int // what is pending for longer shows ERROR, while tries go on
	Audit    int // between two looks at everything there is
}

// HAProxy is [haproxy]: how the provider of that name serves.
type HAProxy struct {
	HardStopAfter int // seconds for which a process that was replaced may serve the connections that it has
}

// API is [api_settings].
type API struct {
	BindHost string // a name or an address
	BindPort int    // 0 lets the kernel choose
	// BaseURI is the URL under which clients reach the server, without a path; "" stands for that of each request.
	BaseURI string
	// MaxLimit bounds the rows of one page of a list; -1 is no bound.
	MaxLimit int
	// DefaultProvider is the provider of load balancers whose request names none, where no [service_providers] entry
	// is marked as the default.
	DefaultProvider string
	// EnabledProviders are the providers that the API offers, with their descriptions.
	EnabledProviders []EnabledProvider
	// What lists and answers may be asked for.
	AllowPagination, AllowSorting, AllowFiltering, AllowFieldSelection bool
	// Healthcheck answers at /healthcheck.
	Healthcheck bool
}

// EnabledProvider is an item of enabled_provider_drivers.
type EnabledProvider struct {
	Name        string
	Description string // "" is the provider's own
}

// Database is [database].
type Database struct {
	// Connection is a URL; "" is SQLite in the state directory.
	Connection string
}

// ServiceProvider is a line of [service_providers]: LOADBALANCERV2:name:driver, with ":default" or without.
type ServiceProvider struct {
	Name    string // lower case, as neutron-lbaas keeps it
	Driver  string // a name of ours, or the path of the driver that the line was written for
	Default bool
}

// Default is the configuration of a server that has no file.
func Default() Config {
	return Config{
		StatePath: "/var/lib/plimsoll",
		Region:    "RegionOne",
		API: API{
			BindHost:         "127.0.0.1",
			BindPort:         9876,
			MaxLimit:         1000,
			DefaultProvider:  lbaas.DefaultProvider,
			EnabledProviders: []EnabledProvider{{Name: lbaas.DefaultProvider}},
			AllowPagination:  true, AllowSorting: true, AllowFiltering: true, AllowFieldSelection: true,
			Healthcheck: true,
		},
		Reconcile: Reconcile{LeaseTTL: 15, Deadline: 60, Audit: 30},
		Policy:    defaultPolicy().in(filepath.Dir(DefaultFile)),
		Quotas:    map[lbaas.Noun]int{},

		NetworkQuotas: map[string]int{}, SecurityGroups: true,

		Deployment: lbaas.DefaultDeployment(),
		Networking: Networking{AllowVIPNetwork: true, AllowVIPSubnet: true, AllowVIPPort: true},
		Metrics:    defaultMetrics(),
		HAProxy:    HAProxy{HardStopAfter: 1800},
		Network:    defaultNetwork(),
		CORS:       defaultCORS(), CertManager: BarbicanCertManager, MaxBody: 114688, MaxSecret: 20000,
	}
}

// Listen is the address to bind, as net.Listen takes it.
func (a API) Listen() string { return net.JoinHostPort(a.BindHost, strconv.Itoa(a.BindPort)) }

// Redacted is the database's URL without its password, for logs.
func (d Database) Redacted() string {
	u, err := url.Parse(d.Connection)
	if err != nil {
		return "(unreadable)"
	}
	return u.Redacted()
}
