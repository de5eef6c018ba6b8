package store

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"

	"github.com/uptrace/bun"

	"plimsoll/internal/network"
)

// segmentRow says that a segment is a network's. Its key keeps two networks from being the same segment.
type segmentRow struct {
	bun.BaseModel `bun:"table:network_segments"`

	NetworkType string `bun:"network_type,pk"`
	Physical    string `bun:"physical_network,pk"`
	SegmentID   int    `bun:"segmentation_id,pk"`
	NetworkID   string
}

// SetSegments says what networks may be. It is called at most once, before the store is used; without it they are local.
func (s *Store) SetSegments(c network.Segments) { s.segments = c }

// allocateSegment gives a new network, which has an id, the segment that it asks for, or one that is free, and an MTU where it
// asks for none.
func (s *Store) allocateSegment(ctx context.Context, tx bun.Tx, n *network.Network) (err error) {
	if n.Segment.Type == "" {
		n.Segment, err = s.anySegment(ctx, tx, n.ID)
	} else {
		n.Segment, err = s.thatSegment(ctx, tx, n.Segment, n.ID)
	}
	if err != nil {
		return err
	}
	return s.settleMTU(n)
}

// settleMTU gives a network an MTU that asks for none, and refuses what its type cannot carry.
func (s *Store) settleMTU(n *network.Network) error {
	if n.MTU == 0 {
		n.MTU = s.segments.MTU(n.Segment.Type)
	}
	return s.segments.CheckMTU(n.Segment.Type, n.MTU)
}

// anySegment takes a free segment of the first type that has one.
func (s *Store) anySegment(ctx context.Context, tx bun.Tx, networkID string) (network.Segment, error) {
	for _, kind := range s.segments.Types() {
		found, ok, err := s.freeSegment(ctx, tx, network.Segment{Type: kind}, networkID)
		if err != nil || ok {
			return found, err
		}
	}
	return network.Segment{}, network.NoNetworkAvailable()
}

// thatSegment takes the segment that an administrator asks for, or completes it.
func (s *Store) thatSegment(ctx context.Context, tx bun.Tx, wanted network.Segment, networkID string) (network.Segment, error) {
	if err := s.segments.Check(wanted); err != nil {
		return wanted, err
	}
	if wanted.Type == network.TypeLocal || wanted.Type != network.TypeFlat && wanted.ID == 0 {
		found, ok, err := s.freeSegment(ctx, tx, wanted, networkID)
		if err == nil && !ok {
			err = network.NoNetworkAvailable()
		}
		return found, err
	}
	ok, err := takeSegment(ctx, tx, wanted, networkID)
	if err == nil && !ok {
		err = network.SegmentInUse(wanted)
	}
	return wanted, err
}

// freeSegment takes a segment of a type that no other network has; ok is false where there is none.
func (s *Store) freeSegment(ctx context.Context, tx bun.Tx, wanted network.Segment, networkID string) (found network.Segment, ok bool, err error) {
	switch wanted.Type {
	case network.TypeLocal:
		return wanted, true, nil
	case network.TypeVXLAN:
		return drawSegment(ctx, tx, wanted, s.segments.VNIs, networkID)
	case network.TypeVLAN:
		for _, physical := range slices.Sorted(maps.Keys(s.segments.VLANs)) {
			if wanted.Physical != "" && wanted.Physical != physical {
				continue
			}
			of := network.Segment{Type: wanted.Type, Physical: physical}
			found, ok, err = drawSegment(ctx, tx, of, s.segments.VLANs[physical], networkID)
			if err != nil || ok {
				return found, ok, err
			}
		}
	}
	return wanted, false, nil // there is one flat network to a physical one, which must be named
}

// draws is how often a segment is drawn by lot before the free ones are listed.
const draws = 8

// drawSegment takes a segment with an id of one of the ranges. Ids are drawn by lot, so that two who draw at the same time seldom
// wait for each other.
func drawSegment(ctx context.Context, tx bun.Tx, of network.Segment, ranges []network.IDRange, networkID string) (network.Segment, bool, error) {
	total := 0
	for _, r := range ranges {
		total += r.Max - r.Min + 1
	}
	for range min(draws, total) {
		of.ID = pickID(ranges, rand.IntN(total))
		if ok, err := takeSegment(ctx, tx, of, networkID); err != nil || ok {
			return of, ok, err
		}
	}
	taken, err := takenIDs(ctx, tx, of)
	if err != nil {
		return of, false, err
	}
	for i := range total {
		of.ID = pickID(ranges, i)
		if taken[of.ID] {
			continue
		}
		if ok, err := takeSegment(ctx, tx, of, networkID); err != nil || ok {
			return of, ok, err
		}
	}
	return of, false, nil
}

// pickID is the id at a place of the ranges, counted from 0.
func pickID(ranges []network.IDRange, place int) int {
	for _, r := range ranges {
		if size := r.Max - r.Min + 1; place >= size {
			place -= size
			continue
		}
		return r.Min + place
	}
	return 0
}

// takeSegment makes a segment a network's; it answers false where it is another's. Of two who ask at once, the second waits for
// the first's end.
func takeSegment(ctx context.Context, tx bun.Tx, of network.Segment, networkID string) (bool, error) {
	row := &segmentRow{NetworkType: of.Type, Physical: of.Physical, SegmentID: of.ID, NetworkID: networkID}
	n, err := affected(tx.NewInsert().Model(row).Ignore().Exec(ctx))
	if err != nil {
		return false, fmt.Errorf("take segment: %w", err)
	}
	return n > 0, nil
}

func takenIDs(ctx context.Context, tx bun.Tx, of network.Segment) (map[int]bool, error) {
	var ids []int
	err := tx.NewSelect().Table("network_segments").Column("segmentation_id").
		Where("network_type = ? AND physical_network = ?", of.Type, of.Physical).Scan(ctx, &ids)
	if err != nil {
		return nil, fmt.Errorf("list segments: %w", err)
	}
	taken := map[int]bool{}
	for _, id := range ids {
		taken[id] = true
	}
	return taken, nil
}

// freeSegmentOf returns the segment of a network that goes.
func freeSegmentOf(tx bun.Tx, networkID string) *bun.DeleteQuery {
	return tx.NewDelete().Table("network_segments").Where("network_id = ?", networkID)
}
