package octavia

import (
	"cmp"
	"context"
	"errors"
	"fmt"
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
	any     bool       // the request left the subnet open
	address netip.Addr // the zero Addr is any

	// additional are more addresses of the same port, as lbaas.AdditionalVIP; the zero Addr is any.
	additional []lbaas.AdditionalVIP
}

// placeVIP finds the places of a new load balancer's VIPs, and looks at what else it names of the network service, without making
// anything. It keeps the order of Octavia's checks.
func (a *API) placeVIP(ctx context.Context, r *request, t *newTree) (vip, error) {
	lb := t.lb
	if err := a.Options.allowVIP(t.vip); err != nil {
		return vip{}, err
	}
	place, err := a.resolveVIP(ctx, r, lb.ProjectID, t.vip)
	if err != nil {
		return vip{}, err
	}
	lb.VIPNetworkID = place.network
	if place.port != nil && !t.form.has("vip_qos_policy_id") {
		lb.VIPQoSPolicyID = place.port.QoSPolicyID
	}
	if err := a.checkQoSPolicy(ctx, lb.VIPQoSPolicyID); err != nil {
		return vip{}, err
	}
	if err := a.placeAdditional(ctx, r, lb, &place); err != nil {
		return vip{}, err
	}
	if err := a.checkSecurityGroups(ctx, r, lb); err != nil {
		return vip{}, err
	}
	return place, a.checkGateways(ctx, place)
}

// resolveVIP finds the VIP's place, without making anything.
func (a *API) resolveVIP(ctx context.Context, r *request, projectID string, v vipRequest) (vip, error) {
	switch {
	case v.portID != "":
		return a.vipOnPort(ctx, r, projectID, v)
	case v.networkID != "":
		return a.vipOnNetwork(ctx, r, projectID, v)
	}
	s, err := a.visibleSubnet(ctx, r, projectID, v.subnetID)
	if err != nil {
		return vip{}, err
	}
	return vip{network: s.NetworkID, subnets: []string{s.ID}, address: v.address}, nil
}

