package topology

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
)

// branch is a line of a tree with what is below it.
type branch struct {
	text  string
	below []*branch
}

func (b *branch) add(text string) *branch {
	child := &branch{text: text}
	b.below = append(b.below, child)
	return child
}

func (b *branch) write(out *strings.Builder, indent string) {
	for i, child := range b.below {
		edge, further := "├─ ", "│  "
		if i == len(b.below)-1 {
			edge, further = "└─ ", "   "
		}
		out.WriteString(indent + edge + child.text + "\n")
		child.write(out, indent+further)
	}
}

// Tree writes what there is as text.
func Tree(out io.Writer, c Cloud, o Options) error {
	w := newWorld(c, o)
	var text strings.Builder
	for _, part := range []*branch{w.networkTree(), w.routerTree(), w.balancerTree(), w.namespaceTree()} {
		if len(part.below) == 0 {
			continue
		}
		text.WriteString(part.text + "\n")
		part.write(&text, "")
	}
	if text.Len() == 0 {
		text.WriteString("There is nothing to show.\n")
	}
	_, err := io.WriteString(out, text.String())
	return err
}

func (w *world) networkTree() *branch {
	root := &branch{text: "Networks"}
	for i := range w.Networks {
		n := &w.Networks[i]
		if !w.shown[n.ID] {
			continue
		}
		b := root.add(joined(called(n.Name, "(no name)"), printable(n.ID), n.kind()))
		for _, s := range w.subnetsOf[n.ID] {
			b.add(s.describe())
		}
		ports, more := w.some(n.ID, func(*Port) bool { return true })
		for _, p := range ports {
			w.portTree(b, p)
		}
		if more > 0 {
			b.add(further(more))
		}
		w.idleTree(b, n.ID)
	}
	return root
}

// idleTree adds the floating addresses that stand for nothing, to those who do not see their ports.
func (w *world) idleTree(b *branch, networkID string) {
	for _, f := range w.idle[networkID] {
		seen := slices.ContainsFunc(w.portsOf[networkID], func(p *Port) bool { return p.DeviceID == f.ID })
		if !seen && w.of(f.ProjectID) {
			b.add(joined(prefixed("floating address", f.Address), w.target(f)))
		}
	}
}

func (w *world) portTree(b *branch, p *Port) {
	place := p.place()
	if lb := w.vips[p.ID]; lb != nil && lb.Host != "" && place == "" {
		place = lb.place()
	}
	child := b.add(joined("port "+cmp.Or(p.addresses(), "without an address"), w.purpose(p), printable(p.Status), off(p.Up), place))
	for _, f := range w.floating[p.ID] {
		if w.of(f.ProjectID) {
			child.add(joined(prefixed("floating address", f.Address), printable(f.Status)))
		}
	}
}

func (w *world) routerTree() *branch {
	root := &branch{text: "Routers"}
	for i := range w.Routers {
		r := &w.Routers[i]
		if !w.showsRouter(r) {
			continue
		}
		b := root.add(joined(called(r.Name, "(no name)"), printable(r.ID), printable(r.Status), when(!r.Up, "switched off")))
		if g := r.Gateway; g != nil {
			b.add(joined("gateway "+w.networkCalled(g.NetworkID), (&Port{FixedIPs: g.FixedIPs}).addresses(), when(g.SNAT, "SNAT")))
		}
		for _, p := range w.portsOf[r.ID] {
			if p.DeviceOwner == ownerInterface {
				b.add(joined("interface "+w.networkCalled(p.NetworkID), p.addresses(), w.subnetCalled(firstSubnet(p)), printable(p.Status)))
			}
		}
		for _, f := range w.floating[r.ID] {
			b.add(joined(prefixed("floating address", f.Address), w.target(f)))
		}
		for _, route := range r.Routes {
			b.add(joined(prefixed("route", route.Destination), prefixed("via", route.NextHop)))
		}
	}
	return root
}

