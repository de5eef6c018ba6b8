package avitest

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// Requests that no client of ours makes, and what becomes of a controller that gets them.

// TestBadJSON is refused before anything could store it where others read it.
func TestBadJSON(t *testing.T) {
	b := newBench(t, modelOptions{})
	deep := func(n int) string {
		return `{"name": "p", "analytics_policy": ` + strings.Repeat("[", n) + strings.Repeat("]", n) + `}`
	}
	for name, bad := range map[string]struct{ words, body string }{
		"number that none is":    {"JSON parse error", `{"name": "p", "default_server_port": 08}`},
		"number out of range":    {"number out of range", `{"name": "p", "analytics_policy": {"x": 1e999}}`},
		"integer out of range":   {"valid integer", `{"name": "p", "default_server_port": 99999999999999999999}`},
		"integer as an exponent": {"valid integer", `{"name": "p", "default_server_port": 8e1}`},
		"nothing as a number":    {"JSON parse error", `{"name": "p", "default_server_port": NaN}`},
		"nested too deep":        {"nested too deep", deep(100)},
		"nested much too deep":   {"JSON parse error", deep(100000)},
		"cut off":                {"JSON parse error", `{"name": "p`},
	} {
		t.Run(name, func(t *testing.T) {
			c := *b
			c.t = t
			c.refuses(http.StatusBadRequest, bad.words, http.MethodPost, "pool", bad.body)
		})
	}
	want(t, "pools", 0, len(b.m.list(scope{all: true}, "pool")))
	b.must(http.StatusCreated, http.MethodPost, "pool", "", deep(50))
	b.must(http.StatusCreated, http.MethodPost, "pool", "", `{"name": "last one counts", "name": "q"}`)
}

// TestPagesAtTheirEnds: 25 unless asked, an empty one only of nothing, and numbers that overflow are but too high.
func TestPagesAtTheirEnds(t *testing.T) {
	b := newBench(t, modelOptions{})
	pages := func(query string) (int, int, any) {
		t.Helper()
		status, got := b.ask(http.MethodGet, "pool?"+query, "", nil)
		results, _ := got["results"].([]any)
		return status, len(results), got["next"]
	}
	if status, n, next := pages("page=1"); status != http.StatusOK || n != 0 || next != nil {
		t.Errorf("the first page of nothing answers %d, %d objects, next %v", status, n, next)
	}
	for i := range 50 {
		b.pool(fmt.Sprint("p", i))
	}
	for query, expect := range map[string]struct {
		status, n int
		next      any
	}{
		"":                                      {http.StatusOK, 25, testBase + "/api/pool?page=2&page_size=25"},
		"page=2":                                {http.StatusOK, 25, nil},
		"page=3":                                {http.StatusNotFound, 0, nil},
		"page_size=50":                          {http.StatusOK, 50, nil},
		"page_size=49":                          {http.StatusOK, 49, testBase + "/api/pool?page=2&page_size=49"},
		"page_size=49&page=2":                   {http.StatusOK, 1, nil},
		"page_size=200":                         {http.StatusOK, 50, nil},
		"page_size=1&page=50":                   {http.StatusOK, 1, nil},
		"page_size=1&page=51":                   {http.StatusNotFound, 0, nil},
		"limit_by=3&page_size=2":                {http.StatusOK, 2, testBase + "/api/pool?limit_by=3&page=2&page_size=2"},
		"page=9223372036854775807&page_size=2":  {http.StatusNotFound, 0, nil},
		"page=4611686018427387905&page_size=4":  {http.StatusNotFound, 0, nil},
		"page=99999999999999999999&page_size=2": {http.StatusBadRequest, 0, nil},
		"page=-1":                               {http.StatusBadRequest, 0, nil},
	} {
		status, n, next := pages(query)
		if status != expect.status || n != expect.n || next != expect.next {
			t.Errorf("%q answers %d, %d objects, next %v, want %v", query, status, n, next, expect)
		}
	}
}

