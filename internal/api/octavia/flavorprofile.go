package octavia

import (
	"context"
	"errors"
	"net/http"

	"github.com/google/uuid"

	"plimsoll/internal/web"
	"plimsoll/lbaas"
)

// otherFlavorProfile is how Octavia's code spells the noun where a profile is deleted, and where its id is the one that
// none has.
const otherFlavorProfile lbaas.Noun = "Flavor profile"

// readFlavorProfile reads a flavor profile's attributes.
func readFlavorProfile(f *form, p *lbaas.FlavorProfile) {
	f.text("name", &p.Name)
	f.text("provider_name", &p.Provider)
	f.text("flavor_data", &p.Data)
	p.Data = lbaas.JSONOfPython(p.Data)
	if f.create {
		f.require("name", "provider_name", "flavor_data")
	}
	f.notNull("name", "provider_name", "flavor_data")
	f.check(p.Validate())
}

type flavorProfileJSON struct {
	ID       string `json:"id"`
	Name     string `json:"name"`
	Provider string `json:"provider_name"`
	Data     string `json:"flavor_data"`
}

func flavorProfileOf(p *lbaas.FlavorProfile, _ view) flavorProfileJSON {
	return flavorProfileJSON{p.ID, p.Name, p.Provider, p.Data}
}

// flavorProfileID returns the id that the path gives.
func (r *request) flavorProfileID() (string, error) {
	id, err := r.id("id", lbaas.NounFlavorProfile)
	if id == lbaas.NoFlavorID {
		err = lbaas.Missing(otherFlavorProfile, id)
	}
	return id, err
}

func (a *API) showFlavorProfile(ctx context.Context, r *request) (web.Reply, error) {
	id, err := r.flavorProfileID()
	if err != nil {
		return web.Reply{}, err
	}
	p, err := a.Store.FlavorProfile(ctx, id)
	if err != nil {
		return web.Reply{}, err
	}
	v := viewOf(r.Request)
	return reply(http.StatusOK, "flavorprofile", v.of(flavorProfileOf(p, v)))
}

func (a *API) createFlavorProfile(ctx context.Context, r *request) (web.Reply, error) {
	f, err := readForm(r, "flavor_profile_", "flavorprofile", true)
	if err != nil {
		return web.Reply{}, err
	}
	p := &lbaas.FlavorProfile{ID: uuid.NewString()}
	if readFlavorProfile(f, p); f.done() != nil {
		return web.Reply{}, f.done()
	}
	if err := a.checkFlavorProfile(ctx, p); err != nil {
		return web.Reply{}, err
	}
	if err := a.Store.CreateFlavorProfile(ctx, p); err != nil {
		return web.Reply{}, err
	}
	return reply(http.StatusCreated, "flavorprofile", flavorProfileOf(p, viewOf(r.Request)))
}

func (a *API) updateFlavorProfile(ctx context.Context, r *request) (web.Reply, error) {
	f, err := readForm(r, "flavor_profile_", "flavorprofile", false)
	if err != nil {
		return web.Reply{}, err
	}
	if readFlavorProfile(f, &lbaas.FlavorProfile{}); f.done() != nil {
		return web.Reply{}, f.done()
	}
	id, err := r.flavorProfileID()
	if err != nil {
		return web.Reply{}, err
	}
	p, err := a.putFlavorProfile(ctx, id, f)
	if err != nil {
		return web.Reply{}, err
	}
	return reply(http.StatusOK, "flavorprofile", flavorProfileOf(p, viewOf(r.Request)))
}

// putFlavorProfile writes what the provider has judged, and nothing else: it is asked before the transaction, so that what
// somebody else has written meanwhile counts.
func (a *API) putFlavorProfile(ctx context.Context, id string, f *form) (*lbaas.FlavorProfile, error) {
	judged, err := a.Store.FlavorProfile(ctx, id)
	if err != nil {
		return nil, err
	}
	readFlavorProfile(f, judged)
	matters := f.has("provider_name") || f.has("flavor_data")
	if matters {
		if err := a.checkFlavorProfile(ctx, judged); err != nil {
			return nil, err
		}
	}
	return a.Store.UpdateFlavorProfile(ctx, id, func(p *lbaas.FlavorProfile) error {
		readFlavorProfile(f, p)
		if matters && (p.Provider != judged.Provider || p.Data != judged.Data) {
			return changedMeanwhile(otherFlavorProfile, id)
		}
		return nil
	})
}

// changedMeanwhile is the error of two changes at once that do not add up.
func changedMeanwhile(noun lbaas.Noun, id string) error {
	return lbaas.Errorf(lbaas.Conflict, "%s %s was changed by another request. Please try again.", noun, id)
}

func (a *API) deleteFlavorProfile(ctx context.Context, r *request) (web.Reply, error) {
	id, err := r.flavorProfileID()
	if err != nil {
		return web.Reply{}, err
	}
	err = a.Store.DeleteFlavorProfile(ctx, id)
	if errors.Is(err, lbaas.NotFound) {
		err = lbaas.Missing(otherFlavorProfile, id)
	}
	if err != nil {
		return web.Reply{}, err
	}
	return noContent()
}
