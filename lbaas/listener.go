package lbaas

import (
	"net/netip"
	"slices"
	"strings"
)

// Protocol is the protocol of a listener or a pool.
type Protocol string

// The protocols that the API publishes.
const (
	TCP             Protocol = "TCP"
	HTTP            Protocol = "HTTP"
	HTTPS           Protocol = "HTTPS"
	TerminatedHTTPS Protocol = "TERMINATED_HTTPS"
	UDP             Protocol = "UDP"
	SCTP            Protocol = "SCTP"
	Prometheus      Protocol = "PROMETHEUS"
	Proxy           Protocol = "PROXY"
	ProxyV2         Protocol = "PROXYV2"
)

// ClientAuthentication says whether a TLS listener asks clients for a certificate.
type ClientAuthentication string

// The values of client_authentication.
const (
	ClientAuthNone      ClientAuthentication = "NONE"
	ClientAuthOptional  ClientAuthentication = "OPTIONAL"
	ClientAuthMandatory ClientAuthentication = "MANDATORY"
)

// Listener listens on a port of a load balancer's VIP (API section 1.9).
type Listener struct {
	Object

	LoadBalancerID  string
	Protocol        Protocol
	ProtocolPort    int  // 1 to 65535
	ConnectionLimit *int // NoLimit or more; nil only when a request said null
	DefaultPoolID   string
	InsertHeaders   map[string]string
	AllowedCIDRs    []string

	TimeoutClientData    int // milliseconds, as the three below
	TimeoutMemberConnect int
	TimeoutMemberData    int
	TimeoutTCPInspect    int

	DefaultTLSContainerRef  string
	SNIContainerRefs        []string
	ClientCATLSContainerRef string
	ClientAuthentication    ClientAuthentication
	ClientCRLContainerRef   string
	TLSCiphers              string
	TLSVersions             []string
	ALPNProtocols           []string
	HSTSMaxAge              *int
	HSTSIncludeSubdomains   bool
	HSTSPreload             bool

	L7Policies        []*L7Policy        // by position; in lists by their ids only
	RateLimitPolicies []*RateLimitPolicy // in lists by their ids only
}

// uses tells whether requests may go to a pool.
func (l *Listener) uses(poolID string) bool {
	return l.DefaultPoolID == poolID ||
		slices.ContainsFunc(l.L7Policies, func(p *L7Policy) bool { return p.sendsTo(poolID) })
}

// Noun is «Listener».
func (*Listener) Noun() Noun { return NounListener }

// ListenerProtocols are the protocols that a listener may have.
func ListenerProtocols() []Protocol {
	return []Protocol{TCP, HTTP, HTTPS, TerminatedHTTPS, UDP, SCTP, Prometheus}
}

// NewListener returns a listener with the API's defaults.
func NewListener() *Listener {
	noLimit := NoLimit
	return &Listener{
		Object:               Object{AdminStateUp: true},
		ConnectionLimit:      &noLimit,
		TimeoutClientData:    DefaultClient,
		TimeoutMemberConnect: DefaultConnect,
		TimeoutMemberData:    DefaultServer,
		ClientAuthentication: ClientAuthNone,
	}
}

// UsesTLS tells whether the listener ends TLS.
func (l *Listener) UsesTLS() bool {
	return l.Protocol == TerminatedHTTPS || l.Protocol == Prometheus && l.hasServerCertificate()
}

// DefaultTLS gives the TLS lists that are not set their defaults, where the listener ends TLS.
func (l *Listener) DefaultTLS(d TLSDefaults) {
	if l.Protocol == TerminatedHTTPS {
		d.fill(&l.TLSCiphers, &l.TLSVersions, &l.ALPNProtocols)
	}
}

// Validate checks the listener by itself, as far as that has nothing to do with the deployment.
func (l *Listener) Validate() error {
	return first(l.validateTypes(), l.validateHeaders(), l.validateDatagram(), l.validateCertificates(), l.validateTLSLists(), l.validateHSTS())
}

// validateTypes checks what each attribute may be by itself.
func (l *Listener) validateTypes() error {
	return first(
		l.Object.validate(),
		OneOf("protocol", l.Protocol, ListenerProtocols()),
		Between("protocol_port", l.ProtocolPort, 1, MaxPort),
		l.validateLimit(),
		Between("timeout_client_data", l.TimeoutClientData, 0, MaxTimeoutMs),
		Between("timeout_member_connect", l.TimeoutMemberConnect, 0, MaxTimeoutMs),
		Between("timeout_member_data", l.TimeoutMemberData, 0, MaxTimeoutMs),
		Between("timeout_tcp_inspect", l.TimeoutTCPInspect, 0, MaxTimeoutMs),
		l.validateReferences(),
		validateTLSTypes(l.TLSCiphers, l.TLSVersions, l.ALPNProtocols),
		l.validateMaxAge(),
	)
}

// validateTLSLists checks the lists of a listener that ends TLS; those of others mean nothing.
func (l *Listener) validateTLSLists() error {
	if !l.UsesTLS() {
		return nil
	}
	return first(validateVersions(l.TLSVersions), validateALPN(l.ALPNProtocols))
}

