package avi

import (
	"context"
	"net/http"
	"testing"

	"plimsoll/internal/provider/avi/translate"
	"plimsoll/lbaas"
)

// TestWithoutAnchor has somebody delete the virtual services and the VsVip of a load balancer, as one does who has lost the lease in the
// midst of making it empty: what is left is found all the same, by who made it, and by any process that removes it.
func TestWithoutAnchor(t *testing.T) {
	for _, test := range []struct {
		name string
		end  func(w *world, lb *lbaas.LoadBalancer) error
	}{
		{"emptied", func(w *world, lb *lbaas.LoadBalancer) error {
			if !observe(w.t, w.provider, lb)[lb.ID].Drifted {
				w.t.Error("it is not seen")
			}
			return w.apply(next(lb, func(lb *lbaas.LoadBalancer) { lb.Listeners = nil }))
		}},
		{"emptied by another process, which saw it", func(w *world, lb *lbaas.LoadBalancer) error {
			w.provider = w.open(nil)
			lb = next(lb, func(lb *lbaas.LoadBalancer) { lb.Listeners = nil })
			lb.Progress.Observed = lb.Progress.Generation
			if !observe(w.t, w.provider, lb)[lb.ID].Drifted {
				w.t.Error("it is not seen")
			}
			return w.apply(lb)
		}},
		{"removed", func(w *world, lb *lbaas.LoadBalancer) error { return w.provider.Remove(w.t.Context(), lb) }},
		{"removed by another process", func(w *world, lb *lbaas.LoadBalancer) error { return w.open(nil).Remove(w.t.Context(), lb) }},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t)
			lb := w.Tree(t)
			mustApply(t, w.provider, lb)
			w.server.Drop(translate.VirtualService, "virtualservice-"+lb.Listeners[0].ID)
			w.server.Drop(translate.VsVip, "vsvip-"+lb.ID)
			if err := test.end(w, lb); err != nil {
				t.Fatal(err)
			}
			w.CheckGone(t, lb)
		})
	}
}

// TestNothingIsCheap: a load balancer that is new to the process, or that it has made nothing of, or removed, costs one question.
func TestNothingIsCheap(t *testing.T) {
	w := newWorld(t)
	lb := next(w.Tree(t), func(lb *lbaas.LoadBalancer) { lb.Listeners = nil })
	remove := func(lb *lbaas.LoadBalancer) error { return w.provider.Remove(context.Background(), lb) }
	for _, step := range []func(*lbaas.LoadBalancer) error{w.apply, w.apply, remove, remove} {
		w.server.ResetCalls()
		if err := step(lb); err != nil {
			t.Fatal(err)
		}
		questions := 0
		for _, c := range w.server.Calls() {
			if c.Method == http.MethodGet && c.Path != "/api/vrfcontext" {
				questions++
			}
		}
		if questions > 1 {
			t.Errorf("%d questions: %s", questions, lines(w.server.Calls()))
		}
	}
}
