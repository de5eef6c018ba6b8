package store

import (
	"context"
	"fmt"
	"net/netip"

	"github.com/uptrace/bun"

	"plimsoll/internal/network"
)

type factRow struct {
	bun.BaseModel `bun:"table:facts"`

	Name  string `bun:"name,pk"`
	Value string
}

// firstNetworks is the fact that the first networks were made, so that an operator may delete them for good.
const firstNetworks = "networks.first"

// BootstrapNetworks makes the networks of a first start, once in the life of the database: "public" (172.24.4.0/24, external) and "private"
// (10.0.0.0/26), each with a subnet, for the project of that id. Both are shared: unlike on devstack's public, where tenants have
// floating addresses only, a tenant's load balancers may have their VIPs on public here, and need no router.
func (s *Store) BootstrapNetworks(ctx context.Context, projectID string) error {
	done, err := s.read.NewSelect().Model((*factRow)(nil)).Where("name = ?", firstNetworks).Exists(ctx)
	if err != nil {
		return fmt.Errorf("look for the first networks: %w", err)
	}
	if done {
		return nil
	}
	err = s.change(ctx, "store.bootstrapNetworks", func(ctx context.Context, tx bun.Tx) error {
		if _, err := tx.NewInsert().Model(&factRow{Name: firstNetworks, Value: "made"}).Exec(ctx); err != nil {
			return fmt.Errorf("note the first networks: %w", err)
		}
		if err := firstNetwork(ctx, tx, projectID, "public", "172.24.4.0/24", true); err != nil {
			return err
		}
		return firstNetwork(ctx, tx, projectID, "private", "10.0.0.0/26", false)
	})
	if duplicate(err) {
		return nil // another process was faster
	}
	return err
}

func firstNetwork(ctx context.Context, tx bun.Tx, projectID, name, cidr string, external bool) error {
	n := &network.Network{ProjectID: projectID, Name: name, AdminStateUp: true, Shared: true, External: external}
	if err := insertNetwork(ctx, tx, n); err != nil {
		return err
	}
	prefix := netip.MustParsePrefix(cidr)
	return insertSubnet(ctx, tx, &network.Subnet{ProjectID: projectID, NetworkID: n.ID, Name: name + "-subnet", CIDR: prefix,
		Gateway: network.DefaultGateway(prefix), EnableDHCP: true})
}
