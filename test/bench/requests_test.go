package bench

import (
	"context"
	"encoding/json"
	"fmt"
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

// BenchmarkReads measures how many reads the API answers, and how long each takes, with no, a hundred and a thousand
// load balancers in the store. Clients keep their connections and their token; they share the machine with the server.
func BenchmarkReads(b *testing.B) {
	s := newSite(b, 0)
	b.Run("memory/start", func(b *testing.B) { s.memory(b) })
	lb, _ := s.create(b, object{"name": "lb", "vip_subnet_id": s.net.SubnetID})
	if err := s.api.active(b.Context(), lb.ID); err != nil {
		b.Fatal(err)
	}
	s.reads(b, "get-one", "/loadbalancers/"+lb.ID, 0)
	project := s.projectOf(b, lb.ID)
	s.remove(b, lb.ID)
	s.WaitGone(b, lb.ID)
	rows := 0
	for _, n := range []int{100, 1000} {
		s.Stop(b)
		s.fill(b, project, n-rows)
		rows = n
		s.Start(b)
		b.Run(fmt.Sprintf("memory/%d-rows", n), func(b *testing.B) { s.memory(b) })
		s.reads(b, fmt.Sprintf("list-%d", n), "/loadbalancers", n)
	}
	b.Run("memory/after", func(b *testing.B) { s.memory(b) })
}

func (s *site) projectOf(b *testing.B, id string) string {
	b.Helper()
	text, err := s.api.call(b.Context(), http.MethodGet, "/loadbalancers/"+id, nil)
	var answer struct {
		LoadBalancer struct {
			ProjectID string `json:"project_id"`
		} `json:"loadbalancer"`
	}
	if err == nil {
		err = json.Unmarshal(text, &answer)
	}
	if err != nil {
		b.Fatal(err)
	}
	return answer.LoadBalancer.ProjectID
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
