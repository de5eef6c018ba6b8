package barbican

import (
	"context"
	"errors"
	"net/http"
	"slices"

	"github.com/google/uuid"

	"plimsoll/internal/keymanager"
	"plimsoll/internal/web"
	"plimsoll/lbaas"
)

// maxContained bounds the secrets of a container: all of them are read with it.
const maxContained = 100

type containerHandler func(ctx context.Context, r *request, c *keymanager.Container) (web.Reply, error)

// ofContainer finds the container that a path names, and enforces the route's rule.
func (a *API) ofContainer(h containerHandler) handler {
	return func(ctx context.Context, r *request) (web.Reply, error) {
		id, err := r.id("container", "Container")
		if err != nil {
			return web.Reply{}, err
		}
		c, err := a.store.Container(ctx, id)
		if err != nil {
			return web.Reply{}, renamed(err, "Container")
		}
		if err := r.allow(targetOf(c.ProjectID, c.CreatorID, c.ACL)); err != nil {
			return web.Reply{}, err
		}
		return h(ctx, r, c)
	}
}

func (a *API) listContainers(ctx context.Context, r *request) (web.Reply, error) {
	if err := r.allowOwn(); err != nil {
		return web.Reply{}, err
	}
	l := r.listing()
	l.Name, l.ContainerType = r.Query.Get("name"), keymanager.ContainerType(r.Query.Get("type"))
	if l.ContainerType != "" && !slices.Contains(containerTypes, string(l.ContainerType)) {
		return web.Reply{}, badFilter("type")
	}
	if err := cleanTexts(l.Name); err != nil {
		return web.Reply{}, err
	}
	found, total, err := a.store.Containers(ctx, l)
	if err != nil {
		return web.Reply{}, err
	}
	shown, err := a.containersOf(ctx, r, found)
	if err != nil {
		return web.Reply{}, err
	}
	return pageOf(r, "containers", shown, total, "containers"), nil
}

var containerTypes = []string{string(keymanager.GenericContainer), string(keymanager.RSAContainer), string(keymanager.CertificateContainer)}

func (a *API) createContainer(ctx context.Context, r *request) (web.Reply, error) {
	if err := r.allowOwn(); err != nil {
		return web.Reply{}, err
	}
	b, err := r.readBody("Container")
	if err != nil {
		return web.Reply{}, err
	}
	b.require("type")
	c := &keymanager.Container{
		ID: uuid.NewString(), ProjectID: r.Actor.ProjectID, CreatorID: r.Actor.UserID, Status: keymanager.Active,
		Name: b.textOrNull("name"), Type: keymanager.ContainerType(b.word("type", "", containerTypes)), Secrets: b.secretRefs(),
	}
	if err := b.err(); err != nil {
		return web.Reply{}, err
	}
	if err := c.Validate(); err != nil {
		return web.Reply{}, err
	}
	for _, ref := range c.Secrets {
		if err := a.mayHold(ctx, r, ref); err != nil {
			return web.Reply{}, err
		}
	}
	if err := a.store.CreateContainer(ctx, c); err != nil {
		return web.Reply{}, err
	}
	return created(map[string]any{"container_ref": r.containerRef(c.ID)}, r.containerRef(c.ID)), nil
}

// secretRefs reads the secrets of a new container.
func (b *body) secretRefs() []keymanager.SecretRef {
	items, ok := b.objects("secret_refs")
	if !ok {
		b.fail("secret_refs", "the value is not a list of objects")
		return nil
	}
	if len(items) > maxContained {
		b.fail("secret_refs", "there are more than %d", maxContained)
		return nil
	}
	var refs []keymanager.SecretRef
	for _, item := range items {
		ref := item.secretRef()
		if err := item.err(); err != nil && b.wrong == nil {
			b.wrong = err
		}
		if slices.ContainsFunc(refs, func(o keymanager.SecretRef) bool { return o.Name == ref.Name }) {
			b.fail("secret_refs", "Duplicate reference names are not allowed")
		}
		if slices.ContainsFunc(refs, func(o keymanager.SecretRef) bool { return o.SecretID == ref.SecretID }) {
			b.fail("secret_refs", "Duplicate secret ids are not allowed")
		}
		refs = append(refs, ref)
	}
	return refs
}

func (b *body) secretRef() keymanager.SecretRef {
	b.require("secret_ref")
	ref := keymanager.SecretRef{Name: b.textOrNull("name")}
	id, ok := referred(b.some("secret_ref", 2048))
	if !ok {
		b.fail("secret_ref", "it is no reference to a secret of this key manager")
	}
	ref.SecretID = id
	return ref
}

