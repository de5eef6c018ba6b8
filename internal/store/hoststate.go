package store

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/uptrace/bun"

	"plimsoll/internal/network"
)

// HostState returns everything that the plan of a host is made from, as it is at one moment. known is what an earlier call returned, or nil:
// ports and subnets that have not changed since are taken over from it, which costs a fraction of reading them. Nobody changes what
// was returned.
func (s *Store) HostState(ctx context.Context, host string, known *network.HostState) (*network.HostState, error) {
	var state *network.HostState
	err := s.snapshot(ctx, func(ctx context.Context, tx bun.Tx) error {
		r := &stateReader{ctx: ctx, tx: tx, store: s, HostState: &network.HostState{Host: host}}
		r.remember(known)
		for _, step := range []func() error{r.routers, r.ports, r.networks, r.groups, r.peers} {
			if err := step(); err != nil {
				return err
			}
		}
		r.gateways()
		state = r.HostState
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read the network state of host %s: %w", host, err)
	}
	return state, nil
}

// stateReader reads a HostState in one transaction, which it does not outlive.
type stateReader struct {
	*network.HostState

	ctx          context.Context
	tx           bun.Tx
	store        *Store
	knownPorts   map[string]*network.Port
	knownSubnets map[string]*network.Subnet
}

// remember notes what is known.
func (r *stateReader) remember(known *network.HostState) {
	r.knownPorts, r.knownSubnets = map[string]*network.Port{}, map[string]*network.Subnet{}
	if known == nil {
		return
	}
	for _, p := range known.Ports {
		r.knownPorts[p.ID] = p
	}
	for _, s := range known.Subnets {
		r.knownSubnets[s.ID] = s
	}
}

// routers reads the routers of the host and their floating addresses.
func (r *stateReader) routers() error {
	var rows []*routerRow
	if err := r.tx.NewSelect().Model(&rows).Where("host = ?", r.Host).Order("created_at", "id").Scan(r.ctx); err != nil {
		return fmt.Errorf("list the routers: %w", err)
	}
	if len(rows) == 0 {
		return nil
	}
	for _, row := range rows {
		r.Routers = append(r.Routers, row.domain())
	}
	var floating []*floatingIPRow
	err := r.tx.NewSelect().Model(&floating).Where("router_id IN (?)", r.hosts("routers")).Order("created_at", "id").Scan(r.ctx)
	if err != nil {
		return fmt.Errorf("list the floating addresses: %w", err)
	}
	r.FloatingIPs = floatingIPsOf(floating)
	return nil
}

// gateways gives the routers the addresses of their gateways, which are among the ports.
func (r *stateReader) gateways() {
	addresses := map[string][]network.FixedIP{}
	for _, p := range r.Ports {
		if p.DeviceOwner == network.OwnerRouterGateway {
			addresses[p.ID] = p.FixedIPs
		}
	}
	for _, router := range r.Routers {
		router.Gateway.FixedIPs = addresses[router.Gateway.PortID]
	}
}

// hosts are the ids of what the host has of a table.
func (r *stateReader) hosts(table string) *bun.SelectQuery {
	return r.tx.NewSelect().Table(table).Column("id").Where("host = ?", r.Host)
}

// withDHCP are the ids of the networks with DHCP on the host.
func (r *stateReader) withDHCP() *bun.SelectQuery {
	return wantDHCP(r.hosts("networks"))
}

// wantDHCP narrows networks to those with DHCP and a port that gets leases, as network.Port.GetsLeases has it.
func wantDHCP(networks *bun.SelectQuery) *bun.SelectQuery {
	return networks.Where("EXISTS (SELECT 1 FROM subnets AS s WHERE s.network_id = networks.id AND s.enable_dhcp = ?)", true).
		Where("EXISTS (SELECT 1 FROM ports AS p WHERE p.network_id = networks.id AND p.deleted = ? AND p.device_owner <> ? AND "+
			"p.device_owner NOT LIKE 'network:%')", false, network.OwnerLoadBalancer)
}

// ports finds the ports of which the host has to know. Those of load balancers get no leases: their addresses are given to them.
func (r *stateReader) ports() error {
	versions := map[string]portVersion{}
	inGroups := r.tx.NewSelect().Table("port_security_groups").Column("port_id")
	for _, of := range []func(*bun.SelectQuery) *bun.SelectQuery{
		func(q *bun.SelectQuery) *bun.SelectQuery { // of routers
			return q.Where("device_id IN (?) AND device_owner IN (?)", r.hosts("routers"),
				bun.List([]string{network.OwnerRouterInterface, network.OwnerRouterGateway}))
		},
		func(q *bun.SelectQuery) *bun.SelectQuery { // with leases, and the DHCP servers' own
			return q.Where("network_id IN (?) AND device_owner <> ?", r.withDHCP(), network.OwnerLoadBalancer)
		},
		func(q *bun.SelectQuery) *bun.SelectQuery { // guarded ones that are plugged here
			return q.Where("plugged_host = ? AND netns <> '' AND port_security = ?", r.Host, true)
		},
		func(q *bun.SelectQuery) *bun.SelectQuery { // those of DHCP servers that nobody wants any more, plugged or not
			return q.Where("host = ? AND netns <> '' AND device_owner = ?", r.Host, network.OwnerDHCP)
		},
		func(q *bun.SelectQuery) *bun.SelectQuery { // guarded ones of load balancers
			return q.Where("id IN (?) AND device_owner = ? AND SUBSTR(device_id, ?) IN (?)", inGroups, network.OwnerLoadBalancer,
				len(deviceOfLoadBalancer)+1, r.hosts(tableLoadBalancers))
		},
	} {
		if err := r.findPorts(of, versions); err != nil {
			return err
		}
	}
	return r.readPorts(versions)
}

// portVersion tells one state of a port from another: every change of a port, its addresses and its groups counts up one of the
// numbers, and what a host notes is the rest.
type portVersion struct {
	ID                             string
	Revision, Generation, Observed int64
	Reason                         string
}

// is tells whether a known port, or nil, is as the version says. Those of load balancers also say what became of these.
func (v portVersion) is(p *network.Port) bool {
	return p != nil && p.DeviceOwner != network.OwnerLoadBalancer &&
		v == portVersion{p.ID, p.Revision, p.Binding.Generation, p.Binding.Observed, p.Binding.Reason}
}

func (r *stateReader) findPorts(of func(*bun.SelectQuery) *bun.SelectQuery, into map[string]portVersion) error {
	var found []portVersion
	q := r.tx.NewSelect().Table("ports").Column("id", "revision", "generation", "observed", "reason").Where("deleted = ?", false)
	if err := of(q).Scan(r.ctx, &found); err != nil {
		return fmt.Errorf("look for ports: %w", err)
	}
	for _, v := range found {
		into[v.ID] = v
	}
	return nil
}

// readPorts takes over the ports that are known, and reads the others.
func (r *stateReader) readPorts(versions map[string]portVersion) error {
	var unknown []string
	for _, id := range slices.Sorted(maps.Keys(versions)) {
		if p := r.knownPorts[id]; versions[id].is(p) {
			r.Ports = append(r.Ports, p)
		} else {
			unknown = append(unknown, id)
		}
	}
	for chunk := range slices.Chunk(unknown, chunkSize) {
		var rows []*portRow
		if err := r.tx.NewSelect().Model(&rows).Where("id IN (?)", bun.List(chunk)).Order("created_at", "id").Scan(r.ctx); err != nil {
			return fmt.Errorf("list the ports: %w", err)
		}
		more, err := portsOf(r.ctx, r.tx, rows)
		if err != nil {
			return err
		}
		r.Ports = append(r.Ports, more...)
	}
	return nil
}

// networks reads the networks of the ports, those with DHCP on the host among them, and their subnets.
func (r *stateReader) networks() error {
	var ids []string
	for _, p := range r.Ports {
		ids = append(ids, p.NetworkID)
	}
	for chunk := range slices.Chunk(unique(ids), chunkSize) {
		var rows []*networkRow
		if err := r.tx.NewSelect().Model(&rows).Where("id IN (?)", bun.List(chunk)).Order("created_at", "id").Scan(r.ctx); err != nil {
			return fmt.Errorf("list the networks: %w", err)
		}
		for _, row := range rows {
			r.Networks = append(r.Networks, row.domain())
		}
		if err := r.subnets(chunk); err != nil {
			return err
		}
	}
	return nil
}

// subnets takes over the subnets of networks that are known, and reads the others. Every change of one counts up its revision.
func (r *stateReader) subnets(networks []string) error {
	var found []struct {
		ID       string
		Revision int64
	}
	err := r.tx.NewSelect().Table("subnets").Column("id", "revision").Where("network_id IN (?)", bun.List(networks)).Scan(r.ctx, &found)
	if err != nil {
		return fmt.Errorf("look for subnets: %w", err)
	}
	var unknown []string
	for _, v := range found {
		if s := r.knownSubnets[v.ID]; s != nil && s.Revision == v.Revision {
			r.Subnets = append(r.Subnets, s)
		} else {
			unknown = append(unknown, v.ID)
		}
	}
	for chunk := range slices.Chunk(unknown, chunkSize) {
		more, err := subnetsByID(r.ctx, r.tx, chunk)
		if err != nil {
			return err
		}
		r.Subnets = append(r.Subnets, more...)
	}
	return nil
}

// groups reads the security groups of the guarded ports, those that their rules name, and whose addresses are meant by these.
func (r *stateReader) groups() error {
	var ids []string
	for _, p := range r.Ports {
		if p.Guarded() && (p.Binding.Host == r.Host || p.DeviceOwner == network.OwnerLoadBalancer) {
			ids = append(ids, p.SecurityGroupIDs...)
		}
	}
	own, err := r.groupsOf(unique(ids))
	if err != nil {
		return err
	}
	var named []string
	for _, g := range own {
		for _, rule := range g.Rules {
			if rule.RemoteGroupID != "" {
				named = append(named, rule.RemoteGroupID)
			}
		}
	}
	named = unique(named)
	others, err := r.groupsOf(slices.DeleteFunc(slices.Clone(named), func(id string) bool { return slices.Contains(ids, id) }))
	if err != nil {
		return err
	}
	r.Groups = slices.Concat(own, others)
	r.Members, err = securityGroupMembers(r.ctx, r.tx, named)
	return err
}

func (r *stateReader) groupsOf(ids []string) ([]*network.SecurityGroup, error) {
	var list []*network.SecurityGroup
	for chunk := range slices.Chunk(ids, chunkSize) {
		var rows []*securityGroupRow
		if err := r.tx.NewSelect().Model(&rows).Where("id IN (?)", bun.List(chunk)).Order("created_at", "id").Scan(r.ctx); err != nil {
			return nil, fmt.Errorf("list the security groups: %w", err)
		}
		some, err := securityGroupsOf(r.ctx, r.tx, rows)
		if err != nil {
			return nil, err
		}
		list = append(list, some...)
	}
	return list, nil
}

// unique sorts ids, each once.
func unique(ids []string) []string {
	ids = slices.Clone(ids)
	slices.Sort(ids)
	return slices.Compact(ids)
}

// peers reads the other hosts.
func (r *stateReader) peers() error {
	all, err := hosts(r.ctx, r.store, r.tx)
	r.Peers = slices.DeleteFunc(all, func(h *network.Host) bool { return h.Name == r.Host })
	return err
}

// UnclaimedNetworks returns the ids of the networks that want a DHCP server and that no host has; none for a host that is to be given nothing
// new.
func (s *Store) UnclaimedNetworks(ctx context.Context, host string) ([]string, error) {
	var ids []string
	err := s.read.NewSelect().Table("networks").Column("id").
		Where("host = '' AND NOT EXISTS (SELECT 1 FROM hosts WHERE name = ? AND admin_state_up = ?)", host, false).
		Order("created_at", "id").Apply(wantDHCP).Scan(ctx, &ids)
	if err != nil {
		return nil, fmt.Errorf("list the networks without a host: %w", err)
	}
	return ids, nil
}

// NetworkDigest is a text that stays the same while nothing changes of what hosts' plans are made from, and that hardly ever is the same
// after a change. It is cheaper by far than to read a HostState: every change of a network's subnets and ports counts up the network's
// epoch. Of times there are sums, and not the latest: of two servers one clock may be ahead.
func (s *Store) NetworkDigest(ctx context.Context) (string, error) {
	var sums []string
	for _, of := range []struct{ table, sums string }{
		{"networks", "epoch revision created_at"}, {"routers", "revision updated_at"}, {"floating_ips", "revision updated_at"},
		{tableSecurityGroups, "revision updated_at"}, {tableSecurityRules, "revision updated_at"},
		{tableLoadBalancers, "created_at"}, // of which hosts guard the VIPs
	} {
		sums = append(sums, "(SELECT COUNT(*) FROM "+of.table+")")
		for column := range strings.FieldsSeq(of.sums) {
			sums = append(sums, "(SELECT COALESCE(SUM("+column+" % 1000000007), 0) FROM "+of.table+")") // microseconds alone soon overflow
		}
	}
	values, into := places(len(sums))
	if err := s.read.NewSelect().ColumnExpr(strings.Join(sums, ", ")).Scan(ctx, into...); err != nil {
		return "", fmt.Errorf("look for changes of networks: %w", err)
	}
	for i := range values {
		values[i] = plain(values[i])
	}
	var tunnels []string
	if err := s.read.NewSelect().Table("hosts").Column("tunnel_ip").Order("name").Scan(ctx, &tunnels); err != nil {
		return "", fmt.Errorf("look for changes of hosts: %w", err)
	}
	sum := sha256.Sum256(fmt.Appendf(nil, "%v %q", values, tunnels))
	return hex.EncodeToString(sum[:8]), nil
}
