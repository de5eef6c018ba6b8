package topology

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// Options say what is drawn.
type Options struct {
	Projects []string // ids; none is all
	Networks []string // ids or names; none is all
	Ports    int      // of a network that are drawn at most; 0 is all
}

// world is a cloud in order, with what is asked for picked out.
type world struct {
	Cloud
	options Options

	networks  map[string]*Network
	subnets   map[string]*Subnet
	ports     map[string]*Port
	routers   map[string]*Router
	balancers map[string]*LoadBalancer
	pools     map[string]*Pool
	vips      map[string]*LoadBalancer // by the port's id
	portsOf   map[string][]*Port       // by the network's id, and by the router's
	subnetsOf map[string][]*Subnet
	floating  map[string][]*FloatingIP // by the router's id, and by the port's
	idle      map[string][]*FloatingIP // those that stand for nothing, by the network's id
	shown     map[string]bool          // networks by id

	listenersBy map[string][]*Listener // by the load balancer's id
	poolsBy     map[string][]*Pool
}

func newWorld(c Cloud, o Options) *world {
	w := &world{Cloud: c.sorted(), options: o, portsOf: map[string][]*Port{}, subnetsOf: map[string][]*Subnet{}, floating: map[string][]*FloatingIP{}, idle: map[string][]*FloatingIP{}, shown: map[string]bool{},
		listenersBy: map[string][]*Listener{}, poolsBy: map[string][]*Pool{}}
	w.networks = byID(w.Networks, func(n *Network) string { return n.ID })
	w.subnets = byID(w.Subnets, func(s *Subnet) string { return s.ID })
	w.ports = byID(w.Ports, func(p *Port) string { return p.ID })
	w.routers = byID(w.Routers, func(r *Router) string { return r.ID })
	w.balancers = byID(w.LoadBalancers, func(lb *LoadBalancer) string { return lb.ID })
	w.pools = byID(w.Pools, func(p *Pool) string { return p.ID })
	w.vips = byID(w.LoadBalancers, func(lb *LoadBalancer) string { return lb.PortID })
	w.gather()
	for i := range w.Networks {
		w.shown[w.Networks[i].ID] = w.showsNetwork(&w.Networks[i])
	}
	return w
}

// gather puts what belongs to others beside them.
func (w *world) gather() {
	for i := range w.Subnets {
		s := &w.Subnets[i]
		w.subnetsOf[s.NetworkID] = append(w.subnetsOf[s.NetworkID], s)
	}
	for i := range w.Ports {
		p := &w.Ports[i]
		w.portsOf[p.NetworkID] = append(w.portsOf[p.NetworkID], p)
		if p.DeviceOwner == ownerInterface || p.DeviceOwner == ownerGateway {
			w.portsOf[p.DeviceID] = append(w.portsOf[p.DeviceID], p)
		}
	}
	for i := range w.FloatingIPs {
		f := &w.FloatingIPs[i]
		if f.PortID == "" {
			w.idle[f.NetworkID] = append(w.idle[f.NetworkID], f)
		}
		for _, id := range []string{f.RouterID, f.PortID} {
			if id != "" {
				w.floating[id] = append(w.floating[id], f)
			}
		}
	}
	for i := range w.Listeners {
		for _, lb := range w.Listeners[i].LoadBalancers {
			w.listenersBy[lb.ID] = append(w.listenersBy[lb.ID], &w.Listeners[i])
		}
	}
	for i := range w.Pools {
		for _, lb := range w.Pools[i].LoadBalancers {
			w.poolsBy[lb.ID] = append(w.poolsBy[lb.ID], &w.Pools[i])
		}
	}
}

