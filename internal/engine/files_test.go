package engine

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/base64"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/testing/protocmp"

	"plimsoll/internal/engine/enginepb"
	"plimsoll/internal/haproxy"
	"plimsoll/internal/linux"
	"plimsoll/lbaas"
)

// tlsBalancer is a load balancer with a listener on port 80, and one on port 443 that ends TLS with the certificates of secrets.
type tlsBalancer struct {
	*testBalancer
	secrets haproxy.Secrets
	secure  *lbaas.Listener
}

const refDefault, refOther, refAuthority = "default", "other", "authority"

func (w *world) tlsBalancerOf(members ...*member) *tlsBalancer {
	b := &tlsBalancer{testBalancer: w.balancerOf(members...), secrets: haproxy.Secrets{}}
	b.renew(refDefault, 1)
	b.secure = b.listen(443)
	b.secure.Protocol, b.secure.DefaultTLSContainerRef = lbaas.TerminatedHTTPS, refDefault
	return b
}

func (b *tlsBalancer) renew(ref string, serial int64) {
	b.w.t.Helper()
	b.secrets[ref] = newCertificate(b.w.t, ref+".test", serial).bundle()
}

// applyTLS applies the next generation, with what a test does to the Spec.
func (b *tlsBalancer) applyTLS(change ...func(*enginepb.Spec)) *enginepb.ApplyReply {
	b.w.t.Helper()
	return b.applySpec(func(s *enginepb.Spec) {
		rendered := haproxy.Render(b.LoadBalancer, s.Ports, b.secrets, haproxy.Options{StateDir: b.w.dir, User: "haproxy", Group: "haproxy", FDLimit: 4000})
		s.Sections, s.Servers, s.Files, s.Hash = rendered.Sections, rendered.Servers, rendered.Files, rendered.Hash
		for _, c := range change {
			c(s)
		}
	})
}

