package avi

import (
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"

	"plimsoll/internal/keymanager"
	"plimsoll/lbaas"
)

// grower grows trees of one load balancer at random. Each part grows from a number of its own, so that a tree may become one that has
// little in common with it, or one that differs in a part only. Names, certificates and authorities are few: load balancers share them.
type grower struct {
	n      int // which load balancer
	vip    netip.Addr
	flavor map[string]any
	genes  [genes]uint64
}

// What grows from numbers of their own: the root, and so many of each noun.
const (
	slots     = 4 // of pools, and of listeners
	perL7     = 3 // policies of a listener
	geneRoot  = 0
	genePools = 1
	geneTeams = genePools + slots
	geneHeart = geneTeams + slots
	geneEars  = geneHeart + slots
	geneRules = geneEars + slots
	genes     = geneRules + slots*perL7
)

// newGrower grows the nth load balancer; its flavor and its VIP are for good.
func newGrower(r *rand.Rand, n int) *grower {
	g := &grower{n: n, vip: netip.AddrFrom4([4]byte{10, 0, 3, byte(3 + n)})}
	if r.IntN(4) == 0 {
		g.vip = netip.MustParseAddr([]string{"2001:db8::3", "2001:db8::4"}[n])
	}
	g.flavor = oneOf(r, nil, nil, map[string]any{"se_group_ref": "/api/serviceenginegroup?name=Default-Group"},
		map[string]any{"vrf_context_per_subnet": "True"}, map[string]any{"vrf_context_per_subnet": false},
		map[string]any{"vrf_ref": "/api/vrfcontext?name=management"})
	g.mutate(r, 1)
	return g
}

func oneOf[T any](r *rand.Rand, all ...T) T { return all[r.IntN(len(all))] }

// mutate has parts grow otherwise: each with this probability.
func (g *grower) mutate(r *rand.Rand, probability float64) {
	for i := range g.genes {
		if r.Float64() < probability {
			g.genes[i] = r.Uint64()
		}
	}
}

func (g *grower) rand(gene int) *rand.Rand { return rand.New(rand.NewPCG(g.genes[gene], uint64(gene))) }

// id is the id of something of the load balancer.
func (g *grower) id(numbers ...int) string {
	n := 10 + g.n
	for _, m := range numbers {
		n = 10*n + m
	}
	return id(n)
}

var (
	sharedNames = []string{"", "", "web", "web", "api", "ünï:code#?&", longName}
	longName    = "a name of about two hundred characters, " + sixty + sixty + sixty
	sixty       = "of which there are sixty in each of the three parts here... "
	sharedTexts = []string{"", "", "of the shop", "two\nlines", "plimsoll other 9.9", "text\nplimsoll " + id(10) + " 99.99"}
)

func (g *grower) object(r *rand.Rand, id string) lbaas.Object {
	return lbaas.Object{
		ID: id, ProjectID: project, Name: oneOf(r, sharedNames...), Description: oneOf(r, sharedTexts...), AdminStateUp: r.IntN(4) > 0,
	}
}

// tree is the tree that the numbers say. It has nothing that Avi cannot make.
func (g *grower) tree() *lbaas.LoadBalancer {
	r := g.rand(geneRoot)
	lb := &lbaas.LoadBalancer{
		Object: g.object(r, g.id()), Provider: "avi_adc", VIPAddress: g.vip, VIPSubnetID: subnet, VIPNetworkID: vipNetwork, VIPPortID: g.id(0), Flavor: g.flavor,
	}
	empty := r.IntN(8) == 0
	for slot := range slots {
		if p := g.pool(slot); p != nil {
			lb.Pools = append(lb.Pools, p)
		}
	}
	for slot := range slots {
		if l := g.listener(lb, slot); l != nil && !empty {
			lb.Listeners = append(lb.Listeners, l)
		}
	}
	r.Shuffle(len(lb.Listeners), func(i, j int) { lb.Listeners[i], lb.Listeners[j] = lb.Listeners[j], lb.Listeners[i] })
	return lb
}

// pool is a pool, or none. Its protocol is for good.
func (g *grower) pool(slot int) *lbaas.Pool {
	r := g.rand(genePools + slot)
	if r.IntN(6) == 0 {
		return nil
	}
	p := &lbaas.Pool{
		Object: g.object(r, g.id(1, slot, r.IntN(2))), LoadBalancerID: g.id(), Protocol: lbaas.HTTP, Algorithm: oneOf(r, lbaas.Algorithms()...),
	}
	if slot == slots-1 {
		p.Protocol = lbaas.TCP
	}
	p.SessionPersistence = oneOf(r, nil, nil, &lbaas.SessionPersistence{Type: lbaas.PersistSourceIP})
	if p.Protocol == lbaas.HTTP {
		g.layer7(r, p)
	}
	g.members(p, slot)
	p.HealthMonitor = g.monitor(p, slot)
	return p
}

