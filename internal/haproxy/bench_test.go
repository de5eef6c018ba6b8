package haproxy

import (
	"fmt"
	"testing"

	"plimsoll/lbaas"
)

// largeTree has ten listeners of a hundred members each.
func largeTree() *lbaas.LoadBalancer {
	lb := newTree()
	for i := 1; i <= 10; i++ {
		p := addPool(lb, i, lbaas.HTTP, lbaas.RoundRobin)
		for j := 1; j <= 100; j++ {
			addMember(p, 100*i+j, fmt.Sprintf("10.%d.0.%d", i, j), 80)
		}
		addListener(lb, i, lbaas.HTTP, 8000+i, p.ID)
	}
	return lb
}

// BenchmarkRender is what a load balancer of 1,000 members costs: its Spec, its file, and the plan for one more weight.
func BenchmarkRender(b *testing.B) {
	lb := largeTree()
	was := Render(lb, nil, nil, testDir)
	lb.Pools[3].Members[7].Weight = 9
	for b.Loop() {
		spec := Render(lb, nil, nil, testDir)
		File(spec)
		if plan := Diff(was, spec); len(plan.Steps) != 1 {
			b.Fatalf("plan %+v", plan)
		}
	}
}
