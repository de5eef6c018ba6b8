package haproxy

import (
	"errors"
	"net/netip"
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
	cases := []struct {
		option string
		set    func(lb *lbaas.LoadBalancer)
	}{
		{"vip_qos_policy_id", func(lb *lbaas.LoadBalancer) { lb.VIPQoSPolicyID = "x" }},
		{"vip_vnic_type direct", func(lb *lbaas.LoadBalancer) { lb.VIPVNICType = lbaas.VNICDirect }},
		{"availability_zone", func(lb *lbaas.LoadBalancer) { lb.AvailabilityZone = "x" }},
		{"lb_algorithm LEAST_CONNECTIONS with protocol UDP", func(lb *lbaas.LoadBalancer) {
			lb.Pools[0].Protocol, lb.Pools[0].Algorithm = lbaas.UDP, lbaas.LeastConnections
		}},
		{"persistence_granularity 255.0.255.0", func(lb *lbaas.LoadBalancer) {
			lb.Pools[0].Protocol = lbaas.SCTP
			lb.Pools[0].SessionPersistence = &lbaas.SessionPersistence{Type: lbaas.PersistSourceIP, PersistenceGranularity: "255.0.255.0"}
		}},
		{"member address 2001:db8::1 with protocol UDP and no VIP of its IP version", func(lb *lbaas.LoadBalancer) {
			lb.Pools[0].Protocol, lb.Pools[0].Members[0].Address = lbaas.UDP, netip.MustParseAddr("2001:db8::1")
		}},
		{"listener protocol QUIC", func(lb *lbaas.LoadBalancer) { lb.Listeners[0].Protocol = "QUIC" }},
		{"insert_headers X-Unknown", func(lb *lbaas.LoadBalancer) {
			lb.Listeners[0].InsertHeaders = map[string]string{"X-Forwarded-For": "true", "X-SSL-Issuer": "true", "X-Unknown": "true"}
		}},
		{"L7 policies of a listener of protocol TCP", func(lb *lbaas.LoadBalancer) {
			lb.Listeners[0].Protocol = lbaas.TCP
			lb.Listeners[0].L7Policies = []*lbaas.L7Policy{{Action: lbaas.Reject}}
		}},
		{"L7 rule key with a comma", func(lb *lbaas.LoadBalancer) {
			r := &lbaas.L7Rule{Type: lbaas.RuleHeader, CompareType: lbaas.CompareEqualTo, Key: "a,b", Value: "x"}
			lb.Listeners[0].L7Policies = []*lbaas.L7Policy{{Action: lbaas.Reject, Rules: []*lbaas.L7Rule{r}}}
		}},
		{"L7 rule value with a character that cannot be printed", func(lb *lbaas.LoadBalancer) {
			r := &lbaas.L7Rule{Type: lbaas.RuleHeader, CompareType: lbaas.CompareEqualTo, Key: "a", Value: "\"x\ty\""}
			lb.Listeners[0].L7Policies = []*lbaas.L7Policy{{Action: lbaas.Reject, Rules: []*lbaas.L7Rule{r}}}
		}},
		{"rate limit policy action QUEUE", limited(lbaas.RateLimitQueue)},
		{"rate limit metric PACKETS", limited(lbaas.RateLimitReject, rate(lbaas.RatePackets, 1))},
		{"rate limit threshold of more than 4000000 KBYTES", limited(lbaas.RateLimitDeny,
			&lbaas.RateLimitRule{Metric: lbaas.RateKBytes, Threshold: 4_000_001, Interval: 1})},
		{"rate limit URL that is not a path only", limited(lbaas.RateLimitDeny,
			&lbaas.RateLimitRule{Metric: lbaas.RateRequestsPerURL, Interval: 1, URLs: []string{"/a", "/b?c"}})},
		{"rate limit rules of more than 3 kinds (requests and kbytes, or requests of URLs, by interval) on one listener", limited(
			lbaas.RateLimitDeny, rate(lbaas.RateRequests, 1), rate(lbaas.RateRequests, 2), rate(lbaas.RateRequests, 3), rate(lbaas.RateKBytes, 4))},
		{"session_persistence HTTP_COOKIE with a listener of protocol TCP", persistent(lbaas.PersistHTTPCookie)},
		{"session_persistence APP_COOKIE with a listener of protocol TCP", persistent(lbaas.PersistAppCookie)},
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

func limited(action lbaas.RateLimitAction, rules ...*lbaas.RateLimitRule) func(lb *lbaas.LoadBalancer) {
	return func(lb *lbaas.LoadBalancer) {
		for _, r := range rules {
			r.AdminStateUp = true
		}
		p := &lbaas.RateLimitPolicy{Object: lbaas.Object{AdminStateUp: true}, Action: action, Rules: rules}
		lb.Listeners[0].RateLimitPolicies = []*lbaas.RateLimitPolicy{p}
	}
}

func rate(m lbaas.RateLimitMetric, interval int) *lbaas.RateLimitRule {
	return &lbaas.RateLimitRule{Metric: m, Threshold: 1, Interval: interval}
}

func persistent(t lbaas.PersistenceType) func(lb *lbaas.LoadBalancer) {
	return func(lb *lbaas.LoadBalancer) {
		lb.Listeners[0].Protocol = lbaas.TCP
		lb.Pools[0].SessionPersistence = &lbaas.SessionPersistence{Type: t, CookieName: "x"}
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
	lb.Pools[0].Algorithm = lbaas.SourceIPPort
	lb.Pools[0].SessionPersistence = &lbaas.SessionPersistence{Type: lbaas.PersistAppCookie, CookieName: "x"}
	lb.Listeners[0].L7Policies = []*lbaas.L7Policy{{Action: lbaas.Reject}}
	limited(lbaas.RateLimitDeny, rate(lbaas.RateRequests, 1), rate(lbaas.RateKBytes, 2))(lb)
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
	lb.Pools[0].Protocol = "QUIC"
	want := []provider.OptionError{{ObjectID: lb.Pools[0].ID, Option: "pool protocol QUIC"}}
	if diff := cmp.Diff(want, Unsupported(lb)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
