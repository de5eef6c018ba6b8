package avi

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"math/big"
	"net/netip"
	"testing"
	"time"

	"plimsoll/internal/keymanager"
	"plimsoll/lbaas"
)

// safe is a key manager in memory, by reference. What it does not have is not there.
type safe map[string]*keymanager.Material

func (s safe) Material(_ context.Context, _, ref string, _ keymanager.Use) (*keymanager.Material, error) {
	if m := s[ref]; m != nil {
		return m, nil
	}
	return nil, lbaas.Errorf(lbaas.NotFound, "Container %s not found.", keymanager.RefID(ref))
}

// authority signs certificates of tests.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	text []byte
}

func newAuthority(t testing.TB, name string) *authority {
	t.Helper()
	a := &authority{}
	a.cert, a.key, a.text = issue(t, name, nil)
	return a
}

// issue makes a certificate of a name, signed by an authority or by itself.
func issue(t testing.TB, name string, by *authority) (*x509.Certificate, *ecdsa.PrivateKey, []byte) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	serial, _ := rand.Int(rand.Reader, big.NewInt(1<<60))
	template := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: name}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		BasicConstraintsValid: true, IsCA: by == nil,
	}
	parent, signer := template, key
	if by != nil {
		parent, signer = by.cert, by.key
		template.DNSNames = []string{name}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), signer)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert, key, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

// material is a certificate of a name with its chain and its key, as the key manager gives it.
func (a *authority) material(t testing.TB, name string) *keymanager.Material {
	t.Helper()
	cert, key, text := issue(t, name, a)
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	all := append(append(text, a.text...), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})...)
	sum := sha256.Sum256(cert.Raw)
	return &keymanager.Material{PEM: all, NotAfter: cert.NotAfter, Names: []string{name}, Fingerprint: hex.EncodeToString(sum[:])}
}

func (a *authority) authorities() *keymanager.Material {
	sum := sha256.Sum256(a.cert.Raw)
	return &keymanager.Material{PEM: a.text, NotAfter: a.cert.NotAfter, Fingerprint: hex.EncodeToString(sum[:])}
}

// saga is the life of one load balancer, with about all that one can have. Its ids are always the same.
type saga struct {
	secrets safe
	renewed *keymanager.Material // what the first container has from the third chapter on
	first   *keymanager.Material
}

func newSaga(t testing.TB) *saga {
	t.Helper()
	ca := newAuthority(t, "authority")
	s := &saga{first: ca.material(t, "one.example.com"), renewed: newAuthority(t, "other authority").material(t, "one.example.com")}
	s.secrets = safe{
		ref(1): s.first, ref(2): ca.material(t, "two.example.com"), ref(3): ca.material(t, "three.example.com"),
		ref(4): ca.material(t, "client"), ref(5): ca.authorities(),
	}
	return s
}

func id(n int) string { return fmt.Sprintf("00000000-0000-4000-8000-%012d", n) }

func ref(n int) string { return "http://key.example/v1/containers/" + id(9000+n) }

func object1(n int, name string) lbaas.Object {
	return lbaas.Object{ID: id(n), ProjectID: project, Name: name, AdminStateUp: true}
}

// chapters is how many there are before the load balancer is removed.
const chapters = 7

// tree is the load balancer in a chapter.
func (s *saga) tree(chapter int) *lbaas.LoadBalancer {
	lb := &lbaas.LoadBalancer{
		Object: object1(1, "demo-lb"), Provider: "avi_adc", VIPAddress: netip.MustParseAddr("10.0.3.3"), VIPSubnetID: subnet, VIPNetworkID: vipNetwork,
		VIPPortID: id(2),
	}
	lb.Progress.Generation, lb.Epoch = int64(chapter+1), 1
	s.secrets[ref(1)] = s.first
	switch chapter {
	case 1, 6:
		lb.Listeners = []*lbaas.Listener{web(10, 80, 20), secure(11, 21, 2)}
		lb.Pools = []*lbaas.Pool{cookies(pool(20, 3)), encrypted(pool(21, 2)), pool(22, 1)}
		lb.Listeners[1].L7Policies = []*lbaas.L7Policy{toPool(30, 1, 22), reject(31, 2)}
	case 2:
		s.secrets[ref(1)] = s.renewed
		lb.Name = "renamed"
		lb.Listeners = []*lbaas.Listener{web(10, 80, 20), secure(11, 21, 3)}
		p := cookies(pool(20, 4))
		p.Members, p.Algorithm, p.HealthMonitor.Timeout, p.Members[1].Weight = p.Members[1:], lbaas.SourceIP, 2, 0
		lb.Pools = []*lbaas.Pool{p, encrypted(pool(21, 3)), pool(22, 1)}
		lb.Listeners[1].L7Policies = []*lbaas.L7Policy{reject(31, 1), toURL(32, 2)}
	case 3: // other listeners on the same ports; none for names, and what was encrypted is plain
		s.secrets[ref(1)] = s.renewed
		lb.Listeners = []*lbaas.Listener{web(12, 80, 20), secure(11, 21)}
		lb.Listeners[0].Protocol = lbaas.TCP
		lb.Listeners[1].L7Policies = []*lbaas.L7Policy{toPool(30, 1, 22)}
		lb.Pools = []*lbaas.Pool{pool(20, 2), pool(21, 3), pool(22, 1)}
		lb.Pools[0].SessionPersistence = &lbaas.SessionPersistence{Type: lbaas.PersistSourceIP}
	case 4:
		lb.AdminStateUp = false
		lb.Listeners = []*lbaas.Listener{web(12, 80, 0)}
		lb.Pools = []*lbaas.Pool{pool(20, 2)}
	}
	return lb
}

