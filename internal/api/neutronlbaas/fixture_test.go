package neutronlbaas_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"plimsoll/internal/api/neutronlbaas"
	"plimsoll/internal/api/octavia"
	"plimsoll/internal/identity"
	"plimsoll/internal/network"
	"plimsoll/internal/provider"
	"plimsoll/internal/provider/haproxy"
	"plimsoll/internal/store"
	"plimsoll/internal/store/storetest"
	"plimsoll/internal/web/webtest"
)

// The projects of the tests' actors.
const (
	mine    = "11111111111111111111111111111111"
	foreign = "22222222222222222222222222222222"
)

// anyProject begins the tokens of members of projects of their own.
const anyProject = "project-"

type object = map[string]any

// actors are the tests' tokens, and those of projects of their own.
type actors struct{ webtest.Actors }

// Authenticate returns the actor of a token.
func (a actors) Authenticate(ctx context.Context, token string) (*identity.Actor, error) {
	if strings.HasPrefix(token, anyProject) {
		return &identity.Actor{UserID: token, ProjectID: token, Roles: []string{"member", "reader"}}, nil
	}
	return a.Actors.Authenticate(ctx, token)
}

func everybody() actors {
	return actors{webtest.Actors{
		"member":   {UserID: "u1", ProjectID: mine, Roles: []string{"member", "reader"}},
		"reader":   {UserID: "u2", ProjectID: mine, Roles: []string{"reader"}},
		"stranger": {UserID: "u3", ProjectID: foreign, Roles: []string{"member", "reader"}},
		"admin":    {UserID: "u4", ProjectID: "33333333333333333333333333333333", Roles: []string{"admin", "member", "reader"}},
		"nobody":   {UserID: "u5", ProjectID: mine},
		"unscoped": {UserID: "u6"},
	}}
}

// site is both faces over one store on SQLite, with a network of the project mine.
type site struct {
	t       testing.TB
	store   *store.Store
	server  *httptest.Server
	token   string
	network string
	subnet  string // 10.0.0.0/24
}

func newSite(t testing.TB) *site {
	t.Helper()
	st := storetest.Open(t, store.SQLite)
	s := &site{t: t, store: st, token: "member"}
	s.network, s.subnet = s.makeNetwork("10.0.0.0/24")
	faces := []provider.Face{haproxy.Face(), {Name: "noop", Aliases: []string{"Nothing.At.All"}, CheckFlavor: func(context.Context, map[string]any) error { return nil }}}
	octaviaFace := octavia.New(octavia.Config{
		Store: st, Networks: st, Auth: everybody(), Providers: faces, Host: "host-1", Certificates: octavia.AnyCertificate{},
	})
	old := neutronlbaas.New(neutronlbaas.Config{Store: st, Octavia: octaviaFace, Auth: everybody(), Providers: faces})
	mux := http.NewServeMux()
	mux.Handle("/load-balancer/", http.StripPrefix("/load-balancer", octaviaFace))
	mux.Handle("/networking/", http.StripPrefix("/networking", old))
	s.server = httptest.NewServer(mux)
	t.Cleanup(s.server.Close)
	return s
}

func (s *site) makeNetwork(cidr string) (networkID, subnetID string) {
	s.t.Helper()
	n := &network.Network{ProjectID: mine, Name: "net", AdminStateUp: true, Shared: true, MTU: 1500}
	if err := s.store.CreateNetwork(s.t.Context(), n); err != nil {
		s.t.Fatal(err)
	}
	prefix := netip.MustParsePrefix(cidr)
	gateway := prefix.Addr().Next()
	last := prefix.Addr().As4()
	last[3] = 254
	sub := &network.Subnet{
		ProjectID: mine, NetworkID: n.ID, CIDR: prefix, Gateway: gateway,
		AllocationPools: []network.Range{{Start: gateway.Next(), End: netip.AddrFrom4(last)}},
	}
	if err := s.store.CreateSubnet(s.t.Context(), sub); err != nil {
		s.t.Fatal(err)
	}
	return n.ID, sub.ID
}

