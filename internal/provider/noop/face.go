package noop

import (
	"context"

	"plimsoll/internal/provider"
	"plimsoll/lbaas"
)

// Name is the provider's name.
const Name = "noop"

// alias is the name that Octavia's own has.
const alias = "noop_driver"

// Face is what the APIs know of this provider: it accepts everything.
func Face() provider.Face {
	anything := func(context.Context, map[string]any) error { return nil }
	return provider.Face{
		Name:    Name,
		Aliases: []string{alias},
		Capabilities: provider.Capabilities{
			Description:        "Makes nothing. For rehearsals and scale tests.",
			Protocols:          lbaas.ListenerProtocols(),
			Algorithms:         lbaas.Algorithms(),
			Monitors:           lbaas.MonitorTypes(),
			FlavorKeys:         flavorKeys(),
			ZoneKeys:           zoneKeys(),
			OverlappingSubnets: true,
		},
		Failover:    true,
		CheckFlavor: anything,
		CheckZone:   anything,
		Unsupported: Unsupported,
	}
}

// Unsupported names the options that this provider lacks: there are none.
func Unsupported(*lbaas.LoadBalancer) []provider.OptionError { return nil }

// flavorKeys are those that Octavia's amphora provider has, so that a rehearsal can use an operator's own profiles.
func flavorKeys() []provider.Key {
	return []provider.Key{
		{Name: "loadbalancer_topology", Description: "The load balancer topology. One of: SINGLE - One amphora per load balancer. " +
			"ACTIVE_STANDBY - Two amphora per load balancer."},
		{Name: "compute_flavor", Description: "The compute driver flavor ID."},
		{Name: "amp_image_tag", Description: "The amphora image tag."},
		{Name: "sriov_vip", Description: "When true, the VIP port will be created using an SR-IOV VF port."},
		{Name: "allow_member_sriov", Description: "When true, users can request the member ports be SR-IOV VF ports."},
	}
}

func zoneKeys() []provider.Key {
	return []provider.Key{
		{Name: "compute_zone", Description: "The compute availability zone."},
		{Name: "volume_zone", Description: "The volume availability zone."},
		{Name: "management_network", Description: "The management network ID for the amphora."},
		{Name: "valid_vip_networks", Description: "List of network IDs that are allowed for VIP use. Empty means all."},
	}
}
