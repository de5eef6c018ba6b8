// Package controller is a client of the REST API of an Avi Vantage Controller, or of a cluster of them. Objects are as the controller
// writes them, so that whatever is not ours to know survives a PUT.
//
// All calls share one session. It is opened by the first that needs it and anew when the controller has forgotten it. Requests are
// repeated by themselves where that is safe: whatever was not sent, or was refused for want of a session, and reads that were cut short.
// A cluster is asked through one node, another when that one does not answer. Once none does, calls fail at once, but for one every few
// seconds that tries again.
package controller

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"time"
)

// Object is an object as the controller writes it. Its numbers are json.Number.
type Object = map[string]any

// Tenant is in whose name a request is made: one of both is set, or none for the user's own.
type Tenant struct {
	UUID string // "tenant-<uuid>"
	Name string // "*" reads all tenants', where the user may
}

// Admin is the tenant that has what the system comes with, and AllTenants is for reading only.
var (
	Admin      = Tenant{Name: "admin"}
	AllTenants = Tenant{Name: "*"}
)

// Config is what a Client needs. What is zero gets the default that stands beside it.
type Config struct {
	Addresses []string // host or host:port, the nodes of one cluster
	User      string
	Password  string
	Token     string         // in place of the password
	Roots     *x509.CertPool // who may sign the controller's certificate; nil is whom the system trusts
	Insecure  bool           // its certificate is not looked at
	Version   string         // 18.1.2: of the data model, X-Avi-Version

	Connections int           // 8: connections at the same time
	Timeout     time.Duration // 20 s: of one request
	Probe       time.Duration // 5 s: the longest time between two tries to reach a controller that does not answer
	Log         *slog.Logger
}

// Client speaks with one controller. Its methods may be called at the same time; all share one session.
type Client struct {
	cfg   Config
	http  *http.Client
	slots chan struct{} // one for each request that may be under way
	count counter
	hide  *strings.Replacer

	stop   context.CancelFunc // ends what no caller waits for
	life   context.Context
	logins sync.WaitGroup

	mu      sync.Mutex
	nodes   []*node // the one that answered last is the first
	current *session
	flight  *flight
	denial  denial
	closed  bool
}

// Session says whom the client speaks with.
type Session struct {
	Address string
	Version string // of the controller
}

// errClosed is the answer to calls after Close.
var errClosed = errors.New("the client of the controller is closed")

var version = regexp.MustCompile(`^[0-9]+(\.[0-9]+){1,3}$`)

// New returns a client, which does not connect yet. Its errors name what is missing in the configuration.
func New(cfg Config) (*Client, error) {
	cfg.defaults()
	nodes, err := nodesOf(cfg.Addresses)
	if err != nil {
		return nil, err
	}
	switch {
	case cfg.User == "":
		return nil, errors.New("no user of the controller is named")
	case cfg.Password == "" && cfg.Token == "":
		return nil, errors.New("neither a password nor a token of the controller is given")
	case !version.MatchString(cfg.Version):
		return nil, errors.New("the API version must be written as 18.1.2")
	}
	if cfg.Insecure {
		cfg.Log.Warn("controller's certificate is not verified: whoever is in the way can read the password", "controller", strings.Join(cfg.Addresses, ", "))
	}
	c := &Client{cfg: cfg, nodes: nodes, slots: make(chan struct{}, cfg.Connections), hide: hiding(cfg.Password, cfg.Token)}
	c.http = &http.Client{Transport: transport(cfg), CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	c.life, c.stop = context.WithCancel(context.Background())
	return c, nil
}

func (c *Config) defaults() {
	c.Version = cmp.Or(c.Version, "18.1.2")
	c.Connections = cmp.Or(c.Connections, 8)
	c.Timeout = cmp.Or(c.Timeout, 20*time.Second)
	c.Probe = cmp.Or(c.Probe, 5*time.Second)
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
}

// transport keeps to HTTP/1.1, where connections can be counted, and asks no proxy: whose way leads to a controller is trusted.
func transport(cfg Config) *http.Transport {
	t := &http.Transport{
		DialContext:         (&net.Dialer{Timeout: min(5*time.Second, cfg.Timeout)}).DialContext,
		TLSHandshakeTimeout: min(10*time.Second, cfg.Timeout),
		TLSClientConfig:     &tls.Config{RootCAs: cfg.Roots, InsecureSkipVerify: cfg.Insecure, MinVersion: tls.VersionTLS12},
		MaxConnsPerHost:     cfg.Connections,
		MaxIdleConnsPerHost: cfg.Connections,
		IdleConnTimeout:     time.Minute,
		Protocols:           new(http.Protocols),
	}
	t.Protocols.SetHTTP1(true)
	return t
}

// Close ends the session, as far as that can be done within two seconds. Calls that are under way end by themselves, later ones fail.
func (c *Client) Close() error {
	c.mu.Lock()
	s := c.current
	c.current, c.closed = nil, true
	c.mu.Unlock()
	c.stop()
	c.logins.Wait()
	var err error
	if s != nil {
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
		defer cancel()
		err = c.logout(ctx, s)
	}
	c.http.CloseIdleConnections()
	return err
}

// Session logs in, unless that is done, and says where.
func (c *Client) Session(ctx context.Context) (Session, error) {
	s, err := c.session(ctx)
	if err != nil {
		return Session{}, err
	}
	return Session{Address: s.node.address, Version: s.version}, nil
}

// Requests counts the requests that were made, by method; a log-in is one of them.
func (c *Client) Requests() map[string]int64 { return c.count.all() }
