package avitest

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log"
	"net"
	"net/http"
	"sync"
	"time"
)

// Options say what kind of controller an emulator is. The zero value is a strict 18.2.6 on a free port of 127.0.0.1.
type Options struct {
	Listen   string // host:port (127.0.0.1:0)
	User     string // who may log in (admin)
	Password string // (avi123)
	Version  string // of the controller (18.2.6)
	Lenient  bool   // unknown fields are ignored, as recorded controllers do, instead of refused

	// AnyNetwork has a network be there as soon as something refers to its UUID, as if the cloud had told of it. Without it only networks
	// that were made are.
	AnyNetwork bool

	// SharedCAs has certificates refer to the oldest object of the tenant with the same authority in it, whichever they named, as the
	// vendor's Kubernetes operator met it.
	SharedCAs bool

	Now     func() time.Time  // the controller's clock (time.Now)
	Tenants map[string]string // those that there are besides admin, by name; the values are UUIDs
	// SEGroups are the names of service engine groups that there are besides Default-Group.
	SEGroups []string

	Instant   bool          // virtual services are placed at once; Start sets it unless Placement says otherwise
	Placement time.Duration // how long placing takes (4 s)

	FailEvery int // each so many requests below /api fail, in all ways in turn; 0 is none

	Ports     Ports         // of the network service; without it service engines have none
	PortDelay time.Duration // until garbage collection frees a port that is not used any more (15 min; below 0: at once)
}

// The account of an emulator whose options name none.
const (
	DefaultUser     = "admin"
	DefaultPassword = "avi123"
	DefaultVersion  = "18.2.6"
)

const (
	defaultPlacement = 4 * time.Second
	defaultPortDelay = 15 * time.Minute
	endTime          = 2 * time.Second // what requests have to end in when the emulator does
)

// Server is an emulated controller that answers.
type Server struct {
	URL       string         // "https://127.0.0.1:4711"
	Address   string         // "127.0.0.1:4711"
	CertPEM   []byte         // its certificate, which is its own authority
	Roots     *x509.CertPool // with that certificate
	User      string
	Password  string            // at the start
	TenantIDs map[string]string // Options.Tenants

	opts     Options
	version  version
	began    time.Time
	model    *model
	door     *door
	http     *http.Server
	ended    chan struct{}
	sessions *sessions
	runtime  *runtime
	ports    *ports

	mu       sync.Mutex
	password string
	faults   []*Injection
	every    int // of FailEvery
	asked    int
	calls    []Call
	muted    chan struct{} // closed when the server speaks again; nil while it does
}

// TB is what Start needs of a test.
type TB interface {
	Helper()
	Cleanup(f func())
	Fatalf(format string, args ...any)
}

// Start starts an emulator that ends with the test. It places virtual services at once unless Options.Placement is set.
func Start(t TB, o Options) *Server {
	t.Helper()
	o.Instant = o.Instant || o.Placement == 0
	s, err := New(o)
	if err != nil {
		t.Fatalf("start the emulator: %v", err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Fatalf("end the emulator: %v", err)
		}
	})
	return s
}

// New starts an emulator. An error says which option makes no sense, or why it cannot listen.
func New(o Options) (*Server, error) {
	o = o.withDefaults()
	v, err := parseVersion(o.Version)
	if err != nil {
		return nil, err
	}
	m, err := newModel(modelOptions{Version: o.Version, Lenient: o.Lenient, AnyNetwork: o.AnyNetwork, SharedCAs: o.SharedCAs, Now: o.Now, SEGroups: o.SEGroups})
	if err != nil {
		return nil, err
	}
	s := &Server{
		User: o.User, Password: o.Password, password: o.Password, every: o.FailEvery, TenantIDs: o.Tenants, opts: o, version: v, model: m, ended: make(chan struct{}),
		began: o.Now(), runtime: newRuntime(), ports: &ports{},
	}
	s.sessions = newSessions(o.Now, s.sessionLimits)
	if err := s.makeTenants(); err != nil {
		return nil, err
	}
	if err := s.listen(); err != nil {
		return nil, err
	}
	return s, nil
}

