package harness

import (
	"encoding/base64"
	"testing"

	"github.com/gophercloud/gophercloud/v2/openstack/keymanager/v1/containers"
	"github.com/gophercloud/gophercloud/v2/openstack/keymanager/v1/secrets"
)

// StoreSecret keeps a text or bytes in the key manager and returns the reference.
func (c *Cloud) StoreSecret(t testing.TB, name string, payload []byte) string {
	t.Helper()
	s, err := secrets.Create(t.Context(), c.KeyManager, secrets.CreateOpts{
		Name: name, SecretType: secrets.OpaqueSecret, Payload: base64.StdEncoding.EncodeToString(payload),
		PayloadContentType: "application/octet-stream", PayloadContentEncoding: "base64",
	}).Extract()
	if err != nil {
		t.Fatalf("store secret %s: %v", name, err)
	}
	return s.SecretRef
}

// StoreText keeps a text of a type in the key manager and returns the reference.
func (c *Cloud) StoreText(t testing.TB, name string, kind secrets.SecretType, text []byte) string {
	t.Helper()
	s, err := secrets.Create(t.Context(), c.KeyManager, secrets.CreateOpts{
		Name: name, SecretType: kind, Payload: string(text), PayloadContentType: "text/plain",
	}).Extract()
	if err != nil {
		t.Fatalf("store secret %s: %v", name, err)
	}
	return s.SecretRef
}

// StoreCertificate keeps a certificate, its key and its chain in a certificate container and returns the reference.
func (c *Cloud) StoreCertificate(t testing.TB, name string, i *Identity, chain []byte) string {
	t.Helper()
	made, err := containers.Create(t.Context(), c.KeyManager, containers.CreateOpts{
		Name: name, Type: containers.CertificateContainer, SecretRefs: []containers.SecretRef{
			{Name: "certificate", SecretRef: c.StoreText(t, name, secrets.CertificateSecret, i.Certificate)},
			{Name: "private_key", SecretRef: c.StoreText(t, name+" key", secrets.PrivateSecret, i.Key)},
			{Name: "intermediates", SecretRef: c.StoreText(t, name+" chain", secrets.CertificateSecret, chain)},
		},
	}).Extract()
	if err != nil {
		t.Fatalf("store container %s: %v", name, err)
	}
	return made.ContainerRef
}
