package lbaas

import (
	"errors"
	"net/netip"
	"strings"
	"testing"
)

// judge compares the text of an error with what is wanted; "" is none.
func judge(t *testing.T, name string, err error, want string) {
	t.Helper()
	got := ""
	if err != nil {
		got = err.Error()
	}
	if got != want {
		t.Errorf("%s:\n got %q\nwant %q", name, got, want)
	}
}

func field(name, value, why string) string {
	return "Invalid input for field/attribute " + name + ". Value: '" + value + "'. " + why
}

func TestListenerValidate(t *testing.T) {
	const failure = "Validation failure: "
	limit := func(n int) *int { return &n }
	long := strings.Repeat("é", 256)
	tests := []struct {
		name   string
		change func(*Listener)
		want   string
	}{
		{"bad name", func(l *Listener) { l.Name = long }, field("name", long, "Value should have a maximum character requirement of 255")},
		{"bad description", func(l *Listener) { l.Description = long }, field("description", long, "Value should have a maximum character requirement of 255")},
		{"bad tag", func(l *Listener) { l.Tags = []string{long} }, field("tags", long, "Value should have a maximum character requirement of 255")},
		{"bad tags: one twice", func(l *Listener) { l.Tags = []string{"a", "a"} }, field("tags", "a", "Value should be unique")},
		{"bad protocol", func(l *Listener) { l.Protocol = "http" }, field("protocol", "http", "Value should be one of: HTTP, HTTPS, PROMETHEUS, SCTP, TCP, TERMINATED_HTTPS, UDP")},
		{"bad port 0", func(l *Listener) { l.ProtocolPort = 0 }, field("protocol_port", "0", "Value should be greater or equal to 1")},
		{"bad port 65536", func(l *Listener) { l.ProtocolPort = 65536 }, field("protocol_port", "65536", "Value should be lower or equal to 65535")},
		{"bad limit", func(l *Listener) { l.ConnectionLimit = limit(-2) }, field("connection_limit", "-2", "Value should be greater or equal to -1")},
		{"bad timeout", func(l *Listener) { l.TimeoutMemberData = MaxTimeoutMs + 1 }, field("timeout_member_data", "2073600001", "Value should be lower or equal to 2073600000")},
		{"bad timeout below 0", func(l *Listener) { l.TimeoutTCPInspect = -1 }, field("timeout_tcp_inspect", "-1", "Value should be greater or equal to 0")},
		{"bad headers on TCP", func(l *Listener) { l.Protocol, l.InsertHeaders = TCP, map[string]string{"X-Forwarded-For": "true"} }, "insert-headers is not a valid option for a TCP protocol listener."},
		{"bad header", func(l *Listener) { l.InsertHeaders = map[string]string{"X-Mine": "true"} }, "['X-Mine'] is not a valid option for insert_headers"},
		{"bad header of TLS", func(l *Listener) { l.InsertHeaders = map[string]string{"X-SSL-Issuer": "true"} }, "['X-SSL-Issuer'] is not a valid option for HTTP protocol listener."},
		{"bad header value", func(l *Listener) { l.InsertHeaders = map[string]string{"X-Real-IP": long} }, field("insert_headers", long, "Value should have a maximum character requirement of 255")},
		{"bad certificate on UDP", func(l *Listener) { l.Protocol, l.DefaultTLSContainerRef = UDP, "x" }, failure + "UDP protocol listener does not support TLS."},
		{"bad certificate on HTTP", func(l *Listener) { l.SNIContainerRefs = []string{"x"} }, failure + "Certificate container references are not allowed on HTTP protocol listeners."},
		{"bad: client CA only", func(l *Listener) { l.Protocol, l.ClientCATLSContainerRef = TerminatedHTTPS, "x" }, failure + "An SNI or default certificate container reference must be provided with a client CA container reference."},
		{"bad: no certificate", func(l *Listener) { l.Protocol = TerminatedHTTPS }, failure + "An SNI or default certificate container reference must be provided for TERMINATED_HTTPS protocol listeners."},
		{"bad client authentication", func(l *Listener) { l.ClientAuthentication = "SOME" }, field("client_authentication", "SOME", "Value should be one of: MANDATORY, NONE, OPTIONAL")},
		{"bad: no client CA", func(l *Listener) { l.ClientAuthentication = ClientAuthOptional }, failure + "Client authentication setting OPTIONAL requires a client CA container reference."},
		{"bad: CRL without CA", func(l *Listener) { l.ClientCRLContainerRef = "x" }, failure + "A client authentication CA reference is required to specify a client authentication revocation list."},
		{"bad ciphers", func(l *Listener) { l.TLSCiphers = "A B" }, failure + "Invalid characters in cipher string. Only alphanumeric, -, +, !, :, @, =, _, and . are allowed."},
		{"bad ciphers: long", func(l *Listener) { l.TLSCiphers = strings.Repeat("A", 2049) }, field("tls_ciphers", strings.Repeat("A", 2049), "Value should have a maximum character requirement of 2048")},
		{"bad headers, one unknown", func(l *Listener) { l.InsertHeaders = map[string]string{"X-Mine": "true", "X-Client-IP": "true"} }, "['X-Client-IP', 'X-Mine'] is not a valid option for insert_headers"},
		{"bad TLS version", func(l *Listener) { terminate(l); l.TLSVersions = []string{"TLSv9", "TLSv1.2", "x"} }, failure + "Invalid TLS versions: TLSv9, x"},
		{"bad TLS version: long", func(l *Listener) { l.TLSVersions = []string{strings.Repeat("v", 33)} }, field("tls_versions", strings.Repeat("v", 33), "Value should have a maximum character requirement of 32")},
		{"bad TLS versions: none", func(l *Listener) { terminate(l); l.TLSVersions = []string{} }, failure + "Empty TLS version list. Either specify at least one TLS version or remove this parameter to use the default."},
		{"bad ALPN", func(l *Listener) { l.ALPNProtocols = []string{"h3"} }, field("alpn_protocols", "h3", "Value should be one of: h2, http/1.0, http/1.1")},
		{"bad ALPN: none", func(l *Listener) { terminate(l); l.ALPNProtocols = []string{} }, failure + "Empty ALPN protocol list. Either specify at least one ALPN protocol or remove this parameter to use the default."},
		{"bad HSTS on HTTP", func(l *Listener) { l.HSTSMaxAge = limit(1) }, failure + "The HSTS feature can only be used for listeners using the TERMINATED_HTTPS protocol."},
		{"bad HSTS without age", func(l *Listener) { l.HSTSPreload = true }, failure + "HSTS configuration options hsts_include_subdomains and hsts_preload only make sense if hsts_max_age is set as well."},
		{"bad HSTS age", func(l *Listener) {
			l.Protocol, l.DefaultTLSContainerRef, l.HSTSMaxAge = TerminatedHTTPS, "x", limit(-1)
		}, field("hsts_max_age", "-1", "Value should be greater or equal to 0")},
		{"plain", func(*Listener) {}, ""},
		{"name of 255 characters", func(l *Listener) { l.Name = strings.Repeat("é", 255) }, ""},
		{"name with control characters", func(l *Listener) { l.Name = "a\nb\x1b\"'%{}" }, ""},
		{"TLS lists of no use", func(l *Listener) { l.TLSVersions, l.ALPNProtocols = []string{"TLSv9"}, []string{} }, ""},
		{"Prometheus with TLS", func(l *Listener) { l.Protocol, l.DefaultTLSContainerRef = Prometheus, "x" }, ""},
		{"no limit said", func(l *Listener) { l.ConnectionLimit = nil }, ""},
		{"headers", func(l *Listener) { l.InsertHeaders = map[string]string{"X-Forwarded-For": "true", "X-Client-IP": "no"} }, ""},
		{"TLS", func(l *Listener) {
			l.Protocol, l.DefaultTLSContainerRef, l.HSTSMaxAge, l.HSTSPreload = TerminatedHTTPS, "x", limit(0), true
			l.InsertHeaders = map[string]string{"X-SSL-Issuer": "true"}
			l.DefaultTLS(DefaultTLS())
		}, ""},
	}
	for _, test := range tests {
		l := NewListener()
		l.Protocol, l.ProtocolPort = HTTP, 80
		test.change(l)
		judge(t, test.name, l.Validate(), test.want)
	}
}

