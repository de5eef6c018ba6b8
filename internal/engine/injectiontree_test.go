package engine

import (
	"fmt"
	"maps"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"time"

	"plimsoll/lbaas"
)

// An attribute is a string somewhere in a tree.
type attribute struct {
	path  string // Listeners[0].Name
	field string // Object.Name
	set   func(string)
}

// ours tells whether no tenant ever has a say in the attribute: ids, and what the server writes itself.
func (a attribute) ours() bool {
	return strings.HasSuffix(a.field, "ID") || slices.Contains([]string{
		"Pool.ListenerIDs", "Progress.Reason", "Object.Operating", "LoadBalancer.Host", "LoadBalancer.Provider", "LoadBalancer.VIPVNICType",
		"LoadBalancer.VIPSecurityGroupIDs", "LoadBalancer.AvailabilityZone", "LoadBalancer.Flavor", "LoadBalancer.Zone", "Member.VNICType",
	}, strings.TrimSuffix(a.field, "="))
}

// anyText are the attributes for which the API takes any text: what says something to people, and references, which are looked up.
var anyText = []string{
	"Object.Name", "Object.Description", "Object.Tags", "Listener.InsertHeaders=", "Listener.DefaultTLSContainerRef", "Listener.SNIContainerRefs",
	"Listener.ClientCATLSContainerRef", "Listener.ClientCRLContainerRef", "Pool.TLSContainerRef", "Pool.CATLSContainerRef", "Pool.CRLContainerRef",
}

// attributes are all strings of a tree, found by reflection.
func attributes(lb *lbaas.LoadBalancer) (all []attribute) {
	walk(reflect.ValueOf(lb).Elem(), "", "", &all)
	return all
}

func walk(v reflect.Value, path, field string, all *[]attribute) {
	switch v.Kind() {
	case reflect.String:
		*all = append(*all, attribute{path, field, v.SetString})
	case reflect.Pointer:
		if !v.IsNil() {
			walk(v.Elem(), path, field, all)
		}
	case reflect.Slice:
		for i := range v.Len() {
			walk(v.Index(i), fmt.Sprintf("%s[%d]", path, i), field, all)
		}
	case reflect.Map:
		walkMap(v, path, field, all)
	case reflect.Struct:
		for i := range v.NumField() {
			if f := v.Type().Field(i); f.IsExported() {
				walk(v.Field(i), strings.TrimPrefix(path+"."+f.Name, "."), v.Type().Name()+"."+f.Name, all)
			}
		}
	}
}

// walkMap adds the keys of a map, and its values where they are strings.
func walkMap(m reflect.Value, path, field string, all *[]attribute) {
	keys := m.MapKeys()
	slices.SortFunc(keys, func(a, b reflect.Value) int { return strings.Compare(a.String(), b.String()) })
	for _, key := range keys {
		at := fmt.Sprintf("%s[%s]", path, key)
		*all = append(*all, attribute{at + " (key)", field, func(s string) {
			value := m.MapIndex(key)
			m.SetMapIndex(key, reflect.Value{})
			m.SetMapIndex(reflect.ValueOf(s), value)
		}})
		if m.Type().Elem().Kind() == reflect.String || m.MapIndex(key).Kind() == reflect.Interface && m.MapIndex(key).Elem().Kind() == reflect.String {
			*all = append(*all, attribute{at, field + "=", func(s string) { m.SetMapIndex(key, reflect.ValueOf(s)) }})
		}
	}
}

// stringFields are the fields of all types of a tree that have strings, whether an object has them or not.
func stringFields() []string {
	all, seen := map[string]bool{}, map[reflect.Type]bool{}
	var look func(t reflect.Type, field string)
	look = func(t reflect.Type, field string) {
		switch t.Kind() {
		case reflect.String, reflect.Map:
			all[field] = true
		case reflect.Pointer, reflect.Slice:
			look(t.Elem(), field)
		case reflect.Struct:
			if seen[t] {
				return
			}
			seen[t] = true
			for f := range fieldsOf(t) {
				look(f.Type, t.Name()+"."+f.Name)
			}
		}
	}
	look(reflect.TypeFor[lbaas.LoadBalancer](), "")
	return slices.Sorted(maps.Keys(all))
}

