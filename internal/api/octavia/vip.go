package octavia

import (
	"cmp"
	"context"
	"errors"
	"net/netip"
	"slices"
	"time"

	"plimsoll/internal/network"
	"plimsoll/lbaas"
)

// vipRequest is what a request says of its VIP: the port wins over the network, and the network over the subnet.
type vipRequest struct {
	portID, networkID, subnetID string
	address                     netip.Addr
}

func readVIP(f *form, v *vipRequest) {
	f.id("vip_port_id", &v.portID)
	f.id("vip_network_id", &v.networkID)
	f.id("vip_subnet_id", &v.subnetID)
	f.address("vip_address", &v.address)
}

// vip is where a VIP is going to be: an existing port of the user's, or an address of one of the subnets.
type vip struct {
	port    *network.Port // nil: a port has to be made
	network string
	subnets []string   // to try in order
	address netip.Addr // the zero Addr is any
}

// resolveVIP finds the VIP's place, without making anything.
func (a *API) resolveVIP(ctx context.Context, r *request, projectID string, v vipRequest) (vip, error) {
	switch {
	case v.portID != "":
		return a.vipOnPort(ctx, r, projectID, v)
	case v.networkID != "":
		return a.vipOnNetwork(ctx, r, projectID, v)
	case v.subnetID != "":
		s, err := a.visibleSubnet(ctx, r, projectID, v.subnetID)
		if err != nil {
			return vip{}, err
		}
		return vip{network: s.NetworkID, subnets: []string{s.ID}, address: v.address}, nil
	}
	return vip{}, lbaas.ValidationFailure("VIP must contain one of: vip_port_id, vip_network_id, vip_subnet_id.")
}

func (a *API) vipOnPort(ctx context.Context, r *request, projectID string, v vipRequest) (vip, error) {
	p, err := a.Networks.Port(ctx, v.portID)
	if errors.Is(err, lbaas.NotFound) || err == nil && p.ProjectID != projectID && !sees(r, p.ProjectID) {
		return vip{}, missingResource("Port", v.portID)
	}
	if err != nil {
		return vip{}, err
	}
	if err := unusedPort(p); err != nil {
		return vip{}, err
	}
	if v.subnetID != "" {
		if _, err := a.subnet(ctx, v.subnetID); err != nil {
			return vip{}, err
		}
	}
	var found []network.FixedIP
	for _, ip := range p.FixedIPs {
		if (v.subnetID == "" || ip.SubnetID == v.subnetID) && (!v.address.IsValid() || ip.Address == v.address) {
			found = append(found, ip)
		}
	}
	if err := onePlace(v, found); err != nil {
		return vip{}, err
	}
	return vip{port: p, network: p.NetworkID, subnets: []string{found[0].SubnetID}, address: found[0].Address}, nil
}

// onePlace checks that the request leaves one of the port's addresses.
func onePlace(v vipRequest, found []network.FixedIP) error {
	switch {
	case len(found) == 0 && v.address.IsValid():
		return lbaas.ValidationFailure("Specified VIP address not found on the specified VIP port.")
	case len(found) == 0 && v.subnetID != "":
		return lbaas.ValidationFailure("Specified VIP subnet not found on the specified VIP port.")
	case len(found) == 0, len(found) > 1 && v.subnetID == "":
		return lbaas.ValidationFailure("VIP port's subnet could not be determined. Please specify either a VIP subnet or address.")
	}
	return nil
}

// unusedPort refuses a port that something uses already: a device, or the namespace that it is plugged into. The space before the end is Octavia's.
func unusedPort(p *network.Port) error {
	device := cmp.Or(p.DeviceID, p.Binding.NetNS, p.Binding.Host)
	if device == "" {
		return nil
	}
	return lbaas.ValidationFailure("Port %s is already used by device %s ", p.ID, device)
}

func (a *API) vipOnNetwork(ctx context.Context, r *request, projectID string, v vipRequest) (vip, error) {
	n, err := a.visibleNetwork(ctx, r, projectID, v.networkID)
	if err != nil {
		return vip{}, err
	}
	var subnets []*network.Subnet
	for _, id := range n.SubnetIDs {
		s, err := a.subnet(ctx, id)
		if err != nil {
			return vip{}, err
		}
		subnets = append(subnets, s)
	}
	ids, err := chooseSubnets(v, subnets)
	return vip{network: n.ID, subnets: ids, address: v.address}, err
}

// chooseSubnets returns the subnets of a network that the VIP may be in, those of IPv4 first.
func chooseSubnets(v vipRequest, subnets []*network.Subnet) ([]string, error) {
	var four, six []string
	for _, s := range subnets {
		switch {
		case v.subnetID != "" && s.ID != v.subnetID:
		case v.subnetID == "" && v.address.IsValid() && !s.CIDR.Contains(v.address):
		case s.CIDR.Addr().Is4():
			four = append(four, s.ID)
		default:
			six = append(six, s.ID)
		}
	}
	ids := slices.Concat(four, six)
	switch {
	case len(ids) > 0:
		return ids, nil
	case v.subnetID != "":
		return nil, missingResource("Subnet", v.subnetID)
	case v.address.IsValid():
		return nil, lbaas.ValidationFailure("Supplied network does not contain a subnet for VIP address specified.")
	}
	return nil, lbaas.ValidationFailure("Supplied network does not contain a subnet.")
}

