package lbaas

// MonitorType is how a health monitor asks.
type MonitorType string

// The monitor types that the API publishes.
const (
	MonitorHTTP       MonitorType = "HTTP"
	MonitorHTTPS      MonitorType = "HTTPS"
	MonitorPing       MonitorType = "PING"
	MonitorTCP        MonitorType = "TCP"
	MonitorTLSHello   MonitorType = "TLS-HELLO"
	MonitorUDPConnect MonitorType = "UDP-CONNECT"
	MonitorSCTP       MonitorType = "SCTP"
)

// HealthMonitor watches the members of a pool (API section 1.12).
type HealthMonitor struct {
	Object

	LoadBalancerID string
	PoolID         string
	Type           MonitorType
	Delay          int    // seconds between checks
	Timeout        int    // seconds
	MaxRetries     int    // successes before a member is up, 1 to 10
	MaxRetriesDown int    // failures before a member is down, 1 to 10
	HTTPMethod     string // "" is null, as the three below
	URLPath        string
	ExpectedCodes  string
	HTTPVersion    string // "1.0" or "1.1"
	DomainName     string
}

// Noun is «Health Monitor».
func (*HealthMonitor) Noun() Noun { return NounHealthMonitor }
