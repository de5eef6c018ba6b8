package bench

import (
	"net"
	"sync"
	"testing"
	"time"

	"github.com/gophercloud/gophercloud/v2/openstack/loadbalancer/v2/listeners"
	"github.com/gophercloud/gophercloud/v2/openstack/loadbalancer/v2/loadbalancers"
	"github.com/gophercloud/gophercloud/v2/openstack/loadbalancer/v2/pools"

	"plimsoll/test/harness"
)

const (
	udpRounds  = 9
	udpSpan    = time.Second
	udpClients = 16 // flows that ask at the same time
)

// BenchmarkUDP compares questions and answers of UDP through a load balancer with those to a member itself: on flows that last, and with
// a flow for each question. The runs take turns.
func BenchmarkUDP(b *testing.B) {
	s := newSite(b, 0)
	member := s.Plug(b, s.net).ServeDatagrams(b, 5353, "m")
	lb, err := loadbalancers.Create(b.Context(), s.LoadBalancer, loadbalancers.CreateOpts{
		VipSubnetID: s.net.SubnetID, Listeners: []listeners.CreateOpts{{
			Name: "udp", Protocol: listeners.ProtocolUDP, ProtocolPort: 53, DefaultPool: &pools.CreateOpts{
				Name: "pool", Protocol: pools.ProtocolUDP, LBMethod: pools.LBMethodRoundRobin,
				Members: []pools.CreateMemberOpts{{Address: member.Node.Address, ProtocolPort: member.Port, SubnetID: s.net.SubnetID}},
			}}},
	}).Extract()
	if err != nil {
		b.Fatal(err)
	}
	s.WaitActive(b, lb.ID)
	through := way{name: "load-balancer", address: harness.JoinPort(lb.VipAddress, 53)}
	direct := way{name: "direct", address: harness.JoinPort(member.Node.Address, member.Port)}
	for _, lasting := range []bool{true, false} {
		name := map[bool]string{true: "flows-that-last", false: "flow-per-question"}[lasting]
		through, direct := through, direct
		for range udpRounds {
			for _, w := range []*way{&through, &direct} {
				w.rates = append(w.rates, s.questions(b, w.address, lasting))
			}
		}
		for _, w := range []*way{&through, &direct} {
			b.Run(name+"/"+w.name, func(b *testing.B) {
				b.ReportMetric(0, "ns/op")
				b.ReportMetric(median(w.rates), "questions/s")
			})
		}
		b.Run(name+"/ratios", func(b *testing.B) {
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(median(quotients(through.rates, direct.rates)), "of-direct-by-round")
		})
	}
}

// questions asks for a while and returns how many questions were answered in a second.
func (s *site) questions(b *testing.B, address string, lasting bool) float64 {
	b.Helper()
	var all sync.WaitGroup
	answered := make([]int, udpClients)
	start := time.Now()
	for i := range udpClients {
		all.Go(func() { answered[i] = s.askOn(b, address, lasting, start.Add(udpSpan)) })
	}
	all.Wait()
	sum := 0
	for _, n := range answered {
		sum += n
	}
	return float64(sum) / time.Since(start).Seconds()
}

// askOn asks until a moment and returns how many questions were answered.
func (s *site) askOn(b *testing.B, address string, lasting bool, end time.Time) (answered int) {
	var flow net.Conn
	defer func() {
		if flow != nil {
			_ = flow.Close()
		}
	}()
	for time.Now().Before(end) {
		if flow == nil || !lasting {
			if flow != nil {
				_ = flow.Close()
			}
			var err error
			if flow, err = s.client.Dial(b.Context(), "udp", address); err != nil {
				b.Error(err)
				return answered
			}
		}
		if _, err := harness.Ask(flow, "?"); err == nil {
			answered++
		}
	}
	return answered
}
