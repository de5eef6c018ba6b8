package controller

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestBadConfigurations(t *testing.T) {
	good := Config{Addresses: []string{"192.0.2.1"}, User: "admin", Password: "p"}
	for name, c := range map[string]struct {
		change func(*Config)
		says   string
	}{
		"bad: no address":      {func(c *Config) { c.Addresses = nil }, "no address"},
		"bad: empty address":   {func(c *Config) { c.Addresses = []string{""} }, `address ""`},
		"bad: plain HTTP":      {func(c *Config) { c.Addresses = []string{"http://192.0.2.1"} }, "no host"},
		"bad: a path":          {func(c *Config) { c.Addresses = []string{"192.0.2.1/api"} }, "no host"},
		"bad: a user":          {func(c *Config) { c.Addresses = []string{"admin:p@192.0.2.1"} }, "no host"},
		"bad: port 0":          {func(c *Config) { c.Addresses = []string{"192.0.2.1:0"} }, "no host"},
		"bad: port too high":   {func(c *Config) { c.Addresses = []string{"192.0.2.1:65536"} }, "no host"},
		"bad: no port":         {func(c *Config) { c.Addresses = []string{"192.0.2.1:"} }, "no host"},
		"bad: no user":         {func(c *Config) { c.User = "" }, "no user"},
		"bad: no password":     {func(c *Config) { c.Password = "" }, "neither"},
		"bad: version":         {func(c *Config) { c.Version = "v18_1" }, "18.1.2"},
		"bad: injected header": {func(c *Config) { c.Version = "18.1.2\r\nX: y" }, "18.1.2"},
		"good":                 {func(c *Config) {}, ""},
		"good: a token":        {func(c *Config) { c.Password, c.Token = "", "t" }, ""},
	} {
		cfg := good
		c.change(&cfg)
		_, err := New(cfg)
		if said := fmt.Sprint(err); (err != nil) != (c.says != "") || !strings.Contains(said, c.says) {
			t.Errorf("%s: New: %v, want %q", name, err, c.says)
		}
	}
}

func TestAddresses(t *testing.T) {
	for address, want := range map[string]string{
		"192.0.2.1": "https://192.0.2.1", "192.0.2.1:9443": "https://192.0.2.1:9443", "avi.example.org": "https://avi.example.org",
		"2001:db8::1": "https://[2001:db8::1]", "[2001:db8::1]:9443": "https://[2001:db8::1]:9443", "[2001:db8::1]": "https://[2001:db8::1]",
		"https://avi.example.org/": "https://avi.example.org",
	} {
		nodes, err := nodesOf([]string{address})
		if err != nil || nodes[0].url != want || nodes[0].address != address {
			t.Errorf("nodesOf(%q) = %+v, %v; want %q", address, nodes, err, want)
		}
	}
}

func TestCertificatesAreVerified(t *testing.T) {
	f := newFake(t)
	c, _ := client(t, func(c *Config) { c.Roots = nil }, f)
	if _, err := c.Session(t.Context()); !Unreachable(err) || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("Session with one who is not trusted: %v", err)
	}
	c, j := client(t, func(c *Config) { c.Roots, c.Insecure = nil, true }, f)
	for range 3 {
		if _, err := c.Get(t.Context(), tenant, "pool", "p"); err != nil {
			t.Errorf("Get where nobody looks: %v", err)
		}
	}
	if n := strings.Count(j.String(), "level=WARN"); n != 1 {
		t.Errorf("%d warnings, want 1:\n%s", n, j)
	}
}

func TestAnotherNodeIsAsked(t *testing.T) {
	for name, answer := range map[string]http.HandlerFunc{
		"initialising": answering(503, "<html>"), "no controller": answering(200, "<html>hello"), "cut": cut, "broken": answering(500, "{}"),
	} {
		t.Run(name, func(t *testing.T) {
			one, two := newFake(t), newFake(t)
			one.on(func(w http.ResponseWriter, r *http.Request) bool { answer(w, r); return true })
			c, _ := client(t, nil, one, two)
			if _, err := c.Create(t.Context(), tenant, "pool", "p", Object{}); err != nil {
				t.Fatal(err)
			}
			one.on(nil)
			one.called()
			two.expire()
			if s, err := c.Session(t.Context()); err != nil || s.Address != two.address() {
				t.Errorf("Session: %+v, %v; want that of the second", s, err)
			}
			if _, err := c.Create(t.Context(), tenant, "pool", "p", Object{}); err != nil {
				t.Fatal(err)
			}
			if calls := one.called(); calls != nil {
				t.Errorf("the first was asked though the second had answered: %v", calls)
			}
		})
	}
}

