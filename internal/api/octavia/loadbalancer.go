package octavia

import (
	"cmp"
	"context"
	"net/http"
	"slices"

	"github.com/google/uuid"

	"plimsoll/internal/network"
	"plimsoll/internal/store"
	"plimsoll/internal/web"
	"plimsoll/lbaas"
)

// readLoadBalancer reads the attributes that a POST and a PUT have in common.
func readLoadBalancer(f *form, lb *lbaas.LoadBalancer) {
	f.text("name", &lb.Name)
	f.text("description", &lb.Description)
	f.flag("admin_state_up", &lb.AdminStateUp)
	f.tags(&lb.Tags)
	f.id("vip_qos_policy_id", &lb.VIPQoSPolicyID)
	f.ids("vip_sg_ids", &lb.VIPSecurityGroupIDs)
	f.flag(extensionAccessLog, &lb.AccessLog)
}

type additionalVIPJSON struct {
	SubnetID  string `json:"subnet_id"`
	IPAddress string `json:"ip_address"`
	PortID    string `json:"port_id"`
}

func additionalVIPsOf(lb *lbaas.LoadBalancer) []additionalVIPJSON {
	out := make([]additionalVIPJSON, len(lb.AdditionalVIPs))
	for i, v := range lb.AdditionalVIPs {
		out[i] = additionalVIPJSON{v.SubnetID, v.Address.String(), v.PortID}
	}
	return out
}

type loadBalancerJSON struct {
	objectJSON
	Description      string              `json:"description"`
	VIPAddress       string              `json:"vip_address"`
	VIPPortID        string              `json:"vip_port_id"`
	VIPSubnetID      string              `json:"vip_subnet_id"`
	VIPNetworkID     string              `json:"vip_network_id"`
	VIPQoSPolicyID   *string             `json:"vip_qos_policy_id"`
	VIPSecurityIDs   []string            `json:"vip_sg_ids"`
	VIPVNICType      string              `json:"vip_vnic_type"`
	AdditionalVIPs   []additionalVIPJSON `json:"additional_vips"`
	Provider         string              `json:"provider"`
	FlavorID         *string             `json:"flavor_id"`
	AvailabilityZone *string             `json:"availability_zone"`
	AccessLog        *bool               `json:"access_log,omitempty"` // an extension: only where it was asked for
}

// flatLoadBalancerJSON is a load balancer whose children are ids.
type flatLoadBalancerJSON struct {
	loadBalancerJSON
	Listeners []ref `json:"listeners"`
	Pools     []ref `json:"pools"`
}

// fullLoadBalancerJSON is a load balancer with its whole tree: the answer to every POST.
type fullLoadBalancerJSON struct {
	loadBalancerJSON
	Listeners []nestedListenerJSON `json:"listeners"`
	Pools     []nestedPoolJSON     `json:"pools"`
}

func basicLoadBalancerOf(lb *lbaas.LoadBalancer, v view) loadBalancerJSON {
	j := loadBalancerJSON{
		objectJSON: objectOf(&lb.Object, v), Description: lb.Description,
		VIPAddress: lb.VIPAddress.String(), VIPPortID: lb.VIPPortID, VIPSubnetID: lb.VIPSubnetID,
		VIPNetworkID: lb.VIPNetworkID, VIPQoSPolicyID: orNull(lb.VIPQoSPolicyID), VIPSecurityIDs: list(lb.VIPSecurityGroupIDs),
		VIPVNICType: cmp.Or(lb.VIPVNICType, lbaas.VNICNormal), AdditionalVIPs: additionalVIPsOf(lb), Provider: lb.Provider,
		FlavorID: orNull(lb.FlavorID), AvailabilityZone: orNull(lb.AvailabilityZone),
	}
	if v.with(extensionAccessLog) {
		j.AccessLog = &lb.AccessLog
	}
	return j
}

func loadBalancerOf(lb *lbaas.LoadBalancer, v view) flatLoadBalancerJSON {
	return flatLoadBalancerJSON{basicLoadBalancerOf(lb, v), partRefs(lb.Listeners), partRefs(lb.Pools)}
}

func fullLoadBalancerOf(lb *lbaas.LoadBalancer, v view) fullLoadBalancerJSON {
	j := fullLoadBalancerJSON{basicLoadBalancerOf(lb, v), []nestedListenerJSON{}, []nestedPoolJSON{}}
	for _, l := range lb.Listeners {
		j.Listeners = append(j.Listeners, nestedListenerOf(l, v))
	}
	for _, p := range lb.Pools {
		used(lb, p)
		j.Pools = append(j.Pools, nestedPoolOf(p, v))
	}
	return j
}

