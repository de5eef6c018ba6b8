package crash

import (
	"net/http"
	"os"
	"strings"

	"plimsoll/test/harness"
)

// small is a small cloud: a guarded server inside, behind a router with a floating address, and a visitor outside.
type small struct {
	*scenario
	outside, inside object
	visitor, guest  *harness.Node
	group, router   string
	floating        string
}

// serveNetworks has routers, floating addresses, security groups, DHCP and a tunnel for a while: packets pass as rules say, the
// engine fails and recovers, and all of it goes.
func (s *scenario) serveNetworks() {
	c := &small{scenario: s}
	c.bound()
	c.build()
	c.guard()
	c.route()
	c.passes(true)
	c.fails()
	c.switchOff()
	c.close()
	c.move()
	c.leave()
}

// bound gives the project finite quotas, so that what is made from now on is counted.
func (c *small) bound() {
	c.until(http.MethodPut, networks+"/quotas/"+c.project, object{"quota": object{"port": 100, "router": 5, "security_group_rule": 50}}, http.StatusOK)
}

func (c *small) build() {
	c.outside = c.makeNetworkAs("outside", "198.18.71.0/24", object{"router:external": true, "port_security_enabled": false})
	c.inside = c.makeNetworkAs("inside", "10.73.0.0/24", object{"provider:network_type": "vxlan"})
	c.visitor = c.plug(c.outside, "visitor")
	c.guest = c.plug(c.inside, "guest")
	c.guest.Serve(c.t, 8080, "guest")
}

// guard puts the guest into a group of its own.
func (c *small) guard() {
	groups := networks + "/security-groups"
	c.group = c.create(groups, "security_group", "security_groups", object{"name": c.name})["id"].(string)
	c.update(groups+"/"+c.group, "security_group", object{"description": c.name})
	c.rule("web", 8080)
	c.update(networks+"/ports/"+c.guest.PortID, "port", object{"security_groups": []string{c.group}})
}

// rule lets TCP to a port in; its description is its name.
func (c *small) rule(name string, port int) string {
	return c.createKnown("description", networks+"/security-group-rules", "security_group_rule", "security_group_rules", object{
		"security_group_id": c.group, "description": c.name + "-" + name, "direction": "ingress", "protocol": "tcp",
		"port_range_min": port, "port_range_max": port})["id"].(string)
}

func (c *small) route() {
	routers := networks + "/routers"
	c.router = routers + "/" + c.create(routers, "router", "routers", object{
		"name": c.name, "external_gateway_info": object{"network_id": c.outside["id"]}})["id"].(string)
	c.update(c.router, "router", object{"description": c.name})
	c.done(http.MethodPut, c.router+"/add_router_interface", object{"subnet_id": c.subnet(c.inside)}, "already has a port on subnet")
	addresses := networks + "/floatingips"
	c.floating = addresses + "/" + c.createKnown("description", addresses, "floatingip", "floatingips", object{
		"description": c.name, "floating_network_id": c.outside["id"]})["id"].(string)
	c.update(c.floating, "floatingip", object{"port_id": c.guest.PortID})
}

// done sends a request until it is answered with success, or with a refusal that says that it was carried out before.
func (c *small) done(method, path string, body object, before string) {
	c.t.Helper()
	c.wait(method+" "+path, func() bool {
		a := c.try(method, path, body)
		if a.status == http.StatusUnauthorized {
			c.logIn()
		}
		return a.status == http.StatusOK || strings.Contains(string(a.body), before)
	})
}

// passes waits until the visitor is answered at the floating address, or is not any more.
func (c *small) passes(wanted bool) {
	c.t.Helper()
	address := c.until(http.MethodGet, c.floating, nil, http.StatusOK).in(c.t, "floatingip")["floating_ip_address"].(string)
	c.wait("packets pass as the rules say", func() bool {
		name, err := c.visitor.Get(address + ":8080")
		return (err == nil && name == "guest") == wanted
	})
}

// fails has the engine say that it cannot make the router, until its ports show why, and then that it can.
func (c *small) fails() {
	id := c.router[strings.LastIndex(c.router, "/")+1:]
	c.write(id)
	rule := c.rule("failing", 81) // so that there is another plan
	c.shows(id, "a test wants it to fail")
	c.write("")
	rules := networks + "/security-group-rules/"
	c.update(rules+rule, "security_group_rule", object{"description": c.name + "-healed"})
	c.remove(rules + rule)
	c.shows(id, "")
}

func (c *small) write(id string) {
	if err := os.WriteFile(c.failing, []byte(id), 0o644); err != nil {
		c.t.Fatal(err)
	}
}

// shows waits until all ports of a router show a reason.
func (c *small) shows(routerID, reason string) {
	c.t.Helper()
	c.wait("the router's ports show "+reason, func() bool {
		a := c.try(http.MethodGet, networks+"/ports?device_id="+routerID, nil)
		if a.status == http.StatusUnauthorized {
			c.logIn()
		}
		return a.status == http.StatusOK && strings.Contains(string(a.body), "a test wants it to fail") == (reason != "")
	})
}

// switchOff has the host be given nothing new for a while.
func (c *small) switchOff() {
	agent := networks + "/agents/" + c.known("agent_type", networks+"/agents", "agents", "L3+agent")["id"].(string)
	c.update(agent, "agent", object{"admin_state_up": false})
	c.update(agent, "agent", object{"admin_state_up": true})
}

// close takes the rule away that lets the visitor in.
func (c *small) close() {
	c.remove(networks + "/security-group-rules/" + c.rule("web", 8080))
	c.passes(false)
	c.rule("web", 8080)
	c.passes(true)
}

// move takes the floating address away while it is in use, and gives it back when the guest has another address: flows of both are forgotten.
func (c *small) move() {
	c.update(c.floating, "floatingip", object{"port_id": nil})
	c.passes(false)
	c.guest.Address = "10.73.0.77"
	c.update(networks+"/ports/"+c.guest.PortID, "port", object{"fixed_ips": []object{{"ip_address": c.guest.Address}}})
	c.update(c.floating, "floatingip", object{"port_id": c.guest.PortID})
	c.passes(true)
}

func (c *small) leave() {
	c.update(c.floating, "floatingip", object{"port_id": nil})
	c.remove(c.floating)
	c.done(http.MethodPut, c.router+"/remove_router_interface", object{"subnet_id": c.subnet(c.inside)}, "has no interface on subnet")
	c.remove(c.router)
	for _, n := range []*harness.Node{c.visitor, c.guest} {
		c.unplug(n)
	}
	c.remove(networks + "/security-groups/" + c.group)
	c.removeNetwork(c.outside)
	c.removeNetwork(c.inside)
	c.until(http.MethodDelete, networks+"/quotas/"+c.project, nil, http.StatusNoContent, http.StatusNotFound)
}
