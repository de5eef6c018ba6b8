package octavia_test

import (
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"plimsoll/internal/api/octavia"
	"plimsoll/internal/network"
	"plimsoll/internal/provider"
	"plimsoll/internal/provider/noop"
	"plimsoll/lbaas"
)

// deploy serves the API as an operator has it who decides otherwise than Octavia; the provider takes everything.
func (c *cloud) deploy(decide func(*octavia.Options)) *cloud {
	o := octavia.DefaultOptions()
	decide(&o)
	c.serve(octavia.Config{
		Store: c.store, Networks: c.store, Auth: everybody(), Certificates: octavia.AnyCertificate{}, Options: o,
		Providers: []provider.Face{noop.Face()}, DefaultProvider: noop.Name,
	})
	return c
}

func (c *cloud) postListener(body object) answer {
	c.t.Helper()
	return c.do(http.MethodPost, root+"/listeners", object{"listener": body})
}

// TestDisabledOptions asks for each thing that a deployment can switch off, alone and within a tree; and then for what was made before.
func TestDisabledOptions(t *testing.T) {
	c := newCloud(t).everything()
	lb := c.loadBalancer()
	p := c.pool(lb)
	tls := object{"loadbalancer_id": lb, "protocol": "TERMINATED_HTTPS", "protocol_port": 1443, "default_tls_container_ref": "http://b/1"}
	old := "/listeners/" + c.make("/listeners", "listener", tls)["id"].(string)
	bare := "/listeners/" + c.make("/listeners", "listener", object{"loadbalancer_id": lb, "protocol": "PROMETHEUS", "protocol_port": 1444})["id"].(string)
	pinged := c.pool(lb)
	monitor := "/healthmonitors/" + c.make("/healthmonitors", "healthmonitor", object{"pool_id": pinged, "type": "PING", "delay": 1, "timeout": 1, "max_retries": 1})["id"].(string)
	c.deploy(func(o *octavia.Options) { o.AllowTLSListeners, o.AllowPing, o.AllowPrometheus = false, false, false })

	const off = "The selected protocol is not allowed in this deployment: "
	listeners := map[string]object{
		off + "TERMINATED_HTTPS":    {"protocol": "TERMINATED_HTTPS", "protocol_port": 443, "default_tls_container_ref": "http://b/1"},
		off + "PROMETHEUS with TLS": {"protocol": "PROMETHEUS", "protocol_port": 443, "sni_container_refs": []string{"http://b/1"}},
		off + "PROMETHEUS":          {"protocol": "PROMETHEUS", "protocol_port": 443},
	}
	for want, l := range listeners {
		c.postListener(more(l, object{"loadbalancer_id": lb})).fault(t, 400, want)
		c.postLB(object{"vip_subnet_id": c.subnet.ID, "listeners": []object{l}}).fault(t, 400, want)
	}
	const ping = "The selected type is not allowed in this deployment: PING"
	h := object{"type": "PING", "delay": 1, "timeout": 1, "max_retries": 1}
	c.do(http.MethodPost, root+"/healthmonitors", object{"healthmonitor": more(h, object{"pool_id": p})}).fault(t, 400, ping)
	c.postLB(object{"vip_subnet_id": c.subnet.ID, "pools": []object{{"name": "p", "protocol": "TCP", "lb_algorithm": "ROUND_ROBIN", "healthmonitor": h}}}).fault(t, 400, ping)

	c.put(old, "listener", object{"name": "x", "default_tls_container_ref": "http://b/2"})
	c.put(bare, "listener", object{"name": "x"})
	c.put(monitor, "healthmonitor", object{"delay": 7})
	c.do(http.MethodPut, root+bare, object{"listener": object{"default_tls_container_ref": "http://b/2"}}).fault(t, 400, off+"PROMETHEUS with TLS")
}

