package neutronlbaas

import (
	"context"
	"net/http"
	"slices"
	"strings"

	"plimsoll/internal/web"
	"plimsoll/lbaas"
)

const (
	maxName      = 255
	maxProject   = 64
	maxContainer = 128 // characters of a reference to a certificate
)

// ownerAttributes are those that tell whose an object is.
func ownerAttributes(own map[string]attribute) map[string]attribute {
	own["id"] = attribute{filter: "id"}
	own["tenant_id"] = attribute{access: postOnly, read: text(maxProject), filter: "project_id"}
	own["project_id"] = attribute{access: postOnly, read: text(maxProject), filter: "project_id"}
	own["admin_state_up"] = attribute{access: postAndPut, read: boolean, filter: "admin_state_up", asked: boolean}
	return own
}

// namedAttributes are ownerAttributes with a name, and a description where the noun has one.
func namedAttributes(description bool, own map[string]attribute) map[string]attribute {
	own["name"] = attribute{access: postAndPut, read: text(maxName), filter: "name"}
	if description {
		own["description"] = attribute{access: postAndPut, read: text(maxName), filter: "description"}
	}
	return ownerAttributes(own)
}

func loadBalancerSchema() schema {
	return schema{name: "loadbalancer", plural: "loadbalancers", attributes: namedAttributes(true, map[string]attribute{
		"vip_subnet_id":       {access: postOnly, read: id, filter: "vip_subnet_id"},
		"vip_network_id":      {access: postOnly, read: id},
		"vip_address":         {access: postOnly, read: orNone(address), filter: "vip_address"},
		"vip_port_id":         {filter: "vip_port_id"},
		"provider":            {access: postOnly, read: text(maxName), filter: "provider"},
		"flavor_id":           {access: postOnly, read: text(maxName), filter: "flavor_id"},
		"listeners":           {},
		"pools":               {},
		"provisioning_status": {filter: "provisioning_status"},
		"operating_status":    {filter: "operating_status"},
	})}
}

func (a *api) loadBalancers() *resource[*lbaas.LoadBalancer] {
	r := &resource[*lbaas.LoadBalancer]{
		schema: loadBalancerSchema(), api: a, path: "/loadbalancers", rule: "loadbalancer",
		one: a.Store.LoadBalancer, many: a.Store.LoadBalancers, view: loadBalancerView,
	}
	r.create = func(ctx context.Context, _ *web.Request, b body) (web.Call, error) {
		return r.anew(b), a.completeLoadBalancer(ctx, b)
	}
	r.update = func(_ context.Context, old *lbaas.LoadBalancer, b body) (web.Call, error) {
		return r.on(http.MethodPut, old, b), nil
	}
	r.remove = func(old *lbaas.LoadBalancer) web.Call {
		c := r.on(http.MethodDelete, old, nil)
		c.Before = childless
		return c
	}
	return r
}

// childless refuses to delete a load balancer that has something below it.
func childless(lb *lbaas.LoadBalancer, _ func(...lbaas.Part) error) error {
	switch {
	case len(lb.Listeners) > 0:
		return entityInUse("loadbalancer", "listener", lb.Listeners[0].ID)
	case len(lb.Pools) > 0:
		return entityInUse("loadbalancer", "pool", lb.Pools[0].ID)
	}
	return nil
}

func loadBalancerView(lb *lbaas.LoadBalancer) view {
	v := common(&lb.Object)
	v["name"], v["description"] = lb.Name, lb.Description
	v["vip_subnet_id"], v["vip_address"], v["vip_port_id"] = lb.VIPSubnetID, lb.VIPAddress.String(), lb.VIPPortID
	v["provider"] = strings.ToLower(lb.Provider)
	v["listeners"], v["pools"] = refs(lb.Listeners), refs(lb.Pools)
	v["provisioning_status"], v["operating_status"] = lb.Progress.Status(), lb.Operating
	if lb.FlavorID != "" {
		v["flavor_id"] = lb.FlavorID
	}
	return v
}

// completeLoadBalancer judges what a POST says of a load balancer itself, and makes it what Octavia takes.
func (a *api) completeLoadBalancer(ctx context.Context, b body) error {
	if b.text("vip_subnet_id") == "" && b.text("vip_network_id") == "" {
		return requiredAttribute("vip_subnet_id or vip_network_id")
	}
	if b.text("vip_subnet_id") != "" {
		b.without("vip_network_id") // the subnet says it
	} else if err := a.checkNetwork(ctx, b); err != nil {
		return err
	}
	if b.has("flavor_id") {
		if b.has("provider") {
			return failure(lbaas.Conflict, "ProviderFlavorConflict", "Cannot specify both a flavor and a provider")
		}
		_, err := a.Store.UsableServiceProfile(ctx, b.text("flavor_id"))
		return err
	}
	return a.chooseProvider(b)
}

// checkNetwork refuses a network of the project without any subnet. Of others' networks Octavia judges.
func (a *api) checkNetwork(ctx context.Context, b body) error {
	n, err := a.Store.Network(ctx, b.text("vip_network_id"))
	if err != nil || n.ProjectID != b.text("project_id") || len(n.SubnetIDs) > 0 {
		return nil //nolint:nilerr // Octavia finds the same, and says it
	}
	return failure(lbaas.Invalid, "VipNetworkInvalid", "VIP network %s is invalid. There is no subnet in VIP network specified.", n.ID)
}

// chooseProvider makes a provider's name the one that it has here: it may be an alias, and Neutron takes all of them in lower case.
func (a *api) chooseProvider(b body) error {
	if !b.has("provider") {
		return nil
	}
	asked := b.text("provider")
	same := func(name string) bool { return strings.EqualFold(name, asked) }
	for _, f := range a.Providers {
		if same(f.Name) || slices.ContainsFunc(f.Aliases, same) {
			b["provider"] = f.Name
			return nil
		}
	}
	return failure(lbaas.Invalid, "ServiceProviderNotFound", "Service provider '%s' could not be found for service type LOADBALANCERV2",
		strings.ToLower(asked))
}
