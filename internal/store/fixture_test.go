package store_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"reflect"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/google/uuid"

	"plimsoll/internal/store"
	"plimsoll/lbaas"
)

// hostile are texts that a database may mangle.
var hostile = []string{
	"two\nlines\r\n\ttab", `it's "quoted"`, `back\slash \' \" \\ \n \0 %_`, "trailing spaces  ", "trailing spaces",
	"Case", "case", "é", "e\u0301", "👩‍🚀 𝄞 \U0010FFFF", "?", "? ?0 ?name :name @name $1", "`; DROP TABLE listeners; --",
	"{{.Table}}", "<html>&amp;\u2028", "\u0085\u200b", "'", `"`, `\`, "--", "/*", "\x01\x7f",
}

var compare = cmp.Options{
	cmpopts.EquateComparable(netip.Addr{}),
}

func ptr[T any](v T) *T { return &v }

// fullTree is a load balancer of which every attribute of every noun is set.
func fullTree() *lbaas.LoadBalancer {
	pool := fullPool()
	listener := fullListener()
	listener.DefaultPoolID = pool.ID
	for _, p := range listener.L7Policies {
		p.RedirectPoolID = pool.ID
	}
	return &lbaas.LoadBalancer{
		Object:     fullObject("lb"),
		VIPAddress: netip.MustParseAddr("2001:db8::7"), VIPPortID: uuid.NewString(), VIPSubnetID: uuid.NewString(),
		VIPNetworkID: uuid.NewString(), VIPQoSPolicyID: uuid.NewString(), VIPPortOwned: true,
		Provider: "haproxy", FlavorID: uuid.NewString(), AvailabilityZone: "zone", Host: "host-" + uuid.NewString(),
		Flavor: map[string]any{"size": "large"}, Zone: map[string]any{"racks": []any{"a", "b"}},
		VIPVNICType: "direct", VIPSecurityGroupIDs: []string{uuid.NewString(), uuid.NewString()}, FailedOver: 1, AccessLog: true,
		AdditionalVIPs: []lbaas.AdditionalVIP{
			{SubnetID: uuid.NewString(), Address: netip.MustParseAddr("2001:db8:1::7"), PortID: uuid.NewString()},
			{SubnetID: uuid.NewString()},
		},
		Listeners: []*lbaas.Listener{listener},
		Pools:     []*lbaas.Pool{pool},
	}
}

func fullObject(name string) lbaas.Object {
	return lbaas.Object{
		ID: uuid.NewString(), ProjectID: "project", Name: name, Description: "description of " + name,
		AdminStateUp: true, Tags: []string{"a", `b "c"`, "d,e"},
	}
}

func fullListener() *lbaas.Listener {
	return &lbaas.Listener{
		Object: fullObject("listener"), Protocol: lbaas.TerminatedHTTPS, ProtocolPort: 443, ConnectionLimit: ptr(100),
		InsertHeaders: map[string]string{"X-Forwarded-For": "true", "X-Forwarded-Port": `"`},
		AllowedCIDRs:  []string{"2001:db8::/32", "::/0"},

		TimeoutClientData: 1, TimeoutMemberConnect: 2, TimeoutMemberData: 3, TimeoutTCPInspect: 4,
		DefaultTLSContainerRef: "http://keys/1", SNIContainerRefs: []string{"http://keys/2", "http://keys/3"},
		ClientCATLSContainerRef: "http://keys/4", ClientAuthentication: lbaas.ClientAuthOptional,
		ClientCRLContainerRef: "http://keys/5", TLSCiphers: "A:B", TLSVersions: []string{"TLSv1.2", "TLSv1.3"},
		ALPNProtocols: []string{"h2"}, HSTSMaxAge: ptr(0), HSTSIncludeSubdomains: true, HSTSPreload: true,

		L7Policies:        []*lbaas.L7Policy{fullL7Policy(1), fullL7Policy(2)},
		RateLimitPolicies: []*lbaas.RateLimitPolicy{fullRateLimit()},
	}
}

