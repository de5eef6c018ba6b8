package avi

import (
	"errors"
	"log/slog"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"plimsoll/internal/provider/avi/avitest"
	"plimsoll/internal/provider/avi/controller"
	"plimsoll/internal/provider/avi/translate"
	"plimsoll/lbaas"
)

// verdicts are what is found of each thing.
func verdicts(found []Finding) map[string]Verdict {
	all := map[string]Verdict{}
	for _, f := range found {
		if all[f.What] == "" || f.Verdict != OK {
			all[f.What] = f.Verdict
		}
	}
	return all
}

func TestCheck(t *testing.T) {
	setCloud := func(change func(map[string]any)) func(*testing.T, *avitest.Server) {
		return func(t *testing.T, s *avitest.Server) {
			for _, o := range s.Objects("*", "cloud") {
				if o["name"] == "Default-Cloud" {
					edit(t, s, "cloud", o["uuid"].(string), change)
				}
			}
		}
	}
	for _, test := range []struct {
		name   string
		config func(*Config)
		change func(t *testing.T, s *avitest.Server)
		want   map[string]Verdict
		says   string // by one of the findings that are not OK
	}{
		{"bad address", func(c *Config) { c.Controller.Addresses = []string{"127.0.0.1:1"} }, nil, map[string]Verdict{"controller": Missing}, "127.0.0.1:1"},
		{"bad password", func(c *Config) { c.Controller.Password = "secret0" }, nil, map[string]Verdict{"login": Missing}, "look at user and password"},
		{"bad certificate", func(c *Config) { c.Controller.Roots = nil }, nil, map[string]Verdict{"certificate": Missing}, "ca_file"},
		{"bad version", func(c *Config) { c.Controller.Version = "22.1.3" }, nil, map[string]Verdict{"login": OK, "version": Missing}, "api_version 22.1.3"},
		{"bad cloud", func(c *Config) { c.Cloud = "Heaven" }, nil,
			map[string]Verdict{"login": OK, "version": OK, "cloud": Missing, "tenants": OK}, "no cloud Heaven; it has Default-Cloud"},
		{"bad tenant", func(c *Config) { c.Tenants.Single = "nobody" }, nil,
			map[string]Verdict{"login": OK, "version": OK, "cloud": OK, "tenants": Missing}, "there is no tenant nobody; there are admin, demo, other"},
		{"bad provider context", func(c *Config) { c.VRFPerSubnet = true }, func(t *testing.T, s *avitest.Server) {
			edit(t, s, "systemconfiguration", "default", func(o map[string]any) {
				o["global_tenant_config"].(map[string]any)["se_in_provider_context"] = false
			})
		}, map[string]Verdict{"login": OK, "version": OK, "cloud": OK, "tenants": OK, "vrf contexts": Missing}, "set se_in_provider_context"},
		{"a tenant with engines of its own", func(c *Config) { c.VRFPerSubnet = true }, func(t *testing.T, s *avitest.Server) {
			edit(t, s, "tenant", translate.UUID("tenant", demoProject), func(o map[string]any) {
				o["config_settings"] = map[string]any{"se_in_provider_context": false}
			})
		}, map[string]Verdict{"login": OK, "version": OK, "cloud": OK, "tenants": OK, "vrf contexts": Warn}, "engines of their own cannot have VRF contexts of subnets: demo"},
		{"another type of cloud", nil, setCloud(func(o map[string]any) { o["vtype"] = "CLOUD_VCENTER" }),
			map[string]Verdict{"login": OK, "version": OK, "cloud": Warn, "tenants": OK}, "CLOUD_VCENTER"},
		{"bad type of cloud for VRF contexts", func(c *Config) { c.VRFPerSubnet = true }, setCloud(func(o map[string]any) { o["vtype"] = "CLOUD_NONE" }),
			map[string]Verdict{"login": OK, "version": OK, "cloud": Warn, "tenants": OK, "vrf contexts": Missing}, "Default-Cloud is of type CLOUD_NONE"},
		{"networks without tunnels", func(c *Config) { c.VRFPerSubnet, c.NetworkTypes = true, []string{"vxlan", "vlan", "flat"} }, nil,
			map[string]Verdict{"login": OK, "version": OK, "cloud": OK, "tenants": OK, "vrf contexts": Warn}, "some of type vlan, flat"},
		{"all well", func(c *Config) { c.VRFPerSubnet, c.NetworkTypes = true, []string{"vxlan", "gre"} }, nil,
			map[string]Verdict{"login": OK, "version": OK, "cloud": OK, "tenants": OK, "vrf contexts": OK}, ""},
		{"one tenant", func(c *Config) { c.Tenants.Single = "demo" }, nil, map[string]Verdict{"login": OK, "version": OK, "cloud": OK, "tenants": OK}, ""},
		{"one tenant that will be made", func(c *Config) { c.Tenants = Tenants{Single: "new", Create: true} }, nil,
			map[string]Verdict{"login": OK, "version": OK, "cloud": OK, "tenants": OK}, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := newController(t)
			p := open(t, s, test.config)
			if test.change != nil {
				test.change(t, s)
			}
			found := p.Check(t.Context())
			if diff := cmp.Diff(test.want, verdicts(found)); diff != "" {
				t.Errorf("Check (-want +got):\n%s\n%+v", diff, found)
			}
			said := ""
			for _, f := range found {
				if (f.Verdict == OK) != (f.Remedy == "") || f.Detail == "" {
					t.Errorf("%+v", f)
				}
				if f.Verdict != OK {
					said += f.Detail + "; " + f.Remedy + "\n"
				}
			}
			if !strings.Contains(said, test.says) || strings.Contains(said, p.cfg.Controller.Password) {
				t.Errorf("Check says %q, want %q", said, test.says)
			}
		})
	}
}

