package store

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	mathrand "math/rand/v2"
	"net/netip"
	"strings"

	"github.com/uptrace/bun"

	"plimsoll/internal/network"
)

// addressRow is an address that a port has. Its key is what keeps two ports from having one address: there is no other lock.
type addressRow struct {
	bun.BaseModel `bun:"table:port_addresses"`

	SubnetID string `bun:"subnet_id,pk"`
	Number   string `bun:"number,pk"`
	Address  string
	PortID   string
	Position int
}

// allocations bounds how often an allocation is tried when others take what it drew.
const allocations = 64

// allocating is change for transactions that draw addresses: they are tried again when somebody else took meanwhile what they drew.
func (s *Store) allocating(ctx context.Context, name string, fn func(ctx context.Context, tx bun.Tx) error) error {
	for try := 1; ; try++ {
		err := s.change(ctx, name, fn)
		if err == nil || try == allocations || ctx.Err() != nil || !(errors.Is(err, errTaken) || retryable(err)) {
			return err
		}
	}
}

// allocate gives a port the addresses that it lacks, and keeps a row of each that it has.
func allocate(ctx context.Context, tx bun.Tx, p *network.Port) error {
	if len(p.FixedIPs) > network.MaxFixedIPs {
		return network.InvalidInput("Exceeded maximum amount of fixed ips per port.")
	}
	wanted, err := wantedIPs(ctx, tx, p)
	if err != nil {
		return err
	}
	fixed := make([]network.FixedIP, len(wanted))
	for _, given := range []bool{true, false} { // first the given ones, so that none of them is drawn
		for i, w := range wanted {
			if w.Address.IsValid() != given {
				continue
			}
			if fixed[i], err = takeAddress(ctx, tx, p, i, w); err != nil {
				return err
			}
		}
	}
	p.FixedIPs = fixed
	return nil
}

func wantedIPs(ctx context.Context, tx bun.Tx, p *network.Port) ([]network.WantedIP, error) {
	subnets, err := subnetsOfNetwork(ctx, tx, p.NetworkID)
	if err != nil {
		return nil, err
	}
	if p.FixedIPs == nil {
		return network.DefaultIPs(p.MAC, subnets)
	}
	var wanted []network.WantedIP
	for _, f := range p.FixedIPs {
		w, err := f.Wanted(p, subnets)
		if err != nil {
			return nil, err
		}
		wanted = append(wanted, w)
	}
	return wanted, nil
}

func takeAddress(ctx context.Context, tx bun.Tx, p *network.Port, position int, w network.WantedIP) (network.FixedIP, error) {
	fixed := network.FixedIP{SubnetID: w.Subnets[0].ID, Address: w.Address}
	if !w.Address.IsValid() {
		var err error
		if fixed, err = drawAddress(ctx, tx, w.Subnets); err != nil {
			return fixed, err
		}
		if !fixed.Address.IsValid() {
			return fixed, network.NoAddress(p.NetworkID)
		}
	}
	row := &addressRow{SubnetID: fixed.SubnetID, Number: addressNumber(fixed.Address), Address: fixed.Address.String(),
		PortID: p.ID, Position: position}
	_, err := tx.NewInsert().Model(row).Exec(ctx)
	switch {
	case err == nil:
		return fixed, nil
	case !duplicate(err):
		return fixed, fmt.Errorf("insert address: %w", err)
	case w.Address.IsValid():
		return fixed, network.AddressInUse(p.NetworkID, w.Address)
	}
	return fixed, errTaken
}

// drawAddress finds a free address in the first of the subnets that has one; the zero FixedIP says that none has.
func drawAddress(ctx context.Context, tx bun.Tx, subnets []*network.Subnet) (network.FixedIP, error) {
	for _, s := range subnets {
		order, err := network.SearchOrder(s.AllocationPools, rand.Reader)
		if err != nil {
			return network.FixedIP{}, err
		}
		for _, r := range order {
			a, err := drawFrom(ctx, tx, s.ID, r)
			if err != nil || a.IsValid() {
				return network.FixedIP{SubnetID: s.ID, Address: a}, err
			}
		}
	}
	return network.FixedIP{}, nil
}

// How many taken addresses are read at first and at once later, since mostly there is room around the first of them, and among how
// many free ones the draw is, so that those who draw at the same time seldom draw the same.
const (
	takenAtFirst = 32
	takenAtOnce  = 512
	freeAtOnce   = 16
)

