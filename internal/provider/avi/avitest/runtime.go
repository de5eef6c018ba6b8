package avitest

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// The operating states that the emulator tells of its own accord; SetVS and SetServer take any.
const (
	OperUp           = "OPER_UP"
	OperDown         = "OPER_DOWN"
	OperDisabled     = "OPER_DISABLED"
	OperCreating     = "OPER_CREATING"
	OperInitializing = "OPER_INITIALIZING"
	OperResources    = "OPER_RESOURCES" // it waits for a service engine
	OperSEProcessing = "OPER_SE_PROCESSING"
	OperUnused       = "OPER_UNUSED" // no virtual service uses the pool
)

// walk is what a virtual service goes through until it is up, in equal parts of the placement time.
var walk = []string{OperCreating, OperInitializing, OperResources, OperSEProcessing}

// runtime is what a test says of states and counters.
type runtime struct {
	mu      sync.Mutex
	vs      map[string]string
	servers map[string]map[string]string // by pool, and by ip:port
	metrics map[string]map[string]float64
}

func newRuntime() *runtime {
	return &runtime{vs: map[string]string{}, servers: map[string]map[string]string{}, metrics: map[string]map[string]float64{}}
}

// SetVS says in which state a virtual service is ("OPER_UP"); "" leaves that to the emulator again.
func (s *Server) SetVS(uuid, state string) {
	s.runtime.mu.Lock()
	defer s.runtime.mu.Unlock()
	s.runtime.vs[uuid] = state
}

// SetServer says in which state a pool's server is, named by "ip:port" ("[ip]:port" for IPv6, too); "" leaves that to the emulator again.
func (s *Server) SetServer(pool, server, state string) {
	s.runtime.mu.Lock()
	defer s.runtime.mu.Unlock()
	if s.runtime.servers[pool] == nil {
		s.runtime.servers[pool] = map[string]string{}
	}
	s.runtime.servers[pool][serverName(server)] = state
}

// serverName spells an address and port as the controller does: IPv6 has no brackets.
func serverName(server string) string { return strings.NewReplacer("[", "", "]", "").Replace(server) }

func (r *runtime) stateOfVS(uuid string) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.vs[uuid]
}

func (r *runtime) stateOfServer(pool, server string) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.servers[pool][server]
}

// operating is a state and why.
type operating struct{ state, reason string }

func (o operating) json(since time.Time) map[string]any {
	m := map[string]any{
		"state": o.state, "reason_code": 0, "reason_code_string": "SYSERR_SUCCESS",
		"last_changed_time": map[string]any{"secs": since.Unix(), "usecs": since.Nanosecond() / 1000},
	}
	if o.reason != "" {
		m["reason"] = []any{o.reason}
	}
	return m
}

// scene is all that states are judged by, at one moment.
type scene struct {
	server *Server
	vs     map[string]map[string]any
	pools  map[string]map[string]any
	vips   map[string]map[string]any
	users  map[string][]string // virtual services of each pool, through policy sets too
	used   map[string][]string // and the pools of each of them
}

func (s *Server) scene() *scene {
	all := scope{all: true}
	sc := &scene{
		server: s, vs: byUUID(s.model.list(all, "virtualservice")), pools: byUUID(s.model.list(all, "pool")),
		vips: byUUID(s.model.list(all, "vsvip")), users: map[string][]string{}, used: map[string][]string{},
	}
	policies := byUUID(s.model.list(all, "httppolicyset"))
	for uuid, vs := range sc.vs {
		sc.used[uuid] = poolsOf(vs, policies)
		for _, pool := range sc.used[uuid] {
			sc.users[pool] = append(sc.users[pool], uuid)
		}
	}
	for _, users := range sc.users {
		slices.Sort(users)
	}
	return sc
}

func byUUID(list []map[string]any) map[string]map[string]any {
	m := make(map[string]map[string]any, len(list))
	for _, o := range list {
		m[text(o, "uuid")] = o
	}
	return m
}

func text(o map[string]any, key string) string {
	t, _ := o[key].(string)
	return t
}

// enabled tells whether an object is; the controller assumes so where nothing is said.
func enabled(o map[string]any) bool {
	b, ok := o["enabled"].(bool)
	return b || !ok
}

// objectsIn reads a list of objects.
func objectsIn(o map[string]any, key string) []map[string]any {
	var found []map[string]any
	list, _ := o[key].([]any)
	for _, v := range list {
		if m, ok := v.(map[string]any); ok {
			found = append(found, m)
		}
	}
	return found
}

// lastPart is the UUID in a reference.
func lastPart(ref string) string {
	ref, _, _ = strings.Cut(ref, "#")
	return ref[strings.LastIndexByte(ref, '/')+1:]
}

// poolsOf are the pools that a virtual service sends requests to.
func poolsOf(vs map[string]any, policies map[string]map[string]any) []string {
	var found []string
	add := func(ref string) {
		if ref != "" && !slices.Contains(found, lastPart(ref)) {
			found = append(found, lastPart(ref))
		}
	}
	add(text(vs, "pool_ref"))
	for _, p := range objectsIn(vs, "http_policies") {
		request, _ := policies[lastPart(text(p, "http_policy_set_ref"))]["http_request_policy"].(map[string]any)
		for _, rule := range objectsIn(request, "rules") {
			action, _ := rule["switching_action"].(map[string]any)
			add(text(action, "pool_ref"))
		}
	}
	return found
}

