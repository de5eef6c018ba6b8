package haproxy

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"plimsoll/internal/haproxy"
	"plimsoll/internal/provider"
	"plimsoll/lbaas"
)

// Name is the provider's name.
const Name = "haproxy"

// alias is the driver path by which neutron-lbaas' configurations know it.
const alias = "neutron_lbaas.drivers.haproxy.plugin_driver.HaproxyOnHostPluginDriver"

// Face is what the APIs know of this provider.
func Face() provider.Face {
	return provider.Face{
		Name:    Name,
		Aliases: []string{alias},
		Capabilities: provider.Capabilities{
			Description: "HAProxy in network namespaces on this host.",
			Protocols:   []lbaas.Protocol{lbaas.TCP, lbaas.HTTP, lbaas.HTTPS, lbaas.TerminatedHTTPS, lbaas.Proxy, lbaas.ProxyV2, lbaas.UDP, lbaas.SCTP, lbaas.Prometheus},
			Algorithms:  []lbaas.Algorithm{lbaas.RoundRobin, lbaas.LeastConnections, lbaas.SourceIP, lbaas.SourceIPPort},
			Monitors:    lbaas.MonitorTypes(),
			FlavorKeys:  flavorKeys(),
			// There are none. With nil the API would answer 501, and clients that ask for both kinds at once would show neither.
			ZoneKeys: []provider.Key{},
		},
		OnHost:      true,
		Failover:    true,
		CheckFlavor: checkFlavor,
		Unsupported: Unsupported,
	}
}

func flavorKeys() []provider.Key {
	return []provider.Key{
		{Name: haproxy.FlavorTopology, Description: "The load balancer topology. One of: SINGLE - One HAProxy process per load balancer."},
		{Name: haproxy.FlavorMaxconn, Description: "How many connections a load balancer takes at most, within what the host's limit of file " +
			"descriptors allows."},
	}
}

// checkFlavor names what it does not know of a flavor's data.
func checkFlavor(_ context.Context, data map[string]any) error {
	if _, err := haproxy.ParseFlavor(data); err != nil {
		return lbaas.Errorf(lbaas.Unsupported, "Provider '%s' does not support a requested option: %v", Name, err)
	}
	return nil
}

// Unsupported names the options of a load balancer's tree that this provider lacks. It is pure.
func Unsupported(lb *lbaas.LoadBalancer) []provider.OptionError {
	var lacks lacks
	lacks.loadBalancer(lb)
	for _, l := range lb.Listeners {
		lacks.listener(l)
	}
	for _, p := range lb.Pools {
		lacks.pool(p)
		lacks.persistence(lb, p)
		lacks.datagrams(lb, p)
		for _, m := range p.Members {
			lacks.when(m.ID, m.VNICType != "" && m.VNICType != lbaas.VNICNormal, "vnic_type "+m.VNICType)
		}
		if h := p.HealthMonitor; h != nil {
			lacks.when(h.ID, !slices.Contains(Face().Capabilities.Monitors, h.Type), fmt.Sprintf("health monitor type %s", h.Type))
		}
	}
	return lacks
}

type lacks []provider.OptionError

func (all *lacks) when(id string, lacking bool, option string) {
	if lacking {
		*all = append(*all, provider.OptionError{ObjectID: id, Option: option})
	}
}

func (all *lacks) loadBalancer(lb *lbaas.LoadBalancer) {
	all.when(lb.ID, lb.VIPQoSPolicyID != "", "vip_qos_policy_id")
	all.when(lb.ID, lb.VIPVNICType != "" && lb.VIPVNICType != lbaas.VNICNormal, "vip_vnic_type "+lb.VIPVNICType)
	all.when(lb.ID, lb.AvailabilityZone != "", "availability_zone")
}

func (all *lacks) listener(l *lbaas.Listener) {
	all.when(l.ID, !slices.Contains(Face().Capabilities.Protocols, l.Protocol), fmt.Sprintf("listener protocol %s", l.Protocol))
	for _, name := range slices.Sorted(maps.Keys(l.InsertHeaders)) {
		all.when(l.ID, !haproxy.HeaderSupported(name), "insert_headers "+name)
	}
	all.tls(l)
	all.decisions(l)
}

func (all *lacks) pool(p *lbaas.Pool) {
	all.when(p.ID, !slices.Contains(Face().Capabilities.Protocols, p.Protocol), fmt.Sprintf("pool protocol %s", p.Protocol))
	all.when(p.ID, !haproxy.AlgorithmSupported(p.Algorithm), fmt.Sprintf("lb_algorithm %s", p.Algorithm))
	all.poolTLS(p)
}
