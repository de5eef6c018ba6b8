package engine

import (
	"errors"
	"fmt"
	"net/netip"

	"plimsoll/internal/engine/enginepb"
)

// checkPlan refuses a plan of which ids are no ids, since they become names of files, links and namespaces, or that names an object twice.
// What else objects say is checked where it is used: one that is wrong does not keep the others from being made.
func checkPlan(plan *enginepb.HostPlan) error {
	if plan == nil {
		return errors.New("the request has no plan")
	}
	c := &planCheck{seen: map[string]bool{}}
	for _, r := range plan.Routers {
		c.once("router", r.GetId())
		c.ids("port", r.GetInternalPortIds()...)
		c.maybe("port", r.GetExternalPortId())
		for _, a := range r.GetAdvertisements() {
			c.ids("port", a.GetPortId())
		}
	}
	for _, d := range plan.Dhcps {
		c.once("network", d.GetNetworkId())
		c.ids("port", d.GetPortId())
		for _, s := range d.GetSubnets() {
			c.ids("subnet", s.GetId())
		}
		for _, h := range d.GetHosts() {
			c.ids("port", h.GetPortId())
		}
	}
	for _, g := range plan.Guards {
		c.once("port", g.GetPortId())
		c.ids("network", g.GetNetworkId())
		c.ids("security group", g.GetGroupIds()...)
	}
	for _, g := range plan.Groups {
		c.once("security group", g.GetId())
		for _, r := range g.GetRules() {
			c.maybe("security group", r.GetRemoteGroupId())
		}
	}
	for _, p := range plan.TunnelPeers {
		if a, err := netip.ParseAddr(p); err != nil || a.Zone() != "" {
			c.fail(fmt.Errorf("tunnel peer %q is no address", p))
		}
	}
	return c.err
}

// planCheck remembers the first thing that is wrong.
type planCheck struct {
	seen map[string]bool
	err  error
}

func (c *planCheck) fail(err error) {
	if c.err == nil {
		c.err = err
	}
}

func (c *planCheck) ids(what string, ids ...string) {
	for _, id := range ids {
		if err := checkID(what, id); err != nil {
			c.fail(err)
		}
	}
}

// maybe is ids of one that may be "".
func (c *planCheck) maybe(what, id string) {
	if id != "" {
		c.ids(what, id)
	}
}

// once is ids of an object of the plan.
func (c *planCheck) once(what, id string) {
	c.ids(what, id)
	key := what + " " + id
	if c.seen[key] {
		c.fail(fmt.Errorf("%s is there twice", key))
	}
	c.seen[key] = true
}