func fullL7Policy(position int) *lbaas.L7Policy {
	return &lbaas.L7Policy{
		Object: fullObject(fmt.Sprint("policy ", position)), Action: lbaas.RedirectToPool, RedirectPoolID: "set with the pool",
		RedirectURL: "http://example.org/", RedirectPrefix: "https://example.org", RedirectHTTPCode: 303, Position: position,
		Rules: []*lbaas.L7Rule{fullL7Rule(fmt.Sprint("rule ", position, " a")), fullL7Rule(fmt.Sprint("rule ", position, " b"))},
	}
}

func fullL7Rule(name string) *lbaas.L7Rule {
	return &lbaas.L7Rule{
		Object: fullObject(name), Type: lbaas.RuleHeader, CompareType: lbaas.CompareRegex, Key: "X-Key", Value: "^v$", Invert: true,
	}
}

func fullRateLimit() *lbaas.RateLimitPolicy {
	return &lbaas.RateLimitPolicy{
		Object: fullObject("limit"), Action: lbaas.RateLimitDeny,
		Rules: []*lbaas.RateLimitRule{{
			Object: fullObject("limit rule"), Metric: lbaas.RateRequestsPerURL, Threshold: 100, Interval: 10, URLs: []string{"/a", "/b"},
		}},
	}
}

func fullPool() *lbaas.Pool {
	pool := &lbaas.Pool{
		Object: fullObject("pool"), Protocol: lbaas.HTTP, Algorithm: lbaas.SourceIP,
		SessionPersistence: &lbaas.SessionPersistence{
			Type: lbaas.PersistAppCookie, CookieName: "cookie", PersistenceTimeout: ptr(0), PersistenceGranularity: "255.255.0.0",
		},
		TLSEnabled: true, TLSContainerRef: "http://keys/6", CATLSContainerRef: "http://keys/7", CRLContainerRef: "http://keys/8",
		TLSCiphers: "C", TLSVersions: []string{"TLSv1.3"}, ALPNProtocols: []string{"http/1.1"},
	}
	for i := range 3 {
		pool.Members = append(pool.Members, fullMember(i))
	}
	pool.HealthMonitor = &lbaas.HealthMonitor{
		Object: fullObject("monitor"), Type: lbaas.MonitorHTTP, Delay: 5, Timeout: 3, MaxRetries: 2, MaxRetriesDown: 4,
		HTTPMethod: "HEAD", URLPath: "/up", ExpectedCodes: "200-299", HTTPVersion: "1.1", DomainName: "example.org",
	}
	return pool
}

func fullMember(i int) *lbaas.Member {
	return &lbaas.Member{
		Object: fullObject(fmt.Sprint("member ", i)), Address: netip.MustParseAddr(fmt.Sprintf("10.0.%d.%d", i/250, i%250+1)), ProtocolPort: 8080,
		Weight: 7, Backup: true, SubnetID: uuid.NewString(), MonitorAddress: netip.MustParseAddr("10.1.0.1"),
		MonitorPort: 9090, VNICType: "normal",
	}
}

// bareTree is a load balancer of which nothing is set that can be left out.
func bareTree() *lbaas.LoadBalancer {
	pool := &lbaas.Pool{Protocol: lbaas.HTTP, Members: []*lbaas.Member{{Address: netip.MustParseAddr("10.0.0.1"), ProtocolPort: 80}},
		HealthMonitor: &lbaas.HealthMonitor{Type: lbaas.MonitorTCP}}
	listener := &lbaas.Listener{
		Protocol: lbaas.HTTP, ProtocolPort: 80,
		L7Policies:        []*lbaas.L7Policy{{Action: lbaas.Reject, Rules: []*lbaas.L7Rule{{}}}},
		RateLimitPolicies: []*lbaas.RateLimitPolicy{{Rules: []*lbaas.RateLimitRule{{}}}},
	}
	return &lbaas.LoadBalancer{Listeners: []*lbaas.Listener{listener}, Pools: []*lbaas.Pool{pool}}
}

