package datagram

import (
	"encoding/binary"
	"hash/fnv"
	"math"

	"plimsoll/internal/engine/enginepb"
)

const (
	// turnsMost is how many slots take turns at most. Weights that need more are rounded.
	turnsMost = 1024
	// hashed is how many slots a hash has: enough that a member has its share within some percent, and few enough that a change
	// is a matter of milliseconds.
	hashed = 4096
)

// slots shares the slots among members by their weights. There are none without members.
func (f family) slots(members []*enginepb.Target) []*enginepb.Target {
	if len(members) == 0 {
		return nil
	}
	if f.hashes() {
		return rendezvous(members)
	}
	return turns(members)
}

func (f family) hashes() bool { return f.Algorithm == SourceIP || f.Algorithm == SourceIPPort }

// turns lets the members take turns: each has as many slots as its weight, spread as evenly as can be (the smooth weighted
// round robin of nginx): at each step all gain their weight, and who has most pays with the sum of all weights.
func turns(members []*enginepb.Target) []*enginepb.Target {
	weights, sum := shares(members)
	slots := make([]*enginepb.Target, 0, sum)
	credit := make([]int, len(members))
	for range sum {
		best := 0
		for i := range members {
			credit[i] += weights[i]
			if credit[i] > credit[best] {
				best = i
			}
		}
		credit[best] -= sum
		slots = append(slots, members[best])
	}
	return slots
}

// shares are the members' weights without their common divisor, scaled down where they are too many; none is less than 1.
func shares(members []*enginepb.Target) (weights []int, sum int) {
	divisor := 0
	for _, t := range members {
		divisor = gcd(int(t.Weight), divisor)
		sum += int(t.Weight)
	}
	scale := 1.0
	if sum /= divisor; sum > turnsMost {
		scale = turnsMost / float64(sum)
	}
	sum = 0
	for _, t := range members {
		n := max(1, int(math.Round(scale*float64(int(t.Weight)/divisor))))
		weights, sum = append(weights, n), sum+n
	}
	return weights, sum
}

func gcd(a, b int) int {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

// rendezvous gives each slot to the member that scores most there, by a hash of both and the weight: a member that comes or
// goes changes no slot that is not its own. (Weighted rendezvous hashing: the score is -weight/ln(hash), of a hash between 0 and 1.)
func rendezvous(members []*enginepb.Target) []*enginepb.Target {
	slots := make([]*enginepb.Target, hashed)
	seeds := make([]uint64, len(members))
	for i, t := range members {
		h := fnv.New64a()
		_, _ = h.Write([]byte(t.MemberId))
		seeds[i] = h.Sum64()
	}
	for slot := range slots {
		most := math.Inf(-1)
		for i, t := range members {
			if s := -float64(t.Weight) / math.Log(unit(seeds[i], uint64(slot))); s > most {
				slots[slot], most = t, s
			}
		}
	}
	return slots
}

// unit is a number between 0 and 1, both excluded, that a member and a slot always have.
func unit(seed, slot uint64) float64 {
	var text [16]byte
	binary.BigEndian.PutUint64(text[:8], seed)
	binary.BigEndian.PutUint64(text[8:], slot)
	h := fnv.New64a()
	_, _ = h.Write(text[:])
	return (float64(mix(h.Sum64())>>11) + 0.5) / (1 << 53)
}

// mix spreads what FNV leaves in the low bits over all of them (the end of MurmurHash3).
func mix(n uint64) uint64 {
	n = (n ^ n>>33) * 0xff51afd7ed558ccd
	n = (n ^ n>>33) * 0xc4ceb9fe1a85ec53
	return n ^ n>>33
}
