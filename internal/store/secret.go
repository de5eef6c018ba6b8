package store

import (
	"context"
	"encoding/base64"
	"fmt"
	"slices"

	"github.com/google/uuid"
	"github.com/uptrace/bun"

	"plimsoll/internal/keymanager"
	"plimsoll/lbaas"
)

// The tables of the key manager.
const (
	tableSecrets        = "secrets"
	tablePayloads       = "secret_payloads"
	tableContainers     = "secret_containers"
	tableContainerItems = "secret_container_items"
	tableConsumers      = "secret_consumers"
)

type secretRow struct {
	bun.BaseModel `bun:"table:secrets"`

	ID          string `bun:"id,pk"`
	ProjectID   string `bun:"project_id"`
	CreatorID   string `bun:"creator_id"`
	Name        string `bun:"name"`
	Type        string `bun:"type"`
	Algorithm   string `bun:"algorithm"`
	BitLength   int64  `bun:"bit_length"`
	Mode        string `bun:"mode"`
	ExpiresAt   int64  `bun:"expires_at"`
	ContentType string `bun:"content_type"`
	NotAfter    int64  `bun:"not_after"`
	Metadata    string `bun:"metadata"`
	aclRow
	CreatedAt int64 `bun:"created_at"`
	UpdatedAt int64 `bun:"updated_at"`
	Epoch     int64 `bun:"epoch"`
}

// aclRow are the columns of an ACL.
type aclRow struct {
	Users     string `bun:"acl_users"`
	Project   bool   `bun:"acl_project"`
	ACLMade   int64  `bun:"acl_created_at"`
	ACLEdited int64  `bun:"acl_updated_at"`
}

func newACLRow(acl *keymanager.ACL) aclRow {
	if acl == nil {
		return aclRow{Project: true}
	}
	return aclRow{Users: listText(acl.Users), Project: acl.ProjectAccess, ACLMade: micros(acl.CreatedAt), ACLEdited: micros(acl.UpdatedAt)}
}

func (r *aclRow) acl() *keymanager.ACL {
	if r.ACLMade == 0 {
		return nil
	}
	return &keymanager.ACL{
		Users: textList(r.Users), ProjectAccess: r.Project, CreatedAt: fromMicros(r.ACLMade), UpdatedAt: fromMicros(r.ACLEdited),
	}
}

func newSecretRow(s *keymanager.Secret) *secretRow {
	return &secretRow{
		ID: s.ID, ProjectID: s.ProjectID, CreatorID: s.CreatorID, Name: s.Name, Type: string(s.Type),
		Algorithm: s.Algorithm, BitLength: int64(s.BitLength), Mode: s.Mode, ExpiresAt: micros(s.Expiration),
		ContentType: s.ContentType, Metadata: headersText(s.Metadata), aclRow: newACLRow(s.ACL),
		CreatedAt: micros(s.CreatedAt), UpdatedAt: micros(s.UpdatedAt),
	}
}

func (r *secretRow) domain() *keymanager.Secret {
	return &keymanager.Secret{
		ID: r.ID, ProjectID: r.ProjectID, CreatorID: r.CreatorID, Name: r.Name, Type: keymanager.SecretType(r.Type), Status: keymanager.Active,
		Algorithm: r.Algorithm, BitLength: int(r.BitLength), Mode: r.Mode, Expiration: fromMicros(r.ExpiresAt),
		ContentType: r.ContentType, Metadata: textHeaders(r.Metadata), ACL: r.acl(),
		CreatedAt: fromMicros(r.CreatedAt), UpdatedAt: fromMicros(r.UpdatedAt),
	}
}

type payloadRow struct {
	bun.BaseModel `bun:"table:secret_payloads"`

	SecretID string `bun:"secret_id,pk"`
	Sealed   string `bun:"sealed"`
}

// SetKey gives the store the key that payloads are sealed with: keymanager.KeySize bytes. It is called before the store is used; without
// it payloads can be neither read nor written.
func (s *Store) SetKey(key []byte) { s.key = key }

func missingSecret(id string) *lbaas.Error {
	return lbaas.Errorf(lbaas.NotFound, "Secret %s not found.", id)
}

// CreateSecret keeps a new secret, with a payload where p is not nil, and sets its CreatedAt, UpdatedAt, Status and ContentType. It gives it an
// ID where it has none.
func (s *Store) CreateSecret(ctx context.Context, secret *keymanager.Secret, p *keymanager.Payload) error {
	if secret.ID == "" {
		secret.ID = uuid.NewString()
	}
	secret.CreatedAt, secret.Status = now(), keymanager.Active
	secret.UpdatedAt, secret.ContentType = secret.CreatedAt, ""
	var sealed *payloadRow
	var notAfter int64
	if p != nil {
		secret.ContentType, notAfter = p.ContentType, micros(keymanager.NotAfter(p.Content))
		var err error
		if sealed, err = s.seal(secret.ID, p); err != nil {
			return err
		}
	}
	err := s.changeBeside(ctx, func(ctx context.Context, tx bun.Tx) error {
		row := newSecretRow(secret)
		row.NotAfter = notAfter
		if _, err := tx.NewInsert().Model(row).Exec(ctx); err != nil || sealed == nil {
			return err
		}
		_, err := tx.NewInsert().Model(sealed).Exec(ctx)
		return err
	})
	if err != nil {
		return fmt.Errorf("insert secret %s: %w", secret.ID, err)
	}
	return nil
}

