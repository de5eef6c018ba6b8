package avi

import (
	"context"
	"fmt"
	"net/url"

	"plimsoll/internal/provider/avi/controller"
	"plimsoll/internal/provider/avi/translate"
	"plimsoll/lbaas"
)

// CheckFlavor judges the data of a flavor profile, and asks the controller whether what it names is there. What the controller lacks
// is Invalid, with the remedy; that it cannot be asked is Unavailable.
func (p *Provider) CheckFlavor(ctx context.Context, data map[string]any) error {
	f, err := ParseFlavor(data)
	if err != nil {
		return err
	}
	if err := p.findForFlavor(ctx, flavorSEGroup, f.SEGroup, "service engine group"); err != nil {
		return err
	}
	if err := p.findForFlavor(ctx, flavorVRF, f.VRF, "VRF context"); err != nil {
		return err
	}
	if f.VRFPerSubnet == nil || !*f.VRFPerSubnet {
		return nil
	}
	found, err := p.checkVRFs(ctx)
	if err != nil {
		return p.unasked(err)
	}
	for _, one := range found {
		if one.Verdict == Missing {
			return lbaas.Errorf(lbaas.Invalid, "The flavor data's %s cannot be used on the Avi Controller of provider '%s': %s. Remedy: %s.",
				flavorVRFPerSubnet, p.cfg.Name, one.Detail, one.Remedy)
		}
		if one.Verdict == Warn { // an answer that is no error has no place for it
			p.log().Warn("flavor does not work for all tenants", "key", flavorVRFPerSubnet, "why", one.Detail, "remedy", one.Remedy)
		}
	}
	return nil
}

// findForFlavor looks for what a key refers to, in whatever tenant: a VRF context may well be of one tenant only, whose flavor this is.
func (p *Provider) findForFlavor(ctx context.Context, key, ref, noun string) error {
	if ref == "" {
		return nil
	}
	kind, uuid, name := translate.ParseRef(ref)
	query := url.Values{"name": {name}}
	if uuid != "" {
		query = url.Values{"uuid.in": {uuid}}
	}
	found, where, err := p.anywhere(ctx, kind, query)
	if err != nil {
		return p.unasked(err)
	}
	elsewhere := ""
	for _, o := range found {
		_, _, cloud := translate.ParseRef(textAt(o, "cloud_ref"))
		if cloud == "" || cloud == p.cloud() {
			return nil
		}
		elsewhere = cloud
	}
	if elsewhere != "" {
		return badFlavor(key, ref, fmt.Sprintf("That %s is of cloud %s; the provider '%s' makes load balancers in cloud %s.", noun, elsewhere, p.cfg.Name, p.cloud()))
	}
	return badFlavor(key, ref, fmt.Sprintf("The Avi Controller of provider '%s' has no such %s %s. Make it there first, or name another.", p.cfg.Name, noun, where))
}

// anywhere looks for objects in all tenants, or in those that the user may read.
func (p *Provider) anywhere(ctx context.Context, kind string, query url.Values) (found []controller.Object, where string, err error) {
	found, err = p.ctl.List(ctx, controller.AllTenants, kind, query)
	if !forbidden(err) {
		return found, "in any tenant", err
	}
	tenant := controller.Admin
	if p.cfg.Tenants.Single != "" { // what tenant admin has can be read there, too
		tenant.Name = p.cfg.Tenants.Single
	}
	found, err = p.ctl.List(ctx, tenant, kind, query)
	return found, "in tenant " + tenant.Name, err
}

// unasked is that the controller could not be asked, for the operator who makes a flavor.
func (p *Provider) unasked(err error) error {
	why := "failed to answer"
	switch {
	case controller.Denied(err):
		why = "does not let its user in"
	case untrusted(err):
		why = "has a certificate that is not trusted"
	case controller.Unreachable(err):
		why = "does not answer"
	}
	p.log().Warn("flavor cannot be checked", "err", err)
	return lbaas.Errorf(lbaas.Unavailable, "The Avi Controller of provider '%s' %s, so the flavor data cannot be checked. The server's log says more.", p.cfg.Name, why)
}
