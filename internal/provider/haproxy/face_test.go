package haproxy

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"plimsoll/internal/provider"
	"plimsoll/internal/provider/providertest"
	"plimsoll/lbaas"
)

func TestUnsupported(t *testing.T) {
	tree := newWorld().Tree(t)
	if got := Unsupported(tree); len(got) > 0 {
		t.Errorf("an ordinary tree has unsupported options: %v", got)
	}
	age := 0
	cases := []struct {
		option string
		set    func(lb *lbaas.LoadBalancer)
	}{
		{"vip_qos_policy_id", func(lb *lbaas.LoadBalancer) { lb.VIPQoSPolicyID = "x" }},
		{"vip_sg_ids", func(lb *lbaas.LoadBalancer) { lb.VIPSecurityGroupIDs = []string{"x"} }},
		{"vip_vnic_type direct", func(lb *lbaas.LoadBalancer) { lb.VIPVNICType = lbaas.VNICDirect }},
		{"availability_zone", func(lb *lbaas.LoadBalancer) { lb.AvailabilityZone = "x" }},
		{"listener protocol TERMINATED_HTTPS", func(lb *lbaas.LoadBalancer) { lb.Listeners[0].Protocol = lbaas.TerminatedHTTPS }},
		{"listener protocol UDP", func(lb *lbaas.LoadBalancer) { lb.Listeners[0].Protocol = lbaas.UDP }},
		{"listener protocol SCTP", func(lb *lbaas.LoadBalancer) { lb.Listeners[0].Protocol = lbaas.SCTP }},
		{"listener protocol PROMETHEUS", func(lb *lbaas.LoadBalancer) { lb.Listeners[0].Protocol = lbaas.Prometheus }},
		{"insert_headers X-Unknown", func(lb *lbaas.LoadBalancer) {
			lb.Listeners[0].InsertHeaders = map[string]string{"X-Forwarded-For": "true", "X-SSL-Issuer": "true", "X-Unknown": "true"}
		}},
		{"default_tls_container_ref", func(lb *lbaas.LoadBalancer) { lb.Listeners[0].DefaultTLSContainerRef = "x" }},
		{"sni_container_refs", func(lb *lbaas.LoadBalancer) { lb.Listeners[0].SNIContainerRefs = []string{"x"} }},
		{"client_ca_tls_container_ref", func(lb *lbaas.LoadBalancer) { lb.Listeners[0].ClientCATLSContainerRef = "x" }},
		{"client_authentication MANDATORY", func(lb *lbaas.LoadBalancer) { lb.Listeners[0].ClientAuthentication = lbaas.ClientAuthMandatory }},
		{"client_crl_container_ref", func(lb *lbaas.LoadBalancer) { lb.Listeners[0].ClientCRLContainerRef = "x" }},
		{"hsts_max_age", func(lb *lbaas.LoadBalancer) { lb.Listeners[0].HSTSMaxAge = &age }},
		{"L7 policy action REJECT", func(lb *lbaas.LoadBalancer) {
			lb.Listeners[0].L7Policies = []*lbaas.L7Policy{{Action: lbaas.Reject}}
		}},
		{"rate limit policy action DENY", func(lb *lbaas.LoadBalancer) {
			lb.Listeners[0].RateLimitPolicies = []*lbaas.RateLimitPolicy{{Action: lbaas.RateLimitDeny}}
		}},
		{"lb_algorithm SOURCE_IP_PORT", func(lb *lbaas.LoadBalancer) { lb.Pools[0].Algorithm = lbaas.SourceIPPort }},
		{"session_persistence HTTP_COOKIE", func(lb *lbaas.LoadBalancer) {
			lb.Pools[0].SessionPersistence = &lbaas.SessionPersistence{Type: lbaas.PersistHTTPCookie}
		}},
		{"tls_enabled", func(lb *lbaas.LoadBalancer) { lb.Pools[0].TLSEnabled = true }},
		{"tls_container_ref", func(lb *lbaas.LoadBalancer) { lb.Pools[0].TLSContainerRef = "x" }},
		{"ca_tls_container_ref", func(lb *lbaas.LoadBalancer) { lb.Pools[0].CATLSContainerRef = "x" }},
		{"crl_container_ref", func(lb *lbaas.LoadBalancer) { lb.Pools[0].CRLContainerRef = "x" }},
		{"vnic_type direct", func(lb *lbaas.LoadBalancer) { lb.Pools[0].Members[0].VNICType = "direct" }},
		{"health monitor type GRPC", monitor("GRPC")},
	}
	for _, test := range cases {
		lb := providertest.Clone(tree)
		test.set(lb)
		var got []string
		for _, o := range Unsupported(lb) {
			got = append(got, o.Option)
		}
		if diff := cmp.Diff([]string{test.option}, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.option, diff)
		}
	}
}

func monitor(kind lbaas.MonitorType) func(lb *lbaas.LoadBalancer) {
	return func(lb *lbaas.LoadBalancer) {
		lb.Pools[0].HealthMonitor = &lbaas.HealthMonitor{Object: lbaas.Object{ID: "m"}, Type: kind}
	}
}

// TestSupported has what an ordinary tree lacks, and the provider has.
func TestSupported(t *testing.T) {
	lb := newWorld().Tree(t)
	lb.FlavorID, lb.Flavor, lb.FailedOver = "x", map[string]any{"maxconn": 5.0}, 1
	lb.VIPVNICType = lbaas.VNICNormal
	lb.AdditionalVIPs = []lbaas.AdditionalVIP{{SubnetID: "x"}}
	lb.Pools[0].Protocol = lbaas.ProxyV2
	for _, kind := range lbaas.MonitorTypes() {
		monitor(kind)(lb)
		if got := Unsupported(lb); len(got) > 0 {
			t.Errorf("unsupported with a monitor of type %s: %v", kind, got)
		}
	}
}

func TestCheckFlavor(t *testing.T) {
	check := Face().CheckFlavor
	for _, test := range []struct {
		data map[string]any
		want string
	}{
		{map[string]any{"loadbalancer_topology": "ACTIVE_STANDBY"}, "flavor loadbalancer_topology ACTIVE_STANDBY"},
		{map[string]any{"compute_flavor": "m1"}, "flavor key compute_flavor"},
		{map[string]any{"maxconn": -1.0}, "flavor maxconn -1 (an integer from 1 to 1000000)"},
	} {
		err := check(t.Context(), test.data)
		if want := "Provider 'haproxy' does not support a requested option: " + test.want; !errors.Is(err, lbaas.Unsupported) || err.Error() != want {
			t.Errorf("checkFlavor(%v) gives %v, want %s", test.data, err, want)
		}
	}
	known := map[string]any{}
	for _, key := range Face().Capabilities.FlavorKeys {
		known[key.Name] = map[string]any{"loadbalancer_topology": "SINGLE", "maxconn": 1.0}[key.Name]
	}
	if err := check(t.Context(), known); err != nil || len(known) != 2 {
		t.Errorf("checkFlavor(%v) gives %v", known, err)
	}
	if Face().CheckZone != nil {
		t.Error("there are zones")
	}
}

// TestUnsupportedObject shows that the object is named, too.
func TestUnsupportedObject(t *testing.T) {
	lb := newWorld().Tree(t)
	lb.Pools[0].Protocol = lbaas.UDP
	want := []provider.OptionError{{ObjectID: lb.Pools[0].ID, Option: "pool protocol UDP"}}
	if diff := cmp.Diff(want, Unsupported(lb)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