func web(n, port, poolNumber int) *lbaas.Listener {
	l := lbaas.NewListener()
	l.Object, l.LoadBalancerID, l.Protocol, l.ProtocolPort = object1(n, ""), id(1), lbaas.HTTP, port
	if poolNumber > 0 {
		l.DefaultPoolID = id(poolNumber)
	}
	return l
}

// secure is a listener with a certificate, and others for names.
func secure(n, poolNumber int, names ...int) *lbaas.Listener {
	l := web(n, 443, poolNumber)
	l.Protocol, l.Name, l.DefaultTLSContainerRef, l.TLSVersions = lbaas.TerminatedHTTPS, "secure", ref(1), []string{"TLSv1.2"}
	l.TLSCiphers = "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256"
	for _, n := range names {
		l.SNIContainerRefs = append(l.SNIContainerRefs, ref(n))
	}
	return l
}

func pool(n, members int) *lbaas.Pool {
	p := &lbaas.Pool{Object: object1(n, fmt.Sprintf("pool %d", n)), LoadBalancerID: id(1), Protocol: lbaas.HTTP, Algorithm: lbaas.RoundRobin}
	for i := range members {
		p.Members = append(p.Members, &lbaas.Member{
			Object: object1(n*10+i, ""), LoadBalancerID: id(1), PoolID: p.ID, SubnetID: subnet,
			Address: netip.AddrFrom4([4]byte{10, 0, byte(n), byte(i + 1)}), ProtocolPort: 8080, Weight: 1,
		})
	}
	return p
}

func cookies(p *lbaas.Pool) *lbaas.Pool {
	p.SessionPersistence = &lbaas.SessionPersistence{Type: lbaas.PersistAppCookie, CookieName: "session"}
	p.HealthMonitor = &lbaas.HealthMonitor{
		Object: object1(40, "monitor"), LoadBalancerID: id(1), PoolID: p.ID, Type: lbaas.MonitorHTTP, Delay: 5, Timeout: 3, MaxRetries: 2, MaxRetriesDown: 2,
		HTTPMethod: "GET", URLPath: "/", ExpectedCodes: "200",
	}
	return p
}

func encrypted(p *lbaas.Pool) *lbaas.Pool {
	p.TLSEnabled, p.TLSContainerRef, p.CATLSContainerRef, p.TLSVersions = true, ref(4), ref(5), []string{"TLSv1.2"}
	p.TLSCiphers = "ECDHE-ECDSA-AES128-GCM-SHA256"
	return p
}

func policy(n, position int, action lbaas.L7Action) *lbaas.L7Policy {
	return &lbaas.L7Policy{
		Object: object1(n, ""), LoadBalancerID: id(1), Action: action, Position: position,
		Rules: []*lbaas.L7Rule{{
			Object: object1(n*10, ""), LoadBalancerID: id(1), L7PolicyID: id(n), Type: lbaas.RulePath, CompareType: lbaas.CompareStartsWith, Value: fmt.Sprintf("/%d", n),
		}},
	}
}

func reject(n, position int) *lbaas.L7Policy { return policy(n, position, lbaas.Reject) }

func toPool(n, position, poolNumber int) *lbaas.L7Policy {
	p := policy(n, position, lbaas.RedirectToPool)
	p.RedirectPoolID = id(poolNumber)
	return p
}

func toURL(n, position int) *lbaas.L7Policy {
	p := policy(n, position, lbaas.RedirectToURL)
	p.RedirectURL = "https://www.example.com/"
	return p
}