func TestANodeGoesAwayInTheMiddle(t *testing.T) {
	one, two := newFake(t), newFake(t)
	c, j := client(t, nil, one, two)
	if s, err := c.Session(t.Context()); err != nil || s.Address != one.address() {
		t.Fatalf("Session: %+v, %v; want that of the first", s, err)
	}
	one.Close()
	c.http.CloseIdleConnections() // else what is sent on one of them while it ends may have arrived, or not
	if errs := atOnce(32, func(int) error { return c.Delete(t.Context(), tenant, "pool", "p") }); len(errs) > 0 {
		t.Errorf("errors: %v", errs) // nothing was sent to the first
	}
	if n := two.logins(); n != 1 {
		t.Errorf("%d log-ins at the second, want 1", n)
	}
	two.Close()
	c.http.CloseIdleConnections()
	if err := c.Delete(t.Context(), tenant, "pool", "p"); !Unreachable(err) || !strings.Contains(err.Error(), one.address()) {
		t.Errorf("Delete with both gone: %v", err)
	}
	if n := strings.Count(j.String(), "controller does not answer"); n != 2 {
		t.Errorf("%d warnings, want one of each node:\n%s", n, j)
	}
}

func TestADeadControllerFailsAtOnce(t *testing.T) {
	f := newFake(t)
	c, j := client(t, func(c *Config) { c.Probe = time.Hour }, f)
	f.on(func(w http.ResponseWriter, _ *http.Request) bool { tell(w, 503, "starting"); return true })
	for range 3 {
		errs := atOnce(32, func(int) error { _, err := c.Get(t.Context(), tenant, "pool", "p"); return err })
		for _, err := range errs {
			if !Unreachable(err) || !strings.Contains(err.Error(), "starting") {
				t.Errorf("Get: %v", err)
			}
		}
		if len(errs) != 32 {
			t.Errorf("%d errors, want 32", len(errs))
		}
	}
	if calls := f.called(); len(calls) != 2 {
		t.Errorf("it was asked %v, want twice at first and not again", calls)
	}
	f.on(nil)
	c.mu.Lock()
	c.nodes[0].until = time.Time{}
	c.mu.Unlock()
	if _, err := c.Get(t.Context(), tenant, "pool", "p"); err != nil {
		t.Errorf("Get once it is back: %v", err)
	}
	if !strings.Contains(j.String(), "controller answers again") {
		t.Errorf("the log does not say that it is back:\n%s", j)
	}
}

func TestOneTriesWhileOthersGoOn(t *testing.T) {
	f := newFake(t)
	c, _ := client(t, nil, f)
	f.on(func(w http.ResponseWriter, _ *http.Request) bool { tell(w, 503, "starting"); return true })
	if _, err := c.Session(t.Context()); !Unreachable(err) {
		t.Fatal(err)
	}
	release := make(chan struct{})
	f.on(func(http.ResponseWriter, *http.Request) bool { <-release; return false })
	tried := make(chan error, 1)
	go func() {
		for { // until the pause is over
			if _, err := c.Session(t.Context()); !Unreachable(err) {
				tried <- err
				return
			}
		}
	}()
	f.called()
	settle(t, func() bool { return f.logins() == 1 })
	for range 100 {
		if _, err := c.Session(t.Context()); !Unreachable(err) {
			t.Errorf("Session while another tries: %v", err)
		}
	}
	close(release)
	if err := <-tried; err != nil {
		t.Errorf("Session of the one who tries: %v", err)
	}
}

