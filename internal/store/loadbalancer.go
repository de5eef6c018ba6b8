package store

import (
	"context"
	"fmt"
	"net/netip"

	"github.com/uptrace/bun"

	"plimsoll/lbaas"
)

type loadBalancerRow struct {
	bun.BaseModel `bun:"table:load_balancers,alias:load_balancers"`
	objectRow

	VIPAddress       string `bun:"vip_address"`
	VIPPortID        string `bun:"vip_port_id"`
	VIPSubnetID      string `bun:"vip_subnet_id"`
	VIPNetworkID     string `bun:"vip_network_id"`
	VIPQoSPolicyID   string `bun:"vip_qos_policy_id"`
	VIPPortOwned     bool   `bun:"vip_port_owned"`
	Provider         string `bun:"provider"`
	FlavorID         string `bun:"flavor_id"`
	AvailabilityZone string `bun:"availability_zone"`
	Host             string `bun:"host"`
	LeaseName        string `bun:"lease_name,skipupdate"`
	PendingSince     int64  `bun:"pending_since,skipupdate"`
	VIPVNICType      string `bun:"vip_vnic_type"`
	VIPSGIDs         string `bun:"vip_sg_ids"`
	AdditionalVIPs   string `bun:"additional_vips"`
	FailedOver       int64  `bun:"failed_over"`
	AccessLog        bool   `bun:"access_log"`

	// Whether there is more to read of a tree.
	HasL7Policies bool `bun:"has_l7_policies,scanonly"`
	HasRateLimits bool `bun:"has_rate_limits,scanonly"`
}

func newLoadBalancerRow(lb *lbaas.LoadBalancer) loadBalancerRow {
	return loadBalancerRow{
		objectRow:  newObjectRow(&lb.Object),
		VIPAddress: addressText(lb.VIPAddress), VIPPortID: lb.VIPPortID, VIPSubnetID: lb.VIPSubnetID,
		VIPNetworkID: lb.VIPNetworkID, VIPQoSPolicyID: lb.VIPQoSPolicyID, VIPPortOwned: lb.VIPPortOwned,
		Provider: lb.Provider, FlavorID: lb.FlavorID, AvailabilityZone: lb.AvailabilityZone,
		Host: lb.Host, LeaseName: LeaseName(lb),
		VIPVNICType: lb.VIPVNICType, VIPSGIDs: listText(lb.VIPSecurityGroupIDs),
		AdditionalVIPs: vipsText(lb.AdditionalVIPs), FailedOver: lb.FailedOver, AccessLog: lb.AccessLog,
	}
}

func (r *loadBalancerRow) domain() *lbaas.LoadBalancer {
	return &lbaas.LoadBalancer{
		Object:     r.objectRow.domain(),
		VIPAddress: textAddress(r.VIPAddress), VIPPortID: r.VIPPortID, VIPSubnetID: r.VIPSubnetID,
		VIPNetworkID: r.VIPNetworkID, VIPQoSPolicyID: r.VIPQoSPolicyID, VIPPortOwned: r.VIPPortOwned,
		Provider: r.Provider, FlavorID: r.FlavorID, AvailabilityZone: r.AvailabilityZone, Host: r.Host,
		VIPVNICType: r.VIPVNICType, VIPSecurityGroupIDs: textList(r.VIPSGIDs),
		AdditionalVIPs: textVIPs(r.AdditionalVIPs), FailedOver: r.FailedOver, AccessLog: r.AccessLog,
	}
}

// vip is how an additional VIP is kept.
type vip struct {
	SubnetID string     `json:"subnet_id"`
	Address  netip.Addr `json:"ip_address"`
	PortID   string     `json:"port_id"`
}

func vipsText(vips []lbaas.AdditionalVIP) string {
	if len(vips) == 0 {
		return ""
	}
	kept := make([]vip, len(vips))
	for i, v := range vips {
		kept[i] = vip(v)
	}
	return jsonText(kept)
}

func textVIPs(text string) []lbaas.AdditionalVIP {
	var kept []vip
	textJSON(text, &kept)
	var vips []lbaas.AdditionalVIP
	for _, v := range kept {
		vips = append(vips, lbaas.AdditionalVIP(v))
	}
	return vips
}

var loadBalancerAttributes = objectAttributes(attributes{
	"vip_address":       {column: "vip_address", value: address},
	"vip_port_id":       {column: "vip_port_id"},
	"vip_subnet_id":     {column: "vip_subnet_id"},
	"vip_network_id":    {column: "vip_network_id"},
	"vip_qos_policy_id": {column: "vip_qos_policy_id"},
	"vip_vnic_type":     {column: "vip_vnic_type"},
	"provider":          {column: "provider"},
	"flavor_id":         {column: "flavor_id"},
	"availability_zone": {column: "availability_zone"},
})

// LoadBalancer returns one load balancer, also while it is wanted deleted, until it is gone. Its listeners and pools carry
// their ids only.
func (s *Store) LoadBalancer(ctx context.Context, id string) (*lbaas.LoadBalancer, error) {
	row, err := one[loadBalancerRow](ctx, s.read, lbaas.NounLoadBalancer, id)
	if err != nil {
		return nil, err
	}
	lbs, err := s.withChildren(ctx, []loadBalancerRow{*row})
	if err != nil {
		return nil, err
	}
	return lbs[0], nil
}

// LoadBalancers returns those that a query asks for, as LoadBalancer does.
func (s *Store) LoadBalancers(ctx context.Context, q Query) ([]*lbaas.LoadBalancer, error) {
	rows, err := list[loadBalancerRow](ctx, s.read, q, tableLoadBalancers, loadBalancerAttributes)
	if err != nil {
		return nil, fmt.Errorf("list load balancers: %w", err)
	}
	return s.withChildren(ctx, rows)
}

func (s *Store) withChildren(ctx context.Context, rows []loadBalancerRow) ([]*lbaas.LoadBalancer, error) {
	lbs := make([]*lbaas.LoadBalancer, len(rows))
	ids := make([]string, len(rows))
	for i := range rows {
		lbs[i], ids[i] = rows[i].domain(), rows[i].ID
	}
	listeners, err := idsBy(ctx, s.read, tableListeners, "load_balancer_id", ids)
	if err != nil {
		return nil, err
	}
	pools, err := idsBy(ctx, s.read, tablePools, "load_balancer_id", ids)
	if err != nil {
		return nil, err
	}
	for _, lb := range lbs {
		for _, id := range listeners[lb.ID] {
			lb.Listeners = append(lb.Listeners, &lbaas.Listener{Object: lbaas.Object{ID: id}})
		}
		for _, id := range pools[lb.ID] {
			lb.Pools = append(lb.Pools, &lbaas.Pool{Object: lbaas.Object{ID: id}})
		}
	}
	return lbs, nil
}
