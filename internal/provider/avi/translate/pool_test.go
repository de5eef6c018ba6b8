package translate

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"plimsoll/internal/keymanager"
	"plimsoll/internal/network"
	"plimsoll/lbaas"
)

// poolSamples are pools of all kinds, and what they refer to.
func poolSamples(t *testing.T) map[string]sample {
	t.Helper()
	plain := Options{Cloud: "Default-Cloud", Version: "18.2.6"}
	return map[string]sample{
		"pools":         {poolsTree(), nil, plain},
		"monitors":      {monitorsTree(), nil, plain},
		"pool-tls":      {poolTLSTree(), poolCertificates(t), plain},
		"pool-tls-held": {poolTLSTree(), testCertificates(t), plain},
		"placement":     {placementTree(), nil, Options{Cloud: "Default-Cloud", Placement: true, Subnets: testSubnets()}},
	}
}

func TestPools(t *testing.T) {
	for name, s := range poolSamples(t) {
		t.Run(name, func(t *testing.T) {
			checkGolden(t, name, below(Objects(s.lb, s.certificates, s.options)))
		})
	}
}

// below leaves out what is above pools: other golden files have it.
func below(objects []Object) []Object {
	return slices.DeleteFunc(objects, func(o Object) bool { return o.Kind == VsVip || o.Kind == VirtualService })
}

// poolsTree has a listener with a pool of each algorithm and each persistence; the last is switched off.
func poolsTree() *lbaas.LoadBalancer {
	lb := sessionTree()
	first := lb.Listeners[0]
	lb.Listeners, lb.Pools = nil, nil
	persist := []*lbaas.SessionPersistence{
		nil, {Type: lbaas.PersistSourceIP}, {Type: lbaas.PersistHTTPCookie}, {Type: lbaas.PersistAppCookie, CookieName: "JSESSIONID_OF_SHOP"},
	}
	for i, a := range lbaas.Algorithms() {
		l := *first
		l.ID, l.ProtocolPort, l.DefaultPoolID = number(1, i), 80+i, number(4, i)
		p := &lbaas.Pool{Object: up(number(4, i), "pool"), Protocol: lbaas.HTTP, Algorithm: a, SessionPersistence: persist[i]}
		p.Description, p.AdminStateUp = "the pool\nof "+string(a), i < 3
		p.Members = []*lbaas.Member{member(3, 256), member(1, 0), member(2, 13)}
		p.Members[1].AdminStateUp, p.Members[2].AdminStateUp = true, i != 1
		lb.Listeners, lb.Pools = append(lb.Listeners, &l), append(lb.Pools, p)
	}
	lb.Pools[0].Name = ""
	return lb
}

func member(n, weight int) *lbaas.Member {
	return &lbaas.Member{
		Object: up(number(6, n), fmt.Sprint("member ", n)), Address: netip.AddrFrom4([4]byte{10, 0, 3, byte(n)}), ProtocolPort: 8000 + n, Weight: weight,
	}
}

// monitorsTree has a pool with a monitor of each type, one of them switched off, and one pool that two listeners share.
func monitorsTree() *lbaas.LoadBalancer {
	lb := poolsTree()
	for i, kind := range []lbaas.MonitorType{lbaas.MonitorPing, lbaas.MonitorTCP, lbaas.MonitorHTTP, lbaas.MonitorHTTPS} {
		lb.Pools[i].HealthMonitor = &lbaas.HealthMonitor{
			Object: up(number(7, i), ""), Type: kind, Delay: 5, Timeout: 2 + i, MaxRetries: 1 + i, MaxRetriesDown: 4 + i,
		}
		lb.Pools[i].SessionPersistence = nil
	}
	lb.Pools[1].HealthMonitor.AdminStateUp = false
	lb.Pools[2].HealthMonitor.DefaultHTTP()
	h := lb.Pools[3].HealthMonitor
	h.Name, h.HTTPMethod, h.URLPath, h.ExpectedCodes = "alive", "HEAD", "/alive?x=1", "200-404"
	h.HTTPVersion, h.DomainName = "1.1", "shop.example.com."
	l := *lb.Listeners[3]
	l.ID, l.ProtocolPort = number(1, 4), 84
	lb.Listeners = append(lb.Listeners, &l)
	return lb
}

// poolTLSTree has a pool that speaks TLS to its members with all that the API lets it say.
func poolTLSTree() *lbaas.LoadBalancer {
	lb := sessionTree()
	p := lb.Pools[0]
	p.TLSEnabled, p.TLSContainerRef, p.CATLSContainerRef = true, keyServer+number(2, 3), keyServer+number(2, 9)
	p.DefaultTLS(lbaas.DefaultTLS())
	p.HealthMonitor = &lbaas.HealthMonitor{Object: up(number(7, 1), ""), Type: lbaas.MonitorHTTPS, Delay: 5, Timeout: 2, MaxRetries: 3, MaxRetriesDown: 3}
	p.HealthMonitor.DefaultHTTP()
	return lb
}

func poolCertificates(t *testing.T) Certificates {
	t.Helper()
	all := testCertificates(t)
	authorities := material(issue(t, nil, "Root CA"), issue(t, nil, "Another CA"))
	all[keymanager.Reference{Ref: keyServer + number(2, 9), Use: keymanager.Authorities}] = authorities
	return all
}

// placementTree has members in two subnets, one of them the VIP's, and in one that is gone.
func placementTree() *lbaas.LoadBalancer {
	lb := sessionTree()
	p := lb.Pools[0]
	for i, subnet := range []string{number(8, 1), number(8, 2), "", number(8, 1), number(8, 3)} {
		m := member(1+i, 1)
		m.SubnetID = subnet
		p.Members = append(p.Members, m)
	}
	return lb
}

