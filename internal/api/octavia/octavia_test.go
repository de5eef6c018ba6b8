package octavia_test

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"plimsoll/internal/api/octavia"
	"plimsoll/internal/network"
	"plimsoll/internal/provider"
	haproxy "plimsoll/internal/provider/haproxy"
	"plimsoll/internal/store"
	"plimsoll/internal/store/storetest"
	"plimsoll/internal/web/webtest"
)

// The projects of the tests' actors.
const (
	mine    = "11111111111111111111111111111111"
	foreign = "22222222222222222222222222222222"
)

func everybody() webtest.Actors {
	return webtest.Actors{
		"member":   {UserID: "u1", ProjectID: mine, Roles: []string{"member", "reader"}},
		"reader":   {UserID: "u2", ProjectID: mine, Roles: []string{"reader"}},
		"stranger": {UserID: "u3", ProjectID: foreign, Roles: []string{"member", "reader"}},
		"admin":    {UserID: "u4", ProjectID: "33333333333333333333333333333333", Roles: []string{"admin", "member", "reader"}},
		"nobody":   {UserID: "u5", ProjectID: mine},
		"unscoped": {UserID: "u6"},
		"system":   {UserID: "u7", System: true, Roles: []string{"reader"}},
	}
}

// cloud is a server with a real store on SQLite, and two networks.
type cloud struct {
	contract *contract
	t        testing.TB
	store    *store.Store
	server   *httptest.Server
	token    string
	network  *network.Network
	subnet   *network.Subnet // 10.0.0.0/24
	six      *network.Subnet // 2001:db8::/64, on the same network
	private  *network.Subnet // the foreign project's
}

func newCloud(t testing.TB) *cloud {
	t.Helper()
	s := storetest.Open(t, store.SQLite)
	c := &cloud{t: t, store: s, token: "member"}
	c.network, c.subnet = c.makeNetwork(mine, "10.0.0.0/24")
	c.six = c.makeSubnet(mine, c.network.ID, "2001:db8::/64")
	_, c.private = c.makeNetwork(foreign, "10.9.0.0/24")
	c.serve(octavia.Config{
		Store: s, Networks: s, Auth: everybody(), Providers: []provider.Face{haproxy.Face()}, Host: "host-1",
	})
	return c
}

func (c *cloud) serve(config octavia.Config) {
	mux := http.NewServeMux()
	api := octavia.New(config)
	mux.Handle("/load-balancer/", http.StripPrefix("/load-balancer", api))
	mux.Handle("/", api)
	c.server = httptest.NewServer(mux)
	c.t.Cleanup(c.server.Close)
	c.contract = c.readContract()
}

func (c *cloud) makeNetwork(project, cidr string) (*network.Network, *network.Subnet) {
	c.t.Helper()
	n := &network.Network{ProjectID: project, Name: "net", AdminStateUp: true, MTU: 1500}
	if err := c.store.CreateNetwork(c.t.Context(), n); err != nil {
		c.t.Fatal(err)
	}
	return n, c.makeSubnet(project, n.ID, cidr)
}

func (c *cloud) makeSubnet(project, networkID, cidr string) *network.Subnet {
	c.t.Helper()
	prefix := netip.MustParsePrefix(cidr)
	gateway := prefix.Addr().Next()
	s := &network.Subnet{ProjectID: project, NetworkID: networkID, CIDR: prefix, Gateway: gateway}
	last := prefix.Addr().As16()
	last[15] |= 0xfe
	end := netip.AddrFrom16(last)
	if prefix.Addr().Is4() {
		end = end.Unmap()
	}
	s.AllocationPools = []network.Range{{Start: gateway.Next(), End: end}}
	if err := c.store.CreateSubnet(c.t.Context(), s); err != nil {
		c.t.Fatal(err)
	}
	return s
}

// as is the same cloud for another actor.
func (c *cloud) as(token string) *cloud {
	other := *c
	other.token = token
	return &other
}

// answer is what the server said.
type answer struct {
	code   int
	header http.Header
	raw    string
	body   map[string]any
}

// do sends a request. The body may be text, which goes as it is, or anything that JSON can say.
func (c *cloud) do(method, path string, body any, headers ...string) answer {
	c.t.Helper()
	if !strings.HasPrefix(path, "http") {
		path = c.server.URL + path
	}
	said := webtest.Send(c.t, webtest.Request{Method: method, URL: path, Token: c.token, Body: body, Headers: headers})
	a := answer{code: said.Code, header: said.Header, raw: said.Text, body: said.Body}
	if c.contract != nil {
		c.contract.agree(c.t, method, strings.TrimPrefix(path, c.server.URL), body, a)
	}
	return a
}

const root = "/v2/lbaas"

// must sends a request that has to be answered with a code.
func (c *cloud) must(code int, method, path string, body any) answer {
	c.t.Helper()
	a := c.do(method, root+path, body)
	if a.code != code {
		c.t.Fatalf("%s %s: %d %s, want %d", method, path, a.code, a.raw, code)
	}
	return a
}

