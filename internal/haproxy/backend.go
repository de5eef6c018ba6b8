package haproxy

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"plimsoll/internal/engine/enginepb"
	"plimsoll/lbaas"
)

// balance has the line of each algorithm. Under `source` HAProxy changes servers at run time only with consistent hashing.
var balance = map[lbaas.Algorithm][]string{
	lbaas.RoundRobin:       {"balance roundrobin"},
	lbaas.LeastConnections: {"balance leastconn"},
	lbaas.SourceIP:         {"balance source", "hash-type consistent"},
	lbaas.SourceIPPort: {
		`tcp-request content set-var-fmt(txn.client) "%[src]:%[src_port]"`, "balance hash var(txn.client)", "hash-type consistent",
	},
}

// AlgorithmSupported tells whether Render knows an algorithm.
func AlgorithmSupported(a lbaas.Algorithm) bool { return balance[a] != nil }

func backend(c *poolCopy, vip netip.Addr) *enginepb.Section {
	s := newSection("backend "+c.name(), c.pool.ID)
	s.describe("Pool", c.pool.Name)
	s.add("mode %s", mode(c.listener.Protocol))
	for _, line := range balance[c.pool.Algorithm] {
		s.add("%s", line)
	}
	if mode(c.listener.Protocol) == "http" {
		s.add("http-reuse safe")
	}
	s.persist(c)
	s.add("option allbackups")
	s.add("timeout connect %s", milliseconds(c.listener.TimeoutMemberConnect))
	s.add("timeout server %s", milliseconds(c.listener.TimeoutMemberData))
	if m := c.monitor(); m != nil && c.first == nil {
		s.Objects = append(s.Objects, m.ID)
		s.monitor(c.pool, m, vip)
	}
	if words := c.reach(); len(words) > 0 {
		s.add("default-server %s", strings.Join(words, " "))
	}
	s.refuse(c.pool.Name)
	return s.Section
}

// monitor is the pool's health monitor where HAProxy carries it out, or nil.
func (c *poolCopy) monitor() *lbaas.HealthMonitor {
	if m := c.pool.HealthMonitor; m != nil && m.AdminStateUp && !byEngine(c.pool, m) {
		return m
	}
	return nil
}

// servers are the members of a copy, by number. A pool that is switched off keeps them in maintenance, so that switching
// it on needs no reload.
func servers(c *poolCopy) []*enginepb.Server {
	members := slices.Clone(c.pool.Members)
	slices.SortFunc(members, func(a, b *lbaas.Member) int {
		if a.Number != b.Number {
			return a.Number - b.Number
		}
		return oldest(&a.Object, &b.Object)
	})
	var all []*enginepb.Server
	for _, m := range members {
		all = append(all, c.server(m))
	}
	return all
}

func (c *poolCopy) server(m *lbaas.Member) *enginepb.Server {
	s := &enginepb.Server{
		Backend:  c.name(),
		Name:     m.ID,
		Number:   int32(m.Number),
		Address:  m.Address.String(),
		Port:     int32(m.ProtocolPort),
		Weight:   int32(m.Weight),
		Disabled: !m.AdminStateUp || !c.pool.AdminStateUp,
		Comment:  visible(m.Name),
		Options:  c.options(m),
	}
	s.Checked = c.monitor() != nil && c.first == nil
	return s
}

func (c *poolCopy) options(m *lbaas.Member) []string {
	var words []string
	if m.Backup {
		words = append(words, "backup")
	}
	if c.cookies() {
		words = append(words, "cookie "+m.ID)
	}
	words = append(words, c.watch(m)...)
	if refused(m.Name) {
		words = append(words, refusedOption)
	}
	return words
}

// watch is how the member's health is known. The copies of a shared pool follow the first, so that each member is asked once.
func (c *poolCopy) watch(m *lbaas.Member) []string {
	if c.monitor() == nil {
		return nil
	}
	if c.first != nil {
		return []string{"track " + c.first.name() + "/" + m.ID}
	}
	var words []string
	if m.MonitorAddress.IsValid() {
		words = append(words, "addr "+bracketed(m.MonitorAddress))
	}
	if m.MonitorPort != 0 {
		words = append(words, fmt.Sprintf("port %d", m.MonitorPort))
	}
	return words
}

// bracketed is an address without a port, in which HAProxy takes what follows the last colon for a port.
func bracketed(a netip.Addr) string {
	if a.Is6() {
		return "[" + a.String() + "]"
	}
	return a.String()
}
