package linux

import (
	"cmp"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"

	"plimsoll/internal/guard"
)

// guards are what a host's tables of guards are and shall be.
type guards struct {
	mu sync.Mutex
	// wanted is what the last SetGuards said; planned tells that there was one.
	wanted  guard.Wanted
	planned bool
	// state is what the kernel had when it was last looked at, with our changes since; nil is that nobody knows. generation is that of
	// all tables of the host then, 0 when somebody else may have changed ours since.
	state      guard.State
	generation uint32
	// filtered are the bridges that are known to show their packets to the tables.
	filtered map[string]bool
	// trusted are the links that were last seen as those of ports that are not guarded: when SetGuards names them no more, everything may
	// pass them.
	trusted map[string]bool
	// opened are the links that were closed when something could pass them already, until SetGuards names them.
	opened map[string]bool
	// unheard are announcements, by link, that the tables did not let pass.
	unheard map[string]unheard
}

// GuardTable is the name of the tables of guards of an instance.
func GuardTable(instance string) string { return "plimsoll-" + instance }

func (h *Host) guardTable() string { return GuardTable(strings.TrimPrefix(h.stamp, "plimsoll:")) }

// SetGuards has the kernel guard ports, and nothing else that was guarded: links that are there still let nothing pass. Ports need not be
// plugged yet. Connections that were let through go on, but for those of addresses that no port keeps. It may be called again with the
// same.
func (h *Host) SetGuards(ports []guard.Port, groups []guard.Group) error {
	defer h.announceUnheard()
	g := &h.guards
	g.mu.Lock()
	defer g.mu.Unlock()
	_ = h.look() // converge tells what is wrong
	freed, before := guard.Freed(g.wanted.Ports, ports, h.known), g.state
	g.wanted, g.planned = guard.Wanted{Ports: ports, Groups: groups, Closed: g.wanted.Closed}, true
	_, err := h.converge()
	zones := map[uint16]map[netip.Addr]bool{}
	for bridge, addresses := range freed {
		for _, z := range []uint16{before.Zone(bridge), g.state.Zone(bridge)} {
			if z != 0 {
				zones[z] = addresses
			}
		}
	}
	if err = errors.Join(err, forgetAddresses(zones)); err != nil {
		return fmt.Errorf("set guards: %w", err)
	}
	return nil
}

// known tells whether something could pass a port's link before this moment: connections that were let through are the port's own then.
func (h *Host) known(p guard.Port) bool {
	g := &h.guards
	opened := g.opened[p.Link]
	delete(g.opened, p.Link)
	if guarded, closed := g.state.Guards(p.Link); guarded {
		return opened || !closed
	}
	link, err := h.links.LinkByName(p.Link)
	return err == nil && link.Attrs().MasterIndex != 0 // else it was made just now
}

// AuditGuards looks whether somebody else changed what SetGuards made, mends it and tells how many changes that took.
func (h *Host) AuditGuards() (int, error) {
	g := &h.guards
	g.mu.Lock()
	defer g.mu.Unlock()
	now, err := generation()
	if err != nil {
		return 0, fmt.Errorf("look at the guards: %w", err)
	}
	if g.state != nil && now != g.generation {
		if err := h.reread(); err != nil {
			return 0, err
		}
	}
	g.filtered = nil
	if !g.planned && len(g.state) == 0 {
		return 0, nil // nothing is guarded here
	}
	n, err := h.converge()
	if err != nil {
		return n, fmt.Errorf("mend the guards: %w", err)
	}
	return n, nil
}

// reread reads what the kernel has. The links that were guarded stay known: they may have been guarded by nothing but a table that
// somebody deleted.
func (h *Host) reread() error {
	g := &h.guards
	before := g.state
	g.state = nil
	if err := h.look(); err != nil {
		g.state = before
		g.generation = 0
		return err
	}
	for _, link := range before.Links() {
		if guarded, _ := g.state.Guards(link); !guarded && !g.wants(link) {
			g.wanted.Closed = append(g.wanted.Closed, link)
		}
	}
	return nil
}

// look reads what the kernel has of the tables, unless that is known.
func (h *Host) look() (err error) {
	g := &h.guards
	if g.state != nil {
		return nil
	}
	if g.generation, err = generation(); err != nil {
		return fmt.Errorf("look at the guards: %w", err)
	}
	state, err := readGuards(h.guardTable())
	if err != nil {
		return err
	}
	after, err := generation()
	if err != nil || after != g.generation {
		g.generation = 0 // what was read may be of two moments; the next audit sees
	}
	g.state = state
	return nil
}

// wants tells whether the last SetGuards named a port with this link.
func (g *guards) wants(link string) bool {
	return slices.ContainsFunc(g.wanted.Ports, func(p guard.Port) bool { return p.Link == link })
}

// converge makes the tables what is wanted. Before the first SetGuards nobody knows what is, and all stays as it is.
func (h *Host) converge() (int, error) {
	g := &h.guards
	if err := h.look(); err != nil {
		return 0, err
	}
	if !g.planned {
		return 0, nil
	}
	before := g.bridges()
	to, failed := h.admissible()
	changes := guard.Diff(g.state, guard.Plan(to))
	if err := h.carryOut(changes); err != nil {
		changes = guard.Anew(g.state, guard.Plan(to))
		if again := h.carryOut(changes); again != nil {
			return 0, err
		}
	}
	return len(changes), errors.Join(failed, h.unfilter(before))
}

