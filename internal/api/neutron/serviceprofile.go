package neutron

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"

	"plimsoll/internal/identity"
	"plimsoll/internal/network"
	"plimsoll/internal/provider"
	"plimsoll/internal/store"
	"plimsoll/lbaas"
)

// The bounds of a service profile's texts, in characters.
const (
	maxDriver   = 1024
	maxMetainfo = lbaas.MaxProfileData
)

func (s *service) serviceProfiles() *resource {
	return &resource{
		name: "service_profile", plural: "service_profiles",
		spec: spec{
			"id": readOnly, "project_id": postOnly, "tenant_id": postOnly,
			"description": postAndPut, "driver": postAndPut, "metainfo": postAndPut, "enabled": postAndPut,
		},
		notFound: func(id string) error { return network.ServiceProfileNotFound(id) },
		list:     s.listServiceProfiles, show: s.showServiceProfile, create: s.createServiceProfiles, update: s.updateServiceProfile,
		remove: s.deleteServiceProfile,
	}
}

func serviceProfileView(p *network.ServiceProfile) view {
	return view{"id": p.ID, "description": p.Description, "driver": p.Driver, "metainfo": p.Metainfo, "enabled": p.Enabled}
}

// listServiceProfiles shows none to those who may see none.
func (s *service) listServiceProfiles(ctx context.Context, a *identity.Actor, q store.Query) ([]view, error) {
	if !a.Admin() {
		return []view{}, nil
	}
	found, err := s.store.ServiceProfiles(ctx, q)
	if err != nil {
		return nil, err
	}
	return viewsOf(found, serviceProfileView), nil
}

func (s *service) showServiceProfile(ctx context.Context, a *identity.Actor, id string) (view, error) {
	if !a.Admin() {
		return nil, network.ServiceProfileNotFound(id)
	}
	p, err := s.store.ServiceProfile(ctx, id)
	if err != nil {
		return nil, err
	}
	return serviceProfileView(p), nil
}

func (s *service) createServiceProfiles(ctx context.Context, a *identity.Actor, bodies []*body) ([]view, error) {
	if err := adminsOnly(a, "create_service_profile"); err != nil {
		return nil, err
	}
	var list []*network.ServiceProfile
	for _, b := range bodies {
		p := &network.ServiceProfile{Enabled: true, Data: "{}"}
		if err := s.readServiceProfile(b, p); err != nil {
			return nil, err
		}
		if p.Driver == "" && p.Metainfo == "" {
			return nil, network.ServiceProfileEmpty()
		}
		if err := s.judge(ctx, p); err != nil {
			return nil, err
		}
		list = append(list, p)
	}
	if err := s.store.CreateServiceProfiles(ctx, list); err != nil {
		return nil, err
	}
	return viewsOf(list, serviceProfileView), nil
}

// readServiceProfile reads the attributes that a request carries into a service profile.
func (s *service) readServiceProfile(b *body, p *network.ServiceProfile) error {
	driver, metainfo := p.Driver, p.Metainfo
	b.textOrNull("description", &p.Description, maxDriver)
	b.textOrNull("driver", &driver, maxDriver)
	b.textOrNull("metainfo", &metainfo, maxMetainfo)
	b.boolean("enabled", &p.Enabled)
	if b.err() != nil {
		return b.err()
	}
	if b.has("metainfo") {
		p.SetMetainfo(metainfo)
	}
	if !b.has("driver") {
		return nil
	}
	p.Driver, p.Provider = driver, ""
	if driver == "" {
		return nil
	}
	face := s.providerOf(driver)
	if face == nil {
		return network.ServiceProfileDriverNotFound(driver)
	}
	p.Provider = face.Name
	return nil
}

// providerOf finds the provider that a driver stands for: that of the name, else one that the driver makes, the default before others.
func (s *service) providerOf(driver string) *provider.Face {
	var found *provider.Face
	for i := range s.providers {
		f := &s.providers[i]
		switch {
		case f.Name == driver:
			return f
		case f.Driver != driver && !slices.Contains(f.Aliases, driver):
		case found == nil || f.Name == s.defaultProvider:
			found = f
		}
	}
	return found
}

// judge asks the provider what it thinks of the data. What cannot be read, or is of no provider, nobody can judge; it is refused
// when a load balancer is to be made with it.
func (s *service) judge(ctx context.Context, p *network.ServiceProfile) error {
	i := slices.IndexFunc(s.providers, func(f provider.Face) bool { return f.Name == p.Provider })
	data, _ := lbaas.ParseProfileData(p.Data)
	if i < 0 || len(data) == 0 {
		return nil
	}
	check := s.providers[i].CheckFlavor
	if check == nil {
		return invalid("metainfo", "provider '%s' knows no '%s'", p.Provider, strings.Join(slices.Sorted(maps.Keys(data)), "', '"))
	}
	err := check(ctx, data)
	var refused *lbaas.Error
	if errors.As(err, &refused) && refused.Kind != lbaas.Unavailable {
		return invalid("metainfo", "%s", refused.Text)
	}
	return err
}

// updateServiceProfile writes what the provider has judged: it is asked before the transaction, so that what somebody else has
// written meanwhile counts.
func (s *service) updateServiceProfile(ctx context.Context, a *identity.Actor, id string, b *body) (view, error) {
	if err := adminsOnly(a, "update_service_profile"); err != nil {
		return nil, err
	}
	judged, err := s.store.ServiceProfile(ctx, id)
	if err != nil {
		return nil, err
	}
	if err := s.readServiceProfile(b, judged); err != nil {
		return nil, err
	}
	matters := b.has("driver") || b.has("metainfo")
	if matters {
		if err := s.judge(ctx, judged); err != nil {
			return nil, err
		}
	}
	p, err := s.store.UpdateServiceProfile(ctx, id, func(p *network.ServiceProfile) error {
		if err := s.readServiceProfile(b, p); err != nil {
			return err
		}
		if matters && (p.Provider != judged.Provider || p.Data != judged.Data) {
			return lbaas.Errorf(lbaas.Conflict, "Service Profile %s was changed by another request. Please try again.", id)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return serviceProfileView(p), nil
}

func (s *service) deleteServiceProfile(ctx context.Context, a *identity.Actor, id string) error {
	if err := adminsOnly(a, "delete_service_profile"); err != nil {
		return err
	}
	return s.store.DeleteServiceProfile(ctx, id)
}
