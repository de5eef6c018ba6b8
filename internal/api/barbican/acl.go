package barbican

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"unicode/utf8"

	"plimsoll/internal/keymanager"
	"plimsoll/internal/web"
)

// maxACLUsers bounds the users of an ACL: all of them are read with the object.
const maxACLUsers = 100

type (
	setACL    func(ctx context.Context, id string, acl *keymanager.ACL) error
	changeACL func(ctx context.Context, id string, edit func(*keymanager.ACL) *keymanager.ACL) error
)

// showACL answers with what an ACL says of the one operation that there is, read.
func showACL(acl *keymanager.ACL) (web.Reply, error) {
	body := map[string]any{"read": map[string]any{"project-access": keymanager.DefaultACL().ProjectAccess}}
	if acl != nil {
		users := append([]string{}, acl.Users...)
		body["read"] = map[string]any{
			"project-access": acl.ProjectAccess, "users": users, "created": moment(acl.CreatedAt), "updated": moment(acl.UpdatedAt),
		}
	}
	return web.Reply{Status: http.StatusOK, Body: body}, nil
}

// readACL reads what a request makes of an ACL: for nil, which is none, what it says on top of the default.
func readACL(r *request) (func(base *keymanager.ACL) *keymanager.ACL, error) {
	b, err := r.readBody("ACL")
	if err != nil {
		return nil, err
	}
	for operation := range b.Object {
		if operation != "read" {
			b.fail("None", "Additional properties are not allowed ('%s' was unexpected)", strings.ToValidUTF8(operation, "?"))
		}
	}
	read := b.object("read")
	if err := b.err(); err != nil {
		return nil, err
	}
	if read == nil {
		return func(base *keymanager.ACL) *keymanager.ACL { return base }, nil
	}
	given := keymanager.DefaultACL()
	read.readOperation(&given)
	return func(base *keymanager.ACL) *keymanager.ACL {
		acl := given
		if base != nil {
			acl = *base
		}
		if read.has("project-access") {
			acl.ProjectAccess = given.ProjectAccess
		}
		if read.has("users") {
			acl.Users = given.Users
		}
		return &acl
	}, read.err()
}

func (b *body) readOperation(acl *keymanager.ACL) {
	for name := range b.Object {
		if name != "users" && name != "project-access" {
			b.fail("read", "Additional properties are not allowed ('%s' was unexpected)", strings.ToValidUTF8(name, "?"))
		}
	}
	if b.has("project-access") && (b.null("project-access") || json.Unmarshal(b.Object["project-access"], &acl.ProjectAccess) != nil) {
		b.fail("read", "the value of project-access is not of type 'boolean'")
	}
	if !b.has("users") {
		return
	}
	var users []*string
	if b.null("users") || json.Unmarshal(b.Object["users"], &users) != nil || slices.Contains(users, nil) {
		b.fail("read", "the value of users is not a list of strings")
		return
	}
	acl.Users = nil
	for _, u := range users {
		id := strings.TrimSpace(*u)
		if id == "" || utf8.RuneCountInString(id) > 255 || strings.ContainsRune(id, 0) {
			b.fail("read", "users are ids of 1 to 255 characters")
		}
		if !slices.Contains(acl.Users, id) {
			acl.Users = append(acl.Users, id)
		}
	}
	if len(acl.Users) > maxACLUsers {
		b.fail("read", "there are more than %d users", maxACLUsers)
	}
}

// putACL gives an object an ACL in place of the one that it has.
func (r *request) putACL(ctx context.Context, set setACL, id, ref, noun string) (web.Reply, error) {
	return r.patchACL(ctx, func(ctx context.Context, id string, edit func(*keymanager.ACL) *keymanager.ACL) error {
		return set(ctx, id, edit(nil))
	}, id, ref, noun)
}

// patchACL changes the ACL that an object has by now.
func (r *request) patchACL(ctx context.Context, change changeACL, id, ref, noun string) (web.Reply, error) {
	edit, err := readACL(r)
	if err != nil {
		return web.Reply{}, err
	}
	if err := change(ctx, id, edit); err != nil {
		return web.Reply{}, renamed(err, noun)
	}
	return web.Reply{Status: http.StatusOK, Body: map[string]any{"acl_ref": ref + "/acl"}}, nil
}

func dropACL(ctx context.Context, set setACL, id, noun string) (web.Reply, error) {
	if err := set(ctx, id, nil); err != nil {
		return web.Reply{}, renamed(err, noun)
	}
	return web.Reply{Status: http.StatusOK}, nil
}

func (a *API) showSecretACL(_ context.Context, _ *request, s *keymanager.Secret) (web.Reply, error) {
	return showACL(s.ACL)
}

func (a *API) replaceSecretACL(ctx context.Context, r *request, s *keymanager.Secret) (web.Reply, error) {
	return r.putACL(ctx, a.store.SetSecretACL, s.ID, r.secretRef(s.ID), "Secret")
}

func (a *API) patchSecretACL(ctx context.Context, r *request, s *keymanager.Secret) (web.Reply, error) {
	return r.patchACL(ctx, a.store.ChangeSecretACL, s.ID, r.secretRef(s.ID), "Secret")
}

func (a *API) deleteSecretACL(ctx context.Context, _ *request, s *keymanager.Secret) (web.Reply, error) {
	return dropACL(ctx, a.store.SetSecretACL, s.ID, "Secret")
}

func (a *API) showContainerACL(_ context.Context, _ *request, c *keymanager.Container) (web.Reply, error) {
	return showACL(c.ACL)
}

func (a *API) replaceContainerACL(ctx context.Context, r *request, c *keymanager.Container) (web.Reply, error) {
	return r.putACL(ctx, a.store.SetContainerACL, c.ID, r.containerRef(c.ID), "Container")
}

func (a *API) patchContainerACL(ctx context.Context, r *request, c *keymanager.Container) (web.Reply, error) {
	return r.patchACL(ctx, a.store.ChangeContainerACL, c.ID, r.containerRef(c.ID), "Container")
}

func (a *API) deleteContainerACL(ctx context.Context, _ *request, c *keymanager.Container) (web.Reply, error) {
	return dropACL(ctx, a.store.SetContainerACL, c.ID, "Container")
}
