package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/uptrace/bun"

	"plimsoll/internal/network"
	"plimsoll/lbaas"
)

type portRow struct {
	bun.BaseModel `bun:"table:ports"`

	ID           string `bun:"id,pk"`
	ProjectID    string
	NetworkID    string
	Name         string
	Description  string
	AdminStateUp bool
	MAC          string `bun:"mac_address"`
	DeviceID     string
	DeviceOwner  string
	PortSecurity bool
	AddressPairs string
	DHCPOptions  string `bun:"dhcp_options"`
	Tags         string
	Revision     int64
	CreatedAt    int64
	UpdatedAt    int64

	Host        string
	NetNS       string `bun:"netns"`
	WantedHost  string // where it is to be plugged now: Host, unless something is missing or administratively down
	PluggedHost string // where it may be plugged
	Generation  int64
	Observed    int64
	Reason      string
	Deleted     bool
}

func newPortRow(p *network.Port) *portRow {
	return &portRow{
		ID: p.ID, ProjectID: p.ProjectID, NetworkID: p.NetworkID, Name: p.Name, Description: p.Description,
		AdminStateUp: p.AdminStateUp, MAC: p.MAC, DeviceID: p.DeviceID, DeviceOwner: p.DeviceOwner, PortSecurity: p.PortSecurity,
		AddressPairs: pairsText(p.AddressPairs), DHCPOptions: optionsText(p.DHCPOptions), Tags: listText(p.Tags), Revision: p.Revision,
		CreatedAt: micros(p.CreatedAt), UpdatedAt: micros(p.UpdatedAt),
		Host: p.Binding.Host, NetNS: p.Binding.NetNS,
	}
}

func (r *portRow) domain() *network.Port {
	return &network.Port{
		ID: r.ID, ProjectID: r.ProjectID, NetworkID: r.NetworkID, Name: r.Name, Description: r.Description,
		AdminStateUp: r.AdminStateUp, MAC: r.MAC, DeviceID: r.DeviceID, DeviceOwner: r.DeviceOwner,
		PortSecurity: r.PortSecurity, AddressPairs: textPairs(r.AddressPairs), DHCPOptions: textOptions(r.DHCPOptions),
		Tags: textList(r.Tags), Revision: r.Revision,
		CreatedAt: fromMicros(r.CreatedAt), UpdatedAt: fromMicros(r.UpdatedAt),
		Binding: network.Binding{
			Host: r.Host, NetNS: r.NetNS, Generation: r.Generation, Observed: r.Observed, Reason: r.Reason,
			Plugged: r.WantedHost != "" && r.WantedHost == r.PluggedHost && r.Observed == r.Generation,
		},
	}
}

func portAttributes() attributes {
	const status = "CASE WHEN device_owner = '" + network.OwnerFloatingIP + "' THEN 'N/A' " +
		"WHEN wanted_host <> '' AND wanted_host = plugged_host AND observed = generation THEN 'ACTIVE' " +
		"WHEN device_owner = '" + network.OwnerLoadBalancer + "' AND EXISTS (SELECT 1 FROM load_balancers " +
		"WHERE load_balancers.id = SUBSTR(device_id, 4) AND load_balancers.observed > 0) THEN 'ACTIVE' ELSE 'DOWN' END"
	return attributes{
		"id":             {column: "id"},
		"tags":           {column: "tags"},
		"name":           {column: "name"},
		"description":    {column: "description"},
		"project_id":     {column: "project_id"},
		"tenant_id":      {column: "project_id"},
		"network_id":     {column: "network_id"},
		"admin_state_up": {column: "admin_state_up", value: boolean},
		"mac_address":    {column: "mac_address", value: lower},
		"device_id":      {column: "device_id"},
		"device_owner":   {column: "device_owner"},
		"status":         {column: status},

		"port_security_enabled": {column: "port_security", value: boolean},

		"binding:host_id":   {column: "host"},
		"binding:vif_type":  {column: "CASE WHEN host = '' THEN 'unbound' ELSE 'bridge' END"},
		"binding:vnic_type": {column: "CASE WHEN id = '' THEN '' ELSE 'normal' END"},
		"revision_number":   {column: "revision", value: integer},
		"created_at":        {column: "created_at", value: moment},
		"updated_at":        {column: "updated_at", value: moment},
	}
}

func lower(text string) (any, error) { return strings.ToLower(text), nil }

// CreatePort keeps a new port and fills its ID, its times, and the MAC and the addresses that are missing: with no FixedIPs, one per
// family that the network has; with an empty list, none; an entry that names only a subnet gets any address of it.
func (s *Store) CreatePort(ctx context.Context, p *network.Port) error {
	return s.CreatePorts(ctx, []*network.Port{p})
}

