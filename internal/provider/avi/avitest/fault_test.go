package avitest

import (
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestFaultsAnswer(t *testing.T) {
	s := Start(t, Options{})
	for name, test := range map[string]struct {
		fault  Fault
		status int
		text   string
		done   bool
	}{
		"unauthorized":       {Fault{Kind: Unauthorized}, http.StatusUnauthorized, "credentials", false},
		"switch session":     {Fault{Kind: SwitchSession}, 419, "Need to switch session", false},
		"stale":              {Fault{Kind: Stale}, http.StatusPreconditionFailed, "", false},
		"server error":       {Fault{Kind: ServerError}, http.StatusInternalServerError, "", false},
		"bad gateway":        {Fault{Kind: ServerError, Status: http.StatusBadGateway}, http.StatusBadGateway, "", false},
		"unavailable":        {Fault{Kind: Unavailable}, http.StatusServiceUnavailable, "", false},
		"refuse":             {Fault{Kind: Refuse, Text: "No available free IPs"}, http.StatusBadRequest, "No available free IPs", false},
		"refuse with status": {Fault{Kind: Refuse, Status: http.StatusForbidden, Text: "no right"}, http.StatusForbidden, "no right", false},
		"slow":               {Fault{Kind: Slow, Delay: time.Millisecond}, http.StatusCreated, "", true},
	} {
		u := loggedIn(t, s)
		test.fault.Match = func(method, _ string, body map[string]any) bool {
			return method == http.MethodPost && body["name"] == name
		}
		in := s.Inject(test.fault)
		got := u.do(http.MethodPost, "/api/pool", map[string]any{"name": name})
		if got.status != test.status || !strings.Contains(got.text, test.text) {
			t.Errorf("%s: POST answers %d %s", name, got.status, got.text)
		}
		if made := named(s, name); made != test.done {
			t.Errorf("%s: made is %t, want %t", name, made, test.done)
		}
		if in.Hits() != 1 {
			t.Errorf("%s: %d hits", name, in.Hits())
		}
	}
}

func named(s *Server, name string) bool {
	for _, o := range s.Objects("*", "pool") {
		if o["name"] == name {
			return true
		}
	}
	return false
}

func TestFaultsAreSlow(t *testing.T) {
	s := Start(t, Options{})
	u := loggedIn(t, s)
	const delay = 30 * time.Millisecond
	s.Inject(Fault{Kind: Slow, Delay: delay})
	before := time.Now()
	u.must(http.MethodGet, "/api/pool", nil)
	if took := time.Since(before); took < delay { // it may take any longer
		t.Errorf("an answer that takes %v came after %v", delay, took)
	}
}

func TestFaultsEndTheSession(t *testing.T) {
	s := Start(t, Options{})
	for _, kind := range []Kind{Unauthorized, SwitchSession} {
		u := loggedIn(t, s)
		s.Inject(Fault{Kind: kind})
		u.do(http.MethodGet, "/api/pool", nil)
		if got := u.do(http.MethodGet, "/api/pool", nil); got.status != http.StatusUnauthorized {
			t.Errorf("after fault %d GET answers %d", kind, got.status)
		}
	}
}

func TestFaultsCutTheConnection(t *testing.T) {
	s := Start(t, Options{})
	for name, test := range map[string]struct {
		kind Kind
		done bool
	}{"before": {CutBefore, false}, "after": {CutAfterWrite, true}, "within": {CutWithin, true}} {
		u := loggedIn(t, s)
		s.Inject(Fault{Kind: test.kind})
		if got, err := u.try(http.MethodPost, "/api/pool", map[string]any{"name": name}); err == nil {
			t.Errorf("cut %s: POST answers %d %s", name, got.status, got.text)
		}
		if made := named(s, name); made != test.done {
			t.Errorf("cut %s: made is %t, want %t", name, made, test.done)
		}
		u.must(http.MethodGet, "/api/pool", nil)
	}
}

func TestFaultsCount(t *testing.T) {
	s := Start(t, Options{})
	u := loggedIn(t, s)
	statuses := func(n int) []int {
		var got []int
		for range n {
			got = append(got, u.do(http.MethodGet, "/api/pool", nil).status)
		}
		return got
	}
	s.Inject(Fault{Kind: ServerError, Skip: 1, Times: 2})
	if diff := cmp.Diff([]int{200, 500, 500, 200}, statuses(4)); diff != "" {
		t.Errorf("two failures after one (-want +got):\n%s", diff)
	}
	in := s.Inject(Fault{Kind: ServerError, Times: -1})
	if diff := cmp.Diff([]int{500, 500, 500}, statuses(3)); diff != "" {
		t.Errorf("all fail (-want +got):\n%s", diff)
	}
	in.Cancel()
	s.Inject(Fault{Kind: ServerError, Times: -1})
	s.ClearFaults()
	if diff := cmp.Diff([]int{200}, statuses(1)); diff != "" {
		t.Errorf("no fault is left (-want +got):\n%s", diff)
	}
}

func TestFailEvery(t *testing.T) {
	s := Start(t, Options{FailEvery: 2})
	var got []int // 0: no answer
	for range 2 * len(turns) {
		told, err := loggedIn(t, s).try(http.MethodPut, "/api/pool/pool-none", map[string]any{"name": "p"})
		if err != nil {
			told.status = 0
		}
		got = append(got, told.status)
	}
	want := []int{404, 500, 404, 401, 404, 0, 404, 419, 404, 503, 404, 0, 404, 412, 404, 0}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("each second request fails (-want +got):\n%s", diff)
	}
}

