package keystone

import (
	"context"
	"net/http"

	"plimsoll/internal/identity"
	"plimsoll/internal/web"
)

func (s *Service) domainJSON(r *web.Request, d *identity.Domain) map[string]any {
	m := extended(d.Extra)
	m["id"], m["name"], m["description"], m["enabled"] = d.ID, d.Name, d.Description, d.Enabled
	m["tags"], m["options"], m["links"] = []string{}, d.Options, s.self(r, "/v3/domains/"+d.ID)
	return m
}

func (s *Service) domainList(r *web.Request, limit int, domains []*identity.Domain) web.Reply {
	var items []map[string]any
	for _, d := range domains {
		items = append(items, s.domainJSON(r, d))
	}
	return s.list(r, "domains", limit, items)
}

func (s *Service) listDomains(ctx context.Context, r *web.Request) (web.Reply, error) {
	q, err := listQuery(r, "name", "enabled")
	if err != nil {
		return web.Reply{}, err
	}
	domains, err := s.store.Domains(ctx, q)
	if err != nil {
		return web.Reply{}, err
	}
	return s.domainList(r, q.Limit, domains), nil
}

func (s *Service) showDomain(ctx context.Context, r *web.Request) (web.Reply, error) {
	d, err := s.store.Domain(ctx, r.PathValue("domain"))
	if err != nil {
		return web.Reply{}, err
	}
	return resource(http.StatusOK, "domain", s.domainJSON(r, d)), nil
}

func (s *Service) createDomain(ctx context.Context, r *web.Request) (web.Reply, error) {
	body, err := readBody(r, "domain")
	if err != nil {
		return web.Reply{}, err
	}
	d := &identity.Domain{ID: newID(), Name: body.requiredName(maxShort)}
	if id := body.id("explicit_domain_id"); id.Given() {
		d.ID = id.Value
	}
	if err := changeDomain(body, d, true); err != nil {
		return web.Reply{}, err
	}
	if err := s.store.CreateDomain(ctx, d); err != nil {
		return web.Reply{}, err
	}
	r.Log.Info("domain created", "domain", d.ID)
	return resource(http.StatusCreated, "domain", s.domainJSON(r, d)), nil
}

// changeDomain reads what creation and change have in common.
func changeDomain(body *reader, d *identity.Domain, enabled bool) error {
	d.Description = body.text("description", maxProse).Or(d.Description)
	d.Enabled = body.flag("enabled").Or(enabled)
	body.options(&d.Options, "immutable")
	body.taken["tags"] = true
	d.Extra = body.extra(d.Extra)
	return body.err
}

func (s *Service) updateDomain(ctx context.Context, r *web.Request) (web.Reply, error) {
	body, err := readBody(r, "domain")
	if err != nil {
		return web.Reply{}, err
	}
	d, err := s.store.UpdateDomain(ctx, r.PathValue("domain"), func(d *identity.Domain) error {
		d.Name = body.name(maxShort).Or(d.Name)
		return changeDomain(body, d, d.Enabled)
	})
	if err != nil {
		return web.Reply{}, err
	}
	r.Log.Info("domain changed", "domain", d.ID)
	return resource(http.StatusOK, "domain", s.domainJSON(r, d)), nil
}

func (s *Service) deleteDomain(ctx context.Context, r *web.Request) (web.Reply, error) {
	id := r.PathValue("domain")
	if err := s.store.DeleteDomain(ctx, id); err != nil {
		return web.Reply{}, err
	}
	r.Log.Info("domain deleted", "domain", id)
	return done, nil
}
