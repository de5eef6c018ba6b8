package barbican

import (
	"context"
	"encoding/json"
	"maps"
	"net/http"
	"regexp"
	"strings"
	"unicode/utf8"

	"plimsoll/internal/keymanager"
	"plimsoll/internal/web"
	"plimsoll/lbaas"
)

const (
	maxMetadatum = 255 // characters of a key and of a value
	maxMetadata  = 100 // of one secret
)

var metadataKey = regexp.MustCompile(`^[A-Za-z0-9_-]+$`)

func (a *API) showMetadata(_ context.Context, _ *request, s *keymanager.Secret) (web.Reply, error) {
	shown := s.Metadata
	if shown == nil {
		shown = map[string]string{}
	}
	return web.Reply{Status: http.StatusOK, Body: map[string]any{"metadata": shown}}, nil
}

func (a *API) replaceMetadata(ctx context.Context, r *request, s *keymanager.Secret) (web.Reply, error) {
	b, err := r.readBody("SecretMetadata")
	if err != nil {
		return web.Reply{}, err
	}
	b.require("metadata")
	given := b.object("metadata")
	if err := b.err(); err != nil {
		return web.Reply{}, err
	}
	metadata := map[string]string{}
	for key, raw := range given.Object {
		value, err := readMetadatum(key, raw)
		if err != nil {
			return web.Reply{}, err
		}
		metadata[strings.ToLower(key)] = value
	}
	if err := a.setMetadata(ctx, s, metadata); err != nil {
		return web.Reply{}, err
	}
	return web.Reply{Status: http.StatusCreated, Body: map[string]any{"metadata_ref": r.secretRef(s.ID) + "/metadata"}}, nil
}

func readMetadatum(key string, raw json.RawMessage) (value string, err error) {
	switch {
	case !metadataKey.MatchString(key):
		return "", lbaas.Errorf(lbaas.Invalid, "Invalid Key. Key must be URL safe.")
	case string(raw) == "null" || json.Unmarshal(raw, &value) != nil || strings.ContainsRune(value, 0):
		return "", lbaas.Errorf(lbaas.Invalid, "Invalid Metadata. Keys and Values must be Strings.")
	case len(key) > maxMetadatum || utf8.RuneCountInString(value) > maxMetadatum:
		return "", lbaas.Errorf(lbaas.Invalid, "Invalid Metadata. Keys and Values have at most %d characters.", maxMetadatum)
	}
	return value, nil
}

func (a *API) setMetadata(ctx context.Context, s *keymanager.Secret, metadata map[string]string) error {
	if len(metadata) > maxMetadata {
		return lbaas.Errorf(lbaas.Invalid, "Invalid Metadata. A secret has at most %d keys.", maxMetadata)
	}
	return renamed(a.store.SetSecretMetadata(ctx, s.ID, metadata), "Secret")
}

// readPair reads a key and its value.
func readPair(r *request) (key, value string, err error) {
	b, err := r.readBody("SecretMetadatum")
	if err != nil {
		return "", "", err
	}
	b.require("key", "value")
	for name := range b.Object {
		if name != "key" && name != "value" {
			b.fail("None", "Additional properties are not allowed")
		}
	}
	key = b.text("key", maxMetadatum)
	if err := b.err(); err != nil {
		return "", "", err
	}
	value, err = readMetadatum(key, b.Object["value"])
	return strings.ToLower(key), value, err
}

func (a *API) addMetadatum(ctx context.Context, r *request, s *keymanager.Secret) (web.Reply, error) {
	key, value, err := readPair(r)
	if err != nil {
		return web.Reply{}, err
	}
	if _, there := s.Metadata[key]; there {
		return web.Reply{}, lbaas.Errorf(lbaas.Conflict, "Conflict. Key in request is already in the secret metadata")
	}
	if err := a.setMetadata(ctx, s, with(s.Metadata, key, value)); err != nil {
		return web.Reply{}, err
	}
	ref := r.secretRef(s.ID) + "/metadata/" + key
	return created(map[string]string{"metadata_ref": ref, "key": key, "value": value}, ref), nil
}

func (a *API) showMetadatum(_ context.Context, r *request, s *keymanager.Secret) (web.Reply, error) {
	key := r.PathValue("key")
	value, there := s.Metadata[key]
	if !there {
		return web.Reply{}, notFound("Secret metadata")
	}
	return web.Reply{Status: http.StatusOK, Body: map[string]string{"key": key, "value": value}}, nil
}

func (a *API) updateMetadatum(ctx context.Context, r *request, s *keymanager.Secret) (web.Reply, error) {
	key, value, err := readPair(r)
	if err != nil {
		return web.Reply{}, err
	}
	if _, there := s.Metadata[r.PathValue("key")]; !there {
		return web.Reply{}, notFound("Secret metadata")
	}
	if key != r.PathValue("key") {
		return web.Reply{}, lbaas.Errorf(lbaas.Conflict, "Key in request data does not match key in the request url.")
	}
	if err := a.setMetadata(ctx, s, with(s.Metadata, key, value)); err != nil {
		return web.Reply{}, err
	}
	return web.Reply{Status: http.StatusOK, Body: map[string]string{"key": key, "value": value}}, nil
}

func (a *API) deleteMetadatum(ctx context.Context, r *request, s *keymanager.Secret) (web.Reply, error) {
	if _, there := s.Metadata[r.PathValue("key")]; !there {
		return web.Reply{}, notFound("Secret metadata")
	}
	rest := maps.Clone(s.Metadata)
	delete(rest, r.PathValue("key"))
	if err := a.setMetadata(ctx, s, rest); err != nil {
		return web.Reply{}, err
	}
	return web.Reply{Status: http.StatusNoContent}, nil
}

func with(metadata map[string]string, key, value string) map[string]string {
	all := maps.Clone(metadata)
	if all == nil {
		all = map[string]string{}
	}
	all[key] = value
	return all
}
