package octavia

import (
	"context"
	"net/http"

	"github.com/google/uuid"

	"plimsoll/internal/web"
	"plimsoll/lbaas"
)

// readFlavor reads a flavor's attributes. Those that only a POST takes are read where the form is of one.
func readFlavor(f *form, flavor *lbaas.Flavor) {
	f.text("name", &flavor.Name)
	f.text("description", &flavor.Description)
	f.flag("enabled", &flavor.Enabled)
	if f.create {
		f.id("flavor_profile_id", &flavor.FlavorProfileID)
		f.require("name", "flavor_profile_id")
	}
	f.notNull("name", "enabled")
	f.check(flavor.Validate())
}

type flavorJSON struct {
	ID              string `json:"id"`
	Name            string `json:"name"`
	Description     string `json:"description"`
	Enabled         bool   `json:"enabled"`
	FlavorProfileID string `json:"flavor_profile_id"`
}

func flavorOf(f *lbaas.Flavor, _ view) flavorJSON { return flavorJSON(*f) }

func (a *API) showFlavor(ctx context.Context, r *request) (web.Reply, error) {
	id, err := r.id("id", lbaas.NounFlavor)
	if err != nil {
		return web.Reply{}, err
	}
	flavor, err := a.Store.Flavor(ctx, id)
	if err != nil {
		return web.Reply{}, err
	}
	v := viewOf(r.Request)
	return reply(http.StatusOK, "flavor", v.of(flavorOf(flavor, v)))
}

func (a *API) createFlavor(ctx context.Context, r *request) (web.Reply, error) {
	f, err := readForm(r, "flavor_", "flavor", true)
	if err != nil {
		return web.Reply{}, err
	}
	flavor := &lbaas.Flavor{ID: uuid.NewString(), Enabled: true}
	if readFlavor(f, flavor); f.done() != nil {
		return web.Reply{}, f.done()
	}
	if err := a.Store.CreateFlavor(ctx, flavor); err != nil {
		return web.Reply{}, err
	}
	return reply(http.StatusCreated, "flavor", flavorOf(flavor, viewOf(r.Request)))
}

func (a *API) updateFlavor(ctx context.Context, r *request) (web.Reply, error) {
	f, err := readForm(r, "flavor_", "flavor", false)
	if err != nil {
		return web.Reply{}, err
	}
	if readFlavor(f, &lbaas.Flavor{}); f.done() != nil {
		return web.Reply{}, f.done()
	}
	id, err := r.id("id", lbaas.NounFlavor)
	if err != nil {
		return web.Reply{}, err
	}
	flavor, err := a.Store.UpdateFlavor(ctx, id, func(flavor *lbaas.Flavor) error {
		readFlavor(f, flavor)
		return nil
	})
	if err != nil {
		return web.Reply{}, err
	}
	return reply(http.StatusOK, "flavor", flavorOf(flavor, viewOf(r.Request)))
}

func (a *API) deleteFlavor(ctx context.Context, r *request) (web.Reply, error) {
	id, err := r.id("id", lbaas.NounFlavor)
	if err != nil {
		return web.Reply{}, err
	}
	if err := a.Store.DeleteFlavor(ctx, id); err != nil {
		return web.Reply{}, err
	}
	return noContent()
}
