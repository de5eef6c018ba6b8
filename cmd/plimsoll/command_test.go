package main

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"

	"plimsoll/internal/config"
	"plimsoll/internal/web"
)

func TestExitCodes(t *testing.T) {
	for _, test := range []struct {
		args string
		code int
		want string
	}{
		{"", exitUsage, "no command is given"},
		{"sreve", exitUsage, `there is no command "sreve"; did you mean serve?`},
		{"--nope", exitUsage, "unknown flag: --nope"},
		{"serve extra", exitUsage, `unknown command "extra" for "plimsoll serve"`},
		{"serve --listen", exitUsage, "flag needs an argument"},
		{"engine --client-uid x", exitUsage, "invalid argument"},
		{"purge --state-dir /does/not/exist", exitDone, "there is nothing to remove"},
		{"help", exitDone, "Available Commands"},
		{"help serve", exitDone, "--state-dir"},
		{"completion bash", exitDone, "complete"},
		{"--version", exitDone, "plimsoll version"},
	} {
		if strings.HasPrefix(test.args, "purge") {
			needsRoot(t)
		}
		var out strings.Builder
		if code := run(strings.Fields(test.args), &out, &out); code != test.code || !strings.Contains(out.String(), test.want) {
			t.Errorf("plimsoll %s: exit code %d, want %d and %q:\n%s", test.args, code, test.code, test.want, out.String())
		}
	}
}

// TestHelp looks whether every command says what it does.
func TestHelp(t *testing.T) {
	var look func(*cobra.Command)
	look = func(parent *cobra.Command) {
		for _, cmd := range parent.Commands() {
			if cmd.Short == "" || !cmd.Hidden && cmd.Long == "" {
				t.Errorf("%s has no help", cmd.CommandPath())
			}
			look(cmd)
		}
	}
	look(rootCommand())
}

func TestEnable(t *testing.T) {
	names := func(c config.Config) string {
		e, err := enable(c, workshop{config: c, log: slog.New(slog.DiscardHandler)})
		if err != nil {
			return err.Error()
		}
		var list []string
		for _, f := range e.faces {
			if e.providers[f.Name] == nil {
				t.Errorf("provider %s has a face only", f.Name)
			}
			list = append(list, f.Name+"="+f.Capabilities.Description)
		}
		return strings.Join(list, "|") + " default " + e.byDefault
	}
	const driverPath = "neutron_lbaas.drivers.haproxy.plugin_driver.HaproxyOnHostPluginDriver"
	const ours = "HAProxy in network namespaces on this host."
	with := func(change func(*config.Config)) config.Config {
		c := config.Default()
		change(&c)
		return c
	}
	for _, test := range []struct {
		name string
		c    config.Config
		want string
	}{
		{"bad driver", with(func(c *config.Config) {
			c.Providers = []config.ServiceProvider{{Name: "edge", Driver: "nonesuch"}}
		}), `provider edge: there is no driver "nonesuch": this build has avi, haproxy, noop`},
		{"bad default", with(func(c *config.Config) { c.API.DefaultProvider = "octavia" }),
			`the default provider "octavia" is not enabled: enabled are haproxy`},
		{"nothing configured", config.Default(), "haproxy=" + ours + " default haproxy"},
		{"described", with(func(c *config.Config) {
			c.API.EnabledProviders = []config.EnabledProvider{{Name: "haproxy", Description: "Ours"}}
		}), "haproxy=Ours default haproxy"},
		{"alias and union", with(func(c *config.Config) {
			c.Providers = []config.ServiceProvider{{Name: "edge", Driver: driverPath, Default: true}}
		}), "edge=" + ours + "|haproxy=" + ours + " default edge"},
		{"bad authority", with(func(c *config.Config) {
			c.Providers = []config.ServiceProvider{{Name: "lab", Driver: "avi"}}
			c.Avi = map[string]*config.Avi{"lab": {Addresses: []string{"127.0.0.1"}, CAFile: "ca.pem", CA: []byte("x")}}
		}), "provider lab: option ca_file: ca.pem has no certificate in PEM"},
	} {
		if got := names(test.c); got != test.want {
			t.Errorf("%s: enable gives %q, want %q", test.name, got, test.want)
		}
	}
}

