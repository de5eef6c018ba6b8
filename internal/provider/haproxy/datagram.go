package haproxy

import (
	"fmt"
	"net/netip"
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
		all.when(m.ID, m.Address.IsValid() && !hasVersion(lb, m.Address),
			fmt.Sprintf("member address %s with protocol %s and no VIP of its IP version", m.Address, p.Protocol))
	}
}

// hasVersion tells whether a load balancer has an address of the same IP version as another. One that it will be given may be any.
func hasVersion(lb *lbaas.LoadBalancer, as netip.Addr) bool {
	vips := []netip.Addr{lb.VIPAddress}
	for _, v := range lb.AdditionalVIPs {
		vips = append(vips, v.Address)
	}
	return slices.ContainsFunc(vips, func(vip netip.Addr) bool { return !vip.IsValid() || vip.Is6() == as.Unmap().Is6() })
}
