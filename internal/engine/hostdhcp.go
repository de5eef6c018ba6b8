package engine

import (
	"bytes"
	"context"
	"errors"
	"net/netip"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"plimsoll/internal/engine/enginepb"
	"plimsoll/internal/linux"
	"plimsoll/internal/network"
)

// DHCP is what the host's DHCP servers tell every client.
type DHCP struct {
	Lease   int          // seconds; -1 is for ever, 0 a day
	Domain  string       // "" is none
	Servers []netip.Addr // of DNS, for clients of subnets that name none
}

// dhcpPrefix begins the names of the dnsmasq of networks; the network's id follows.
const dhcpPrefix = "dhcp-"

// dhcpAtOnce is how many DHCP servers are seen to at the same time: after a reboot there may be hundreds.
const dhcpAtOnce = 8

// applyDhcps has the DHCP servers run that the plan names, and no others.
func (e *Engine) applyDhcps(ctx context.Context, plan *enginepb.HostPlan) []*enginepb.HostFailure {
	var mu sync.Mutex
	var failures []*enginepb.HostFailure
	fail := func(id string, err error) {
		mu.Lock()
		defer mu.Unlock()
		failures = append(failures, &enginepb.HostFailure{ObjectId: id, Reason: "DHCP: " + err.Error()})
	}
	var group errgroup.Group
	group.SetLimit(dhcpAtOnce)
	wanted := map[string]bool{}
	if err := e.findDhcps(e.host.Namespaces); err != nil {
		fail("", err)
	}
	for _, d := range plan.Dhcps {
		wanted[d.GetNetworkId()], e.dhcps[d.GetNetworkId()] = true, true
		if !e.begin(kindDhcp, d.GetNetworkId(), d) {
			continue
		}
		group.Go(func() error {
			switch err := e.applyDhcp(ctx, d); {
			case err == nil:
				e.settle(kindDhcp, d.GetNetworkId(), d)
			case !errors.Is(err, errNotPlugged): // its binding says why; the plan comes again when it is
				e.unsettle(kindDhcp, d.GetNetworkId())
				fail(d.GetNetworkId(), err)
			}
			return nil
		})
	}
	_ = group.Wait()
	for id := range e.dhcps {
		if wanted[id] {
			continue
		}
		if err := e.removeDhcp(id); err != nil {
			fail(id, err)
			continue
		}
		delete(e.dhcps, id)
	}
	return failures
}

// findDhcps finds, once, what an engine before us has left: servers, and namespaces that have none any more. After an error it looks again.
func (e *Engine) findDhcps(list func() ([]string, error)) error {
	if e.foundDhcps {
		return nil
	}
	if e.dhcps == nil {
		e.dhcps = map[string]bool{}
	}
	names, err := e.dnsmasqNames(dhcpPrefix)
	namespaces, listErr := list()
	for _, name := range names {
		e.dhcps[strings.TrimPrefix(name, dhcpPrefix)] = true
	}
	for _, name := range namespaces {
		if id, ok := strings.CutPrefix(name, network.DHCPNetNS); ok {
			e.dhcps[id] = true
		}
	}
	err = errors.Join(err, listErr)
	e.foundDhcps = err == nil
	return err
}

// errNotPlugged means that the port of a server is not there yet.
var errNotPlugged = errors.New("its port is not plugged")

// applyDhcp makes one server what the plan says. Options of ports that dnsmasq does not know are told of; the rest is served.
func (e *Engine) applyDhcp(ctx context.Context, d *enginepb.Dhcp) error {
	r, err := renderDhcp(d, e.config.DHCP, func(file string) string { return e.dnsmasqPath(dhcpPrefix+d.GetNetworkId(), file) })
	if err != nil {
		return err
	}
	netns := network.DHCPNetNS + d.NetworkId
	if !linux.HasLink(netns, linux.TapName(d.PortId)) {
		return errNotPlugged
	}
	err = e.dnsmasq(ctx, dnsmasqSpec{name: dhcpPrefix + d.NetworkId, netns: netns, conf: r.conf, files: r.files, renew: lostHost})
	return errors.Join(append(r.refused, err)...)
}

// removeDhcp ends the server of a network, and removes its namespace where no port is left in it.
func (e *Engine) removeDhcp(networkID string) error {
	e.unsettle(kindDhcp, networkID)
	if err := e.endDnsmasq(dhcpPrefix + networkID); err != nil {
		return err
	}
	e.plugging.Lock()
	defer e.plugging.Unlock()
	netns := network.DHCPNetNS + networkID
	if e.plugUses(netns, "") {
		return nil
	}
	if err := e.host.RemoveNamespace(netns); err != nil && !errors.Is(err, linux.ErrForeign) {
		return err
	}
	return nil
}

// lostHost tells whether a change of files needs a new process. dnsmasq keeps an address for whom it has leased it to, whatever its files
// say, until it is started anew. And where hosts have tags, it does not survive that it reads them again once one has a lease (2.86 to 2.90).
func lostHost(old, now map[string][]byte) bool {
	if bytes.Contains(old[dhcpHosts], []byte(",set:")) {
		return true
	}
	there := map[string]bool{}
	for line := range bytes.Lines(now[dhcpHosts]) {
		there[string(line)] = true
	}
	for line := range bytes.Lines(old[dhcpHosts]) {
		if !there[string(line)] {
			return true
		}
	}
	return false
}
