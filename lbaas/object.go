package lbaas

import "time"

// Noun is the name of a sort of object as the API's messages spell it.
type Noun string

// The nouns of a load balancer's tree.
const (
	NounLoadBalancer  Noun = "Load Balancer"
	NounListener      Noun = "Listener"
	NounPool          Noun = "Pool"
	NounMember        Noun = "Member"
	NounHealthMonitor Noun = "Health Monitor"
	NounL7Policy      Noun = "L7 Policy"
	NounL7Rule        Noun = "L7 Rule"

	NounRateLimitPolicy Noun = "Rate Limit Policy"
	NounRateLimitRule   Noun = "Rate Limit Rule"
)

// The nouns of what stands beside the trees.
const (
	NounAmphora                 Noun = "Amphora"
	NounFlavor                  Noun = "Flavor"
	NounFlavorProfile           Noun = "Flavor Profile"
	NounAvailabilityZone        Noun = "Availability Zone"
	NounAvailabilityZoneProfile Noun = "Availability Zone Profile"
)

// Object is what every part of a load balancer's tree has in common. It is embedded in each of them: writing it out
// nine times would be longer and would drift.
type Object struct {
	ID           string
	ProjectID    string
	Name         string
	Description  string // members and health monitors have none
	AdminStateUp bool
	Tags         []string
	CreatedAt    time.Time
	UpdatedAt    time.Time // zero until the first change

	Progress  Progress
	Operating OperatingStatus
}

// Base returns the part that all objects share.
func (o *Object) Base() *Object { return o }

// Part is any object of a load balancer's tree.
type Part interface {
	Base() *Object
	Noun() Noun
}

// DefaultProvider is the provider of a load balancer whose request names none.
const DefaultProvider = "haproxy"

// Bounds that several objects share (API sections 1.8 to 1.12).
const (
	MaxName        = 255
	MaxPort        = 65535
	MaxTimeoutMs   = 2073600000 // 24 days
	MaxWeight      = 256
	DefaultWeight  = 1
	MaxRetries     = 10
	DefaultRetries = 3  // max_retries_down
	NoLimit        = -1 // connection_limit: the provider's default
	DefaultClient  = 50000
	DefaultConnect = 5000
	DefaultServer  = 50000
)
