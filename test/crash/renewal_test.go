package crash

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"io"
	"math/big"
	"net/http"
	"strings"
	"time"
)

const keys = "/key-manager/v1"

// renewCertificate has a listener whose certificate is given another payload: it reaches clients, whatever dies right after the commit.
func (s *scenario) renewCertificate() {
	ref := s.store(s.name, s.certificate(1))
	s.create(balancers+"/listeners", "listener", "listeners", object{
		"name": s.name + "-tls", "loadbalancer_id": s.lb, "protocol": "TERMINATED_HTTPS", "protocol_port": 443,
		"default_pool_id": s.pool, "default_tls_container_ref": ref})
	s.settle()
	s.wait("the first certificate is shown", s.shows(1))
	second := s.certificate(2)
	s.wait("the certificate is renewed", func() bool { return s.send(http.MethodPut, path(ref), second).status == http.StatusNoContent })
	s.wait("the second certificate is shown", s.shows(2))
	s.settle()
	s.remove(balancers + "/listeners/" + s.named(balancers+"/listeners", "listeners", s.name+"-tls")["id"].(string))
	s.wait("the secret is gone", func() bool {
		a := s.send(http.MethodDelete, path(ref), "")
		return a.status == http.StatusNoContent || a.status == http.StatusNotFound
	})
	s.settle()
}

// certificate is one with its key, as PEM.
func (s *scenario) certificate(serial int64) string {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		s.t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(serial), DNSNames: []string{"web"}, NotAfter: time.Now().Add(time.Hour)}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		s.t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		s.t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert})) +
		string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
}

// store keeps a secret, once, and returns its reference.
func (s *scenario) store(name, payload string) (ref string) {
	s.wait("a secret is stored", func() bool {
		a := s.try(http.MethodGet, keys+"/secrets?name="+name, nil)
		var list struct {
			Secrets []struct {
				Ref string `json:"secret_ref"`
			} `json:"secrets"`
		}
		switch {
		case a.status == http.StatusUnauthorized:
			s.logIn()
			return false
		case a.status != http.StatusOK:
			return false
		}
		if err := json.Unmarshal(a.body, &list); err != nil {
			s.t.Fatal(err)
		}
		if len(list.Secrets) == 1 {
			ref = list.Secrets[0].Ref
			return true
		}
		s.try(http.MethodPost, keys+"/secrets", object{"name": name, "payload": payload, "payload_content_type": "text/plain"})
		return false
	})
	return ref
}

// path is the path of a reference.
func path(ref string) string {
	_, rest, _ := strings.Cut(ref, keys)
	return keys + rest
}

// send sends a request with a body that is no JSON, once.
func (s *scenario) send(method, path, body string) answer {
	req, err := http.NewRequestWithContext(s.t.Context(), method, s.url+path, bytes.NewReader([]byte(body)))
	if err != nil {
		s.t.Fatal(err)
	}
	if body != "" {
		req.Header.Set("Content-Type", "text/plain")
	}
	req.Header.Set("X-Auth-Token", s.token)
	resp, err := httpClient.Do(req)
	if err != nil {
		return answer{}
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		return answer{}
	}
	if resp.StatusCode == http.StatusUnauthorized {
		s.logIn()
	}
	return answer{resp.StatusCode, data}
}

// shows tells whether the listener shows the certificate with that serial number.
func (s *scenario) shows(serial int64) func() bool {
	return func() bool {
		ctx, cancel := context.WithTimeout(s.t.Context(), 5*time.Second)
		defer cancel()
		c, err := s.ask.Dial(ctx, "tcp", s.vip+":443")
		if err != nil {
			return false
		}
		defer c.Close()
		conn := tls.Client(c, &tls.Config{InsecureSkipVerify: true}) //nolint:gosec // the serial number is what is asked for
		if err := conn.HandshakeContext(ctx); err != nil {
			return false
		}
		return conn.ConnectionState().PeerCertificates[0].SerialNumber.Int64() == serial
	}
}