// sorted is the cloud in an order that does not depend on that of the answers.
func (c Cloud) sorted() Cloud {
	c.Networks, c.Subnets, c.Ports = slices.Clone(c.Networks), slices.Clone(c.Subnets), slices.Clone(c.Ports)
	c.Routers, c.FloatingIPs = slices.Clone(c.Routers), slices.Clone(c.FloatingIPs)
	c.LoadBalancers, c.Listeners, c.Pools = slices.Clone(c.LoadBalancers), slices.Clone(c.Listeners), slices.Clone(c.Pools)
	slices.SortFunc(c.Networks, func(a, b Network) int {
		return cmp.Or(order(b.External, a.External), cmp.Compare(a.Name, b.Name), cmp.Compare(a.ID, b.ID))
	})
	slices.SortFunc(c.Subnets, func(a, b Subnet) int { return cmp.Or(compareAddresses(a.CIDR, b.CIDR), cmp.Compare(a.ID, b.ID)) })
	slices.SortFunc(c.Ports, func(a, b Port) int {
		return cmp.Or(cmp.Compare(a.rank(), b.rank()), compareAddresses(a.address(), b.address()), cmp.Compare(a.ID, b.ID))
	})
	slices.SortFunc(c.Routers, func(a, b Router) int { return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.ID, b.ID)) })
	slices.SortFunc(c.FloatingIPs, func(a, b FloatingIP) int {
		return cmp.Or(compareAddresses(a.Address, b.Address), cmp.Compare(a.ID, b.ID))
	})
	slices.SortFunc(c.LoadBalancers, func(a, b LoadBalancer) int { return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.ID, b.ID)) })
	slices.SortFunc(c.Listeners, func(a, b Listener) int {
		return cmp.Or(cmp.Compare(a.ProtocolPort, b.ProtocolPort), cmp.Compare(a.Protocol, b.Protocol), cmp.Compare(a.ID, b.ID))
	})
	slices.SortFunc(c.Pools, func(a, b Pool) int { return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.ID, b.ID)) })
	return c
}

// order puts false before true.
func order(a, b bool) int {
	switch {
	case a == b:
		return 0
	case b:
		return -1
	}
	return 1
}

// compareAddresses puts addresses, and prefixes, in their own order, and what is none behind them.
func compareAddresses(a, b string) int {
	x, errX := netip.ParseAddr(strings.Split(a, "/")[0])
	y, errY := netip.ParseAddr(strings.Split(b, "/")[0])
	if errX != nil || errY != nil {
		return cmp.Or(order(errX != nil, errY != nil), cmp.Compare(a, b))
	}
	return cmp.Or(x.Compare(y), cmp.Compare(a, b))
}

// rankOfUsers is the rank of ports that users connect what is theirs to.
const rankOfUsers = 3

// rank puts what a network cannot do without before its users.
func (p *Port) rank() int {
	switch p.DeviceOwner {
	case ownerInterface, ownerGateway:
		return 0
	case ownerDHCP:
		return 1
	case "Octavia":
		return 2
	case ownerFloatingIP:
		return 4
	}
	return rankOfUsers
}

func (p *Port) address() string {
	if len(p.FixedIPs) == 0 {
		return ""
	}
	return p.FixedIPs[0].Address
}

func (p *Port) addresses() string {
	var all []string
	for _, f := range p.FixedIPs {
		all = append(all, printable(f.Address))
	}
	return strings.Join(all, ", ")
}

func byID[T any](list []T, id func(*T) string) map[string]*T {
	m := make(map[string]*T, len(list))
	for i := range list {
		if key := id(&list[i]); key != "" {
			m[key] = &list[i]
		}
	}
	return m
}

// of tells whether an object of that project is asked for.
func (w *world) of(projectID string) bool {
	return len(w.options.Projects) == 0 || slices.Contains(w.options.Projects, projectID)
}

// showsNetwork tells whether a network is asked for: it is one of those named, and the project's, or has ports of the project's.
func (w *world) showsNetwork(n *Network) bool {
	if named := w.options.Networks; len(named) > 0 && !slices.Contains(named, n.ID) && !slices.Contains(named, n.Name) {
		return false
	}
	return w.of(n.ProjectID) || slices.ContainsFunc(w.portsOf[n.ID], w.ofPort)
}

// ofPort tells whether a port of the project's, or of something that is, is asked for.
func (w *world) ofPort(p *Port) bool {
	project := p.ProjectID
	switch r, n := w.routers[p.DeviceID], w.networks[p.NetworkID]; {
	case (p.DeviceOwner == ownerInterface || p.DeviceOwner == ownerGateway) && r != nil:
		project = r.ProjectID
	case p.DeviceOwner == ownerDHCP && n != nil:
		project = n.ProjectID
	}
	return w.of(project)
}

func (w *world) showsRouter(r *Router) bool {
	if !w.of(r.ProjectID) || len(w.options.Networks) == 0 {
		return w.of(r.ProjectID)
	}
	return slices.ContainsFunc(w.portsOf[r.ID], func(p *Port) bool { return w.shown[p.NetworkID] }) || r.Gateway != nil && w.shown[r.Gateway.NetworkID]
}

func (w *world) showsBalancer(lb *LoadBalancer) bool {
	return w.of(lb.ProjectID) && (len(w.options.Networks) == 0 || w.shown[lb.NetworkID])
}

// networkCalled names a network that may be out of sight.
func (w *world) networkCalled(id string) string {
	if n := w.networks[id]; n != nil {
		return called(n.Name, n.ID)
	}
	return called("", id)
}

