package avi

import (
	"fmt"
	"net/netip"
	"reflect"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"plimsoll/internal/keymanager"
	"plimsoll/internal/provider"
	"plimsoll/internal/provider/avi/translate"
	"plimsoll/internal/provider/providertest"
	"plimsoll/lbaas"
)

// fullTree has everything that Avi makes, with all options set.
func fullTree() *lbaas.LoadBalancer {
	limit := 100
	listener := &lbaas.Listener{
		Object: full("l"), Protocol: lbaas.TerminatedHTTPS, ProtocolPort: 443, ConnectionLimit: &limit, DefaultPoolID: "p",
		InsertHeaders:     map[string]string{forwardedFor: "true"},
		TimeoutClientData: lbaas.DefaultClient, TimeoutMemberConnect: lbaas.DefaultConnect, TimeoutMemberData: lbaas.DefaultServer,
		DefaultTLSContainerRef: "c1", SNIContainerRefs: []string{"c2"}, ClientAuthentication: lbaas.ClientAuthNone,
	}
	listener.DefaultTLS(lbaas.DefaultTLS())
	policies := []*lbaas.L7Policy{
		{Action: lbaas.RedirectToURL, RedirectURL: "https://example.com/", RedirectHTTPCode: 302},
		{Action: lbaas.RedirectToPool, RedirectPoolID: "p"},
		{Action: lbaas.RedirectPrefix, RedirectPrefix: "https://example.com/a", RedirectHTTPCode: 301},
	}
	for i, p := range policies {
		p.Object, p.Position = full(fmt.Sprint("policy", i)), []int{2, 3, 1}[i]
		p.Rules = []*lbaas.L7Rule{
			{Object: full("rule"), Type: lbaas.RuleHeader, CompareType: lbaas.CompareEqualTo, Key: "X-A", Value: "a"},
			{Object: full("another rule"), Type: lbaas.RulePath, CompareType: lbaas.CompareEqualTo, Value: "/a"},
		}
	}
	listener.L7Policies = policies
	pool := &lbaas.Pool{
		Object: full("p"), Protocol: lbaas.HTTP, Algorithm: lbaas.SourceIP,
		SessionPersistence: &lbaas.SessionPersistence{Type: lbaas.PersistAppCookie, CookieName: "session"},
		TLSEnabled:         true, TLSContainerRef: "c1", CATLSContainerRef: "a1",
		Members: []*lbaas.Member{{
			Object: full("m"), Address: netip.MustParseAddr("10.0.0.1"), ProtocolPort: 80, Weight: 12, SubnetID: "s", VNICType: lbaas.VNICNormal,
		}},
		HealthMonitor: &lbaas.HealthMonitor{
			Object: full("h"), Type: lbaas.MonitorHTTP, Delay: 5, Timeout: 4, MaxRetries: 3, MaxRetriesDown: 3, HTTPMethod: "GET", URLPath: "/",
			ExpectedCodes: "200-299", HTTPVersion: "1.1", DomainName: "example.com",
		},
	}
	pool.DefaultTLS(lbaas.DefaultTLS())
	return &lbaas.LoadBalancer{
		Object: full("lb"), VIPAddress: netip.MustParseAddr("10.0.0.9"), VIPPortID: "port", VIPSubnetID: "s", VIPNetworkID: "n",
		VIPVNICType: lbaas.VNICNormal, Listeners: []*lbaas.Listener{listener}, Pools: []*lbaas.Pool{pool},
	}
}

func full(id string) lbaas.Object {
	return lbaas.Object{ID: id, ProjectID: "project", Name: "name of " + id, Description: "description of " + id, AdminStateUp: true}
}

func translated(lb *lbaas.LoadBalancer) []translate.Object {
	certificates := translate.Certificates{}
	for _, use := range []keymanager.Use{keymanager.Certificate, keymanager.Authorities} {
		for _, ref := range []string{"a1", "c1", "c2"} {
			certificates[keymanager.Reference{Ref: ref, Use: use}] = &keymanager.Material{Names: []string{ref}}
		}
	}
	return translate.Objects(lb, certificates, translate.Options{Cloud: "Default-Cloud", Version: "20.1.1"})
}