// layer7 gives a pool what only listeners that see requests can use.
func (g *grower) layer7(r *rand.Rand, p *lbaas.Pool) {
	p.SessionPersistence = oneOf(r, p.SessionPersistence, &lbaas.SessionPersistence{Type: lbaas.PersistHTTPCookie},
		&lbaas.SessionPersistence{Type: lbaas.PersistAppCookie, CookieName: oneOf(r, "session", "a cookie with a long name")})
	if p.TLSEnabled = r.IntN(3) == 0; !p.TLSEnabled {
		return
	}
	p.TLSContainerRef, p.CATLSContainerRef = oneOf(r, "", ref(1), ref(4)), oneOf(r, "", ref(5), ref(6))
	p.TLSVersions, p.TLSCiphers = oneOf(r, someVersions...), oneOf(r, someCiphers...)
}

var (
	someVersions = [][]string{{"TLSv1.2"}, {"TLSv1.2", "TLSv1.3"}, {"TLSv1", "TLSv1.1", "TLSv1.2"}}
	someCiphers  = []string{"ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256", "TLS_AES_128_GCM_SHA256:ECDHE-ECDSA-AES128-GCM-SHA256"}
)

// members are those of a pool. One may come again at its address with another id.
func (g *grower) members(p *lbaas.Pool, slot int) {
	r := g.rand(geneTeams + slot)
	for i := range r.IntN(5) {
		at := netip.AddrFrom4([4]byte{10, 1, byte(10*g.n + slot), byte(1 + i)})
		if i == 3 {
			at = netip.MustParseAddr("2001:db8::a")
		}
		m := &lbaas.Member{
			Object: g.object(r, g.id(2, slot, r.IntN(2), i)), LoadBalancerID: g.id(), PoolID: p.ID, SubnetID: oneOf(r, "", subnet), Address: at,
			ProtocolPort: 8080, Weight: oneOf(r, 0, 1, 1, 10, 256),
		}
		p.Members = append(p.Members, m)
	}
	r.Shuffle(len(p.Members), func(i, j int) { p.Members[i], p.Members[j] = p.Members[j], p.Members[i] })
}

// monitor is that of a pool, or none. Its type is for good.
func (g *grower) monitor(p *lbaas.Pool, slot int) *lbaas.HealthMonitor {
	r := g.rand(geneHeart + slot)
	if r.IntN(3) == 0 {
		return nil
	}
	types := []lbaas.MonitorType{lbaas.MonitorPing, lbaas.MonitorTCP, lbaas.MonitorHTTP, lbaas.MonitorHTTPS}
	kind := r.IntN(len(types))
	h := &lbaas.HealthMonitor{
		Object: g.object(r, g.id(3, slot, kind)), LoadBalancerID: g.id(), PoolID: p.ID, Type: types[kind],
		Delay: 5 + r.IntN(3), Timeout: 3 + r.IntN(3), MaxRetries: 1 + r.IntN(3), MaxRetriesDown: 1 + r.IntN(3),
	}
	if h.SpeaksHTTP() {
		h.HTTPVersion, h.ExpectedCodes = oneOf(r, "", "1.0", "1.1"), oneOf(r, "", "200", "200,404", "200-404")
		h.DomainName = oneOf(r, "", "example.com")
		h.DefaultHTTP()
	}
	return h
}

// listener is a listener of a load balancer that has its pools, or none. Its protocol and its port are for good.
func (g *grower) listener(lb *lbaas.LoadBalancer, slot int) *lbaas.Listener {
	r := g.rand(geneEars + slot)
	protocols := []lbaas.Protocol{lbaas.TCP, lbaas.HTTP, lbaas.HTTPS, lbaas.TerminatedHTTPS, lbaas.TerminatedHTTPS}
	kind := r.IntN(len(protocols))
	if r.IntN(6) == 0 {
		return nil
	}
	l := lbaas.NewListener()
	l.Object, l.LoadBalancerID, l.Protocol, l.ProtocolPort = g.object(r, g.id(4, slot, kind)), lb.ID, protocols[kind], 80+slot
	limit := oneOf(r, -1, 0, 1000)
	l.ConnectionLimit = oneOf(r, nil, &limit)
	if pools := usable(lb, l.Protocol); len(pools) > 0 && r.IntN(5) > 0 {
		l.DefaultPoolID = oneOf(r, pools...).ID
	}
	if l.Protocol == lbaas.TerminatedHTTPS {
		g.tls(r, l)
	}
	if l.Protocol == lbaas.HTTP || l.Protocol == lbaas.TerminatedHTTPS {
		l.InsertHeaders = oneOf(r, nil, map[string]string{"X-Forwarded-For": "true"})
		g.policies(r, lb, l, slot)
	}
	return l
}

// usable are the pools that a listener of that protocol may send requests to.
func usable(lb *lbaas.LoadBalancer, protocol lbaas.Protocol) []*lbaas.Pool {
	return slices.DeleteFunc(slices.Clone(lb.Pools), func(p *lbaas.Pool) bool {
		if lbaas.CheckProtocols(protocol, p.Protocol) != nil {
			return true
		}
		cookies := p.SessionPersistence != nil && p.SessionPersistence.Type != lbaas.PersistSourceIP
		return (protocol == lbaas.TCP || protocol == lbaas.HTTPS) && (cookies || p.TLSEnabled)
	})
}

