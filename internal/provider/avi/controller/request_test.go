package controller

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// seen is what a controller was sent.
type seen struct {
	Method, URL, Body string
	Header            map[string]string
}

// record keeps what the fake is sent after the log-in, and answers with a body.
func record(f *fake, body string) *[]seen {
	var all []seen
	f.on(func(w http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path == loginPath {
			return false
		}
		sent, _ := io.ReadAll(r.Body)
		s := seen{Method: r.Method, URL: r.URL.String(), Body: string(sent), Header: map[string]string{}}
		for key := range r.Header {
			if key != "Accept-Encoding" && key != "Content-Length" {
				s.Header[key] = r.Header.Get(key)
			}
		}
		all = append(all, s)
		tell(w, 200, body)
		return true
	})
	return &all
}

func TestWhatIsSent(t *testing.T) {
	f := newFake(t)
	c, _ := client(t, nil, f)
	ctx, byName, o := t.Context(), Tenant{Name: "demo"}, Object{"name": "p", "n": 1}
	got := record(f, `{"uuid": "u", "n": 1759000000000001}`)
	header := func(more ...string) map[string]string {
		h := map[string]string{
			"Accept": "application/json", "Content-Type": "application/json", "User-Agent": "plimsoll", "X-Avi-Version": "18.1.2",
			"Referer": f.URL, "X-Csrftoken": "token-of-session-0", "X-Avi-Tenant": "demo",
			"Cookie": "avi-sessionid=session-0; sessionid=session-0; csrftoken=token-of-session-0",
		}
		for i := 0; i < len(more); i += 2 {
			h[more[i]] = more[i+1]
		}
		for key, value := range h {
			if value == "" {
				delete(h, key)
			}
		}
		return h
	}
	body := `{"n":1,"name":"p"}`
	answer := Object{"uuid": "u", "n": json.Number("1759000000000001")}
	for _, call := range []struct {
		fn   func() (Object, error)
		want seen
	}{
		{func() (Object, error) { return c.Get(ctx, byName, "pool", "p/../1?") },
			seen{"GET", "/api/pool/p%2F..%2F1%3F?include_name=true", "", header()}},
		{func() (Object, error) { return c.Get(ctx, Tenant{UUID: "tenant-1"}, "pool", "p") },
			seen{"GET", "/api/pool/p?include_name=true", "", header("X-Avi-Tenant-Uuid", "tenant-1", "X-Avi-Tenant", "")}},
		{func() (Object, error) { return c.Get(ctx, Tenant{}, "pool", "p") },
			seen{"GET", "/api/pool/p?include_name=true", "", header("X-Avi-Tenant", "")}},
		{func() (Object, error) { return c.Create(ctx, byName, "pool", "pool-1", o) },
			seen{"POST", "/api/pool?include_name=true", body, header("Slug", "pool-1")}},
		{func() (Object, error) { return c.Put(ctx, byName, "pool", "pool-1", o) },
			seen{"PUT", "/api/pool/pool-1?include_name=true", body, header()}},
		{func() (Object, error) { return c.Patch(ctx, byName, "pool", "pool-1", Object{"add": o}) },
			seen{"PATCH", "/api/pool/pool-1?include_name=true", `{"add":` + body + `}`, header()}},
		{func() (Object, error) { return answer, c.Delete(ctx, byName, "pool", "pool-1") },
			seen{"DELETE", "/api/pool/pool-1", "", header()}},
		{func() (into Object, err error) {
			return into, c.Call(ctx, byName, "PUT", "/cloud/c/gc", url.Values{"force": {"True"}}, nil, &into)
		}, seen{"PUT", "/api/cloud/c/gc?force=True", "", header()}},
		{func() (into Object, err error) {
			err = c.Call(ctx, byName, "POST", "analytics/metrics/collection", nil, o, &into)
			return into, err
		}, seen{"POST", "/api/analytics/metrics/collection", body, header()}},
	} {
		*got = nil
		o, err := call.fn()
		if err != nil {
			t.Fatalf("%s %s: %v", call.want.Method, call.want.URL, err)
		}
		for i := range *got {
			(*got)[i].Header["Cookie"] = sortedCookies((*got)[i].Header["Cookie"])
		}
		call.want.Header["Cookie"] = sortedCookies(call.want.Header["Cookie"])
		if diff := cmp.Diff([]seen{call.want}, *got); diff != "" {
			t.Errorf("%s %s (-want +got):\n%s", call.want.Method, call.want.URL, diff)
		}
		if diff := cmp.Diff(answer, o); o != nil && diff != "" {
			t.Errorf("%s %s is answered (-want +got):\n%s", call.want.Method, call.want.URL, diff)
		}
	}
}

