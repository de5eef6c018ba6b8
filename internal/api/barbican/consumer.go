package barbican

import (
	"context"
	"net/http"

	"plimsoll/internal/keymanager"
	"plimsoll/internal/web"
	"plimsoll/lbaas"
)

// maxConsumers bounds the consumers of one secret or container: all of them are shown with it.
const maxConsumers = 1000

// consumers lists the consumers of an object; show is what is told of each.
func (a *API) consumers(ctx context.Context, r *request, noun, id string, show func(*keymanager.Consumer) map[string]any) (web.Reply, error) {
	l := keymanager.Listing{}
	l.Limit, l.Offset = page(r.Query)
	found, total, err := a.store.Consumers(ctx, id, l)
	if err != nil {
		return web.Reply{}, err
	}
	var shown []map[string]any
	for _, c := range found {
		v := show(c)
		v["status"], v["created"], v["updated"] = keymanager.Active, moment(c.CreatedAt), moment(c.UpdatedAt)
		shown = append(shown, v)
	}
	return pageOf(r, "consumers", shown, total, noun, id, "consumers"), nil
}

func (a *API) addConsumer(ctx context.Context, c *keymanager.Consumer) error {
	_, total, err := a.store.Consumers(ctx, c.OwnerID, keymanager.Listing{Limit: 1})
	if err != nil {
		return err
	}
	if total >= maxConsumers {
		return lbaas.Errorf(lbaas.Forbidden, "Creation not allowed because a quota has been reached")
	}
	return a.store.CreateConsumer(ctx, c)
}

// dropConsumer takes away a consumer, which the project of the consumer may, and the project of what it consumes.
func (a *API) dropConsumer(ctx context.Context, r *request, ownerProject string, c *keymanager.Consumer) error {
	found, _, err := a.store.Consumers(ctx, c.OwnerID, keymanager.Listing{})
	if err != nil {
		return err
	}
	for _, there := range found {
		if there.Same(c) && there.ProjectID != r.Actor.ProjectID && ownerProject != r.Actor.ProjectID {
			return lbaas.Errorf(lbaas.Forbidden, "Not Allowed. Sorry, only the creator of a consumer can delete it.")
		}
	}
	return renamed(a.store.DeleteConsumer(ctx, c), "Consumer")
}

func (a *API) listSecretConsumers(ctx context.Context, r *request, s *keymanager.Secret) (web.Reply, error) {
	return a.consumers(ctx, r, "secrets", s.ID, func(c *keymanager.Consumer) map[string]any {
		return map[string]any{"service": c.Service, "resource_type": c.ResourceType, "resource_id": c.ResourceID}
	})
}

func (r *request) secretConsumer(s *keymanager.Secret) (*keymanager.Consumer, error) {
	b, err := r.readBody("Secret Consumer")
	if err != nil {
		return nil, err
	}
	b.require("service", "resource_type", "resource_id")
	c := &keymanager.Consumer{
		OwnerID: s.ID, ProjectID: r.Actor.ProjectID,
		Service: b.some("service", 255), ResourceType: b.some("resource_type", 255), ResourceID: b.some("resource_id", 255),
	}
	return c, b.err()
}

func (a *API) addSecretConsumer(ctx context.Context, r *request, s *keymanager.Secret) (web.Reply, error) {
	c, err := r.secretConsumer(s)
	if err != nil {
		return web.Reply{}, err
	}
	if err := a.addConsumer(ctx, c); err != nil {
		return web.Reply{}, renamed(err, "Secret")
	}
	return a.consumed(ctx, r, s)
}

func (a *API) deleteSecretConsumer(ctx context.Context, r *request, s *keymanager.Secret) (web.Reply, error) {
	c, err := r.secretConsumer(s)
	if err != nil {
		return web.Reply{}, err
	}
	if err := a.dropConsumer(ctx, r, s.ProjectID, c); err != nil {
		return web.Reply{}, err
	}
	return a.consumed(ctx, r, s)
}

// consumed answers with a secret and its consumers, whatever version the client speaks.
func (a *API) consumed(ctx context.Context, r *request, s *keymanager.Secret) (web.Reply, error) {
	latest := *r
	latest.minor = lastMinor
	shown, err := a.secretsOf(ctx, &latest, []*keymanager.Secret{s})
	if err != nil {
		return web.Reply{}, err
	}
	return web.Reply{Status: http.StatusOK, Body: shown[0], Header: http.Header{"Location": {r.secretRef(s.ID) + "/consumers"}}}, nil
}

func (a *API) listContainerConsumers(ctx context.Context, r *request, c *keymanager.Container) (web.Reply, error) {
	return a.consumers(ctx, r, "containers", c.ID, func(c *keymanager.Consumer) map[string]any {
		return map[string]any{"name": c.Name, "URL": c.URL}
	})
}

func (r *request) containerConsumer(c *keymanager.Container) (*keymanager.Consumer, error) {
	b, err := r.readBody("Consumer")
	if err != nil {
		return nil, err
	}
	b.require("name", "URL")
	return &keymanager.Consumer{
		OwnerID: c.ID, ProjectID: r.Actor.ProjectID, Name: b.some("name", 36), URL: b.some("URL", 255),
	}, b.err()
}

func (a *API) addContainerConsumer(ctx context.Context, r *request, c *keymanager.Container) (web.Reply, error) {
	user, err := r.containerConsumer(c)
	if err != nil {
		return web.Reply{}, err
	}
	if err := a.addConsumer(ctx, user); err != nil {
		return web.Reply{}, renamed(err, "Container")
	}
	reply, err := a.showContainer(ctx, r, c)
	reply.Header = http.Header{"Location": {r.containerRef(c.ID) + "/consumers"}}
	return reply, err
}

func (a *API) deleteContainerConsumer(ctx context.Context, r *request, c *keymanager.Container) (web.Reply, error) {
	user, err := r.containerConsumer(c)
	if err != nil {
		return web.Reply{}, err
	}
	if err := a.dropConsumer(ctx, r, c.ProjectID, user); err != nil {
		return web.Reply{}, err
	}
	return a.showContainer(ctx, r, c)
}
