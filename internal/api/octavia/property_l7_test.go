package octavia_test

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// l7Model is what the policies of two listeners should be after a sequence of requests.
type l7Model struct {
	c         *cloud
	listeners [2]string
	pool      string
	order     [2][]string    // ids of policies, by position
	rules     map[string]int // how many rules each policy has
	toPool    map[string]bool
}

// TestL7Sequences sends random requests and keeps a model beside: positions are dense and in the model's order at any time, and a
// pool can be deleted only when no policy redirects to it.
func TestL7Sequences(t *testing.T) {
	c := newL7Cloud(t)
	rapid.Check(t, func(rt *rapid.T) {
		lb := c.loadBalancer()
		m := &l7Model{c: c, listeners: [2]string{c.listener(lb, 80), c.listener(lb, 81)}, pool: c.pool(lb), rules: map[string]int{}, toPool: map[string]bool{}}
		rt.Repeat(map[string]func(*rapid.T){
			"":          m.check,
			"policy":    m.add,
			"move":      m.move,
			"no policy": m.drop,
			"rule":      m.addRule,
			"turn":      m.turn,
			"pool":      m.tryPool,
			"achieve":   func(*rapid.T) { c.achieve() },
		})
		c.must(204, "DELETE", "/loadbalancers/"+lb+"?cascade=true", nil)
		c.achieve()
		if left := c.must(200, "GET", "/l7policies", nil).body["l7policies"].([]any); len(left) != 0 {
			rt.Fatalf("%d policies are left", len(left))
		}
	})
}

// position draws a place and what it means in a list of n.
func position(rt *rapid.T, n int) (asked any, at int) {
	p := rapid.IntRange(0, n+2).Draw(rt, "position")
	if p == 0 {
		return nil, n
	}
	return p, min(p-1, n)
}

func (m *l7Model) some(rt *rapid.T) (listener int, id string) {
	listener = rapid.IntRange(0, 1).Draw(rt, "listener")
	if len(m.order[listener]) == 0 {
		return listener, ""
	}
	return listener, m.order[listener][rapid.IntRange(0, len(m.order[listener])-1).Draw(rt, "policy")]
}

func (m *l7Model) add(rt *rapid.T) {
	l := rapid.IntRange(0, 1).Draw(rt, "listener")
	asked, at := position(rt, len(m.order[l]))
	id := m.c.l7Policy(m.listeners[l], object{"position": asked})
	m.order[l] = slices.Insert(m.order[l], at, id)
	m.rules[id] = 0
}

func (m *l7Model) move(rt *rapid.T) {
	l, id := m.some(rt)
	if id == "" {
		return
	}
	asked, at := position(rt, len(m.order[l])-1)
	m.c.put("/l7policies/"+id, "l7policy", object{"position": asked})
	if asked == nil {
		return
	}
	m.order[l] = slices.DeleteFunc(m.order[l], func(o string) bool { return o == id })
	m.order[l] = slices.Insert(m.order[l], at, id)
}

func (m *l7Model) drop(rt *rapid.T) {
	l, id := m.some(rt)
	if id == "" {
		return
	}
	m.c.must(204, "DELETE", "/l7policies/"+id, nil)
	m.order[l] = slices.DeleteFunc(m.order[l], func(o string) bool { return o == id })
	delete(m.rules, id)
	delete(m.toPool, id)
}

func (m *l7Model) addRule(rt *rapid.T) {
	if _, id := m.some(rt); id != "" {
		m.c.l7Rule(id)
		m.rules[id]++
	}
}

// turn makes a policy redirect to the pool, or no longer.
func (m *l7Model) turn(rt *rapid.T) {
	_, id := m.some(rt)
	if id == "" {
		return
	}
	body := object{"action": "REJECT"}
	if m.toPool[id] = !m.toPool[id]; m.toPool[id] {
		body = object{"redirect_pool_id": m.pool}
	}
	m.c.put("/l7policies/"+id, "l7policy", body)
}

// tryPool deletes the pool, which only a policy that redirects there can prevent, and makes another one.
func (m *l7Model) tryPool(rt *rapid.T) {
	want := http.StatusNoContent
	for _, redirects := range m.toPool {
		if redirects {
			want = http.StatusConflict
		}
	}
	a := m.c.do(http.MethodDelete, root+"/pools/"+m.pool, nil)
	if a.code != want {
		rt.Fatalf("DELETE pool: %d %s, want %d", a.code, a.raw, want)
	}
	if want == http.StatusNoContent {
		lb := m.c.show("/listeners/"+m.listeners[0], "listener")["loadbalancers"].([]any)[0].(object)["id"].(string)
		m.pool = m.c.pool(lb)
	}
}

func (m *l7Model) check(rt *rapid.T) {
	for l, listener := range m.listeners {
		var got []string
		for _, p := range m.c.must(200, "GET", "/l7policies?sort=position&listener_id="+listener, nil).body["l7policies"].([]any) {
			p := p.(object)
			if p["provisioning_status"] == "PENDING_DELETE" {
				continue
			}
			got = append(got, p["id"].(string))
			want := fmt.Sprint(len(got), " ", m.rules[p["id"].(string)], " ", m.toPool[p["id"].(string)])
			if is := fmt.Sprint(p["position"], " ", len(p["rules"].([]any)), " ", p["action"] == "REDIRECT_TO_POOL"); is != want {
				rt.Fatalf("policy %v: position, rules and pool are %s, want %s", p["id"], is, want)
			}
		}
		if diff := cmp.Diff(append([]string{}, m.order[l]...), append([]string{}, got...)); diff != "" {
			rt.Fatalf("policies of listener %d (-want +got):\n%s", l, diff)
		}
	}
	used := slices.ContainsFunc(slices.Collect(maps.Keys(m.toPool)), func(id string) bool { return m.toPool[id] && m.rules[id] > 0 })
	if got := len(m.c.show("/pools/"+m.pool, "pool")["listeners"].([]any)) > 0; got != used {
		rt.Fatalf("the pool is used: %t, want %t", got, used)
	}
}