func fieldsOf(t reflect.Type) func(yield func(reflect.StructField) bool) {
	return func(yield func(reflect.StructField) bool) {
		for i := range t.NumField() {
			if f := t.Field(i); f.IsExported() && !yield(f) {
				return
			}
		}
	}
}

// fullTree has every string attribute where it is rendered.
func fullTree() *lbaas.LoadBalancer {
	lb := lbaas.NewLoadBalancer()
	lb.Object, lb.VIPAddress, lb.AccessLog = fullObject(0, 1), netip.MustParseAddr("10.0.0.5"), true
	lb.AdditionalVIPs = []lbaas.AdditionalVIP{{SubnetID: treeID(11, 1), Address: netip.MustParseAddr("2001:db8::5"), PortID: treeID(12, 1)}}
	lb.VIPSecurityGroupIDs = []string{treeID(13, 1)}
	lb.Flavor, lb.Zone = map[string]any{"loadbalancer_topology": "SINGLE"}, map[string]any{"zone": "a"}
	for n, protocol := range []lbaas.Protocol{lbaas.HTTP, lbaas.TCP, lbaas.UDP} {
		lb.Pools = append(lb.Pools, fullPool(n+1, protocol))
	}
	for n, protocol := range []lbaas.Protocol{lbaas.HTTP, lbaas.TerminatedHTTPS, lbaas.TCP, lbaas.UDP} {
		pool := []int{0, 0, 1, 2}[n]
		l := fullListener(n+1, protocol)
		l.DefaultPoolID = lb.Pools[pool].ID
		lb.Pools[pool].ListenerIDs = append(lb.Pools[pool].ListenerIDs, l.ID)
		lb.Listeners = append(lb.Listeners, l)
	}
	decide(lb.Listeners[1], lb.Pools[0].ID)
	return lb
}

func fullObject(kind, n int) lbaas.Object {
	return lbaas.Object{ID: treeID(kind, n), ProjectID: "project", Name: "name", Description: "description", AdminStateUp: true,
		CreatedAt: time.Unix(int64(1000*kind+n), 0), Tags: []string{"tag", "other"}, Progress: lbaas.Progress{Generation: 1}}
}

func fullPool(n int, protocol lbaas.Protocol) *lbaas.Pool {
	p := lbaas.NewPool()
	p.Object, p.Protocol, p.Algorithm = fullObject(2, n), protocol, lbaas.RoundRobin
	h := lbaas.NewHealthMonitor()
	h.Object, h.PoolID, h.Type, h.Delay, h.Timeout, h.MaxRetries = fullObject(4, n), p.ID, lbaas.MonitorHTTP, 5, 5, 3
	h.HTTPMethod, h.URLPath, h.ExpectedCodes, h.HTTPVersion, h.DomainName = "GET", "/healthy", "200", "1.1", "www.example.com"
	p.HealthMonitor = h
	m := lbaas.NewMember()
	m.Object, m.PoolID, m.Number, m.Address, m.ProtocolPort = fullObject(3, n), p.ID, 1, netip.MustParseAddr("10.93.48.3"), 80
	p.Members = []*lbaas.Member{m}
	switch protocol {
	case lbaas.HTTP:
		p.SessionPersistence = &lbaas.SessionPersistence{Type: lbaas.PersistAppCookie, CookieName: "session"}
	case lbaas.UDP:
		p.SessionPersistence = &lbaas.SessionPersistence{Type: lbaas.PersistSourceIP, PersistenceGranularity: "255.255.255.0"}
		return p
	}
	p.TLSEnabled, p.TLSContainerRef, p.CATLSContainerRef, p.CRLContainerRef = true, "pool-cert", "pool-ca", "pool-crl"
	p.TLSCiphers, p.TLSVersions, p.ALPNProtocols = "HIGH", []string{"TLSv1.2", "TLSv1.3"}, []string{"http/1.1"}
	return p
}

