package avi

import (
	"net/http"
	"strings"
	"testing"

	"plimsoll/internal/provider/avi/avitest"
	"plimsoll/internal/provider/avi/controller"
	"plimsoll/internal/provider/avi/translate"
	"plimsoll/lbaas"
)

// TestSharedAuthorities has a controller that makes certificates refer to the oldest object with the same authority: that is no reason to
// write, none to fail, and in the end none is left.
func TestSharedAuthorities(t *testing.T) {
	s := newSaga(t)
	w := worldOf(t, avitest.Options{SharedCAs: true}, func(c *Config) { c.Secrets = s.secrets })
	tls := func() *lbaas.LoadBalancer {
		lb := w.Tree(t)
		l := lb.Listeners[0]
		l.Protocol, l.DefaultTLSContainerRef, l.TLSVersions, l.TLSCiphers = lbaas.TerminatedHTTPS, ref(1), []string{"TLSv1.2"}, "ECDHE-ECDSA-AES128-GCM-SHA256"
		return lb
	}
	a, b := tls(), tls()
	for _, lb := range []*lbaas.LoadBalancer{a, b} {
		mustApply(t, w.provider, lb)
	}
	for _, p := range []*Provider{w.provider, w.open(func(c *Config) { c.Secrets = s.secrets })} {
		w.server.ResetCalls()
		b.Progress.Generation++
		mustApply(t, p, b)
		for _, c := range w.server.Calls() {
			if c.Method != http.MethodGet {
				t.Errorf("unchanged, and yet: %s", c)
			}
		}
	}
	for _, lb := range []*lbaas.LoadBalancer{a, b} {
		if err := w.provider.Remove(t.Context(), next(lb, func(*lbaas.LoadBalancer) {})); err != nil {
			t.Errorf("Remove: %v", err)
		}
	}
	for uuid := range w.picture(projectTenant) {
		if !strings.HasPrefix(uuid, "vrfcontext-") {
			t.Errorf("%s is left", uuid)
		}
	}
}

// TestAdopted has objects of the same UUIDs that another driver made, without marks: they become ours, as they are wanted, and go with the
// load balancer.
func TestAdopted(t *testing.T) {
	s := newSaga(t)
	w := worldOf(t, avitest.Options{}, func(c *Config) { c.Secrets = s.secrets })
	mustApply(t, w.provider, s.tree(1))
	for k := range w.objectsOf(s.tree(1)) {
		w.edit(k.kind, k.uuid, func(o map[string]any) {
			delete(o, "created_by")
			field, _ := markField(k.kind)
			delete(o, field)
		})
	}
	w.provider = w.open(func(c *Config) { c.Secrets = s.secrets })
	mustApply(t, w.provider, s.tree(1))
	w.checkSaga(t, s, 1)
	for _, kind := range kinds {
		for _, o := range w.server.Objects(projectTenant, kind) {
			if m, ok := markOf(kind, o); !ok || m.lb != id(1) {
				t.Errorf("%v has no mark of ours", o["uuid"])
			}
		}
	}
	if err := w.provider.Remove(t.Context(), s.tree(6)); err != nil {
		t.Fatal(err)
	}
	w.CheckGone(t, s.tree(6))
}

func TestOwnAuthorities(t *testing.T) {
	fingerprint := strings.Repeat("ab", 32)
	theirs := "https://c/api/sslkeyandcertificate/sslkeyandcertificate-1#" + translate.AuthorityName + fingerprint + "-other"
	known := controller.Object{"created_by": "plimsoll lb 1.1", "ca_certs": []any{
		map[string]any{"name": "n", caRef: theirs}, map[string]any{caRef: "https://c/api/sslkeyandcertificate/sslkeyandcertificate-2#by hand"}, "bad",
	}}
	list, _ := ownAuthorities(translate.Certificate, known)["ca_certs"].([]any)
	if got, want := refID(within(list, 0, caRef)), translate.AuthorityUUID(fingerprint, "lb"); got != want {
		t.Errorf("it refers to %s, want %s", got, want)
	}
	if got := refID(within(list, 1, caRef)); got != "sslkeyandcertificate-2" || list[2] != "bad" || within(known, "ca_certs", 0, caRef) != theirs {
		t.Errorf("list %v of %v", list, known)
	}
}

// TestAuthorityOfOneThatIsGone has a controller that shares authorities, and a load balancer whose certificate another's certificate
// relies on: its authority stays for as long as that is so, though it wants nothing itself any more, and goes then.
func TestAuthorityOfOneThatIsGone(t *testing.T) {
	for _, end := range []string{"renewed", "removed"} {
		t.Run(end, func(t *testing.T) {
			s := newSaga(t)
			w := worldOf(t, avitest.Options{SharedCAs: true}, func(c *Config) { c.Secrets = s.secrets })
			a, b := w.Tree(t), w.Tree(t)
			for _, lb := range []*lbaas.LoadBalancer{a, b} {
				l := lb.Listeners[0]
				l.Protocol, l.DefaultTLSContainerRef, l.TLSVersions, l.TLSCiphers = lbaas.TerminatedHTTPS, ref(1), []string{"TLSv1.2"}, "ECDHE-ECDSA-AES128-GCM-SHA256"
				mustApply(t, w.provider, lb)
			}
			a = next(a, func(lb *lbaas.LoadBalancer) { lb.Listeners = nil })
			mustApply(t, w.provider, a)
			if n := len(w.authorities()); n != 2 {
				t.Errorf("there are %d authorities, want that of each", n)
			}
			for id, o := range observe(t, w.provider, a, b) {
				if o.Drifted {
					t.Errorf("%s: what another refers to is no drift", id)
				}
			}
			if end == "removed" {
				if err := w.provider.Remove(t.Context(), b); err != nil {
					t.Fatal(err)
				}
			} else {
				s.secrets[ref(1)] = s.renewed
				mustApply(t, w.provider, next(b, func(*lbaas.LoadBalancer) {}))
			}
			for _, o := range w.authorities() {
				if m, _ := markOf(translate.Certificate, o); m.lb != b.ID || end == "removed" {
					t.Errorf("%v of %s is left", o["name"], m.lb)
				}
			}
		})
	}
}

// authorities are the objects of authorities.
func (w *world) authorities() []controller.Object {
	var all []controller.Object
	for _, o := range w.server.Objects(projectTenant, translate.Certificate) {
		if isAuthority(o) {
			all = append(all, o)
		}
	}
	return all
}
