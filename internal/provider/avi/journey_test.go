package avi

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"plimsoll/internal/provider/avi/avitest"
	"plimsoll/internal/provider/avi/translate"
	"plimsoll/lbaas"
)

var journeys = flag.Uint64("journeys", 6, "how many journeys TestJourneys makes")

// TestJourneys goes from any chapter of a saga to any other, with several faults on the way, in two processes that take the lease from
// each other, and with an operator who deletes and changes things: after some tries all is as the last chapter wants it.
func TestJourneys(t *testing.T) {
	s := newSaga(t)
	for seed := range *journeys {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) { s.journey(t, rand.New(rand.NewPCG(seed, 0))) })
	}
}

func (s *saga) journey(t *testing.T, r *rand.Rand) {
	change := func(c *Config) { c.Secrets, c.Controller.Probe = s.secrets, time.Nanosecond }
	w := worldOf(t, avitest.Options{}, change)
	other := w.open(change)
	now := stamp{1, 0}
	for range 4 {
		if r.IntN(2) == 0 {
			w.provider, other = other, w.provider
			now.epoch++
		}
		w.mischief(r)
		now.generation++
		w.arrive(t, r, s, r.IntN(chapters), now)
	}
	end := s.tree(0)
	end.Epoch, end.Progress.Generation = now.epoch, now.generation+1
	if err := w.provider.Remove(t.Context(), end); err != nil {
		t.Fatal(err)
	}
	w.CheckGone(t, end)
}

// mischief has an operator delete a virtual service, or empty a pool, which Observe then finds.
func (w *world) mischief(r *rand.Rand) {
	if r.IntN(2) == 0 {
		return
	}
	for k, o := range w.objectsOf(&lbaas.LoadBalancer{Object: object1(1, "")}) {
		switch {
		case k.kind == translate.VirtualService && o["type"] != "VS_TYPE_VH_PARENT":
			w.server.Drop(k.kind, k.uuid)
		case k.kind == translate.Pool:
			w.edit(k.kind, k.uuid, func(o map[string]any) { o[servers], o["enabled"] = []any{}, false })
		}
	}
	w.provider.memory.doubt(id(1), w.provider.memory.get(id(1)))
}

// arrive applies a chapter, in up to so many tries as there are faults, and one more.
func (w *world) arrive(t *testing.T, r *rand.Rand, s *saga, chapter int, now stamp) {
	t.Helper()
	lb := s.tree(chapter)
	lb.Epoch, lb.Progress.Generation = now.epoch, now.generation
	faults := r.IntN(4)
	for range faults {
		w.server.Inject(avitest.Fault{Skip: r.IntN(25), Kind: someFaults[r.IntN(len(someFaults))]})
	}
	err := w.apply(lb)
	for range faults {
		if err == nil {
			break
		}
		err = w.apply(lb)
	}
	w.server.ClearFaults()
	if err != nil {
		t.Fatalf("after %d faults: %v", faults, err)
	}
	w.checkSaga(t, s, chapter)
}

var someFaults = []avitest.Kind{
	avitest.CutAfterWrite, avitest.CutBefore, avitest.CutWithin, avitest.ServerError, avitest.Unavailable, avitest.Unauthorized, avitest.SwitchSession,
}