func TestDown(t *testing.T) {
	s := Start(t, Options{})
	u := loggedIn(t, s)
	u.must(http.MethodGet, "/api/pool", nil)
	s.Down(true)
	if got, err := u.try(http.MethodGet, "/api/pool", nil); err == nil {
		t.Errorf("a controller that is down answers %d", got.status)
	}
	s.Down(false)
	u.must(http.MethodGet, "/api/pool", nil)
}

func TestMute(t *testing.T) {
	s := Start(t, Options{})
	u := loggedIn(t, s)
	s.Mute(true)
	answered := make(chan told, 1)
	var both sync.WaitGroup
	both.Go(func() {
		got, err := u.try(http.MethodGet, "/api/pool", nil)
		if err != nil {
			t.Errorf("the request that waited: %v", err)
		}
		answered <- got
	})
	select {
	case got := <-answered:
		t.Errorf("a mute controller answers %d", got.status)
	case <-time.After(20 * time.Millisecond): // at least: what it says holds for any time
	}
	s.Mute(false)
	both.Wait()
}

func TestCallsAreCounted(t *testing.T) {
	s := Start(t, Options{})
	u := loggedIn(t, s)
	s.ResetCalls()
	u.login(s.User, s.Password)
	u.do(http.MethodGet, "/api/pool?name=x", nil)
	s.Inject(Fault{Kind: CutBefore})
	if _, err := u.try(http.MethodDelete, "/api/pool/pool-1", nil); err == nil {
		t.Errorf("the cut does not cut")
	}
	want := []Call{
		{Method: http.MethodGet, Path: "/api/pool", Query: "name=x", Tenant: "admin", Status: http.StatusOK},
		{Method: http.MethodDelete, Path: "/api/pool/pool-1", Tenant: "admin"},
	}
	if diff := cmp.Diff(want, s.Calls()); diff != "" {
		t.Errorf("calls (-want +got):\n%s", diff)
	}
	if s.Logins() != 1 || s.MaxConnections() < 1 {
		t.Errorf("%d log-ins, %d connections", s.Logins(), s.MaxConnections())
	}
	if got := s.Calls()[0].String(); got != "GET /api/pool?name=x [admin] 200" {
		t.Errorf("a call prints as %s", got)
	}
}

func TestCallsAreForgotten(t *testing.T) {
	s := Start(t, Options{})
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL+"/api/pool", nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := range mostCalls + 1 {
		s.record(&request{Request: r}, i)
	}
	calls := s.Calls()
	if len(calls) != mostCalls/2+1 || calls[len(calls)-1].Status != mostCalls {
		t.Errorf("of %d calls %d are remembered", mostCalls+1, len(calls))
	}
}

func TestMaxConnections(t *testing.T) {
	s := Start(t, Options{})
	for range 3 {
		conn, err := net.Dial("tcp", s.Address)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
	}
	loggedIn(t, s)
	if got := s.MaxConnections(); got != 4 {
		t.Errorf("%d connections were open at the same time, want 4", got)
	}
}

// TestManyAtOnce is for the race detector.
func TestManyAtOnce(t *testing.T) {
	s := Start(t, Options{})
	var all sync.WaitGroup
	for range 8 {
		u := loggedIn(t, s)
		all.Go(func() {
			for range 5 {
				got := u.do(http.MethodPost, "/api/pool", map[string]any{"name": random()})
				u.do(http.MethodGet, "/api/pool-inventory", nil)
				s.SetServer("p", "1.2.3.4:80", OperDown)
				s.Calls()
				if got.status != http.StatusCreated {
					t.Errorf("POST answers %d %s", got.status, got.text)
				}
			}
		})
	}
	all.Wait()
	if got := len(s.Objects("*", "pool")); got != 40 {
		t.Errorf("there are %d pools, want 40", got)
	}
}