func fullListener(n int, protocol lbaas.Protocol) *lbaas.Listener {
	l := lbaas.NewListener()
	l.Object, l.Protocol, l.ProtocolPort = fullObject(1, n), protocol, 80+n
	l.AllowedCIDRs = []string{"192.0.2.0/24"} // they are sorted
	if l.Protocol == lbaas.HTTP || l.Protocol == lbaas.TerminatedHTTPS {
		l.InsertHeaders = map[string]string{"X-Forwarded-For": "true", "X-Forwarded-Proto": "true"}
	}
	if protocol != lbaas.TerminatedHTTPS {
		return l
	}
	age := 7
	l.DefaultTLSContainerRef, l.SNIContainerRefs = "cert", []string{"sni-1", "sni-2"}
	l.ClientCATLSContainerRef, l.ClientCRLContainerRef, l.ClientAuthentication = "ca", "crl", lbaas.ClientAuthMandatory
	l.TLSCiphers, l.TLSVersions, l.ALPNProtocols, l.HSTSMaxAge = "HIGH", []string{"TLSv1.2", "TLSv1.3"}, []string{"h2", "http/1.1"}, &age
	l.InsertHeaders["X-SSL-Client-CN"] = "true"
	return l
}

// decide gives a listener policies of each kind, with rules of each kind.
func decide(l *lbaas.Listener, pool string) {
	base := int(l.ID[len(l.ID)-1]) * 100
	for n, action := range lbaas.L7Actions() {
		p := lbaas.NewL7Policy()
		p.Object, p.ListenerID, p.Action, p.Position = fullObject(7, base+n), l.ID, action, n+1
		switch action {
		case lbaas.RedirectToPool:
			p.RedirectPoolID = pool
		case lbaas.RedirectToURL:
			p.RedirectURL = "http://www.example.com/"
		case lbaas.RedirectPrefix:
			p.RedirectPrefix = "http://www.example.com"
		}
		kinds := lbaas.L7RuleTypes()
		if action != lbaas.Reject {
			kinds = kinds[:1]
		}
		for i, kind := range kinds {
			p.Rules = append(p.Rules, fullRule(p, base+10*n+i, kind))
		}
		l.L7Policies = append(l.L7Policies, p)
	}
	p := lbaas.NewRateLimitPolicy()
	p.Object, p.ListenerID, p.Action = fullObject(9, base), l.ID, lbaas.RateLimitDeny
	r := lbaas.NewRateLimitRule()
	r.Object, r.RateLimitPolicyID, r.Metric, r.Threshold, r.URLs = fullObject(10, base), p.ID, lbaas.RateRequestsPerURL, 5, []string{"/a"}
	p.Rules = []*lbaas.RateLimitRule{r}
	l.RateLimitPolicies = []*lbaas.RateLimitPolicy{p}
}

func fullRule(p *lbaas.L7Policy, n int, kind lbaas.L7RuleType) *lbaas.L7Rule {
	r := lbaas.NewL7Rule()
	r.Object, r.L7PolicyID, r.Type, r.CompareType, r.Value = fullObject(8, n), p.ID, kind, lbaas.CompareEqualTo, "value"
	switch kind {
	case lbaas.RuleHeader, lbaas.RuleCookie, lbaas.RuleSSLDNField:
		r.Key = "Key"
	case lbaas.RuleSSLConnHasCert:
		r.Value = "true"
	case lbaas.RuleSSLVerifyResult:
		r.Value = "0"
	case lbaas.RulePath:
		if n%2 == 0 {
			r.CompareType = lbaas.CompareRegex
		}
	}
	return r
}

// validateTree is what the API asks of each object.
func validateTree(lb *lbaas.LoadBalancer) error {
	d := lbaas.DefaultDeployment()
	err := lb.Validate()
	for _, p := range lb.Pools {
		err = firstError(err, d.ValidatePool(p), lb.CheckPool(p))
		for _, m := range p.Members {
			err = firstError(err, d.ValidateMember(m), p.CheckMember(m))
		}
		if h := p.HealthMonitor; h != nil {
			err = firstError(err, h.Validate(), d.ValidateMonitor(p, h))
		}
	}
	for _, l := range lb.Listeners {
		err = firstError(err, d.ValidateListener(l), d.ValidateListenerIn(lb, l))
		for _, p := range l.L7Policies {
			err = firstError(err, p.Validate(), lb.CheckL7Policy(p))
			for _, r := range p.Rules {
				err = firstError(err, r.Validate(), p.CheckL7Rule(r))
			}
		}
		for _, p := range l.RateLimitPolicies {
			err = firstError(err, p.Validate(), lb.CheckRateLimitPolicy(p))
			for _, r := range p.Rules {
				err = firstError(err, r.Validate(), lb.CheckRateLimitRule(p, r))
			}
		}
	}
	return err
}