// lost are the fields of which Avi is told nothing, and why that is well. All others are made or named by Unsupported.
var lost = map[string]string{
	"Object.ProjectID":   "the tenant's name",
	"Object.Tags":        "Avi has no tags in the data models that are spoken",
	"Object.CreatedAt":   "of the database",
	"Object.UpdatedAt":   "of the database",
	"Object.Progress":    "of the database, and the mark of each object",
	"Object.Operating":   "of the database",
	"Member.Name":        "servers have no names",
	"Member.Description": "members have none",
	"Member.Number":      "Avi's hash is its own",
	"Member.SubnetID":    "told where pools name their networks; no schema of a server has it",
	"Member.Tags":        "Avi has no tags in the data models that are spoken",

	"HealthMonitor.Description": "health monitors have none",
	"L7Policy.Description":      "rules of policy sets have none",
	"L7Rule.ID":                 "conditions of a rule have no names",
	"L7Rule.Name":               "L7 rules have none",
	"L7Rule.Description":        "L7 rules have none",

	"LoadBalancer.VIPNetworkID":      "the port and the subnet say it",
	"LoadBalancer.VIPPortOwned":      "the API's",
	"LoadBalancer.Provider":          "whoever calls",
	"LoadBalancer.FlavorID":          "its data is read",
	"LoadBalancer.FlavorProfileID":   "the store's, to see that the flavor is what was judged",
	"LoadBalancer.Flavor":            "read by the provider, which translates it into options",
	"LoadBalancer.Zone":              "availability zones are refused",
	"LoadBalancer.FailedOver":        "the controller fails over by itself, and the face says so",
	"LoadBalancer.Host":              "Avi is on no host of ours",
	"LoadBalancer.Epoch":             "in the mark of each object",
	"L7Policy.LoadBalancerID":        "the tree",
	"L7Policy.ListenerID":            "the tree",
	"L7Rule.LoadBalancerID":          "the tree",
	"L7Rule.L7PolicyID":              "the tree",
	"Listener.LoadBalancerID":        "the tree",
	"Listener.ALPNProtocols":         "Avi's application profiles have their own",
	"Listener.HSTSIncludeSubdomains": "nothing without hsts_max_age",
	"Listener.HSTSPreload":           "nothing without hsts_max_age",
	"Pool.LoadBalancerID":            "the tree",
	"Pool.ListenerIDs":               "of lists",
	"Pool.ALPNProtocols":             "Avi's application profiles have their own",
	"Member.LoadBalancerID":          "the tree",
	"Member.PoolID":                  "the tree",
	"HealthMonitor.LoadBalancerID":   "the tree",
	"HealthMonitor.PoolID":           "the tree",
}

// TestEveryField changes each field of a tree by itself: what is neither made otherwise then nor named as unsupported has to be on the
// list of what is lost, and only that.
func TestEveryField(t *testing.T) {
	if got := Unsupported(fullTree()); len(got) > 0 {
		t.Fatalf("what Avi makes is unsupported: %v", got)
	}
	before := translated(fullTree())
	seen := map[string]bool{}
	for i, part := range fullTree().Parts() {
		for _, field := range fieldsOf(part) {
			lb := fullTree()
			changed := lb.Parts()[i]
			path := reflect.TypeOf(part).Elem().Name() + "." + field
			if !change(valueOf(changed, field)) {
				continue // what is below it is looked at by itself
			}
			if _, own := lost[path]; !own && isCommon(field) && lost["Object."+field] != "" {
				path = "Object." + field
			}
			told := len(Unsupported(lb)) > 0 || !cmp.Equal(before, translated(lb))
			if told {
				seen[path] = true
			} else if _, found := seen[path]; !found {
				seen[path] = false
			}
		}
	}
	for path, told := range seen {
		if why := lost[path]; (why == "") != told {
			t.Errorf("%s is told: %v, and lost because of %q", path, told, why)
		}
	}
	for path := range lost {
		if _, found := seen[path]; !found {
			t.Errorf("%s is no field", path)
		}
	}
}

