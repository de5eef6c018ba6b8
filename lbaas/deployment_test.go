package lbaas

import (
	"net/netip"
	"testing"
)

// TestValidateListenerOrder gives a listener ever fewer faults: the first of what is left is what is told (API section 1.9).
func TestValidateListenerOrder(t *testing.T) {
	const failure = "Validation failure: "
	age := 1
	lb := &LoadBalancer{VIPAddress: netip.MustParseAddr("10.0.0.2"), Listeners: []*Listener{{Object: Object{ID: "old"}, Protocol: TCP, ProtocolPort: 80}}}
	d := DefaultDeployment()
	d.ProhibitedCiphers, d.MinTLSVersion = []string{"RC4", "NULL"}, "TLSv1.2"
	d.AllowTLSListeners, d.AllowPrometheus = false, false
	l := NewListener()
	l.Protocol, l.ProtocolPort, l.Name = UDP, 80, string(make([]byte, 256))
	l.InsertHeaders = map[string]string{"X-Forwarded-For": "true"}
	l.ClientCATLSContainerRef = "ca"
	l.TLSCiphers, l.TLSVersions, l.ALPNProtocols = "AES:RC4:NULL", []string{"SSLv3", "TLSv1.1", "TLSv1.3"}, []string{}
	l.AllowedCIDRs = []string{"2001:db8::/32"}
	l.HSTSPreload = true
	steps := []struct {
		mend func()
		want string
	}{
		{func() {}, field("name", l.Name, "Value should have a maximum character requirement of 255")},
		{func() { l.Name = "" }, "insert-headers is not a valid option for a UDP protocol listener."},
		{func() { l.InsertHeaders = nil }, failure + "UDP protocol listener does not support TLS."},
		{func() { l.Protocol = TerminatedHTTPS }, "The selected protocol is not allowed in this deployment: TERMINATED_HTTPS"},
		{func() { l.Protocol = Prometheus }, "The selected protocol is not allowed in this deployment: PROMETHEUS"},
		{func() { l.DefaultTLSContainerRef = "x" }, "The selected protocol is not allowed in this deployment: PROMETHEUS with TLS"},
		{func() { l.DefaultTLSContainerRef, l.Protocol = "", HTTP }, failure + "Certificate container references are not allowed on HTTP protocol listeners."},
		{func() { l.Protocol, d.AllowTLSListeners = TerminatedHTTPS, true }, failure + "An SNI or default certificate container reference must be provided with a client CA container reference."},
		{func() { l.ClientCATLSContainerRef, l.ClientAuthentication = "", ClientAuthMandatory }, failure + "An SNI or default certificate container reference must be provided for TERMINATED_HTTPS protocol listeners."},
		{func() { l.SNIContainerRefs = []string{"x"} }, failure + "Client authentication setting MANDATORY requires a client CA container reference."},
		{func() { l.ClientAuthentication, l.ClientCRLContainerRef = ClientAuthNone, "crl" }, failure + "A client authentication CA reference is required to specify a client authentication revocation list."},
		{func() { l.ClientCRLContainerRef = "" }, failure + "The following ciphers have been prohibited by an administrator: RC4, NULL"},
		{func() { l.TLSCiphers = "AES" }, ""},
	}
	for _, step := range steps {
		step.mend()
		judge(t, "by itself: "+step.want, d.ValidateListener(l), step.want)
	}
	steps = []struct {
		mend func()
		want string
	}{
		{func() {}, "Another Listener on this Load Balancer is already using protocol TCP and protocol_port 80"},
		{func() { l.ProtocolPort = 81 }, failure + "CIDR 2001:db8::/32 IP version incompatible with all VIPs ['10.0.0.2'] IP version."},
		{func() { lb.AdditionalVIPs = []AdditionalVIP{{Address: netip.MustParseAddr("2001:db8::1")}} }, failure + "Empty ALPN protocol list. Either specify at least one ALPN protocol or remove this parameter to use the default."},
		{func() { l.ALPNProtocols = nil }, failure + "Requested TLS versions are less than the minimum: SSLv3, TLSv1.1 < TLSv1.2"},
		{func() { l.TLSVersions = []string{"TLSv1.3"} }, failure + "HSTS configuration options hsts_include_subdomains and hsts_preload only make sense if hsts_max_age is set as well."},
		{func() { l.HSTSMaxAge = &age }, ""},
	}
	for _, step := range steps {
		step.mend()
		judge(t, "in its load balancer: "+step.want, d.ValidateListenerIn(lb, l), step.want)
	}
}