// TestAccidentsKeepNobodyWaiting: whatever happens within a call, the next one is answered.
func TestAccidentsKeepNobodyWaiting(t *testing.T) {
	late := false
	b := newBench(t, modelOptions{Now: func() time.Time {
		if late {
			panic("the clock is broken")
		}
		return time.Now()
	}})
	func() {
		defer func() { _ = recover() }()
		late = true
		b.ask(http.MethodPost, "pool", "", js{"name": "p"})
	}()
	late = false
	b.pool("q")
}

// TestOddNames are names like others, wherever they appear.
func TestOddNames(t *testing.T) {
	s := Start(t, Options{})
	u := loggedIn(t, s)
	for i, name := range []string{"Pöl 池 🏊", "a#b", "a/b?c&d=e", "%41", "a\r\nX-Evil: yes", "\x00", " ", "<script>", `"'`, strings.Repeat("池", 255)} {
		uuid := fmt.Sprintf("pool-%d", i)
		u.header[headerSlug] = uuid
		got := u.do(http.MethodPost, "/api/pool", map[string]any{"name": name})
		delete(u.header, headerSlug)
		if got.status != http.StatusCreated || got.body["name"] != name || got.header.Get("X-Evil") != "" {
			t.Fatalf("POST of %q answers %d %s %v", name, got.status, got.text, got.header)
		}
		found := u.must(http.MethodGet, "/api/pool?"+query("name", name), nil)
		if list := objectsIn(found, "results"); len(list) != 1 || list[0]["uuid"] != uuid {
			t.Errorf("%q finds %v", name, found)
		}
		group := u.must(http.MethodPost, "/api/poolgroup", map[string]any{"name": uuid, "members": []any{map[string]any{"pool_ref": "/api/pool?" + query("name", name)}}})
		if ref := text(objectsIn(group, "members")[0], "pool_ref"); ref != s.URL+"/api/pool/"+uuid+"#"+name {
			t.Errorf("%q is referred to as %q", name, ref)
		}
	}
}

// TestUnreadableRequests: of a malformed query a part would be lost, and with it a filter; bodies are JSON and say so.
func TestUnreadableRequests(t *testing.T) {
	s := Start(t, Options{})
	u := loggedIn(t, s)
	u.make("pool", "pool-1", map[string]any{"name": "p"})
	for _, query := range []string{"name=100%", "name=a;b", "%zz=1"} {
		if got := u.do(http.MethodGet, "/api/pool?"+query, nil); got.status != http.StatusBadRequest || !strings.Contains(got.text, "Malformed query") {
			t.Errorf("%s answers %d %s", query, got.status, got.text)
		}
	}
	for kind, status := range map[string]int{"": 415, "text/plain": 415, "application/x-www-form-urlencoded": 415, "application/json; charset=utf-8": 200} {
		u.header["Content-Type"] = kind
		if got := u.do(http.MethodPut, "/api/pool/pool-1", map[string]any{"name": "p"}); got.status != status {
			t.Errorf("a body of type %q answers %d %s", kind, got.status, got.text)
		}
	}
	u.header["Content-Type"] = ""
	u.must(http.MethodDelete, "/api/pool/pool-1", nil)
}

// TestSystemObjectsKeepTheirNames, by which all others find them.
func TestSystemObjectsKeepTheirNames(t *testing.T) {
	b := newBench(t, modelOptions{})
	profile := b.must(http.StatusOK, http.MethodGet, "applicationprofile?name=System-HTTP", "", nil)["results"].([]any)[0].(js)
	for _, path := range []string{"tenant/admin", "cloud/" + b.m.cloud, "applicationprofile/" + text(profile, "uuid")} {
		b.refuses(http.StatusBadRequest, "Cannot rename", http.MethodPatch, path, js{"replace": js{"name": "another"}})
		b.must(http.StatusOK, http.MethodPatch, path, "", js{"add": js{"description": "mine"}})
	}
}

