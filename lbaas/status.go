package lbaas

// ProvisioningStatus is the lifecycle status of an object (API section 1.5).
type ProvisioningStatus string

// The provisioning statuses that the API publishes.
const (
	Active        ProvisioningStatus = "ACTIVE"
	PendingCreate ProvisioningStatus = "PENDING_CREATE"
	PendingUpdate ProvisioningStatus = "PENDING_UPDATE"
	PendingDelete ProvisioningStatus = "PENDING_DELETE"
	Failed        ProvisioningStatus = "ERROR"
)

// OperatingStatus is the observed status of an object.
type OperatingStatus string

// The operating statuses that the API publishes.
const (
	Online    OperatingStatus = "ONLINE"
	Draining  OperatingStatus = "DRAINING"
	Offline   OperatingStatus = "OFFLINE"
	Degraded  OperatingStatus = "DEGRADED"
	Broken    OperatingStatus = "ERROR"
	NoMonitor OperatingStatus = "NO_MONITOR"
)

// Progress is how far an object's wanted state has come. Everything the API calls provisioning_status derives from it.
type Progress struct {
	Generation int64  // of the load balancer, when the object was last changed
	Observed   int64  // Generation of the object when it was last made true; 0 is never
	Deleted    bool   // wanted: that it goes away
	Failed     bool   // a try failed for good, or the deadline passed; tries go on
	Reason     string // why it failed, or why it is still pending, for users
}

// Status derives the provisioning status: ACTIVE once observed, ERROR while it fails, else PENDING_*.
func (p Progress) Status() ProvisioningStatus {
	switch {
	case p.Failed:
		return Failed
	case p.Deleted:
		return PendingDelete
	case p.Observed == p.Generation:
		return Active
	case p.Observed == 0:
		return PendingCreate
	}
	return PendingUpdate
}
