package avi

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"plimsoll/internal/network"
	"plimsoll/internal/provider/avi/controller"
	"plimsoll/internal/store"
	"plimsoll/lbaas"
)

// defaultPortWait is how long a removal waits for the controller to free its ports, where Config says nothing.
const defaultPortWait = 30 * time.Second

// awaitCollection has the controller free what its service engines had for a load balancer, which it does by itself only after a while:
// until then its networks cannot be deleted. It waits with a bound for that and for what is left besides, and then leaves it to the
// controller.
func (j *job) awaitCollection(ctx context.Context, left []string) error {
	ports, err := j.leftPorts(ctx)
	if err != nil {
		return err
	}
	left = append(left, names(ports)...)
	if len(left) == 0 {
		return nil
	}
	now, is := j.p.now(), j.p.uses.get(j.lb.ID)
	if is.waits.IsZero() {
		is.waits = now
	}
	is.seen = now
	j.p.uses.set(j.lb.ID, is)
	if now.Sub(is.waits) >= j.p.portWait() {
		j.p.log().Warn("left to Avi's garbage collection; until ports go their networks cannot be deleted", "load_balancer", j.lb.ID, "left", left)
		return nil
	}
	j.collect(ctx)
	return lbaas.Errorf(lbaas.Unavailable, "The Avi Controller of provider %s has not freed %s yet. It was asked to; the removal goes on by itself.",
		j.p.cfg.Name, strings.Join(left, ", "))
}

// leftPorts are the ports of service engines in the subnets that the load balancer used and no other uses.
func (j *job) leftPorts(ctx context.Context) ([]*network.Port, error) {
	if j.p.cfg.Networks == nil {
		return nil, nil
	}
	var left []*network.Port
	subnets := subnetsOf(j.lb)
	for _, s := range j.p.uses.get(j.lb.ID).subnets {
		if !slices.Contains(subnets, s) {
			subnets = append(subnets, s)
		}
	}
	for _, s := range subnets {
		if j.p.uses.others(j.lb.ID, j.p.now(), func(u use) bool { return slices.Contains(u.subnets, s) }) {
			continue
		}
		ports, err := j.portsIn(ctx, s)
		if err != nil {
			return nil, err
		}
		if !slices.ContainsFunc(ports, j.isOthers) {
			left = append(left, slices.DeleteFunc(ports, func(p *network.Port) bool { return !isEngines(p) })...)
		}
	}
	return left, nil
}

// portsIn are the ports of a subnet; one that is gone has none.
func (j *job) portsIn(ctx context.Context, subnetID string) ([]*network.Port, error) {
	q := store.Query{Filters: []store.Filter{{Attribute: network.FixedIPs, Values: []string{"subnet_id=" + subnetID}}}}
	ports, err := j.p.cfg.Networks.Ports(ctx, q)
	if err != nil && !isNotFound(err) {
		return nil, fmt.Errorf("list the ports of subnet %s: %w", subnetID, err)
	}
	return ports, nil
}

// isOthers tells whether a port is the VIP of another load balancer, whose service engines may be in the same subnet.
func (j *job) isOthers(p *network.Port) bool {
	return p.DeviceOwner == network.OwnerLoadBalancer && strings.HasPrefix(p.DeviceID, "lb-") && p.DeviceID != "lb-"+j.lb.ID
}

// isEngines tells whether a port is one of a service engine.
func isEngines(p *network.Port) bool {
	return strings.HasPrefix(p.Name, "Avi-") || strings.Contains(p.Name, "Avi-Data")
}

func names(ports []*network.Port) []string {
	var list []string
	for _, p := range ports {
		list = append(list, fmt.Sprintf("port %s (%s)", p.ID, p.Name))
	}
	return list
}

// collect asks the controller to free what it has of no use now. It does so by itself later where it will not be asked.
func (j *job) collect(ctx context.Context) {
	err := j.forceCollection(ctx)
	if err != nil {
		j.p.log().Warn("Avi's garbage collection could not be asked for", "load_balancer", j.lb.ID, "err", err)
	}
}

func (j *job) forceCollection(ctx context.Context) error {
	cloud, err := j.named(ctx, controller.Admin, "cloud", j.p.cloud())
	if err != nil {
		return err
	}
	if cloud == nil {
		return fmt.Errorf("there is no cloud %s", j.p.cloud())
	}
	path := "cloud/" + url.PathEscape(uuidOf("cloud", cloud)) + "/gc"
	return j.p.ctl.Call(ctx, controller.Admin, "PUT", path, url.Values{"force": {"True"}}, map[string]any{}, nil)
}

func (p *Provider) portWait() time.Duration {
	if p.cfg.PortWait == 0 {
		return defaultPortWait
	}
	return p.cfg.PortWait
}

func isNotFound(err error) bool { return errors.Is(err, lbaas.NotFound) }