// TestOddSlugs: what cannot stand in a path is no UUID, whoever brings it.
func TestOddSlugs(t *testing.T) {
	b := newBench(t, modelOptions{})
	config := js{"portal_configuration": js{"use_uuid_from_input": true}}
	b.must(http.StatusOK, http.MethodPut, "systemconfiguration", "", config)
	for _, slug := range []string{"a/b", "../pool", "a?b", "a#b", "a b", "a&b"} {
		if status, out := b.ask(http.MethodPost, "pool", slug, js{"name": "p"}); status != http.StatusBadRequest {
			t.Errorf("Slug %q answers %d %v", slug, status, out)
		}
		if status, out := b.ask(http.MethodPost, "pool", "", js{"name": "p", "uuid": slug}); status != http.StatusBadRequest {
			t.Errorf("uuid %q answers %d %v", slug, status, out)
		}
	}
}

// TestMisspeltFilters select nothing or everything, and are refused.
func TestMisspeltFilters(t *testing.T) {
	b := newBench(t, modelOptions{})
	b.pool("p", js{"default_server_port": 9})
	b.pool("q", js{"default_server_port": 10})
	for _, query := range []string{"name.startswith=p", "page.size=1", "cloud_ref.id=x", "cloud_uuid.in=x", "sort=nothing", "include_names=1"} {
		b.refuses(http.StatusBadRequest, "", http.MethodGet, "pool?"+query, nil)
	}
	for query, expect := range map[string][]string{
		"description.contains=nil":  {}, // it has none, which is no text
		"description.in=%3Cnil%3E":  {},
		"sort=default_server_port":  {"p", "q"},
		"sort=-default_server_port": {"q", "p"},
		"default_server_port=10":    {"q"},
	} {
		want(t, query, expect, names(b.must(http.StatusOK, http.MethodGet, "pool?"+query, "", nil)["results"]))
	}
}

// TestRefusedPutLeavesInlineVip: a virtual service that is refused takes nothing of its VsVip along.
func TestRefusedPutLeavesInlineVip(t *testing.T) {
	b := newBench(t, modelOptions{})
	body := func(addr string, port int) js {
		return js{"name": "a", "vip": []any{js{"ip_address": js{"type": "V4", "addr": addr}}}, "services": []any{js{"port": port}}}
	}
	made := b.must(http.StatusCreated, http.MethodPost, "virtualservice", "virtualservice-a", body("10.0.0.1", 80))
	ref, _, _ := strings.Cut(text(made, "vsvip_ref"), "#")
	vip := "vsvip/" + uuidIn(ref)
	before := b.must(http.StatusOK, http.MethodGet, vip, "", nil)
	other := b.vs("b", ref, 81)
	b.refuses(http.StatusBadRequest, "is in use", http.MethodPut, "virtualservice/virtualservice-a", body("10.0.0.2", 81))
	want(t, "the VsVip", before, b.must(http.StatusOK, http.MethodGet, vip, "", nil))

	b.must(http.StatusNoContent, http.MethodDelete, "virtualservice/virtualservice-a", "", nil)
	b.must(http.StatusOK, http.MethodGet, vip, "", nil) // another virtual service needs it
	b.must(http.StatusNoContent, http.MethodDelete, "virtualservice/"+uuidIn(other), "", nil)
	b.must(http.StatusNoContent, http.MethodDelete, vip, "", nil)
}