// TestEnableControllers has two controllers, which no one provider serves.
func TestEnableControllers(t *testing.T) {
	c := config.Default()
	c.Providers = []config.ServiceProvider{{Name: "avi_adc", Driver: "avi_lbaasv2.avi_driver.AviDriver", Default: true}, {Name: "lab", Driver: "avi"}}
	c.Avi = map[string]*config.Avi{
		"avi_adc": {Addresses: []string{"127.0.0.1:1"}, User: "admin", Password: "x", APIVersion: "18.1.2", Connections: 1, Timeout: 1},
		"lab":     {Addresses: []string{"127.0.0.1:2"}, User: "admin", Password: "x", APIVersion: "18.1.2", Connections: 1, Timeout: 1},
	}
	c.Avi["avi_adc"].CertVerify = true
	var log strings.Builder
	e, err := enable(c, workshop{config: c, log: slog.New(slog.NewTextHandler(&log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	if text := log.String(); strings.Count(text, "not verified") != 1 || !strings.Contains(text, "provider=lab") {
		t.Errorf("the log is to warn of the controller whose certificate is not verified: %s", text)
	}
	if e.providers["avi_adc"] == nil || e.providers["avi_adc"] == e.providers["lab"] || e.byDefault != "avi_adc" || len(e.faces) != 3 {
		t.Errorf("enable gives %+v", e)
	}
	for _, f := range e.faces[:2] {
		if f.CheckFlavor == nil {
			t.Errorf("%s does not judge flavors", f.Name)
		}
	}
}

func TestMount(t *testing.T) {
	face := func(name string) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, _ = w.Write([]byte(name + " " + r.URL.Path + " " + r.RequestURI))
		})
	}
	h := mount(map[string]http.Handler{"/identity": face("identity"), "/load-balancer": face("lb"), "": face("root")}, face("health"))
	got := map[string]string{}
	for _, path := range []string{"/", "/v2/lbaas/pools", "/identity", "/identity/", "/identity/v3?x=1", "/identityx", "/load-balancer/v2.0", "/healthcheck", "/load-balancer/healthcheck"} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil))
		got[path] = w.Body.String()
	}
	want := map[string]string{
		"/":                          "root / /",
		"/v2/lbaas/pools":            "root /v2/lbaas/pools /v2/lbaas/pools",
		"/identity":                  "identity / /identity",
		"/identity/":                 "identity / /identity/",
		"/identity/v3?x=1":           "identity /v3 /identity/v3?x=1",
		"/identityx":                 "root /identityx /identityx",
		"/load-balancer/v2.0":        "lb /v2.0 /load-balancer/v2.0",
		"/healthcheck":               "health /healthcheck /healthcheck",
		"/load-balancer/healthcheck": "health /load-balancer/healthcheck /load-balancer/healthcheck",
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/healthcheck", nil))
	got["POST"], want["POST"] = w.Body.String(), "root /healthcheck /healthcheck" // which refuses it in its own words
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("mount (-want +got):\n%s", diff)
	}
}

func TestAnnounce(t *testing.T) {
	echo := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = w.Write([]byte(web.BaseURL(r))) })
	for base, want := range map[string]string{"": "http://example.com", "https://lb.example.org:9876": "https://lb.example.org:9876"} {
		w := httptest.NewRecorder()
		announce(base, echo).ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil))
		if got := w.Body.String(); got != want {
			t.Errorf("with the base URI %q links begin with %q, want %q", base, got, want)
		}
	}
}

