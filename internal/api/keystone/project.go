package keystone

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"unicode/utf8"

	"plimsoll/internal/identity"
	"plimsoll/internal/web"
	"plimsoll/lbaas"
)

const maxTags = 80

func (s *Service) projectJSON(r *web.Request, p *identity.Project) map[string]any {
	m := extended(p.Extra)
	m["id"], m["name"], m["description"], m["enabled"] = p.ID, p.Name, p.Description, p.Enabled
	m["domain_id"], m["parent_id"], m["is_domain"] = p.DomainID, p.ParentID, false
	m["tags"], m["options"], m["links"] = append([]string{}, p.Tags...), p.Options, s.self(r, "/v3/projects/"+p.ID)
	return m
}

func (s *Service) projectList(r *web.Request, limit int, projects []*identity.Project) web.Reply {
	var items []map[string]any
	for _, p := range projects {
		items = append(items, s.projectJSON(r, p))
	}
	return s.list(r, "projects", limit, items)
}

func (s *Service) listProjects(ctx context.Context, r *web.Request) (web.Reply, error) {
	q, err := listQuery(r, "name", "enabled", "domain_id", "parent_id")
	if err != nil {
		return web.Reply{}, err
	}
	if strings.EqualFold(r.Query.Get("is_domain"), "true") {
		return s.projectList(r, 0, nil), nil // no project acts as a domain
	}
	q.Tags = tags(r)
	projects, err := s.store.Projects(ctx, q)
	if err != nil {
		return web.Reply{}, err
	}
	return s.projectList(r, q.Limit, projects), nil
}

// projectsOf lists the projects in which a user has a role.
func (s *Service) projectsOf(ctx context.Context, r *web.Request, userID string) (web.Reply, error) {
	projects, err := s.store.ProjectsOf(ctx, userID)
	if err != nil {
		return web.Reply{}, err
	}
	var named []*identity.Project
	for _, p := range projects {
		if want := r.Query.Get("name"); want == "" || want == p.Name {
			named = append(named, p)
		}
	}
	return s.projectList(r, 0, named), nil
}

func (s *Service) showProject(ctx context.Context, r *web.Request) (web.Reply, error) {
	p, err := s.store.Project(ctx, r.PathValue("project"))
	if err != nil {
		return web.Reply{}, err
	}
	return resource(http.StatusOK, "project", s.projectJSON(r, p)), nil
}

func (s *Service) createProject(ctx context.Context, r *web.Request) (web.Reply, error) {
	body, err := readBody(r, "project")
	if err != nil {
		return web.Reply{}, err
	}
	p := &identity.Project{ID: newID(), Name: body.requiredName(maxShort)}
	domainID, parentID := body.id("domain_id"), body.id("parent_id")
	if body.flag("is_domain").Or(false) {
		return web.Reply{}, lbaas.Errorf(lbaas.Unsupported, "Projects that act as domains are not supported: create a domain.")
	}
	if err := changeProject(body, p, true); err != nil {
		return web.Reply{}, err
	}
	p.ParentID = parentID.Value
	if p.DomainID, err = s.domainFor(ctx, r, domainID, parentID); err != nil {
		return web.Reply{}, err
	}
	if err := s.store.CreateProject(ctx, p); err != nil {
		return web.Reply{}, err
	}
	r.Log.Info("project created", "project", p.ID)
	return resource(http.StatusCreated, "project", s.projectJSON(r, p)), nil
}

// domainFor is the domain of a new project or user: the one named, else the parent's, else the sender's.
func (s *Service) domainFor(ctx context.Context, r *web.Request, domainID, parentID web.Field[string]) (string, error) {
	if domainID.Given() {
		return domainID.Value, nil
	}
	if parentID.Given() {
		parent, err := s.store.Project(ctx, parentID.Value)
		if errors.Is(err, lbaas.NotFound) {
			return parentID.Value, nil // a domain then, or nothing
		}
		if err != nil {
			return "", err
		}
		return parent.DomainID, nil
	}
	for _, id := range []string{r.Actor.DomainID, r.Actor.ProjectDomainID} {
		if id != "" {
			return id, nil
		}
	}
	return identity.DefaultDomainID, nil
}

// changeProject reads what creation and change have in common.
func changeProject(body *reader, p *identity.Project, enabled bool) error {
	p.Description = body.text("description", maxProse).Or(p.Description)
	p.Enabled = body.flag("enabled").Or(enabled)
	if tags, set := body.list("tags"); set {
		p.Tags = tags
		checkTags(body, tags)
	}
	body.options(&p.Options, "immutable")
	p.Extra = body.extra(p.Extra)
	return body.err
}

func checkTags(body *reader, tags []string) {
	if len(tags) > maxTags {
		body.fail("tags", nil, "has too many items")
	}
	for _, tag := range tags {
		if tag == "" || utf8.RuneCountInString(tag) > maxTagLen || strings.ContainsAny(tag, ",/\x00") {
			body.fail("tags", body.object["tags"], "holds a tag that is empty, too long, or has a comma or slash")
		}
	}
}

func (s *Service) updateProject(ctx context.Context, r *web.Request) (web.Reply, error) {
	body, err := readBody(r, "project")
	if err != nil {
		return web.Reply{}, err
	}
	p, err := s.store.UpdateProject(ctx, r.PathValue("project"), func(p *identity.Project) error {
		p.Name = body.name(maxShort).Or(p.Name)
		body.unchanged("id", p.ID)
		body.unchanged("domain_id", p.DomainID)
		body.unchanged("parent_id", p.ParentID)
		body.flag("is_domain")
		return changeProject(body, p, p.Enabled)
	})
	if err != nil {
		return web.Reply{}, err
	}
	r.Log.Info("project changed", "project", p.ID)
	return resource(http.StatusOK, "project", s.projectJSON(r, p)), nil
}

func (s *Service) deleteProject(ctx context.Context, r *web.Request) (web.Reply, error) {
	id := r.PathValue("project")
	if err := s.store.DeleteProject(ctx, id); err != nil {
		return web.Reply{}, err
	}
	r.Log.Info("project deleted", "project", id)
	return done, nil
}
