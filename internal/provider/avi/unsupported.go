package avi

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"plimsoll/internal/provider"
	"plimsoll/internal/provider/avi/translate"
	"plimsoll/lbaas"
)

// Unsupported names the options of a tree that Avi cannot make, or that this provider does not. It is pure.
func Unsupported(lb *lbaas.LoadBalancer) []provider.OptionError { return unsupported(lb, "") }

// unsupported knows besides what a version of the data model lacks; "" lacks nothing.
func unsupported(lb *lbaas.LoadBalancer, version string) []provider.OptionError {
	lacks := lacks{version: version}
	lacks.loadBalancer(lb)
	for _, l := range lb.Listeners {
		lacks.listener(l)
		lacks.listenerTLS(l)
		lacks.decisions(l)
	}
	for _, p := range lb.Pools {
		lacks.pool(p)
		lacks.users(lb, p)
		for _, m := range p.Members {
			lacks.member(m)
		}
		if p.HealthMonitor != nil {
			lacks.monitor(p.HealthMonitor)
		}
	}
	return lacks.all
}

// lacks is what was found lacking.
type lacks struct {
	version string
	all     []provider.OptionError
}

func (x *lacks) when(id string, lacking bool, option string) {
	if lacking {
		x.all = append(x.all, provider.OptionError{ObjectID: id, Option: option})
	}
}

func (x *lacks) loadBalancer(lb *lbaas.LoadBalancer) {
	for _, v := range lb.AdditionalVIPs {
		x.when(lb.ID, true, fmt.Sprintf("additional_vips %s", v.Address))
	}
	x.when(lb.ID, lb.VIPQoSPolicyID != "", "vip_qos_policy_id "+lb.VIPQoSPolicyID)
	x.when(lb.ID, len(lb.VIPSecurityGroupIDs) > 0, "vip_sg_ids "+strings.Join(lb.VIPSecurityGroupIDs, ", "))
	x.when(lb.ID, lb.VIPVNICType != "" && lb.VIPVNICType != lbaas.VNICNormal, "vip_vnic_type "+lb.VIPVNICType)
	x.when(lb.ID, lb.AvailabilityZone != "", "availability_zone "+lb.AvailabilityZone)
	x.when(lb.ID, lb.AccessLog, "access_log true")
}

func (x *lacks) listener(l *lbaas.Listener) {
	x.when(l.ID, !slices.Contains(Face().Capabilities.Protocols, l.Protocol), fmt.Sprintf("listener protocol %s", l.Protocol))
	for _, name := range slices.Sorted(maps.Keys(l.InsertHeaders)) {
		x.when(l.ID, name != forwardedFor, "insert_headers "+name)
	}
	x.when(l.ID, len(l.AllowedCIDRs) > 0, "allowed_cidrs "+strings.Join(l.AllowedCIDRs, ", "))
	x.timeout(l, "timeout_client_data", l.TimeoutClientData, lbaas.DefaultClient)
	x.timeout(l, "timeout_member_connect", l.TimeoutMemberConnect, lbaas.DefaultConnect)
	x.timeout(l, "timeout_member_data", l.TimeoutMemberData, lbaas.DefaultServer)
	x.timeout(l, "timeout_tcp_inspect", l.TimeoutTCPInspect, 0)
}

// forwardedFor is the header that Avi's application profiles insert by themselves.
const forwardedFor = "X-Forwarded-For"

// timeout names a timeout that is not the API's own: Avi's profiles have theirs, which several virtual services share.
func (x *lacks) timeout(l *lbaas.Listener, option string, value, otherwise int) {
	x.when(l.ID, value != otherwise, fmt.Sprintf("%s %d", option, value))
}

