package haproxy

import (
	"fmt"
	"maps"
	"net/netip"
	"time"

	"plimsoll/internal/engine/enginepb"
	"plimsoll/lbaas"
)

// Objects of the test trees: uid(kind, n) is the id of the n-th listener (1), pool (2), member (3) or monitor (4).
func uid(kind, n int) string { return fmt.Sprintf("%08x-0000-4000-8000-%012x", kind, n) }

const lbID = "edfacd79-e9ec-4811-8ffe-7cfb8a8b3b03"

func object(id, name string) lbaas.Object {
	return lbaas.Object{ID: id, Name: name, AdminStateUp: true, CreatedAt: time.Unix(1, 0)}
}

// newTree is a load balancer at 10.0.0.5 without listeners.
func newTree() *lbaas.LoadBalancer {
	lb := &lbaas.LoadBalancer{Object: object(lbID, "web"), VIPAddress: netip.MustParseAddr("10.0.0.5")}
	lb.Progress.Generation, lb.Epoch = 3, 1
	return lb
}

func addListener(lb *lbaas.LoadBalancer, n int, protocol lbaas.Protocol, port int, pool string) *lbaas.Listener {
	none := lbaas.NoLimit
	l := &lbaas.Listener{
		Object: object(uid(1, n), fmt.Sprintf("front %d", n)), Protocol: protocol, ProtocolPort: port, DefaultPoolID: pool,
		ConnectionLimit: &none, TimeoutClientData: 50000, TimeoutMemberConnect: 5000, TimeoutMemberData: 50000,
	}
	lb.Listeners = append(lb.Listeners, l)
	return l
}

func addPool(lb *lbaas.LoadBalancer, n int, protocol lbaas.Protocol, algorithm lbaas.Algorithm) *lbaas.Pool {
	p := &lbaas.Pool{Object: object(uid(2, n), fmt.Sprintf("pool %d", n)), Protocol: protocol, Algorithm: algorithm}
	lb.Pools = append(lb.Pools, p)
	return p
}

func addMember(p *lbaas.Pool, n int, address string, port int) *lbaas.Member {
	m := &lbaas.Member{
		Object: object(uid(3, n), fmt.Sprintf("member %d", n)), Number: n, PoolID: p.ID,
		Address: netip.MustParseAddr(address), ProtocolPort: port, Weight: 1,
	}
	p.Members = append(p.Members, m)
	return m
}

func addMonitor(p *lbaas.Pool, kind lbaas.MonitorType) *lbaas.HealthMonitor {
	h := &lbaas.HealthMonitor{
		Object: object(uid(4, 1), "alive"), PoolID: p.ID, Type: kind, Delay: 5, Timeout: 3, MaxRetries: 2, MaxRetriesDown: 3,
	}
	if kind == lbaas.MonitorHTTP || kind == lbaas.MonitorHTTPS {
		h.HTTPMethod, h.URLPath, h.ExpectedCodes = "GET", "/", "200"
	}
	p.HealthMonitor = h
	return h
}

// trees are the load balancers of the golden files.
func trees() map[string]*lbaas.LoadBalancer {
	all := map[string]*lbaas.LoadBalancer{
		"empty": newTree(), "off": offTree(), "simple": simpleTree(), "everything": everythingTree(), "shared": sharedTree(),
		"tcp": tcpTree(), "ipv6": ipv6Tree(), "zero": zeroTree(), "hostile": hostileTree(), "flavor": flavorTree(), "ping": pingTree(),
	}
	maps.Copy(all, tlsTrees())
	maps.Copy(all, figureTrees())
	return all
}

func simpleTree() *lbaas.LoadBalancer {
	lb := newTree()
	p := addPool(lb, 1, lbaas.HTTP, lbaas.RoundRobin)
	addMember(p, 1, "10.93.48.3", 80)
	addMember(p, 2, "10.93.48.4", 80)
	addListener(lb, 1, lbaas.HTTP, 80, p.ID)
	return lb
}

// flavorTree has fewer connections than its host allows.
func flavorTree() *lbaas.LoadBalancer {
	lb := simpleTree()
	lb.Flavor = map[string]any{FlavorTopology: "SINGLE", FlavorMaxconn: 1000.0}
	return lb
}

// offTree has something switched off at every level, and a pool that nobody uses.
func offTree() *lbaas.LoadBalancer {
	lb := newTree()
	p := addPool(lb, 1, lbaas.HTTP, lbaas.RoundRobin)
	addMember(p, 1, "10.93.48.3", 80)
	p.AdminStateUp = false
	q := addPool(lb, 2, lbaas.HTTP, lbaas.RoundRobin)
	addMember(q, 2, "10.93.48.4", 80).AdminStateUp = false
	addMonitor(q, lbaas.MonitorTCP).AdminStateUp = false
	addPool(lb, 3, lbaas.HTTP, lbaas.RoundRobin)
	addListener(lb, 1, lbaas.HTTP, 80, p.ID)
	addListener(lb, 2, lbaas.HTTP, 81, q.ID)
	addListener(lb, 3, lbaas.HTTP, 82, p.ID).AdminStateUp = false
	addListener(lb, 4, lbaas.HTTP, 83, "")
	return lb
}

