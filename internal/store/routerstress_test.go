package store_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/netip"
	"slices"
	"sync"
	"testing"

	"plimsoll/internal/network"
	"plimsoll/internal/store"
	"plimsoll/internal/store/storetest"
	"plimsoll/lbaas"
)

// TestRoutingAtOnce lets many make, change and delete routers, interfaces, gateways, floating addresses and ports of one cloud, all at
// once and with little room for addresses. Whatever is refused is refused with an error of the API; what is there in between and
// in the end fits together; and when all is deleted, every address is free.
func TestRoutingAtOnce(t *testing.T) { storetest.Pair(t, routingAtOnce) }

func routingAtOnce(t *testing.T, a, b *store.Store) {
	outside, left, right := newLAN(t, a, "172.24.4.0/28"), newLAN(t, a, "10.0.0.0/28"), newLAN(t, a, "10.1.0.0/28")
	(&cloud{Store: a, t: t}).external(outside.ID, true)
	b.CatchUp(t)
	atOnce(t, 6, func(i int) error {
		w := &wrecker{Store: []*store.Store{a, b}[i%2], outside: outside, lans: []lan{left, right}, dice: rand.New(rand.NewPCG(uint64(i), 7))}
		for range 30 {
			if err := w.step(t.Context()); !expected(err) {
				return err
			}
		}
		return nil
	})
	a.CatchUp(t)
	consistent(t, a)
	deleteAll(t, a)
	for _, l := range []lan{outside, left, right} {
		if free := fill(t, a, l); free != 13 {
			t.Errorf("when all is deleted, %d of the 13 addresses of %s are free", free, l.subnet.CIDR)
		}
	}
}

// expected tells whether an error is one that a client may be told.
func expected(err error) bool {
	var e *lbaas.Error
	return err == nil || errors.As(err, &e)
}

// wrecker does anything.
type wrecker struct {
	*store.Store
	outside lan
	lans    []lan
	dice    *rand.Rand
}

func (w *wrecker) step(ctx context.Context) error {
	steps := []func(context.Context) error{w.makeRouter, w.enter, w.enter, w.leave, w.gate, w.float, w.float, w.associate, w.associate, w.port, w.port,
		w.move, w.unport, w.sink, w.unroute, w.dhcp, w.observe, w.observe}
	return steps[w.dice.IntN(len(steps))](ctx)
}

func pick[T any](dice *rand.Rand, list []T, err error) (T, bool, error) {
	var none T
	if err != nil || len(list) == 0 {
		return none, false, err
	}
	return list[dice.IntN(len(list))], true, nil
}

func (w *wrecker) anyRouter(ctx context.Context) (*network.Router, bool, error) {
	list, err := w.Routers(ctx, store.Query{})
	return pick(w.dice, list, err)
}

func (w *wrecker) anyPort(ctx context.Context, owner string) (*network.Port, bool, error) {
	list, err := w.Ports(ctx, store.Query{Filters: []store.Filter{{Attribute: "device_owner", Values: []string{owner}}}})
	return pick(w.dice, list, err)
}

func (w *wrecker) anyFloat(ctx context.Context) (*network.FloatingIP, bool, error) {
	list, err := w.FloatingIPs(ctx, store.Query{})
	return pick(w.dice, list, err)
}

func (w *wrecker) lan() lan { return w.lans[w.dice.IntN(len(w.lans))] }

func (w *wrecker) makeRouter(ctx context.Context) error {
	r := &network.Router{ProjectID: "p", Host: "h", AdminStateUp: true}
	if w.dice.IntN(3) > 0 {
		r.Gateway.NetworkID = w.outside.ID
	}
	return w.CreateRouter(ctx, r)
}

func (w *wrecker) enter(ctx context.Context) error {
	r, ok, err := w.anyRouter(ctx)
	if !ok {
		return err
	}
	if p, ok, err := w.anyPort(ctx, ""); err != nil || ok && w.dice.IntN(3) == 0 {
		if err == nil {
			_, err = w.AddRouterInterface(ctx, r.ID, "", p.ID)
		}
		return err
	}
	if there, err := w.Ports(ctx, store.Query{Filters: []store.Filter{{Attribute: "fixed_ips", Values: []string{"ip_address=" + w.lan().subnet.Gateway.String()}}}}); err != nil || len(there) > 0 {
		return err // what is leaving would be waited for
	}
	_, err = w.AddRouterInterface(ctx, r.ID, w.lan().subnet.ID, "")
	return err
}

func (w *wrecker) leave(ctx context.Context) error {
	p, ok, err := w.anyPort(ctx, network.OwnerRouterInterface)
	if !ok {
		return err
	}
	_, err = w.RemoveRouterInterface(ctx, p.DeviceID, "", p.ID)
	return err
}