// as is the same site for another actor.
func (s *site) as(token string) *site {
	other := *s
	other.token = token
	return &other
}

// answer is what the server said.
type answer struct {
	code int
	raw  string
	body object
}

// fault is the error that it said, as type and message.
func (a answer) fault() [2]string {
	e, _ := a.body["NeutronError"].(object)
	name, _ := e["type"].(string)
	text, _ := e["message"].(string)
	return [2]string{name, text}
}

// do sends a request. A body that is text goes as it is.
func (s *site) do(method, path string, body any) answer {
	s.t.Helper()
	said := webtest.Send(s.t, webtest.Request{Method: method, URL: s.server.URL + path, Token: s.token, Body: body})
	return answer{code: said.Code, raw: said.Text, body: said.Body}
}

// old sends a request to the face under test.
func (s *site) old(method, path string, body any) answer {
	s.t.Helper()
	return s.do(method, "/networking/v2.0/lbaas"+path, body)
}

// must is old with the code that has to be answered.
func (s *site) must(code int, method, path string, body any) object {
	s.t.Helper()
	a := s.old(method, path, body)
	if a.code != code {
		s.t.Fatalf("%s %s: %d %s, want %d", method, path, a.code, a.raw, code)
	}
	return a.body
}

// make creates an object by the face under test.
func (s *site) make(path, key string, o object) object {
	s.t.Helper()
	return s.must(http.StatusCreated, http.MethodPost, path, object{key: o})[key].(object)
}

func (s *site) show(path, key string) object {
	s.t.Helper()
	return s.must(http.StatusOK, http.MethodGet, path, nil)[key].(object)
}

// octavia sends a request to the other face, which has to answer that code.
func (s *site) octavia(code int, method, path, key string, body object) object {
	s.t.Helper()
	var sent any
	if body != nil {
		sent = object{key: body}
	}
	a := s.do(method, "/load-balancer/v2/lbaas"+path, sent)
	if a.code != code {
		s.t.Fatalf("Octavia: %s %s: %d %s, want %d", method, path, a.code, a.raw, code)
	}
	o, _ := a.body[key].(object)
	return o
}

// tree is a load balancer with one of everything, made by the face under test.
type tree struct{ lb, listener, pool, member, monitor, policy, rule string }

func (s *site) tree() tree {
	s.t.Helper()
	var t tree
	t.lb = s.make("/loadbalancers", "loadbalancer", object{"vip_subnet_id": s.subnet, "name": "lb"})["id"].(string)
	t.listener = s.make("/listeners", "listener", object{"loadbalancer_id": t.lb, "protocol": "HTTP", "protocol_port": "80"})["id"].(string)
	t.pool = s.make("/pools", "pool", object{"listener_id": t.listener, "protocol": "HTTP", "lb_algorithm": "ROUND_ROBIN"})["id"].(string)
	t.member = s.make("/pools/"+t.pool+"/members", "member", object{"subnet_id": s.subnet, "address": "10.0.0.11", "protocol_port": "80"})["id"].(string)
	t.monitor = s.make("/healthmonitors", "healthmonitor", object{"pool_id": t.pool, "type": "HTTP", "delay": "5", "timeout": "3", "max_retries": "3"})["id"].(string)
	t.policy = s.make("/l7policies", "l7policy", object{"listener_id": t.listener, "action": "REJECT"})["id"].(string)
	t.rule = s.make("/l7policies/"+t.policy+"/rules", "rule", object{"type": "PATH", "compare_type": "STARTS_WITH", "value": "/private"})["id"].(string)
	return t
}

// fields are the values of some attributes.
func fields(o object, names ...string) object {
	out := object{}
	for _, name := range names {
		if v, ok := o[name]; ok {
			out[name] = v
		}
	}
	return out
}

func ids(list any) []string {
	var out []string
	items, _ := list.([]any)
	for _, item := range items {
		out = append(out, item.(object)["id"].(string))
	}
	return out
}