func testSubnets() map[string]*network.Subnet {
	subnet := func(cidr string, n int) *network.Subnet {
		return &network.Subnet{CIDR: netip.MustParsePrefix(cidr), NetworkID: number(9, n)}
	}
	return map[string]*network.Subnet{
		sessionSubnet: subnet("10.0.3.0/24", 0), number(8, 1): subnet("10.0.4.0/23", 1), number(8, 2): subnet("2001:db8::/64", 2),
	}
}

func TestRatio(t *testing.T) {
	got := map[int]int64{}
	want := map[int]int64{-1: 1, 0: 1, 1: 1, 12: 1, 13: 2, 100: 8, 128: 10, 255: 20, 256: 20, 257: 20}
	for weight := range want {
		got[weight] = Ratio(weight)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Ratio (-want +got):\n%s", diff)
	}
}

func TestClasses(t *testing.T) {
	tests := []struct {
		codes string
		want  []string
		exact bool
	}{
		{"bad", nil, false},
		{"200,bad", nil, false},
		{"099", nil, false},
		{"600", nil, false},
		{"500-600", nil, false},
		{"204-200", nil, false},
		{"", []string{"2XX"}, false},
		{"200", []string{"2XX"}, false},
		{"404, 200 ,301", []string{"2XX", "3XX", "4XX"}, false},
		{"200-404", []string{"2XX", "3XX", "4XX"}, false},
		{"200-299", []string{"2XX"}, true},
		{"100-599", []string{"1XX", "2XX", "3XX", "4XX", "5XX"}, true},
	}
	for _, test := range tests {
		got, exact := Classes(test.codes)
		if diff := cmp.Diff(test.want, got); diff != "" || exact != test.exact {
			t.Errorf("Classes(%q), exact: %v (-want +got):\n%s", test.codes, exact, diff)
		}
	}
}

func TestMonitorLacks(t *testing.T) {
	monitor := func(kind lbaas.MonitorType, delay, timeout int, codes string) *lbaas.HealthMonitor {
		return &lbaas.HealthMonitor{Object: up("m", ""), Type: kind, Delay: delay, Timeout: timeout, ExpectedCodes: codes}
	}
	tests := []struct {
		monitor *lbaas.HealthMonitor
		want    []string
	}{
		{monitor(lbaas.MonitorTCP, 0, 0, ""), []string{"health monitor delay 0", "health monitor timeout 0"}},
		{monitor(lbaas.MonitorTCP, 3601, 2401, ""), []string{"health monitor delay 3601", "health monitor timeout 2401"}},
		{monitor(lbaas.MonitorTCP, 4, 5, ""), []string{"health monitor timeout 5 with a delay of 4"}},
		{monitor(lbaas.MonitorHTTP, 5, 4, "200,999"), []string{"expected_codes 200,999"}},
		{monitor(lbaas.MonitorTCP, 5, 5, ""), nil},
		{monitor(lbaas.MonitorHTTPS, 3600, 2400, "200-599"), nil},
	}
	for _, test := range tests {
		var got []string
		for _, l := range MonitorLacks(test.monitor) {
			got = append(got, l.Option)
		}
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("%+v (-want +got):\n%s", test.monitor, diff)
		}
		interval, timeout := Timing(test.monitor)
		if test.want == nil && (timeout >= interval || interval > MaxInterval) {
			t.Errorf("Timing(%+v): every %d, waits %d", test.monitor, interval, timeout)
		}
	}
}

func TestTLSLack(t *testing.T) {
	const mixed, modern = "ECDHE-RSA-AES128-GCM-SHA256:TLS_AES_128_GCM_SHA256", "TLS_AES_128_GCM_SHA256"
	tests := []struct {
		model    string
		versions []string
		ciphers  string
		want     string
	}{
		{"", []string{"SSLv3", "TLSv1"}, mixed, "tls_versions SSLv3"},
		{"18.1.2", []string{"TLSv1.3"}, mixed, "tls_versions TLSv1.3"},
		{"18.1.2", []string{"TLSv1.3"}, modern, "tls_versions TLSv1.3"},
		{"18.1.2", []string{"TLSv1.2", "TLSv1.3"}, modern, "tls_ciphers " + modern},
		{"18.1.2", nil, modern, "tls_ciphers " + modern},
		{"", []string{"TLSv1.1", "TLSv1.2"}, modern, "tls_ciphers " + modern},
		{"18.1.2", []string{"TLSv1.2", "TLSv1.3"}, mixed, ""},
		{"20.1.1", []string{"TLSv1.2", "TLSv1.3"}, modern, ""},
		{"20.1.1", []string{"TLSv1.3"}, mixed, ""},
		{"", []string{"TLSv1.3"}, "", ""},
		{"", nil, modern, ""},
		{"18.1.2", nil, "", ""},
	}
	for _, test := range tests {
		if got := TLSLack(test.versions, test.ciphers, test.model); got != test.want {
			t.Errorf("TLSLack(%v, %q, %q): %q, want %q", test.versions, test.ciphers, test.model, got, test.want)
		}
	}
}

// TestOrderOfMembers shows that the order in which the tree has its members and rules is no reason to write.
func TestOrderOfMembers(t *testing.T) {
	lb := poolsTree()
	want := Objects(lb, nil, Options{})
	for _, p := range lb.Pools {
		slices.Reverse(p.Members)
	}
	got := Objects(lb, nil, Options{})
	for i := range got {
		slices.Sort(got[i].For)
		slices.Sort(want[i].For)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("members the other way round (-want +got):\n%s", diff)
	}
}