// TestDeploymentDefaults shows the TLS lists that an operator chose, where they come from the POST, from a null and from nothing.
func TestDeploymentDefaults(t *testing.T) {
	c := newCloud(t).deploy(func(o *octavia.Options) {
		o.ListenerTLS = lbaas.TLSDefaults{Ciphers: "L1:L2", Versions: []string{"TLSv1.3"}, ALPNProtocols: []string{"h2"}}
		o.PoolTLS = lbaas.TLSDefaults{Ciphers: "P1", Versions: []string{"TLSv1.2"}, ALPNProtocols: []string{"http/1.1"}}
		o.ProhibitedCiphers, o.MinTLSVersion = []string{"RC4", "NULL"}, "TLSv1.2"
	})
	lb := c.loadBalancer()
	type lists = [3]any
	shown := func(o object) lists { return lists{o["tls_ciphers"], o["tls_versions"], o["alpn_protocols"]} }
	ofListener := lists{"L1:L2", []any{"TLSv1.3"}, []any{"h2"}}
	tls := object{"loadbalancer_id": lb, "protocol": "TERMINATED_HTTPS", "protocol_port": 443, "default_tls_container_ref": "http://b/1"}
	null := object{"tls_ciphers": nil, "tls_versions": nil, "alpn_protocols": nil}
	l := c.make("/listeners", "listener", tls)
	plain := c.make("/listeners", "listener", object{"loadbalancer_id": lb, "protocol": "TCP", "protocol_port": 80})
	pool := object{"loadbalancer_id": lb, "protocol": "HTTP", "lb_algorithm": "ROUND_ROBIN"}
	p, secret := c.make("/pools", "pool", pool), c.make("/pools", "pool", more(pool, object{"tls_enabled": true}))
	put := func(collection, key string, of object, body object) lists {
		return shown(c.put(collection+"/"+of["id"].(string), key, body))
	}
	for name, test := range map[string]struct{ got, want lists }{
		"listener":                    {shown(l), ofListener},
		"listener, null":              {shown(c.make("/listeners", "listener", more(tls, null, object{"protocol_port": 444}))), ofListener},
		"listener, PUT null":          {put("/listeners", "listener", l, null), ofListener},
		"listener without TLS":        {shown(plain), lists{nil, nil, nil}},
		"listener without TLS, null":  {put("/listeners", "listener", plain, null), ofListener},
		"pool":                        {shown(p), lists{nil, nil, nil}},
		"pool, PUT null":              {put("/pools", "pool", p, null), lists{"P1", []any{"TLSv1.2"}, nil}},
		"pool with TLS":               {shown(secret), lists{"P1", []any{"TLSv1.2"}, []any{"http/1.1"}}},
		"pool with TLS, PUT null":     {put("/pools", "pool", secret, null), lists{"P1", []any{"TLSv1.2"}, nil}},
		"pool with TLS, PUT nothing":  {put("/pools", "pool", secret, object{"name": "x"}), lists{"P1", []any{"TLSv1.2"}, nil}},
		"pool that turns TLS on":      {put("/pools", "pool", c.make("/pools", "pool", pool), object{"tls_enabled": true}), lists{"P1", []any{"TLSv1.2"}, []any{"http/1.1"}}},
		"pool with TLS, null in POST": {shown(c.make("/pools", "pool", more(pool, null, object{"tls_enabled": true}))), lists{"P1", []any{"TLSv1.2"}, []any{"http/1.1"}}},
	} {
		if diff := cmp.Diff(test.want, test.got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	const (
		prohibited = "Validation failure: The following ciphers have been prohibited by an administrator: RC4, NULL"
		low        = "Validation failure: Requested TLS versions are less than the minimum: SSLv3, TLSv1 < TLSv1.2"
	)
	ciphers, versions := object{"tls_ciphers": "AES:RC4:NULL"}, object{"tls_versions": []string{"SSLv3", "TLSv1", "TLSv1.2"}}
	for want, bad := range map[string]object{prohibited: ciphers, low: versions} {
		c.postListener(more(tls, bad, object{"protocol_port": 445})).fault(t, 400, want)
		c.do(http.MethodPut, root+"/listeners/"+l["id"].(string), object{"listener": bad}).fault(t, 400, want)
		c.do(http.MethodPut, root+"/listeners/"+plain["id"].(string), object{"listener": bad}).fault(t, 400, want)
		c.do(http.MethodPost, root+"/pools", object{"pool": more(pool, bad, object{"tls_enabled": true})}).fault(t, 400, want)
		c.do(http.MethodPut, root+"/pools/"+p["id"].(string), object{"pool": bad}).fault(t, 400, want)
	}
	c.postListener(object{"loadbalancer_id": lb, "protocol": "TCP", "protocol_port": 81, "tls_ciphers": "RC4:NULL"}).fault(t, 400, prohibited)
	c.make("/listeners", "listener", more(versions, object{"loadbalancer_id": lb, "protocol": "TCP", "protocol_port": 81}))

	// What was allowed stays, and lets the rest change.
	c.deploy(func(o *octavia.Options) { o.ProhibitedCiphers, o.MinTLSVersion = []string{"L1", "P1"}, "TLSv1.3" })
	c.put("/listeners/"+l["id"].(string), "listener", object{"name": "x"})
	c.put("/pools/"+secret["id"].(string), "pool", object{"name": "x"})
}

func TestShortestDelay(t *testing.T) {
	c := newCloud(t).everything()
	lb := c.loadBalancer()
	pool := func() string {
		return c.make("/pools", "pool", object{"loadbalancer_id": lb, "protocol": "UDP", "lb_algorithm": "ROUND_ROBIN"})["id"].(string)
	}
	post := func(delay int) answer {
		return c.do(http.MethodPost, root+"/healthmonitors", object{"healthmonitor": object{
			"pool_id": pool(), "type": "UDP-CONNECT", "delay": delay, "timeout": 1, "max_retries": 1,
		}})
	}
	fault := func(delay, low string) string {
		return "Validation failure: The request delay value " + delay + " should be larger than " + low + " for UDP-CONNECT health monitor type."
	}
	post(2).fault(t, 400, fault("2", "3"))
	old := post(3).body["healthmonitor"].(object)
	c.deploy(func(o *octavia.Options) { o.MinDatagramDelay = 10 })
	post(9).fault(t, 400, fault("9", "10"))
	path := "/healthmonitors/" + old["id"].(string)
	c.put(path, "healthmonitor", object{"name": "x"})
	c.do(http.MethodPut, root+path, object{"healthmonitor": object{"delay": 9}}).fault(t, 400, fault("9", "10"))
	c.deploy(func(o *octavia.Options) { o.MinDatagramDelay = -1 })
	if a := post(0); a.code != http.StatusCreated {
		t.Errorf("without a shortest delay: %d %s", a.code, a.raw)
	}
}

func TestReservedAddresses(t *testing.T) {
	c := newCloud(t).everything()
	p := c.pool(c.loadBalancer())
	members := root + "/pools/" + p + "/members"
	member := func(address string) object { return object{"address": address, "protocol_port": 80} }
	const metadata = "169.254.169.254 is not a valid option for member address"
	c.do(http.MethodPost, members, object{"member": member("169.254.169.254")}).fault(t, 400, metadata)
	c.do(http.MethodPost, members, object{"member": more(member("10.0.0.7"), object{"monitor_address": "169.254.169.254"})}).fault(t, 400, metadata)
	c.do(http.MethodPut, members, object{"members": []object{member("10.0.0.7"), member("169.254.169.254")}}).fault(t, 400, metadata)
	c.postLB(object{"vip_subnet_id": c.subnet.ID, "pools": []object{{"name": "p", "protocol": "TCP", "lb_algorithm": "ROUND_ROBIN", "members": []object{member("169.254.169.254")}}}}).
		fault(t, 400, metadata)
	old := "/pools/" + p + "/members/" + c.make("/pools/"+p+"/members", "member", member("10.0.0.7"))["id"].(string)
	c.deploy(func(o *octavia.Options) {
		o.ReservedAddresses = []netip.Addr{netip.MustParseAddr("10.0.0.7"), netip.MustParseAddr("2001:db8::7")}
	})
	c.do(http.MethodPost, members, object{"member": member("2001:DB8:0::7")}).fault(t, 400, "2001:db8::7 is not a valid option for member address")
	c.put(old, "member", object{"weight": 5})
	c.do(http.MethodPut, root+old, object{"member": object{"monitor_address": "10.0.0.7"}}).fault(t, 400, "10.0.0.7 is not a valid option for member address")
	c.make("/pools/"+p+"/members", "member", member("169.254.169.254"))
}

// TestVIPOptions asks for VIPs in every way that a deployment can switch off.
func TestVIPOptions(t *testing.T) {
	c := newCloud(t)
	port := c.makePort(mine, network.FixedIP{SubnetID: c.subnet.ID})
	other, _ := c.makeNetwork(mine, "10.3.0.0/24")
	ways := map[string]object{
		"vip_port_id": {"vip_port_id": port.ID}, "vip_network_id": {"vip_network_id": c.network.ID}, "vip_subnet_id": {"vip_subnet_id": c.subnet.ID},
	}
	for off, decide := range map[string]func(*octavia.Options){
		"vip_port_id":    func(o *octavia.Options) { o.AllowVIPPort = false },
		"vip_network_id": func(o *octavia.Options) { o.AllowVIPNetwork = false },
		"vip_subnet_id":  func(o *octavia.Options) { o.AllowVIPSubnet = false },
	} {
		c.deploy(decide)
		c.postLB(ways[off]).fault(t, 400, "Validation failure: use of "+off+" is disallowed by this deployment's configuration.")
		left := slices.DeleteFunc([]string{"vip_port_id", "vip_network_id", "vip_subnet_id"}, func(way string) bool { return way == off })
		c.postLB(object{}).fault(t, 400, "Validation failure: VIP must contain one of: "+strings.Join(left, ", ")+".")
		if off != "vip_subnet_id" {
			c.make("/loadbalancers", "loadbalancer", ways["vip_subnet_id"])
		}
	}
	const notHere = "Validation failure: Supplied VIP network_id is not allowed by the configuration of this deployment."
	for name, decide := range map[string]func(*octavia.Options){
		"another one is valid": func(o *octavia.Options) { o.ValidVIPNetworks = []string{other.ID} },
		"denied":               func(o *octavia.Options) { o.DeniedVIPNetworks = []string{strings.ToUpper(c.network.ID)} },
		"valid and denied": func(o *octavia.Options) {
			o.ValidVIPNetworks, o.DeniedVIPNetworks = []string{c.network.ID}, []string{c.network.ID}
		},
	} {
		t.Run(name, func(t *testing.T) {
			c.deploy(decide)
			for _, vip := range ways {
				c.postLB(vip).fault(t, 400, notHere)
			}
		})
	}
	c.deploy(func(o *octavia.Options) { o.ValidVIPNetworks = []string{strings.ToUpper(c.network.ID), other.ID} })
	c.make("/loadbalancers", "loadbalancer", ways["vip_network_id"])
	c.deploy(func(o *octavia.Options) { o.AllowInvisible = true })
	c.make("/loadbalancers", "loadbalancer", object{"vip_subnet_id": c.private.ID})
	c.make("/pools/"+c.pool(c.loadBalancer())+"/members", "member", object{"address": "10.9.0.7", "protocol_port": 1, "subnet_id": c.private.ID})
}

// TestListOptions asks for what lists can be asked for where it is switched off: it is as good as absent.
func TestListOptions(t *testing.T) {
	c := newCloud(t)
	lb := c.loadBalancer()
	for i, name := range []string{"c", "a", "b"} {
		c.make("/listeners", "listener", object{"loadbalancer_id": lb, "protocol": "TCP", "protocol_port": 80 + i, "name": name, "tags": []string{name}})
	}
	all := []string{"c", "a", "b"}
	for name, test := range map[string]struct {
		decide  func(*octavia.Options)
		queries []string
		active  string // a query that still works
		names   []string
	}{
		"pagination": {func(o *octavia.Options) { o.AllowPagination = false }, []string{"limit=1", "limit=x", "marker=x", "page_reverse=True&limit=2"}, "name=a", []string{"a"}},
		"sorting":    {func(o *octavia.Options) { o.AllowSorting = false }, []string{"sort=name", "sort=nonsense:up", "sort_key=name&sort_dir=desc"}, "limit=1", []string{"c"}},
		"filtering":  {func(o *octavia.Options) { o.AllowFiltering = false }, []string{"name=a", "nonsense=x", "tags=a", "not-tags-any=a", "name=a&name=b"}, "sort=name", []string{"a", "b", "c"}},
		"fields":     {func(o *octavia.Options) { o.AllowFieldSelection = false }, []string{"fields=id", "fields=nonsense"}, "name=b", []string{"b"}},
	} {
		t.Run(name, func(t *testing.T) {
			c.deploy(test.decide)
			for _, query := range test.queries {
				if got, links := c.names("/listeners?"+query, "listeners"); !slices.Equal(got, all) || len(links) > 0 {
					t.Errorf("%s: %v, links %v", query, got, links)
				}
			}
			if got, _ := c.names("/listeners?"+test.active, "listeners"); !slices.Equal(got, test.names) {
				t.Errorf("%s: %v, want %v", test.active, got, test.names)
			}
		})
	}
	c.deploy(func(o *octavia.Options) { o.AllowFiltering = false })
	c.do(http.MethodGet, root+"/listeners?project_id="+foreign, nil).fault(t, 403, "Policy does not allow this request to be performed.")
	c.deploy(func(o *octavia.Options) { o.AllowFieldSelection = false })
	if got := c.show("/loadbalancers/"+lb+"?fields=id", "loadbalancer"); len(got) < 10 {
		t.Errorf("fields of one object: %v", got)
	}
}

func TestMaxBody(t *testing.T) {
	c := newCloud(t)
	c.serve(octavia.Config{Store: c.store, Networks: c.store, Auth: everybody(), MaxBody: 100, Providers: []provider.Face{noop.Face()}, DefaultProvider: "noop"})
	c.postLB(object{"vip_subnet_id": c.subnet.ID, "name": strings.Repeat("n", 100)}).fault(t, 413, "Request is too large.")
	c.make("/loadbalancers", "loadbalancer", object{"vip_subnet_id": c.subnet.ID})
}