func (x *lacks) listenerTLS(l *lbaas.Listener) {
	if !l.UsesTLS() {
		return // what the API stores of TLS on other listeners means nothing
	}
	asked := l.ClientAuthentication != "" && l.ClientAuthentication != lbaas.ClientAuthNone
	x.when(l.ID, asked, fmt.Sprintf("client_authentication %s", l.ClientAuthentication))
	x.when(l.ID, l.ClientCATLSContainerRef != "", "client_ca_tls_container_ref "+l.ClientCATLSContainerRef)
	x.when(l.ID, l.ClientCRLContainerRef != "", "client_crl_container_ref "+l.ClientCRLContainerRef)
	if l.HSTSMaxAge != nil {
		x.when(l.ID, true, fmt.Sprintf("hsts_max_age %d", *l.HSTSMaxAge))
	}
	x.tls(l.ID, l.TLSVersions, l.TLSCiphers)
}

func (x *lacks) tls(id string, versions []string, ciphers string) {
	option := translate.TLSLack(versions, ciphers, x.version)
	x.when(id, option != "", option)
}

func (x *lacks) decisions(l *lbaas.Listener) {
	for _, p := range l.L7Policies {
		x.when(p.ID, !translate.L7Protocol(l.Protocol), fmt.Sprintf("L7 policies of a listener of protocol %s", l.Protocol))
		x.translated(translate.PolicyLacks(p))
	}
	for _, p := range l.RateLimitPolicies {
		x.when(p.ID, true, fmt.Sprintf("rate limit policy action %s", p.Action))
	}
}

func (x *lacks) translated(found []translate.Lack) {
	for _, lack := range found {
		x.when(lack.ID, true, lack.Option)
	}
}

func (x *lacks) pool(p *lbaas.Pool) {
	protocols := []lbaas.Protocol{lbaas.TCP, lbaas.HTTP, lbaas.HTTPS}
	x.when(p.ID, !slices.Contains(protocols, p.Protocol), fmt.Sprintf("pool protocol %s", p.Protocol))
	x.when(p.ID, !slices.Contains(Face().Capabilities.Algorithms, p.Algorithm), fmt.Sprintf("lb_algorithm %s", p.Algorithm))
	if s := p.SessionPersistence; s != nil {
		x.when(p.ID, s.PersistenceTimeout != nil, "persistence_timeout")
		x.when(p.ID, s.PersistenceGranularity != "", "persistence_granularity "+s.PersistenceGranularity)
	}
	if p.TLSEnabled {
		x.when(p.ID, p.CRLContainerRef != "", "crl_container_ref "+p.CRLContainerRef)
		x.tls(p.ID, p.TLSVersions, p.TLSCiphers)
	}
}

// users names what Avi cannot do for a listener that passes bytes: it sees no cookies, and begins no TLS of its own.
func (x *lacks) users(lb *lbaas.LoadBalancer, p *lbaas.Pool) {
	cookies := p.SessionPersistence != nil && p.SessionPersistence.Type != lbaas.PersistSourceIP
	for _, l := range lb.ListenersOf(p.ID) {
		if translate.L7Protocol(l.Protocol) {
			continue
		}
		if cookies {
			x.when(p.ID, true, fmt.Sprintf("session_persistence %s with a listener of protocol %s", p.SessionPersistence.Type, l.Protocol))
		}
		x.when(p.ID, p.TLSEnabled, fmt.Sprintf("tls_enabled true with a listener of protocol %s", l.Protocol))
		return
	}
}

func (x *lacks) member(m *lbaas.Member) {
	x.when(m.ID, m.Backup, "backup true")
	x.when(m.ID, m.MonitorAddress.IsValid(), fmt.Sprintf("monitor_address %s", m.MonitorAddress))
	x.when(m.ID, m.MonitorPort != 0, fmt.Sprintf("monitor_port %d", m.MonitorPort))
	x.when(m.ID, m.VNICType != "" && m.VNICType != lbaas.VNICNormal, "vnic_type "+m.VNICType)
}

func (x *lacks) monitor(h *lbaas.HealthMonitor) {
	if !slices.Contains(Face().Capabilities.Monitors, h.Type) {
		x.when(h.ID, true, fmt.Sprintf("health monitor type %s", h.Type))
		return
	}
	x.translated(translate.MonitorLacks(h))
}