// TestParentsAndChildren: parents come first and go last.
func TestParentsAndChildren(t *testing.T) {
	b := newBench(t, modelOptions{})
	vip := b.vsvip("i")
	leaf := b.certificate("leaf", true)
	b.refuses(http.StatusBadRequest, "VirtualService not found", http.MethodPost, "virtualservice", childOf("c", "/api/virtualservice/virtualservice-p", leaf, nil, "x"))
	p, q := b.parent("p", vip), b.parent("q", b.vsvip("j"))
	c := b.make("virtualservice", childOf("c", p, leaf, nil, "x"))
	for name, bad := range map[string]struct {
		path string
		body js
	}{
		"a parent's parent":   {p, childOf("p", q, leaf, nil, "y")},
		"a child's child":     {q, childOf("q", c, leaf, nil, "y")},
		"its own parent":      {q, childOf("q", q, leaf, nil, "y")},
		"a child with a port": {c, js{"name": "c", "vsvip_ref": vip, "type": "VS_TYPE_VH_CHILD", "vh_parent_vs_ref": p, "vh_domain_name": []any{"x"}, "services": []any{js{"port": 444}}}},
	} {
		t.Run(name, func(t *testing.T) {
			one := *b
			one.t = t
			one.refuses(http.StatusBadRequest, "", http.MethodPut, strings.TrimPrefix(bad.path, "/api/"), bad.body)
		})
	}
	b.refuses(http.StatusForbidden, "referred by: ['VirtualService c']", http.MethodDelete, strings.TrimPrefix(p, "/api/"), nil)
	b.must(http.StatusOK, http.MethodPut, strings.TrimPrefix(c, "/api/"), "", childOf("c", q, leaf, nil, "x"))
	b.must(http.StatusNoContent, http.MethodDelete, strings.TrimPrefix(p, "/api/"), "", nil)
}

// TestPortRanges of virtual services on one VsVip never overlap, however they come about.
func TestPortRanges(t *testing.T) {
	b := newBench(t, modelOptions{})
	vip, other := b.vsvip("i"), b.vsvip("j")
	span := func(low, high int) js { return js{"services": []any{js{"port": low, "port_range_end": high}}} }
	b.vs("a", vip, 0, span(100, 200))
	free := b.vs("b", vip, 0, span(201, 201))
	for _, taken := range []js{span(100, 100), span(200, 200), span(50, 100), span(200, 300), span(1, 65535), span(150, 160)} {
		taken["name"], taken["vsvip_ref"] = "c", vip
		b.refuses(http.StatusBadRequest, "in use by VirtualService", http.MethodPost, "virtualservice", taken)
	}
	elsewhere := b.vs("c", other, 0, span(150, 160))
	b.refuses(http.StatusBadRequest, "in use", http.MethodPatch, strings.TrimPrefix(elsewhere, "/api/"), js{"replace": js{"vsvip_ref": vip}})
	b.refuses(http.StatusBadRequest, "in use", http.MethodPatch, strings.TrimPrefix(free, "/api/"), js{"add": js{"services": []any{js{"port": 99, "port_range_end": 100}}}})
	b.vs("d", vip, 0, span(202, 65535))
}

// TestSharedThingsStayWhole: what others use cannot become what they could not use.
func TestSharedThingsStayWhole(t *testing.T) {
	b := newBench(t, modelOptions{})
	monitor := b.make("healthmonitor", js{"name": "m", "type": "HEALTH_MONITOR_PING"})
	b.pool("p", js{"health_monitor_refs": []any{monitor}})
	b.refuses(http.StatusBadRequest, "of type HTTPS needs", http.MethodPut, strings.TrimPrefix(monitor, "/api/"),
		js{"name": "m", "type": "HEALTH_MONITOR_HTTPS", "https_monitor": js{"http_response_code": []any{"HTTP_2XX"}}})
	authority, signer := keypair(t, "ca", true, true)
	ca := b.make("sslkeyandcertificate", js{"name": "ca", "type": "SSL_CERTIFICATE_TYPE_CA", "key": signer, "certificate": js{"certificate": authority}})
	leaf, key := keypair(t, "leaf", false, true)
	b.make("sslkeyandcertificate", js{"name": "leaf", "key": key, "certificate": js{"certificate": leaf}, "ca_certs": []any{js{"ca_ref": ca}}})
	b.refuses(http.StatusBadRequest, "is not of type", http.MethodPatch, strings.TrimPrefix(ca, "/api/"), js{"replace": js{"type": "SSL_CERTIFICATE_TYPE_VIRTUALSERVICE"}})
	two := b.tenantNamed("two", false)
	p := "pool/" + uuidIn(b.pool("q"))
	for _, verb := range []string{"add", "replace"} {
		b.refuses(http.StatusBadRequest, "Tenant is not", http.MethodPatch, p, js{verb: js{"tenant_ref": "/api/tenant/" + two}})
	}
	b.refuses(http.StatusBadRequest, "Tenant is not", http.MethodPut, p, js{"name": "q", "tenant_ref": "/api/tenant/" + two})
	b.must(http.StatusNoContent, http.MethodDelete, "tenant/"+two, "", nil)
}