// ofVS is the state of a virtual service.
func (sc *scene) ofVS(uuid string) operating {
	vs := sc.vs[uuid]
	if set := sc.server.runtime.stateOfVS(uuid); set != "" {
		return operating{set, "set by hand"}
	}
	if !enabled(vs) || !sc.vipEnabled(vs) {
		return operating{OperDisabled, "Virtual Service is disabled"}
	}
	if state := sc.placing(vs); state != "" {
		return operating{state, "Virtual Service is being placed"}
	}
	pool := lastPart(text(vs, "pool_ref"))
	if pool == "" || sc.ofPool(pool).state == OperUp {
		return operating{state: OperUp}
	}
	return operating{OperDown, "Pool " + text(sc.pools[pool], "name") + " is not up"}
}

// vipOf is the VIP of a virtual service; a child has its parent's.
func (sc *scene) vipOf(vs map[string]any) map[string]any {
	if parent := text(vs, "vh_parent_vs_ref"); parent != "" {
		vs = sc.vs[lastPart(parent)]
	}
	return sc.vips[lastPart(text(vs, "vsvip_ref"))]
}

func (sc *scene) vipEnabled(vs map[string]any) bool {
	for _, vip := range objectsIn(sc.vipOf(vs), "vip") {
		if !enabled(vip) {
			return false
		}
	}
	return true
}

// placing is the state on the way to a service engine, or "" of who has arrived.
func (sc *scene) placing(vs map[string]any) string {
	o := sc.server.opts
	if o.Instant {
		return ""
	}
	made, ok := sc.server.model.createdAt("virtualservice", text(vs, "uuid"))
	age := o.Now().Sub(made)
	if !ok || age >= o.Placement {
		return ""
	}
	return walk[int(max(age, 0)*time.Duration(len(walk))/o.Placement)]
}

// ofPool is the state of a pool.
func (sc *scene) ofPool(uuid string) operating {
	pool := sc.pools[uuid]
	if len(sc.users[uuid]) == 0 {
		return operating{OperUnused, "Pool is not used by any Virtual Service"}
	}
	if !enabled(pool) {
		return operating{OperDisabled, "Pool is disabled"}
	}
	if state := sc.poolPlacing(uuid); state != "" {
		return operating{state, "Virtual Service is being placed"}
	}
	if sc.countServers(uuid).up > 0 {
		return operating{state: OperUp}
	}
	return operating{OperDown, "No server is up"}
}

// poolPlacing is a pool's state while none of its virtual services is placed.
func (sc *scene) poolPlacing(uuid string) string {
	var state string
	for _, user := range sc.users[uuid] {
		if state = sc.placing(sc.vs[user]); state == "" {
			return ""
		}
	}
	return state
}

// ofServer is the state of a pool's server.
func (sc *scene) ofServer(pool string, server map[string]any) operating {
	if set := sc.server.runtime.stateOfServer(pool, nameOfServer(sc.pools[pool], server)); set != "" {
		return operating{set, "set by hand"}
	}
	switch {
	case len(sc.users[pool]) == 0:
		return operating{OperUnused, "Pool is not used by any Virtual Service"}
	case !enabled(server) || !enabled(sc.pools[pool]):
		return operating{OperDisabled, "Server is disabled"}
	}
	if state := sc.poolPlacing(pool); state != "" {
		return operating{state, "Virtual Service is being placed"}
	}
	return operating{state: OperUp}
}

// nameOfServer is "ip:port".
func nameOfServer(pool, server map[string]any) string {
	ip, _ := server["ip"].(map[string]any)
	return fmt.Sprintf("%s:%v", text(ip, "addr"), portOf(pool, server))
}

func portOf(pool, server map[string]any) any {
	port := server["port"]
	if port == nil {
		port = pool["default_server_port"]
	}
	return port
}

type serverCount struct{ all, enabled, up int }

func (sc *scene) countServers(pool string) serverCount {
	var n serverCount
	for _, server := range objectsIn(sc.pools[pool], "servers") {
		n.all++
		if enabled(server) {
			n.enabled++
		}
		if sc.ofServer(pool, server).state == OperUp {
			n.up++
		}
	}
	return n
}

// runtimeOf answers GET <kind>/<uuid>/runtime/…: the object must be there and visible.
func (s *Server) runtimeOf(c call) answer {
	if c.Method != http.MethodGet {
		return detail(http.StatusMethodNotAllowed, "Method '"+c.Method+"' not allowed.")
	}
	what := c.Action
	c.Action = ""
	if found := s.model.do(c); found.Status != http.StatusOK {
		return found
	}
	sc := s.scene()
	switch {
	case c.Kind == "virtualservice" && (what == "runtime" || what == "runtime/detail"):
		return jsonAnswer(http.StatusOK, sc.vsRuntime(c.UUID))
	case c.Kind == "pool" && (what == "runtime" || what == "runtime/detail"):
		return jsonAnswer(http.StatusOK, sc.poolRuntime(c.UUID))
	case c.Kind == "pool" && (what == "runtime/server" || what == "runtime/server/detail"):
		return jsonAnswer(http.StatusOK, sc.serversRuntime(c.UUID))
	}
	return answer{Status: http.StatusNotFound}
}
