// Package translate turns a load balancer's tree into the objects of an Avi Vantage Controller. It is pure.
package translate

import (
	"cmp"
	"slices"

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
	// Held says that it cannot be told what is wanted, since a certificate cannot be read: it stays as it is, with all that it
	// refers to, and is not made. What Owned and WriteOnly say of it means nothing.
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
	// Version is that of the data model in which objects are written, as "18.1.2": TLS 1.3 is known since 18.2.6.
	Version string
	// Placement names the networks of a pool's servers. Subnets are by id.
	Placement bool
	Subnets   map[string]*network.Subnet
}

// Certificates are what was read of the key manager, by use and reference. What is not there could not be read.
type Certificates map[keymanager.Reference]*keymanager.Material

// translation is one load balancer on its way to Avi.
type translation struct {
	lb           *lbaas.LoadBalancer
	certificates Certificates
	options      Options
}

// Objects are the objects of a load balancer, each after those that it refers to. The VRF context is not among them: load
// balancers share it.
func Objects(lb *lbaas.LoadBalancer, certificates Certificates, o Options) []Object {
	t := &translation{lb, certificates, o}
	var objects []Object
	for _, l := range lb.Listeners {
		if _, known := applicationProfiles[l.Protocol]; known {
			objects = append(objects, t.listener(l)...)
		}
	}
	if objects == nil {
		return nil
	}
	return ordered(merged(append(objects, t.vsvip())))
}

// Kinds are the kinds of object that load balancers have for themselves, each after those that it refers to.
var Kinds = []string{VsVip, Certificate, SSLProfile, PKIProfile, Monitor, Persistence, Pool, PolicySet, VirtualService}

// ordered puts objects into the order of their kinds. Within a kind they are in order: authorities before certificates,
// parents before children.
func ordered(objects []Object) []Object {
	slices.SortStableFunc(objects, func(a, b Object) int {
		return cmp.Compare(slices.Index(Kinds, a.Kind), slices.Index(Kinds, b.Kind))
	})
	return objects
}

// merged has each object once: several listeners may use a monitor or a certificate, which then stands for what all of
// them wanted of it.
func merged(objects []Object) []Object {
	var all []Object
	at := map[string]int{}
	for _, o := range objects {
		i, again := at[o.UUID]
		if !again {
			at[o.UUID] = len(all)
			all = append(all, o)
			continue
		}
		all[i].Held = all[i].Held || o.Held
		for _, id := range o.For {
			if !slices.Contains(all[i].For, id) {
				all[i].For = append(all[i].For, id)
			}
		}
	}
	return all
}

// listener makes all that a listener needs.
func (t *translation) listener(l *lbaas.Listener) []Object {
	objects := t.tls(l)
	for _, o := range t.owners(l) {
		for _, p := range t.pools(l) {
			objects = append(objects, t.pool(p, o)...)
		}
		if speaksHTTP(l) {
			objects = append(objects, t.policySet(o)...)
		}
	}
	return append(objects, t.virtualServices(l)...)
}

// pools are the pools that requests of a listener may go to, each once.
func (t *translation) pools(l *lbaas.Listener) []*lbaas.Pool {
	var all []*lbaas.Pool
	add := func(id string) {
		if p := t.lb.Pool(id); p != nil && !slices.Contains(all, p) {
			all = append(all, p)
		}
	}
	add(l.DefaultPoolID)
	for _, p := range t.policiesInOrder(l) {
		if p.Action == lbaas.RedirectToPool {
			add(p.RedirectPoolID)
		}
	}
	return all
}

// rules are the rules of a policy that are in force.
func rules(p *lbaas.L7Policy) []*lbaas.L7Rule {
	return slices.DeleteFunc(slices.Clone(p.Rules), func(r *lbaas.L7Rule) bool { return !r.AdminStateUp })
}

// speaksHTTP tells whether Avi sees the requests of a listener.
func speaksHTTP(l *lbaas.Listener) bool { return L7Protocol(l.Protocol) }