func (a *API) vipOnPort(ctx context.Context, r *request, projectID string, v vipRequest) (vip, error) {
	p, err := a.Networks.Port(ctx, v.portID)
	if errors.Is(err, lbaas.NotFound) || err == nil && p.ProjectID != projectID && !a.sees(r, p.ProjectID) {
		return vip{}, missingResource("Port", v.portID)
	}
	if err != nil {
		return vip{}, err
	}
	if err := unusedPort(p); err != nil {
		return vip{}, err
	}
	if v.subnetID != "" && !slices.ContainsFunc(p.FixedIPs, func(ip network.FixedIP) bool { return ip.SubnetID == v.subnetID }) {
		if _, err := a.visibleSubnet(ctx, r, projectID, v.subnetID); err != nil {
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
		return lbaas.ValidationFailure("No VIP address found on the specified VIP port within the specified subnet.")
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
	return vip{network: n.ID, subnets: ids, any: v.subnetID == "" && !v.address.IsValid(), address: v.address}, err
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
func (a *API) sees(r *request, owner string) bool {
	return owner == r.Actor.ProjectID || r.Actor.Admin() || a.Options.AllowInvisible
}

func (a *API) visibleNetwork(ctx context.Context, r *request, projectID, id string) (*network.Network, error) {
	n, err := a.Networks.Network(ctx, id)
	if errors.Is(err, lbaas.NotFound) || err == nil && !a.usable(r, projectID, n) {
		return nil, missingResource("Network", id)
	}
	return n, err
}

func (a *API) usable(r *request, projectID string, n *network.Network) bool {
	return n.Shared || n.External || n.ProjectID == projectID || a.sees(r, n.ProjectID)
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
	if errors.Is(err, lbaas.NotFound) || err == nil && !a.usable(r, projectID, n) {
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
		if err = a.makePort(ctx, lb, network.FixedIP{SubnetID: subnet, Address: v.address}, v.additional); !full(err) {
			return err
		}
	}
	if v.any {
		return lbaas.ValidationFailure("Subnet(s) in the supplied network do not contain enough available IPs.")
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

func (a *API) makePort(ctx context.Context, lb *lbaas.LoadBalancer, first network.FixedIP, additional []lbaas.AdditionalVIP) error {
	p := &network.Port{
		ProjectID: lb.ProjectID, NetworkID: lb.VIPNetworkID, Name: "octavia-lb-" + lb.ID, AdminStateUp: true,
		DeviceOwner: network.OwnerLoadBalancer, DeviceID: deviceOf(lb), FixedIPs: []network.FixedIP{first},
		PortSecurity: true, SecurityGroupIDs: lb.VIPSecurityGroupIDs, QoSPolicyID: lb.VIPQoSPolicyID,
	}
	for _, v := range additional {
		p.FixedIPs = append(p.FixedIPs, network.FixedIP{SubnetID: v.SubnetID, Address: v.Address})
	}
	if err := a.Networks.CreatePort(ctx, p); err != nil {
		return elsewhere(vipConflict(err))
	}
	lb.VIPPortID, lb.VIPPortOwned = p.ID, true
	return takeAddresses(lb, p, first.SubnetID)
}

// takeAddresses gives a load balancer the addresses that its port got: one in each subnet.
func takeAddresses(lb *lbaas.LoadBalancer, p *network.Port, subnetID string) error {
	in := map[string]netip.Addr{}
	for _, ip := range p.FixedIPs {
		in[ip.SubnetID] = ip.Address
	}
	lb.VIPSubnetID, lb.VIPAddress = subnetID, in[subnetID]
	for i := range lb.AdditionalVIPs {
		v := &lb.AdditionalVIPs[i]
		v.Address, v.PortID = in[v.SubnetID], p.ID
	}
	for _, a := range append([]netip.Addr{lb.VIPAddress}, addressesOf(lb.AdditionalVIPs)...) {
		if !a.IsValid() {
			return fmt.Errorf("take the VIP: port %s lacks an address in one of the subnets", p.ID)
		}
	}
	return nil
}

func addressesOf(vips []lbaas.AdditionalVIP) []netip.Addr {
	var all []netip.Addr
	for _, v := range vips {
		all = append(all, v.Address)
	}
	return all
}

// vipConflict gives an address that is taken the API's words; all else is told in the network service's.
func vipConflict(err error) error {
	var known *lbaas.Error
	if errors.As(err, &known) && (known.Type == "IpAddressInUse" || known.Type == "IpAddressAlreadyAllocated") {
		return lbaas.Errorf(lbaas.Conflict, "The VIP IP address is already in use: %s", known.Text)
	}
	return err
}

// elsewhere makes an Invalid of a NotFound: what is missing is not what the path names.
func elsewhere(err error) error {
	var known *lbaas.Error
	if errors.As(err, &known) && known.Kind == lbaas.NotFound {
		return lbaas.Errorf(lbaas.Invalid, "%s", known.Text)
	}
	return err
}

func (a *API) claimPort(ctx context.Context, lb *lbaas.LoadBalancer, v vip) error {
	p, err := a.Networks.UpdatePort(ctx, v.port.ID, func(p *network.Port) error {
		if err := unusedPort(p); err != nil {
			return err
		}
		p.DeviceID, p.DeviceOwner = deviceOf(lb), network.OwnerLoadBalancer
		if len(lb.VIPSecurityGroupIDs) > 0 {
			p.PortSecurity, p.SecurityGroupIDs = true, lb.VIPSecurityGroupIDs
		}
		p.QoSPolicyID = lb.VIPQoSPolicyID
		return nil
	})
	if errors.Is(err, lbaas.NotFound) {
		return missingResource("Port", v.port.ID)
	}
	if err != nil {
		return err
	}
	lb.VIPPortID, lb.VIPPortOwned = p.ID, false
	lb.VIPSubnetID, lb.VIPAddress, lb.AdditionalVIPs = v.subnets[0], v.address, v.additional
	return nil
}

// releaseTimeout bounds the undoing of takeVIP, which must not end with the request.
const releaseTimeout = 10 * time.Second

// releaseVIP undoes takeVIP. Where it fails the janitor of ports without a load balancer does it later.
func (a *API) releaseVIP(ctx context.Context, lb *lbaas.LoadBalancer, v vip) {
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
				p.PortSecurity, p.SecurityGroupIDs, p.QoSPolicyID = v.port.PortSecurity, v.port.SecurityGroupIDs, v.port.QoSPolicyID
			}
			return nil
		})
	}
	if err != nil && !errors.Is(err, lbaas.NotFound) {
		a.Log.Warn("VIP port is left behind for the janitor", "load_balancer", lb.ID, "port", lb.VIPPortID, "err", err)
	}
}
