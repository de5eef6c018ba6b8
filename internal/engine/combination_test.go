package engine

import (
	"crypto"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"flag"
	"fmt"
	"math/big"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"plimsoll/internal/engine/enginepb"
	"plimsoll/internal/haproxy"
	"plimsoll/lbaas"
)

// Flags to look at one tree again, or at more of them.
var (
	firstSeed = flag.Uint64("trees.seed", 1, "seed of the first random tree")
	treeCount = flag.Int("trees.count", 200, "how many random trees HAProxy is shown")
)

// treeSecrets are what random trees refer to.
func treeSecrets(t *testing.T) (place, haproxy.Secrets) {
	t.Helper()
	www, shop, ca := newCertificate(t, "www.example.com", 1), newCertificate(t, "shop.example.com", 2), newCertificate(t, "authority", 3)
	all := haproxy.Secrets{
		"http://keys/cert/1": www.bundle(), "http://keys/cert/2": shop.bundle(), "http://keys/ca/1": ca.cert, "http://keys/crl/1": ca.revocations(t),
		"http://keys/ca/'#$\n\"": ca.cert,
	}
	return place{
		certificates: []string{"http://keys/cert/1", "http://keys/cert/2"}, authorities: []string{"http://keys/ca/1", "http://keys/ca/'#$\n\""},
		revocations: []string{"http://keys/crl/1"},
	}, all
}

// revocations is a list of the authority s that has nothing on it.
func (s selfSigned) revocations(t *testing.T) []byte {
	t.Helper()
	pair, err := tls.X509KeyPair(s.cert, s.key)
	if err != nil {
		t.Fatal(err)
	}
	signer, ok := pair.PrivateKey.(crypto.Signer)
	if !ok {
		t.Fatal("the key cannot sign")
	}
	list := &x509.RevocationList{Number: big.NewInt(1), ThisUpdate: time.Now().Add(-time.Hour), NextUpdate: time.Now().Add(time.Hour)}
	der, err := x509.CreateRevocationList(rand.Reader, list, pair.Leaf, signer)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: der})
}

func addresses(texts ...string) (all []netip.Addr) {
	for _, s := range texts {
		all = append(all, netip.MustParseAddr(s))
	}
	return all
}

// treeText is a tree for a reader of a failed test.
func treeText(lb *lbaas.LoadBalancer) string {
	text, err := json.MarshalIndent(lb, "", " ")
	if err != nil {
		return err.Error()
	}
	return string(text)
}

// TestCombinations shows random trees of all that the provider haproxy supports to the engine's rules, to a parser and to the real
// HAProxy: whatever goes together for the API goes together in HAProxy.
func TestCombinations(t *testing.T) {
	at, secrets := treeSecrets(t)
	at.vips = addresses("10.0.0.5", "2001:db8::5", "10.0.1.5")
	at.members = addresses("10.93.48.3", "10.93.48.4", "10.93.49.5", "2001:db8:1::3", "fe80::1", "::ffff:10.0.0.9")
	at.ports = []int{80, 443, 65535}
	dir := t.TempDir()
	for i := range 4 {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			t.Parallel()
			for n := i; n < *treeCount && !t.Failed(); n += 4 {
				seed := *firstSeed + uint64(n)
				from := at
				if seed%5 == 0 {
					from.vips = slices.Clone(at.vips)
					from.vips[0], from.vips[1] = from.vips[1], from.vips[0]
				}
				lb := randomTree(seed, from)
				if err := acceptable(filepath.Join(dir, fmt.Sprint(seed)), lb, secrets); err != nil {
					t.Errorf("-trees.seed %d -trees.count 1: %v\n%s", seed, err, treeText(lb))
				}
			}
		})
	}
}

// acceptable tells why something would not take a tree.
func acceptable(dir string, lb *lbaas.LoadBalancer, secrets haproxy.Secrets) error {
	spec := haproxy.Render(lb, nil, secrets, haproxy.Options{User: "nobody", Group: "nogroup", FDLimit: 4000})
	if _, err := checkSpec(spec); err != nil {
		return fmt.Errorf("the engine: %w", err)
	}
	text, _ := haproxy.File(spec)
	if err := sameAsSpec(string(text), spec); err != nil {
		return err
	}
	if err := layOut(dir, text, spec); err != nil {
		return err
	}
	cmd := exec.Command("haproxy", "-c", "-L", haproxy.LocalPeer, "-f", haproxy.ConfigFile)
	cmd.Dir = dir
	if output, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("HAProxy: %w\n%s\n%s", err, output, text)
	}
	return os.RemoveAll(dir)
}

// layOut writes a configuration and its files as HAProxy finds them.
func layOut(dir string, text []byte, spec *enginepb.Spec) error {
	if err := os.MkdirAll(filepath.Join(dir, haproxy.FilesDir), 0o700); err != nil {
		return err
	}
	for _, f := range spec.Files {
		if err := os.WriteFile(filepath.Join(dir, haproxy.FilesDir, f.Name), f.Content, 0o600); err != nil {
			return err
		}
	}
	if err := os.WriteFile(filepath.Join(dir, haproxy.StateFile), nil, 0o600); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, haproxy.ConfigFile), text, 0o600)
}

// sameAsSpec reads a configuration back and compares it with what it was made from.
func sameAsSpec(text string, spec *enginepb.Spec) error {
	got, err := readBack(text)
	if err != nil {
		return err
	}
	var want []block
	for _, s := range spec.Sections {
		b := block{head: strings.Fields(s.Name)}
		for _, line := range s.Lines {
			words, err := readLine(line)
			if err != nil {
				return fmt.Errorf("%q: %w", line, err)
			}
			b.lines = append(b.lines, words)
		}
		want = append(want, withServers(b, spec.Servers))
	}
	for i := range got {
		for j, words := range got[i].lines {
			if words[0] == "server" && len(words) > 2 && strings.HasPrefix(words[len(words)-1], "#") {
				got[i].lines[j] = words[:len(words)-1]
			}
		}
	}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(block{})); diff != "" {
		return fmt.Errorf("the file (-Spec +read back):\n%s", diff)
	}
	return nil
}

// withServers adds the lines of a backend's servers.
func withServers(b block, servers []*enginepb.Server) block {
	for _, s := range servers {
		if b.head[0] != "backend" || s.Backend != b.head[1] {
			continue
		}
		words := []string{"server", s.Name, netip.AddrPortFrom(netip.MustParseAddr(s.Address), uint16(s.Port)).String()}
		words = append(words, "id", fmt.Sprint(s.Number), "weight", fmt.Sprint(s.Weight))
		if s.Disabled {
			words = append(words, "disabled")
		}
		for _, option := range s.Options {
			words = append(words, strings.Fields(option)...)
		}
		b.lines = append(b.lines, words)
	}
	return b
}
