package octavia

import (
	"context"
	"net/http"
	"strings"

	"plimsoll/internal/web"
	"plimsoll/lbaas"
)

// readZone reads an availability zone's attributes. Those that only a POST takes are read where the form is of one.
func readZone(f *form, z *lbaas.AvailabilityZone) {
	f.text("description", &z.Description)
	f.flag("enabled", &z.Enabled)
	if f.create {
		f.filled("name", &z.Name)
		f.check(inPath("name", z.Name))
		f.id("availability_zone_profile_id", &z.ProfileID)
		f.require("name", "availability_zone_profile_id")
	}
	f.notNull("enabled")
	f.check(z.Validate())
}

// inPath refuses a key that no path can name: the end ".json" of a path is not the key's.
func inPath(attribute, key string) error {
	if strings.Contains(key, "/") || strings.HasSuffix(key, ".json") || key == "." || key == ".." {
		return lbaas.InvalidField(attribute, key, "Value should be able to stand in a path")
	}
	return nil
}

type zoneJSON struct {
	Name        string `json:"name"`
	Description string `json:"description"`
	Enabled     bool   `json:"enabled"`
	ProfileID   string `json:"availability_zone_profile_id"`
}

func zoneOf(z *lbaas.AvailabilityZone, _ view) zoneJSON { return zoneJSON(*z) }

func (a *API) showZone(ctx context.Context, r *request) (web.Reply, error) {
	name, err := r.id("name", lbaas.NounAvailabilityZone)
	if err != nil {
		return web.Reply{}, err
	}
	z, err := a.Store.AvailabilityZone(ctx, name)
	if err != nil {
		return web.Reply{}, err
	}
	v := viewOf(r.Request)
	return reply(http.StatusOK, "availability_zone", v.of(zoneOf(z, v)))
}

func (a *API) createZone(ctx context.Context, r *request) (web.Reply, error) {
	f, err := readForm(r, "availability_zone_", "availability_zone", true)
	if err != nil {
		return web.Reply{}, err
	}
	z := &lbaas.AvailabilityZone{Enabled: true}
	if readZone(f, z); f.done() != nil {
		return web.Reply{}, f.done()
	}
	if z.Name == lbaas.NoFlavorID { // which Octavia keeps for zones that are gone
		return web.Reply{}, lbaas.Errorf(lbaas.Conflict, "A availability zone of %s already exists.", z.Name)
	}
	if err := a.Store.CreateAvailabilityZone(ctx, z); err != nil {
		return web.Reply{}, err
	}
	return reply(http.StatusCreated, "availability_zone", zoneOf(z, viewOf(r.Request)))
}

func (a *API) updateZone(ctx context.Context, r *request) (web.Reply, error) {
	f, err := readForm(r, "availability_zone_", "availability_zone", false)
	if err != nil {
		return web.Reply{}, err
	}
	if readZone(f, &lbaas.AvailabilityZone{}); f.done() != nil {
		return web.Reply{}, f.done()
	}
	name, err := r.id("name", lbaas.NounAvailabilityZone)
	if err != nil {
		return web.Reply{}, err
	}
	z, err := a.Store.UpdateAvailabilityZone(ctx, name, func(z *lbaas.AvailabilityZone) error {
		readZone(f, z)
		return nil
	})
	if err != nil {
		return web.Reply{}, err
	}
	return reply(http.StatusOK, "availability_zone", zoneOf(z, viewOf(r.Request)))
}

func (a *API) deleteZone(ctx context.Context, r *request) (web.Reply, error) {
	name, err := r.id("name", lbaas.NounAvailabilityZone)
	if err != nil {
		return web.Reply{}, err
	}
	if err := a.Store.DeleteAvailabilityZone(ctx, name); err != nil {
		return web.Reply{}, err
	}
	return noContent()
}
