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
	err = a.changeMetadata(ctx, s, func(there map[string]string) error {
		clear(there)
		maps.Copy(there, metadata)
		return nil
	})
	if err != nil {
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

// changeMetadata lets fn edit the metadata as they are now, whoever else changes them.
func (a *API) changeMetadata(ctx context.Context, s *keymanager.Secret, fn func(there map[string]string) error) error {
	return a.store.ChangeSecretMetadata(ctx, s.ID, func(there map[string]string) error {
		if err := fn(there); err != nil {
			return err
		}
		if len(there) > maxMetadata {
			return lbaas.Errorf(lbaas.Invalid, "Invalid Metadata. A secret has at most %d keys.", maxMetadata)
		}
		return nil
	})
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
	err = a.changeMetadata(ctx, s, func(there map[string]string) error {
		if _, taken := there[key]; taken {
			return lbaas.Errorf(lbaas.Conflict, "Conflict. Key in request is already in the secret metadata")
		}
		there[key] = value
		return nil
	})
	if err != nil {
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
	err = a.changeMetadata(ctx, s, func(there map[string]string) error {
		if err := has(there, r.PathValue("key")); err != nil {
			return err
		}
		if key != r.PathValue("key") {
			return lbaas.Errorf(lbaas.Conflict, "Key in request data does not match key in the request url.")
		}
		there[key] = value
		return nil
	})
	if err != nil {
		return web.Reply{}, err
	}
	return web.Reply{Status: http.StatusOK, Body: map[string]string{"key": key, "value": value}}, nil
}

func (a *API) deleteMetadatum(ctx context.Context, r *request, s *keymanager.Secret) (web.Reply, error) {
	err := a.changeMetadata(ctx, s, func(there map[string]string) error {
		if err := has(there, r.PathValue("key")); err != nil {
			return err
		}
		delete(there, r.PathValue("key"))
		return nil
	})
	if err != nil {
		return web.Reply{}, err
	}
	return web.Reply{Status: http.StatusNoContent}, nil
}

func has(metadata map[string]string, key string) error {
	if _, there := metadata[key]; !there {
		return notFound("Secret metadata")
	}
	return nil
}
