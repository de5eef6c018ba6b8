package octavia_test

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// model is what a load balancer's tree should be after a sequence of requests.
type model struct {
	c         *cloud
	lb        string
	listeners map[string]*listenerModel
	pools     map[string]*poolModel
}

type listenerModel struct {
	port int
	pool string
}

type poolModel struct {
	members map[string]int // id → port
	monitor string
}

// TestSequences sends random requests and keeps a model beside: answers agree with it, and so does the tree, at any time
// and whatever has been achieved meanwhile.
func TestSequences(t *testing.T) {
	c := newCloud(t)
	rapid.Check(t, func(rt *rapid.T) {
		m := &model{c: c, lb: c.loadBalancer(), listeners: map[string]*listenerModel{}, pools: map[string]*poolModel{}}
		rt.Repeat(map[string]func(*rapid.T){
			"":              m.checkTree,
			"look":          m.check,
			"listener":      m.addListener,
			"move listener": m.moveListener,
			"no listener":   m.dropListener,
			"pool":          m.addPool,
			"touch pool":    m.touchPool,
			"no pool":       m.dropPool,
			"member":        m.addMember,
			"no member":     m.dropMember,
			"members":       m.replaceMembers,
			"monitor":       m.toggleMonitor,
			"achieve":       func(*rapid.T) { c.achieve() },
		})
		m.check(rt)
		c.must(204, "DELETE", "/loadbalancers/"+m.lb+"?cascade=true", nil)
		c.achieve()
		for _, path := range []string{"/loadbalancers", "/listeners", "/pools", "/healthmonitors"} {
			if left := c.must(200, "GET", path, nil).body[path[1:]].([]any); len(left) != 0 {
				rt.Fatalf("%d %s are left", len(left), path)
			}
		}
		if n := m.memberRows(); n != 0 {
			rt.Fatalf("%d members are left", n)
		}
	})
}

// memberRows counts the members of pools that are gone: their lists answer 404.
func (m *model) memberRows() int {
	n := 0
	for id := range m.pools {
		if a := m.c.do(http.MethodGet, root+"/pools/"+id+"/members", nil); a.code != http.StatusNotFound {
			n++
		}
	}
	return n
}

// pick draws one key of a map; "" where there is none.
func pick[V any](rt *rapid.T, name string, from map[string]V) string {
	keys := slices.Sorted(maps.Keys(from))
	if len(keys) == 0 {
		return ""
	}
	// keys are random ids: draw by place, so that rapid can shrink
	return keys[rapid.IntRange(0, len(keys)-1).Draw(rt, name)]
}

func (m *model) poolOrNone(rt *rapid.T) string {
	if rapid.Bool().Draw(rt, "none") {
		return ""
	}
	return pick(rt, "pool", m.pools)
}

func orNil(id string) any {
	if id == "" {
		return nil
	}
	return id
}

func (m *model) addListener(rt *rapid.T) {
	l := &listenerModel{rapid.IntRange(80, 84).Draw(rt, "port"), m.poolOrNone(rt)}
	want := http.StatusCreated
	for _, o := range m.listeners {
		if o.port == l.port {
			want = http.StatusConflict
		}
	}
	a := m.c.do(http.MethodPost, root+"/listeners", object{"listener": object{
		"loadbalancer_id": m.lb, "protocol": "HTTP", "protocol_port": l.port, "default_pool_id": orNil(l.pool),
	}})
	if a.code != want {
		rt.Fatalf("POST listener: %d %s, want %d", a.code, a.raw, want)
	}
	if want == http.StatusCreated {
		m.listeners[a.body["listener"].(object)["id"].(string)] = l
	}
}

func (m *model) moveListener(rt *rapid.T) {
	id := pick(rt, "listener", m.listeners)
	if id == "" {
		return
	}
	m.listeners[id].pool = m.poolOrNone(rt)
	m.c.put("/listeners/"+id, "listener", object{"default_pool_id": orNil(m.listeners[id].pool)})
}

