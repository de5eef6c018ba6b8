package bench

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"strconv"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"plimsoll/test/harness"
)

// manyNetworks are made unless PLIMSOLL_BENCH_NETWORKS gives another number.
const manyNetworks = 50

// BenchmarkNetworks makes many networks on one host, one after the other, each with a subnet, a port that gets leases, and a router between it
// and an external network, and measures what each costs: from the first request until the router's ports and the DHCP server's
// are there; in processor time; in memory; and what all cost at rest, after a restart of the control plane, and to delete.
func BenchmarkNetworks(b *testing.B) {
	n := manyNetworks
	if text := os.Getenv("PLIMSOLL_BENCH_NETWORKS"); text != "" {
		var err error
		if n, err = strconv.Atoi(text); err != nil || n < 10 || n > 1000 {
			b.Fatalf("PLIMSOLL_BENCH_NETWORKS=%s: want a number from 10 to 1000", text)
		}
	}
	if n > 200 {
		roomForNeighbours(b)
	}
	s := newSite(b, 0)
	m := &networksOfMany{many: many{site: s}, api: &api{s.URL + "/networking/v2.0", s.Network.Token(), s.api.client}}
	m.outside = m.makeOutside(b)
	tenths := make([]grown, 10)
	for i := range tenths {
		tenths[i] = m.growNetworks(b, n/10)
	}
	name := func(what string) string { return fmt.Sprintf("n=%d/%s", n, what) }
	b.Run(name("create-first-tenth"), func(b *testing.B) { tenths[0].report(b) })
	b.Run(name("create-last-tenth"), func(b *testing.B) { tenths[9].report(b) })
	b.Run(name("memory"), func(b *testing.B) { m.weighAll(b) })
	b.Run(name("at-rest"), func(b *testing.B) { m.rest(b) })
	b.Run(name("control-plane-restart"), func(b *testing.B) { m.measure(b, m.restartAll) })
	b.Run(name("delete"), func(b *testing.B) { m.measure(b, m.deleteNetworks) })
	b.Run(name("memory-after-delete"), func(b *testing.B) { m.weighAll(b) })
}

type networksOfMany struct {
	many
	api     *api
	outside string
	nets    []oneNetwork
}

// oneNetwork is a network with its subnet, its router and the port of a guest.
type oneNetwork struct{ network, subnet, router, port string }

func (m *networksOfMany) make(b *testing.B, noun string, body object) string {
	b.Helper()
	made, err := m.api.create(b.Context(), "/"+noun+"s", noun, body)
	if err != nil {
		b.Fatal(err)
	}
	return made.ID
}

func (m *networksOfMany) makeOutside(b *testing.B) string {
	b.Helper()
	id := m.make(b, "network", object{"name": "outside", "router:external": true})
	m.make(b, "subnet", object{"network_id": id, "ip_version": 4, "cidr": "10.200.0.0/16", "enable_dhcp": false})
	return id
}

// growNetworks makes n more networks, one after the other. All have the same addresses.
func (m *networksOfMany) growNetworks(b *testing.B, n int) (g grown) {
	before := m.controlPlane(b)
	for range n {
		start := time.Now()
		var one oneNetwork
		name := fmt.Sprintf("n%d", len(m.nets))
		one.network = m.make(b, "network", object{"name": name})
		one.subnet = m.make(b, "subnet", object{"network_id": one.network, "ip_version": 4, "cidr": "10.3.0.0/24"})
		one.router = m.make(b, "router", object{"name": name, "external_gateway_info": object{"network_id": m.outside}})
		if _, err := m.api.call(b.Context(), http.MethodPut, "/routers/"+one.router+"/add_router_interface", object{"subnet_id": one.subnet}); err != nil {
			b.Fatal(err)
		}
		one.port = m.make(b, "port", object{"network_id": one.network})
		m.plugged(b, one)
		m.nets, g.took = append(m.nets, one), append(g.took, time.Since(start))
	}
	g.cpu = (m.controlPlane(b) - before) / time.Duration(n)
	return g
}

// plugged waits until the ports of a router and of a network's DHCP server are on the host.
func (m *networksOfMany) plugged(b *testing.B, one oneNetwork) {
	b.Helper()
	harness.Eventually(b, time.Minute, func() error {
		if err := m.active(b.Context(), "device_id="+one.router, 2); err != nil {
			return err
		}
		return m.active(b.Context(), "device_owner=network:dhcp&network_id="+one.network, 1)
	})
}

// active gives an error unless so many ports that a filter finds are ACTIVE.
func (m *networksOfMany) active(ctx context.Context, filter string, n int) error {
	text, err := m.api.call(ctx, http.MethodGet, "/ports?status=ACTIVE&fields=id&"+filter, nil)
	if err != nil {
		return err
	}
	var answer struct{ Ports []struct{ ID string } }
	if err := json.Unmarshal(text, &answer); err != nil {
		return err
	}
	if len(answer.Ports) != n {
		return fmt.Errorf("%d ports of %s are ACTIVE, want %d", len(answer.Ports), filter, n)
	}
	return nil
}

// weighAll reports what everything weighs.
func (m *networksOfMany) weighAll(b *testing.B) {
	b.Helper()
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(weigh(m.serving(b)).rss, "serve-rss-MB")
	b.ReportMetric(weigh(m.Engines()...).rss, "engine-rss-MB")
	servers := m.DNSMasqs()
	b.ReportMetric(float64(len(servers)), "dnsmasqs")
	if len(servers) > 0 {
		b.ReportMetric(weigh(servers...).pss/float64(len(servers)), "dnsmasq-pss-MB")
	}
}

// restartAll kills the control plane, starts it, makes one network more and waits until it is there: everything before it was looked at.
func (m *networksOfMany) restartAll(b *testing.B) {
	m.killAll(b)
	m.Start(b)
	m.api.token = m.Admin(b).Network.Token()
	m.growNetworks(b, 1)
}

// deleteNetworks deletes everything, some at a time, and waits until nothing of it is left on the host.
func (m *networksOfMany) deleteNetworks(b *testing.B) {
	var group errgroup.Group
	group.SetLimit(8)
	for _, one := range m.nets {
		group.Go(func() error { return m.deleteOne(b.Context(), one) })
	}
	if err := group.Wait(); err != nil {
		b.Fatal(err)
	}
	harness.Eventually(b, 5*time.Minute, func() error {
		for _, name := range namespaces(b) {
			for _, one := range m.nets {
				if name == "qrouter-"+one.router || name == "qdhcp-"+one.network {
					return fmt.Errorf("namespace %s is left", name)
				}
			}
		}
		return nil
	})
}

func namespaces(b *testing.B) (names []string) {
	b.Helper()
	entries, err := os.ReadDir("/run/netns")
	if err != nil {
		b.Fatal(err)
	}
	for _, entry := range entries {
		names = append(names, entry.Name())
	}
	return names
}

func (m *networksOfMany) deleteOne(ctx context.Context, one oneNetwork) error {
	if _, err := m.api.call(ctx, http.MethodPut, "/routers/"+one.router+"/remove_router_interface", object{"subnet_id": one.subnet}); err != nil {
		return err
	}
	for _, path := range []string{"/routers/" + one.router, "/ports/" + one.port, "/networks/" + one.network} {
		if _, err := m.api.call(ctx, http.MethodDelete, path, nil); err != nil {
			return err
		}
	}
	return nil
}
