package bench

import (
	"context"
	"testing"
	"time"

	"plimsoll/test/harness"
)

// firstRuns is how many load balancers are made to measure how soon they serve.
const firstRuns = 25

// BenchmarkFirstRequest measures from the POST of a load balancer to the first request that a client on its network has
// answered through the VIP. The client begins to ask when it learns the address: from the answer to the POST.
func BenchmarkFirstRequest(b *testing.B) {
	s := newSite(b, 2)
	b.Run("one-call", func(b *testing.B) {
		s.first(b, func(b *testing.B) (created, time.Time) { return s.create(b, s.wholeTree(s.webs...)) })
	})
	b.Run("six-calls", func(b *testing.B) {
		s.first(b, func(b *testing.B) (created, time.Time) {
			sent := time.Now()
			lb, err := s.sixCalls(b.Context())
			if err != nil {
				b.Fatal(err)
			}
			return lb, sent
		})
	})
}

func (s *site) first(b *testing.B, build func(b *testing.B) (created, time.Time)) {
	var took sample
	for range firstRuns {
		lb, sent := build(b)
		answered := s.answered(b, harness.JoinPort(lb.VIPAddress, 80))
		took = append(took, answered.Sub(sent))
		s.remove(b, lb.ID)
		s.WaitGone(b, lb.ID)
	}
	took.report(b)
}

// answered asks without a pause until there is an answer, and returns when that was. A connection that is not there within
// a moment is tried again: else what is measured is the second after which the kernel sends a lost SYN again.
func (s *site) answered(b *testing.B, address string) time.Time {
	b.Helper()
	return s.answeredWithin(b, address, 30*time.Second)
}

func (s *site) answeredWithin(b *testing.B, address string, bound time.Duration) time.Time {
	b.Helper()
	client := clientOn(s.client, 50*time.Millisecond)
	defer client.CloseIdleConnections()
	deadline := time.Now().Add(bound)
	for {
		_, err := get(b.Context(), client, "http://"+address+"/")
		now := time.Now()
		if err == nil {
			return now
		}
		if now.After(deadline) {
			b.Fatalf("%s does not answer: %v", address, err)
		}
		time.Sleep(time.Millisecond)
	}
}

// sixCalls makes a load balancer, listener, pool, two members and a monitor, and waits for none of them.
func (s *site) sixCalls(ctx context.Context) (created, error) {
	lb, err := s.api.create(ctx, "/loadbalancers", "loadbalancer", object{"name": "lb", "vip_subnet_id": s.net.SubnetID})
	if err != nil {
		return lb, err
	}
	listener, err := s.api.create(ctx, "/listeners", "listener", object{
		"name": "listener", "loadbalancer_id": lb.ID, "protocol": "HTTP", "protocol_port": 80,
	})
	if err != nil {
		return lb, err
	}
	pool, err := s.api.create(ctx, "/pools", "pool", object{
		"name": "pool", "listener_id": listener.ID, "protocol": "HTTP", "lb_algorithm": "ROUND_ROBIN",
	})
	if err != nil {
		return lb, err
	}
	for _, w := range s.webs[:2] {
		if _, err := s.api.create(ctx, "/pools/"+pool.ID+"/members", "member", member(s.net, w)); err != nil {
			return lb, err
		}
	}
	_, err = s.api.create(ctx, "/healthmonitors", "healthmonitor", object{
		"name": "monitor", "pool_id": pool.ID, "type": "HTTP", "url_path": "/healthy", "delay": 5, "timeout": 2, "max_retries": 2,
	})
	return lb, err
}
