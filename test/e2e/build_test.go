package e2e

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"plimsoll/test/harness"
)

// TestRapidBuild makes whole trees without waiting for anything: nothing is refused, and all becomes ACTIVE and answers.
func TestRapidBuild(t *testing.T) {
	s := prepare(t, 3)
	const builders = 4
	lbs := make([]*harness.LB, builders)
	var all sync.WaitGroup
	for i := range builders {
		all.Go(func() {
			var err error
			lbs[i], err = s.TryTree(t, s.net, harness.Tree{Members: s.webs, Monitor: true})
			if err != nil {
				t.Errorf("tree %d: %v", i, err)
			}
		})
	}
	all.Wait()
	if t.Failed() {
		return
	}
	for _, lb := range lbs {
		s.WaitActive(t, lb.ID)
		s.WaitOperating(t, lb.ID, lb.ID, "ONLINE")
		harness.Eventually(t, 10*time.Second, func() error { return s.allServe(lb) })
	}
}

// allServe tells whether a round of requests reaches every member in turn.
func (s *site) allServe(lb *harness.LB) error {
	var names []string
	for range 2 * len(s.webs) {
		name, err := s.client.Get(lb.Address)
		if err != nil {
			return err
		}
		names = append(names, name)
	}
	slices.Sort(names)
	var want []string
	for _, w := range s.webs {
		want = append(want, w.Name, w.Name)
	}
	if diff := cmp.Diff(want, names); diff != "" {
		return fmt.Errorf("members that answered (-want +got):\n%s", diff)
	}
	return nil
}
