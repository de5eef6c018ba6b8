package datagram

import (
	"fmt"
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"plimsoll/internal/engine/enginepb"
)

func weighted(weights ...int32) []*enginepb.Target {
	var all []*enginepb.Target
	for i, w := range weights {
		all = append(all, member(i, "10.93.48.3", w))
	}
	return all
}

// order spells whose turn it is: a is the first member.
func order(members, slots []*enginepb.Target) string {
	names := map[string]byte{}
	for i, t := range members {
		names[t.MemberId] = 'a' + byte(i)
	}
	var text []byte
	for _, t := range slots {
		text = append(text, names[t.MemberId])
	}
	return string(text)
}

func TestTurns(t *testing.T) {
	for _, test := range []struct {
		weights []int32
		want    string
	}{
		{[]int32{7}, "a"}, {[]int32{256, 256}, "ab"}, {[]int32{5, 1, 1}, "aabacaa"}, {[]int32{4, 2}, "aba"}, {[]int32{1, 2, 3}, "cbacbc"},
	} {
		members := weighted(test.weights...)
		if diff := cmp.Diff(test.want, order(members, turns(members))); diff != "" {
			t.Errorf("turns of %v (-want +got):\n%s", test.weights, diff)
		}
	}
}

func drawMembers(t *rapid.T, most int) []*enginepb.Target {
	var all []*enginepb.Target
	for i := range rapid.IntRange(1, most).Draw(t, "members") {
		all = append(all, &enginepb.Target{MemberId: fmt.Sprintf("%d-%d", i, rapid.Uint32().Draw(t, "id")), Weight: rapid.Int32Range(1, 256).Draw(t, "weight")})
	}
	return all
}

// TestTurnsAreFair wants each member to have its share, as nearly as slots allow, and nobody to be left out.
func TestTurnsAreFair(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		members := drawMembers(t, 60)
		slots := turns(members)
		if len(slots) > turnsMost+len(members) {
			t.Fatalf("%d slots", len(slots))
		}
		sum, has := 0.0, map[string]int{}
		for _, m := range members {
			sum += float64(m.Weight)
		}
		for _, s := range slots {
			has[s.MemberId]++
		}
		for _, m := range members {
			want := float64(m.Weight) / sum
			got := float64(has[m.MemberId]) / float64(len(slots))
			if has[m.MemberId] == 0 || math.Abs(got-want) > 0.002+0.2*want {
				t.Errorf("weight %d of %v has %d of %d slots", m.Weight, sum, has[m.MemberId], len(slots))
			}
		}
	})
}

// TestRendezvous wants a member that goes to change no slot but its own, and shares that follow the weights.
func TestRendezvous(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		members := drawMembers(t, 8)
		before := rendezvous(members)
		if len(members) == 1 {
			return
		}
		gone := rapid.IntRange(0, len(members)-1).Draw(t, "gone")
		var left []*enginepb.Target
		for i, m := range members {
			if i != gone {
				left = append(left, m)
			}
		}
		for i, now := range rendezvous(left) {
			if before[i] != members[gone] && before[i] != now {
				t.Fatalf("slot %d went from %s to %s, and neither is gone", i, before[i].MemberId, now.MemberId)
			}
		}
	})
	has := map[string]int{}
	for _, s := range rendezvous(weighted(1, 1, 2)) {
		has[s.MemberId]++
	}
	for i, want := range []int{hashed / 4, hashed / 4, hashed / 2} {
		if got := has[uid(3, i)]; math.Abs(float64(got-want)) > 0.1*float64(want) {
			t.Errorf("member %d has %d slots, want about %d", i, got, want)
		}
	}
}

// TestNumbers wants a number of its own for each member, that stays when others come.
func TestNumbers(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		members := drawMembers(t, 60)
		all, seen := numbers(members), map[uint32]bool{0: true}
		for _, m := range members {
			n := all[m.MemberId]
			if seen[n] {
				t.Fatalf("number %d is of two members", n)
			}
			seen[n] = true
		}
		if some := numbers(members[:1]); some[members[0].MemberId] != all[members[0].MemberId] {
			t.Errorf("a member had %d, and has %d beside others", some[members[0].MemberId], all[members[0].MemberId])
		}
	})
}