// loadBalancer returns the load balancer that the path names, if the actor may do what the route does.
func (a *API) loadBalancer(ctx context.Context, r *request) (*lbaas.LoadBalancer, error) {
	id, err := r.id("id", lbaas.NounLoadBalancer)
	if err != nil {
		return nil, err
	}
	lb, err := a.Store.LoadBalancer(ctx, id)
	if err != nil {
		return nil, err
	}
	return lb, r.allow(lb.ProjectID)
}

func (a *API) showLoadBalancer(ctx context.Context, r *request) (web.Reply, error) {
	lb, err := a.loadBalancer(ctx, r)
	if err != nil {
		return web.Reply{}, err
	}
	v := viewOf(r.Request)
	if err := warn(ctx, a, v, lb); err != nil {
		return web.Reply{}, err
	}
	return reply(http.StatusOK, "loadbalancer", v.of(loadBalancerOf(lb, v)))
}

// newTree is what a POST of a load balancer asks for.
type newTree struct {
	form       *form
	lb         *lbaas.LoadBalancer
	vip        vipRequest
	listeners  []newListener
	policies   []newL7Policy
	references []string          // the names of pools that are defined elsewhere
	subnets    []*network.Subnet // of its members
}

func (a *API) createLoadBalancer(ctx context.Context, r *request) (web.Reply, error) {
	f, err := readForm(r, "load_balancer", "loadbalancer", true)
	if err != nil {
		return web.Reply{}, err
	}
	t := newTree{form: f, lb: lbaas.NewLoadBalancer()}
	if err := t.read(); err != nil {
		return web.Reply{}, err
	}
	if err := t.own(r); err != nil {
		return web.Reply{}, err
	}
	place, err := a.placeVIP(ctx, r, &t)
	if err != nil {
		return web.Reply{}, err
	}
	if err := a.settle(ctx, r, &t); err != nil {
		return web.Reply{}, err
	}
	if err := a.takeVIP(ctx, t.lb, place); err != nil {
		a.releaseVIP(ctx, t.lb, place)
		return web.Reply{}, err
	}
	if err := a.insert(ctx, &t); err != nil {
		a.releaseVIP(ctx, t.lb, place)
		return web.Reply{}, err
	}
	return reply(http.StatusCreated, "loadbalancer", fullLoadBalancerOf(t.lb, viewOf(r.Request)))
}

// read reads the request's attributes and checks their types.
func (t *newTree) read() error {
	f, lb := t.form, t.lb
	readLoadBalancer(f, lb)
	readVIP(f, &t.vip)
	f.text("project_id", &lb.ProjectID)
	if lb.ProjectID == "" {
		f.text("tenant_id", &lb.ProjectID)
	}
	f.value("tenant_id")
	f.text("provider", &lb.Provider)
	f.id("flavor_id", &lb.FlavorID)
	f.text("availability_zone", &lb.AvailabilityZone)
	for _, nested := range f.objects("additional_vips") {
		lb.AdditionalVIPs = append(lb.AdditionalVIPs, readAdditionalVIP(nested))
		f.check(nested.done())
	}
	t.readChildren()
	return first(f.done(), differentTags(lb.Tags), lb.Validate())
}

// differentTags is Octavia's answer to a POST of a load balancer that gives a tag twice: its table of tags has a key.
func differentTags(tags []string) error {
	sorted := slices.Sorted(slices.Values(tags))
	if len(slices.Compact(sorted)) < len(tags) {
		return lbaas.Errorf(lbaas.Conflict, "Already an entity with that specified id.")
	}
	return nil
}

// readAdditionalVIP reads an address as it is wanted: what is left open is the zero value.
func readAdditionalVIP(f *form) lbaas.AdditionalVIP {
	var v lbaas.AdditionalVIP
	f.require("subnet_id")
	f.id("subnet_id", &v.SubnetID)
	f.id("port_id", &v.PortID)
	f.address("ip_address", &v.Address)
	return v
}

// own decides whose the load balancer is and whether the actor may make it.
func (t *newTree) own(r *request) error {
	if t.lb.ProjectID == "" {
		t.lb.ProjectID = r.Actor.ProjectID
	}
	if t.lb.ProjectID == "" {
		return lbaas.ValidationFailure("Missing project ID in request where one is required. An administrator should check the keystone settings in the Octavia configuration.")
	}
	if err := r.allow(t.lb.ProjectID); err != nil {
		return err
	}
	return r.allowSecurityGroups(t.form, t.lb.ProjectID)
}

