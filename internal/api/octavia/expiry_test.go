package octavia_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"plimsoll/internal/api/octavia"
	"plimsoll/internal/keymanager"
)

// expiring keeps a certificate in the key manager and returns a reference to it.
func (c *cloud) expiring(at time.Time) string {
	c.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		c.t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: at}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		c.t.Fatal(err)
	}
	c.store.SetKey(bytes.Repeat([]byte{1}, keymanager.KeySize))
	secret := &keymanager.Secret{ProjectID: mine, Type: keymanager.Opaque}
	content := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	if err := c.store.CreateSecret(context.Background(), secret, &keymanager.Payload{Content: content}); err != nil {
		c.t.Fatal(err)
	}
	return "http://keys/v1/secrets/" + secret.ID
}

// TestExpiryWarning shows what status_reason says of certificates that have expired or soon will: nothing is wrong otherwise.
func TestExpiryWarning(t *testing.T) {
	c := newCloud(t)
	c.serveVault(octavia.AnyCertificate{})
	day := 24 * time.Hour
	now := time.Now().UTC().Truncate(time.Second)
	gone, soon, late := c.expiring(now.Add(-day)), c.expiring(now.Add(29*day)), c.expiring(now.Add(31*day))
	lb := c.loadBalancer()
	l := "/listeners/" + c.make("/listeners", "listener", object{
		"loadbalancer_id": lb, "protocol": "TERMINATED_HTTPS", "protocol_port": 443, "default_tls_container_ref": late,
		"sni_container_refs": []string{soon, "http://elsewhere/x"}, "client_ca_tls_container_ref": gone,
	})["id"].(string)
	fine := "/listeners/" + c.make("/listeners", "listener", object{
		"loadbalancer_id": lb, "protocol": "TERMINATED_HTTPS", "protocol_port": 444, "default_tls_container_ref": late,
	})["id"].(string)
	p := "/pools/" + c.make("/pools", "pool", object{
		"loadbalancer_id": lb, "protocol": "HTTP", "lb_algorithm": "ROUND_ROBIN", "tls_enabled": true, "tls_container_ref": gone,
	})["id"].(string)
	expires := soon + " expires at " + now.Add(29*day).Format(time.RFC3339) + ": give the secret another payload."
	expired := gone + " expired at " + now.Add(-day).Format(time.RFC3339) + ": give the secret another payload."
	for path, want := range map[string]string{l: expires + " " + expired, fine: "", p: expired} {
		noun := strings.TrimSuffix(strings.Split(path, "/")[1], "s")
		if diff := cmp.Diff(object{"status_reason": want}, c.show(path+"?fields=status_reason", noun)); diff != "" {
			t.Errorf("GET %s (-want +got):\n%s", path, diff)
		}
		listed := c.must(http.StatusOK, "GET", "/"+noun+"s?fields=status_reason&id="+strings.Split(path, "/")[2], nil).body[noun+"s"]
		if diff := cmp.Diff([]any{object{"status_reason": want}}, listed); diff != "" {
			t.Errorf("list of %s (-want +got):\n%s", path, diff)
		}
	}
	if _, given := c.show(l, "listener")["status_reason"]; given {
		t.Error("it comes without being asked for")
	}
}
