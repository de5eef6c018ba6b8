package bench

import (
	"net/http"
	"testing"
	"time"

	"plimsoll/test/harness"
)

// changeRuns is how often each change is made.
const changeRuns = 25

// BenchmarkChange measures from the request that changes a load balancer to its effect on traffic: the first answer of a
// member that is to serve, the last one of a member that is not.
func BenchmarkChange(b *testing.B) {
	s := newSite(b, 2)
	lb, _ := s.create(b, s.wholeTree(s.webs[0]))
	address := harness.JoinPort(lb.VIPAddress, 80)
	s.answered(b, address)
	p := probe(b, s.client, address)
	m := s.changeMembers(b, p, lb.Pools[0].ID)
	for _, c := range []struct {
		name string
		took sample
	}{{"member-add", m.add}, {"weight-to-0", m.drain}, {"weight-to-1", m.refill}, {"member-remove", m.remove}} {
		b.Run(c.name, func(b *testing.B) { c.took.report(b) })
	}
	listeners := s.addListeners(b, lb)
	b.Run("listener-add", func(b *testing.B) { listeners.report(b) })
	p.noFailures(b)
}

// memberChanges is how long each took.
type memberChanges struct{ add, drain, refill, remove sample }

func (s *site) changeMembers(b *testing.B, p *prober, poolID string) (m memberChanges) {
	second := s.webs[1]
	path := "/pools/" + poolID + "/members"
	for range changeRuns {
		sent := time.Now()
		made, err := s.api.create(b.Context(), path, "member", member(s.net, second))
		if err != nil {
			b.Fatal(err)
		}
		m.add = append(m.add, p.arrival(b, second.Name, sent).Sub(sent))

		sent = s.change(b, http.MethodPut, path+"/"+made.ID, object{"member": object{"weight": 0}})
		m.drain = append(m.drain, p.departure(b, second.Name, sent).Sub(sent))

		sent = s.change(b, http.MethodPut, path+"/"+made.ID, object{"member": object{"weight": 1}})
		m.refill = append(m.refill, p.arrival(b, second.Name, sent).Sub(sent))

		sent = s.change(b, http.MethodDelete, path+"/"+made.ID, nil)
		m.remove = append(m.remove, p.departure(b, second.Name, sent).Sub(sent))
	}
	return m
}

// change makes a request and returns when it was sent.
func (s *site) change(b *testing.B, method, path string, body any) time.Time {
	b.Helper()
	sent := time.Now()
	if _, err := s.api.call(b.Context(), method, path, body); err != nil {
		b.Fatal(err)
	}
	return sent
}

// addListeners adds listeners on further ports, each of which is a reload, and measures until they answer.
func (s *site) addListeners(b *testing.B, lb created) (took sample) {
	for i := range changeRuns {
		port := 1000 + i
		sent := time.Now()
		_, err := s.api.create(b.Context(), "/listeners", "listener", object{
			"loadbalancer_id": lb.ID, "protocol": "HTTP", "protocol_port": port, "default_pool_id": lb.Pools[0].ID,
		})
		if err != nil {
			b.Fatal(err)
		}
		took = append(took, s.answered(b, harness.JoinPort(lb.VIPAddress, port)).Sub(sent))
	}
	return took
}