func everythingTree() *lbaas.LoadBalancer {
	lb := newTree()
	p := addPool(lb, 1, lbaas.HTTP, lbaas.LeastConnections)
	addMember(p, 1, "10.93.48.3", 80).Weight = 256
	addMember(p, 2, "10.93.48.4", 80).Weight = 0
	m := addMember(p, 3, "10.93.48.5", 8080)
	m.Backup, m.MonitorAddress, m.MonitorPort = true, netip.MustParseAddr("10.93.49.5"), 9000
	addMember(p, 4, "10.93.48.6", 80).AdminStateUp = false
	h := addMonitor(p, lbaas.MonitorHTTP)
	h.HTTPMethod, h.URLPath, h.ExpectedCodes, h.HTTPVersion, h.DomainName = "HEAD", "/healthy?a=1&b=%20", "200, 202,204", "1.1", "www.example.com"
	l := addListener(lb, 1, lbaas.HTTP, 80, p.ID)
	limit := 1000000
	l.ConnectionLimit = &limit
	l.TimeoutClientData, l.TimeoutMemberConnect, l.TimeoutMemberData, l.TimeoutTCPInspect = 1001, 1002, 1003, 1004
	l.AllowedCIDRs = []string{"192.0.2.0/24", "10.0.0.0/8"}
	l.InsertHeaders = map[string]string{
		"X-Forwarded-For": "true", "X-Forwarded-Port": "True", "X-Forwarded-Proto": "true",
		"X-Forwarded-IP": "true", "X-Client-IP": "true", "X-Real-IP": "true",
	}
	return lb
}

func sharedTree() *lbaas.LoadBalancer {
	lb := newTree()
	p := addPool(lb, 1, lbaas.HTTP, lbaas.RoundRobin)
	addMember(p, 1, "10.93.48.3", 80)
	addMember(p, 2, "10.93.48.4", 80).MonitorPort = 81
	addMonitor(p, lbaas.MonitorTCP)
	addListener(lb, 2, lbaas.TCP, 8080, p.ID)
	first := addListener(lb, 1, lbaas.HTTP, 80, p.ID)
	first.CreatedAt, first.TimeoutMemberData = time.Unix(0, 0), 1000
	return lb
}

func tcpTree() *lbaas.LoadBalancer {
	lb := newTree()
	p := addPool(lb, 1, lbaas.HTTPS, lbaas.SourceIP)
	addMember(p, 1, "10.93.48.3", 443)
	addMember(p, 2, "10.93.48.4", 443)
	h := addMonitor(p, lbaas.MonitorHTTPS)
	h.ExpectedCodes, h.HTTPVersion, h.DomainName = "200-399", "1.1", "www.example.com"
	addListener(lb, 1, lbaas.HTTPS, 443, p.ID)
	return lb
}

func ipv6Tree() *lbaas.LoadBalancer {
	lb := newTree()
	lb.VIPAddress = netip.MustParseAddr("2001:db8::5")
	p := addPool(lb, 1, lbaas.TCP, lbaas.RoundRobin)
	addMember(p, 1, "2001:db8:1::3", 80).MonitorAddress = netip.MustParseAddr("2001:db8:2::3")
	addMember(p, 2, "10.93.48.4", 80)
	addMonitor(p, lbaas.MonitorHTTP).HTTPVersion = "1.1"
	l := addListener(lb, 1, lbaas.TCP, 80, p.ID)
	l.AllowedCIDRs = []string{"2001:db8::/32"}
	return lb
}

// zeroTree has the smallest value that the API takes, everywhere.
func zeroTree() *lbaas.LoadBalancer {
	lb := newTree()
	lb.Name = ""
	p := addPool(lb, 1, lbaas.TCP, lbaas.RoundRobin)
	p.Name = ""
	m := addMember(p, 1, "10.93.48.3", 80)
	m.Name, m.Weight = "", 0
	h := addMonitor(p, lbaas.MonitorTCP)
	h.Name, h.Delay, h.Timeout, h.MaxRetries, h.MaxRetriesDown = "", 0, 0, 1, 1
	l := addListener(lb, 1, lbaas.TCP, 80, p.ID)
	zero := 0
	l.Name, l.ConnectionLimit = "", &zero
	l.TimeoutClientData, l.TimeoutMemberConnect, l.TimeoutMemberData = 0, 0, 0
	return lb
}

const hostile = "a\"b'c\\d#e$HOME%[src]\n    bind :1\r\tf\x00g\xffh é 💥\u2028;`{}"

// hostileTree has a hostile string wherever the tenant has a say, although the API lets few of them pass.
func hostileTree() *lbaas.LoadBalancer {
	lb := everythingTree()
	rename(lb, hostile)
	h := lb.Pools[0].HealthMonitor
	h.URLPath, h.DomainName = "/"+hostile, hostile
	return lb
}

func rename(lb *lbaas.LoadBalancer, name string) {
	for _, part := range lb.Parts() {
		part.Base().Name = name
	}
}

func testPorts() []*enginepb.Port {
	return []*enginepb.Port{{Id: uid(5, 1), NetworkId: uid(6, 1), Mac: "fa:16:3e:00:00:01", Mtu: 1450, Addresses: []string{"10.0.0.5/24"}}}
}