func (w *wrecker) gate(ctx context.Context) error {
	r, ok, err := w.anyRouter(ctx)
	if !ok {
		return err
	}
	wanted := network.Gateway{}
	if w.dice.IntN(3) > 0 {
		wanted = network.Gateway{NetworkID: w.outside.ID, FixedIPs: []network.FixedIP{{SubnetID: w.outside.subnet.ID}}}
	}
	_, err = w.UpdateRouter(ctx, r.ID, func(r *network.Router) error { r.Gateway = wanted; return nil })
	return err
}

func (w *wrecker) float(ctx context.Context) error {
	f := &network.FloatingIP{ProjectID: "p", NetworkID: w.outside.ID}
	if p, ok, err := w.anyPort(ctx, ""); err != nil {
		return err
	} else if ok && w.dice.IntN(2) == 0 {
		f.PortID = p.ID
	}
	return w.CreateFloatingIP(ctx, f, "")
}

func (w *wrecker) associate(ctx context.Context) error {
	f, ok, err := w.anyFloat(ctx)
	if !ok {
		return err
	}
	p, ok, err := w.anyPort(ctx, []string{"", network.OwnerLoadBalancer}[w.dice.IntN(2)])
	if err != nil {
		return err
	}
	_, err = w.UpdateFloatingIP(ctx, f.ID, func(f *network.FloatingIP) error {
		f.PortID, f.FixedAddress = "", netip.Addr{}
		if ok {
			f.PortID = p.ID
		}
		return nil
	})
	return err
}

func (w *wrecker) port(ctx context.Context) error {
	p := &network.Port{ProjectID: "p", NetworkID: w.lan().ID, AdminStateUp: true}
	switch w.dice.IntN(4) {
	case 0, 1:
		p.Binding = network.Binding{Host: "h", NetNS: "ns"}
	case 2:
		p.DeviceOwner, p.DeviceID = network.OwnerLoadBalancer, "lb-x"
	}
	return w.CreatePort(ctx, p)
}

func (w *wrecker) move(ctx context.Context) error {
	p, ok, err := w.anyPort(ctx, "")
	if !ok {
		return err
	}
	_, err = w.UpdatePort(ctx, p.ID, func(p *network.Port) error {
		if len(p.FixedIPs) > 1 {
			p.FixedIPs = p.FixedIPs[1:]
		} else if len(p.FixedIPs) == 1 {
			p.FixedIPs = append(p.FixedIPs, network.FixedIP{SubnetID: p.FixedIPs[0].SubnetID})
		}
		return nil
	})
	return err
}

func (w *wrecker) unport(ctx context.Context) error {
	p, ok, err := w.anyPort(ctx, []string{"", network.OwnerDHCP, network.OwnerRouterInterface, network.OwnerLoadBalancer}[w.dice.IntN(4)])
	if !ok {
		return err
	}
	return w.DeletePort(ctx, p.ID)
}

func (w *wrecker) sink(ctx context.Context) error {
	f, ok, err := w.anyFloat(ctx)
	if !ok {
		return err
	}
	return w.DeleteFloatingIP(ctx, f.ID)
}

func (w *wrecker) unroute(ctx context.Context) error {
	r, ok, err := w.anyRouter(ctx)
	if !ok {
		return err
	}
	return w.DeleteRouter(ctx, r.ID)
}

func (w *wrecker) dhcp(ctx context.Context) error {
	l := w.lan()
	return w.CreatePort(ctx, &network.Port{ProjectID: "p", NetworkID: l.ID, AdminStateUp: true, DeviceOwner: network.OwnerDHCP,
		Binding: network.Binding{Host: "h", NetNS: network.DHCPNetNS + l.ID}})
}

// observe does what the host has to do.
func (w *wrecker) observe(ctx context.Context) error {
	list, err := w.BoundPorts(ctx, "h")
	if err != nil {
		return err
	}
	for _, p := range list {
		if err := w.BindingObserved(ctx, p.ID, p.Binding.Generation, ""); err != nil {
			return err
		}
	}
	return nil
}