type object = map[string]any

// make creates an object and returns it.
func (c *cloud) make(collection, key string, body object) object {
	c.t.Helper()
	return c.must(http.StatusCreated, http.MethodPost, collection, object{key: body}).body[key].(object)
}

func (c *cloud) show(path, key string) object {
	c.t.Helper()
	return c.must(http.StatusOK, http.MethodGet, path, nil).body[key].(object)
}

func (c *cloud) put(path, key string, body object) object {
	c.t.Helper()
	return c.must(http.StatusOK, http.MethodPut, path, object{key: body}).body[key].(object)
}

func (c *cloud) loadBalancer() string {
	c.t.Helper()
	return c.make("/loadbalancers", "loadbalancer", object{"vip_subnet_id": c.subnet.ID})["id"].(string)
}

func (c *cloud) listener(lb string, port int) string {
	c.t.Helper()
	return c.make("/listeners", "listener", object{"loadbalancer_id": lb, "protocol": "HTTP", "protocol_port": port})["id"].(string)
}

func (c *cloud) pool(lb string) string {
	c.t.Helper()
	return c.make("/pools", "pool", object{"loadbalancer_id": lb, "protocol": "HTTP", "lb_algorithm": "ROUND_ROBIN"})["id"].(string)
}

// fault checks a fault's code, text and form.
func (a answer) fault(t testing.TB, code int, text string) {
	t.Helper()
	side := "Client"
	if code >= 500 {
		side = "Server"
	}
	if a.code != code || a.body["faultstring"] != text || a.body["faultcode"] != side || a.body["code"] != float64(code) {
		t.Errorf("answer %d %s\nwant %d %s", a.code, a.raw, code, text)
	}
	if debug, given := a.body["debuginfo"]; !given || debug != nil {
		t.Errorf("debuginfo is %v, want null", debug)
	}
	if !strings.HasPrefix(a.header.Get("x-openstack-request-id"), "req-") {
		t.Errorf("no request id in %v", a.header)
	}
}

// achieve makes all that is pending true, as the loop would.
func (c *cloud) achieve() {
	c.t.Helper()
	ctx := c.t.Context()
	names, err := c.store.LeaseNames(ctx)
	if err != nil {
		c.t.Fatal(err)
	}
	for _, name := range names {
		lease, ok, err := c.store.AcquireLease(ctx, name, "test", 60e9)
		if err != nil || !ok {
			c.t.Fatal(ok, err)
		}
		ids, err := c.store.Pending(ctx, name, 1000)
		if err != nil {
			c.t.Fatal(err)
		}
		for _, id := range ids {
			c.achieveOne(lease, id)
		}
	}
}

func (c *cloud) achieveOne(lease store.Lease, id string) {
	c.t.Helper()
	ctx := c.t.Context()
	lb, err := c.store.Tree(ctx, id)
	if err != nil {
		c.t.Fatal(err)
	}
	if lb.Progress.Deleted {
		err = c.store.Gone(ctx, lease, id, lb.Progress.Generation)
	} else {
		err = c.store.Achieved(ctx, lease, id, lb.Progress.Generation, nil, nil)
	}
	if err != nil {
		c.t.Fatal(err)
	}
}

func TestTree(t *testing.T) {
	c := newCloud(t)
	lb := c.loadBalancer()
	l := c.listener(lb, 80)
	p := c.make("/pools", "pool", object{"listener_id": l, "protocol": "HTTP", "lb_algorithm": "ROUND_ROBIN"})["id"].(string)
	m := c.make("/pools/"+p+"/members", "member", object{"address": "10.0.0.50", "protocol_port": 8080, "subnet_id": c.subnet.ID})["id"].(string)
	h := c.make("/healthmonitors", "healthmonitor", object{"pool_id": p, "type": "HTTP", "delay": 5, "timeout": 3, "max_retries": 2})["id"].(string)
	objects := map[string]string{
		"/loadbalancers/" + lb: "loadbalancer", "/listeners/" + l: "listener", "/pools/" + p: "pool",
		"/pools/" + p + "/members/" + m: "member", "/healthmonitors/" + h: "healthmonitor",
	}
	for _, want := range []string{"PENDING_CREATE", "ACTIVE", "PENDING_DELETE"} {
		for path, key := range objects {
			if got := c.show(path, key)["provisioning_status"]; got != want {
				t.Errorf("%s is %v, want %s", path, got, want)
			}
		}
		c.achieve()
		if want == "ACTIVE" {
			c.must(http.StatusNoContent, http.MethodDelete, "/loadbalancers/"+lb+"?cascade=true", nil)
		}
	}
	for path := range objects {
		if a := c.do(http.MethodGet, root+path, nil); a.code != http.StatusNotFound {
			t.Errorf("%s is still there: %d %s", path, a.code, a.raw)
		}
	}
}
