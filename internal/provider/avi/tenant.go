package avi

import (
	"context"
	"fmt"

	"github.com/google/uuid"

	"plimsoll/internal/provider/avi/controller"
	"plimsoll/internal/provider/avi/translate"
	"plimsoll/lbaas"
)

// tenant is in whose name a load balancer is made.
func (p *Provider) tenant(lb *lbaas.LoadBalancer) controller.Tenant {
	if name := p.cfg.Tenants.Single; name != "" {
		return controller.Tenant{Name: name}
	}
	return controller.Tenant{UUID: translate.UUID(translate.Tenant, lb.ProjectID)}
}

// createTenant makes the tenant of a load balancer. Another call may have made it meanwhile; its name may be another project's, since
// only in a domain are names of projects unique.
func (p *Provider) createTenant(ctx context.Context, lb *lbaas.LoadBalancer) error {
	id, name, err := p.newTenant(ctx, lb)
	if err != nil {
		return err
	}
	for _, name := range []string{name, name + "-" + translate.ID(id)} {
		err = p.postTenant(ctx, id, name, lb)
		if !controller.Taken(err) {
			return err
		}
		if there, err := p.tenantIsThere(ctx, lb); there || err != nil {
			return err
		}
	}
	return err
}

// newTenant are the UUID and the name of a tenant that is to be made.
func (p *Provider) newTenant(ctx context.Context, lb *lbaas.LoadBalancer) (id, name string, err error) {
	if name = p.cfg.Tenants.Single; name != "" {
		return translate.UUID(translate.Tenant, uuid.NewSHA1(uuid.NameSpaceOID, []byte(name)).String()), name, nil
	}
	id = translate.UUID(translate.Tenant, lb.ProjectID)
	if p.cfg.ProjectName != nil {
		if name, err = p.cfg.ProjectName(ctx, lb.ProjectID); err != nil {
			return "", "", fmt.Errorf("find the name of project %s: %w", lb.ProjectID, err)
		}
	}
	if name == "" {
		name = lb.ProjectID
	}
	return id, name, nil
}

func (p *Provider) postTenant(ctx context.Context, id, name string, lb *lbaas.LoadBalancer) error {
	_, err := p.ctl.Create(ctx, controller.Admin, translate.Tenant, id, controller.Object{
		"name": name, "local": true, description: autoCreated,
		"config_settings": controller.Object{
			"tenant_vrf": p.perSubnet(lb), "se_in_provider_context": true, "tenant_access_to_provider_se": true,
		},
	})
	if err != nil {
		return fmt.Errorf("create %s: %w", id, err)
	}
	p.log().Info("Avi tenant created", "tenant", id, "name", name, "project", lb.ProjectID)
	return nil
}

// tenantIsThere tells whether somebody else made the tenant.
func (p *Provider) tenantIsThere(ctx context.Context, lb *lbaas.LoadBalancer) (bool, error) {
	_, err := p.ctl.List(ctx, p.tenant(lb), translate.VRFContext, nil)
	if controller.NoTenant(err) {
		return false, nil
	}
	return err == nil, err
}

// perSubnet tells whether a load balancer is to have a VRF context of its subnet's.
func (p *Provider) perSubnet(lb *lbaas.LoadBalancer) bool {
	flavor, err := ParseFlavor(lb.Flavor)
	if err != nil || flavor.VRFPerSubnet == nil {
		return p.cfg.VRFPerSubnet
	}
	return *flavor.VRFPerSubnet
}
