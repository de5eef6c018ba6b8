package haproxy

import (
	"fmt"
	"slices"

	"plimsoll/internal/haproxy"
	"plimsoll/lbaas"
)

// datagrams names what a pool of UDP or SCTP wants and the kernel cannot do. A flow keeps its IP version, so a member of the version
// that the load balancer has no address of would never have any.
func (all *lacks) datagrams(lb *lbaas.LoadBalancer, p *lbaas.Pool) {
	if p.Protocol != lbaas.UDP && p.Protocol != lbaas.SCTP {
		return
	}
	if haproxy.AlgorithmSupported(p.Algorithm) {
		all.when(p.ID, !haproxy.DatagramAlgorithmSupported(p.Algorithm), fmt.Sprintf("lb_algorithm %s with protocol %s", p.Algorithm, p.Protocol))
	}
	if s := p.SessionPersistence; s != nil {
		all.when(p.ID, !haproxy.GranularitySupported(s.PersistenceGranularity), "persistence_granularity "+s.PersistenceGranularity)
	}
	for _, m := range p.Members {
		all.when(m.ID, m.Address.IsValid() && !slices.Contains(versions(lb), m.Address.Is6()),
			fmt.Sprintf("member address %s with protocol %s and no VIP of its IP version", m.Address, p.Protocol))
	}
}

// versions tells of each address of a load balancer whether it is one of IPv6.
func versions(lb *lbaas.LoadBalancer) []bool {
	all := []bool{lb.VIPAddress.Is6()}
	for _, v := range lb.AdditionalVIPs {
		all = append(all, v.Address.Is6())
	}
	return all
}