// TestFixture fails when a field is added to the domain that fullTree does not set, and that the round trips then would miss.
func TestFixture(t *testing.T) {
	notHere := map[string]bool{"Epoch": true, "ListenerIDs": true, "CreatedAt": true, "UpdatedAt": true, "Progress": true,
		"Operating": true, "LoadBalancerID": true, "PoolID": true, "Number": true,
		"ListenerID": true, "L7PolicyID": true, "RateLimitPolicyID": true, "Flavor": true, "FlavorProfileID": true, "Zone": true}
	for _, part := range fullTree().Parts() {
		v := reflect.ValueOf(part).Elem()
		for _, f := range reflect.VisibleFields(v.Type()) {
			if !f.Anonymous && !notHere[f.Name] && v.FieldByIndex(f.Index).IsZero() {
				t.Errorf("the fixture's %s does not set %s", part.Noun(), f.Name)
			}
		}
	}
}

func create(t testing.TB, s *store.Store, lb *lbaas.LoadBalancer) *lbaas.LoadBalancer {
	t.Helper()
	offer(t, s, lb)
	if err := s.CreateLoadBalancer(context.Background(), lb); err != nil {
		t.Fatal(err)
	}
	return lb
}

// offer makes the flavor and the availability zone that a load balancer names, where they are not there yet.
func offer(t testing.TB, s *store.Store, lb *lbaas.LoadBalancer) {
	t.Helper()
	ctx := context.Background()
	if _, err := s.Flavor(ctx, lb.FlavorID); lb.FlavorID != "" && errors.Is(err, lbaas.NotFound) {
		p := &lbaas.FlavorProfile{Provider: lb.Provider, Data: written(t, lb.Flavor)}
		f := &lbaas.Flavor{ID: lb.FlavorID, Name: lb.FlavorID, Enabled: true}
		err = s.CreateFlavorProfile(ctx, p)
		f.FlavorProfileID = p.ID
		if err = errors.Join(err, s.CreateFlavor(ctx, f)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.AvailabilityZone(ctx, lb.AvailabilityZone); lb.AvailabilityZone != "" && errors.Is(err, lbaas.NotFound) {
		p := &lbaas.AvailabilityZoneProfile{Provider: lb.Provider, Data: written(t, lb.Zone)}
		z := &lbaas.AvailabilityZone{Name: lb.AvailabilityZone, Enabled: true}
		err = s.CreateAvailabilityZoneProfile(ctx, p)
		z.ProfileID = p.ID
		if err = errors.Join(err, s.CreateAvailabilityZone(ctx, z)); err != nil {
			t.Fatal(err)
		}
	}
}

func written(t testing.TB, data map[string]any) string {
	t.Helper()
	text, err := json.Marshal(data)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func change(t testing.TB, s *store.Store, id string, fn func(c *store.Change) error) {
	t.Helper()
	if err := s.ChangeLoadBalancer(context.Background(), id, fn); err != nil {
		t.Fatal(err)
	}
}

func tree(t testing.TB, s *store.Store, id string) *lbaas.LoadBalancer {
	t.Helper()
	lb, err := s.Tree(context.Background(), id)
	if err != nil {
		t.Fatal(err)
	}
	return lb
}

// leaseOf acquires the lease of a load balancer.
func leaseOf(t testing.TB, s *store.Store, lb *lbaas.LoadBalancer) store.Lease {
	t.Helper()
	l, ok, err := s.AcquireLease(context.Background(), store.LeaseName(lb), "test", time.Minute)
	if err != nil || !ok {
		t.Fatalf("acquire the lease: %v, %v", ok, err)
	}
	return l
}

// achieve records that all that is wanted now is true.
func achieve(t testing.TB, s *store.Store, lb *lbaas.LoadBalancer) {
	t.Helper()
	now := tree(t, s, lb.ID)
	if err := s.Achieved(context.Background(), leaseOf(t, s, lb), lb.ID, now.Progress.Generation, nil, nil); err != nil {
		t.Fatal(err)
	}
}
