package octavia

import (
	"context"
	"fmt"
	"net/http"

	"plimsoll/internal/store"
	"plimsoll/internal/web"
	"plimsoll/lbaas"
)

// resize gives a load balancer another flavor, in the form of the specification that Octavia accepted and has not built
// («Load balancer resizing», specs/version15.0/resize).
func (a *API) resize(ctx context.Context, r *request) (web.Reply, error) {
	flavorID, err := readResize(r)
	if err != nil {
		return web.Reply{}, err
	}
	old, err := a.loadBalancer(ctx, r)
	if err != nil {
		return web.Reply{}, err
	}
	if err := pending(old); err != nil {
		return web.Reply{}, err
	}
	if old.FlavorID != flavorID {
		if err := a.setFlavor(ctx, old, flavorID); err != nil {
			return web.Reply{}, err
		}
	}
	return web.Reply{Status: http.StatusAccepted}, nil
}

// readResize reads the body, which has no envelope.
func readResize(r *request) (flavorID string, err error) {
	o, err := readObject(r, "resize")
	if err != nil {
		return "", err
	}
	f := newForm("resize", o, false)
	readNewFlavor(f, &flavorID)
	return flavorID, f.done()
}

func readNewFlavor(f *form, flavorID *string) {
	f.id("new_flavor_id", flavorID)
	f.require("new_flavor_id")
}

// setFlavor checks the flavor, which may ask the provider, and then writes it in one transaction.
func (a *API) setFlavor(ctx context.Context, old *lbaas.LoadBalancer, flavorID string) error {
	profile, data, err := a.flavorData(ctx, flavorID, "new_flavor_id")
	if err != nil {
		return err
	}
	face, err := a.enabled(old.Provider)
	if err != nil {
		return err
	}
	if named := a.face(profile.Provider); named == nil || named.Name != face.Name {
		return mismatch(flavorID, old.Provider)
	}
	if len(data) > 0 {
		if err := checkFlavor(ctx, face, data); err != nil {
			return err
		}
	}
	return a.change(ctx, old.ID, func(c *store.Change) error {
		if err := checkResize(c.LB, data); err != nil {
			return err
		}
		c.LB.FlavorID, c.LB.FlavorProfileID, c.LB.Flavor = flavorID, profile.ID, data
		return vanished(c.Put(c.LB), c.LB, "new_flavor_id")
	})
}

// checkResize refuses a flavor that would make the load balancer another one: of another topology, or with other ports.
func checkResize(lb *lbaas.LoadBalancer, data map[string]any) error {
	if was, is := topology(lb.Flavor), topology(data); was != is {
		return lbaas.ValidationFailure("A load balancer of the topology %s cannot be resized to a flavor of the topology %s.", was, is)
	}
	if (lb.VIPVNICType == lbaas.VNICDirect) != (data[keySRIOVVIP] == true) {
		return lbaas.ValidationFailure("A load balancer cannot be resized to a flavor with another %s.", keySRIOVVIP)
	}
	resized := lbaas.LoadBalancer{Flavor: data}
	for _, p := range lb.Pools {
		if err := checkMemberSRIOV(&resized, p.Members...); err != nil {
			return err
		}
	}
	return nil
}

func topology(data map[string]any) string {
	if t, given := data[keyTopology]; given {
		return fmt.Sprint(t)
	}
	return topologySingle
}