func drawFrom(ctx context.Context, tx bun.Tx, subnetID string, r network.Range) (netip.Addr, error) {
	for most := takenAtFirst; r.Start.IsValid() && !r.End.Less(r.Start); most = takenAtOnce {
		taken, err := takenIn(ctx, tx, subnetID, r, most, "number")
		if err != nil {
			return netip.Addr{}, err
		}
		known := r
		if len(taken) == most {
			known.End = taken[len(taken)-1]
		}
		if free := network.Free(known, taken, freeAtOnce); len(free) > 0 {
			return free[mathrand.IntN(len(free))], nil
		}
		r.Start = known.End.Next()
	}
	return netip.Addr{}, nil
}

// takenIn reads so many of the taken addresses of a range, the first in that order.
func takenIn(ctx context.Context, tx bun.Tx, subnetID string, r network.Range, most int, order string) ([]netip.Addr, error) {
	var texts []string
	err := tx.NewSelect().Model((*addressRow)(nil)).Column("address").
		Where("subnet_id = ? AND number >= ? AND number <= ?", subnetID, addressNumber(r.Start), addressNumber(r.End)).
		Order(order).Limit(int64(most)).Scan(ctx, &texts)
	if err != nil {
		return nil, fmt.Errorf("read the taken addresses: %w", err)
	}
	taken := make([]netip.Addr, 0, len(texts))
	for _, text := range texts {
		a, err := netip.ParseAddr(text)
		if err != nil {
			return nil, fmt.Errorf("read the taken addresses: %w", err)
		}
		taken = append(taken, a)
	}
	return taken, nil
}

// addressNumber writes an address so that the order of texts is the order of addresses.
func addressNumber(a netip.Addr) string {
	b := a.As16()
	return hex.EncodeToString(b[:])
}

// release takes all its addresses from a port.
func release(ctx context.Context, tx bun.Tx, portID string) error {
	if _, err := tx.NewDelete().Model((*addressRow)(nil)).Where("port_id = ?", portID).Exec(ctx); err != nil {
		return fmt.Errorf("release addresses: %w", err)
	}
	return nil
}

// fillAddresses reads the addresses of ports.
func fillAddresses(ctx context.Context, db bun.IDB, ports []*network.Port) error {
	byID := map[string]*network.Port{}
	var ids []string
	for _, p := range ports {
		byID[p.ID] = p
		ids = append(ids, p.ID)
	}
	var rows []*addressRow
	err := db.NewSelect().Model(&rows).Where("port_id IN (?)", bun.List(ids)).Order("port_id", "position").Scan(ctx)
	if err != nil {
		return fmt.Errorf("read the ports' addresses: %w", err)
	}
	for _, row := range rows {
		a, err := netip.ParseAddr(row.Address)
		if err != nil {
			return fmt.Errorf("read address of port %s: %w", row.PortID, err)
		}
		p := byID[row.PortID]
		p.FixedIPs = append(p.FixedIPs, network.FixedIP{SubnetID: row.SubnetID, Address: a})
	}
	return nil
}

// byAddress understands Neutron's filter fixed_ips: values of one key are alternatives, different keys must all hold of one
// address. A value of another form is of no address.
func (s *Store) byAddress(sel *bun.SelectQuery, values []string) *bun.SelectQuery {
	byKey := map[string][]string{}
	for _, v := range values {
		key, value, _ := strings.Cut(v, "=")
		byKey[key] = append(byKey[key], value)
	}
	match := s.read.NewSelect().Table("port_addresses").Column("port_id")
	for key, wanted := range byKey {
		switch key {
		case "subnet_id":
			match = match.Where("subnet_id IN (?)", bun.List(wanted))
		case "ip_address":
			match = match.Where("address IN (?)", bun.List(canonical(wanted)))
		case "ip_address_substr":
			match = match.WhereGroup(" AND ", func(g *bun.SelectQuery) *bun.SelectQuery {
				for _, w := range wanted {
					g = g.WhereOr("REPLACE(address, ?, '') <> address", w)
				}
				return g
			})
		default:
			match = match.Where("1 = 0")
		}
	}
	return sel.Where("id IN (?)", match)
}

func canonical(texts []string) []string {
	var list []string
	for _, text := range texts {
		if a, err := netip.ParseAddr(text); err == nil {
			text = a.String()
		}
		list = append(list, text)
	}
	return list
}
