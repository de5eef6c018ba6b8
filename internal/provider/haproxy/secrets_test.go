package haproxy

import (
	"context"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"plimsoll/internal/engine/enginepb"
	"plimsoll/internal/keymanager"
	"plimsoll/internal/provider"
	"plimsoll/lbaas"
)

// safe is a key manager in memory: what it has is by reference and use.
type safe struct {
	has  map[string]string // "certificate http://…"
	err  error             // of what it has not
	read []string
}

func (s *safe) Material(_ context.Context, projectID, ref string, use keymanager.Use) (*keymanager.Material, error) {
	if projectID != "project" {
		return nil, errors.New("whose secrets?")
	}
	key := use.String() + " " + ref
	s.read = append(s.read, key)
	if text, ok := s.has[key]; ok {
		return &keymanager.Material{PEM: []byte(text)}, nil
	}
	return nil, s.err
}

// tlsWorld has a load balancer with TLS on both sides, and a plain listener.
func tlsWorld(t *testing.T) (*world, *safe, *lbaas.LoadBalancer) {
	w := newWorld()
	s := &safe{
		has: map[string]string{"certificate a": "A", "certificate b": "B", "CA certificates ca": pemFile(t, "ca.pem"), "certificate revocation list crl": pemFile(t, "ca.crl.pem")},
		err: lbaas.Errorf(lbaas.NotFound, "it is not there"),
	}
	w.provider = New(w.engine, w.networks, s, w.provider.opts)
	lb := w.Tree(t)
	l := lbaas.NewListener()
	l.Object, l.Protocol, l.ProtocolPort = lbaas.Object{ID: "tls", ProjectID: "project", AdminStateUp: true}, lbaas.TerminatedHTTPS, 443
	l.DefaultPoolID, l.DefaultTLSContainerRef, l.SNIContainerRefs = lb.Pools[0].ID, "a", []string{"b"}
	lb.Listeners = append(lb.Listeners, l)
	p := lb.Pools[0]
	p.TLSEnabled, p.TLSContainerRef, p.CATLSContainerRef, p.CRLContainerRef = true, "a", "ca", "crl"
	return w, s, lb
}

func pemFile(t *testing.T, name string) string {
	t.Helper()
	data, err := os.ReadFile("../../keymanager/testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func contents(spec *enginepb.Spec) []string {
	var all []string
	for _, f := range spec.Files {
		if f.Kind != enginepb.File_CERTIFICATE_LIST {
			all = append(all, string(f.Content))
		}
	}
	slices.Sort(all)
	return all
}

func TestSecrets(t *testing.T) {
	w, s, lb := tlsWorld(t)
	if failures := w.failuresOf(t, lb); len(failures) > 0 {
		t.Fatalf("failures %v", failures)
	}
	if diff := cmp.Diff([]string{pemFile(t, "ca.pem"), pemFile(t, "ca.crl.pem"), "A", "B"}, contents(w.engine.done[lb.ID])); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
	slices.Sort(s.read)
	if diff := cmp.Diff(slices.Compact(slices.Clone(s.read)), s.read); diff != "" {
		t.Errorf("each is read once (-want +got):\n%s", diff)
	}
	lb.Progress.Generation++
	s.has["certificate b"] = "B2"
	if failures := w.failuresOf(t, lb); len(failures) > 0 {
		t.Fatalf("renewed: %v", failures)
	}
	if diff := cmp.Diff([]string{pemFile(t, "ca.pem"), pemFile(t, "ca.crl.pem"), "A", "B2"}, contents(w.engine.done[lb.ID])); diff != "" {
		t.Errorf("renewed (-want +got):\n%s", diff)
	}
}

// TestBadSecrets has listeners and pools whose secrets are of no use: they fail, and are held as they were.
func TestBadSecrets(t *testing.T) {
	for name, tc := range map[string]struct {
		spoil  func(s *safe, lb *lbaas.LoadBalancer)
		failed string // "tls" or "pool"
		want   string
	}{
		"missing":   {func(s *safe, _ *lbaas.LoadBalancer) { delete(s.has, "certificate b") }, "tls", "it is not there"},
		"of a pool": {func(s *safe, _ *lbaas.LoadBalancer) { delete(s.has, "CA certificates ca") }, "pool", "it is not there"},
		"not for it": {func(s *safe, _ *lbaas.LoadBalancer) {
			s.err = lbaas.Errorf(lbaas.Invalid, "it is of another kind")
			delete(s.has, "certificate b")
		}, "tls", "it is of another kind"},
		"forbidden": {func(s *safe, lb *lbaas.LoadBalancer) {
			s.err = lbaas.Errorf(lbaas.Forbidden, "it is another's")
			delete(s.has, "certificate b")
		}, "tls", "it is another's"},
		"of other authorities": {func(s *safe, _ *lbaas.LoadBalancer) { s.has["CA certificates ca"] = pemFile(t, "sub.pem") }, "pool",
			`Secret crl cannot be used as certificate revocation list: the revocation list of "CN=Root" is not signed by any of the CA certificates.`},
		"of one use of two": {func(_ *safe, lb *lbaas.LoadBalancer) { lb.Pools[0].CATLSContainerRef = "b" }, "pool", "it is not there"},
	} {
		w, s, lb := tlsWorld(t)
		if failures := w.failuresOf(t, lb); len(failures) > 0 {
			t.Fatalf("%s: failures %v", name, failures)
		}
		tc.spoil(s, lb)
		lb.Progress.Generation++
		id := map[string]string{"tls": "tls", "pool": lb.Pools[0].ID}[tc.failed]
		want := map[string]provider.Failure{id: {Permanent: true, Reason: tc.want}}
		if diff := cmp.Diff(want, w.failuresOf(t, lb)); diff != "" {
			t.Errorf("bad %s (-want +got):\n%s", name, diff)
		}
		if held := w.engine.taken[lb.ID].HeldObjects; !slices.Equal(held, []string{id}) {
			t.Errorf("bad %s: held are %v", name, held)
		}
	}
}

// TestTwoUses has a secret that is a listener's certificate and the authority of a pool, each of which reads it in its own way.
func TestTwoUses(t *testing.T) {
	w, s, lb := tlsWorld(t)
	s.has["CA certificates a"] = "A without its key"
	lb.Pools[0].CATLSContainerRef, lb.Pools[0].CRLContainerRef = "a", ""
	if failures := w.failuresOf(t, lb); len(failures) > 0 {
		t.Fatalf("failures %v", failures)
	}
	if diff := cmp.Diff([]string{"A", "A without its key", "B"}, contents(w.engine.done[lb.ID])); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
}

// TestSecretsUnknown has a key manager that does not answer: nothing is changed.
func TestSecretsUnknown(t *testing.T) {
	w, s, lb := tlsWorld(t)
	s.err = lbaas.Errorf(lbaas.Unavailable, "the database is away")
	delete(s.has, "certificate b")
	result, err := w.provider.Apply(t.Context(), lb)
	if !errors.Is(err, lbaas.Unavailable) || !strings.Contains(err.Error(), "read certificate b") || w.engine.taken[lb.ID] != nil {
		t.Errorf("%+v, %v; the engine was given %v", result, err, w.engine.taken[lb.ID])
	}
}

// TestNoSecrets is a provider without a key manager.
func TestNoSecrets(t *testing.T) {
	w, _, lb := tlsWorld(t)
	w.provider = New(w.engine, w.networks, nil, w.provider.opts)
	failures := w.failuresOf(t, lb)
	if len(failures) != 2 || !strings.Contains(failures["tls"].Reason, "there is no key manager") {
		t.Errorf("failures %v", failures)
	}
}