func TestDeploymentValidates(t *testing.T) {
	const failure = "Validation failure: "
	d := DefaultDeployment()
	strict := Deployment{ProhibitedCiphers: []string{"RC4"}, MinTLSVersion: "TLSv1.3", MinDatagramDelay: 10}
	free := Deployment{AllowPing: true, MinDatagramDelay: -1}
	pool := Pool{Protocol: HTTP, Algorithm: RoundRobin, TLSCiphers: "RC4", TLSVersions: []string{"TLSv1.2"}}
	tls := pool
	tls.TLSEnabled, tls.TLSCiphers = true, ""
	member := func(address, monitor string) *Member {
		m := NewMember()
		m.Address, m.ProtocolPort = netip.MustParseAddr(address), 80
		if monitor != "" {
			m.MonitorAddress = netip.MustParseAddr(monitor)
		}
		return m
	}
	tests := []struct {
		name string
		err  error
		want string
	}{
		{"bad ciphers", strict.ValidatePool(&pool), failure + "The following ciphers have been prohibited by an administrator: RC4"},
		{"bad version", strict.ValidatePool(&tls), failure + "Requested TLS versions are less than the minimum: TLSv1.2 < TLSv1.3"},
		{"bad lists of a PUT", strict.ValidateTLSLists([]string{"TLSv1"}, nil), failure + "Requested TLS versions are less than the minimum: TLSv1 < TLSv1.3"},
		{"bad: no versions in a PUT", d.ValidateTLSLists([]string{}, nil), failure + "Empty TLS version list. Either specify at least one TLS version or remove this parameter to use the default."},
		{"bad: metadata", d.ValidateMember(member("169.254.169.254", "")), "169.254.169.254 is not a valid option for member address"},
		{"bad: metadata in IPv6", d.ValidateMember(member("::ffff:169.254.169.254", "")), "::ffff:169.254.169.254 is not a valid option for member address"},
		{"bad: metadata, monitored", d.ValidateMember(member("10.0.0.1", "169.254.169.254")), "169.254.169.254 is not a valid option for member address"},
		{"bad PING", strict.ValidateMonitor(&Pool{Protocol: TCP}, &HealthMonitor{Type: MonitorPing}), "The selected type is not allowed in this deployment: PING"},
		{"bad type", d.ValidateMonitor(&Pool{Protocol: TCP}, &HealthMonitor{Type: MonitorSCTP}), failure + "The SCTP type is only supported for pools of type UDP/SCTP."},
		{"bad delay", d.ValidateMonitor(&Pool{Protocol: UDP}, &HealthMonitor{Type: MonitorUDPConnect, Delay: 2}), failure + "The request delay value 2 should be larger than 3 for UDP-CONNECT health monitor type."},
		{"bad delay here", strict.ValidateMonitor(&Pool{Protocol: UDP}, &HealthMonitor{Type: MonitorUDPConnect, Delay: 9}), failure + "The request delay value 9 should be larger than 10 for UDP-CONNECT health monitor type."},
		{"delay", d.ValidateMonitor(&Pool{Protocol: UDP}, &HealthMonitor{Type: MonitorUDPConnect, Delay: 3}), ""},
		{"no shortest delay", free.ValidateMonitor(&Pool{Protocol: UDP}, &HealthMonitor{Type: MonitorUDPConnect}), ""},
		{"PING", d.ValidateMonitor(&Pool{Protocol: TCP}, &HealthMonitor{Type: MonitorPing}), ""},
		{"pool without TLS", (&Deployment{MinTLSVersion: "TLSv1.3"}).ValidatePool(&pool), ""},
		{"pool", d.ValidatePool(&tls), ""},
		{"member", d.ValidateMember(member("10.0.0.1", "10.0.0.2")), ""},
		{"nothing is reserved", free.ValidateMember(member("169.254.169.254", "")), ""},
	}
	for _, test := range tests {
		judge(t, test.name, test.err, test.want)
	}
}
