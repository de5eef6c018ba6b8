package lbaas

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