func TestSilenceOfAllIsNotThatOfOne(t *testing.T) {
	f := newFake(t)
	c, _ := client(t, func(c *Config) { c.Timeout, c.Probe = 1500*time.Millisecond, time.Hour }, f)
	if _, err := c.Session(t.Context()); err != nil {
		t.Fatal(err)
	}
	f.on(func(w http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path == "/api/pool/slow" {
			hang(w, r)
			return true
		}
		return false
	})
	slow := make(chan error, 1)
	go func() { _, err := c.Get(t.Context(), tenant, "pool", "slow"); slow <- err }()
	for busy := true; busy; {
		select {
		case err := <-slow:
			if !Unreachable(err) {
				t.Errorf("Get of what takes long: %v", err)
			}
			busy = false
		default:
			if _, err := c.Get(t.Context(), tenant, "pool", "fast"); err != nil {
				t.Fatalf("Get of another meanwhile: %v", err)
			}
			time.Sleep(10 * time.Millisecond)
		}
	}
	if _, err := c.Get(t.Context(), tenant, "pool", "fast"); err != nil || f.logins() != 1 {
		t.Errorf("Get of another then: %v, %d log-ins", err, f.logins())
	}
	if _, err := c.Get(t.Context(), tenant, "pool", "slow"); !Unreachable(err) {
		t.Errorf("Get of what takes long: %v", err)
	}
	f.called()
	if _, err := c.Get(t.Context(), tenant, "pool", "fast"); !Unreachable(err) || f.called() != nil {
		t.Errorf("Get of one that was silent to all: %v", err)
	}
}

// TestASilentNodeIsLeft: what is read is read from another node, what is written is not written twice.
func TestASilentNodeIsLeft(t *testing.T) {
	for method, good := range map[string]bool{"GET": true, "POST": false} {
		one, two := newFake(t), newFake(t)
		c, _ := client(t, func(c *Config) { c.Timeout = 1500 * time.Millisecond }, one, two)
		if _, err := c.Session(t.Context()); err != nil {
			t.Fatal(err)
		}
		one.times(1, "/api/x", hang)
		err := c.Call(t.Context(), tenant, method, "x", nil, nil, nil)
		if good && err != nil || !good && !Unreachable(err) {
			t.Errorf("%s: %v", method, err)
		}
		one.called()
		if err := c.Call(t.Context(), tenant, method, "x", nil, nil, nil); err != nil || one.called() != nil {
			t.Errorf("%s then: %v", method, err)
		}
	}
}

// TestUnderFaults lets many write and read while nodes fail in every way: each call ends well, or tells that nothing is known.
func TestUnderFaults(t *testing.T) {
	one, two := newFake(t), newFake(t)
	faults := []http.HandlerFunc{
		cut, answering(401, "CSRF token missing or incorrect."), answering(419, `{"error": "Need to switch session"}`), answering(503, ""), answering(502, "<html>"),
	}
	var calm atomic.Bool
	for _, f := range []*fake{one, two} {
		f.on(func(w http.ResponseWriter, r *http.Request) bool {
			if calm.Load() || rand.N(8) > 0 || r.URL.Path == loginPath && rand.N(4) > 0 {
				return false
			}
			faults[rand.N(len(faults))](w, r)
			return true
		})
	}
	c, _ := client(t, func(c *Config) { c.Probe = time.Millisecond }, one, two)
	var good atomic.Int64
	var wg sync.WaitGroup
	for w := range 32 {
		wg.Go(func() {
			for i := range 30 {
				err := c.Call(t.Context(), tenant, []string{"GET", "PUT"}[i%2], fmt.Sprint("pool/", w), nil, Object{}, nil)
				var told *Error
				switch {
				case err == nil:
					good.Add(1)
				case Unreachable(err), Denied(err), errors.As(err, &told) && (told.Status == 401 || told.Status == 419):
				default:
					t.Errorf("Call: %v", err)
				}
			}
		})
	}
	wg.Wait()
	if good.Load() == 0 {
		t.Error("no call ended well")
	}
	calm.Store(true)
	settle(t, func() bool { return c.Call(t.Context(), tenant, "GET", "pool/p", nil, nil, nil) == nil })
	for _, f := range []*fake{one, two} {
		f.bounded(t, 8)
	}
	if diff := cmp.Diff(0, len(c.slots)); diff != "" {
		t.Errorf("slots in use (-want +got):\n%s", diff)
	}
}
