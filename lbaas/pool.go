package lbaas

import "regexp"

// Algorithm is how a pool chooses among its members.
type Algorithm string

// The algorithms that the API publishes.
const (
	RoundRobin       Algorithm = "ROUND_ROBIN"
	LeastConnections Algorithm = "LEAST_CONNECTIONS"
	SourceIP         Algorithm = "SOURCE_IP"
	SourceIPPort     Algorithm = "SOURCE_IP_PORT"
)

// PersistenceType is how a client is kept on one member.
type PersistenceType string

// The persistence types that the API publishes.
const (
	PersistSourceIP   PersistenceType = "SOURCE_IP"
	PersistHTTPCookie PersistenceType = "HTTP_COOKIE"
	PersistAppCookie  PersistenceType = "APP_COOKIE"
)

// SessionPersistence keeps a client on one member.
type SessionPersistence struct {
	Type                   PersistenceType
	CookieName             string // "" is null
	PersistenceTimeout     *int   // seconds; UDP and SCTP only
	PersistenceGranularity string // a netmask; UDP and SCTP only
}

// Pool is a set of members (API section 1.10).
type Pool struct {
	Object

	LoadBalancerID     string
	Protocol           Protocol
	Algorithm          Algorithm
	SessionPersistence *SessionPersistence

	TLSEnabled        bool
	TLSContainerRef   string
	CATLSContainerRef string
	CRLContainerRef   string
	TLSCiphers        string
	TLSVersions       []string
	ALPNProtocols     []string

	// ListenerIDs are the listeners that use the pool. Filled when a pool is read without its tree; in a tree,
	// LoadBalancer.ListenersOf tells.
	ListenerIDs   []string
	Members       []*Member
	HealthMonitor *HealthMonitor
}

// Noun is «Pool».
func (*Pool) Noun() Noun { return NounPool }

// Member returns the member of that id, or nil.
func (p *Pool) Member(id string) *Member {
	for _, m := range p.Members {
		if m.ID == id {
			return m
		}
	}
	return nil
}

// PoolProtocols are the protocols that a pool may have.
func PoolProtocols() []Protocol {
	return []Protocol{TCP, HTTP, HTTPS, Proxy, ProxyV2, UDP, SCTP}
}

// Algorithms are the algorithms that a pool may have.
func Algorithms() []Algorithm {
	return []Algorithm{LeastConnections, RoundRobin, SourceIP, SourceIPPort}
}

// NewPool returns a pool with the API's defaults.
func NewPool() *Pool { return &Pool{Object: Object{AdminStateUp: true}} }

// DefaultTLS gives the TLS lists that are not set their defaults, where the pool speaks TLS to its members.
func (p *Pool) DefaultTLS(d TLSDefaults) {
	if p.TLSEnabled {
		d.fill(&p.TLSCiphers, &p.TLSVersions, &p.ALPNProtocols)
	}
}

// Validate checks the pool by itself, as far as that has nothing to do with the deployment.
func (p *Pool) Validate() error {
	return first(
		p.Object.validate(),
		OneOf("protocol", p.Protocol, PoolProtocols()),
		OneOf("lb_algorithm", p.Algorithm, Algorithms()),
		Within("tls_container_ref", p.TLSContainerRef, MaxName),
		Within("ca_tls_container_ref", p.CATLSContainerRef, MaxName),
		Within("crl_container_ref", p.CRLContainerRef, MaxName),
		validateTLSTypes(p.TLSCiphers, p.TLSVersions, p.ALPNProtocols),
		p.SessionPersistence.validate(p.Protocol),
		p.validateCRL(),
		p.validateTLSLists(),
	)
}

// validateTLSLists checks the lists of a pool that speaks TLS; those of others mean nothing.
func (p *Pool) validateTLSLists() error {
	if !p.TLSEnabled {
		return nil
	}
	return first(validateVersions(p.TLSVersions), validateALPN(p.ALPNProtocols))
}

func (p *Pool) validateCRL() error {
	if p.CRLContainerRef != "" && p.CATLSContainerRef == "" {
		return ValidationFailure("A CA certificate reference is required to specify a revocation list.")
	}
	return nil
}

var (
	cookiePattern = regexp.MustCompile(`^[^\s,;\\]+$`)
	badCookie     = regexp.MustCompile(`[\x00-\x20\x22\x28-\x29\x2c\x2f\x3a-\x40\x5b-\x5d\x7b\x7d\x7f]+|[^\x00-\x7f]`)
)

// validate checks the persistence of a pool of that protocol. A nil SessionPersistence is none.
func (s *SessionPersistence) validate(pool Protocol) error {
	if s == nil {
		return nil
	}
	if err := s.validateTypes(); err != nil {
		return err
	}
	if s.Type == "" {
		return ValidationFailure("Invalid session_persistence provided.")
	}
	return first(s.validateDatagram(pool), s.validateCookie())
}

// validateTypes checks what each attribute may be by itself. The type may be null, which is judged later.
func (s *SessionPersistence) validateTypes() error {
	if s.Type != "" {
		if err := OneOf("type", s.Type, []PersistenceType{PersistSourceIP, PersistHTTPCookie, PersistAppCookie}); err != nil {
			return err
		}
	}
	if err := Within("cookie_name", s.CookieName, MaxName); err != nil {
		return err
	}
	if s.CookieName != "" && !cookiePattern.MatchString(s.CookieName) {
		return InvalidField("cookie_name", s.CookieName, "Value should match the pattern "+cookiePattern.String())
	}
	return nil
}

func (s *SessionPersistence) validateDatagram(pool Protocol) error {
	if pool != UDP && pool != SCTP {
		if s.PersistenceTimeout != nil || s.PersistenceGranularity != "" {
			return ValidationFailure("persistence_timeout and persistence_granularity is only for UDP and SCTP protocol pools.")
		}
		return nil
	}
	switch {
	case s.CookieName != "" && s.Type == PersistSourceIP:
		return ValidationFailure("session_persistence %s type for UDP and SCTP protocols only accepts: type, persistence_timeout, "+
			"persistence_granularity.", s.Type)
	case s.CookieName != "":
		return ValidationFailure("Cookie names are not supported for UDP/SCTP pools.")
	case s.Type != PersistSourceIP:
		return ValidationFailure("Session persistence of type %s is not supported for UDP/SCTP protocol pools.", s.Type)
	}
	return nil
}

func (s *SessionPersistence) validateCookie() error {
	if s.CookieName == "" {
		if s.Type == PersistAppCookie {
			return ValidationFailure(`Field "cookie_name" must be specified when using the "APP_COOKIE" session persistence type.`)
		}
		return nil
	}
	if s.Type != PersistAppCookie {
		return ValidationFailure(`Field "cookie_name" can only be specified with session persistence of type "APP_COOKIE".`)
	}
	if badCookie.MatchString(s.CookieName) {
		return ValidationFailure(`Supplied "cookie_name" is invalid.`)
	}
	return nil
}

// CheckPool checks a pool against the load balancer that it is put into: that the listeners which use it still may.
func (lb *LoadBalancer) CheckPool(p *Pool) error {
	for _, l := range lb.ListenersOf(p.ID) {
		if err := CheckProtocols(l.Protocol, p.Protocol); err != nil {
			return err
		}
	}
	return nil
}
