package neutronlbaas

import (
	"context"
	"net/http"

	"plimsoll/internal/web"
	"plimsoll/lbaas"
)

// disabled is the operating status of what an admin switched off, in the tree of statuses only.
const disabled = "DISABLED"

func (a *api) statuses(ctx context.Context, req *web.Request) (web.Reply, error) {
	lb, err := a.loadBalancerFor(ctx, req, "get_status")
	if err != nil {
		return web.Reply{}, err
	}
	tree, err := a.Store.StatusTree(ctx, lb.ID)
	if err != nil {
		return web.Reply{}, told(err, "get_loadbalancer")
	}
	return web.Reply{Status: http.StatusOK, Body: map[string]any{"statuses": view{"loadbalancer": statusTree(tree)}}}, nil
}

// loadBalancerFor returns the load balancer that the path names, if the actor may do with it what the action says.
func (a *api) loadBalancerFor(ctx context.Context, req *web.Request, action string) (*lbaas.LoadBalancer, error) {
	r := a.loadBalancers()
	lb, err := r.find(ctx, req)
	if err != nil {
		return nil, err
	}
	return lb, r.may(req.Actor, action, &lb.Object)
}

// node is an object of the tree. What goes wrong in it makes those above it DEGRADED.
type node struct {
	view
	above *node
}

func (n *node) degrade() {
	for at := n; at != nil; at = at.above {
		at.view["operating_status"] = lbaas.Degraded
	}
}

// look marks what is above a part that is in ERROR, or that is not up.
func (n *node) look(o *lbaas.Object, operates bool) {
	down := operates && o.Operating != lbaas.Online && o.Operating != lbaas.NoMonitor
	if n.above != nil && (o.Progress.Status() == lbaas.Failed || down) {
		n.above.degrade()
	}
}

// below is a part of n: an object with its statuses. An object that admins switched off is not looked at.
func (n *node) below(o *lbaas.Object, operates, on bool) *node {
	v := view{"id": o.ID, "name": o.Name, "provisioning_status": o.Progress.Status()}
	if operates {
		v["operating_status"] = o.Operating
		if !on {
			v["operating_status"] = disabled
		}
	}
	child := &node{v, n}
	if !on {
		child.above = nil
		return child
	}
	child.look(o, operates)
	return child
}

// statusTree is the load balancer with all that is below it. Below what is switched off everything is, whatever it says itself.
func statusTree(lb *lbaas.LoadBalancer) view {
	on := lb.AdminStateUp
	root := (*node)(nil).below(&lb.Object, true, on)
	if on && (lb.Progress.Status() == lbaas.Failed || lb.Operating != lbaas.Online && lb.Operating != lbaas.NoMonitor) {
		root.degrade()
	}
	listeners, pools := []view{}, []view{}
	shown := map[string]bool{}
	for _, l := range lb.Listeners {
		listeners = append(listeners, listenerStatus(root, lb, l, on && l.AdminStateUp))
		if on && l.AdminStateUp {
			if p := lb.Pool(l.DefaultPoolID); p != nil && p.AdminStateUp && !shown[p.ID] {
				shown[p.ID] = true
				pools = append(pools, poolStatus(root, p, true))
			}
		}
	}
	root.view["listeners"] = listeners
	if !on {
		return root.view
	}
	for _, p := range lb.Pools {
		if !shown[p.ID] {
			pools = append(pools, poolStatus(root, p, p.AdminStateUp))
		}
	}
	root.view["pools"] = pools
	return root.view
}

func listenerStatus(root *node, lb *lbaas.LoadBalancer, l *lbaas.Listener, on bool) view {
	n := root.below(&l.Object, true, on)
	pools, policies := []view{}, []view{}
	for _, p := range l.L7Policies {
		policies = append(policies, l7PolicyStatus(n, p, on && p.AdminStateUp))
	}
	if p := lb.Pool(l.DefaultPoolID); p != nil {
		pools = append(pools, poolStatus(n, p, on && p.AdminStateUp))
	}
	n.view["pools"], n.view["l7policies"] = pools, policies
	return n.view
}

func l7PolicyStatus(above *node, p *lbaas.L7Policy, on bool) view {
	n := above.below(&p.Object, false, on)
	rules := []view{}
	for _, r := range p.Rules {
		rule := n.below(&r.Object, false, on && r.AdminStateUp).view.without("name")
		rule["type"] = r.Type
		rules = append(rules, rule)
	}
	n.view["rules"] = rules
	if on {
		n.view["action"] = p.Action
	}
	return n.view
}

func poolStatus(above *node, p *lbaas.Pool, on bool) view {
	n := above.below(&p.Object, true, on)
	members := []view{}
	for _, m := range p.Members {
		v := n.below(&m.Object, true, on && m.AdminStateUp).view
		v["address"], v["protocol_port"] = m.Address.String(), m.ProtocolPort
		members = append(members, v)
	}
	monitor := view{}
	if h := p.HealthMonitor; h != nil {
		monitor = n.below(&h.Object, false, on && h.AdminStateUp).view
		monitor["type"] = h.Type
	}
	n.view["members"], n.view["healthmonitor"] = members, monitor
	return n.view
}

// stats answers the four counters that neutron-lbaas has.
func (a *api) stats(ctx context.Context, req *web.Request) (web.Reply, error) {
	lb, err := a.loadBalancerFor(ctx, req, "get_stats")
	if err != nil {
		return web.Reply{}, err
	}
	all, err := a.counters(ctx, req, lb)
	if err != nil {
		return web.Reply{}, err
	}
	var sum lbaas.Statistics
	for _, s := range all {
		sum = sum.Add(s)
	}
	v := view{
		"bytes_in": sum.BytesIn, "bytes_out": sum.BytesOut,
		"active_connections": sum.ActiveConnections, "total_connections": sum.TotalConnections,
	}
	return web.Reply{Status: http.StatusOK, Body: map[string]any{"stats": v.only(req.Query["fields"])}}, nil
}

// counters are those of the listeners, as the data plane says, or as it last said.
func (a *api) counters(ctx context.Context, req *web.Request, lb *lbaas.LoadBalancer) (map[string]lbaas.Statistics, error) {
	if a.Stats != nil {
		all, err := a.Stats(ctx, lb)
		if err == nil && all != nil {
			return all, nil
		}
		req.Log.Debug("statistics come from the store", "load_balancer", lb.ID, "err", err)
	}
	return a.Store.Statistics(ctx, lb.ID)
}
