package engine

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"time"

	haproxyprovider "plimsoll/internal/provider/haproxy"
	"plimsoll/lbaas"
)

// A place is what random trees may refer to.
type place struct {
	vips    []netip.Addr // the first is the VIP; some of the others become additional ones
	members []netip.Addr
	ports   []int // of members

	certificates, authorities, revocations []string // references

	// live leaves out what would make the answer to a request depend on anything but the tree and the request: dead
	// members, limits that are reached, versions of TLS that no client speaks.
	live   bool
	client netip.Prefix // of live trees: whom allowed_cidrs allows, if it does
}

// A maker makes random load balancers, the same for the same seed.
type maker struct {
	*rand.Rand
	place
	deployment lbaas.Deployment
}

// treeID is the id of the n-th object of a kind. Trees share them, so that one can be applied over another.
func treeID(kind, n int) string { return fmt.Sprintf("%08x-0000-4000-8000-%012x", kind, n) }

// randomTree is a load balancer as the API lets it pass and as the provider haproxy supports it.
func randomTree(seed uint64, at place) *lbaas.LoadBalancer {
	m := &maker{randomTreeSource(seed), at, lbaas.DefaultDeployment()}
	return m.supported(m.loadBalancer())
}

func randomTreeSource(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 1)) }

// supported is lb without what the provider does not support.
func (m *maker) supported(lb *lbaas.LoadBalancer) *lbaas.LoadBalancer {
	for {
		lacks := haproxyprovider.Unsupported(lb)
		if len(lacks) == 0 {
			return lb
		}
		for _, l := range lacks {
			drop(lb, l.ObjectID)
		}
	}
}

// drop takes an object out of a tree, and what refers to it.
func drop(lb *lbaas.LoadBalancer, id string) {
	lb.Listeners = slices.DeleteFunc(lb.Listeners, func(l *lbaas.Listener) bool { return l.ID == id })
	lb.Pools = slices.DeleteFunc(lb.Pools, func(p *lbaas.Pool) bool { return p.ID == id })
	for _, l := range lb.Listeners {
		if l.DefaultPoolID == id {
			l.DefaultPoolID = ""
		}
		l.L7Policies = slices.DeleteFunc(l.L7Policies, func(p *lbaas.L7Policy) bool { return p.ID == id || p.RedirectPoolID == id })
		for _, p := range l.L7Policies {
			p.Rules = slices.DeleteFunc(p.Rules, func(r *lbaas.L7Rule) bool { return r.ID == id })
		}
		l.RateLimitPolicies = slices.DeleteFunc(l.RateLimitPolicies, func(p *lbaas.RateLimitPolicy) bool { return p.ID == id })
		for _, p := range l.RateLimitPolicies {
			p.Rules = slices.DeleteFunc(p.Rules, func(r *lbaas.RateLimitRule) bool { return r.ID == id })
		}
	}
	for _, p := range lb.Pools {
		p.Members = slices.DeleteFunc(p.Members, func(m *lbaas.Member) bool { return m.ID == id })
	}
}

// valid makes something until the API would take it, and tells whether it ever did.
func valid[T any](try func() T, check func(T) error) (made T, ok bool) {
	for range 30 {
		if made = try(); check(made) == nil {
			return made, true
		}
	}
	return made, false
}

func firstError(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

func pick[T any](m *maker, all ...T) T { return all[m.IntN(len(all))] }

// some is a random part of a list, in a random order.
func some[T any](m *maker, all []T) []T {
	all = slices.Clone(all)
	m.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	return all[:m.IntN(len(all)+1)]
}

func (m *maker) oneIn(n int) bool { return m.IntN(n) == 0 }

// texts are what tenants may call their objects.
var texts = []string{
	"", "web", "a b", `"`, "'", `\`, "#", "$HOME", "${HOME}", "%[src]", "{}", "x\nglobal\n  stats socket :1", "\r", "\x00", "\xff\xfe", "é 漢 💥",
	"files/list-0.txt", " # x", "\u2028\u202e", strings.Repeat("$", 255), strings.Repeat(`\`, 255), strings.Repeat("漢", 255), ".if defined(X)",
}

func (m *maker) object(kind, n int) lbaas.Object {
	return lbaas.Object{
		ID: treeID(kind, n), ProjectID: "project", Name: pick(m, texts...), Description: pick(m, texts...), Tags: some(m, texts),
		AdminStateUp: !m.oneIn(8), CreatedAt: time.Unix(int64(m.IntN(9)), 0),
	}
}

func (m *maker) loadBalancer() *lbaas.LoadBalancer {
	lb, _ := valid(func() *lbaas.LoadBalancer {
		lb := lbaas.NewLoadBalancer()
		lb.Object, lb.VIPAddress, lb.AccessLog = m.object(0, 1), m.vips[0], m.oneIn(3)
		lb.AdminStateUp = !m.oneIn(20)
		for _, vip := range some(m, m.vips[1:]) {
			lb.AdditionalVIPs = append(lb.AdditionalVIPs, lbaas.AdditionalVIP{Address: vip})
		}
		if m.oneIn(4) {
			lb.Flavor = map[string]any{"loadbalancer_topology": "SINGLE", "maxconn": 1000.0}
		}
		return lb
	}, (*lbaas.LoadBalancer).Validate)
	for n := range m.IntN(5) + 1 {
		if p, ok := m.pool(n); ok {
			lb.Pools = append(lb.Pools, p)
		}
	}
	for n := range m.IntN(6) + 1 {
		if l, ok := m.listener(lb, n); ok {
			lb.Listeners = append(lb.Listeners, l)
			m.decisions(lb, l, n)
		}
	}
	return lb
}

func (m *maker) pool(n int) (*lbaas.Pool, bool) {
	p, ok := valid(func() *lbaas.Pool {
		p := lbaas.NewPool()
		p.Object = m.object(2, n)
		p.Protocol = pick(m, append(lbaas.PoolProtocols(), lbaas.HTTP, lbaas.HTTP, lbaas.HTTP)...)
		p.Algorithm, p.SessionPersistence = pick(m, lbaas.Algorithms()...), m.persistence(p.Protocol)
		if m.oneIn(3) {
			m.poolTLS(p)
		}
		return p
	}, m.deployment.ValidatePool)
	if !ok {
		return nil, false
	}
	for i := range m.IntN(5) {
		if one, ok := m.member(p, n*10+i, i+1); ok {
			p.Members = append(p.Members, one)
		}
	}
	if m.oneIn(2) && !(m.live && p.TLSEnabled) { // live members have certificates of nobody
		if h, ok := m.monitor(p, n); ok {
			p.HealthMonitor = h
		}
	}
	return p, true
}

func (m *maker) persistence(of lbaas.Protocol) *lbaas.SessionPersistence {
	s := &lbaas.SessionPersistence{Type: pick(m, "", lbaas.PersistSourceIP, lbaas.PersistHTTPCookie, lbaas.PersistAppCookie)}
	switch {
	case s.Type == "":
		return nil
	case s.Type == lbaas.PersistAppCookie:
		s.CookieName = pick(m, "JSESSIONID", "a'b", "#$%&*+", "s.id", "!x", "`~|")
	case of == lbaas.UDP || of == lbaas.SCTP:
		seconds := pick(m, 0, 1, 360, 1<<31-1)
		s.PersistenceTimeout, s.PersistenceGranularity = &seconds, pick(m, "", "255.255.255.0", "ffff:ffff::", "255.0.255.0")
	}
	return s
}

