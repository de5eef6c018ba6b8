package barbican

import (
	"context"
	"net/http"
	"time"

	"github.com/google/uuid"

	"plimsoll/internal/keymanager"
	"plimsoll/internal/web"
)

type secretHandler func(ctx context.Context, r *request, s *keymanager.Secret) (web.Reply, error)

// ofSecret finds the secret that a path names, and enforces the route's rule. One that has expired is not there any more, but for those
// who clean up.
func (a *API) ofSecret(h secretHandler) handler {
	return func(ctx context.Context, r *request) (web.Reply, error) {
		id, err := r.id("secret", "Secret")
		if err != nil {
			return web.Reply{}, err
		}
		s, err := a.store.Secret(ctx, id)
		if err != nil {
			return web.Reply{}, renamed(err, "Secret")
		}
		if s.Expired(a.now()) && r.rule != "secret:delete" {
			return web.Reply{}, notFound("Secret")
		}
		if err := r.allow(targetOf(s.ProjectID, s.CreatorID, s.ACL)); err != nil {
			return web.Reply{}, err
		}
		return h(ctx, r, s)
	}
}

func (a *API) listSecrets(ctx context.Context, r *request) (web.Reply, error) {
	if err := r.allowOwn(); err != nil {
		return web.Reply{}, err
	}
	l, err := r.secretListing()
	if err != nil {
		return web.Reply{}, err
	}
	found, total, err := a.store.Secrets(ctx, l)
	if err != nil {
		return web.Reply{}, err
	}
	shown, err := a.secretsOf(ctx, r, found)
	if err != nil {
		return web.Reply{}, err
	}
	return pageOf(r, "secrets", shown, total, "secrets"), nil
}

func (a *API) createSecret(ctx context.Context, r *request) (web.Reply, error) {
	if err := r.allowOwn(); err != nil {
		return web.Reply{}, err
	}
	b, err := r.readBody("Secret")
	if err != nil {
		return web.Reply{}, err
	}
	s := readSecret(b, a.now())
	p, err := a.readPayload(b)
	if err != nil {
		return web.Reply{}, err
	}
	s.ID, s.ProjectID, s.CreatorID = uuid.NewString(), r.Actor.ProjectID, r.Actor.UserID
	if err := a.store.CreateSecret(ctx, s, p); err != nil {
		return web.Reply{}, err
	}
	return created(map[string]any{"secret_ref": r.secretRef(s.ID)}, r.secretRef(s.ID)), nil
}

// maxBits is the longest key that Barbican lets one tell of: it keeps the number in 16 bits.
const maxBits = 1<<15 - 1

func readSecret(b *body, now time.Time) *keymanager.Secret {
	var types []string
	for _, t := range keymanager.SecretTypes() {
		types = append(types, string(t))
	}
	for _, name := range []string{"transport_key_id", "transport_key_needed"} {
		if b.has(name) && string(b.Object[name]) != `"false"` {
			b.fail(name, "there are no transport keys here")
		}
	}
	return &keymanager.Secret{
		Name: b.textOrNull("name"), Algorithm: b.text("algorithm", 255), Mode: b.text("mode", 255),
		BitLength: b.integer("bit_length", 1, maxBits), Expiration: b.after("expiration", now),
		Type:   keymanager.SecretType(b.word("secret_type", string(keymanager.Opaque), types)),
		Status: keymanager.Active,
	}
}

func (a *API) showSecret(ctx context.Context, r *request, s *keymanager.Secret) (web.Reply, error) {
	if wantsPayload(r.Request.Request) {
		if err := r.may("secret:decrypt", targetOf(s.ProjectID, s.CreatorID, s.ACL)); err != nil {
			return web.Reply{}, err
		}
		return a.showPayload(ctx, r, s)
	}
	shown, err := a.secretsOf(ctx, r, []*keymanager.Secret{s})
	if err != nil {
		return web.Reply{}, err
	}
	return web.Reply{Status: http.StatusOK, Body: shown[0]}, nil
}

