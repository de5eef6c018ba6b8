package avi

import (
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"testing"

	"plimsoll/internal/provider/avi/avitest"
)

// filterless is the world's controller without the filters of lists.
func (w *world) filterless(c *Config) {
	target, err := url.Parse(w.server.URL)
	if err != nil {
		w.t.Fatal(err)
	}
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: w.server.Roots, MinVersion: tls.VersionTLS12}}
	proxy := httptest.NewTLSServer(&httputil.ReverseProxy{Transport: transport, Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(target)
		r.Out.Host = target.Host
		r.Out.Header.Set("Referer", w.server.URL)
		q := r.Out.URL.Query()
		q.Del("created_by")
		r.Out.URL.RawQuery = q.Encode()
	}})
	w.t.Cleanup(transport.CloseIdleConnections)
	w.t.Cleanup(proxy.Close)
	c.Controller.Addresses, c.Controller.Roots = []string{proxy.Listener.Addr().String()}, x509.NewCertPool()
	c.Controller.Roots.AddCert(proxy.Certificate())
}

// TestFiltersThatAreIgnored: a load balancer is read and removed by its own objects only, also where the controller lists those of others.
func TestFiltersThatAreIgnored(t *testing.T) {
	w := newWorld(t)
	one, other := w.Tree(t), w.Tree(t)
	mustApply(t, w.provider, one)
	mustApply(t, w.provider, other)
	w.provider = w.open(w.filterless)
	one.Progress.Generation++
	mustApply(t, w.provider, one)
	w.Check(t, other)
	w.provider = w.open(w.filterless)
	if err := w.provider.Remove(t.Context(), one); err != nil {
		t.Fatal(err)
	}
	w.CheckGone(t, one)
	w.Check(t, other)
}

// TestRemovalReads: what an audit found as this process made it is removed without asking for it, however much else the tenant has. What may
// not be all there is, is looked for.
func TestRemovalReads(t *testing.T) {
	for _, test := range []struct {
		name      string
		observed  bool
		fails     bool // the first try
		elsewhere bool // in another process
		lists     int
	}{
		{"audited", true, false, false, 0},
		{"not audited yet", false, false, false, len(byCreator) + len(byMark)},
		{"after an error", true, true, false, len(byCreator) + len(byMark)},
		{"made by another process", true, false, true, len(byCreator) + len(byMark)},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t)
			lb := w.Tree(t)
			mustApply(t, w.provider, lb)
			if test.observed {
				observe(t, w.provider, lb)
			}
			lb.Progress.Generation++
			if test.elsewhere {
				w.provider = w.open(nil)
			}
			if test.fails {
				w.server.Inject(avitest.Fault{Kind: avitest.ServerError, Match: func(method, _ string, _ map[string]any) bool { return method == http.MethodDelete }})
				if err := w.provider.Remove(t.Context(), lb); err == nil {
					t.Fatal("Remove ended well")
				}
			}
			w.server.ResetCalls()
			if err := w.provider.Remove(t.Context(), lb); err != nil {
				t.Fatal(err)
			}
			w.CheckGone(t, lb)
			lists := slices.DeleteFunc(w.server.Calls(), func(c avitest.Call) bool {
				return c.Method != http.MethodGet || c.Path == "/api/vrfcontext" || strings.HasPrefix(c.Path, "/api/vsvip/")
			})
			if len(lists) != test.lists {
				t.Errorf("%d lists:%s", len(lists), lines(lists))
			}
		})
	}
}
