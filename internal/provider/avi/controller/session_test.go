package controller

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var tenant = Tenant{UUID: "tenant-1"}

func TestManyNeedOneLogin(t *testing.T) {
	f := newFake(t)
	c, _ := client(t, nil, f)
	errs := atOnce(32, func(i int) error {
		o, err := c.Get(t.Context(), tenant, "pool", fmt.Sprintf("pool-%d", i))
		if err == nil && o["uuid"] != fmt.Sprintf("pool-%d", i) {
			return fmt.Errorf("request %d was answered with %v", i, o)
		}
		return err
	})
	if len(errs) > 0 {
		t.Errorf("errors: %v", errs)
	}
	if n := f.logins(); n != 1 {
		t.Errorf("%d log-ins, want 1", n)
	}
	f.bounded(t, 8)
	if diff := cmp.Diff(map[string]int64{"POST": 1, "GET": 32}, c.Requests()); diff != "" {
		t.Errorf("Requests (-want +got):\n%s", diff)
	}
}

func TestASessionThatIsOverIsOpenedOnceMore(t *testing.T) {
	for _, c := range []struct {
		name  string
		first http.HandlerFunc
	}{
		{"401 as text", nil},
		{"419", func(w http.ResponseWriter, _ *http.Request) {
			http.SetCookie(w, &http.Cookie{Name: "avi-sessionid", Value: "another"})
			tell(w, 419, `{"error": "Need to switch session"}`)
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := newFake(t)
			ctl, _ := client(t, nil, f)
			if _, err := ctl.Session(t.Context()); err != nil {
				t.Fatal(err)
			}
			if c.first == nil {
				f.expire()
			} else {
				f.times(1, "/api/pool", c.first)
			}
			f.called()
			if _, err := ctl.Create(t.Context(), tenant, "pool", "pool-1", Object{"name": "p"}); err != nil {
				t.Fatal(err)
			}
			want := []string{"POST /api/pool", "POST /login", "POST /api/pool"}
			if diff := cmp.Diff(want, f.called()); diff != "" {
				t.Errorf("calls (-want +got):\n%s", diff)
			}
		})
	}
}

func TestManyWhoseSessionIsOverNeedOneLogin(t *testing.T) {
	f := newFake(t)
	c, _ := client(t, nil, f)
	for range 5 {
		f.expire()
		f.called()
		if errs := atOnce(32, func(int) error { return c.Delete(t.Context(), tenant, "pool", "p") }); len(errs) > 0 {
			t.Errorf("errors: %v", errs)
		}
		if n := f.logins(); n != 1 {
			t.Errorf("%d log-ins, want 1", n)
		}
	}
}

func TestThreeTriesAreEnough(t *testing.T) {
	f := newFake(t)
	c, _ := client(t, nil, f)
	f.times(100, "/api/pool/p", answering(419, `{"error": "Need to switch session"}`))
	_, err := c.Get(t.Context(), tenant, "pool", "p")
	want := &Error{Method: "GET", Path: "/api/pool/p", Status: 419, Text: "Need to switch session"}
	if diff := cmp.Diff(error(want), err); diff != "" {
		t.Errorf("error (-want +got):\n%s", diff)
	}
	if n := count(f.called(), "GET /api/pool/p"); n != 3 {
		t.Errorf("%d tries, want 3", n)
	}
}

func TestWrongCredentialsAreNotTriedAgainAndAgain(t *testing.T) {
	f := newFake(t)
	c, j := client(t, func(c *Config) { c.Password = "wrong-password" }, f)
	for range 3 {
		errs := atOnce(10, func(int) error { _, err := c.Session(t.Context()); return err })
		for _, err := range errs {
			if !Denied(err) || Refused(err) || Unreachable(err) {
				t.Errorf("Session: %v, denied %v, refused %v, unreachable %v", err, Denied(err), Refused(err), Unreachable(err))
			}
		}
		if len(errs) != 10 {
			t.Errorf("%d errors, want 10", len(errs))
		}
	}
	if n := f.logins(); n != 1 {
		t.Errorf("%d log-ins, want 1", n)
	}
	if strings.Contains(j.String(), "wrong-password") {
		t.Errorf("the log has the password:\n%s", j)
	}
	c.mu.Lock()
	c.cfg.Password, c.denial.until = "avi12345", time.Time{}
	c.mu.Unlock()
	if _, err := c.Session(t.Context()); err != nil {
		t.Errorf("Session once the user is let in: %v", err)
	}
}