func (l *Listener) validateLimit() error {
	if l.ConnectionLimit == nil {
		return nil
	}
	return Between("connection_limit", *l.ConnectionLimit, NoLimit, 1<<31-1)
}

// The headers that a listener may insert.
var (
	plainHeaders = []string{"X-Forwarded-For", "X-Forwarded-Port", "X-Forwarded-Proto", "X-Forwarded-IP", "X-Client-IP", "X-Real-IP"}
	tlsHeaders   = []string{
		"X-SSL-Client-Verify", "X-SSL-Client-Has-Cert", "X-SSL-Client-DN", "X-SSL-Client-CN", "X-SSL-Issuer",
		"X-SSL-Client-SHA1", "X-SSL-Client-Not-Before", "X-SSL-Client-Not-After",
	}
)

func (l *Listener) validateHeaders() error {
	if len(l.InsertHeaders) == 0 {
		return nil
	}
	if l.Protocol != HTTP && l.Protocol != TerminatedHTTPS {
		return InvalidOption("insert-headers", "a "+string(l.Protocol)+" protocol listener.")
	}
	names := sortedKeys(l.InsertHeaders)
	known := func(name string) bool {
		return slices.Contains(plainHeaders, name) || slices.Contains(tlsHeaders, name)
	}
	if !all(names, known) {
		return InvalidOption(pythonList(names), "insert_headers")
	}
	if l.Protocol == TerminatedHTTPS {
		return nil
	}
	names = slices.DeleteFunc(names, func(name string) bool { return slices.Contains(plainHeaders, name) })
	if len(names) > 0 {
		return InvalidOption(pythonList(names), string(l.Protocol)+" protocol listener.")
	}
	return nil
}

func all(texts []string, ok func(string) bool) bool {
	return !slices.ContainsFunc(texts, func(s string) bool { return !ok(s) })
}

// pythonList writes texts as the API's messages do.
func pythonList(texts []string) string { return "['" + strings.Join(texts, "', '") + "']" }

func sortedKeys(m map[string]string) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

func (l *Listener) validateReferences() error {
	return first(
		Within("default_tls_container_ref", l.DefaultTLSContainerRef, MaxName),
		eachWithin("sni_container_refs", l.SNIContainerRefs, MaxName),
		Within("client_ca_tls_container_ref", l.ClientCATLSContainerRef, MaxName),
		Within("client_crl_container_ref", l.ClientCRLContainerRef, MaxName),
		OneOf("client_authentication", l.ClientAuthentication,
			[]ClientAuthentication{ClientAuthNone, ClientAuthOptional, ClientAuthMandatory}),
		l.validateHeaderValues(),
	)
}

func (l *Listener) validateHeaderValues() error {
	for _, name := range sortedKeys(l.InsertHeaders) {
		if err := Within("insert_headers", l.InsertHeaders[name], MaxName); err != nil {
			return err
		}
	}
	return nil
}

func (l *Listener) hasServerCertificate() bool {
	return l.DefaultTLSContainerRef != "" || len(l.SNIContainerRefs) > 0
}

func (l *Listener) hasCertificate() bool {
	return l.hasServerCertificate() || l.ClientCATLSContainerRef != ""
}

func (l *Listener) validateDatagram() error {
	if (l.Protocol == UDP || l.Protocol == SCTP) && l.hasCertificate() {
		return ValidationFailure("%s protocol listener does not support TLS.", l.Protocol)
	}
	return nil
}

// validateDatagramChange is validateDatagram in the words of a PUT, which asks this before all else.
func (l *Listener) validateDatagramChange() error {
	if (l.Protocol == UDP || l.Protocol == SCTP) && (l.hasCertificate() || len(l.InsertHeaders) > 0) {
		return ValidationFailure("%s protocol listener does not support TLS or header insertion.", l.Protocol)
	}
	return nil
}

// validateCertificates keeps the order of Octavia's checks.
func (l *Listener) validateCertificates() error {
	switch {
	case l.Protocol != TerminatedHTTPS && l.Protocol != Prometheus && l.hasCertificate():
		return ValidationFailure("Certificate container references are not allowed on %s protocol listeners.", l.Protocol)
	case l.ClientCATLSContainerRef != "" && !l.hasServerCertificate():
		return ValidationFailure("An SNI or default certificate container reference must be provided with a client CA container reference.")
	case l.Protocol == TerminatedHTTPS && !l.hasServerCertificate():
		return ValidationFailure("An SNI or default certificate container reference must be provided for %s protocol listeners.", l.Protocol)
	case l.ClientAuthentication != ClientAuthNone && l.ClientCATLSContainerRef == "":
		return ValidationFailure("Client authentication setting %s requires a client CA container reference.", l.ClientAuthentication)
	case l.ClientCRLContainerRef != "" && l.ClientCATLSContainerRef == "":
		return ValidationFailure("A client authentication CA reference is required to specify a client authentication revocation list.")
	}
	return nil
}

