package reconcile

import (
	"context"
	"errors"
	"fmt"

	"plimsoll/internal/failpoint"
	"plimsoll/internal/network"
	"plimsoll/internal/store"
	"plimsoll/lbaas"
)

// remove takes a load balancer out of the data plane and frees its ports, in this order: an address is free for others
// only when nothing answers to it.
func (l *Loop) remove(t *task) error {
	ctx, cancel := context.WithTimeout(t.held.ctx, l.cfg.ApplyTimeout)
	defer cancel()
	if err := t.provider.Remove(ctx, t.lb); err != nil {
		return err
	}
	failpoint.Here("reconcile.remove")
	return l.freePorts(ctx, t.lb)
}

// freePorts deletes the ports that were made for a load balancer, and gives a user's own port back.
func (l *Loop) freePorts(ctx context.Context, lb *lbaas.LoadBalancer) error {
	ports, err := l.cfg.Networks.Ports(ctx, portsOf(lb.ID))
	if err != nil {
		return fmt.Errorf("list the ports of load balancer %s: %w", lb.ID, err)
	}
	for _, p := range ports {
		free := l.cfg.Networks.DeletePort
		if p.ID == lb.VIPPortID && !lb.VIPPortOwned {
			free = l.giveBack
		}
		if err := free(ctx, p.ID); err != nil && !errors.Is(err, lbaas.NotFound) {
			return fmt.Errorf("free port %s: %w", p.ID, err)
		}
	}
	return nil
}

// giveBack makes a user's port one that nothing uses.
func (l *Loop) giveBack(ctx context.Context, id string) error {
	return giveBack(ctx, l.cfg.Networks, id)
}

func giveBack(ctx context.Context, networks Networks, id string) error {
	_, err := networks.UpdatePort(ctx, id, func(p *network.Port) error {
		p.DeviceID, p.DeviceOwner = "", ""
		return nil
	})
	return err
}

// portsOf asks for the ports that a load balancer uses.
func portsOf(loadBalancerID string) store.Query {
	return store.Query{Filters: []store.Filter{
		{Attribute: "device_owner", Values: []string{network.OwnerLoadBalancer}},
		{Attribute: "device_id", Values: []string{devicePrefix + loadBalancerID}},
	}}
}

// devicePrefix begins the device_id of the ports that load balancers use.
const devicePrefix = "lb-"
