package e2e

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"plimsoll/test/harness"
)

// limit gives a listener a rate-limit policy with rules, and returns the paths of the rules.
func (s *site) limit(t *testing.T, listener, action string, rules ...object) (paths []string) {
	t.Helper()
	policy := s.create(t, "/ratelimitpolicies", "ratelimitpolicy", object{"listener_id": listener, "action": action})
	for _, r := range rules {
		path := "/ratelimitpolicies/" + policy + "/rules"
		paths = append(paths, path+"/"+s.create(t, path, "rule", r))
	}
	s.WaitActive(t, s.lb.ID)
	return paths
}

func times(n int, code string) []string { return slices.Repeat([]string{code}, n) }

// sees compares the codes of so many requests.
func sees(t *testing.T, what string, n *harness.Node, address, path string, want []string) {
	t.Helper()
	if diff := cmp.Diff(want, codes(n, address, path, len(want))); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

// TestRateLimitRequests limits the requests of each client, changes the threshold at run time, and reloads.
func TestRateLimitRequests(t *testing.T) {
	t.Parallel()
	s := newSite(t, 1, harness.Tree{})
	other := s.Plug(t, s.net)
	rule := s.limit(t, s.lb.ListenerID, "DENY", object{"metric": "REQUESTS", "threshold": 5, "interval": 3600})[0]
	sees(t, "5 in an hour", s.client, s.lb.Address, "/", append(times(5, "200"), times(3, "429")...))
	sees(t, "another client", other, s.lb.Address, "/", times(5, "200"))

	pid := s.pid(t)
	s.alter(t, rule, "rule", object{"threshold": 10})
	sees(t, "10 in an hour, of which 8 were before", s.client, s.lb.Address, "/", append(times(2, "200"), "429"))
	if now := s.pid(t); now != pid {
		t.Errorf("a threshold costs a reload: process %s became %s", pid, now)
	}

	s.settles(t)
	s.reload(t, 81)
	s.has(t, "tables/"+s.lb.ListenerID+"-clients-3600")
	sees(t, "after a reload", s.client, s.lb.Address, "/", times(1, "429"))
	sees(t, "another client after a reload", other, s.lb.Address, "/", times(5, "200"))
	policy, _, _ := strings.Cut(rule, "/rules/")
	s.alter(t, policy, "ratelimitpolicy", object{"enabled": false})
	sees(t, "a policy that is switched off", s.client, s.lb.Address, "/", times(12, "200"))
}

// TestRateLimitURLs counts each of some paths by itself.
func TestRateLimitURLs(t *testing.T) {
	t.Parallel()
	s := newSite(t, 1, harness.Tree{})
	rule := s.limit(t, s.lb.ListenerID, "DENY", object{"metric": "REQUESTS_PER_URL", "threshold": 2, "interval": 3600, "urls": []string{"/login", "/a'b"}})[0]
	limited := append(times(2, "200"), "429")
	sees(t, "a path", s.client, s.lb.Address, "/login", limited)
	sees(t, "a path with a query", s.client, s.lb.Address, "/login?again", times(1, "429"))
	sees(t, "a path in another spelling", s.client, s.lb.Address, "/a'b", limited)
	sees(t, "what is not limited", s.client, s.lb.Address, "/loginx", times(4, "200"))
	pid := s.pid(t)
	s.alter(t, rule, "rule", object{"urls": []string{"/other"}})
	sees(t, "a path that is not limited any more", s.client, s.lb.Address, "/login", times(1, "200"))
	sees(t, "a path that has come to be limited", s.client, s.lb.Address, "/other", limited)
	if now := s.pid(t); now != pid {
		t.Errorf("a URL costs a reload: process %s became %s", pid, now)
	}
}

// TestRateLimitActions closes connections, and limits only who breaks all rules of any policy.
func TestRateLimitActions(t *testing.T) {
	t.Parallel()
	s := newSite(t, 1, harness.Tree{})
	requests := func(n int) object { return object{"metric": "REQUESTS", "threshold": n, "interval": 3600} }
	for i, action := range []string{"REJECT", "SILENT_DROP"} {
		l := s.listen(t, 81+i, nil)
		s.limit(t, l, action, requests(1), object{"metric": "REQUESTS_PER_URL", "threshold": 1, "interval": 3600, "urls": []string{"/both"}})
		s.limit(t, l, "DENY", requests(6))
		address := harness.JoinPort(s.lb.VIP, 81+i)
		sees(t, action+": one rule of two is broken", s.client, address, "/", times(3, "200"))
		sees(t, action+": both are", s.client, address, "/both", []string{"200", "none", "none"})
		sees(t, action+": another policy", s.client, address, "/", times(2, "429"))
	}
}

// TestRateLimitKBytes counts bytes, of requests with their answers and of connections.
func TestRateLimitKBytes(t *testing.T) {
	t.Parallel()
	s := prepare(t, 0)
	s.webs = append(s.webs, s.serveBlocks(t))
	s.lb = s.BuildTree(t, s.net, harness.Tree{Members: s.webs})
	kbytes := object{"metric": "KBYTES", "threshold": 200, "interval": 3600}
	s.limit(t, s.lb.ListenerID, "DENY", kbytes)
	tcp := s.create(t, "/listeners", "listener", object{
		"loadbalancer_id": s.lb.ID, "protocol": "TCP", "protocol_port": 81, "default_pool_id": s.lb.PoolID,
	})
	s.limit(t, tcp, "REJECT", kbytes)
	limited := map[string]string{s.lb.Address: "429", harness.JoinPort(s.lb.VIP, 81): "none"}
	for address, code := range limited {
		sees(t, "100 kB each at "+address, s.client, address, "/", times(2, "200"))
		// HAProxy counts the end of a connection when it closes it, which may be a moment after the client has all of it.
		for try := 0; codes(s.client, address, "/", 1)[0] == "200"; try++ {
			if try == 3 {
				t.Fatalf("%s is not limited after 600 kB", address)
			}
			time.Sleep(100 * time.Millisecond)
		}
		sees(t, "once it is limited, "+address, s.client, address, "/", times(2, code))
	}
}

// serveBlocks serves 100 kB and something to every request.
func (s *site) serveBlocks(t *testing.T) *harness.Web {
	t.Helper()
	n := s.Plug(t, s.net)
	serve(t, n, func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(strings.Repeat("x", 100_000))) })
	return &harness.Web{Node: n, Name: "blocks", Port: 8080}
}
