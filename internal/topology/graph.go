package topology

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// The kinds of boxes, which are also the layers in which they stand, from left to right.
const (
	kindExternal = iota
	kindRouter
	kindNetwork
	kindBalancer
	layers
)

// box is a node of the graph.
type box struct {
	kind  int
	id    string
	title string
	lines []string
	well  bool // its status is a good one
}

// edge joins two boxes, by index.
type edge struct {
	from, to int
	label    string
	loose    bool // a member's way, and not a link
}

// graph is what pictures are drawn from.
type graph struct {
	boxes []box
	edges []edge
	at    map[string]int // boxes by id
	have  map[edge]bool
}

func newGraph(c Cloud, o Options) *graph {
	w := newWorld(c, o)
	g := &graph{at: map[string]int{}, have: map[edge]bool{}}
	g.addNetworks(w)
	g.addRouters(w)
	g.addBalancers(w)
	return g
}

func (g *graph) add(b box) {
	g.at[b.id] = len(g.boxes)
	g.boxes = append(g.boxes, b)
}

// join adds an edge between boxes that are both there, the left one first.
func (g *graph) join(a, b, label string, loose bool) {
	from, ok := g.at[a]
	to, also := g.at[b]
	if !ok || !also || from == to {
		return
	}
	if g.boxes[from].kind > g.boxes[to].kind {
		from, to = to, from
	}
	e := edge{from, to, label, loose}
	if !g.have[e] {
		g.have[e] = true
		g.edges = append(g.edges, e)
	}
}

func (g *graph) addNetworks(w *world) {
	for i := range w.Networks {
		n := &w.Networks[i]
		if !w.shown[n.ID] {
			continue
		}
		b := box{kind: kindNetwork, id: n.ID, title: called(n.Name, n.ID), lines: []string{n.kind()}, well: off(n.Up) == ""}
		if n.External {
			b.kind = kindExternal
		}
		for _, s := range w.subnetsOf[n.ID] {
			b.lines = append(b.lines, s.describe())
		}
		ports, more := w.some(n.ID, func(p *Port) bool { return p.rank() == rankOfUsers }) // the others are edges, or lines of other boxes
		for _, p := range ports {
			b.lines = append(b.lines, joined(p.addresses(), w.purpose(p), printable(p.Status), off(p.Up)))
		}
		if more > 0 {
			b.lines = append(b.lines, further(more))
		}
		g.add(b)
	}
}

func (g *graph) addRouters(w *world) {
	for i := range w.Routers {
		r := &w.Routers[i]
		if !w.showsRouter(r) {
			continue
		}
		b := box{kind: kindRouter, id: r.ID, title: "router " + called(r.Name, r.ID), well: r.Up && r.Status == "ACTIVE"}
		b.lines = append(b.lines, joined(printable(r.Status), when(!r.Up, "switched off")))
		if at := slices.IndexFunc(w.portsOf[r.ID], func(p *Port) bool { return p.Binding.NetNS != "" }); at >= 0 {
			b.lines = append(b.lines, strings.TrimPrefix(w.portsOf[r.ID][at].place(), "in "))
		}
		for _, f := range w.floating[r.ID] {
			b.lines = append(b.lines, printable(f.Address)+" → "+printable(f.Fixed))
		}
		for _, route := range r.Routes {
			b.lines = append(b.lines, joined(prefixed("route", route.Destination), prefixed("via", route.NextHop)))
		}
		g.add(b)
		if r.Gateway != nil {
			g.join(r.Gateway.NetworkID, r.ID, joined((&Port{FixedIPs: r.Gateway.FixedIPs}).addresses(), when(r.Gateway.SNAT, "SNAT")), false)
		}
		for _, p := range w.portsOf[r.ID] {
			if p.DeviceOwner == ownerInterface {
				g.join(r.ID, p.NetworkID, p.addresses(), false)
			}
		}
	}
}

func (g *graph) addBalancers(w *world) {
	for i := range w.LoadBalancers {
		lb := &w.LoadBalancers[i]
		if !w.showsBalancer(lb) {
			continue
		}
		b := box{kind: kindBalancer, id: lb.ID, title: "load balancer " + called(lb.Name, lb.ID), well: lb.Provisioning == "ACTIVE" && (lb.Operating == "ONLINE" || lb.Operating == "NO_MONITOR")}
		b.lines = append(b.lines, joined(printable(lb.Provider), printable(lb.Provisioning), printable(lb.Operating)))
		if lb.Host != "" {
			b.lines = append(b.lines, strings.TrimPrefix(lb.place(), "in "))
		}
		for _, l := range w.listenersBy[lb.ID] {
			line := fmt.Sprintf("%s %d", printable(l.Protocol), l.ProtocolPort)
			if p := w.pools[l.PoolID]; p != nil {
				line += " → " + called(p.Name, p.ID)
			}
			b.lines = append(b.lines, joined(line, printable(l.Operating)))
		}
		pools := w.poolsBy[lb.ID]
		for _, p := range pools {
			b.lines = append(b.lines, joined("pool "+called(p.Name, p.ID), printable(p.Algorithm), printable(p.Operating)))
			for _, m := range p.Members {
				b.lines = append(b.lines, joined("  "+m.endpoint(), printable(m.Operating)))
			}
		}
		g.add(b)
		g.join(lb.NetworkID, lb.ID, "VIP "+printable(lb.Address), false)
		g.joinMembers(w, lb, pools)
	}
}

// joinMembers joins a load balancer with the networks of its members, where they are others than the VIP's.
func (g *graph) joinMembers(w *world, lb *LoadBalancer, pools []*Pool) {
	for _, p := range pools {
		for _, m := range p.Members {
			if s := w.subnets[m.SubnetID]; s != nil && s.NetworkID != lb.NetworkID {
				g.join(s.NetworkID, lb.ID, "members", true)
			}
		}
	}
}

// arranged are the boxes of each layer, from top to bottom: near what they are joined with.
func (g *graph) arranged() [layers][]int {
	var columns [layers][]int
	place := make([]float64, len(g.boxes))
	for kind := range layers {
		for i := range g.boxes {
			if g.boxes[i].kind == kind {
				columns[kind] = append(columns[kind], i)
			}
		}
		pull := func(i int) float64 { return g.pull(i, place) }
		slices.SortStableFunc(columns[kind], func(a, b int) int { return cmp.Compare(pull(a), pull(b)) })
		for at, i := range columns[kind] {
			place[i] = float64(at+1) / float64(len(columns[kind])+1)
		}
	}
	return columns
}

// pull is the mean place of what is left of a box and joined with it. What is joined with nothing goes to the end.
func (g *graph) pull(i int, place []float64) float64 {
	sum, n := 0.0, 0
	for _, e := range g.edges {
		if e.to == i && g.boxes[e.from].kind < g.boxes[i].kind {
			sum += place[e.from]
			n++
		}
	}
	if n == 0 {
		return 2
	}
	return sum / float64(n)
}