// terminate makes a listener end TLS.
func terminate(l *Listener) { l.Protocol, l.DefaultTLSContainerRef = TerminatedHTTPS, "x" }

func TestCheckListener(t *testing.T) {
	lb := &LoadBalancer{
		VIPAddress: netip.MustParseAddr("10.0.0.2"),
		Listeners: []*Listener{
			{Object: Object{ID: "tls"}, Protocol: TerminatedHTTPS, ProtocolPort: 443},
			{Object: Object{ID: "udp"}, Protocol: UDP, ProtocolPort: 53},
		},
		Pools: []*Pool{{Object: Object{ID: "http"}, Protocol: HTTP}, {Object: Object{ID: "udp-pool"}, Protocol: UDP}},
	}
	tests := []struct {
		name string
		l    Listener
		want string
	}{
		{"bad port", Listener{Protocol: TCP, ProtocolPort: 443}, "Another Listener on this Load Balancer is already using protocol TERMINATED_HTTPS and protocol_port 443"},
		{"bad UDP port", Listener{Protocol: UDP, ProtocolPort: 53}, "Another Listener on this Load Balancer is already using protocol UDP and protocol_port 53"},
		{"bad pool", Listener{Protocol: HTTP, DefaultPoolID: "x"}, "Pool x not found."},
		{"bad pool protocol", Listener{Protocol: HTTP, DefaultPoolID: "udp-pool"}, "Validation failure: The pool protocol 'UDP' is invalid while the listener protocol is 'HTTP'."},
		{"bad: a pool of Prometheus", Listener{Protocol: Prometheus, DefaultPoolID: "http"}, "Protocol PROMETHEUS listeners cannot have child objects."},
		{"bad CIDR family", Listener{Protocol: HTTP, AllowedCIDRs: []string{"2001:db8::/64"}}, "Validation failure: CIDR 2001:db8::/64 IP version incompatible with all VIPs ['10.0.0.2'] IP version."},
		{"bad CIDR", Listener{Protocol: HTTP, AllowedCIDRs: []string{"x"}}, field("allowed_cidrs", "x", "Value should be IPv4 or IPv6 CIDR format")},
		{"itself", Listener{Object: Object{ID: "tls"}, Protocol: TerminatedHTTPS, ProtocolPort: 443}, ""},
		{"the same port of another transport", Listener{Protocol: TCP, ProtocolPort: 53}, ""},
		{"SCTP beside UDP", Listener{Protocol: SCTP, ProtocolPort: 53}, ""},
		{"a pool", Listener{Protocol: TCP, DefaultPoolID: "http", AllowedCIDRs: []string{"10.0.0.0/8"}}, ""},
	}
	for _, test := range tests {
		judge(t, test.name, lb.CheckListener(&test.l), test.want)
	}
	if err := lb.CheckListener(&tests[0].l); !errors.Is(err, Conflict) {
		t.Errorf("a port that is taken is %v, want a conflict", err)
	}
	if err := lb.CheckListener(&tests[2].l); !errors.Is(err, NotFound) {
		t.Errorf("a pool of another load balancer is %v, want not found", err)
	}
}

