package lbaas

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
}

// Noun is «Listener».
func (*Listener) Noun() Noun { return NounListener }
