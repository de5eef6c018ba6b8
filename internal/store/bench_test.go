package store_test

import (
	"context"
	"fmt"
	"testing"

	"plimsoll/internal/store"
	"plimsoll/internal/store/storetest"
	"plimsoll/lbaas"
)

// withMembers is a load balancer with a listener and a pool of n members.
func withMembers(n int) *lbaas.LoadBalancer {
	lb := fullTree()
	lb.FlavorID, lb.AvailabilityZone = "", ""
	lb.Listeners[0].L7Policies, lb.Listeners[0].RateLimitPolicies = nil, nil
	pool := lb.Pools[0]
	pool.Members = nil
	for i := range n {
		pool.Members = append(pool.Members, fullMember(i))
	}
	return lb
}

func BenchmarkCreate(b *testing.B) {
	storetest.EachB(b, func(b *testing.B, s *store.Store) {
		for b.Loop() {
			create(b, s, withMembers(2))
		}
	})
}

// BenchmarkChange changes the weight of one member among n.
func BenchmarkChange(b *testing.B) {
	for _, n := range []int{10, 1000} {
		b.Run(fmt.Sprintf("members=%d", n), func(b *testing.B) {
			storetest.EachB(b, func(b *testing.B, s *store.Store) {
				lb := create(b, s, withMembers(n))
				for b.Loop() {
					change(b, s, lb.ID, func(c *store.Change) error {
						pool := c.LB.Pools[0]
						m := pool.Members[n/2]
						m.Weight = (m.Weight + 1) % 256
						if err := c.Put(m); err != nil {
							return err
						}
						return c.Touch(pool, c.LB.Listeners[0])
					})
				}
			})
		})
	}
}

// BenchmarkPutAll changes every one of n members at once.
func BenchmarkPutAll(b *testing.B) {
	for _, n := range []int{10, 1000} {
		b.Run(fmt.Sprintf("members=%d", n), func(b *testing.B) {
			storetest.EachB(b, func(b *testing.B, s *store.Store) {
				lb := create(b, s, withMembers(n))
				for b.Loop() {
					change(b, s, lb.ID, func(c *store.Change) error {
						var parts []lbaas.Part
						for _, m := range c.LB.Pools[0].Members {
							m.Weight = (m.Weight + 1) % 256
							parts = append(parts, m)
						}
						return c.Put(parts...)
					})
				}
			})
		})
	}
}

func BenchmarkTree(b *testing.B) {
	for _, n := range []int{10, 1000} {
		b.Run(fmt.Sprintf("members=%d", n), func(b *testing.B) {
			storetest.EachB(b, func(b *testing.B, s *store.Store) {
				lb := create(b, s, withMembers(n))
				for b.Loop() {
					tree(b, s, lb.ID)
				}
			})
		})
	}
}

func BenchmarkOne(b *testing.B) {
	storetest.EachB(b, func(b *testing.B, s *store.Store) {
		lb := create(b, s, withMembers(2))
		for b.Loop() {
			if _, err := s.LoadBalancer(context.Background(), lb.ID); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkList(b *testing.B) {
	storetest.EachB(b, func(b *testing.B, s *store.Store) {
		for range 1000 {
			create(b, s, withMembers(1))
		}
		for name, q := range map[string]store.Query{
			"all":  {},
			"100":  {Limit: 100},
			"name": {Sort: []store.Order{{Attribute: "name"}}, Filters: []store.Filter{filter("project_id", "project")}},
		} {
			b.Run("load balancers/"+name, func(b *testing.B) {
				for b.Loop() {
					if _, err := s.LoadBalancers(context.Background(), q); err != nil {
						b.Fatal(err)
					}
				}
			})
			b.Run("members/"+name, func(b *testing.B) {
				for b.Loop() {
					if _, err := s.Members(context.Background(), q); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	})
}

// BenchmarkAchieved records that a change of one member among n is true.
func BenchmarkAchieved(b *testing.B) {
	for _, n := range []int{10, 1000} {
		b.Run(fmt.Sprintf("members=%d", n), func(b *testing.B) {
			storetest.EachB(b, func(b *testing.B, s *store.Store) {
				ctx := context.Background()
				lb := create(b, s, withMembers(n))
				achieve(b, s, lb)
				lease := leaseOf(b, s, lb)
				for generation := int64(2); b.Loop(); generation++ {
					b.StopTimer()
					change(b, s, lb.ID, func(c *store.Change) error { return c.Put(c.LB.Pools[0].Members[n/2]) })
					b.StartTimer()
					if err := s.Achieved(ctx, lease, lb.ID, generation, nil, nil); err != nil {
						b.Fatal(err)
					}
				}
			})
		})
	}
}

// BenchmarkObserve records what was seen of 100 load balancers with 10 members each: nothing new, or new statistics of all.
func BenchmarkObserve(b *testing.B) {
	for _, news := range []bool{false, true} {
		b.Run(fmt.Sprintf("news=%v", news), func(b *testing.B) {
			storetest.EachB(b, func(b *testing.B, s *store.Store) {
				seen := map[string]store.Seen{}
				for range 100 {
					lb := withMembers(10)
					lb.Host = "h"
					create(b, s, lb)
					one := store.Seen{Operating: map[string]lbaas.OperatingStatus{}, Statistics: map[string]lbaas.Statistics{}}
					for _, part := range lb.Parts() {
						one.Operating[part.Base().ID] = part.Base().Operating
					}
					one.Statistics[lb.Listeners[0].ID] = lbaas.Statistics{}
					seen[lb.ID] = one
				}
				lease, _, err := s.AcquireLease(context.Background(), "host/h", "bench", 1<<40)
				if err != nil {
					b.Fatal(err)
				}
				for i := int64(0); b.Loop(); i++ {
					for _, one := range seen {
						if news {
							for id := range one.Statistics {
								one.Statistics[id] = lbaas.Statistics{BytesIn: i}
							}
						}
					}
					if err := s.Observe(context.Background(), lease, seen); err != nil {
						b.Fatal(err)
					}
				}
			})
		})
	}
}