func TestParseCIDR(t *testing.T) {
	for text, want := range map[string]string{
		"": "", "x": "", "10.0.0.0/33": "", "10.0.0.0/": "", "10.0.0.256/8": "", "fe80::1%eth0": "", "fe80::1%eth0/64": "", "10.0.0.0/-1": "",
		"10.1.2.3/8": "10.0.0.0/8", "10.1.2.3": "10.1.2.3/32", "2001:DB8::1/32": "2001:db8::/32", "::1": "::1/128",
	} {
		p, ok := ParseCIDR(text)
		if ok != (want != "") || ok && p.String() != want {
			t.Errorf("ParseCIDR(%q) = %v, %v; want %q", text, p, ok, want)
		}
	}
}

func TestPoolValidate(t *testing.T) {
	const failure = "Validation failure: "
	seconds := 5
	persist := func(s SessionPersistence) func(*Pool) { return func(p *Pool) { p.SessionPersistence = &s } }
	tests := []struct {
		name   string
		change func(*Pool)
		want   string
	}{
		{"bad protocol", func(p *Pool) { p.Protocol = TerminatedHTTPS }, field("protocol", "TERMINATED_HTTPS", "Value should be one of: HTTP, HTTPS, PROXY, PROXYV2, SCTP, TCP, UDP")},
		{"bad algorithm", func(p *Pool) { p.Algorithm = "RANDOM" }, field("lb_algorithm", "RANDOM", "Value should be one of: LEAST_CONNECTIONS, ROUND_ROBIN, SOURCE_IP, SOURCE_IP_PORT")},
		{"bad CRL", func(p *Pool) { p.CRLContainerRef = "x" }, failure + "A CA certificate reference is required to specify a revocation list."},
		{"bad TLS version", func(p *Pool) { p.TLSEnabled = true; p.TLSVersions = []string{"SSLv2"} }, failure + "Invalid TLS versions: SSLv2"},
		{"bad persistence: no type", persist(SessionPersistence{}), failure + "Invalid session_persistence provided."},
		{"bad persistence type", persist(SessionPersistence{Type: "MAGIC"}), field("type", "MAGIC", "Value should be one of: APP_COOKIE, HTTP_COOKIE, SOURCE_IP")},
		{"bad persistence: no cookie", persist(SessionPersistence{Type: PersistAppCookie}), failure + `Field "cookie_name" must be specified when using the "APP_COOKIE" session persistence type.`},
		{"bad persistence: a cookie", persist(SessionPersistence{Type: PersistSourceIP, CookieName: "x"}), failure + `Field "cookie_name" can only be specified with session persistence of type "APP_COOKIE".`},
		{"bad cookie", persist(SessionPersistence{Type: PersistAppCookie, CookieName: "a b"}), field("cookie_name", "a b", "Value should match the pattern "+cookiePattern.String())},
		{"bad cookie for RFC 6265", persist(SessionPersistence{Type: PersistAppCookie, CookieName: "a=b"}), failure + `Supplied "cookie_name" is invalid.`},
		{"bad cookie: a newline", persist(SessionPersistence{Type: PersistAppCookie, CookieName: "a\nb"}), field("cookie_name", "a\nb", "Value should match the pattern "+cookiePattern.String())},
		{"bad persistence timeout", persist(SessionPersistence{Type: PersistSourceIP, PersistenceTimeout: &seconds}), failure + "persistence_timeout and persistence_granularity is only for UDP and SCTP protocol pools."},
		{"bad cookie on UDP", func(p *Pool) {
			p.Protocol, p.SessionPersistence = UDP, &SessionPersistence{Type: PersistAppCookie, CookieName: "x"}
		}, failure + "Cookie names are not supported for UDP/SCTP pools."},
		{"bad persistence on SCTP", func(p *Pool) {
			p.Protocol, p.SessionPersistence = SCTP, &SessionPersistence{Type: PersistHTTPCookie}
		}, failure + "Session persistence of type HTTP_COOKIE is not supported for UDP/SCTP protocol pools."},
		{"plain", func(*Pool) {}, ""},
		{"cookie", persist(SessionPersistence{Type: PersistAppCookie, CookieName: "JSESSIONID"}), ""},
		{"UDP", func(p *Pool) {
			p.Protocol = UDP
			p.SessionPersistence = &SessionPersistence{Type: PersistSourceIP, PersistenceTimeout: &seconds, PersistenceGranularity: "255.255.255.0"}
		}, ""},
		{"TLS", func(p *Pool) { p.TLSEnabled = true; p.DefaultTLS(DefaultTLS()) }, ""},
	}
	for _, test := range tests {
		p := NewPool()
		p.Protocol, p.Algorithm = HTTP, RoundRobin
		test.change(p)
		judge(t, test.name, p.Validate(), test.want)
	}
}

