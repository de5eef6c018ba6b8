package lbaas

import (
	"net/netip"
	"time"
)

// The statuses of an amphora that providers report (API section 1.5).
const (
	AmphoraAllocated = "ALLOCATED"
	AmphoraBooting   = "BOOTING"
	AmphoraError     = "ERROR"
)

// The roles of an amphora.
const (
	RoleStandalone = "STANDALONE"
	RoleMaster     = "MASTER"
	RoleBackup     = "BACKUP"
)

// Amphora is one instance of a load balancer's data plane (API section 1.15), whatever the provider makes it of. Zero
// values are null in answers.
type Amphora struct {
	ID             string // stable for as long as the instance lives
	LoadBalancerID string
	ProjectID      string // the load balancer's
	ComputeID      string // what it runs on: a host's or a virtual machine's id
	LBNetworkIP    netip.Addr
	VRRPIP         netip.Addr
	HAIP           netip.Addr // the VIP
	VRRPPortID     string
	HAPortID       string // the VIP's port
	CertExpiration time.Time
	CertBusy       bool
	Role           string
	Status         string
	VRRPInterface  string
	VRRPID         int
	VRRPPriority   int
	CachedZone     string
	ImageID        string
	ComputeFlavor  string
	CreatedAt      time.Time
	UpdatedAt      time.Time
}
