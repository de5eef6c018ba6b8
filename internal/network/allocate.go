package network

import (
	"crypto/rand"
	"fmt"
	"io"
	"math/big"
	"net/netip"
)

// near is how many addresses of a big pool are searched from its start before a random place is tried.
const near = 256

// SearchOrder says in which order the addresses of allocation pools are searched for a free one, as ranges that together are the
// pools. Low addresses come first. When the first few hundred are taken, the search goes on from a random place, so that
// finding a free address in a big range costs no more the more of it is taken.
func SearchOrder(pools []Range, random io.Reader) ([]Range, error) {
	sorted := sortedPools(pools)
	if len(sorted) == 0 || sorted[0].size().Cmp(big.NewInt(4*near)) <= 0 {
		return sorted, nil
	}
	first := sorted[0]
	middle := first.at(big.NewInt(near))
	point, err := Range{middle, first.End}.random(random)
	if err != nil {
		return nil, err
	}
	order := []Range{{first.Start, middle.Prev()}, {point, first.End}}
	order = append(order, sorted[1:]...)
	if point != middle {
		order = append(order, Range{middle, point.Prev()})
	}
	return order, nil
}

// Free returns up to n free addresses of a range, lowest first, where taken are the addresses of the range that are not, in order.
func Free(r Range, taken []netip.Addr, n int) []netip.Addr {
	var free []netip.Addr
	next := r.Start
	for _, t := range taken {
		for ; next.Less(t) && len(free) < n; next = next.Next() {
			free = append(free, next)
		}
		if len(free) == n {
			return free
		}
		next = t.Next()
	}
	for ; next.IsValid() && !r.End.Less(next) && len(free) < n; next = next.Next() {
		free = append(free, next)
	}
	return free
}

// size is how many addresses the range has.
func (r Range) size() *big.Int {
	n := new(big.Int).Sub(number(r.End), number(r.Start))
	return n.Add(n, big.NewInt(1))
}

// at is the address that many places after the start.
func (r Range) at(offset *big.Int) netip.Addr {
	n := new(big.Int).Add(number(r.Start), offset)
	b := n.FillBytes(make([]byte, r.Start.BitLen()/8))
	a, _ := netip.AddrFromSlice(b)
	return a
}

// random is any address of the range, all alike probable.
func (r Range) random(source io.Reader) (netip.Addr, error) {
	offset, err := rand.Int(source, r.size())
	if err != nil {
		return netip.Addr{}, fmt.Errorf("choose an address: %w", err)
	}
	return r.at(offset), nil
}

func number(a netip.Addr) *big.Int { return new(big.Int).SetBytes(a.AsSlice()) }
