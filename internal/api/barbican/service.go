// Package barbican is the key manager's face: Barbican's API, version 1, and what TLS reads of the secrets that it keeps.
package barbican

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"plimsoll/internal/identity"
	"plimsoll/internal/keymanager"
	"plimsoll/lbaas"
)

// Vault is what the Service needs of the store. What is not there is lbaas.NotFound.
type Vault interface {
	Secret(ctx context.Context, id string) (*keymanager.Secret, error)
	Payload(ctx context.Context, id string) (*keymanager.Payload, error)
	Container(ctx context.Context, id string) (*keymanager.Container, error)
	ProjectsOf(ctx context.Context, userID string) ([]*identity.Project, error)
}

// Service reads for TLS what listeners and pools refer to. Its methods may be called concurrently. What Material returns is shared: nobody
// changes it.
type Service struct {
	Vault Vault

	memory memory
}

// Material reads what a listener or pool of a project refers to: a secret or a container, by the reference's last path element. The
// project has it when it is the project's, or when its ACL names the project or a user who has a role there. The error is
// lbaas.NotFound, lbaas.Forbidden or lbaas.Invalid where the user has to do something about it; any other says that nothing is known.
func (s *Service) Material(ctx context.Context, projectID, ref string, use keymanager.Use) (*keymanager.Material, error) {
	r := &reading{vault: s.Vault, memory: &s.memory, asker: keymanager.Asker{ProjectID: projectID}}
	return r.material(ctx, ref, use)
}

// Check looks at what somebody wants a listener or pool to refer to. Besides what Material asks for, that user has to be allowed to read
// it. An error says that nothing is known.
func (s *Service) Check(ctx context.Context, by keymanager.Asker, refs []keymanager.Reference) (bad []keymanager.Refusal, err error) {
	r := &reading{vault: s.Vault, memory: &s.memory, asker: by, byUser: true}
	for _, ref := range refs {
		err := r.check(ctx, ref)
		if err != nil && !keymanager.Told(err) {
			return nil, err
		}
		if err != nil {
			bad = append(bad, keymanager.Refusal{Ref: ref.Ref, Reason: err.Error()})
		}
	}
	return bad, nil
}

// reading is how somebody reads what TLS refers to.
type reading struct {
	vault  Vault
	memory *memory
	asker  keymanager.Asker
	byUser bool // the user is asked for, too
}

func (r *reading) check(ctx context.Context, ref keymanager.Reference) error {
	m, err := r.material(ctx, ref.Ref, ref.Use)
	if err != nil || ref.Use != keymanager.Revocations || ref.Signers == "" {
		return err
	}
	signers, err := r.material(ctx, ref.Signers, keymanager.Authorities)
	if err != nil {
		return err
	}
	if err := keymanager.VerifyRevocations(m.PEM, signers.PEM); err != nil {
		return unusable("Secret", keymanager.RefID(ref.Ref), ref.Use, err)
	}
	return nil
}

// material finds out what a reference is of. One that does not say so may be of either; ids are those of one only.
func (r *reading) material(ctx context.Context, ref string, use keymanager.Use) (*keymanager.Material, error) {
	id, kind := keymanager.RefID(ref), keymanager.Kind(ref)
	if kind != "secrets" {
		c, err := r.vault.Container(ctx, id)
		if err == nil {
			return r.ofContainer(ctx, c, use)
		}
		if kind == "containers" || !errors.Is(err, lbaas.NotFound) {
			return nil, err
		}
	}
	payload, err := r.payload(ctx, id)
	if err != nil {
		return nil, err
	}
	m, err := r.memory.read(use, [][]byte{payload}, func() (*keymanager.Material, error) { return parse(payload, use) })
	if err != nil {
		return nil, unusable("Secret", id, use, err)
	}
	return m, nil
}

// parse reads what one secret keeps.
func parse(payload []byte, use keymanager.Use) (*keymanager.Material, error) {
	switch use {
	case keymanager.Authorities:
		return keymanager.ParseAuthorities(payload)
	case keymanager.Revocations:
		return keymanager.ParseRevocations(payload)
	}
	return keymanager.ParseBundle(payload, nil)
}