// mayHold lets those secrets into a container that the actor may read, and tells no one of others.
func (a *API) mayHold(ctx context.Context, r *request, ref keymanager.SecretRef) error {
	s, err := a.store.Secret(ctx, ref.SecretID)
	switch {
	case errors.Is(err, lbaas.NotFound):
	case err != nil:
		return err
	case !s.Expired(a.now()) && allowed(r.Actor, "secret:get", targetOf(s.ProjectID, s.CreatorID, s.ACL)):
		return nil
	}
	return lbaas.Errorf(lbaas.NotFound, "Secret provided for '%s' doesn't exist.", ref.Name)
}

func (a *API) showContainer(ctx context.Context, r *request, c *keymanager.Container) (web.Reply, error) {
	shown, err := a.containersOf(ctx, r, []*keymanager.Container{c})
	if err != nil {
		return web.Reply{}, err
	}
	return web.Reply{Status: http.StatusOK, Body: shown[0]}, nil
}

func (a *API) deleteContainer(ctx context.Context, _ *request, c *keymanager.Container) (web.Reply, error) {
	if err := a.store.DeleteContainer(ctx, c.ID); err != nil {
		return web.Reply{}, renamed(err, "Container")
	}
	return web.Reply{Status: http.StatusNoContent}, nil
}

// contained reads a reference that is to be put into a container, or taken out of it.
func (r *request) contained(c *keymanager.Container) (keymanager.SecretRef, error) {
	b, err := r.readBody("ContainerSecret")
	if err != nil {
		return keymanager.SecretRef{}, err
	}
	ref := b.secretRef()
	if err := b.err(); err != nil {
		return ref, err
	}
	if c.Type != keymanager.GenericContainer {
		return ref, lbaas.Errorf(lbaas.Invalid, "Only 'generic' containers can be modified.")
	}
	return ref, nil
}

func (a *API) addToContainer(ctx context.Context, r *request, c *keymanager.Container) (web.Reply, error) {
	ref, err := r.contained(c)
	if err != nil {
		return web.Reply{}, err
	}
	if err := a.mayHold(ctx, r, ref); err != nil {
		return web.Reply{}, err
	}
	if len(c.Secrets) >= maxContained {
		return web.Reply{}, lbaas.Errorf(lbaas.Invalid, "A container has at most %d secrets.", maxContained)
	}
	if err := a.store.AddToContainer(ctx, c.ID, ref); err != nil {
		return web.Reply{}, renamed(err, "Container")
	}
	return created(map[string]any{"container_ref": r.containerRef(c.ID)}, r.containerRef(c.ID)), nil
}

func (a *API) removeFromContainer(ctx context.Context, r *request, c *keymanager.Container) (web.Reply, error) {
	ref, err := r.contained(c)
	if err != nil {
		return web.Reply{}, err
	}
	if err := a.store.RemoveFromContainer(ctx, c.ID, ref); err != nil {
		return web.Reply{}, renamed(err, "Secret in the container")
	}
	return web.Reply{Status: http.StatusNoContent}, nil
}

type containerJSON struct {
	Type      keymanager.ContainerType `json:"type"`
	Status    keymanager.Status        `json:"status"`
	Name      *string                  `json:"name"`
	Ref       string                   `json:"container_ref"`
	Secrets   []map[string]any         `json:"secret_refs"`
	Consumers []map[string]any         `json:"consumers"`
	CreatorID string                   `json:"creator_id"`
	Created   string                   `json:"created"`
	Updated   string                   `json:"updated"`
}

// containersOf are containers as the API shows them.
func (a *API) containersOf(ctx context.Context, r *request, containers []*keymanager.Container) (all []*containerJSON, err error) {
	ids := make([]string, len(containers))
	for i, c := range containers {
		ids[i] = c.ID
	}
	consumers, err := a.store.ConsumersOf(ctx, ids)
	if err != nil {
		return nil, err
	}
	for _, c := range containers {
		all = append(all, containerOf(r, c, consumers[c.ID]))
	}
	return all, nil
}

func containerOf(r *request, c *keymanager.Container, users []*keymanager.Consumer) *containerJSON {
	v := &containerJSON{
		Type: c.Type, Status: c.Status, Name: orNull(c.Name), Ref: r.containerRef(c.ID), CreatorID: c.CreatorID,
		Created: moment(c.CreatedAt), Updated: moment(c.UpdatedAt), Secrets: []map[string]any{}, Consumers: []map[string]any{},
	}
	for _, s := range c.Secrets {
		v.Secrets = append(v.Secrets, map[string]any{"name": orNull(s.Name), "secret_ref": r.secretRef(s.SecretID)})
	}
	for _, u := range users {
		v.Consumers = append(v.Consumers, map[string]any{"name": u.Name, "URL": u.URL})
	}
	return v
}
