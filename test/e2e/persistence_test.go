package e2e

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"plimsoll/test/harness"
)

// keepSite is a site of three members behind a pool with session persistence. Each member gives its own session cookie at /login.
func keepSite(t *testing.T, protocol string, persistence object) *site {
	t.Helper()
	s := prepare(t, 0)
	for i := range 3 {
		s.webs = append(s.webs, s.serveSessions(t, fmt.Sprintf("m%d", i+1)))
	}
	s.lb = s.BuildTree(t, s.net, harness.Tree{Protocol: protocol, Members: s.webs})
	s.alter(t, "/pools/"+s.lb.PoolID, "pool", object{"session_persistence": persistence})
	return s
}

// serveSessions serves a name, and at /login a session that is twice as long as the usual ones and begins as the others' do.
func (s *site) serveSessions(t *testing.T, name string) *harness.Web {
	t.Helper()
	n := s.Plug(t, s.net)
	serve(t, n, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/login" {
			w.Header().Set("Set-Cookie", fmt.Sprintf("S'ID=%0128d-%s; Path=/", 0, name))
		}
		_, _ = fmt.Fprint(w, name)
	})
	return &harness.Web{Node: n, Name: name, Port: 8080}
}

// who returns the member that answers.
func who(t *testing.T, n *harness.Node, address, path string, headers ...string) answer {
	t.Helper()
	a, err := request(n, address, path, headers...)
	if err != nil || a.Code != 200 {
		t.Fatalf("GET %s: %d, %v", path, a.Code, err)
	}
	return a
}

// stays asks several times and reports any answer of another member.
func stays(t *testing.T, what string, n *harness.Node, address, member string, headers ...string) {
	t.Helper()
	for range 7 {
		if a := who(t, n, address, "/", headers...); a.Body != member {
			t.Errorf("%s: %s answers, not %s", what, a.Body, member)
		}
	}
}

// spread asks until so many members have answered.
func spread(t *testing.T, n *harness.Node, address string, members int) {
	t.Helper()
	seen := map[string]bool{}
	for range 100 {
		if seen[who(t, n, address, "/").Body] = true; len(seen) == members {
			return
		}
	}
	t.Errorf("only %v answer", seen)
}

// TestPersistenceSourceIP keeps clients by their address, over reloads and other members.
func TestPersistenceSourceIP(t *testing.T) {
	for _, protocol := range []string{"HTTP", "TCP"} {
		t.Run(protocol, func(t *testing.T) {
			t.Parallel()
			s := keepSite(t, protocol, object{"type": "SOURCE_IP"})
			others := []*harness.Node{s.client, s.Plug(t, s.net), s.Plug(t, s.net)}
			members, seen := []string{}, map[string]bool{}
			for _, n := range others {
				first := who(t, n, s.lb.Address, "/").Body
				members, seen[first] = append(members, first), true
			}
			if len(seen) != 3 {
				t.Errorf("three clients are on %v", members)
			}
			check := func(what string) {
				t.Helper()
				for i, n := range others {
					stays(t, what, n, s.lb.Address, members[i])
				}
			}
			check("before")
			s.settles(t)
			pid := s.pid(t)
			fourth := s.serveSessions(t, "m4")
			if _, err := s.TryMember(t, s.lb, s.net, fourth); err != nil {
				t.Fatal(err)
			}
			s.WaitActive(t, s.lb.ID)
			check("with a fourth member")
			if now := s.pid(t); now != pid {
				t.Errorf("a member costs a reload: process %s became %s", pid, now)
			}
			s.reload(t, 81)
			s.has(t, s.lb.PoolID+":"+s.lb.ListenerID)
			check("after a reload")
			s.leaves(t, others[0], members[0])
		})
	}
}

// leaves drains a client's member, which it stays with, and then switches it off: the client goes to another one, for good.
func (s *site) leaves(t *testing.T, client *harness.Node, member string) {
	t.Helper()
	path := ""
	for i, w := range s.webs {
		if w.Name == member {
			path = "/pools/" + s.lb.PoolID + "/members/" + s.lb.MemberIDs[i]
		}
	}
	s.alter(t, path, "member", object{"weight": 0})
	stays(t, "a member that drains", client, s.lb.Address, member)
	s.alter(t, path, "member", object{"weight": 1, "admin_state_up": false})
	other := who(t, client, s.lb.Address, "/").Body
	if other == member {
		t.Errorf("%s answers, which is switched off", member)
	}
	s.alter(t, path, "member", object{"admin_state_up": true})
	stays(t, "a client that had to go", client, s.lb.Address, other)
}

