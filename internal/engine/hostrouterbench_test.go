package engine

import (
	"context"
	"fmt"
	"os"
	"slices"
	"testing"

	"github.com/google/uuid"

	"plimsoll/internal/engine/enginepb"
)

// benchRouters are so many routers with a gateway, an inner link and a floating address each.
func benchRouters(n int) []*enginepb.Router {
	var all []*enginepb.Router
	for range n {
		all = append(all, &enginepb.Router{Id: uuid.NewString(), InternalPortIds: []string{uuid.NewString()}, ExternalPortId: uuid.NewString(),
			Snat4: gateway, Floatings: []*enginepb.Floating{{Address: floatingA, Fixed: stationA}}})
	}
	return all
}

// BenchmarkRouters is what a plan costs among so many routers: all of them new, one of them new, and a look at all.
func BenchmarkRouters(b *testing.B) {
	if os.Geteuid() != 0 {
		b.Skip("needs root")
	}
	for _, n := range []int{100, 500} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			e, err := New(Config{StateDir: b.TempDir(), Instance: uuid.NewString(), Host: "here"})
			if err != nil {
				b.Fatal(err)
			}
			defer e.Close()
			defer func() {
				if err := e.Purge(context.Background()); err != nil {
					b.Error(err)
				}
			}()
			if err := e.prepare(); err != nil {
				b.Fatal(err)
			}
			apply := func(routers []*enginepb.Router) {
				reply, err := e.ApplyHost(b.Context(), &enginepb.HostPlan{Routers: routers})
				if err != nil || len(reply.Failures) > 0 {
					b.Fatal(reply, err)
				}
			}
			for b.Loop() {
				routers := benchRouters(n)
				more := slices.Concat(routers, benchRouters(1))
				took := func(name string, routers []*enginepb.Router) {
					before := b.Elapsed()
					apply(routers)
					b.ReportMetric(float64((b.Elapsed()-before).Microseconds())/1000, name+"-ms")
				}
				took("new", routers)
				took("one-more", more)
				took("look-at-all", more) // what comes again
				took("one-less", routers)
				took("none", nil)
			}
		})
	}
}