func (m *model) dropListener(rt *rapid.T) {
	if id := pick(rt, "listener", m.listeners); id != "" {
		m.c.must(204, "DELETE", "/listeners/"+id, nil)
		delete(m.listeners, id)
	}
}

func (m *model) addPool(rt *rapid.T) {
	body := object{"loadbalancer_id": m.lb, "protocol": "HTTP", "lb_algorithm": "ROUND_ROBIN"}
	listener := ""
	if rapid.Bool().Draw(rt, "of a listener") {
		if listener = pick(rt, "listener", m.listeners); listener != "" {
			body["listener_id"] = listener
		}
	}
	want := http.StatusCreated
	if listener != "" && m.listeners[listener].pool != "" {
		want = http.StatusConflict
	}
	a := m.c.do(http.MethodPost, root+"/pools", object{"pool": body})
	if a.code != want {
		rt.Fatalf("POST pool: %d %s, want %d", a.code, a.raw, want)
	}
	if want != http.StatusCreated {
		return
	}
	id := a.body["pool"].(object)["id"].(string)
	m.pools[id] = &poolModel{members: map[string]int{}}
	if listener != "" {
		m.listeners[listener].pool = id
	}
}

func (m *model) touchPool(rt *rapid.T) {
	if id := pick(rt, "pool", m.pools); id != "" {
		m.c.put("/pools/"+id, "pool", object{"name": "touched"})
	}
}

func (m *model) dropPool(rt *rapid.T) {
	id := pick(rt, "pool", m.pools)
	if id == "" {
		return
	}
	m.c.must(204, "DELETE", "/pools/"+id, nil)
	delete(m.pools, id)
	for _, l := range m.listeners {
		if l.pool == id {
			l.pool = ""
		}
	}
}

func (m *model) addMember(rt *rapid.T) {
	id := pick(rt, "pool", m.pools)
	if id == "" {
		return
	}
	port := rapid.IntRange(1, 4).Draw(rt, "port")
	want := http.StatusCreated
	for _, p := range m.pools[id].members {
		if p == port {
			want = http.StatusConflict
		}
	}
	a := m.c.do(http.MethodPost, root+"/pools/"+id+"/members", object{"member": object{"address": "10.0.0.9", "protocol_port": port}})
	if a.code != want {
		rt.Fatalf("POST member: %d %s, want %d", a.code, a.raw, want)
	}
	if want == http.StatusCreated {
		m.pools[id].members[a.body["member"].(object)["id"].(string)] = port
	}
}

func (m *model) dropMember(rt *rapid.T) {
	pool := pick(rt, "pool", m.pools)
	if pool == "" {
		return
	}
	if id := pick(rt, "member", m.pools[pool].members); id != "" {
		m.c.must(204, "DELETE", "/pools/"+pool+"/members/"+id, nil)
		delete(m.pools[pool].members, id)
	}
}

func (m *model) replaceMembers(rt *rapid.T) {
	pool := pick(rt, "pool", m.pools)
	if pool == "" {
		return
	}
	ports := rapid.SliceOfNDistinct(rapid.IntRange(1, 4), 0, 4, rapid.ID).Draw(rt, "ports")
	members := []object{}
	for _, port := range ports {
		members = append(members, object{"address": "10.0.0.9", "protocol_port": port})
	}
	m.c.must(202, "PUT", "/pools/"+pool+"/members", object{"members": members})
	was := m.pools[pool].members
	now := m.liveMembers(pool)
	if got, want := slices.Sorted(maps.Values(now)), slices.Sorted(slices.Values(ports)); !slices.Equal(got, want) {
		rt.Fatalf("after PUT members the ports are %v, want %v", got, want)
	}
	for id, port := range was {
		if slices.Contains(ports, port) && now[id] != port {
			rt.Fatalf("the member on port %d did not keep its id", port)
		}
	}
	m.pools[pool].members = now
}