// TestPersistenceAppCookie keeps sessions of the members' own making, over a reload.
func TestPersistenceAppCookie(t *testing.T) {
	t.Parallel()
	s := keepSite(t, "HTTP", object{"type": "APP_COOKIE", "cookie_name": "S'ID"})
	spread(t, s.client, s.lb.Address, 3)
	sessions := map[string]string{}
	for range 3 {
		a := who(t, s.client, s.lb.Address, "/login")
		sessions[a.Body] = fmt.Sprintf("S'ID=%0128d-%s", 0, a.Body)
	}
	if len(sessions) != 3 {
		t.Errorf("only %v gave sessions", sessions)
	}
	for member, cookie := range sessions {
		stays(t, "a session", s.client, s.lb.Address, member, "Cookie", "a=b; "+cookie)
	}
	s.settles(t)
	s.reload(t, 81)
	s.has(t, s.lb.PoolID+":"+s.lb.ListenerID)
	for member, cookie := range sessions {
		stays(t, "a session after a reload", s.client, s.lb.Address, member, "Cookie", cookie)
	}
}

// TestPersistenceHTTPCookie keeps clients by a cookie that the load balancer sets, over reloads, and lets them go where a member is
// taken away.
func TestPersistenceHTTPCookie(t *testing.T) {
	t.Parallel()
	s := keepSite(t, "HTTP", object{"type": "HTTP_COOKIE"})
	spread(t, s.client, s.lb.Address, 3)
	first := who(t, s.client, s.lb.Address, "/")
	cookies := (&http.Response{Header: first.header}).Cookies()
	if len(cookies) != 1 || cookies[0].Name != "SRV" {
		t.Fatalf("the cookies are %v", cookies)
	}
	cookie := "SRV=" + cookies[0].Value
	stays(t, "a cookie", s.client, s.lb.Address, first.Body, "Cookie", cookie)
	fourth := s.serveSessions(t, "m4")
	if _, err := s.TryMember(t, s.lb, s.net, fourth); err != nil {
		t.Fatal(err)
	}
	s.WaitActive(t, s.lb.ID)
	spread(t, s.client, s.lb.Address, 4)
	stays(t, "a cookie with a fourth member", s.client, s.lb.Address, first.Body, "Cookie", cookie)

	pid := s.pid(t)
	s.alter(t, "/pools/"+s.lb.PoolID+"/members/"+cookies[0].Value, "member", object{"weight": 7})
	stays(t, "a cookie with another weight", s.client, s.lb.Address, first.Body, "Cookie", cookie)
	s.alter(t, "/pools/"+s.lb.PoolID+"/members/"+cookies[0].Value, "member", object{"weight": 0})
	stays(t, "a cookie of a member that drains", s.client, s.lb.Address, first.Body, "Cookie", cookie)
	s.alter(t, "/pools/"+s.lb.PoolID+"/members/"+cookies[0].Value, "member", object{"admin_state_up": false})
	if a := who(t, s.client, s.lb.Address, "/", "Cookie", cookie); a.Body == first.Body {
		t.Errorf("%s answers, which is switched off", a.Body)
	}
	s.alter(t, "/pools/"+s.lb.PoolID+"/members/"+cookies[0].Value, "member", object{"admin_state_up": true})
	stays(t, "a cookie of a member that is back", s.client, s.lb.Address, first.Body, "Cookie", cookie)
	if now := s.pid(t); now != pid {
		t.Errorf("a weight or a state costs a reload: process %s became %s", pid, now)
	}
}

// TestSourceIPPort spreads the connections of one client; requests of a connection stay together.
func TestSourceIPPort(t *testing.T) {
	for _, protocol := range []string{"HTTP", "TCP"} {
		t.Run(protocol, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, 2, harness.Tree{Protocol: protocol})
			s.alter(t, "/pools/"+s.lb.PoolID, "pool", object{"lb_algorithm": "SOURCE_IP_PORT"})
			spread(t, s.client, s.lb.Address, 2)
			load := s.client.Load(t, harness.LoadOptions{Address: s.lb.Address, KeepAlive: true, Workers: 1, Requests: 50})
			harness.Eventually(t, 20*time.Second, func() error {
				if r := load.Report(); r.Answered+r.Failed < 50 {
					return fmt.Errorf("only %v", r)
				}
				return nil
			})
			if r := load.Stop(); r.Failed > 0 || len(r.By) != 1 {
				t.Errorf("one connection has %v", r)
			}
			pid := s.pid(t)
			third := s.newMember(t, "m3")
			if _, err := s.TryMember(t, s.lb, s.net, third); err != nil {
				t.Fatal(err)
			}
			s.WaitActive(t, s.lb.ID)
			spread(t, s.client, s.lb.Address, 3)
			if now := s.pid(t); now != pid {
				t.Errorf("a member costs a reload: process %s became %s", pid, now)
			}
		})
	}
}
