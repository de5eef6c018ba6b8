package haproxy

import (
	"net/netip"

	"plimsoll/lbaas"
)

// tlsTrees are the load balancers of the golden files that have to do with TLS, the PROXY protocol and several VIPs.
func tlsTrees() map[string]*lbaas.LoadBalancer {
	return map[string]*lbaas.LoadBalancer{
		"tls": tlsTree(), "tls-least": tlsLeastTree(), "tls-clients": tlsClientsTree(), "tls-old": tlsOldTree(), "tls-pool": tlsPoolTree(),
		"proxy": proxyTree(), "vips": vipsTree(),
	}
}

func addTLSListener(lb *lbaas.LoadBalancer, n, port int, pool string) *lbaas.Listener {
	l := addListener(lb, n, lbaas.TerminatedHTTPS, port, pool)
	l.DefaultTLSContainerRef, l.ClientAuthentication = refRSA, lbaas.ClientAuthNone
	l.TLSCiphers, l.TLSVersions, l.ALPNProtocols = lbaas.DefaultCiphers, lbaas.DefaultTLSVersions(), lbaas.DefaultALPN()
	return l
}

// tlsTree has what a listener that ends TLS has by default, and every header.
func tlsTree() *lbaas.LoadBalancer {
	lb := newTree()
	p := addPool(lb, 1, lbaas.HTTP, lbaas.RoundRobin)
	addMember(p, 1, "10.93.48.3", 80)
	l := addTLSListener(lb, 1, 443, p.ID)
	l.SNIContainerRefs = []string{refEC, refRSA}
	age := 31536000
	l.HSTSMaxAge, l.HSTSIncludeSubdomains, l.HSTSPreload = &age, true, true
	l.InsertHeaders = map[string]string{
		"X-Forwarded-For": "true", "X-Forwarded-Proto": "true", "X-SSL-Client-Verify": "true", "X-SSL-Client-Has-Cert": "true",
		"X-SSL-Client-DN": "true", "X-SSL-Client-CN": "true", "X-SSL-Issuer": "true", "X-SSL-Client-SHA1": "True",
		"X-SSL-Client-Not-Before": "true", "X-SSL-Client-Not-After": "true",
	}
	return lb
}

// tlsLeastTree has listeners with the least that the API takes.
func tlsLeastTree() *lbaas.LoadBalancer {
	lb := newTree()
	l := addTLSListener(lb, 1, 443, "")
	l.DefaultTLSContainerRef, l.SNIContainerRefs = "", []string{refEC}
	l.TLSCiphers, l.TLSVersions, l.ALPNProtocols = "", nil, nil
	zero := 0
	l.HSTSMaxAge = &zero
	// An authority means nothing where no client is asked.
	l.ClientCATLSContainerRef, l.InsertHeaders = refCA, map[string]string{"X-SSL-Issuer": "false"}
	addTLSListener(lb, 2, 444, "").TLSCiphers = "TLS_AES_256_GCM_SHA384"
	addTLSListener(lb, 3, 445, "").TLSCiphers = "!aNULL:ECDHE+AESGCM"
	return lb
}

func tlsClientsTree() *lbaas.LoadBalancer {
	lb := newTree()
	l := addTLSListener(lb, 1, 443, "")
	l.ClientAuthentication, l.ClientCATLSContainerRef, l.ClientCRLContainerRef = lbaas.ClientAuthMandatory, refCA, refCRL
	l = addTLSListener(lb, 2, 444, "")
	l.ClientAuthentication, l.ClientCATLSContainerRef = lbaas.ClientAuthOptional, refCA
	l.InsertHeaders = map[string]string{"X-SSL-Client-DN": "true"}
	return lb
}