func (o Options) withDefaults() Options {
	o.Listen = or(o.Listen, "127.0.0.1:0")
	o.User = or(o.User, DefaultUser)
	o.Password = or(o.Password, DefaultPassword)
	o.Version = or(o.Version, DefaultVersion)
	o.Placement = or(o.Placement, defaultPlacement)
	o.PortDelay = or(o.PortDelay, defaultPortDelay)
	if o.Now == nil {
		o.Now = time.Now
	}
	return o
}

// makeTenants makes those of the options, as an import from Keystone does.
func (s *Server) makeTenants() error {
	for name, uuid := range s.opts.Tenants {
		body := map[string]any{"name": name, "local": false}
		c := call{Method: http.MethodPost, Kind: "tenant", Slug: uuid, Version: s.opts.Version, Body: encode(body)}
		if a := s.model.do(c); a.Status != http.StatusCreated {
			return fmt.Errorf("make tenant %s: %s", name, a.Body)
		}
	}
	return nil
}

// listen opens the port and begins to serve.
func (s *Server) listen() error {
	host, _, err := net.SplitHostPort(s.opts.Listen)
	if err != nil {
		return fmt.Errorf("listen on %s: %w", s.opts.Listen, err)
	}
	certificate, text, err := selfSigned(host)
	if err != nil {
		return err
	}
	l, err := new(net.ListenConfig).Listen(context.Background(), "tcp", s.opts.Listen)
	if err != nil {
		return fmt.Errorf("listen on %s: %w", s.opts.Listen, err)
	}
	s.door = newDoor(l)
	s.CertPEM, s.Roots = text, x509.NewCertPool()
	s.Roots.AppendCertsFromPEM(text)
	s.Address = l.Addr().String()
	s.URL = "https://" + s.Address
	// HTTP/1.1 only, as the recorded controllers' portals: so a connection is a request, and a cut hits one.
	s.http = &http.Server{
		Handler: s, ReadHeaderTimeout: 30 * time.Second, ErrorLog: log.New(discard{}, "", 0),
		TLSConfig:    &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12},
		TLSNextProto: map[string]func(*http.Server, *tls.Conn, http.Handler){},
	}
	go func() {
		defer close(s.ended)
		_ = s.http.ServeTLS(s.door, "", "") // it ends with Close
	}()
	return nil
}

type discard struct{}

func (discard) Write(p []byte) (int, error) { return len(p), nil }

// Close ends the emulator: requests have a moment to end in, connections are closed, its state is gone.
func (s *Server) Close() error {
	s.Mute(false)
	ctx, cancel := context.WithTimeout(context.Background(), endTime)
	defer cancel()
	err := s.http.Shutdown(ctx)
	if errors.Is(err, context.DeadlineExceeded) {
		err = s.http.Close()
	}
	<-s.ended
	return err
}

// Down makes the controller unreachable, or reachable again: its connections are reset, and so is each new one.
func (s *Server) Down(down bool) { s.door.setShut(down) }

// Mute makes the controller take requests and answer none, or answer again, those that wait included.
func (s *Server) Mute(mute bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case mute && s.muted == nil:
		s.muted = make(chan struct{})
	case !mute && s.muted != nil:
		close(s.muted)
		s.muted = nil
	}
}

// waitMuted waits while the controller is mute. False: the client has gone.
func (s *Server) waitMuted(ctx context.Context) bool {
	s.mu.Lock()
	muted := s.muted
	s.mu.Unlock()
	if muted == nil {
		return true
	}
	select {
	case <-muted:
		return true
	case <-ctx.Done():
		return false
	}
}

// sleep waits for a time, or for ctx.
func sleep(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