// TestServersAreTheSameHoweverSpelt, as addresses of IPv6 can be.
func TestServersAreTheSameHoweverSpelt(t *testing.T) {
	b := newBench(t, modelOptions{})
	server := func(addr string) js { return js{"ip": js{"addr": addr, "type": "V6"}, "port": 80} }
	b.refuses(http.StatusBadRequest, "duplicate server", http.MethodPost, "pool", js{"name": "p", "servers": []any{server("fd00::1"), server("fd00:0::0001")}})
}

// TestNoSecretIsTold, whatever is asked, and whoever asks.
func TestNoSecretIsTold(t *testing.T) {
	b := newBench(t, modelOptions{})
	cloud := "cloud/" + b.m.cloud
	certificate, key := keypair(t, "c", false, true)
	for path, body := range map[string]js{
		cloud:          {"name": "Default-Cloud", "vtype": "CLOUD_OPENSTACK", "openstack_configuration": js{"username": "admin", "password": "hush-hush"}},
		"vrfcontext/v": {"name": "v", "bgp_profile": js{"local_as": 1, "ibgp": true, "peers": []any{js{"remote_as": 2, "md5_secret": "hush-hush"}}}},
		"applicationpersistenceprofile/a": {"name": "a", "persistence_type": "PERSISTENCE_TYPE_APP_COOKIE",
			"app_cookie_persistence_profile": js{"prst_hdr_name": "x", "encryption_key": "hush-hush"}},
		"sslkeyandcertificate/c": {"name": "c", "key": key, "key_passphrase": "hush-hush", "certificate": js{"certificate": certificate}},
	} {
		kind, uuid, _ := strings.Cut(path, "/")
		answers := []answer{}
		if path != cloud {
			answers = append(answers, b.raw(http.MethodPost, kind, uuid, body))
		}
		answers = append(answers, b.raw(http.MethodPut, path, "", body), b.raw(http.MethodPatch, path, "", js{"add": js{"name": body["name"]}}),
			b.raw(http.MethodGet, path, "", nil), b.raw(http.MethodGet, kind+"?fields=key,key_passphrase,openstack_configuration", "", nil))
		for _, a := range answers {
			if a.Status >= http.StatusBadRequest {
				t.Errorf("%s answers %d %s", path, a.Status, a.Body)
			}
			if strings.Contains(string(a.Body), "hush-hush") || strings.Contains(string(a.Body), "PRIVATE KEY") {
				t.Errorf("%s tells a secret: %s", path, a.Body)
			}
		}
	}
	for _, bad := range []js{
		{"name": "d", "key": key + "hush-hush", "certificate": js{"certificate": key}},
		{"name": "d", "key": strings.Replace(key, "PRIVATE", "HUSH", 2), "certificate": js{"certificate": certificate}},
		{"name": "d", "key": []any{key}, "certificate": js{"certificate": certificate}},
		{"name": "d", "key": key, "certificate": certificate},
	} {
		if a := b.raw(http.MethodPost, "sslkeyandcertificate", "", bad); a.Status != http.StatusBadRequest || strings.Contains(string(a.Body), strings.Split(key, "\n")[1]) {
			t.Errorf("answers %d %s", a.Status, a.Body)
		}
	}
	want(t, "certificates that a key selects", 0., b.must(http.StatusOK, http.MethodGet, "sslkeyandcertificate?key.contains=PRIVATE", "", nil)["count"])
}

