package neutronlbaas

import (
	"context"
	"encoding/json"
	"net/http"

	"github.com/google/uuid"

	"plimsoll/internal/identity"
	"plimsoll/internal/web"
	"plimsoll/lbaas"
)

// A graph is a load balancer with its whole tree, made by one request. Octavia takes such a tree, too, but there pools are told apart by their
// names: here each has a name of its own for as long as it is on its way.

// graph reads a tree and makes it what Octavia takes.
type graph struct {
	by    *identity.Actor
	names map[string]string // what pools are really called, by the names of the call
}

func (a *api) createGraph(ctx context.Context, req *web.Request) (web.Reply, error) {
	o, err := readGraph(req)
	if err != nil {
		return web.Reply{}, err
	}
	g := &graph{by: req.Actor, names: map[string]string{}}
	b, err := g.loadBalancer(o)
	if err != nil {
		return web.Reply{}, err
	}
	if err := a.completeLoadBalancer(ctx, b); err != nil {
		return web.Reply{}, err
	}
	lbs := a.loadBalancers()
	c := lbs.anew(b)
	c.Names = g.names
	id, err := lbs.call(ctx, req, c, "post")
	if err != nil {
		return web.Reply{}, err
	}
	tree, err := a.Store.Tree(ctx, id)
	if err != nil {
		return web.Reply{}, err
	}
	return web.Reply{Status: http.StatusCreated, Body: map[string]any{"graph": view{"loadbalancer": graphView(tree)}}}, nil
}

// readGraph returns the load balancer of a graph's body.
func readGraph(req *web.Request) (web.Object, error) {
	o, err := readObject(req)
	if err != nil {
		return nil, err
	}
	outer, err := (&schema{name: "graph"}).inner(o)
	if err != nil {
		return nil, err
	}
	for _, name := range sortedKeys(outer) {
		if name != "loadbalancer" && name != "tenant_id" && name != "project_id" {
			return nil, badRequest("Unrecognized attribute(s) '%s'", name)
		}
	}
	lb := loadBalancerSchema()
	inner, err := lb.inner(outer)
	if err != nil {
		return nil, err
	}
	for _, name := range []string{"tenant_id", "project_id"} { // the graph's own stands for that of what is in it
		if raw, ok := outer[name]; ok && inner[name] == nil {
			inner[name] = raw
		}
	}
	return inner, nil
}

// take takes what stands below an object out of it.
func take(o web.Object, name string) json.RawMessage {
	raw := o[name]
	delete(o, name)
	if string(raw) == "null" {
		return nil
	}
	return raw
}

// each reads the objects of a list.
func each(name string, raw json.RawMessage, read func(web.Object) (body, error)) ([]body, error) {
	if raw == nil {
		return []body{}, nil
	}
	var items []json.RawMessage
	if json.Unmarshal(raw, &items) != nil {
		return nil, invalid(name, "'%s' is not a list", quoted(raw))
	}
	bodies := make([]body, len(items))
	for i, item := range items {
		o, err := object(item)
		if err != nil {
			return nil, invalid(name, "'%s' is not a dictionary", quoted(item))
		}
		if bodies[i], err = read(o); err != nil {
			return nil, err
		}
	}
	return bodies, nil
}

func (g *graph) loadBalancer(o web.Object) (body, error) {
	raw := take(o, "listeners")
	lb := loadBalancerSchema()
	b, err := lb.read(o, g.by)
	if err != nil {
		return nil, err
	}
	listeners, err := each("listeners", raw, g.listener)
	if err != nil {
		return nil, err
	}
	if len(listeners) > 0 {
		b["listeners"] = listeners
	}
	return b, onePortEach(b.text("name"), listeners)
}

// onePortEach refuses two listeners on one port of the load balancer of that name, which has no id yet.
func onePortEach(name string, listeners []body) error {
	seen := map[int]bool{}
	for _, l := range listeners {
		port := l.number("protocol_port")
		if seen[port] {
			return portExists(name, port)
		}
		seen[port] = true
	}
	return nil
}

// part reads an object below the load balancer, whose owner is the load balancer's. What a graph itself says may not be named.
func (g *graph) part(s schema, o web.Object, above ...string) (body, error) {
	for _, name := range above {
		delete(s.attributes, name)
	}
	b, err := s.read(o, g.by)
	if err != nil {
		return nil, err
	}
	return b.without("project_id"), nil
}

func (g *graph) listener(o web.Object) (body, error) {
	pool, policies := take(o, "default_pool"), take(o, "l7policies")
	b, err := g.part(listenerSchema(), o, "loadbalancer_id", "default_pool_id")
	if err != nil {
		return nil, err
	}
	protocol := lbaas.Protocol(b.text("protocol"))
	if err := hasContainer(protocol, b); err != nil {
		return nil, err
	}
	if err := g.pool(b, "default_pool", pool, protocol); err != nil {
		return nil, err
	}
	all, err := each("l7policies", policies, func(o web.Object) (body, error) { return g.l7Policy(o, protocol) })
	if err != nil {
		return nil, err
	}
	b["l7policies"] = all
	return b, nil
}