func TestFindAccount(t *testing.T) {
	dir := t.TempDir()
	clouds := "clouds:\n  plimsoll:\n    auth: {auth_url: 'http://state/v3', username: admin, password: p, project_name: admin}\n    region_name: R\n"
	if err := os.WriteFile(filepath.Join(dir, "clouds.yaml"), []byte(clouds), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name string
		env  map[string]string
		dir  string
		want string
	}{
		{"bad nothing", nil, filepath.Join(dir, "none"), "no server is named"},
		{"bad cloud", map[string]string{"OS_CLOUD": "x", "OS_CLIENT_CONFIG_FILE": filepath.Join(dir, "clouds.yaml")}, dir, `has no cloud "x"`},
		{"state directory", nil, dir, "http://state/v3"},
		{"environment first", map[string]string{"OS_AUTH_URL": "http://env/v3"}, dir, "http://env/v3"},
		{"cloud before environment", map[string]string{"OS_AUTH_URL": "http://env/v3", "OS_CLOUD": "plimsoll", "OS_CLIENT_CONFIG_FILE": filepath.Join(dir, "clouds.yaml")}, dir, "http://state/v3"},
	} {
		a, err := findAccount(func(name string) string { return test.env[name] }, test.dir)
		got := a.Auth.AuthURL
		if err != nil {
			got = err.Error()
		}
		if !strings.Contains(got, test.want) {
			t.Errorf("%s: findAccount gives %q, want %q", test.name, got, test.want)
		}
	}
}

func TestJudgeHAProxy(t *testing.T) {
	for text, want := range map[string]verdict{
		"":                                  missing,
		"HA-Proxy version 1.8.0":            missing,
		"HAProxy version 2.4.22 2023":       missing,
		"HAProxy version 2.6.12-1 +OPENSSL": fine,
		"HAProxy version 3.0.1 +OPENSSL":    fine,
		"HAProxy version 2.8.1 -OPENSSL":    missing,
	} {
		if got := judgeHAProxy("/x", text); got.verdict != want || (got.remedy == "") != (want == fine) {
			t.Errorf("judgeHAProxy(%q) gives %+v, want %s", text, got, want)
		}
	}
}

func TestTellFailsWhenSomethingIsMissing(t *testing.T) {
	var out strings.Builder
	if err := tell(&out, []finding{{verdict: fine}, {verdict: warn}}); err != nil {
		t.Errorf("tell gives %v", err)
	}
	if err := tell(&out, []finding{{missing, "haproxy", "none", "install it"}}); err == nil {
		t.Error("tell gives no error")
	}
	if !strings.Contains(out.String(), "→ install it") {
		t.Errorf("tell prints no remedy:\n%s", out.String())
	}
}

// TestDoctor leaves the host as it was.
func TestDoctor(t *testing.T) {
	needsRoot(t)
	before := strings.Join(namespaceNames(), " ")
	for _, f := range examine(context.Background(), filepath.Join(t.TempDir(), "state"), "127.0.0.1:0") {
		if f.verdict == missing {
			t.Errorf("%+v", f)
		}
	}
	for _, name := range namespaceNames() {
		if strings.HasPrefix(name, "plimsoll-doctor-") && !strings.Contains(before, name) {
			t.Errorf("doctor leaves the namespace %s", name)
		}
	}
}

func TestVerdict(t *testing.T) {
	d := &demo{members: []demoHost{{name: "a"}, {name: "b"}}}
	for _, test := range []struct {
		report demoReport
		want   string
	}{
		{demoReport{Answers: map[string]int{"a": 999, "b": 1}}, ""},
		{demoReport{Answers: map[string]int{"a": 500, "b": 499}, Failed: 1, Error: "refused"}, "1 of 1000 requests had no answer: refused"},
		{demoReport{Answers: map[string]int{"a": 1000}}, "member b served none"},
		{demoReport{Answers: map[string]int{"a": 1, "b": 1, "c": 998}}, "answers came from a, b, c"},
	} {
		err := d.verdict(test.report)
		if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
			t.Errorf("verdict(%+v) gives %v, want %q", test.report, err, test.want)
		}
	}
}