// TestOtherKeys than RSA's and EC's are none that Avi has.
func TestOtherKeys(t *testing.T) {
	b := newBench(t, modelOptions{})
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "x"}, NotAfter: time.Now().Add(time.Hour)}
	certificate, err := x509.CreateCertificate(rand.Reader, template, template, public, private)
	if err != nil {
		t.Fatal(err)
	}
	key, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	text := func(kind string, der []byte) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
	}
	b.refuses(http.StatusBadRequest, "neither RSA nor EC", http.MethodPost, "sslkeyandcertificate",
		js{"name": "c", "key": text("PRIVATE KEY", key), "certificate": js{"certificate": text("CERTIFICATE", certificate)}})
}

// TestHugeBodies are refused, and cost their sender the connection.
func TestHugeBodies(t *testing.T) {
	s := Start(t, Options{})
	u := loggedIn(t, s)
	got, err := u.try(http.MethodPost, "/api/pool", map[string]any{"name": strings.Repeat("x", maxBody)})
	if err == nil && got.status != http.StatusRequestEntityTooLarge {
		t.Errorf("a huge body answers %d %.100s", got.status, got.text)
	}
	u.must(http.MethodGet, "/api/pool", nil)
}

// TestOneOfManyPutsWins: with the same _last_modified exactly one write is taken, the others are told 412.
func TestOneOfManyPutsWins(t *testing.T) {
	s := Start(t, Options{})
	u := loggedIn(t, s)
	for round := range 5 {
		path := "/api/pool/pool-" + fmt.Sprint(round)
		seen := u.make("pool", "pool-"+fmt.Sprint(round), map[string]any{"name": fmt.Sprint("p", round)})
		var all sync.WaitGroup
		statuses := make([]int, 8)
		for i := range statuses {
			one := u.forgetting()
			body := copied(seen).(map[string]any)
			body["description"] = fmt.Sprint("writer ", i)
			all.Go(func() { statuses[i] = one.do(http.MethodPut, path, body).status })
		}
		all.Wait()
		winner := slices.Index(statuses, http.StatusOK)
		slices.Sort(statuses)
		want(t, "statuses", []int{200, 412, 412, 412, 412, 412, 412, 412}, statuses)
		if got := text(u.must(http.MethodGet, path, nil), "description"); got != fmt.Sprint("writer ", winner) {
			t.Errorf("writer %d won, and the object says %q", winner, got)
		}
	}
}

// TestNoUpdateIsLost though users edit while clients PATCH and PUT.
func TestNoUpdateIsLost(t *testing.T) {
	s := Start(t, Options{})
	u := loggedIn(t, s)
	u.make("pool", "pool-1", map[string]any{"name": "p", "request_queue_depth": 0})
	const writers, each = 4, 10
	var all sync.WaitGroup
	for i := range writers {
		one := u.forgetting()
		all.Go(func() {
			for j := range each {
				server := map[string]any{"ip": address(fmt.Sprintf("10.0.%d.%d", i, j+1)), "port": 80}
				one.must(http.MethodPatch, "/api/pool/pool-1", map[string]any{"add": map[string]any{"servers": []any{server}}})
			}
		})
		all.Go(func() {
			for range each {
				if err := s.Edit("pool", "pool-1", func(o map[string]any) { o["request_queue_depth"] = o["request_queue_depth"].(int64) + 1 }); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	got := s.Object("pool", "pool-1")
	if n := len(objectsIn(got, "servers")); n != writers*each || got["request_queue_depth"] != int64(writers*each) {
		t.Errorf("there are %d servers and %v edits, want %d of both", n, got["request_queue_depth"], writers*each)
	}
}

// TestNamesAreTakenOnce though many want them at the same moment.
func TestNamesAreTakenOnce(t *testing.T) {
	s := Start(t, Options{})
	u := loggedIn(t, s)
	var made, clashes atomic.Int64
	var all sync.WaitGroup
	for range 8 {
		one := u.forgetting()
		all.Go(func() {
			switch got := one.do(http.MethodPost, "/api/pool", map[string]any{"name": "p"}); got.status {
			case http.StatusCreated:
				made.Add(1)
			case http.StatusConflict:
				clashes.Add(1)
			}
		})
	}
	all.Wait()
	want(t, "made and clashes", []int64{1, 7}, []int64{made.Load(), clashes.Load()})
}