// consistent checks that what is there fits together.
func consistent(t *testing.T, s *store.Store) {
	t.Helper()
	ctx := t.Context()
	routers, err1 := s.Routers(ctx, store.Query{})
	ports, err2 := s.Ports(ctx, store.Query{})
	floats, err3 := s.FloatingIPs(ctx, store.Query{})
	if err := errors.Join(err1, err2, err3); err != nil {
		t.Fatal(err)
	}
	byRouter, byPort := map[string]*network.Router{}, map[string]*network.Port{}
	for _, r := range routers {
		byRouter[r.ID] = r
	}
	taken := map[network.FixedIP]string{}
	for _, p := range ports {
		byPort[p.ID] = p
		for _, f := range p.FixedIPs {
			if other := taken[f]; other != "" {
				t.Errorf("%s and %s both have %v", p.ID, other, f)
			}
			taken[f] = p.ID
		}
		if r := byRouter[p.DeviceID]; p.DeviceOwner == network.OwnerRouterInterface && r == nil ||
			p.DeviceOwner == network.OwnerRouterGateway && (r == nil || r.Gateway.PortID != p.ID) {
			t.Errorf("a %s of nobody: %+v", p.DeviceOwner, p)
		}
	}
	for _, r := range routers {
		if p := byPort[r.Gateway.PortID]; r.Gateway.NetworkID != "" && (p == nil || p.NetworkID != r.Gateway.NetworkID || !slices.Equal(p.FixedIPs, r.Gateway.FixedIPs)) {
			t.Errorf("router %s has the gateway %+v and the port %+v", r.ID, r.Gateway, p)
		}
	}
	for _, f := range floats {
		if own := byPort[f.OwnPortID]; own == nil || own.DeviceID != f.ID || len(own.FixedIPs) != 1 || own.FixedIPs[0].Address != f.Address {
			t.Errorf("floating address %s has the port %+v", f.Address, own)
		}
		if f.PortID != "" {
			fitting(t, f, byPort, byRouter[f.RouterID])
		} else if f.RouterID != "" || f.FixedAddress.IsValid() {
			t.Errorf("a floating address that stands for nothing: %+v", f)
		}
	}
}

// fitting checks what a floating address stands for, and that its router leads there.
func fitting(t *testing.T, f *network.FloatingIP, ports map[string]*network.Port, r *network.Router) {
	t.Helper()
	p := ports[f.PortID]
	if p == nil || r == nil || r.Gateway.NetworkID != f.NetworkID {
		t.Errorf("floating address %s stands for the port %+v by the router %+v", f.Address, p, r)
		return
	}
	i := slices.IndexFunc(p.FixedIPs, func(a network.FixedIP) bool { return a.Address == f.FixedAddress })
	if i < 0 {
		t.Errorf("floating address %s stands for %s, which port %s has not", f.Address, f.FixedAddress, p.ID)
		return
	}
	for _, inside := range ports {
		leads := func(a network.FixedIP) bool { return a.SubnetID == p.FixedIPs[i].SubnetID }
		if inside.DeviceID == r.ID && inside.DeviceOwner == network.OwnerRouterInterface && slices.ContainsFunc(inside.FixedIPs, leads) {
			return
		}
	}
	t.Errorf("floating address %s stands for %s, where its router does not lead", f.Address, f.FixedAddress)
}

// deleteAll deletes all ports, routers and floating addresses, as users and hosts do.
func deleteAll(t *testing.T, s *store.Store) {
	t.Helper()
	ctx := t.Context()
	w := &wrecker{Store: s, dice: rand.New(rand.NewPCG(1, 2))}
	remove := func(what string, pick func() (func() error, bool, error)) {
		t.Helper()
		for {
			do, ok, err := pick()
			if err == nil && ok {
				err = do()
			}
			if err != nil {
				t.Fatalf("delete a %s: %v", what, err)
			}
			if !ok {
				return
			}
		}
	}
	remove("floating address", func() (func() error, bool, error) {
		f, ok, err := w.anyFloat(ctx)
		return func() error { return s.DeleteFloatingIP(ctx, f.ID) }, ok, err
	})
	remove("interface", func() (func() error, bool, error) {
		p, ok, err := w.anyPort(ctx, network.OwnerRouterInterface)
		return func() error { return w.leave(ctx) }, ok && p != nil, err
	})
	remove("router", func() (func() error, bool, error) {
		r, ok, err := w.anyRouter(ctx)
		return func() error { return s.DeleteRouter(ctx, r.ID) }, ok, err
	})
	for _, owner := range []string{"", network.OwnerDHCP, network.OwnerLoadBalancer} {
		remove("port", func() (func() error, bool, error) {
			p, ok, err := w.anyPort(ctx, owner)
			return func() error { return s.DeletePort(ctx, p.ID) }, ok, err
		})
	}
	if err := w.observe(ctx); err != nil {
		t.Fatal(err)
	}
}

// fill makes ports until a network is full and tells how many there was room for.
func fill(t *testing.T, s *store.Store, l lan) int {
	t.Helper()
	var mu sync.Mutex
	made := 0
	atOnce(t, 3, func(int) error {
		for {
			err := s.CreatePort(t.Context(), &network.Port{NetworkID: l.ID})
			var e *lbaas.Error
			if errors.As(err, &e) && e.Type == "IpAddressGenerationFailure" {
				return nil
			}
			if err != nil {
				return err
			}
			mu.Lock()
			made++
			mu.Unlock()
		}
	})
	return made
}