func TestMemberValidate(t *testing.T) {
	tests := []struct {
		name   string
		change func(*Member)
		want   string
	}{
		{"bad address: none", func(m *Member) { m.Address = netip.Addr{} }, field("address", "None", "Mandatory field missing.")},
		{"bad address: unspecified", func(m *Member) { m.Address = netip.MustParseAddr("0.0.0.0") }, "0.0.0.0 is not a valid option for member address"},
		{"bad address: multicast", func(m *Member) { m.Address = netip.MustParseAddr("ff02::1") }, "ff02::1 is not a valid option for member address"},
		{"bad monitor address", func(m *Member) { m.MonitorAddress = netip.MustParseAddr("::") }, ":: is not a valid option for member monitor_address"},
		{"bad port", func(m *Member) { m.ProtocolPort = 0 }, field("protocol_port", "0", "Value should be greater or equal to 1")},
		{"bad weight", func(m *Member) { m.Weight = 257 }, field("weight", "257", "Value should be lower or equal to 256")},
		{"bad weight below 0", func(m *Member) { m.Weight = -1 }, field("weight", "-1", "Value should be greater or equal to 0")},
		{"bad monitor port", func(m *Member) { m.MonitorPort = 65536 }, field("monitor_port", "65536", "Value should be lower or equal to 65535")},
		{"plain", func(*Member) {}, ""},
		{"draining", func(m *Member) { m.Weight = 0 }, ""},
		{"monitored elsewhere", func(m *Member) { m.MonitorAddress, m.MonitorPort = netip.MustParseAddr("10.0.0.9"), 1 }, ""},
	}
	for _, test := range tests {
		m := NewMember()
		m.Address, m.ProtocolPort = netip.MustParseAddr("10.0.0.1"), 80
		test.change(m)
		judge(t, test.name, m.Validate(), test.want)
	}
	pool := &Pool{Members: []*Member{{Object: Object{ID: "a"}, Address: netip.MustParseAddr("10.0.0.1"), ProtocolPort: 80}}}
	twin := &Member{Object: Object{ID: "b"}, Address: netip.MustParseAddr("10.0.0.1"), ProtocolPort: 80}
	judge(t, "bad twin", pool.CheckMember(twin), "Another member on this pool is already using ip 10.0.0.1 on protocol_port 80")
	judge(t, "itself", pool.CheckMember(pool.Members[0]), "")
}

