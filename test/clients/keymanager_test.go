package clients

import (
	"net/http"
	"path"
	"testing"
	"time"

	"github.com/gophercloud/gophercloud/v2"
	"github.com/gophercloud/gophercloud/v2/openstack/keymanager/v1/acls"
	"github.com/gophercloud/gophercloud/v2/openstack/keymanager/v1/containers"
	"github.com/gophercloud/gophercloud/v2/openstack/keymanager/v1/secrets"
)

// secrets does what Terraform does with the key manager: secrets with metadata and an ACL, and containers with consumers.
func (s *site) secrets(t *testing.T) {
	ctx, api := t.Context(), s.KeyManager
	expires := time.Date(2099, 1, 2, 3, 4, 5, 0, time.UTC)
	made := ok[*secrets.Secret](t)(secrets.Create(ctx, api, secrets.CreateOpts{
		Name: "tf", Algorithm: "aes", BitLength: 256, Mode: "cbc", SecretType: secrets.CertificateSecret, Expiration: &expires,
		Payload: "one", PayloadContentType: "text/plain",
	}).Extract())
	id := path.Base(made.SecretRef)
	got := ok[*secrets.Secret](t)(secrets.Get(ctx, api, id).Extract())
	if got.Created.IsZero() || got.Updated.IsZero() || got.CreatorID == "" {
		t.Errorf("the secret is %+v", got)
	}
	got.Created, got.Updated, got.CreatorID = time.Time{}, time.Time{}, ""
	same(t, "secret", secrets.Secret{
		Name: "tf", Algorithm: "aes", BitLength: 256, Mode: "cbc", SecretType: "certificate", Expiration: expires, Status: "ACTIVE",
		SecretRef: made.SecretRef, ContentTypes: map[string]string{"default": "text/plain"},
	}, *got)
	done(t, secrets.Update(ctx, api, id, secrets.UpdateOpts{Payload: "dHdv", ContentType: "application/octet-stream", ContentEncoding: "base64"}).ExtractErr())
	payload := ok[[]byte](t)(secrets.GetPayload(ctx, api, id, secrets.GetPayloadOpts{PayloadContentType: "application/octet-stream"}).Extract())
	same(t, "payload", "two", string(payload))
	found := all(t, secrets.List(api, secrets.ListOpts{Name: "tf", CreatedQuery: &secrets.DateQuery{Date: expires, Filter: secrets.DateFilterLT}, Sort: "name:desc"}), secrets.ExtractSecrets)
	if len(found) != 1 || found[0].SecretRef != made.SecretRef {
		t.Errorf("secrets %+v", found)
	}
	s.secretMetadata(t, id)
	s.secretACL(t, id)
	s.secretContainer(t, made.SecretRef)
	done(t, secrets.Delete(ctx, api, id).ExtractErr())
	if _, err := secrets.Get(ctx, api, id).Extract(); !gophercloud.ResponseCodeIs(err, http.StatusNotFound) {
		t.Errorf("a secret that is gone: %v", err)
	}
}

func (s *site) secretMetadata(t *testing.T, id string) {
	ctx, api := t.Context(), s.KeyManager
	ref := ok[map[string]string](t)(secrets.CreateMetadata(ctx, api, id, secrets.MetadataOpts{"foo": "bar", "more": "x"}).Extract())
	same(t, "reference", map[string]string{"metadata_ref": s.Server.URL + "/key-manager/v1/secrets/" + id + "/metadata"}, ref)
	done(t, secrets.CreateMetadatum(ctx, api, id, secrets.MetadatumOpts{Key: "new", Value: "1"}).ExtractErr())
	same(t, "changed", secrets.Metadatum{Key: "new", Value: "2"},
		*ok[*secrets.Metadatum](t)(secrets.UpdateMetadatum(ctx, api, id, secrets.MetadatumOpts{Key: "new", Value: "2"}).Extract()))
	same(t, "one", secrets.Metadatum{Key: "foo", Value: "bar"}, *ok[*secrets.Metadatum](t)(secrets.GetMetadatum(ctx, api, id, "foo").Extract()))
	done(t, secrets.DeleteMetadatum(ctx, api, id, "more").ExtractErr())
	same(t, "metadata", map[string]string{"foo": "bar", "new": "2"}, ok[map[string]string](t)(secrets.GetMetadata(ctx, api, id).Extract()))
}

func (s *site) secretACL(t *testing.T, id string) {
	ctx, api := t.Context(), s.KeyManager
	ref := ok[*acls.ACLRef](t)(acls.SetSecretACL(ctx, api, id, acls.SetOpts{{Type: "read", Users: &[]string{"u1", "u2"}, ProjectAccess: ptr(false)}}).Extract())
	same(t, "reference", acls.ACLRef(s.Server.URL+"/key-manager/v1/secrets/"+id+"/acl"), *ref)
	ok[*acls.ACLRef](t)(acls.UpdateSecretACL(ctx, api, id, acls.SetOpts{{Type: "read", Users: &[]string{"u3"}}}).Extract())
	acl := *ok[*acls.ACL](t)(acls.GetSecretACL(ctx, api, id).Extract())
	same(t, "users", []string{"u3"}, acl["read"].Users)
	if acl["read"].ProjectAccess || acl["read"].Created.IsZero() {
		t.Errorf("the ACL is %+v", acl)
	}
	done(t, acls.DeleteSecretACL(ctx, api, id).ExtractErr())
}

func (s *site) secretContainer(t *testing.T, secret string) {
	ctx, api := t.Context(), s.KeyManager
	made := ok[*containers.Container](t)(containers.Create(ctx, api, containers.CreateOpts{
		Name: "tf", Type: containers.GenericContainer, SecretRefs: []containers.SecretRef{{Name: "a", SecretRef: secret}},
	}).Extract())
	id := path.Base(made.ContainerRef)
	user := containers.ConsumerRef{Name: "lb", URL: "http://lb"}
	got := ok[*containers.Container](t)(containers.CreateConsumer(ctx, api, id, containers.CreateConsumerOpts(user)).Extract())
	same(t, "consumers", []containers.ConsumerRef{user}, got.Consumers)
	same(t, "secrets", []containers.SecretRef{{Name: "a", SecretRef: secret}}, got.SecretRefs)
	if list := all(t, containers.ListConsumers(api, id, nil), containers.ExtractConsumers); len(list) != 1 || list[0].URL != "http://lb" || list[0].Created.IsZero() {
		t.Errorf("consumers %+v", list)
	}
	ok[*containers.Container](t)(containers.DeleteConsumer(ctx, api, id, containers.DeleteConsumerOpts(user)).Extract())
	done(t, containers.DeleteSecretRef(ctx, api, id, containers.SecretRef{Name: "a", SecretRef: secret}).ExtractErr())
	ok[*containers.Container](t)(containers.CreateSecretRef(ctx, api, id, containers.SecretRef{Name: "b", SecretRef: secret}).Extract())
	list := all(t, containers.List(api, containers.ListOpts{Name: "tf"}), containers.ExtractContainers)
	if len(list) != 1 || len(list[0].SecretRefs) != 1 || list[0].SecretRefs[0].Name != "b" {
		t.Errorf("containers %+v", list)
	}
	done(t, containers.Delete(ctx, api, id).ExtractErr())
}