func (m *maker) poolTLS(p *lbaas.Pool) {
	p.TLSEnabled = true
	if m.oneIn(2) {
		p.TLSContainerRef = pick(m, m.certificates...)
	}
	if m.oneIn(2) {
		p.CATLSContainerRef = pick(m, m.authorities...)
	}
	if m.oneIn(3) {
		p.CRLContainerRef = pick(m, m.revocations...)
	}
	p.TLSCiphers, p.TLSVersions, p.ALPNProtocols = m.ciphers(), m.versions(), m.alpn()
	p.DefaultTLS(lbaas.DefaultTLS())
}

// alpn is nil for the defaults.
func (m *maker) alpn() []string {
	all := some(m, lbaas.ALPNProtocols())
	if len(all) == 0 || m.live && all[0] != "http/1.1" {
		return nil
	}
	return all
}

// ciphers are such as OpenSSL knows. The API takes others, too, as Octavia does; they are their object's failure.
func (m *maker) ciphers() string {
	if m.live {
		return ""
	}
	return pick(m, "", "ECDHE-RSA-AES128-GCM-SHA256", "HIGH:!aNULL:!MD5", "TLS_AES_128_GCM_SHA256",
		"TLS_AES_128_GCM_SHA256:ECDHE+AESGCM:@STRENGTH", "ALL:@SECLEVEL=0", "DEFAULT")
}

// versions is nil for the defaults.
func (m *maker) versions() []string {
	if m.live {
		return pick(m, nil, []string{"TLSv1.2"}, []string{"TLSv1.3"})
	}
	all := some(m, lbaas.TLSVersions())
	if len(all) == 0 {
		return nil
	}
	return all
}

func (m *maker) member(p *lbaas.Pool, n, number int) (*lbaas.Member, bool) {
	return valid(func() *lbaas.Member {
		one := lbaas.NewMember()
		one.Object, one.PoolID, one.Number = m.object(3, n), p.ID, number
		one.Address, one.ProtocolPort = pick(m, m.members...), pick(m, m.ports...)
		one.Weight, one.Backup = pick(m, 0, 1, 1, 2, 10, 256), m.oneIn(5)
		if !m.live && m.oneIn(4) {
			one.MonitorAddress, one.MonitorPort = pick(m, m.members...), pick(m, 0, 1, 65535)
		}
		return one
	}, func(one *lbaas.Member) error { return firstError(m.deployment.ValidateMember(one), p.CheckMember(one)) })
}

func (m *maker) monitor(p *lbaas.Pool, n int) (*lbaas.HealthMonitor, bool) {
	return valid(func() *lbaas.HealthMonitor {
		h := lbaas.NewHealthMonitor()
		h.Object, h.PoolID, h.Type = m.object(4, n), p.ID, pick(m, lbaas.MonitorTypes()...)
		h.Delay, h.Timeout, h.MaxRetries, h.MaxRetriesDown = 3, 3, 3, 3
		if m.live {
			h.Type, h.Delay, h.Timeout = pick(m, lbaas.MonitorTCP, lbaas.MonitorPing, lbaas.MonitorUDPConnect), 60, 60
			return h
		}
		h.Delay, h.Timeout = pick(m, 0, 1, 5, 1<<31-1), pick(m, 0, 1, 5, 1<<31-1)
		if h.SpeaksHTTP() {
			h.HTTPMethod = pick(m, "GET", "HEAD", "OPTIONS", "CONNECT")
			h.URLPath = pick(m, "", "/", "/a?b=$c&d='#%20", "/%[src]", "/~!*();,")
			h.ExpectedCodes = pick(m, "", "200", "200, 202,204", "200-399")
		}
		h.HTTPVersion, h.DomainName = pick(m, "", "1.0", "1.1"), pick(m, "", "www.example.com", "_x.example.", "a-b")
		h.DefaultHTTP()
		return h
	}, func(h *lbaas.HealthMonitor) error {
		return firstError(h.Validate(), m.deployment.ValidateMonitor(p, h))
	})
}