func (r *request) allowSecurityGroups(f *form, projectID string) error {
	if !f.has("vip_sg_ids") {
		return nil
	}
	if !r.allowed(r.rule+":vip_sg_ids", projectID) {
		return errPolicy()
	}
	return nil
}

// settle fills in what the request left open, and refuses what cannot be had, before anything is made.
func (a *API) settle(ctx context.Context, r *request, t *newTree) error {
	lb := t.lb
	if err := a.chooseProvider(ctx, t.form, lb); err != nil {
		return err
	}
	if err := first(a.Options.allowNetwork(lb.VIPNetworkID, zoneNetworks(lb)), checkVNIC(lb)); err != nil {
		return err
	}
	lb.ID = uuid.NewString()
	t.adopt()
	rename(ctx, lb.Pools)
	var members []*lbaas.Member
	for _, p := range lb.Pools {
		members = append(members, p.Members...)
	}
	if err := checkMemberSRIOV(lb, members...); err != nil {
		return err
	}
	subnets, err := a.memberSubnets(ctx, r, lb.ProjectID, members)
	if err != nil {
		return err
	}
	t.subnets = subnets
	if err := checkTree(&a.Options.Deployment, lb); err != nil {
		return err
	}
	if err := a.checkCertificates(ctx, r.Actor, lb.ProjectID, treeRefs(lb)); err != nil {
		return err
	}
	return a.supported(lb, nil)
}

// insert writes the load balancer, whose VIP is known now.
func (a *API) insert(ctx context.Context, t *newTree) error {
	if err := checkTree(&a.Options.Deployment, t.lb); err != nil {
		return err
	}
	if len(t.subnets) > 0 && !a.reachesOverlapping(t.lb) {
		vips := lbaas.LoadBalancer{VIPSubnetID: t.lb.VIPSubnetID, AdditionalVIPs: t.lb.AdditionalVIPs}
		used, err := a.usedSubnets(ctx, &vips, t.subnets)
		if err != nil {
			return err
		}
		if err := overlap(t.lb.Provider, used, t.subnets); err != nil {
			return err
		}
	}
	return vanished(a.Store.CreateLoadBalancer(ctx, t.lb), t.lb, "flavor_id")
}

func (a *API) updateLoadBalancer(ctx context.Context, r *request) (web.Reply, error) {
	f, err := readForm(r, "load_balancer", "loadbalancer", false)
	if err != nil {
		return web.Reply{}, err
	}
	if readLoadBalancer(f, lbaas.NewLoadBalancer()); f.done() != nil {
		return web.Reply{}, f.done()
	}
	old, err := a.loadBalancer(ctx, r)
	if err != nil {
		return web.Reply{}, err
	}
	if err := first(r.allowSecurityGroups(f, old.ProjectID), pending(old)); err != nil {
		return web.Reply{}, err
	}
	wanted := *old
	readLoadBalancer(f, &wanted)
	if err := a.changeVIP(ctx, r, old, &wanted); err != nil {
		return web.Reply{}, err
	}
	var lb *lbaas.LoadBalancer
	err = a.change(ctx, old.ID, func(c *store.Change) error {
		lb = c.LB
		readLoadBalancer(f, lb)
		if err := lb.Validate(); err != nil {
			return err
		}
		return c.Put(lb)
	})
	if err != nil {
		a.restoreVIP(ctx, &wanted, old)
		return web.Reply{}, err
	}
	return reply(http.StatusOK, "loadbalancer", loadBalancerOf(lb, viewOf(r.Request)))
}

// pending refuses a load balancer that is going away; nothing else closes it.
func pending(lb *lbaas.LoadBalancer) error {
	if !lb.Progress.Deleted {
		return nil
	}
	return lbaas.Errorf(lbaas.Immutable, "Invalid state %s of loadbalancer resource %s", lbaas.PendingDelete, lb.ID)
}

func (a *API) deleteLoadBalancer(ctx context.Context, r *request) (web.Reply, error) {
	old, err := a.loadBalancer(ctx, r)
	if err != nil {
		return web.Reply{}, err
	}
	cascade := loose(r.Query.Get("cascade"))
	if err := pending(old); err != nil { // its children are on their way out with it: they count for nothing
		return web.Reply{}, err
	}
	err = a.Store.ChangeLoadBalancer(ctx, old.ID, func(c *store.Change) error {
		if err := looked(ctx, c); err != nil {
			return err
		}
		if !cascade && len(c.LB.Listeners)+len(c.LB.Pools) > 0 {
			return lbaas.ValidationFailure("Cannot delete Load Balancer %s - it has children", old.ID)
		}
		return c.Delete(c.LB)
	})
	if err != nil {
		return web.Reply{}, err
	}
	return noContent()
}