// ValidateHSTSChange is the check of HSTS where a PUT asks for the flags, or not. Flags that were there before mean nothing without an
// age, and do no harm.
func (l *Listener) ValidateHSTSChange(asked bool) error {
	switch {
	case l.HSTSMaxAge != nil:
		return l.validateHSTS()
	case asked && (l.HSTSIncludeSubdomains || l.HSTSPreload):
		return ValidationFailure("Cannot enable hsts_include_subdomains or hsts_preload if hsts_max_age was not set as well.")
	}
	return nil
}

func (l *Listener) validateHSTS() error {
	if l.HSTSMaxAge == nil {
		if l.HSTSIncludeSubdomains || l.HSTSPreload {
			return ValidationFailure("HSTS configuration options hsts_include_subdomains and hsts_preload only make sense if hsts_max_age is set as well.")
		}
		return nil
	}
	if l.Protocol != TerminatedHTTPS {
		return ValidationFailure("The HSTS feature can only be used for listeners using the %s protocol.", TerminatedHTTPS)
	}
	return nil
}

func (l *Listener) validateMaxAge() error {
	if l.HSTSMaxAge == nil {
		return nil
	}
	return Between("hsts_max_age", *l.HSTSMaxAge, 0, 1<<31-1)
}

// transport is the layer-4 protocol whose ports the listener shares.
func (p Protocol) transport() Protocol {
	if p == UDP || p == SCTP {
		return p
	}
	return TCP
}

// CheckListener checks a listener against the load balancer that it is put into: ports, the default pool, the
// families of its CIDRs.
func (lb *LoadBalancer) CheckListener(l *Listener) error {
	for _, o := range lb.Listeners {
		if o.ID != l.ID && o.ProtocolPort == l.ProtocolPort && o.Protocol.transport() == l.Protocol.transport() {
			return Errorf(Conflict, "Another Listener on this Load Balancer is already using protocol %s and protocol_port %d",
				o.Protocol, o.ProtocolPort)
		}
	}
	if err := lb.checkDefaultPool(l); err != nil {
		return err
	}
	return lb.checkCIDRs(l)
}

func (lb *LoadBalancer) checkDefaultPool(l *Listener) error {
	if l.DefaultPoolID == "" {
		return nil
	}
	if l.Protocol == Prometheus {
		return Errorf(Invalid, "Protocol PROMETHEUS listeners cannot have child objects.")
	}
	p := lb.Pool(l.DefaultPoolID)
	if p == nil {
		return Missing(NounPool, l.DefaultPoolID)
	}
	return CheckProtocols(l.Protocol, p.Protocol)
}

// CheckProtocols checks that a listener of one protocol may use a pool of another.
func CheckProtocols(listener, pool Protocol) error {
	allowed := map[Protocol][]Protocol{
		TCP:             {HTTP, HTTPS, Proxy, ProxyV2, TCP},
		HTTP:            {HTTP, Proxy, ProxyV2},
		HTTPS:           {HTTPS, Proxy, ProxyV2, TCP},
		TerminatedHTTPS: {HTTP, Proxy, ProxyV2},
		UDP:             {UDP},
		SCTP:            {SCTP},
	}
	if slices.Contains(allowed[listener], pool) {
		return nil
	}
	return ValidationFailure("The pool protocol '%s' is invalid while the listener protocol is '%s'.", pool, listener)
}

// checkCIDRs checks that each CIDR is of the family of one of the VIPs, as far as these are known.
func (lb *LoadBalancer) checkCIDRs(l *Listener) error {
	vips := lb.VIPs()
	for _, cidr := range l.AllowedCIDRs {
		p, err := netip.ParsePrefix(cidr)
		if err != nil {
			return InvalidField("allowed_cidrs", cidr, "Value should be IPv4 or IPv6 CIDR format")
		}
		same := func(vip netip.Addr) bool { return vip.Is4() == p.Addr().Is4() }
		if len(vips) > 0 && !slices.ContainsFunc(vips, same) {
			return ValidationFailure("CIDR %s IP version incompatible with all VIPs %s IP version.", cidr, pythonList(texts(vips)))
		}
	}
	return nil
}

// CheckAccess refuses CIDRs for a listener where the user's own security groups say who may reach the VIP. Octavia asks that only
// when CIDRs are written.
func (lb *LoadBalancer) CheckAccess(l *Listener) error {
	if len(l.AllowedCIDRs) == 0 || len(lb.VIPSecurityGroupIDs) == 0 {
		return nil
	}
	return ValidationFailure("Allowed CIDRs are not allowed when using custom VIP Security Groups.")
}

func texts(addresses []netip.Addr) []string {
	list := make([]string, len(addresses))
	for i, a := range addresses {
		list[i] = a.String()
	}
	return list
}

// ParseCIDR reads a CIDR as the API does: host bits are dropped, and an address alone is itself.
func ParseCIDR(text string) (netip.Prefix, bool) {
	if !strings.Contains(text, "/") {
		a, err := netip.ParseAddr(text)
		if err != nil || a.Zone() != "" {
			return netip.Prefix{}, false
		}
		return netip.PrefixFrom(a, a.BitLen()), true
	}
	p, err := netip.ParsePrefix(text)
	if err != nil {
		return netip.Prefix{}, false
	}
	return p.Masked(), true
}