func (a *API) showPayload(ctx context.Context, r *request, s *keymanager.Secret) (web.Reply, error) {
	p, err := a.store.Payload(ctx, s.ID)
	if err != nil {
		return web.Reply{}, renamed(err, "Secret payload")
	}
	kind, err := negotiate(r.Header.Values("Accept"), p)
	if err != nil {
		return web.Reply{}, err
	}
	if kind == plainText {
		kind += "; charset=utf-8"
	}
	// Nobody on the way may keep a secret, and no browser may take it for a page.
	header := http.Header{"Cache-Control": {"no-store"}, "X-Content-Type-Options": {"nosniff"}}
	return web.Reply{Status: http.StatusOK, Body: web.Raw{Type: kind, Data: p.Content}, Header: header}, nil
}

// updateSecret gives a secret its payload. Where there is one already, Barbican answers 409; here it is replaced, and what uses it
// takes the new one: so certificates are renewed.
func (a *API) updateSecret(ctx context.Context, r *request, s *keymanager.Secret) (web.Reply, error) {
	p, err := a.receivePayload(r)
	if err != nil {
		return web.Reply{}, err
	}
	if err := a.store.PutPayload(ctx, s.ID, *p); err != nil {
		return web.Reply{}, renamed(err, "Secret")
	}
	return web.Reply{Status: http.StatusNoContent}, nil
}

func (a *API) deleteSecret(ctx context.Context, _ *request, s *keymanager.Secret) (web.Reply, error) {
	if err := a.store.DeleteSecret(ctx, s.ID); err != nil {
		return web.Reply{}, renamed(err, "Secret")
	}
	return web.Reply{Status: http.StatusNoContent}, nil
}

type secretJSON struct {
	Status       keymanager.Status     `json:"status"`
	Created      string                `json:"created"`
	Updated      string                `json:"updated"`
	Ref          string                `json:"secret_ref"`
	Name         *string               `json:"name"`
	Type         keymanager.SecretType `json:"secret_type"`
	Expiration   *string               `json:"expiration"`
	Algorithm    *string               `json:"algorithm"`
	BitLength    *int                  `json:"bit_length"`
	Mode         *string               `json:"mode"`
	CreatorID    string                `json:"creator_id"`
	ContentTypes map[string]string     `json:"content_types,omitempty"`
	Consumers    *[]any                `json:"consumers,omitempty"`
}

// secretsOf are secrets as the API shows them. Their consumers are there since version 1.1: older clients would fail on them.
func (a *API) secretsOf(ctx context.Context, r *request, secrets []*keymanager.Secret) (all []*secretJSON, err error) {
	var consumers map[string][]*keymanager.Consumer
	if r.minor > 0 {
		ids := make([]string, len(secrets))
		for i, s := range secrets {
			ids[i] = s.ID
		}
		if consumers, err = a.store.ConsumersOf(ctx, ids); err != nil {
			return nil, err
		}
	}
	for _, s := range secrets {
		v := secretOf(r, s)
		if r.minor > 0 {
			v.Consumers = consumersOf(consumers[s.ID])
		}
		all = append(all, v)
	}
	return all, nil
}

func consumersOf(users []*keymanager.Consumer) *[]any {
	shown := []any{}
	for _, c := range users {
		shown = append(shown, map[string]string{"service": c.Service, "resource_type": c.ResourceType, "resource_id": c.ResourceID})
	}
	return &shown
}

// secretOf is a secret without its consumers.
func secretOf(r *request, s *keymanager.Secret) *secretJSON {
	v := &secretJSON{
		Status: s.Status, Created: moment(s.CreatedAt), Updated: moment(s.UpdatedAt), Ref: r.secretRef(s.ID),
		Name: orNull(s.Name), Type: s.Type, Algorithm: orNull(s.Algorithm), Mode: orNull(s.Mode), CreatorID: s.CreatorID,
	}
	if !s.Expiration.IsZero() {
		v.Expiration = orNull(moment(s.Expiration))
	}
	if s.BitLength > 0 {
		v.BitLength = &s.BitLength
	}
	if s.ContentType != "" {
		v.ContentTypes = map[string]string{"default": s.ContentType}
	}
	return v
}

// moment is a time as Barbican writes it: UTC, without saying so.
func moment(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05") }

// orNull is a text, or null where there is none.
func orNull(text string) *string {
	if text == "" {
		return nil
	}
	return &text
}

func created(body any, location string) web.Reply {
	return web.Reply{Status: http.StatusCreated, Body: body, Header: http.Header{"Location": {location}}}
}