// missingResource is an Invalid: what is missing is not what the path names.
func missingResource(noun, id string) error {
	return lbaas.Errorf(lbaas.Invalid, "%s %s not found.", noun, id)
}

// sees tells whether the actor may use what belongs to a project.
func sees(r *request, owner string) bool {
	return owner == r.Actor.ProjectID || r.Actor.Admin()
}

func (a *API) visibleNetwork(ctx context.Context, r *request, projectID, id string) (*network.Network, error) {
	n, err := a.Networks.Network(ctx, id)
	if errors.Is(err, lbaas.NotFound) || err == nil && !usable(r, projectID, n) {
		return nil, missingResource("Network", id)
	}
	return n, err
}

func usable(r *request, projectID string, n *network.Network) bool {
	return n.Shared || n.External || n.ProjectID == projectID || sees(r, n.ProjectID)
}

func (a *API) subnet(ctx context.Context, id string) (*network.Subnet, error) {
	s, err := a.Networks.Subnet(ctx, id)
	if errors.Is(err, lbaas.NotFound) {
		return nil, missingResource("Subnet", id)
	}
	return s, err
}

// visibleSubnet returns a subnet that the load balancer's project or the actor may use.
func (a *API) visibleSubnet(ctx context.Context, r *request, projectID, id string) (*network.Subnet, error) {
	s, err := a.subnet(ctx, id)
	if err != nil {
		return nil, err
	}
	n, err := a.Networks.Network(ctx, s.NetworkID)
	if errors.Is(err, lbaas.NotFound) || err == nil && !usable(r, projectID, n) {
		return nil, missingResource("Subnet", id)
	}
	return s, err
}

// takeVIP makes the VIP's port, or claims the user's, and fills in the load balancer. It comes before the transaction
// that writes the load balancer, since the port may be another service's; release undoes it.
func (a *API) takeVIP(ctx context.Context, lb *lbaas.LoadBalancer, v vip) error {
	lb.VIPNetworkID = v.network
	if v.port != nil {
		return a.claimPort(ctx, lb, v)
	}
	var err error
	for _, subnet := range v.subnets {
		if err = a.makePort(ctx, lb, subnet, v.address); !full(err) {
			return err
		}
	}
	return err
}

// full tells whether a subnet has no address left.
func full(err error) bool {
	var known *lbaas.Error
	return errors.As(err, &known) && known.Type == "IpAddressGenerationFailure"
}

// deviceOf is the device of all ports that a load balancer uses.
func deviceOf(lb *lbaas.LoadBalancer) string { return "lb-" + lb.ID }

func (a *API) makePort(ctx context.Context, lb *lbaas.LoadBalancer, subnetID string, address netip.Addr) error {
	p := &network.Port{
		ProjectID: lb.ProjectID, NetworkID: lb.VIPNetworkID, Name: "octavia-lb-" + lb.ID, AdminStateUp: true,
		DeviceOwner: network.OwnerLoadBalancer, DeviceID: deviceOf(lb),
		FixedIPs: []network.FixedIP{{SubnetID: subnetID, Address: address}},
	}
	if err := a.Networks.CreatePort(ctx, p); err != nil {
		return vipConflict(err)
	}
	lb.VIPPortID, lb.VIPPortOwned = p.ID, true
	lb.VIPSubnetID, lb.VIPAddress = p.FixedIPs[0].SubnetID, p.FixedIPs[0].Address
	return nil
}

// vipConflict gives an address that is taken the API's words; all else is told in the network service's.
func vipConflict(err error) error {
	var known *lbaas.Error
	if errors.As(err, &known) && (known.Type == "IpAddressInUse" || known.Type == "IpAddressAlreadyAllocated") {
		return lbaas.Errorf(lbaas.Conflict, "The VIP IP address is already in use: %s", known.Text)
	}
	return err
}

func (a *API) claimPort(ctx context.Context, lb *lbaas.LoadBalancer, v vip) error {
	p, err := a.Networks.UpdatePort(ctx, v.port.ID, func(p *network.Port) error {
		if err := unusedPort(p); err != nil {
			return err
		}
		p.DeviceID, p.DeviceOwner = deviceOf(lb), network.OwnerLoadBalancer
		return nil
	})
	if errors.Is(err, lbaas.NotFound) {
		return missingResource("Port", v.port.ID)
	}
	if err != nil {
		return err
	}
	lb.VIPPortID, lb.VIPPortOwned = p.ID, false
	lb.VIPSubnetID, lb.VIPAddress = v.subnets[0], v.address
	return nil
}

// releaseTimeout bounds the undoing of takeVIP, which must not end with the request.
const releaseTimeout = 10 * time.Second

// releaseVIP undoes takeVIP. Where it fails the janitor of ports without a load balancer does it later.
func (a *API) releaseVIP(ctx context.Context, lb *lbaas.LoadBalancer) {
	if lb.VIPPortID == "" {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), releaseTimeout)
	defer cancel()
	var err error
	if lb.VIPPortOwned {
		err = a.Networks.DeletePort(ctx, lb.VIPPortID)
	} else {
		_, err = a.Networks.UpdatePort(ctx, lb.VIPPortID, func(p *network.Port) error {
			if p.DeviceID == deviceOf(lb) {
				p.DeviceID, p.DeviceOwner = "", ""
			}
			return nil
		})
	}
	if err != nil && !errors.Is(err, lbaas.NotFound) {
		a.Log.Warn("VIP port is left behind for the janitor", "load_balancer", lb.ID, "port", lb.VIPPortID, "err", err)
	}
}