// seal makes the row of a payload.
func (s *Store) seal(id string, p *keymanager.Payload) (*payloadRow, error) {
	sealed, err := keymanager.Seal(s.key, id, p.Content)
	if err != nil {
		return nil, err
	}
	return &payloadRow{SecretID: id, Sealed: base64.StdEncoding.EncodeToString(sealed)}, nil
}

// Secret returns one secret. The error is lbaas.NotFound where there is none.
func (s *Store) Secret(ctx context.Context, id string) (*keymanager.Secret, error) {
	row, err := rowOf[secretRow](ctx, s.read, id)
	if err != nil {
		return nil, orNone(err, missingSecret(id))
	}
	return row.domain(), nil
}

// orNone turns the absence of a row into the API's NotFound.
func orNone(err error, missing *lbaas.Error) error {
	if notFound(err) {
		return missing
	}
	return err
}

// Payload returns what a secret keeps. The error is lbaas.NotFound where there is no such secret or it has no payload.
func (s *Store) Payload(ctx context.Context, id string) (*keymanager.Payload, error) {
	var row struct {
		ContentType string `bun:"content_type"`
		Sealed      string `bun:"sealed"`
	}
	err := s.read.NewSelect().TableExpr(tableSecrets+" AS s").Join("LEFT JOIN secret_payloads AS p ON p.secret_id = s.id").
		ColumnExpr("s.content_type AS content_type, COALESCE(p.sealed, '') AS sealed").Where("s.id = ?", id).Scan(ctx, &row)
	switch {
	case err != nil:
		return nil, orNone(err, missingSecret(id))
	case row.Sealed == "":
		return nil, lbaas.Errorf(lbaas.NotFound, "Secret %s has no payload.", id)
	}
	sealed, err := base64.StdEncoding.DecodeString(row.Sealed)
	if err != nil {
		return nil, fmt.Errorf("read the payload of secret %s: %w", id, err)
	}
	plain, err := keymanager.Open(s.key, id, sealed)
	if err != nil {
		s.log.Error("a secret cannot be opened", "secret", id, "err", err)
		return nil, lbaas.Errorf(lbaas.Unavailable, "Secret %s cannot be opened: this server's keymanager.key is not the one that it was sealed with.", id)
	}
	return &keymanager.Payload{Content: plain, ContentType: row.ContentType}, nil
}

// PutPayload gives a secret its payload, or another one. In the same transaction each load balancer with a listener or pool that refers to
// it, by itself or by a container, gets a new generation, so that a renewal is not lost.
func (s *Store) PutPayload(ctx context.Context, id string, p keymanager.Payload) error {
	sealed, err := s.seal(id, &p)
	if err != nil {
		return err
	}
	notAfter := micros(keymanager.NotAfter(p.Content))
	return s.changeSecret(ctx, id, func(ctx context.Context, tx bun.Tx) error {
		_, err := tx.NewUpdate().Table(tableSecrets).Set("content_type = ?", p.ContentType).Set("not_after = ?", notAfter).Set("updated_at = ?", micros(now())).
			Where("id = ?", id).Exec(ctx)
		if err != nil {
			return err
		}
		n, err := affected(tx.NewUpdate().Model(sealed).WherePK().Exec(ctx))
		if err != nil || n > 0 {
			return err
		}
		_, err = tx.NewInsert().Model(sealed).Exec(ctx)
		return err
	})
}

// CheckKey tries the key on payloads that are there. The error is lbaas.Unavailable where it opens none of them: they were sealed with
// another.
func (s *Store) CheckKey(ctx context.Context) error {
	var rows []payloadRow
	if err := s.read.NewSelect().Model(&rows).Order("secret_id").Limit(10).Scan(ctx); err != nil {
		return fmt.Errorf("read payloads to try the key on: %w", err)
	}
	for _, row := range rows {
		sealed, err := base64.StdEncoding.DecodeString(row.Sealed)
		if err == nil {
			_, err = keymanager.Open(s.key, row.SecretID, sealed)
		}
		if err == nil {
			return nil
		}
	}
	if len(rows) == 0 {
		return nil
	}
	return lbaas.Errorf(lbaas.Unavailable, "keymanager.key is not the key that the database's secrets were sealed with: "+
		"nobody can read them, nor use them for load balancers, before the file is restored from a backup or copied from another server.")
}