func (w *world) subnetCalled(id string) string {
	if s := w.subnets[id]; s != nil {
		return called(s.Name, s.CIDR)
	}
	return ""
}

// balancerOf is the load balancer that a port belongs to, or nil.
func (w *world) balancerOf(p *Port) *LoadBalancer {
	if lb := w.vips[p.ID]; lb != nil {
		return lb
	}
	return w.balancers[strings.TrimPrefix(p.DeviceID, "lb-")]
}

// purpose says what a port is for.
func (w *world) purpose(p *Port) string {
	router := called("", p.DeviceID)
	if r := w.routers[p.DeviceID]; r != nil {
		router = called(r.Name, r.ID)
	}
	lb := w.balancerOf(p)
	switch {
	case p.DeviceOwner == ownerDHCP:
		return "DHCP server"
	case p.DeviceOwner == ownerInterface:
		return "router " + router
	case p.DeviceOwner == ownerGateway:
		return "gateway of router " + router
	case p.DeviceOwner == ownerFloatingIP:
		idle := slices.ContainsFunc(w.idle[p.NetworkID], func(f *FloatingIP) bool { return f.ID == p.DeviceID })
		return joined("floating address", when(idle, "not associated"))
	case lb != nil && lb.PortID == p.ID:
		return "VIP of load balancer " + called(lb.Name, lb.ID)
	case lb != nil:
		return "load balancer " + called(lb.Name, lb.ID)
	case p.DeviceOwner != "":
		return called(p.Name, p.ID) + " (" + cut(printable(p.DeviceOwner), maxName) + ")"
	}
	return called(p.Name, p.ID)
}

// kind says what sort of network it is.
func (n *Network) kind() string {
	segment := printable(n.Type)
	if n.Segment != 0 {
		segment += fmt.Sprint(" ", n.Segment)
	}
	return joined(strings.TrimSpace(segment), when(n.Physical != "", "on "+printable(n.Physical)), fmt.Sprint("MTU ", n.MTU), when(n.External, "external"), when(n.Shared, "shared"), off(n.Up))
}

// off marks what is switched off.
func off(up *bool) string { return when(up != nil && !*up, "switched off") }

// some are the ports of a network that are drawn, of those that may be, and how many of those are not.
func (w *world) some(networkID string, may func(*Port) bool) (ports []*Port, more int) {
	for _, p := range w.portsOf[networkID] {
		if w.ofPort(p) && may(p) {
			ports = append(ports, p)
		}
	}
	if most := w.options.Ports; most > 0 && len(ports) > most {
		return ports[:most], len(ports) - most
	}
	return ports, 0
}

// further tells of ports that are not drawn.
func further(ports int) string {
	if ports == 1 {
		return "… and 1 port more"
	}
	return fmt.Sprintf("… and %d ports more", ports)
}

// subnet describes a subnet in a line.
func (s *Subnet) describe() string {
	return joined(prefixed("subnet", s.CIDR), cut(printable(s.Name), maxName), prefixed("gateway", s.Gateway), s.gives())
}

// gives says how stations get addresses.
func (s *Subnet) gives() string {
	switch mode := cmp.Or(s.Mode, s.RAMode); {
	case !s.DHCP:
		return ""
	case mode == "slaac":
		return "SLAAC"
	case mode == "dhcpv6-stateless":
		return "SLAAC  DHCP"
	}
	return "DHCP"
}

// place is where a port is plugged.
func (p *Port) place() string {
	if p.Binding.NetNS == "" {
		return ""
	}
	return joined(prefixed("in", p.Binding.NetNS)) + when(p.Host != "", " on "+printable(p.Host))
}

// netns is the network namespace of a load balancer that has a host.
func (lb *LoadBalancer) netns() string { return "qlbaas-" + lb.ID }

func (lb *LoadBalancer) place() string {
	return "in " + printable(lb.netns()) + " on " + printable(lb.Host)
}

// target says what a floating address stands for.
func (w *world) target(f *FloatingIP) string {
	if f.PortID == "" {
		return "not associated"
	}
	text := "→ " + printable(f.Fixed)
	if p := w.ports[f.PortID]; p != nil {
		text += "  " + w.purpose(p)
	}
	return text
}

// poolsOf are the pools of a load balancer that none of its listeners has as its own.
func (w *world) poolsOf(lbID string, but map[string]bool) []*Pool {
	return slices.DeleteFunc(slices.Clone(w.poolsBy[lbID]), func(p *Pool) bool { return but[p.ID] })
}