func TestTheSessionsCookieHasManyNames(t *testing.T) {
	hello := `{"session_cookie_name": %q, "version": {"Version": "18.2.4"}}`
	for _, c := range []struct {
		name, said string
		set        map[string]string
		want       string
		err        string
	}{
		{"bad: none", "", map[string]string{"csrftoken": "t"}, "", "opened no session"},
		{"bad: None", "", map[string]string{"sessionid": "None"}, "", "opened no session"},
		{"said", "sid-of-late", map[string]string{"sid-of-late": "a", "sessionid": "b", "avi-sessionid": "c"}, "a", ""},
		{"both", "avi-sessionid", map[string]string{"sessionid": "b", "avi-sessionid": "c"}, "c", ""},
		{"not said", "", map[string]string{"sessionid": "b"}, "b", ""},
		{"not said, and new", "", map[string]string{"avi-sessionid": "c"}, "c", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := newFake(t)
			ctl, _ := client(t, nil, f)
			got := ""
			f.on(func(w http.ResponseWriter, r *http.Request) bool {
				for name, value := range c.set {
					http.SetCookie(w, &http.Cookie{Name: name, Value: value})
				}
				if k, err := r.Cookie("avi-sessionid"); err == nil {
					got = k.Value
				}
				tell(w, 200, fmt.Sprintf(hello, c.said))
				return true
			})
			_, err := ctl.Get(t.Context(), tenant, "pool", "p")
			if c.err != "" {
				if err == nil || !strings.Contains(err.Error(), c.err) || !Unreachable(err) {
					t.Errorf("Get: %v, want one that is unreachable and says %q", err, c.err)
				}
				return
			}
			if err != nil || got != c.want {
				t.Errorf("Get: %v in session %q, want %q", err, got, c.want)
			}
		})
	}
}

func TestTheSessionGoesOnUnderTheIDThatAnswersSet(t *testing.T) {
	f := newFake(t)
	c, _ := client(t, nil, f)
	if _, err := c.Session(t.Context()); err != nil {
		t.Fatal(err)
	}
	var got []string
	next := "next"
	f.on(func(w http.ResponseWriter, r *http.Request) bool {
		k, _ := r.Cookie("avi-sessionid")
		got = append(got, k.Value)
		http.SetCookie(w, &http.Cookie{Name: "avi-sessionid", Value: next})
		tell(w, 200, "{}")
		next = "None"
		return true
	})
	for range 3 {
		if err := c.Call(t.Context(), tenant, "GET", "cluster/status", nil, nil, nil); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff([]string{"session-0", "next", "next"}, got); diff != "" {
		t.Errorf("sessions (-want +got):\n%s", diff)
	}
}

func TestATokenStandsForThePassword(t *testing.T) {
	f := newFake(t)
	c, _ := client(t, func(c *Config) { c.Password, c.Token = "", "avi12345" }, f)
	got, err := c.Session(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(Session{Address: f.address(), Version: "18.2.6"}, got); diff != "" {
		t.Errorf("Session (-want +got):\n%s", diff)
	}
}

func TestCloseLogsOut(t *testing.T) {
	f := newFake(t)
	c, _ := client(t, nil, f)
	if err := c.Close(); err != nil {
		t.Errorf("Close before anything: %v", err)
	}
	if _, err := c.Session(t.Context()); !errors.Is(err, errClosed) {
		t.Errorf("Session after Close: %v", err)
	}
	c, _ = client(t, nil, f)
	if _, err := c.Session(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := c.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
	if diff := cmp.Diff([]string{"POST /login", "POST /logout"}, f.called()); diff != "" {
		t.Errorf("calls (-want +got):\n%s", diff)
	}
	if err := c.Close(); err != nil {
		t.Errorf("Close again: %v", err)
	}
}

func TestCloseDoesNotWaitForALogin(t *testing.T) {
	f := newFake(t)
	f.on(func(w http.ResponseWriter, r *http.Request) bool { hang(w, r); return true })
	c, _ := client(t, nil, f)
	ended := make(chan error, 1)
	go func() { _, err := c.Session(context.Background()); ended <- err }()
	settle(t, func() bool { return f.logins() == 1 })
	if err := c.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
	if err := <-ended; !errors.Is(err, errClosed) {
		t.Errorf("Session during Close: %v", err)
	}
}