// changeSecret changes what load balancers may rely on: the secret is held, fn changes it, and those who refer to it are applied again.
func (s *Store) changeSecret(ctx context.Context, id string, fn func(ctx context.Context, tx bun.Tx) error) error {
	return s.changeKeys(ctx, func(ctx context.Context, tx bun.Tx) ([]Hint, error) {
		if err := held(ctx, tx, tableSecrets, "id", id, missingSecret(id)); err != nil {
			return nil, err
		}
		containers, err := containersWith(ctx, tx, id)
		if err != nil {
			return nil, err
		}
		if err := fn(ctx, tx); err != nil {
			return nil, fmt.Errorf("change secret %s: %w", id, err)
		}
		return s.renew(ctx, tx, append(containers, id))
	})
}

// containersWith holds the containers that a secret, which is held, is in, and returns their ids.
func containersWith(ctx context.Context, tx bun.Tx, secretID string) ([]string, error) {
	var ids []string
	err := tx.NewSelect().Table(tableContainerItems).Distinct().Column("container_id").Where("secret_id = ?", secretID).
		Order("container_id").Scan(ctx, &ids)
	if err != nil {
		return nil, fmt.Errorf("look for the containers of secret %s: %w", secretID, err)
	}
	return ids, holdAll(ctx, tx, tableContainers, ids)
}

// holdAll is hold of many rows, of which some may not be there.
func holdAll(ctx context.Context, tx bun.Tx, table string, ids []string) error {
	for some := range slices.Chunk(ids, idChunk) {
		if _, err := tx.NewUpdate().Table(table).Set("epoch = epoch + 1").Where("id IN (?)", bun.List(some)).Exec(ctx); err != nil {
			return fmt.Errorf("hold rows of %s: %w", table, err)
		}
	}
	return nil
}

// DeleteSecret removes a secret with its payload and its consumers; it is then in no container any more. Whoever refers to it is told so.
func (s *Store) DeleteSecret(ctx context.Context, id string) error {
	return s.changeSecret(ctx, id, func(ctx context.Context, tx bun.Tx) error {
		return deleteAll(ctx, tx, id, []place{
			{tablePayloads, "secret_id"}, {tableContainerItems, "secret_id"}, {tableConsumers, "owner_id"}, {tableSecrets, "id"},
		})
	})
}

// place is where an id stands.
type place struct{ table, column string }

func deleteAll(ctx context.Context, tx bun.Tx, id string, places []place) error {
	for _, p := range places {
		if _, err := tx.NewDelete().Table(p.table).Where("? = ?", bun.Ident(p.column), id).Exec(ctx); err != nil {
			return fmt.Errorf("delete from %s: %w", p.table, err)
		}
	}
	return nil
}

// SetSecretACL replaces the ACL of a secret and sets its times (CreatedAt, where it was zero); nil takes it away. Whoever refers to the
// secret is applied again.
func (s *Store) SetSecretACL(ctx context.Context, id string, acl *keymanager.ACL) error {
	return s.changeSecret(ctx, id, func(ctx context.Context, tx bun.Tx) error { return setACL(ctx, tx, tableSecrets, id, acl) })
}

// ChangeSecretACL is SetSecretACL with what fn makes of the ACL that there is, which it may be asked for again; nil is none.
func (s *Store) ChangeSecretACL(ctx context.Context, id string, fn func(*keymanager.ACL) *keymanager.ACL) error {
	return s.changeSecret(ctx, id, func(ctx context.Context, tx bun.Tx) error { return changeACL(ctx, tx, tableSecrets, id, fn) })
}

func changeACL(ctx context.Context, tx bun.Tx, table, id string, fn func(*keymanager.ACL) *keymanager.ACL) error {
	var row aclRow
	err := tx.NewSelect().Table(table).Column("acl_users", "acl_project", "acl_created_at", "acl_updated_at").Where("id = ?", id).Scan(ctx, &row)
	if err != nil {
		return fmt.Errorf("read the ACL of %s: %w", id, err)
	}
	return setACL(ctx, tx, table, id, fn(row.acl()))
}

func setACL(ctx context.Context, tx bun.Tx, table, id string, acl *keymanager.ACL) error {
	if acl != nil {
		acl.UpdatedAt = now()
		if acl.CreatedAt.IsZero() {
			acl.CreatedAt = acl.UpdatedAt
		}
	}
	row := newACLRow(acl)
	_, err := tx.NewUpdate().Table(table).Set("acl_users = ?", row.Users).Set("acl_project = ?", row.Project).
		Set("acl_created_at = ?", row.ACLMade).Set("acl_updated_at = ?", row.ACLEdited).Where("id = ?", id).Exec(ctx)
	return err
}