func unusable(noun, id string, use keymanager.Use, err error) error {
	return lbaas.Errorf(lbaas.Invalid, "%s %s cannot be used as %s: %s.", noun, id, use, strings.TrimSuffix(err.Error(), "."))
}

func (r *reading) ofContainer(ctx context.Context, c *keymanager.Container, use keymanager.Use) (*keymanager.Material, error) {
	if err := r.allowed(ctx, "Container", c.ID, c.ProjectID, c.CreatorID, c.ACL); err != nil {
		return nil, err
	}
	if use != keymanager.Certificate {
		return nil, lbaas.Errorf(lbaas.Invalid, "Container %s cannot be used as %s: refer to a secret.", c.ID, use)
	}
	var parts [][]byte
	for _, name := range []string{
		keymanager.RefCertificate, keymanager.RefPrivateKey, keymanager.RefIntermediates, keymanager.RefPrivateKeyPassphrase,
	} {
		payload, err := r.part(ctx, c, name)
		if err != nil {
			return nil, err
		}
		parts = append(parts, payload)
	}
	m, err := r.memory.read(use, parts, func() (*keymanager.Material, error) {
		return keymanager.FromContainer(parts[0], parts[1], parts[2], parts[3])
	})
	if err != nil {
		return nil, unusable("Container", c.ID, use, err)
	}
	return m, nil
}

// part reads the secret of a name in a container; of those that may be absent, nothing.
func (r *reading) part(ctx context.Context, c *keymanager.Container, name string) ([]byte, error) {
	id := c.Secret(name)
	if id != "" {
		return r.payload(ctx, id)
	}
	if name == keymanager.RefCertificate || name == keymanager.RefPrivateKey {
		return nil, lbaas.Errorf(lbaas.Invalid, "Container %s cannot be used as certificate: it has no secret named %s.", c.ID, name)
	}
	return nil, nil
}

// payload reads what a secret keeps.
func (r *reading) payload(ctx context.Context, id string) ([]byte, error) {
	secret, err := r.vault.Secret(ctx, id)
	if err != nil {
		return nil, err
	}
	if err := r.allowed(ctx, "Secret", id, secret.ProjectID, secret.CreatorID, secret.ACL); err != nil {
		return nil, err
	}
	if secret.Expired(time.Now()) {
		return nil, lbaas.Errorf(lbaas.NotFound, "Secret %s expired at %s: store another one.", id, secret.Expiration.Format(time.RFC3339))
	}
	p, err := r.vault.Payload(ctx, id)
	if err != nil {
		return nil, err
	}
	return p.Content, nil
}

// allowed refuses what the asker may not use.
func (r *reading) allowed(ctx context.Context, noun, id, owner, creator string, acl *keymanager.ACL) error {
	given := keymanager.DefaultACL()
	if acl != nil {
		given = *acl
	}
	has, err := r.projectHas(ctx, owner, given.Users)
	if err != nil {
		return err
	}
	if !has {
		return lbaas.Errorf(lbaas.Forbidden, "%s %s is another project's, and its ACL names neither project %s nor a user of it.",
			noun, id, r.asker.ProjectID)
	}
	if r.byUser && !r.userMay(owner, creator, given) {
		return lbaas.Errorf(lbaas.Forbidden, "%s %s is private, and its ACL does not name you.", noun, id)
	}
	return nil
}

func (r *reading) projectHas(ctx context.Context, owner string, users []string) (bool, error) {
	if owner == r.asker.ProjectID || slices.Contains(users, r.asker.ProjectID) {
		return true, nil
	}
	for _, user := range users {
		projects, err := r.vault.ProjectsOf(ctx, user)
		if err != nil {
			return false, err
		}
		if slices.ContainsFunc(projects, func(p *identity.Project) bool { return p.ID == r.asker.ProjectID }) {
			return true, nil
		}
	}
	return false, nil
}

func (r *reading) userMay(owner, creator string, acl keymanager.ACL) bool {
	if r.asker.Admin || slices.Contains(acl.Users, r.asker.UserID) || slices.Contains(acl.Users, r.asker.ProjectID) {
		return true
	}
	return owner == r.asker.ProjectID && (acl.ProjectAccess || creator == r.asker.UserID)
}
