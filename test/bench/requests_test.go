package bench

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// clients are how many ask at the same time.
var clients = [...]int{1, 8, 32}

// readSpan is for how long reads are repeated, by each number of clients.
const readSpan = 2 * time.Second

// BenchmarkReads measures how many reads the API answers, and how long each takes, with no, a hundred, a thousand and a hundred
// thousand load balancers in the store. Clients keep their connections and their token; they share the machine with the
// server.
func BenchmarkReads(b *testing.B) {
	s := newSite(b, 0)
	b.Run("memory/start", func(b *testing.B) { s.memory(b) })
	lb, _ := s.create(b, object{"name": "lb", "vip_subnet_id": s.net.SubnetID})
	if err := s.api.active(b.Context(), lb.ID); err != nil {
		b.Fatal(err)
	}
	s.reads(b, "get-one", "/loadbalancers/"+lb.ID, 0)
	s.remove(b, lb.ID)
	s.WaitGone(b, lb.ID)
	for _, n := range []int{100, 1000} {
		s.growTo(b, n)
		s.reads(b, fmt.Sprintf("list-%d", n), "/loadbalancers", n)
	}
	b.Run("memory/after-lists-of-1000", func(b *testing.B) { s.memory(b) })
	s.growTo(b, manyRows)
	s.reads(b, "of-many/get-one", "/loadbalancers/"+s.someID(b), 0)
	s.reads(b, "of-many/list-1000", "/loadbalancers", 1000)
	s.reads(b, "of-many/list-1000-active-by-name", "/loadbalancers?provisioning_status=ACTIVE&sort=name", 1000)
	b.Run("of-many/memory/after-lists-of-1000", func(b *testing.B) { s.memory(b) })
	b.Run("of-many/list-all", s.readAll)
	b.Run("of-many/memory/after-list-of-all", func(b *testing.B) { s.memory(b) })
}

// manyRows is how many load balancers there are in the end.
const manyRows = 100_000

// growTo makes the store of the server have so many load balancers.
func (s *site) growTo(b *testing.B, n int) {
	b.Helper()
	s.Stop(b)
	s.fill(b, n-s.rows)
	s.rows = n
	s.Start(b)
	b.Run(fmt.Sprintf("memory/%d-rows", n), func(b *testing.B) { s.memory(b) })
}

// someID is that of one of the load balancers.
func (s *site) someID(b *testing.B) string {
	b.Helper()
	text, err := s.api.call(b.Context(), http.MethodGet, "/loadbalancers?fields=id&limit=1&sort=name", nil)
	var answer struct {
		LoadBalancers []created `json:"loadbalancers"`
	}
	if err == nil {
		err = json.Unmarshal(text, &answer)
	}
	if err != nil || len(answer.LoadBalancers) != 1 {
		b.Fatalf("look for a load balancer: %s, %v", text, err)
	}
	return answer.LoadBalancers[0].ID
}

// readAll reads all load balancers in one answer, without keeping it.
func (s *site) readAll(b *testing.B) {
	r, err := http.NewRequestWithContext(b.Context(), http.MethodGet, s.api.url+"/loadbalancers?limit=infinite", nil)
	if err != nil {
		b.Fatal(err)
	}
	r.Header.Set("X-Auth-Token", s.api.token)
	start := time.Now()
	resp, err := s.api.client.Do(r)
	if err != nil {
		b.Fatal(err)
	}
	defer resp.Body.Close()
	size, err := io.Copy(io.Discard, resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		b.Fatalf("list all: status %d, %v", resp.StatusCode, err)
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(ms(time.Since(start)), "ms")
	b.ReportMetric(float64(size)/1e6, "MB")
}

// reads repeats a GET; a list has to have so many entries.
func (s *site) reads(b *testing.B, name, path string, entries int) {
	s.checkList(b, path, entries)
	for _, n := range clients {
		b.Run(fmt.Sprintf("%s/clients=%d", name, n), func(b *testing.B) {
			deadline, server := time.Now().Add(readSpan), s.serving(b)
			before := busy(server)
			done := together(b, n, func() bool { return time.Now().Before(deadline) }, func(ctx context.Context) error {
				_, err := s.api.call(ctx, http.MethodGet, path, nil)
				return err
			})
			b.ReportMetric(ms(busy(server)-before)/float64(done), "cpu-ms/op")
		})
	}
}

func (s *site) checkList(b *testing.B, path string, entries int) {
	b.Helper()
	text, err := s.api.call(b.Context(), http.MethodGet, path, nil)
	var answer map[string]json.RawMessage
	if err == nil {
		err = json.Unmarshal(text, &answer)
	}
	var list []json.RawMessage
	if err == nil && entries > 0 {
		err = json.Unmarshal(answer["loadbalancers"], &list)
	}
	if err != nil || len(list) != entries {
		b.Fatalf("GET %s: %d entries, %v, want %d", path, len(list), err, entries)
	}
}

// together has clients do something at the same time for as long as there is more, and reports the rate and how long each
// took. It returns how often it was done.
func together(b *testing.B, n int, more func() bool, do func(ctx context.Context) error) int {
	b.Helper()
	var (
		all  sync.WaitGroup
		mu   sync.Mutex
		took sample
	)
	start := time.Now()
	for range n {
		all.Go(func() {
			var mine sample
			for more() {
				began := time.Now()
				if err := do(b.Context()); err != nil {
					b.Error(err)
					break
				}
				mine = append(mine, time.Since(began))
			}
			mu.Lock()
			defer mu.Unlock()
			took = append(took, mine...)
		})
	}
	all.Wait()
	took.report(b)
	b.ReportMetric(float64(len(took))/time.Since(start).Seconds(), "op/s")
	return len(took)
}

// times is a more of together that counts.
func times(n int) func() bool {
	var done atomic.Int64
	return func() bool { return done.Add(1) <= int64(n) }
}

// BenchmarkWrites measures the making of load balancers on the real data plane: until the API has answered 201, until the load
// balancer is ACTIVE, and until a tree of six calls that nobody waited between is.
func BenchmarkWrites(b *testing.B) {
	s := newSite(b, 2)
	post := func(ctx context.Context) (string, error) {
		lb, err := s.api.create(ctx, "/loadbalancers", "loadbalancer", object{"name": "lb", "vip_subnet_id": s.net.SubnetID})
		return lb.ID, err
	}
	tree := func(ctx context.Context) (string, error) {
		lb, err := s.sixCalls(ctx)
		return lb.ID, err
	}
	for _, n := range clients {
		runs := max(10, 2*n)
		b.Run(fmt.Sprintf("post-created/clients=%d", n), func(b *testing.B) { s.writes(b, n, runs, post, false) })
		b.Run(fmt.Sprintf("post-active/clients=%d", n), func(b *testing.B) { s.writes(b, n, runs, post, true) })
		b.Run(fmt.Sprintf("tree-active/clients=%d", n), func(b *testing.B) { s.writes(b, n, max(10, n), tree, true) })
	}
	b.Run("memory/after", func(b *testing.B) { s.memory(b) })
}

// writes makes load balancers, and removes them when it has measured.
func (s *site) writes(b *testing.B, clients, runs int, do func(context.Context) (string, error), active bool) {
	var mu sync.Mutex
	var made []string
	together(b, clients, times(runs), func(ctx context.Context) error {
		id, err := do(ctx)
		if err == nil && active {
			err = s.api.active(ctx, id)
		}
		mu.Lock()
		defer mu.Unlock()
		made = append(made, id)
		return err
	})
	for _, id := range made {
		s.remove(b, id)
	}
	for _, id := range made {
		s.WaitGone(b, id)
	}
}