// CreatePorts keeps all the ports or none. Addresses that deleted ports have until their hosts took them away are waited for.
func (s *Store) CreatePorts(ctx context.Context, list []*network.Port) error {
	var made []*network.Port
	where := ""
	create := func(ctx context.Context, tx bun.Tx) error {
		made = nil
		for _, p := range list {
			attempt := *p
			where = p.NetworkID
			if err := s.countPort(ctx, tx, p); err != nil {
				return err
			}
			if err := insertPort(ctx, tx, &attempt); err != nil {
				return err
			}
			made = append(made, &attempt)
		}
		return nil
	}
	if err := s.patient(ctx, &where, func() error { return s.allocating(ctx, "store.createPorts", create) }); err != nil {
		return err
	}
	for i, p := range made {
		*list[i] = *p
		if p.Binding.Host != "" {
			s.hint(Hint{PortID: p.ID})
		}
	}
	s.hint(Hint{Network: true})
	return nil
}

func insertPort(ctx context.Context, tx bun.Tx, p *network.Port) error {
	if err := checkBinding(p); err != nil {
		return err
	}
	if err := p.ValidateSecurity(); err != nil {
		return err
	}
	if err := lockNetwork(ctx, tx, p.NetworkID); err != nil {
		return err
	}
	n, err := networkByID(ctx, tx, p.NetworkID)
	if err != nil {
		return err
	}
	given := p.MAC != ""
	if !given {
		p.MAC = network.RandomMAC()
	}
	p.ID, p.CreatedAt, p.Revision = fresh(p.ID), now(), 1
	p.UpdatedAt = p.CreatedAt
	row := newPortRow(p)
	row.replan(n)
	if _, err := tx.NewInsert().Model(row).Exec(ctx); err != nil {
		return macTaken(p, given, fmt.Errorf("insert port: %w", err))
	}
	p.Binding.Generation = row.Generation
	if err := setSecurityGroups(ctx, tx, p); err != nil {
		return err
	}
	return allocate(ctx, tx, p)
}

// macTaken tells a duplicate of a MAC that was asked for, which is the user's to know, from one that was drawn, which is
// drawn again.
func macTaken(p *network.Port, given bool, err error) error {
	switch {
	case !duplicate(err):
		return err
	case given:
		return network.MACInUse(p.NetworkID, p.MAC)
	}
	return errTaken
}

// checkBinding refuses a namespace of a bad name, and the binding of a port that a load balancer plugs by itself.
func checkBinding(p *network.Port) error {
	if p.Binding.NetNS != "" && !strings.HasPrefix(p.DeviceOwner, "network:") { // the service's own names are not the users'
		if err := network.ValidateNetNS(p.Binding.NetNS); err != nil {
			return err
		}
	}
	if p.DeviceOwner == network.OwnerLoadBalancer && p.Binding.Host != "" {
		return &lbaas.Error{Kind: lbaas.Conflict, Type: "PortInUse",
			Text: fmt.Sprintf("Port %s belongs to a load balancer, which plugs it: it cannot be bound.", p.ID)}
	}
	return nil
}

// UpdatePort lets fn change a port, which it may have to do more than once, and returns what was kept. Addresses are
// given and taken as the new FixedIPs say, those that lack an address as in CreatePort. When what the port is plugged with changes, it
// is plugged anew, or the load balancer that uses it is applied anew.
func (s *Store) UpdatePort(ctx context.Context, id string, fn func(*network.Port) error) (*network.Port, error) {
	var after *network.Port
	var hints []Hint
	err := s.allocating(ctx, "store.updatePort", func(ctx context.Context, tx bun.Tx) (err error) {
		after, hints, err = s.alterPort(ctx, tx, id, fn)
		return err
	})
	if err != nil {
		return nil, err
	}
	s.hintAll(hints)
	return after, nil
}

// alterPort is UpdatePort within a transaction. It returns what to hint once that is committed.
func (s *Store) alterPort(ctx context.Context, tx bun.Tx, id string, fn func(*network.Port) error) (*network.Port, []Hint, error) {
	row, p, n, err := lockedPort(ctx, tx, id)
	if err != nil {
		return nil, nil, err
	}
	before := *p
	before.FixedIPs, before.SecurityGroupIDs = slices.Clone(p.FixedIPs), slices.Clone(p.SecurityGroupIDs)
	if err := fn(p); err != nil {
		return nil, nil, err
	}
	if err := s.changePort(ctx, tx, &before, p); err != nil {
		return nil, nil, err
	}
	next := newPortRow(p)
	next.carry(row)
	var hints []Hint
	kept := []string{"id", "created_at"}
	if replugs(&before, p) {
		next.replan(n)
		if hints, err = s.reapply(ctx, tx, "id = ?", id); err != nil {
			return nil, nil, err
		}
		hints = append(hints, Hint{PortID: id})
	} else { // what a host notes at this moment stays
		kept = append(kept, "wanted_host", "plugged_host", "generation", "observed", "reason")
	}
	if _, err := tx.NewUpdate().Model(next).ExcludeColumn(kept...).WherePK().Exec(ctx); err != nil {
		return nil, nil, macTaken(p, true, fmt.Errorf("update port: %w", err))
	}
	more, err := freeFloating(ctx, tx, id, p.FixedIPs)
	if err != nil {
		return nil, nil, err
	}
	if hints = append(hints, more...); concernsHosts(&before, p) {
		hints = append(hints, Hint{Network: true})
	}
	next.CreatedAt = row.CreatedAt
	after := next.domain()
	after.FixedIPs, after.SecurityGroupIDs = p.FixedIPs, p.SecurityGroupIDs
	return after, hints, nil
}