func TestHealthMonitorValidate(t *testing.T) {
	tests := []struct {
		name   string
		change func(*HealthMonitor)
		want   string
	}{
		{"bad type", func(h *HealthMonitor) { h.Type = "GRPC" }, field("type", "GRPC", "Value should be one of: HTTP, HTTPS, PING, SCTP, TCP, TLS-HELLO, UDP-CONNECT")},
		{"bad delay", func(h *HealthMonitor) { h.Delay = -1 }, field("delay", "-1", "Value should be greater or equal to 0")},
		{"bad timeout", func(h *HealthMonitor) { h.Timeout = -1 }, field("timeout", "-1", "Value should be greater or equal to 0")},
		{"bad retries", func(h *HealthMonitor) { h.MaxRetries = 0 }, field("max_retries", "0", "Value should be greater or equal to 1")},
		{"bad retries down", func(h *HealthMonitor) { h.MaxRetriesDown = 11 }, field("max_retries_down", "11", "Value should be lower or equal to 10")},
		{"bad method", func(h *HealthMonitor) { h.HTTPMethod = "get" }, field("http_method", "get", "Value should be one of: CONNECT, DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT, TRACE")},
		{"bad path", func(h *HealthMonitor) { h.URLPath = "health" }, field("url_path", "health", "Value must be a valid URL Path string")},
		{"bad path with a space", func(h *HealthMonitor) { h.URLPath = "/a b" }, field("url_path", "/a b", "Value must be a valid URL Path string")},
		{"bad path with a newline", func(h *HealthMonitor) { h.URLPath = "/a\nb" }, field("url_path", "/a\nb", "Value must be a valid URL Path string")},
		{"bad path of a host", func(h *HealthMonitor) { h.URLPath = "//host/x" }, field("url_path", "//host/x", "Value must be a valid URL Path string")},
		{"bad path: escape", func(h *HealthMonitor) { h.URLPath = "/%zz" }, field("url_path", "/%zz", "Value must be a valid URL Path string")},
		{"bad codes", func(h *HealthMonitor) { h.ExpectedCodes = "2xx" }, field("expected_codes", "2xx", "Value should match the pattern "+codesPattern)},
		{"bad codes: both", func(h *HealthMonitor) { h.ExpectedCodes = "200-204,301" }, field("expected_codes", "200-204,301", "Value should match the pattern "+codesPattern)},
		{"bad codes: backwards", func(h *HealthMonitor) { h.ExpectedCodes = "204-200" }, field("expected_codes", "204-200", "Value should be a range that ends after it begins")},
		{"bad codes with a newline", func(h *HealthMonitor) { h.ExpectedCodes = "200,\n204" }, field("expected_codes", "200,\n204", "Value should match the pattern "+codesPattern)},
		{"bad option for TCP", func(h *HealthMonitor) { h.Type = MonitorTCP }, "http_method is not a valid option for health monitors of type TCP"},
		{"bad version", func(h *HealthMonitor) { h.HTTPVersion = "2.0" }, field("http_version", "2.0", "Value should be one of: 1.0, 1.1")},
		{"bad domain", func(h *HealthMonitor) { h.DomainName, h.HTTPVersion = "a..b", "1.1" }, field("domain_name", "a..b", "Value should match the pattern "+domainPattern)},
		{"bad domain with a newline", func(h *HealthMonitor) { h.DomainName, h.HTTPVersion = "a\nb", "1.1" }, field("domain_name", "a\nb", "Value should match the pattern "+domainPattern)},
		{"bad: domain without version", func(h *HealthMonitor) { h.DomainName = "a.b" }, "Validation failure: 'http_version' must be specified when 'domain_name' is provided."},
		{"bad: domain with 1.0", func(h *HealthMonitor) { h.DomainName, h.HTTPVersion = "a.b", "1.0" }, "http_version 1.0 is not a valid option for health monitors HTTP 1.1 domain name health check"},
		{"plain", func(*HealthMonitor) {}, ""},
		{"TCP", func(h *HealthMonitor) { h.Type, h.HTTPMethod, h.URLPath, h.ExpectedCodes = MonitorTCP, "", "", "" }, ""},
		{"codes", func(h *HealthMonitor) { h.ExpectedCodes = "200, 204,301" }, ""},
		{"range", func(h *HealthMonitor) { h.ExpectedCodes = "200-299" }, ""},
		{"path", func(h *HealthMonitor) { h.URLPath = "/a/%20b?c=d&e=(f)" }, ""},
		{"domain", func(h *HealthMonitor) { h.DomainName, h.HTTPVersion = "www.Example-1.com.", "1.1" }, ""},
	}
	for _, test := range tests {
		h := NewHealthMonitor()
		h.Type, h.Delay, h.Timeout, h.MaxRetries = MonitorHTTP, 5, 3, 2
		h.DefaultHTTP()
		test.change(h)
		judge(t, test.name, h.Validate(), test.want)
	}
}

