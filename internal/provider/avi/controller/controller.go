// Package controller is a client of the REST API of an Avi Vantage Controller, or of a cluster of them. Objects are as the controller
// writes them, so that whatever is not ours to know survives a PUT.
package controller

import (
	"context"
	"crypto/x509"
	"errors"
	"log/slog"
	"net/url"
	"time"
)

// Object is an object as the controller writes it. Its numbers are json.Number.
type Object = map[string]any

// Tenant is in whose name a request is made: one of both is set.
type Tenant struct {
	UUID string // "tenant-<uuid>"
	Name string // "*" reads all tenants', where the user may
}

// Admin is the tenant that has what the system comes with, and AllTenants is for reading only.
var (
	Admin      = Tenant{Name: "admin"}
	AllTenants = Tenant{Name: "*"}
)

// Config is what a Client needs.
type Config struct {
	Addresses []string // host or host:port, the nodes of one cluster
	User      string
	Password  string
	Token     string         // in place of the password
	Roots     *x509.CertPool // who may sign the controller's certificate; nil is whom the system trusts
	Insecure  bool           // its certificate is not looked at
	Version   string         // of the data model: X-Avi-Version, as "18.1.2"

	Connections int           // 8: connections at the same time
	Timeout     time.Duration // 20 s: of one request
	Log         *slog.Logger
}

// Client speaks with one controller. Its methods may be called at the same time; all share one session.
type Client struct {
	cfg Config
}

// Session says whom the client speaks with.
type Session struct {
	Address string
	Version string // of the controller
}

// Error is an answer that is none of success.
type Error struct {
	Method, Path string
	Status       int
	Text         string // the controller's own words
}

// New returns a client, which does not connect yet.
func New(cfg Config) (*Client, error) { return &Client{cfg: cfg}, nil }

// Close ends the session, as far as that can be done at once.
func (c *Client) Close() error { return errors.ErrUnsupported }

// Session logs in, unless that is done.
func (c *Client) Session(ctx context.Context) (Session, error) {
	return Session{}, errors.ErrUnsupported
}

// Get returns an object. References in it carry the names of what they refer to (include_name).
func (c *Client) Get(ctx context.Context, t Tenant, kind, uuid string) (Object, error) {
	return nil, errors.ErrUnsupported
}

// List returns all objects of a kind that the query finds, whatever the number of pages. References carry names.
func (c *Client) List(ctx context.Context, t Tenant, kind string, query url.Values) ([]Object, error) {
	return nil, errors.ErrUnsupported
}

// Create makes an object with a UUID of our choice (the header Slug), and returns it as the controller has it.
func (c *Client) Create(ctx context.Context, t Tenant, kind, uuid string, o Object) (Object, error) {
	return nil, errors.ErrUnsupported
}

// Put replaces an object. One that changed since it was read (_last_modified) is Stale.
func (c *Client) Put(ctx context.Context, t Tenant, kind, uuid string, o Object) (Object, error) {
	return nil, errors.ErrUnsupported
}

// Patch changes an object: {"add": {…}}, {"replace": {…}} or {"delete": {…}}.
func (c *Client) Patch(ctx context.Context, t Tenant, kind, uuid string, patch Object) (Object, error) {
	return nil, errors.ErrUnsupported
}

// Delete deletes an object. One that is not there is Absent.
func (c *Client) Delete(ctx context.Context, t Tenant, kind, uuid string) error {
	return errors.ErrUnsupported
}

// Call makes any other request below /api. A body and into may be nil.
func (c *Client) Call(ctx context.Context, t Tenant, method, path string, query url.Values, body, into any) error {
	return errors.ErrUnsupported
}

// Requests counts the requests that were made, by method; a log-in is one of them.
func (c *Client) Requests() map[string]int64 { return nil }

// Error returns the controller's words and what they answer.
func (e *Error) Error() string { return e.Text }

// Absent tells whether an object is not there.
func Absent(err error) bool { return false }

// NoTenant tells whether the controller has no such tenant.
func NoTenant(err error) bool { return false }

// Stale tells whether an object was changed since it was read.
func Stale(err error) bool { return false }

// Taken tells whether another object has the name or the UUID.
func Taken(err error) bool { return false }

// Referred tells whether an object cannot be deleted since others refer to it, and which, in the controller's words.
func Referred(err error) (by string, ok bool) { return "", false }

// Refused tells whether the controller understood a request and will not do it: asking again is of no use.
func Refused(err error) bool { return false }

// Unreachable tells whether nothing is known since no controller answered, or one that is not ready.
func Unreachable(err error) bool { return false }