// fieldsOf are the fields of a part, those of its Object and of a pool's session persistence included.
func fieldsOf(part lbaas.Part) (fields []string) {
	for _, f := range reflect.VisibleFields(reflect.TypeOf(part).Elem()) {
		if !f.Anonymous {
			fields = append(fields, f.Name)
		}
	}
	if _, ok := part.(*lbaas.Pool); ok {
		for _, f := range reflect.VisibleFields(reflect.TypeFor[lbaas.SessionPersistence]()) {
			fields = append(fields, "SessionPersistence."+f.Name)
		}
	}
	return fields
}

func isCommon(field string) bool {
	_, ok := reflect.TypeFor[lbaas.Object]().FieldByName(field)
	return ok
}

func valueOf(part lbaas.Part, field string) reflect.Value {
	if p, ok := part.(*lbaas.Pool); ok && len(field) > len("SessionPersistence.") && field[:len("SessionPersistence.")] == "SessionPersistence." {
		return reflect.ValueOf(p.SessionPersistence).Elem().FieldByName(field[len("SessionPersistence."):])
	}
	return reflect.ValueOf(part).Elem().FieldByName(field)
}

// change gives a field another value, and tells whether it can.
func change(v reflect.Value) bool {
	if special(v) {
		return true
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(v.String() + "1")
	case reflect.Int, reflect.Int64:
		v.SetInt(v.Int() + 1)
	case reflect.Bool:
		v.SetBool(!v.Bool())
	default:
		return false
	}
	return true
}

func special(v reflect.Value) bool {
	var other any
	seven := 7
	switch is := v.Interface().(type) {
	case netip.Addr:
		other = netip.MustParseAddr("10.9.9.9")
	case *int:
		other = &seven
	case []string:
		other = append([]string{"TLSv1.1"}, is...)
	case []lbaas.AdditionalVIP:
		other = []lbaas.AdditionalVIP{{Address: netip.MustParseAddr("10.9.9.9")}}
	case []*lbaas.RateLimitPolicy:
		other = []*lbaas.RateLimitPolicy{{Action: lbaas.RateLimitDeny}}
	case map[string]string:
		other = map[string]string{"X-Forwarded-Proto": "true"}
	case map[string]any:
		other = map[string]any{"key": "value"}
	case lbaas.Progress:
		other = lbaas.Progress{Generation: 7}
	case time.Time:
		other = time.Unix(7, 0)
	default:
		return false
	}
	v.Set(reflect.ValueOf(other))
	return true
}