func (m *model) toggleMonitor(rt *rapid.T) {
	id := pick(rt, "pool", m.pools)
	if id == "" {
		return
	}
	p := m.pools[id]
	if p.monitor != "" {
		m.c.must(204, "DELETE", "/healthmonitors/"+p.monitor, nil)
		p.monitor = ""
		return
	}
	p.monitor = m.c.make("/healthmonitors", "healthmonitor", object{"pool_id": id, "type": "TCP", "delay": 5, "timeout": 3, "max_retries": 2})["id"].(string)
}

// live are the objects of an answer that are not going away.
func live(items []any) []object {
	var out []object
	for _, item := range items {
		if o := item.(object); o["provisioning_status"] != "PENDING_DELETE" {
			out = append(out, o)
		}
	}
	return out
}

func (m *model) liveMembers(pool string) map[string]int {
	members := map[string]int{}
	for _, o := range live(m.c.must(200, "GET", "/pools/"+pool+"/members", nil).body["members"].([]any)) {
		members[o["id"].(string)] = int(o["protocol_port"].(float64))
	}
	return members
}

// check compares what the API shows with the model.
func (m *model) check(rt *rapid.T) {
	listeners := live(m.c.must(200, "GET", "/listeners?loadbalancer_id="+m.lb, nil).body["listeners"].([]any))
	if len(listeners) != len(m.listeners) {
		rt.Fatalf("%d listeners, want %d", len(listeners), len(m.listeners))
	}
	for _, o := range listeners {
		l := m.listeners[o["id"].(string)]
		if l == nil || int(o["protocol_port"].(float64)) != l.port || o["default_pool_id"] != orNil(l.pool) {
			rt.Fatalf("listener %v, want %+v", o, l)
		}
	}
	pools := live(m.c.must(200, "GET", "/pools?loadbalancer_id="+m.lb, nil).body["pools"].([]any))
	if len(pools) != len(m.pools) {
		rt.Fatalf("%d pools, want %d", len(pools), len(m.pools))
	}
	for _, o := range pools {
		m.checkPool(rt, o)
	}
}

func (m *model) checkPool(rt *rapid.T, o object) {
	id := o["id"].(string)
	p := m.pools[id]
	if p == nil {
		rt.Fatalf("there should be no pool %s", id)
	}
	if monitor, _ := o["healthmonitor_id"].(string); p.monitor != "" && monitor != p.monitor {
		rt.Fatalf("pool %s has monitor %q, want %q", id, monitor, p.monitor)
	}
	if got := m.liveMembers(id); !maps.Equal(got, p.members) {
		rt.Fatalf("pool %s has members %v, want %v", id, got, p.members)
	}
	var users []string
	for listener, l := range m.listeners {
		if l.pool == id {
			users = append(users, listener)
		}
	}
	slices.Sort(users)
	var shown []string
	for _, ref := range o["listeners"].([]any) {
		if listener := ref.(object)["id"].(string); m.listeners[listener] != nil {
			shown = append(shown, listener)
		}
	}
	slices.Sort(shown)
	if !slices.Equal(users, shown) {
		rt.Fatalf("pool %s is used by %v, want %v", id, shown, users)
	}
}

// checkTree compares the tree that the loop is given.
func (m *model) checkTree(rt *rapid.T) {
	lb, err := m.c.store.Tree(m.c.t.Context(), m.lb)
	if err != nil {
		rt.Fatal(err)
	}
	got, want := []string{}, []string{"lb"}
	for _, part := range lb.Parts() {
		name := fmt.Sprint(part.Noun(), part.Base().ID)
		if part.Base().ID == m.lb {
			name = "lb"
		}
		if part.Base().Progress.Generation > lb.Progress.Generation {
			rt.Fatalf("%s is of generation %d, the load balancer of %d", name, part.Base().Progress.Generation, lb.Progress.Generation)
		}
		got = append(got, name)
	}
	for id := range m.listeners {
		want = append(want, "Listener"+id)
	}
	for id, p := range m.pools {
		want = append(want, "Pool"+id)
		for member := range p.members {
			want = append(want, "Member"+member)
		}
		if p.monitor != "" {
			want = append(want, "Health Monitor"+p.monitor)
		}
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		rt.Fatalf("the tree is %v, want %v", got, want)
	}
}