// concernsHosts tells whether a change of a port changes what hosts do for it besides plugging: leases, guards, routers.
func concernsHosts(a, b *network.Port) bool {
	return replugs(a, b) || a.DeviceOwner != b.DeviceOwner || a.DeviceID != b.DeviceID || a.PortSecurity != b.PortSecurity ||
		!slices.Equal(a.SecurityGroupIDs, b.SecurityGroupIDs) || !slices.Equal(a.AddressPairs, b.AddressPairs) ||
		!slices.Equal(a.DHCPOptions, b.DHCPOptions)
}

func (s *Store) changePort(ctx context.Context, tx bun.Tx, before, p *network.Port) error {
	if err := checkBinding(p); err != nil {
		return err
	}
	if err := p.ValidateSecurityChange(before); err != nil {
		return err
	}
	p.Revision, p.UpdatedAt = before.Revision+1, now()
	if !slices.Equal(before.SecurityGroupIDs, p.SecurityGroupIDs) {
		if err := s.changeGroups(ctx, tx, p); err != nil {
			return err
		}
	}
	if slices.Equal(before.FixedIPs, p.FixedIPs) {
		return nil
	}
	// Kept addresses are written anew as well: their places in the list may have changed, and nobody sees them free meanwhile.
	if err := release(ctx, tx, p.ID); err != nil {
		return err
	}
	p.FixedIPs = network.ChangeIPs(before.FixedIPs, p.FixedIPs)
	if p.FixedIPs == nil {
		p.FixedIPs = []network.FixedIP{} // none, rather than one per family
	}
	return allocate(ctx, tx, p)
}

// replugs tells whether a change of a port changes what a host has to do.
func replugs(a, b *network.Port) bool {
	return a.Binding.Host != b.Binding.Host || a.Binding.NetNS != b.Binding.NetNS || a.AdminStateUp != b.AdminStateUp ||
		a.MAC != b.MAC || a.Guarded() != b.Guarded() || !slices.Equal(a.FixedIPs, b.FixedIPs)
}

// DeletePort removes a port. One that may be plugged is hidden at once and goes, with its MAC and its addresses, when its host has
// unplugged it.
//
// A port of a router or of a floating address goes with those: Neutron's ServicePortInUse. The floating addresses that stand for the
// port's stay, and stand for nothing.
func (s *Store) DeletePort(ctx context.Context, id string) error {
	var hints []Hint
	err := s.change(ctx, "store.deletePort", func(ctx context.Context, tx bun.Tx) error {
		row, p, _, err := lockedPort(ctx, tx, id)
		if err != nil {
			return err
		}
		if err := notOfL3(ctx, tx, p); err != nil {
			return err
		}
		hints, err = dropPort(ctx, tx, row)
		return err
	})
	if err == nil {
		s.hintAll(hints)
	}
	return err
}

// dropPort is DeletePort of a locked port within a transaction. It returns what to hint once that is committed.
func dropPort(ctx context.Context, tx bun.Tx, row *portRow) ([]Hint, error) {
	hints, err := freeFloating(ctx, tx, row.ID, nil)
	if err != nil {
		return nil, err
	}
	if row.PluggedHost == "" {
		return append(hints, Hint{Network: true}), erasePort(ctx, tx, row.ID)
	}
	row.Deleted, row.Host = true, ""
	row.replan(nil)
	if _, err := tx.NewUpdate().Model(row).Column("deleted", "host", "wanted_host", "generation", "reason").WherePK().Exec(ctx); err != nil {
		return nil, fmt.Errorf("mark port as deleted: %w", err)
	}
	return append(hints, Hint{PortID: row.ID}, Hint{Network: true}), nil
}

func erasePort(ctx context.Context, tx bun.Tx, id string) error {
	return erase(ctx,
		tx.NewDelete().Table("port_addresses").Where("port_id = ?", id),
		tx.NewDelete().Table("port_security_groups").Where("port_id = ?", id),
		tx.NewDelete().Table("ports").Where("id = ?", id))
}

// errTaken is the error of an address or a MAC that was drawn and that somebody else took meanwhile.
var errTaken = errors.New("taken meanwhile")