func TestUnsupported(t *testing.T) {
	five := 5
	listener := func(set func(*lbaas.Listener)) func(*lbaas.LoadBalancer) {
		return func(lb *lbaas.LoadBalancer) { set(lb.Listeners[0]) }
	}
	pool := func(set func(*lbaas.Pool)) func(*lbaas.LoadBalancer) {
		return func(lb *lbaas.LoadBalancer) { set(lb.Pools[0]) }
	}
	member := func(set func(*lbaas.Member)) func(*lbaas.LoadBalancer) {
		return func(lb *lbaas.LoadBalancer) { set(lb.Pools[0].Members[0]) }
	}
	cases := []struct {
		option, id string
		set        func(lb *lbaas.LoadBalancer)
	}{
		{"additional_vips 10.0.1.9", "lb", func(lb *lbaas.LoadBalancer) {
			lb.AdditionalVIPs = []lbaas.AdditionalVIP{{Address: netip.MustParseAddr("10.0.1.9")}}
		}},
		{"vip_qos_policy_id q", "lb", func(lb *lbaas.LoadBalancer) { lb.VIPQoSPolicyID = "q" }},
		{"vip_sg_ids a, b", "lb", func(lb *lbaas.LoadBalancer) { lb.VIPSecurityGroupIDs = []string{"a", "b"} }},
		{"vip_vnic_type direct", "lb", func(lb *lbaas.LoadBalancer) { lb.VIPVNICType = lbaas.VNICDirect }},
		{"availability_zone z", "lb", func(lb *lbaas.LoadBalancer) { lb.AvailabilityZone = "z" }},
		{"access_log true", "lb", func(lb *lbaas.LoadBalancer) { lb.AccessLog = true }},
		{"insert_headers X-Forwarded-Port", "l", listener(func(l *lbaas.Listener) { l.InsertHeaders["X-Forwarded-Port"] = "true" })},
		{"allowed_cidrs 10.0.0.0/8, 192.0.2.0/24", "l", listener(func(l *lbaas.Listener) {
			l.AllowedCIDRs = []string{"10.0.0.0/8", "192.0.2.0/24"}
		})},
		{"timeout_client_data 0", "l", listener(func(l *lbaas.Listener) { l.TimeoutClientData = 0 })},
		{"timeout_member_connect 1", "l", listener(func(l *lbaas.Listener) { l.TimeoutMemberConnect = 1 })},
		{"timeout_member_data 1", "l", listener(func(l *lbaas.Listener) { l.TimeoutMemberData = 1 })},
		{"timeout_tcp_inspect 1", "l", listener(func(l *lbaas.Listener) { l.TimeoutTCPInspect = 1 })},
		{"client_authentication OPTIONAL", "l", listener(func(l *lbaas.Listener) { l.ClientAuthentication = lbaas.ClientAuthOptional })},
		{"client_ca_tls_container_ref r", "l", listener(func(l *lbaas.Listener) { l.ClientCATLSContainerRef = "r" })},
		{"client_crl_container_ref r", "l", listener(func(l *lbaas.Listener) { l.ClientCRLContainerRef = "r" })},
		{"hsts_max_age 5", "l", listener(func(l *lbaas.Listener) { l.HSTSMaxAge = &five })},
		{"tls_versions SSLv3", "l", listener(func(l *lbaas.Listener) { l.TLSVersions = []string{"SSLv3", "TLSv1"} })},
		{"rate limit policy action QUEUE", "r", listener(func(l *lbaas.Listener) {
			l.RateLimitPolicies = []*lbaas.RateLimitPolicy{{Object: full("r"), Action: lbaas.RateLimitQueue}}
		})},
		{"redirect_http_code 308", "policy0", listener(func(l *lbaas.Listener) { l.L7Policies[0].RedirectHTTPCode = 308 })},
		{"L7 rule type SSL_CONN_HAS_CERT", "rule", listener(func(l *lbaas.Listener) {
			l.L7Policies[0].Rules[0].Type = lbaas.RuleSSLConnHasCert
		})},
		{"pool protocol PROXYV2", "p", pool(func(p *lbaas.Pool) { p.Protocol = lbaas.ProxyV2 })},
		{"lb_algorithm RANDOM", "p", pool(func(p *lbaas.Pool) { p.Algorithm = "RANDOM" })},
		{"persistence_granularity 255.0.0.0", "p", pool(func(p *lbaas.Pool) {
			p.SessionPersistence.PersistenceGranularity = "255.0.0.0"
		})},
		{"crl_container_ref r", "p", pool(func(p *lbaas.Pool) { p.CRLContainerRef = "r" })},
		{"tls_versions SSLv3", "p", pool(func(p *lbaas.Pool) { p.TLSVersions = []string{"SSLv3"} })},
		{"backup true", "m", member(func(m *lbaas.Member) { m.Backup = true })},
		{"monitor_address 10.0.0.3", "m", member(func(m *lbaas.Member) { m.MonitorAddress = netip.MustParseAddr("10.0.0.3") })},
		{"monitor_port 81", "m", member(func(m *lbaas.Member) { m.MonitorPort = 81 })},
		{"vnic_type direct", "m", member(func(m *lbaas.Member) { m.VNICType = lbaas.VNICDirect })},
		{"health monitor type TLS-HELLO", "h", pool(func(p *lbaas.Pool) { p.HealthMonitor.Type = lbaas.MonitorTLSHello })},
		{"health monitor timeout 6 with a delay of 5", "h", pool(func(p *lbaas.Pool) { p.HealthMonitor.Timeout = 6 })},
	}
	for _, test := range cases {
		lb := providertest.Clone(fullTree())
		test.set(lb)
		want := []provider.OptionError{{ObjectID: test.id, Option: test.option}}
		if diff := cmp.Diff(want, Unsupported(lb)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.option, diff)
		}
	}
}