// admissible is what can be guarded now of what is wanted: the rest is closed, but for what is not ours. Its bridges show their packets and
// have zones.
func (h *Host) admissible() (guard.Wanted, error) {
	g := &h.guards
	to := guard.Wanted{Groups: g.wanted.Groups, Closed: h.orphans(), Zones: map[string]uint16{}}
	failed, bridges := GuardErrors{}, map[string]error{}
	var none error
	if len(g.wanted.Ports) > 0 {
		none = BridgeFilter()
	}
	for _, p := range g.wanted.Ports {
		if err := h.guardable(p.Link); err != nil {
			failed[p.ID] = err
			continue
		}
		if _, seen := bridges[p.Bridge]; !seen && none == nil {
			bridges[p.Bridge] = h.prepareBridge(p.Bridge, to.Zones)
		}
		if err := cmp.Or(none, bridges[p.Bridge]); err != nil {
			failed[p.ID] = err
			to.Closed = append(to.Closed, p.Link)
			continue
		}
		to.Ports = append(to.Ports, p)
	}
	return to, failed.orNil()
}

// orphans are the links that are guarded and that nobody named, unless they are trusted: of those that are there, nobody knows what may
// pass.
func (h *Host) orphans() []string {
	g := &h.guards
	wanted := map[string]bool{}
	for _, p := range g.wanted.Ports {
		wanted[p.Link] = true
	}
	var left []string
	for _, link := range append(g.state.Links(), g.wanted.Closed...) {
		if !wanted[link] && !g.trusted[link] && !slices.Contains(left, link) && h.there(link) {
			left = append(left, link)
		}
	}
	g.wanted.Closed = nil // from now on the tables say so
	return left
}

func (h *Host) there(link string) bool {
	_, err := h.links.LinkByName(link)
	return !missing(err)
}

// carryOut changes the tables and notes what they are then.
func (h *Host) carryOut(changes []guard.Change) error {
	g := &h.guards
	if len(changes) == 0 {
		return nil
	}
	if err := changeGuards(h.guardTable(), changes); err != nil {
		g.state, g.generation = nil, 0
		return errors.Join(err, h.look())
	}
	g.state = g.state.After(changes)
	if now, err := generation(); err != nil || g.generation == 0 || now != g.generation+1 {
		g.generation = 0
	} else {
		g.generation = now
	}
	return nil
}

// closeLink has the tables let nothing pass a link that they do not guard, or what the last SetGuards said of it; opened tells whether
// something could pass it until now.
func (h *Host) closeLink(link string, opened bool) error {
	g := &h.guards
	g.mu.Lock()
	defer g.mu.Unlock()
	if err := h.look(); err != nil {
		return err
	}
	delete(g.trusted, link)
	if opened && !g.wants(link) {
		if g.opened == nil {
			g.opened = map[string]bool{}
		}
		g.opened[link] = true
	}
	if guarded, closed := g.state.Guards(link); g.wants(link) && (!guarded || closed) {
		_, err := h.converge()
		if err = h.converged(link, err); err != nil {
			return err
		}
	}
	return h.carryOut(guard.Close(g.state, link))
}

// openLink has the tables know nothing of a link that is gone, unless the last SetGuards named it: then the next one says so.
func (h *Host) openLink(link string) error {
	g := &h.guards
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.trusted, link)
	delete(g.opened, link)
	delete(g.unheard, link)
	if g.wants(link) {
		return nil
	}
	if err := h.look(); err != nil {
		return nil //nolint:nilerr // a kernel without nftables guards nothing
	}
	return h.carryOut(guard.Open(g.state, link))
}

// trustLink has the tables let everything pass a link that is not guarded. What SetGuards named stays as it said until it names it no more.
func (h *Host) trustLink(link string) error {
	g := &h.guards
	g.mu.Lock()
	defer g.mu.Unlock()
	if err := h.look(); err != nil || g.wants(link) {
		return err
	}
	return h.carryOut(guard.Open(g.state, link))
}

// guardDue notes whether a link's port is guarded, and tells whether the tables guard it otherwise.
func (h *Host) guardDue(link string, guarded bool) (bool, error) {
	g := &h.guards
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.trusted == nil {
		g.trusted = map[string]bool{}
	}
	if g.trusted[link] = true; guarded {
		delete(g.trusted, link)
	}
	if err := h.look(); err != nil {
		return false, err
	}
	is, _ := g.state.Guards(link)
	if guarded {
		return !is, nil
	}
	return is && !g.wants(link), nil
}

// RemoveGuards takes the tables away, whatever they guard.
func (h *Host) RemoveGuards() error {
	g := &h.guards
	g.mu.Lock()
	defer g.mu.Unlock()
	g.state, g.wanted, g.planned, g.trusted, g.opened, g.unheard = nil, guard.Wanted{}, false, nil, nil, nil
	if err := h.look(); err != nil {
		return nil //nolint:nilerr // a kernel without nftables guards nothing
	}
	return h.carryOut(guard.Diff(g.state, nil))
}

// guardChanges are those of what may pass the port's link.
func (p *plug) guardChanges() ([]change, error) {
	link := p.outer.Attrs().Name
	due, err := p.host.guardDue(link, p.port.Guarded)
	switch {
	case err != nil && !p.port.Guarded:
		return nil, nil // a kernel without nftables guards nothing
	case err != nil || !due:
		return nil, err
	case p.port.Guarded:
		opened := p.outer.Attrs().MasterIndex != 0
		return []change{{"its guard", func() error { return p.host.closeLink(link, opened) }}}, nil
	}
	return []change{{"the end of its guard", func() error { return p.host.trustLink(link) }}}, nil
}