func (g *grower) tls(r *rand.Rand, l *lbaas.Listener) {
	for range r.IntN(4) {
		l.SNIContainerRefs = append(l.SNIContainerRefs, ref(1+r.IntN(4))+oneOf(r, "", "", "/"))
	}
	if len(l.SNIContainerRefs) == 0 || r.IntN(4) > 0 {
		l.DefaultTLSContainerRef = ref(1 + r.IntN(4))
	}
	l.TLSVersions, l.TLSCiphers = oneOf(r, someVersions...), oneOf(r, someCiphers...)
}

// policies are L7 policies in any order. What they do may change, and what they look at.
func (g *grower) policies(r *rand.Rand, lb *lbaas.LoadBalancer, l *lbaas.Listener, slot int) {
	places := r.Perm(perL7)
	for i := range perL7 {
		own := g.rand(geneRules + slot*perL7 + i)
		if own.IntN(2) == 0 {
			continue
		}
		p := &lbaas.L7Policy{
			Object: g.object(own, g.id(5, slot, l.ProtocolPort%10, i)), LoadBalancerID: lb.ID, ListenerID: l.ID, Position: 1 + places[i], Action: lbaas.Reject,
		}
		switch own.IntN(4) {
		case 0:
			p.Action, p.RedirectURL, p.RedirectHTTPCode = lbaas.RedirectToURL, oneOf(own, "https://example.com", "http://example.com:81/a?b=c"), oneOf(own, 0, 301)
		case 1:
			p.Action, p.RedirectPrefix = lbaas.RedirectPrefix, oneOf(own, "https://example.com", "http://example.com/a/")
		case 2:
			if pools := usable(lb, l.Protocol); len(pools) > 0 {
				p.Action, p.RedirectPoolID = lbaas.RedirectToPool, oneOf(own, pools...).ID
			}
		}
		g.rules(own, p, slot, i)
		l.L7Policies = append(l.L7Policies, p)
	}
}

func (g *grower) rules(r *rand.Rand, p *lbaas.L7Policy, slot, policy int) {
	types := []lbaas.L7RuleType{lbaas.RulePath, lbaas.RuleHostName, lbaas.RuleHeader, lbaas.RuleCookie, lbaas.RuleHeader}
	r.Shuffle(len(types), func(i, j int) { types[i], types[j] = types[j], types[i] })
	for i := range r.IntN(4) {
		p.Rules = append(p.Rules, &lbaas.L7Rule{
			Object:         lbaas.Object{ID: g.id(6, slot, policy, i), ProjectID: project, AdminStateUp: r.IntN(4) > 0},
			LoadBalancerID: p.LoadBalancerID, L7PolicyID: p.ID, Type: types[i], CompareType: oneOf(r, lbaas.CompareEqualTo, lbaas.CompareStartsWith),
			Key: oneOf(r, "x-a", "x-b"), Value: oneOf(r, "a", `"a b"`), Invert: r.IntN(3) == 0,
		})
	}
}

// keyring is a key manager whose containers have several contents in the course of time.
type keyring struct {
	safe
	contents map[string][]*keymanager.Material
}

// newKeyring has four certificates for about the same names, and two containers of authorities.
func newKeyring(t testing.TB) *keyring {
	t.Helper()
	root, middle, other := newAuthority(t, "root"), newAuthority(t, "middle"), newAuthority(t, "other")
	middle.text = append(middle.text, root.text...)
	of := func(a *authority, names ...string) *keymanager.Material {
		m := a.material(t, names[0])
		m.Names = names
		return m
	}
	return &keyring{safe{}, map[string][]*keymanager.Material{
		ref(1): {of(root, "one.example.com"), of(middle, "one.example.com", "shared.example.com")},
		ref(2): {of(middle, "two.example.com", "shared.example.com"), of(root, "two.example.com", "api.example.com")},
		ref(3): {of(middle, "*.example.com", "shared.example.com", "api.example.com"), of(other, "*.example.com", "four.example.com")},
		ref(4): {of(other, "four.example.com", "shared.example.com", "five.example.com"), of(root, "five.example.com")},
		ref(5): {root.authorities(), other.authorities()},
		ref(6): {other.authorities()},
	}}
}

// turn gives containers other contents. Some cannot be read, where that is allowed.
func (k *keyring) turn(r *rand.Rand, unreadable bool) {
	for n := 1; n <= 6; n++ {
		all := k.contents[ref(n)]
		k.safe[ref(n)] = all[r.IntN(len(all))]
		if unreadable && r.IntN(5) == 0 {
			delete(k.safe, ref(n))
		}
		k.safe[ref(n)+"/"] = k.safe[ref(n)]
	}
}