// pool reads the pool that stands below an object, if there is one, into its body.
func (g *graph) pool(into body, name string, raw json.RawMessage, listener lbaas.Protocol) error {
	if raw == nil || string(raw) == "{}" {
		return nil
	}
	o, err := object(raw)
	if err != nil {
		return invalid(name, "'%s' is not a dictionary", quoted(raw))
	}
	monitor, members := take(o, "healthmonitor"), take(o, "members")
	b, err := g.part(poolSchema(), o, "loadbalancer_id", "listener_id")
	if err != nil {
		return err
	}
	if err := compatible(listener, lbaas.Protocol(b.text("protocol"))); err != nil {
		return err
	}
	if err := g.members(b, members); err != nil {
		return err
	}
	if err := g.healthMonitor(b, monitor); err != nil {
		return err
	}
	key := uuid.NewString()
	g.names[key] = b.text("name")
	b["name"] = key
	into[name] = b
	return nil
}

// members reads those of a pool into its body. The pool has no id yet: where two are the same, its name stands for it.
func (g *graph) members(into body, raw json.RawMessage) error {
	all, err := each("members", raw, func(o web.Object) (body, error) { return g.part(memberSchema(), o) })
	if err != nil {
		return err
	}
	into["members"] = all
	return distinct(into.text("name"), all)
}

func (g *graph) healthMonitor(into body, raw json.RawMessage) error {
	if raw == nil || string(raw) == "{}" {
		return nil
	}
	o, err := object(raw)
	if err != nil {
		return invalid("healthmonitor", "'%s' is not a dictionary", quoted(raw))
	}
	b, err := g.part(healthMonitorSchema(), o, "pool_id")
	if err == nil {
		into["healthmonitor"] = b.onlyHTTP(lbaas.MonitorType(b.text("type")))
	}
	return err
}

func (g *graph) l7Policy(o web.Object, listener lbaas.Protocol) (body, error) {
	pool, rules := take(o, "redirect_pool"), take(o, "rules")
	b, err := g.part(l7PolicySchema(), o, "listener_id", "redirect_pool_id")
	if err != nil {
		return nil, err
	}
	here := ""
	if pool != nil && string(pool) != "{}" {
		here = "redirect_pool" // its id is yet to be
	}
	if err := lead(b, &lbaas.L7Policy{RedirectPoolID: here}); err != nil {
		return nil, err
	}
	b.without("redirect_pool_id")
	if lbaas.L7Action(b.action()) == lbaas.RedirectToPool {
		if err := g.pool(b, "redirect_pool", pool, listener); err != nil {
			return nil, err
		}
	}
	b["rules"], err = each("rules", rules, g.l7Rule)
	return b, err
}

// action is what a policy does.
func (b body) action() string {
	action, _ := b["action"].(lbaas.L7Action)
	return string(action)
}

func (g *graph) l7Rule(o web.Object) (body, error) {
	b, err := g.part(l7RuleSchema(), o)
	if err != nil {
		return nil, err
	}
	return b, checkRule(merged(&lbaas.L7Rule{}, b))
}

// graphView is a load balancer with its tree, in which nothing names what it stands in.
func graphView(lb *lbaas.LoadBalancer) view {
	v := loadBalancerView(lb).without("pools")
	listeners := []view{}
	for _, l := range lb.Listeners {
		lv := listenerView(l).without("loadbalancers", "default_pool_id")
		if p := lb.Pool(l.DefaultPoolID); p != nil {
			lv["default_pool"] = graphPool(p)
		}
		policies := []view{}
		for _, p := range l.L7Policies {
			policies = append(policies, graphPolicy(lb, p))
		}
		lv["l7policies"] = policies
		listeners = append(listeners, lv)
	}
	v["listeners"] = listeners
	return v
}

func graphPool(p *lbaas.Pool) view {
	v := poolView(p).without("loadbalancers", "listeners", "healthmonitor_id")
	members := []view{}
	for _, m := range p.Members {
		members = append(members, memberView(m))
	}
	v["members"] = members
	if p.HealthMonitor != nil {
		v["healthmonitor"] = healthMonitorView(p.HealthMonitor).without("pools")
	}
	return v
}

func graphPolicy(lb *lbaas.LoadBalancer, p *lbaas.L7Policy) view {
	v := l7PolicyView(p).without("listener_id", "redirect_pool_id")
	rules := []view{}
	for _, r := range p.Rules {
		rules = append(rules, l7RuleView(r))
	}
	v["rules"] = rules
	if pool := lb.Pool(p.RedirectPoolID); pool != nil {
		v["redirect_pool"] = graphPool(pool)
	}
	return v
}
