package config_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"plimsoll/internal/config"
)

func TestParseRefuses(t *testing.T) {
	for _, test := range []struct{ name, text, want string }{
		{"bad section", "[DEFAULT]\ndebug = true\n[nonsense]\nx = 1\n", "p.conf:3: section [nonsense] is unknown"},
		{"bad option", "[api_settings]\n\nbind_prot = 1\n", "p.conf:3: option bind_prot in [api_settings] is unknown"},
		{"bad option before any section", "listen = 1\n", "p.conf:1: option listen in [DEFAULT] is unknown"},
		{"bad letter case of a section", "[Database]\nconnection = x\n", "section [Database] is unknown"},
		{"bad real Keystone", "[keystone_authtoken]\nauth_url = x\n", "p.conf:1: section [keystone_authtoken] is not available in this build: there is no way to use a real Keystone yet"},
		{"bad boolean", "debug = maybe\n", `"maybe" is not a boolean`},
		{"bad port below", "[api_settings]\nbind_port = -1\n", `"-1" is not a whole number from 0 to 65535`},
		{"bad port above", "[api_settings]\nbind_port = 65536\n", `"65536" is not a whole number from 0 to 65535`},
		{"bad twice", "debug = true\ndebug = true\n", "option debug in [DEFAULT] is given 2 times, must be given once"},
		{"bad relative path", "state_path = here\n", `"here" is not an absolute path`},
		{"bad empty host", "[api_settings]\nbind_host =\n", "must not be empty"},
		{"bad base URI", "[api_settings]\napi_base_uri = lb.example.com\n", "is not a URL of the form"},
		{"bad page", "[api_settings]\npagination_max_limit = 0\n", `"0" is neither a number of rows nor infinite`},
		{"bad quota below", "[quotas]\ndefault_pool_quota = -2\n", `"-2" is not a whole number from -1 to 2000000000`},
		{"bad quota above", "[quotas]\ndefault_pool_quota = 2000000001\n", `"2000000001" is not a whole number from -1 to 2000000000`},
		{"bad line", "[DEFAULT]\nwhat is this\n", "key-value delimiter not found"},
		{"bad service", "[service_providers]\nservice_provider = FIREWALL:a:b\n", `only LOADBALANCERV2 is served`},
		{"bad shape", "[service_providers]\nservice_provider = LOADBALANCERV2:haproxy\n", "is not of the form"},
		{"bad mark", "[service_providers]\nservice_provider = LOADBALANCERV2:a:b:defautl\n", `only "default" may stand there`},
		{"bad two defaults", "[service_providers]\nservice_provider = LOADBALANCERV2:a:b:default\nservice_provider = LOADBALANCERV2:c:d:default\n", "more than one provider"},
		{"bad same name", "[service_providers]\nservice_provider = LOADBALANCERV2:a:b\nservice_provider = LOADBALANCERV2:A:d\n", "names a twice"},
		{"bad drivers", "[api_settings]\nenabled_provider_drivers = haproxy:x, :y\n", "names no provider"},
	} {
		_, err := config.Parse("p.conf", []byte(test.text))
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: Parse gives %v, want an error with %q", test.name, err, test.want)
		}
	}
}

func TestParseNamesEveryMistake(t *testing.T) {
	_, err := config.Parse("p.conf", []byte("a = 1\nb = 2\n"))
	if err == nil || !strings.Contains(err.Error(), "option a") || !strings.Contains(err.Error(), "option b") {
		t.Errorf("Parse gives %v, want both options named", err)
	}
}

func TestParse(t *testing.T) {
	text := `# A comment.
[DEFAULT]
debug = yes
host = node-1
state_path = /srv/plimsoll/
region_name = Home

[api_settings]
bind_host = ::1
bind_port = 0
api_base_uri = https://lb.example.com:9876/
pagination_max_limit = infinite
default_provider_driver = edge
enabled_provider_drivers = haproxy: The one that ships, edge

[quotas]
default_load_balancer_quota = 10
default_listener_quota = -1
default_member_quota = 2000000000
default_pool_quota = 0
default_health_monitor_quota = 4
default_l7policy_quota = 5
default_l7rule_quota = 6

[reconcile]
lease_ttl = 5
deadline = 20
audit_interval = 2

[database]
connection = postgresql://u:%(x)s;p#ss\@db/plimsoll

[service_providers]
service_provider = LOADBALANCERV2:Edge:neutron_lbaas.drivers.haproxy.plugin_driver.HaproxyOnHostPluginDriver:default
service_provider = LOADBALANCERV2:other:haproxy
`
	got, err := config.Parse("p.conf", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	want := config.Config{
		Debug: true, Host: "node-1", StatePath: "/srv/plimsoll", Region: "Home",
		API: config.API{
			BindHost: "::1", BaseURI: "https://lb.example.com:9876", DefaultProvider: "edge", MaxLimit: -1,
			EnabledProviders: []config.EnabledProvider{{Name: "haproxy", Description: "The one that ships"}, {Name: "edge"}},
		},
		Database: config.Database{Connection: `postgresql://u:%(x)s;p#ss\@db/plimsoll`},
		Providers: []config.ServiceProvider{
			{Name: "edge", Driver: "neutron_lbaas.drivers.haproxy.plugin_driver.HaproxyOnHostPluginDriver", Default: true},
			{Name: "other", Driver: "haproxy"},
		},
	}
	want.Reconcile = config.Reconcile{LeaseTTL: 5, Deadline: 20, Audit: 2}
	want.Quotas = config.Quotas{LoadBalancer: 10, Listener: -1, Member: 2000000000, Pool: 0, HealthMonitor: 4, L7Policy: 5, L7Rule: 6}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Parse (-want +got):\n%s", diff)
	}
	if got.API.Listen() != "[::1]:0" {
		t.Errorf("Listen gives %q", got.API.Listen())
	}
}

func TestLoad(t *testing.T) {
	dir := t.TempDir()
	if _, err := config.Load(filepath.Join(dir, "none.conf")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Load of a file that is not there gives %v", err)
	}
	file := filepath.Join(dir, "plimsoll.conf")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	got, err := config.Load(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(config.Default(), got); diff != "" {
		t.Errorf("Load of an empty file (-want +got):\n%s", diff)
	}
}

func TestRedacted(t *testing.T) {
	got := config.Database{Connection: "postgresql://u:secret@db/plimsoll"}.Redacted()
	if strings.Contains(got, "secret") {
		t.Errorf("Redacted gives %q", got)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte("[api_settings]\nbind_port = 1\n"))
	f.Add([]byte("[service_providers]\nservice_provider = LOADBALANCERV2:a:b:default\n"))
	f.Add([]byte("[a\nb"))
	f.Add([]byte("\xef\xbb\xbfdebug=1\n`x`=\"\"\"y\n\"\"\""))
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := config.Parse("p.conf", data)
		if err != nil {
			return
		}
		if c.API.BindPort < 0 || c.API.BindPort > 65535 || c.API.MaxLimit < -1 || c.API.MaxLimit == 0 || !filepath.IsAbs(c.StatePath) || c.API.BindHost == "" {
			t.Errorf("Parse lets %+v pass", c)
		}
	})
}