func TestNewer(t *testing.T) {
	for _, test := range []struct {
		a, b string
		want bool
	}{
		{"18.2.6", "18.1.2", true}, {"18.1.2", "18.2.6", false}, {"18.2.6", "18.2.6", false}, {"18.10.1", "18.9.9", true},
		{"", "18.2.6", false}, {"20.1.1", "18.2.6-9000", true}, {"18.2.6", "18.2.6-9000", false}, {"18.2", "18.2.1", false},
	} {
		if got := newer(test.a, test.b); got != test.want {
			t.Errorf("newer(%q, %q) = %v", test.a, test.b, got)
		}
	}
}

func TestCheckFlavor(t *testing.T) {
	s := newController(t)
	p := open(t, s, nil)
	create := func(tenant controller.Tenant, kind, name, cloud string) {
		t.Helper()
		_, err := p.ctl.Create(t.Context(), tenant, kind, kind+"-"+name, controller.Object{"name": name, "cloud_ref": "/api/cloud?name=" + cloud})
		if err != nil {
			t.Fatal(err)
		}
	}
	if _, err := p.ctl.Create(t.Context(), controller.Admin, "cloud", "cloud-2", controller.Object{"name": "second", "vtype": "CLOUD_NONE"}); err != nil {
		t.Fatal(err)
	}
	create(controller.Admin, kindSEGroup, "se-group-1", "Default-Cloud")
	create(controller.Admin, kindSEGroup, "se-group-2", "second")
	create(controller.Tenant{Name: "demo"}, kindVRF, "red", "Default-Cloud")
	for _, test := range []struct {
		name, data string
		kind       lbaas.Kind
		says       string
	}{
		{"bad key", `{"x": 1}`, lbaas.Unsupported, "'x' is not known"},
		{"bad SE group", `{"se_group_ref": "/api/serviceenginegroup?name=se-group-9"}`, lbaas.Invalid, "has no such service engine group in any tenant"},
		{"bad SE group by UUID", `{"se_group_ref": "/api/serviceenginegroup/serviceenginegroup-9"}`, lbaas.Invalid, "has no such service engine group"},
		{"bad cloud of an SE group", `{"se_group_ref": "/api/serviceenginegroup?name=se-group-2"}`, lbaas.Invalid, "is of cloud second"},
		{"bad VRF context", `{"vrf_ref": "/api/vrfcontext?name=blue"}`, lbaas.Invalid, "has no such VRF context"},
		{"nothing", `{}`, "", ""},
		{"an SE group", `{"se_group_ref": "/api/serviceenginegroup?name=se-group-1"}`, "", ""},
		{"an SE group by UUID", `{"se_group_ref": "serviceenginegroup-se-group-1"}`, "", ""},
		{"a VRF context of one tenant", `{"vrf_ref": "/api/vrfcontext?name=red"}`, "", ""},
		{"a VRF context by the other key", `{"vrf_context_ref": "/api/vrfcontext/vrfcontext-red"}`, "", ""},
		{"contexts of subnets", `{"vrf_context_per_subnet": "True"}`, "", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			err := p.Face().CheckFlavor(t.Context(), flavorData(t, test.data))
			if test.kind == "" && err != nil || test.kind != "" && (!errors.Is(err, test.kind) || !strings.Contains(err.Error(), test.says)) {
				t.Errorf("CheckFlavor(%s) = %v, want %s that says %q", test.data, err, test.kind, test.says)
			}
		})
	}
	edit(t, s, "systemconfiguration", "default", func(o map[string]any) {
		o["global_tenant_config"].(map[string]any)["se_in_provider_context"] = false
	})
	if err := p.CheckFlavor(t.Context(), map[string]any{flavorVRFPerSubnet: true}); !errors.Is(err, lbaas.Invalid) || !strings.Contains(err.Error(), "set se_in_provider_context") {
		t.Errorf("CheckFlavor without the provider context: %v", err)
	}
	if err := p.CheckFlavor(t.Context(), map[string]any{flavorVRFPerSubnet: "False"}); err != nil {
		t.Errorf("CheckFlavor of contexts that are not wanted: %v", err)
	}
	s.Down(true)
	if err := p.CheckFlavor(t.Context(), map[string]any{flavorVRF: "vrfcontext-red"}); !errors.Is(err, lbaas.Unavailable) {
		t.Errorf("CheckFlavor of a controller that is down: %v", err)
	}
}

// TestCheckFlavorWarns has a tenant with service engines of its own: the flavor is of use to the others, and the log says to whom not.
func TestCheckFlavorWarns(t *testing.T) {
	s := newController(t)
	var log strings.Builder
	p := open(t, s, func(c *Config) { c.Log = slog.New(slog.NewTextHandler(&log, nil)) })
	edit(t, s, "tenant", translate.UUID("tenant", demoProject), func(o map[string]any) {
		o["config_settings"] = map[string]any{"se_in_provider_context": false}
	})
	if err := p.CheckFlavor(t.Context(), map[string]any{flavorVRFPerSubnet: true}); err != nil {
		t.Errorf("CheckFlavor: %v", err)
	}
	for _, want := range []string{"level=WARN", "cannot have VRF contexts of subnets: demo", "set se_in_provider_context"} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("the log does not say %q:\n%s", want, log.String())
		}
	}
}