func firstSubnet(p *Port) string {
	if len(p.FixedIPs) == 0 {
		return ""
	}
	return p.FixedIPs[0].SubnetID
}

func (w *world) balancerTree() *branch {
	root := &branch{text: "Load balancers"}
	for i := range w.LoadBalancers {
		lb := &w.LoadBalancers[i]
		if !w.showsBalancer(lb) {
			continue
		}
		b := root.add(joined(called(lb.Name, "(no name)"), printable(lb.ID), printable(lb.Provider), printable(lb.Provisioning), printable(lb.Operating)))
		vip := b.add(joined(prefixed("VIP", lb.Address), w.networkCalled(lb.NetworkID)))
		for _, f := range w.floating[lb.PortID] {
			vip.add(joined(prefixed("floating address", f.Address), printable(f.Status)))
		}
		drawn := map[string]bool{}
		for _, l := range w.listenersBy[lb.ID] {
			child := b.add(joined(fmt.Sprintf("listener %s %d", printable(l.Protocol), l.ProtocolPort), cut(printable(l.Name), maxName), printable(l.Operating)))
			if p := w.pools[l.PoolID]; p != nil {
				w.poolTree(child, p, drawn)
			}
		}
		for _, p := range w.poolsOf(lb.ID, drawn) {
			w.poolTree(b, p, drawn)
		}
	}
	return root
}

// poolTree draws a pool, whole where it is met first.
func (w *world) poolTree(b *branch, p *Pool, drawn map[string]bool) {
	child := b.add(joined("pool "+called(p.Name, p.ID), printable(p.Protocol), printable(p.Algorithm), printable(p.Operating), when(drawn[p.ID], "(as above)")))
	if drawn[p.ID] {
		return
	}
	drawn[p.ID] = true
	for _, m := range p.Members {
		child.add(joined("member "+m.endpoint(), cut(printable(m.Name), maxName), printable(m.Operating)))
	}
}

func (m *Member) endpoint() string {
	if strings.Contains(m.Address, ":") {
		return fmt.Sprintf("[%s]:%d", printable(m.Address), m.ProtocolPort)
	}
	return fmt.Sprintf("%s:%d", printable(m.Address), m.ProtocolPort)
}

// namespaceTree draws what is in the network namespaces of hosts, where that is to be seen.
func (w *world) namespaceTree() *branch {
	inside := map[[2]string][]string{}
	put := func(host, name, what string) {
		key := [2]string{host, name}
		if !slices.Contains(inside[key], what) {
			inside[key] = append(inside[key], what)
		}
	}
	for i := range w.Ports {
		if p := &w.Ports[i]; p.Binding.NetNS != "" && w.shown[p.NetworkID] && w.ofPort(p) {
			put(p.Host, p.Binding.NetNS, w.lodger(p))
		}
	}
	for i := range w.LoadBalancers {
		if lb := &w.LoadBalancers[i]; lb.Host != "" && w.showsBalancer(lb) {
			put(lb.Host, lb.netns(), "load balancer "+called(lb.Name, lb.ID))
		}
	}
	root := &branch{text: "Namespaces"}
	var host *branch
	for _, key := range sortedPairs(inside) {
		if host == nil || host.text != "host "+printable(key[0]) {
			host = root.add("host " + printable(key[0]))
		}
		host.add(joined(printable(key[1]), strings.Join(inside[key], ", ")))
	}
	return root
}

// lodger says whose namespace a port is in, or what is in it.
func (w *world) lodger(p *Port) string {
	switch p.DeviceOwner {
	case ownerDHCP:
		return "DHCP of " + w.networkCalled(p.NetworkID)
	case ownerGateway:
		return strings.TrimPrefix(w.purpose(p), "gateway of ")
	case ownerInterface:
		return w.purpose(p)
	}
	return joined(w.purpose(p), p.addresses())
}

func sortedPairs(m map[[2]string][]string) [][2]string {
	keys := make([][2]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, func(a, b [2]string) int { return slices.Compare(a[:], b[:]) })
	return keys
}