func TestCheckMonitor(t *testing.T) {
	const wrong = "Validation failure: The associated pool protocol is UDP, so only a UDP-CONNECT/SCTP/TCP/HTTP health monitor is supported."
	tests := []struct {
		name string
		p    Pool
		h    HealthMonitor
		want string
	}{
		{"bad: a second one", Pool{Protocol: HTTP, HealthMonitor: &HealthMonitor{Object: Object{ID: "a"}}}, HealthMonitor{Type: MonitorTCP}, "This pool already has a health monitor"},
		{"bad for UDP", Pool{Protocol: UDP}, HealthMonitor{Type: MonitorPing}, wrong},
		{"bad for TCP", Pool{Protocol: TCP}, HealthMonitor{Type: MonitorUDPConnect}, "Validation failure: The UDP-CONNECT type is only supported for pools of type UDP/SCTP."},
		{"HTTP for UDP", Pool{Protocol: UDP}, HealthMonitor{Type: MonitorHTTP}, ""},
		{"UDP", Pool{Protocol: SCTP}, HealthMonitor{Type: MonitorUDPConnect, Delay: 3}, ""},
		{"PING for TCP", Pool{Protocol: TCP}, HealthMonitor{Type: MonitorPing}, ""},
	}
	for _, test := range tests {
		judge(t, test.name, test.p.CheckMonitor(&test.h), test.want)
	}
}

// FuzzHealthMonitor shows that nothing which could break out of a configuration line passes.
func FuzzHealthMonitor(f *testing.F) {
	f.Add("/", "200", "example.com")
	f.Add("/a\n", "200\n", "a\r\nb")
	f.Fuzz(func(t *testing.T, path, codes, domain string) {
		h := NewHealthMonitor()
		h.Type, h.MaxRetries, h.HTTPMethod, h.HTTPVersion = MonitorHTTP, 1, "GET", "1.1"
		h.URLPath, h.ExpectedCodes, h.DomainName = path, codes, domain
		if h.Validate() != nil {
			return
		}
		if strings.ContainsFunc(path+domain, func(r rune) bool { return r <= ' ' || r >= 0x7f || r == '"' || r == '\\' }) {
			t.Errorf("path %q and domain %q are valid", path, domain)
		}
		if strings.Trim(codes, "0123456789,- ") != "" {
			t.Errorf("codes %q are valid", codes)
		}
	})
}

// FuzzParseCIDR shows that what ParseCIDR gives reads as itself.
func FuzzParseCIDR(f *testing.F) {
	f.Add("10.0.0.1/8")
	f.Fuzz(func(t *testing.T, text string) {
		p, ok := ParseCIDR(text)
		if !ok {
			return
		}
		if again, ok := ParseCIDR(p.String()); !ok || again != p || p.Masked() != p {
			t.Errorf("ParseCIDR(%q) = %v, which reads as %v", text, p, again)
		}
	})
}