// serial is of the certificate that a client sees who asks for a name, from inside a namespace.
func (b *tlsBalancer) serial(namespace, name string) int64 {
	b.w.t.Helper()
	var c *tls.Conn
	err := linux.Within(namespace, func() (err error) {
		c, err = tls.DialWithDialer(&net.Dialer{Timeout: 5 * time.Second}, "tcp", net.JoinHostPort(b.VIPAddress.String(), "443"),
			&tls.Config{ServerName: name, InsecureSkipVerify: true})
		return err
	})
	if err != nil {
		b.w.t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	return c.ConnectionState().PeerCertificates[0].SerialNumber.Int64()
}

// tlsClient is an httpClient that trusts everybody.
func tlsClient(t *testing.T, namespace string, keepAlive bool) *http.Client {
	c := httpClient(t, namespace, keepAlive)
	c.Transport.(*http.Transport).TLSClientConfig = &tls.Config{InsecureSkipVerify: true}
	return c
}

// TestRenewedCertificateUnderLoad renews certificates, adds and removes one, while requests are made.
func TestRenewedCertificateUnderLoad(t *testing.T) {
	w := newWorld(t)
	b := w.tlsBalancerOf(w.member(), w.member())
	b.renew(refOther, 50)
	b.want(b.applyTLS(), methodStart)
	namespace, _ := w.plug()
	pid, url := b.pid(), "https://"+b.VIPAddress.String()+"/"
	ctx, cancel := context.WithCancel(t.Context())
	var group sync.WaitGroup
	var made [4]int
	for i := range made {
		c := tlsClient(t, namespace, i%2 == 0)
		group.Go(func() {
			for ; ctx.Err() == nil; made[i]++ {
				if _, err := get(c, url); err != nil {
					t.Errorf("request %d: %v", made[i], err)
					return
				}
			}
		})
	}
	for i := range 10 {
		b.renew(refDefault, int64(100+i))
		b.want(b.applyTLS(), methodRuntime)
		b.secure.SNIContainerRefs = []string{refOther}
		b.renew(refOther, int64(200+i))
		b.want(b.applyTLS(), methodRuntime)
		if got := [2]int64{b.serial(namespace, "default.test"), b.serial(namespace, "other.test")}; got != [2]int64{int64(100 + i), int64(200 + i)} {
			t.Errorf("certificates %v", got)
		}
		b.secure.SNIContainerRefs = nil
		b.want(b.applyTLS(), methodRuntime)
		if got := b.serial(namespace, "other.test"); got != int64(100+i) {
			t.Errorf("certificate %d after the other was removed", got)
		}
	}
	cancel()
	group.Wait()
	if b.pid() != pid || slices.Min(made[:]) < 10 {
		t.Errorf("HAProxy is %d, was %d; requests %v", b.pid(), pid, made)
	}
	b.want(b.applyTLS(), methodNone)
	if o := b.observe(); o.Drifted || !o.Running {
		t.Errorf("Observe = %v", o)
	}
	b.mustLieAlone()
}

// mustLieAlone wants the files of the last Spec, and no private key elsewhere.
func (b *tlsBalancer) mustLieAlone() {
	t := b.w.t
	t.Helper()
	spec := haproxy.Render(b.LoadBalancer, nil, b.secrets, haproxy.Options{})
	for _, dir := range []string{haproxy.FilesDir, keptDir} {
		entries, err := os.ReadDir(filepath.Join(b.runDir(), dir))
		if err != nil || len(entries) != len(spec.Files) {
			t.Errorf("%s has %v, %v", dir, entries, err)
		}
	}
	for _, f := range spec.Files {
		path := filepath.Join(b.runDir(), haproxy.FilesDir, f.Name)
		text, err := os.ReadFile(path)
		info, statErr := os.Stat(path)
		if err != nil || statErr != nil || !bytes.Equal(text, f.Content) || info.Mode().Perm() != 0o600 {
			t.Errorf("%s is not as it should: %v %v", f.Name, err, info)
		}
	}
	all, err := os.ReadDir(b.runDir())
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range all {
		if entry.IsDir() && entry.Name() != haproxy.FilesDir && entry.Name() != keptDir {
			t.Errorf("folder %s is left", entry.Name())
		}
		text, _ := os.ReadFile(filepath.Join(b.runDir(), entry.Name()))
		for _, content := range b.secrets {
			if bytes.Contains(text, []byte("PRIVATE")) || bytes.Contains(text, []byte(base64.StdEncoding.EncodeToString(content)[:60])) {
				t.Errorf("%s has a private key", entry.Name())
			}
		}
	}
}

// TestBadCertificate shows that what HAProxy refuses replaces nothing, at run time and with a reload.
func TestBadCertificate(t *testing.T) {
	w := newWorld(t)
	b := w.tlsBalancerOf(w.member())
	b.want(b.applyTLS(), methodStart)
	namespace, _ := w.plug()
	pid := b.pid()
	good := b.secrets[refDefault]
	one, two := newCertificate(t, "default.test", 7), newCertificate(t, "default.test", 8)
	b.secrets[refDefault] = slices.Concat(one.cert, two.key)
	for i, method := range []string{methodNone, methodReload} {
		if i == 1 {
			b.listen(81)
		}
		reply := b.applyTLS()
		if len(reply.Failures) != 1 || reply.Failures[0].ObjectId != b.secure.ID || !reply.Failures[0].Permanent || reply.Method != method {
			t.Fatalf("Apply = %v", reply)
		}
		if strings.Contains(reply.String(), "PRIVATE") {
			t.Errorf("a private key is in the answer: %v", reply)
		}
		if got := b.serial(namespace, "default.test"); got != 1 {
			t.Errorf("certificate %d is shown", got)
		}
		if o := b.observe(); o.Drifted || !o.Running || (b.pid() == pid) != (i == 0) {
			t.Errorf("Observe = %v", o)
		}
	}
	bad := b.secrets[refDefault]
	b.secrets[refDefault] = good
	b.mustLieAlone()
	// An engine that is started again knows the last good form, too.
	w.stop()
	w.start()
	b.secrets[refDefault] = bad
	if reply := b.applyTLS(); len(reply.Failures) != 1 || reply.Failures[0].ObjectId != b.secure.ID || reply.Method != methodNone {
		t.Fatalf("Apply = %v", reply)
	}
	b.renew(refDefault, 9)
	b.want(b.applyTLS(), methodRuntime)
	if got := b.serial(namespace, "default.test"); got != 9 {
		t.Errorf("certificate %d is shown", got)
	}
	b.mustLieAlone()
}

// TestHeldListener holds a listener whose certificate cannot be read, while the rest changes.
func TestHeldListener(t *testing.T) {
	w := newWorld(t)
	m1, m2 := w.member(), w.member()
	b := w.tlsBalancerOf(m1)
	b.want(b.applyTLS(), methodStart)
	namespace, _ := w.plug()
	secrets := b.secrets
	b.secrets = nil
	hold := func(s *enginepb.Spec) { s.HeldObjects = []string{b.secure.ID} }
	b.want(b.applyTLS(hold), methodNone)
	b.add(m2)
	b.want(b.applyTLS(hold), methodRuntime)
	b.listen(81)
	b.want(b.applyTLS(hold), methodReload)
	w.stop()
	w.start()
	b.listen(82)
	b.want(b.applyTLS(hold), methodReload)
	if got := b.serial(namespace, "default.test"); got != 1 {
		t.Errorf("certificate %d is shown", got)
	}
	got := w.answers(tlsClient(t, namespace, false), "https://"+b.VIPAddress.String()+"/", 4)
	if diff := cmp.Diff(map[string]int{m1.Name: 2, m2.Name: 2}, got); diff != "" {
		t.Errorf("answers (-want +got):\n%s", diff)
	}
	b.secrets = secrets
	b.want(b.applyTLS(), methodNone)
	b.mustLieAlone()
}

// TestNewHeldListener leaves out a listener that never was.
func TestNewHeldListener(t *testing.T) {
	w := newWorld(t)
	b := w.tlsBalancerOf(w.member())
	secrets := b.secrets
	b.secrets = nil
	b.want(b.applyTLS(func(s *enginepb.Spec) { s.HeldObjects = []string{b.secure.ID} }), methodStart)
	namespace, _ := w.plug()
	w.answers(httpClient(t, namespace, false), b.url(), 2)
	b.secrets = secrets
	b.want(b.applyTLS(), methodReload)
	if got := b.serial(namespace, "default.test"); got != 1 {
		t.Errorf("certificate %d is shown", got)
	}
}

// TestFilesOfAReload changes what HAProxy cannot change at run time, and removes it.
func TestFilesOfAReload(t *testing.T) {
	w := newWorld(t)
	b := w.tlsBalancerOf(w.member())
	b.secure.ClientAuthentication, b.secure.ClientCATLSContainerRef = lbaas.ClientAuthOptional, refAuthority
	b.secrets[refAuthority] = newCertificate(t, "first", 1).cert
	b.want(b.applyTLS(), methodStart)
	b.mustLieAlone()
	b.secrets[refAuthority] = newCertificate(t, "second", 1).cert
	b.want(b.applyTLS(), methodReload)
	b.mustLieAlone()
	b.secure.ClientAuthentication, b.secure.ClientCATLSContainerRef = lbaas.ClientAuthNone, ""
	b.want(b.applyTLS(), methodReload)
	b.mustLieAlone()
	b.Listeners = b.Listeners[:1]
	b.want(b.applyTLS(), methodReload)
	b.mustLieAlone()
}

// TestLostFiles shows that what somebody deletes is made again.
func TestLostFiles(t *testing.T) {
	w := newWorld(t)
	b := w.tlsBalancerOf(w.member())
	b.want(b.applyTLS(), methodStart)
	w.stop()
	for _, dir := range []string{haproxy.FilesDir, keptDir} {
		if err := os.RemoveAll(filepath.Join(b.runDir(), dir)); err != nil {
			t.Fatal(err)
		}
	}
	w.start()
	b.want(b.applyTLS(), methodReload)
	namespace, _ := w.plug()
	if got := b.serial(namespace, "default.test"); got != 1 {
		t.Errorf("certificate %d is shown", got)
	}
	b.mustLieAlone()
}

// TestFilesAfterADeath goes through what an engine that died between two steps of a change leaves behind.
func TestFilesAfterADeath(t *testing.T) {
	dir := t.TempDir()
	spec := func(content string) *enginepb.Spec {
		s := plainSpec()
		s.LoadBalancerId = "8d1b3b0e-3f4d-4ed4-8f2c-0f6b8a5f4a51"
		s.Files = []*enginepb.File{{Name: "m.map", Kind: enginepb.File_MAP, Content: []byte(content)}}
		return s
	}
	before, after := spec("a 1\n"), spec("a 2\n")
	b := &balancer{dir: dir, record: record{Process: processID{1, 2}, Spec: before}}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	known := func(want *enginepb.Spec) {
		t.Helper()
		r, err := readRecord(dir)
		must(err)
		if diff := cmp.Diff(want, r.Spec, protocmp.Transform()); diff != "" || r.Process != (processID{1, 2}) {
			t.Errorf("what is known (-want +got):\n%s", diff)
		}
	}
	lies := func(want string) {
		t.Helper()
		text, err := os.ReadFile(filepath.Join(dir, haproxy.FilesDir, "m.map"))
		if err != nil || string(text) != want {
			t.Errorf("HAProxy would read %q, %v", text, err)
		}
	}
	must(b.keep(before))
	must(b.layFiles(before))
	must(b.record.write(dir))
	known(before)
	must(b.keep(after))
	known(before)
	must(os.WriteFile(filepath.Join(dir, haproxy.FilesDir, ".m.map"), nil, 0o600)) // it died before the rename
	must(b.layFiles(after))
	lies("a 2\n")
	known(before) // and can be had again
	must(b.layFiles(before))
	lies("a 1\n")
	must(b.layFiles(after))
	r := record{Process: processID{1, 2}, Spec: after}
	must(r.write(dir))
	known(after)
	must(b.sweepFiles(after))
	must(b.sweepFiles(after))
	known(after)
	lies("a 2\n")
	must(os.WriteFile(filepath.Join(dir, keptDir, digest([]byte("a 2\n"))), []byte("rubbish"), 0o600))
	if r, err := readRecord(dir); err == nil || r.Process != (processID{}) || len(r.Spec.Files) != 0 {
		t.Errorf("readRecord with a content that was changed = %v, %v", r, err)
	}
	must(b.keep(after))
	must(b.layFiles(after))
	known(after)
	lies("a 2\n")
}