// TestUnsupportedProtocols shows what of a tree means nothing on listeners that pass bytes.
func TestUnsupportedProtocols(t *testing.T) {
	cases := map[lbaas.Protocol][]string{
		lbaas.UDP: {
			"listener protocol UDP", "L7 policies of a listener of protocol UDP", "session_persistence APP_COOKIE with a listener of protocol UDP",
			"tls_enabled true with a listener of protocol UDP",
		},
		lbaas.TCP: {
			"L7 policies of a listener of protocol TCP", "session_persistence APP_COOKIE with a listener of protocol TCP",
			"tls_enabled true with a listener of protocol TCP",
		},
		lbaas.HTTP: nil,
	}
	for protocol, want := range cases {
		lb := fullTree()
		l := lb.Listeners[0]
		l.Protocol, l.L7Policies = protocol, l.L7Policies[:1]
		var got []string
		for _, o := range Unsupported(lb) {
			got = append(got, o.Option)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("listener of protocol %s (-want +got):\n%s", protocol, diff)
		}
	}
}

// TestUnsupportedByVersion shows that TLS 1.3 alone is not for the data models that do not know it, nor are its ciphers.
func TestUnsupportedByVersion(t *testing.T) {
	lb := fullTree()
	lb.Listeners[0].TLSVersions, lb.Pools[0].TLSCiphers = []string{"TLSv1.3"}, "TLS_AES_128_GCM_SHA256"
	for version, want := range map[string]int{"": 0, "18.1.2": 2, "18.2.6": 0} {
		if got := unsupported(lb, version); len(got) != want {
			t.Errorf("version %q: %v", version, got)
		}
	}
}

func TestRemark(t *testing.T) {
	tests := []struct {
		part lbaas.Part
		want string
	}{
		{&lbaas.Listener{}, ""},
		{&lbaas.Member{Weight: 1}, ""},
		{&lbaas.Member{Weight: 0}, "Avi ends the connections of a member of weight 0 after the pool's graceful_disable_timeout: a minute, " +
			"unless it was changed there."},
		{&lbaas.Member{Weight: 2}, "Avi has 20 steps for weights: 2 is step 1, as is each from 1 to 12."},
		{&lbaas.Member{Weight: 100}, "Avi has 20 steps for weights: 100 is step 8, as is each from 90 to 102."},
		{&lbaas.Member{Weight: 256}, "Avi has 20 steps for weights: 256 is step 20, as is each from 245 to 256."},
		{&lbaas.HealthMonitor{Type: lbaas.MonitorTCP, Delay: 5, Timeout: 4}, ""},
		{&lbaas.HealthMonitor{Type: lbaas.MonitorTCP, Delay: 5, Timeout: 5},
			"Avi waits for an answer before it asks again: it asks every 6 seconds, not every 5."},
		{&lbaas.HealthMonitor{Type: lbaas.MonitorHTTP, Delay: 5, Timeout: 4, ExpectedCodes: "200-299"}, ""},
		{&lbaas.HealthMonitor{Type: lbaas.MonitorHTTP, Delay: 5, Timeout: 4},
			"Avi checks classes of status codes: 200 is checked as 2XX."},
		{&lbaas.HealthMonitor{Type: lbaas.MonitorHTTPS, Delay: 5, Timeout: 4, ExpectedCodes: "200,404"},
			"Avi checks classes of status codes: 200,404 is checked as 2XX, 4XX."},
		{&lbaas.HealthMonitor{Type: lbaas.MonitorHTTPS, Delay: 5, Timeout: 4, ExpectedCodes: "999"}, ""},
	}
	for _, test := range tests {
		if got := Remark(test.part); got != test.want {
			t.Errorf("Remark(%+v): %q, want %q", test.part, got, test.want)
		}
	}
}
