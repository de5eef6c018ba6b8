package translate

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"plimsoll/internal/keymanager"
	"plimsoll/lbaas"
)

const (
	sessionSubnet = "a051f4a6-eddd-41c0-bb0f-adb4e2b5f325"
	keyServer     = "https://keys.example.com/v1/containers/"
)

func up(id, name string) lbaas.Object { return lbaas.Object{ID: id, Name: name, AdminStateUp: true} }

// number is an id that is told from others at a glance.
func number(kind, n int) string { return fmt.Sprintf("%08d-0000-4000-8000-%012d", kind, n) }

// sessionTree is the load balancer of the documents' session, as far as its pool's member.
func sessionTree() *lbaas.LoadBalancer {
	limit := lbaas.NoLimit
	return &lbaas.LoadBalancer{
		Object:     up("e29a4da7-f9cc-4c73-91ca-a02bca3d5a89", "demo-lb"),
		VIPAddress: netip.MustParseAddr("10.0.3.3"), VIPPortID: "795e0bce-750e-4543-b41c-616fa3dcab14", VIPSubnetID: sessionSubnet,
		Listeners: []*lbaas.Listener{{
			Object: up(sessionListener, "demolb-listener"), Protocol: lbaas.HTTP, ProtocolPort: 80, ConnectionLimit: &limit,
			DefaultPoolID: sessionPool,
		}},
		Pools: []*lbaas.Pool{{
			Object: up(sessionPool, "demo-pool"), Protocol: lbaas.HTTP, Algorithm: lbaas.RoundRobin,
			Members: []*lbaas.Member{{
				Object: up("494b7351-054e-4059-ba7b-bd653ecb657c", ""), Address: netip.MustParseAddr("10.0.3.10"), ProtocolPort: 8080,
				SubnetID: sessionSubnet, Weight: 1,
			}},
		}},
	}
}

// secureListener ends TLS on port 443.
func secureListener(n int, own string, sni ...string) *lbaas.Listener {
	l := &lbaas.Listener{
		Object: up(number(1, n), "secure"), Protocol: lbaas.TerminatedHTTPS, ProtocolPort: 442 + n, DefaultPoolID: sessionPool,
		DefaultTLSContainerRef: own, SNIContainerRefs: sni,
	}
	l.DefaultTLS(lbaas.DefaultTLS())
	return l
}

// sharedTree has a pool that two listeners share, of which one has two certificates for names and sends some requests elsewhere.
func sharedTree() *lbaas.LoadBalancer {
	lb := sessionTree()
	lb.Description = "the shop"
	l := secureListener(1, keyServer+number(2, 1), keyServer+number(2, 2), keyServer+number(2, 3))
	l.Description = "of all of us"
	l.L7Policies = []*lbaas.L7Policy{{
		Object: up(number(3, 1), "images"), ListenerID: l.ID, Action: lbaas.RedirectToPool, RedirectPoolID: number(4, 1), Position: 1,
		Rules: []*lbaas.L7Rule{{Object: up(number(5, 1), ""), Type: lbaas.RulePath, CompareType: lbaas.CompareStartsWith, Value: "/images"}},
	}}
	lb.Listeners = append(lb.Listeners, l)
	lb.Pools = append(lb.Pools, &lbaas.Pool{Object: up(number(4, 1), "images"), Protocol: lbaas.HTTP, Algorithm: lbaas.LeastConnections})
	return lb
}

// manyTree has a listener of each protocol.
func manyTree() *lbaas.LoadBalancer {
	lb := sessionTree()
	limit := 1000
	for i, p := range []lbaas.Protocol{lbaas.TCP, lbaas.HTTPS} {
		lb.Listeners = append(lb.Listeners, &lbaas.Listener{
			Object: up(number(1, 10+i), ""), Protocol: p, ProtocolPort: 1000 + i, ConnectionLimit: &limit,
		})
	}
	lb.Listeners = append(lb.Listeners, secureListener(1, keyServer+number(2, 1)))
	return lb
}

// offTree has everything switched off.
func offTree() *lbaas.LoadBalancer {
	lb := sharedTree()
	for _, p := range lb.Parts() {
		p.Base().AdminStateUp = false
	}
	return lb
}

// sixTree has an IPv6 VIP and no names.
func sixTree() *lbaas.LoadBalancer {
	lb := sessionTree()
	lb.Name, lb.VIPAddress = "", netip.MustParseAddr("2001:db8::3")
	lb.Listeners[0].Name, lb.Pools[0].Name = "", ""
	lb.Pools[0].Members[0].Address = netip.MustParseAddr("2001:db8::10")
	return lb
}

// testCertificates are those that the trees refer to: the second is for names, one of which the third has too, and the third has a chain.
func testCertificates(t testing.TB) Certificates {
	t.Helper()
	root := issue(t, nil, "Root CA")
	middle := issue(t, root, "Middle CA")
	return Certificates{
		certificateOf(1): material(issue(t, root, "default.example.com"), root),
		certificateOf(2): material(issue(t, nil, "shop.example.com", "shop.example.com", "www.example.com", "192.0.2.1")),
		certificateOf(3): material(issue(t, middle, "The others", "*.example.com", "www.example.com"), middle, root),
	}
}

func certificateOf(n int) keymanager.Reference {
	return keymanager.Reference{Ref: keyServer + number(2, n), Use: keymanager.Certificate}
}

// pair is a certificate and its key, both the same each time.
type pair struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func issue(t testing.TB, by *pair, cn string, names ...string) *pair {
	t.Helper()
	scalar := sha256.Sum256([]byte(cn))
	key, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), scalar[:])
	if err != nil {
		t.Fatal(err)
	}
	p := &pair{key: key}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(int64(len(cn))), Subject: pkix.Name{CommonName: cn}, BasicConstraintsValid: true, IsCA: by == nil || strings.HasSuffix(cn, " CA"),
		NotBefore: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), NotAfter: time.Date(2036, 1, 1, 0, 0, 0, 0, time.UTC),
	}
	for _, name := range names {
		if ip := net.ParseIP(name); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
			continue
		}
		template.DNSNames = append(template.DNSNames, name)
	}
	parent, signer := template, p.key
	if by != nil {
		parent, signer = by.cert, by.key
	}
	der, err := x509.CreateCertificate(nil, template, parent, p.key.Public(), signer) // without random numbers a signature is the same each time
	if err != nil {
		t.Fatal(err)
	}
	if p.cert, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	return p
}

// material is what the key manager tells of a certificate and its chain.
func material(leaf *pair, chain ...*pair) *keymanager.Material {
	m := &keymanager.Material{Names: leaf.cert.DNSNames}
	for _, ip := range leaf.cert.IPAddresses {
		m.Names = append(m.Names, ip.String())
	}
	if len(m.Names) == 0 && leaf.cert.Subject.CommonName != "" {
		m.Names = []string{leaf.cert.Subject.CommonName}
	}
	for _, p := range append([]*pair{leaf}, chain...) {
		m.PEM = append(m.PEM, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: p.cert.Raw})...)
	}
	der, err := x509.MarshalPKCS8PrivateKey(leaf.key)
	if err != nil {
		panic(err)
	}
	m.PEM = append(m.PEM, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})...)
	return m
}
