package octavia

import (
	"context"
	"net/http"

	"github.com/google/uuid"

	"plimsoll/internal/web"
	"plimsoll/lbaas"
)

// readZoneProfile reads an availability zone profile's attributes.
func readZoneProfile(f *form, p *lbaas.AvailabilityZoneProfile) {
	f.text("name", &p.Name)
	f.text("provider_name", &p.Provider)
	f.text("availability_zone_data", &p.Data)
	if f.create {
		f.require("name", "provider_name", "availability_zone_data")
	}
	f.notNull("name", "provider_name", "availability_zone_data")
	f.check(p.Validate())
}

type zoneProfileJSON struct {
	ID       string `json:"id"`
	Name     string `json:"name"`
	Provider string `json:"provider_name"`
	Data     string `json:"availability_zone_data"`
}

func zoneProfileOf(p *lbaas.AvailabilityZoneProfile, _ view) zoneProfileJSON {
	return zoneProfileJSON(*p)
}

func (a *API) showZoneProfile(ctx context.Context, r *request) (web.Reply, error) {
	id, err := r.id("id", lbaas.NounAvailabilityZoneProfile)
	if err != nil {
		return web.Reply{}, err
	}
	p, err := a.Store.AvailabilityZoneProfile(ctx, id)
	if err != nil {
		return web.Reply{}, err
	}
	v := viewOf(r.Request)
	return reply(http.StatusOK, "availability_zone_profile", v.of(zoneProfileOf(p, v)))
}

func (a *API) createZoneProfile(ctx context.Context, r *request) (web.Reply, error) {
	f, err := readForm(r, "availability_zone_profile_", "availability_zone_profile", true)
	if err != nil {
		return web.Reply{}, err
	}
	p := &lbaas.AvailabilityZoneProfile{ID: uuid.NewString()}
	if readZoneProfile(f, p); f.done() != nil {
		return web.Reply{}, f.done()
	}
	if err := a.checkZoneProfile(ctx, p); err != nil {
		return web.Reply{}, err
	}
	if err := a.Store.CreateAvailabilityZoneProfile(ctx, p); err != nil {
		return web.Reply{}, err
	}
	return reply(http.StatusCreated, "availability_zone_profile", zoneProfileOf(p, viewOf(r.Request)))
}

func (a *API) updateZoneProfile(ctx context.Context, r *request) (web.Reply, error) {
	f, err := readForm(r, "availability_zone_profile_", "availability_zone_profile", false)
	if err != nil {
		return web.Reply{}, err
	}
	if readZoneProfile(f, &lbaas.AvailabilityZoneProfile{}); f.done() != nil {
		return web.Reply{}, f.done()
	}
	id, err := r.id("id", lbaas.NounAvailabilityZoneProfile)
	if err != nil {
		return web.Reply{}, err
	}
	p, err := a.putZoneProfile(ctx, id, f)
	if err != nil {
		return web.Reply{}, err
	}
	return reply(http.StatusOK, "availability_zone_profile", zoneProfileOf(p, viewOf(r.Request)))
}

// putZoneProfile writes what the provider has judged, and nothing else: it is asked before the transaction, so that what
// somebody else has written meanwhile counts.
func (a *API) putZoneProfile(ctx context.Context, id string, f *form) (*lbaas.AvailabilityZoneProfile, error) {
	judged, err := a.Store.AvailabilityZoneProfile(ctx, id)
	if err != nil {
		return nil, err
	}
	readZoneProfile(f, judged)
	matters := f.has("provider_name") || f.has("availability_zone_data")
	if matters {
		if err := a.checkZoneProfile(ctx, judged); err != nil {
			return nil, err
		}
	}
	return a.Store.UpdateAvailabilityZoneProfile(ctx, id, func(p *lbaas.AvailabilityZoneProfile) error {
		readZoneProfile(f, p)
		if matters && (p.Provider != judged.Provider || p.Data != judged.Data) {
			return changedMeanwhile(lbaas.NounAvailabilityZoneProfile, id)
		}
		return nil
	})
}

func (a *API) deleteZoneProfile(ctx context.Context, r *request) (web.Reply, error) {
	id, err := r.id("id", lbaas.NounAvailabilityZoneProfile)
	if err != nil {
		return web.Reply{}, err
	}
	if err := a.Store.DeleteAvailabilityZoneProfile(ctx, id); err != nil {
		return web.Reply{}, err
	}
	return noContent()
}
