package avitest

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"
)

// Ports is what the emulator needs of a network service: service engines have ports in the networks of what they carry. Its methods
// are called one at a time.
type Ports interface {
	// CreatePort makes a port with an address of a subnet, and returns its id. The name begins with "Avi-Data-".
	CreatePort(ctx context.Context, name, subnetID, tenantUUID string) (string, error)
	// DeletePort deletes a port. One that is not there is no error.
	DeletePort(ctx context.Context, id string) error
}

// forcesNeeded is how often garbage collection has to be forced until it takes everything away: once marks, once detaches, once deletes.
const forcesNeeded = 3

// ports are those of the service engines, by subnet and VRF context.
type ports struct {
	mu   sync.Mutex
	list []*dataPort
}

// dataPort is one interface of a service engine.
type dataPort struct {
	subnet, tenant, vrf string
	id                  string
	idle                bool // nothing is on it
	since               time.Time
	forced              int
}

func (p *dataPort) serves(o *dataPort) bool {
	return p.subnet == o.subnet && p.tenant == o.tenant && p.vrf == o.vrf
}

// DataPorts are the ids of the service engines' ports.
func (s *Server) DataPorts() []string {
	s.ports.mu.Lock()
	defer s.ports.mu.Unlock()
	var ids []string
	for _, p := range s.ports.list {
		ids = append(ids, p.id)
	}
	return ids
}

// Collect lets garbage collection take away what has been idle for long enough. It does so by itself with each write.
func (s *Server) Collect(ctx context.Context) error {
	return s.settle(ctx, false)
}

// settlePorts makes the ports follow a write. What the network service refuses is tried again with the next one.
func (s *Server) settlePorts(ctx context.Context, c call) {
	if s.opts.Ports == nil {
		return
	}
	force := c.Kind == "cloud" && c.Action == "gc" && c.Query.Get("force") != "" && c.Method != http.MethodGet
	_ = s.settle(context.WithoutCancel(ctx), force)
}

func (s *Server) settle(ctx context.Context, force bool) error {
	if s.opts.Ports == nil {
		return nil
	}
	wanted := s.wantedPorts()
	s.ports.mu.Lock()
	defer s.ports.mu.Unlock()
	s.markIdle(wanted, force)
	if err := s.collectIdle(ctx); err != nil {
		return err
	}
	return s.makeMissing(ctx, wanted)
}

// wantedPorts are those of the VIPs of virtual services that are placed.
func (s *Server) wantedPorts() []*dataPort {
	sc := s.scene()
	var list []*dataPort
	for uuid, vs := range sc.vs {
		if !sc.placed(uuid) {
			continue
		}
		for _, vip := range objectsIn(sc.vipOf(vs), "vip") {
			p := &dataPort{subnet: or(text(vip, "subnet_uuid"), text(vip, "subnet6_uuid")), tenant: lastPart(text(vs, "tenant_ref")), vrf: lastPart(text(vs, "vrf_context_ref"))}
			if p.subnet != "" && !slices.ContainsFunc(list, p.serves) {
				list = append(list, p)
			}
		}
	}
	return list
}

func (s *Server) markIdle(wanted []*dataPort, force bool) {
	for _, p := range s.ports.list {
		idle := !slices.ContainsFunc(wanted, p.serves)
		if idle && !p.idle {
			p.since, p.forced = s.opts.Now(), 0
		}
		p.idle = idle
		if idle && force {
			p.forced++
		}
	}
}

func (s *Server) collectIdle(ctx context.Context) error {
	for _, p := range slices.Clone(s.ports.list) {
		if !p.idle || p.forced < forcesNeeded && s.opts.Now().Sub(p.since) < s.opts.PortDelay {
			continue
		}
		if err := s.opts.Ports.DeletePort(ctx, p.id); err != nil {
			return fmt.Errorf("delete port %s: %w", p.id, err)
		}
		s.ports.list = slices.DeleteFunc(s.ports.list, func(o *dataPort) bool { return o == p })
	}
	return nil
}

func (s *Server) makeMissing(ctx context.Context, wanted []*dataPort) error {
	for _, p := range wanted {
		if slices.ContainsFunc(s.ports.list, p.serves) {
			continue
		}
		id, err := s.opts.Ports.CreatePort(ctx, "Avi-Data-"+engineUUID+"-"+p.subnet, p.subnet, p.tenant)
		if err != nil {
			return fmt.Errorf("make a port in subnet %s: %w", p.subnet, err)
		}
		p.id = id
		s.ports.list = append(s.ports.list, p)
	}
	return nil
}
