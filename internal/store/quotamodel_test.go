package store_test

import (
	"context"
	"fmt"
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"pgregory.net/rapid"

	"plimsoll/internal/store"
	"plimsoll/internal/store/storetest"
	"plimsoll/lbaas"
)

// TestQuotaModel does random things in a project of which some nouns are limited: each is refused exactly when it would bring more of a
// noun than the project may have, with the first of such nouns, and the usage is always what the trees have.
func TestQuotaModel(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		rapid.Check(t, func(r *rapid.T) {
			run := quotaRun{r: r, s: s, project: uuid.NewString(), limits: map[lbaas.Noun]int{}, lbs: map[string]map[lbaas.Noun]int{}}
			for range rapid.IntRange(2, 12).Draw(r, "steps") {
				run.step()
				run.compare()
			}
		})
	})
}

type quotaRun struct {
	r       *rapid.T
	s       *store.Store
	project string
	limits  map[lbaas.Noun]int
	lbs     map[string]map[lbaas.Noun]int // what each live load balancer's tree has
	order   []string                      // in which they were made
	made    int                           // how many members were put, so that each has an address of its own
}

func (run *quotaRun) step() {
	ids := []string{"a new one"}
	for _, id := range run.order {
		if run.lbs[id] != nil {
			ids = append(ids, id)
		}
	}
	id := rapid.SampledFrom(ids).Draw(run.r, "load balancer")
	switch action := rapid.SampledFrom([]string{"limit", "change", "change", "change", "delete", "take back"}).Draw(run.r, "action"); {
	case action == "limit":
		run.limit()
	case action == "take back":
		if len(run.limits) > 0 {
			run.do(run.s.DeleteQuota(context.Background(), run.project))
		}
		clear(run.limits)
	case id == "a new one":
		run.create()
	case action == "delete":
		run.do(run.s.ChangeLoadBalancer(context.Background(), id, func(c *store.Change) error { return c.Delete(c.LB) }))
		delete(run.lbs, id)
	default:
		run.change(id)
	}
}

func (run *quotaRun) do(err error) {
	if err != nil {
		run.r.Fatal(err)
	}
}

func (run *quotaRun) limit() {
	noun := rapid.SampledFrom(lbaas.QuotaNouns()).Draw(run.r, "noun")
	run.limits[noun] = rapid.IntRange(lbaas.Unlimited, 4).Draw(run.r, "limit")
	_, err := run.s.PutQuota(context.Background(), run.project, func(q *lbaas.Quota) error {
		q.Limits[noun] = run.limits[noun]
		return nil
	})
	run.do(err)
}

// create makes a load balancer with a tree.
func (run *quotaRun) create() {
	lb := of(run.project)
	for range rapid.IntRange(0, 2).Draw(run.r, "pools") {
		pool := &lbaas.Pool{Protocol: lbaas.HTTP}
		for range rapid.IntRange(0, 2).Draw(run.r, "members") {
			pool.Members = append(pool.Members, run.member(""))
		}
		lb.Pools = append(lb.Pools, pool)
	}
	for i := range rapid.IntRange(0, 2).Draw(run.r, "listeners") {
		lb.Listeners = append(lb.Listeners, &lbaas.Listener{Protocol: lbaas.HTTP, ProtocolPort: 80 + i,
			L7Policies: []*lbaas.L7Policy{{Action: lbaas.Reject, Rules: []*lbaas.L7Rule{{}}}}})
	}
	has := nounsOf(lb)
	run.verdict(run.s.CreateLoadBalancer(context.Background(), lb), lb.ID, has)
}

func (run *quotaRun) member(poolID string) *lbaas.Member {
	run.made++
	address := netip.AddrFrom4([4]byte{10, byte(run.made >> 16), byte(run.made >> 8), byte(run.made)})
	return &lbaas.Member{PoolID: poolID, Address: address, ProtocolPort: 80}
}

// change puts and deletes a few things.
func (run *quotaRun) change(id string) {
	var has map[lbaas.Noun]int
	n := rapid.IntRange(0, 5).Draw(run.r, "actions")
	err := run.s.ChangeLoadBalancer(context.Background(), id, func(c *store.Change) error {
		for range n {
			if err := run.act(c); err != nil {
				return err
			}
		}
		has = nounsOf(c.LB)
		return nil
	})
	run.verdict(err, id, has)
}

func (run *quotaRun) act(c *store.Change) error {
	parts := c.LB.Parts()
	part := rapid.SampledFrom(parts).Draw(run.r, "part")
	if rapid.Bool().Draw(run.r, "delete") && part.Noun() != lbaas.NounLoadBalancer {
		return c.Delete(part)
	}
	switch p := part.(type) {
	case *lbaas.LoadBalancer:
		return c.Put(&lbaas.Pool{Protocol: lbaas.HTTP})
	case *lbaas.Pool:
		return c.Put(run.member(p.ID))
	case *lbaas.Listener:
		return c.Put(&lbaas.L7Policy{ListenerID: p.ID, Action: lbaas.Reject})
	case *lbaas.L7Policy:
		return c.Put(&lbaas.L7Rule{L7PolicyID: p.ID})
	case *lbaas.Member:
		if pool := c.LB.Pool(p.PoolID); pool.HealthMonitor == nil {
			return c.Put(&lbaas.HealthMonitor{PoolID: p.PoolID, Type: lbaas.MonitorTCP})
		}
	}
	return c.Touch(part)
}

// nounsOf counts the parts of a tree.
func nounsOf(lb *lbaas.LoadBalancer) map[lbaas.Noun]int {
	has := map[lbaas.Noun]int{}
	for _, part := range lb.Parts() {
		has[part.Noun()]++
	}
	return has
}

// verdict compares what a change gave with what it should, and notes what the load balancer has since.
func (run *quotaRun) verdict(got error, id string, has map[lbaas.Noun]int) {
	var want error
	usage := run.usage()
	for _, noun := range lbaas.QuotaNouns() {
		limit, own := run.limits[noun]
		grown := has[noun] - run.lbs[id][noun]
		if own && limit != lbaas.Unlimited && grown > 0 && usage[noun]+grown > limit {
			want = lbaas.QuotaMet(noun)
			break
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		run.r.Fatalf("with %v of %v, from %v to %v (-want +got):\n%s", usage, run.limits, run.lbs[id], has, diff)
	}
	if got != nil {
		return
	}
	if run.lbs[id] == nil {
		run.order = append(run.order, id)
	}
	run.lbs[id] = has
}

// usage is what the project has, by the trees.
func (run *quotaRun) usage() map[lbaas.Noun]int {
	usage := map[lbaas.Noun]int{}
	for _, noun := range lbaas.QuotaNouns() {
		usage[noun] = 0
		for _, has := range run.lbs {
			usage[noun] += has[noun]
		}
	}
	return usage
}

func (run *quotaRun) compare() {
	got, err := run.s.QuotaUsage(context.Background(), []string{run.project})
	run.do(err)
	if diff := cmp.Diff(run.usage(), got[run.project]); diff != "" {
		run.r.Fatal(fmt.Sprintf("the usage (-want +got):\n%s", diff))
	}
}
