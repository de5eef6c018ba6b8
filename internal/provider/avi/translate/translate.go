// Package translate turns a load balancer's tree into the objects of an Avi Vantage Controller. It is pure.
package translate

import (
	"plimsoll/internal/keymanager"
	"plimsoll/internal/network"
	"plimsoll/lbaas"
)

// The kinds of object that load balancers are made of, as the controller's paths spell them.
const (
	VRFContext     = "vrfcontext"
	VsVip          = "vsvip"
	SSLProfile     = "sslprofile"
	Certificate    = "sslkeyandcertificate"
	PKIProfile     = "pkiprofile"
	Monitor        = "healthmonitor"
	Persistence    = "applicationpersistenceprofile"
	Pool           = "pool"
	PolicySet      = "httppolicyset"
	VirtualService = "virtualservice"
)

// Object is an object that is wanted.
type Object struct {
	Kind string
	UUID string
	// Alias is the name that it gets where another object of the tenant has its own: users' names are not unique, Avi's are.
	Alias string
	// For are the ids of the parts of the tree that it stands for. The first is to blame where it cannot be made.
	For []string
	// Owned are the fields that are ours, in the form of JSON (map[string]any, []any, string, bool, int64), with
	// references as Ref writes them. Nil says that the field is not set. All else is left to whoever changed it.
	Owned map[string]any
	// WriteOnly are fields that the controller does not tell: they are written where any other differs.
	WriteOnly map[string]any
	// Held says that it cannot be told what is wanted, since a certificate cannot be read: it stays as it is, and is not made.
	Held bool
}

// Options are what the tree alone does not say.
type Options struct {
	Cloud string // the name
	// VRF refers to the VRF context of all of the load balancer; "" is left to Avi.
	VRF string
	// OneArm makes a virtual service not ask for a way of its own to its servers (ign_pool_net_reach).
	OneArm bool
	// SEGroup refers to the service engine group; "" is left to Avi.
	SEGroup string
	// Placement names the networks of a pool's servers. Subnets are by id.
	Placement bool
	Subnets   map[string]*network.Subnet
}

// Certificates are what was read of the key manager, by use and reference. What is not there could not be read.
type Certificates map[keymanager.Reference]*keymanager.Material

// Objects are the objects of a load balancer, each after those that it refers to. The VRF context is not among them: load
// balancers share it.
func Objects(lb *lbaas.LoadBalancer, certificates Certificates, o Options) []Object { return nil }