// tlsOldTree speaks what is not spoken any more, because it is asked to.
func tlsOldTree() *lbaas.LoadBalancer {
	lb := newTree()
	l := addTLSListener(lb, 1, 443, "")
	l.TLSVersions, l.TLSCiphers = []string{"TLSv1.1", "TLSv1"}, "ECDHE-RSA-AES128-SHA:AES128-SHA"
	l = addTLSListener(lb, 2, 444, "")
	l.TLSVersions, l.TLSCiphers, l.ALPNProtocols = []string{"TLSv1.3", "TLSv1.2", "TLSv1.1"}, "", []string{"http/1.1"}
	l = addTLSListener(lb, 3, 445, "")
	l.TLSVersions, l.TLSCiphers = []string{"TLSv1"}, "AES128-SHA:@SECLEVEL=0"
	return lb
}

// tlsPoolTree has pools that speak TLS, behind listeners of each mode.
func tlsPoolTree() *lbaas.LoadBalancer {
	lb := newTree()
	strict := addPool(lb, 1, lbaas.HTTP, lbaas.RoundRobin)
	strict.TLSEnabled, strict.TLSContainerRef, strict.CATLSContainerRef, strict.CRLContainerRef = true, refClient, refCA, refCRL
	strict.TLSCiphers, strict.TLSVersions, strict.ALPNProtocols = lbaas.DefaultCiphers, []string{"TLSv1.3"}, []string{"h2", "http/1.1"}
	addMember(strict, 1, "10.93.48.3", 443)
	addMember(strict, 2, "10.93.48.4", 443).MonitorPort = 8443
	h := addMonitor(strict, lbaas.MonitorHTTPS)
	h.HTTPVersion, h.DomainName = "1.1", "www.example.com"
	lax := addPool(lb, 2, lbaas.HTTP, lbaas.RoundRobin)
	lax.TLSEnabled = true
	addMember(lax, 3, "10.93.48.5", 443)
	addMonitor(lax, lbaas.MonitorTLSHello)
	plain := addPool(lb, 3, lbaas.TCP, lbaas.RoundRobin)
	addMember(plain, 4, "10.93.48.6", 443)
	addMonitor(plain, lbaas.MonitorTLSHello)
	// References mean nothing without TLS.
	plain.TLSContainerRef, plain.CATLSContainerRef, plain.TLSCiphers = refClient, refCA, "nothing"
	addTLSListener(lb, 1, 443, strict.ID)
	addListener(lb, 2, lbaas.HTTP, 80, strict.ID)
	addListener(lb, 3, lbaas.TCP, 81, strict.ID)
	addListener(lb, 4, lbaas.HTTP, 82, lax.ID)
	addListener(lb, 5, lbaas.TCP, 83, plain.ID)
	return lb
}

func proxyTree() *lbaas.LoadBalancer {
	lb := newTree()
	p := addPool(lb, 1, lbaas.Proxy, lbaas.RoundRobin)
	addMember(p, 1, "10.93.48.3", 80)
	addMonitor(p, lbaas.MonitorTCP)
	q := addPool(lb, 2, lbaas.ProxyV2, lbaas.RoundRobin)
	q.TLSEnabled = true
	addMember(q, 2, "10.93.48.4", 443)
	addListener(lb, 1, lbaas.HTTP, 80, p.ID)
	addListener(lb, 2, lbaas.TCP, 81, p.ID)
	addListener(lb, 3, lbaas.HTTPS, 443, q.ID)
	addTLSListener(lb, 4, 444, q.ID)
	return lb
}

// vipsTree has VIPs and members of both families.
func vipsTree() *lbaas.LoadBalancer {
	lb := newTree()
	lb.AdditionalVIPs = []lbaas.AdditionalVIP{
		{Address: netip.MustParseAddr("2001:db8::5")}, {Address: netip.MustParseAddr("10.0.1.5")},
	}
	p := addPool(lb, 1, lbaas.HTTP, lbaas.RoundRobin)
	addMember(p, 1, "10.93.48.3", 80)
	addMember(p, 2, "2001:db8:1::3", 80)
	l := addListener(lb, 1, lbaas.HTTP, 80, p.ID)
	l.AllowedCIDRs = []string{"192.0.2.0/24", "2001:db8::/32"}
	addTLSListener(lb, 2, 443, p.ID)
	return lb
}