func TestAWriteThatIsAnsweredWithNothingIsRead(t *testing.T) {
	f := newFake(t)
	c, _ := client(t, nil, f)
	f.times(1, "/api/pool/pool-1", answering(200, ""))
	o, err := c.Put(t.Context(), tenant, "pool", "pool-1", Object{})
	if diff := cmp.Diff(Object{"uuid": "pool-1"}, o); err != nil || diff != "" {
		t.Errorf("Put: %v (-want +got):\n%s", err, diff)
	}
}

func TestWhatIsRepeated(t *testing.T) {
	refused := answering(503, "<html>no</html>")
	for _, c := range []struct {
		name   string
		method string
		first  http.HandlerFunc
		want   []string
		fails  bool
	}{
		{"bad: a write that was cut", "POST", cut, []string{"POST"}, true},
		{"bad: a change that was cut", "PUT", cut, []string{"PUT"}, true},
		{"bad: a deletion that was cut", "DELETE", cut, []string{"DELETE"}, true},
		{"bad: a write that was not ready for", "PATCH", refused, []string{"PATCH"}, true},
		{"a read that was cut", "GET", cut, []string{"GET", "GET"}, false},
		{"a read that was not ready for", "GET", refused, []string{"GET", "GET"}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := newFake(t)
			ctl, _ := client(t, nil, f)
			f.times(1, "/api/x", c.first)
			err := ctl.Call(t.Context(), tenant, c.method, "x", nil, Object{}, nil)
			if (err != nil) != c.fails || c.fails && !Unreachable(err) {
				t.Errorf("Call: %v, unreachable %v", err, Unreachable(err))
			}
			want := []string{"POST /login"}
			for _, m := range c.want {
				want = append(want, m+" /api/x")
			}
			if diff := cmp.Diff(want, f.called()); diff != "" {
				t.Errorf("calls (-want +got):\n%s", diff)
			}
			// One connection that was cut does not cost the session.
			if err := ctl.Call(t.Context(), tenant, c.method, "x", nil, Object{}, nil); err != nil {
				t.Errorf("Call after it: %v", err)
			}
			if diff := cmp.Diff([]string{c.method + " /api/x"}, f.called()); diff != "" {
				t.Errorf("calls after it (-want +got):\n%s", diff)
			}
		})
	}
}

func TestWhatIsNoAnswer(t *testing.T) {
	f := newFake(t)
	c, _ := client(t, nil, f)
	f.times(1, "/api/x", answering(200, `<html>`))
	var into Object
	if err := c.Call(t.Context(), tenant, "GET", "x", nil, nil, &into); err == nil || Unreachable(err) || Refused(err) {
		t.Errorf("Call that is answered with HTML: %v", err)
	}
	f.times(1, "/api/x", func(w http.ResponseWriter, _ *http.Request) {
		big := bytes.Repeat([]byte(" "), 1<<20)
		for range maxAnswer>>20 + 1 {
			if _, err := w.Write(big); err != nil {
				return
			}
		}
	})
	if err := c.Call(t.Context(), tenant, "POST", "x", nil, nil, &into); err == nil {
		t.Errorf("Call that is answered without end: %v", err)
	}
	if err := c.Call(t.Context(), tenant, "POST", "x", nil, make(chan int), &into); err == nil || Unreachable(err) {
		t.Errorf("Call with what is no JSON: %v", err)
	}
	f.times(1, "/api/x", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/elsewhere", http.StatusFound) })
	if err := c.Call(t.Context(), tenant, "GET", "x", nil, nil, nil); err == nil || !is(err, http.StatusFound) {
		t.Errorf("Call that is sent elsewhere: %v", err)
	}
}

func TestACallerMayLosePatience(t *testing.T) {
	f := newFake(t)
	c, _ := client(t, func(c *Config) { c.Connections = 1 }, f)
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
	ctx, cancel := context.WithCancel(t.Context())
	errs := make(chan error, 2)
	go func() { _, err := c.Get(ctx, tenant, "pool", "slow"); errs <- err }()
	settle(t, func() bool { return len(c.slots) == 1 })
	go func() { _, err := c.Get(ctx, tenant, "pool", "waits"); errs <- err }() // for the only connection
	time.AfterFunc(20*time.Millisecond, cancel)
	for range 2 {
		if err := <-errs; !errors.Is(err, context.Canceled) || Unreachable(err) {
			t.Errorf("Get: %v, unreachable %v", err, Unreachable(err))
		}
	}
	if _, err := c.Get(t.Context(), tenant, "pool", "p"); err != nil {
		t.Errorf("Get of another: %v", err)
	}
	if n := f.logins(); n != 1 {
		t.Errorf("%d log-ins, want 1", n)
	}
}
