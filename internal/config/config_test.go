package config_test

import (
	"errors"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"plimsoll/internal/config"
	"plimsoll/internal/network"
	"plimsoll/lbaas"
)

var sameAddr = cmp.Options{
	cmp.Comparer(func(a, b netip.Addr) bool { return a == b }), cmp.Comparer(func(a, b netip.Prefix) bool { return a == b }),
}

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
		{"bad delay", "[api_settings]\nudp_connect_min_interval_health_monitor = soon\n", `"soon" is not a whole number`},
		{"bad ciphers", "[api_settings]\ndefault_pool_ciphers = A B\n", `"A B" is not a list of ciphers between colons`},
		{"bad ciphers: none", "[api_settings]\ndefault_pool_ciphers =\n", `"" is not a list of ciphers`},
		{"bad TLS version", "[api_settings]\ndefault_listener_tls_versions = TLSv1.2, TLSv2\n", `"TLSv2" is none of SSLv3, TLSv1, TLSv1.1, TLSv1.2, TLSv1.3`},
		{"bad TLS versions: none", "[api_settings]\ndefault_pool_tls_versions =\n", "must not be empty"},
		{"bad lowest TLS version", "[api_settings]\nminimum_tls_version = 1.2\n", `"1.2" is none of `},
		{"bad ALPN", "[api_settings]\ndefault_pool_alpn_protocols = h3\n", `"h3" is none of h2, http/1.1, http/1.0`},
		{"bad default ciphers", "[api_settings]\ntls_cipher_prohibit_list = NULL:RC4\ndefault_pool_ciphers = AES:RC4\n",
			"p.conf: option default_pool_ciphers in [api_settings] has RC4, which tls_cipher_prohibit_list prohibits"},
		{"bad default versions", "[api_settings]\nminimum_tls_version = TLSv1.3\ndefault_listener_tls_versions = TLSv1.3,TLSv1.2\n",
			"p.conf: option default_listener_tls_versions in [api_settings] has TLSv1.2, which is below minimum_tls_version"},
		{"bad versions that Octavia gives", "[api_settings]\nminimum_tls_version = TLSv1.3\n",
			"p.conf: option default_listener_tls_versions in [api_settings] has TLSv1.2, which is below minimum_tls_version: set it to others"},
		{"bad ciphers that Octavia gives", "[api_settings]\ntls_cipher_prohibit_list = DHE-RSA-AES128-GCM-SHA256\n",
			"\np.conf: option default_pool_ciphers in [api_settings] has DHE-RSA-AES128-GCM-SHA256, which tls_cipher_prohibit_list prohibits: set it to others"},
		{"bad address", "[networking]\nreserved_ips = 10.0.0.1, here\n", `"here" is not an IP address`},
		{"bad network option", "[networking]\nmax_retries = 3\n", "p.conf:2: option max_retries in [networking] is unknown"},
		{"bad certificate manager", "[certificates]\ncert_manager = castellan_cert_manager\n", `"castellan_cert_manager" is none of barbican_cert_manager, noop_cert_manager`},
		{"bad body size", "[oslo_middleware]\nmax_request_body_size = 0\n", `"0" is not a whole number from 1`},
		{"bad secret size", "[key_manager]\nmax_allowed_secret_in_bytes = 1048577\n", `"1048577" is not a whole number from 1 to 1048576`},
		{"bad clients", "[metrics]\nallowed_clients = 10.0.0.1, here\n", `"here" is neither an IP address nor a network`},
		{"bad count", "[metrics]\nload_balancers = -1\n", `"-1" is not a whole number from 0`},
		{"bad age", "[cors]\nmax_age = -1\n", `"-1" is not a whole number from 0`},
		{"bad line", "[DEFAULT]\nwhat is this\n", "key-value delimiter not found"},
		{"bad service", "[service_providers]\nservice_provider = FIREWALL:a:b\n", `only LOADBALANCERV2 is served`},
		{"bad bound", "[haproxy]\nhard_stop_after = 0\n", `"0" is not a whole number from 1`},
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

allow_pagination = no
allow_sorting = no
allow_filtering = no
allow_field_selection = no
allow_tls_terminated_listeners = no
allow_ping_health_monitors = no
allow_prometheus_listeners = no
udp_connect_min_interval_health_monitor = -1
default_listener_ciphers = A:B
default_pool_ciphers = C
default_listener_tls_versions = TLSv1.3
default_pool_tls_versions = TLSv1.2, TLSv1.3
default_listener_alpn_protocols = h2
default_pool_alpn_protocols = http/1.1, http/1.0
tls_cipher_prohibit_list = D:E
minimum_tls_version = TLSv1.2
healthcheck_enabled = no

[networking]
allow_vip_network_id = no
allow_vip_subnet_id = no
allow_vip_port_id = no
valid_vip_networks = a, b
denylist_vip_networks = c
reserved_ips = 10.0.0.1, 2001:DB8:0:0:0:0:0:1
allow_invisible_resource_usage = yes

[certificates]
cert_manager = noop_cert_manager

[key_manager]
max_allowed_secret_in_bytes = 40000

[oslo_middleware]
max_request_body_size = 1000

[cors]
allowed_origin = https://a.example, https://b.example
allow_credentials = no
expose_headers = X-A
allow_headers = X-B, X-C
allow_methods = GET
max_age = 0

[metrics]
enabled = no
allowed_clients = 192.0.2.7, 2001:db8::1/64,
load_balancers = 10

[haproxy]
hard_stop_after = 5

[oslo_policy]
policy_file = rules/policy.yaml
policy_dirs = a
policy_dirs = /b
policy_default_rule = rest
enforce_scope = no
enforce_new_defaults = yes

[quotas]
default_load_balancer_quota = 10
default_listener_quota = -1
default_member_quota = 2000000000
default_pool_quota = 0
default_health_monitor_quota = 4
default_l7policy_quota = 5
default_l7rule_quota = 6
quota_port = 500
quota_security_group_rule = -1
[securitygroup]
enable_security_group = false

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
	got, err := config.Parse("/etc/x/p.conf", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	want := config.Config{
		Debug: true, Host: "node-1", StatePath: "/srv/plimsoll", Region: "Home",
		API: config.API{
			BindHost: "::1", BaseURI: "https://lb.example.com:9876", DefaultProvider: "edge", MaxLimit: -1,
			EnabledProviders: []config.EnabledProvider{{Name: "haproxy", Description: "The one that ships"}, {Name: "edge"}},
		},
		Deployment: lbaas.Deployment{
			MinDatagramDelay: -1, ProhibitedCiphers: []string{"D", "E"}, MinTLSVersion: "TLSv1.2",
			ListenerTLS:       lbaas.TLSDefaults{Ciphers: "A:B", Versions: []string{"TLSv1.3"}, ALPNProtocols: []string{"h2"}},
			PoolTLS:           lbaas.TLSDefaults{Ciphers: "C", Versions: []string{"TLSv1.2", "TLSv1.3"}, ALPNProtocols: []string{"http/1.1", "http/1.0"}},
			ReservedAddresses: []netip.Addr{netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("2001:db8::1")},
		},
		Networking: config.Networking{
			ValidVIPNetworks: []string{"a", "b"}, DeniedVIPNetworks: []string{"c"}, AllowInvisible: true,
		},
		CertManager: config.NoopCertManager, MaxBody: 1000, MaxSecret: 40000,
		CORS: config.CORS{
			AllowedOrigins: []string{"https://a.example", "https://b.example"}, ExposeHeaders: []string{"X-A"},
			AllowHeaders: []string{"X-B", "X-C"}, AllowMethods: []string{"GET"},
		},
		Database: config.Database{Connection: `postgresql://u:%(x)s;p#ss\@db/plimsoll`},
		Providers: []config.ServiceProvider{
			{Name: "edge", Driver: "neutron_lbaas.drivers.haproxy.plugin_driver.HaproxyOnHostPluginDriver", Default: true},
			{Name: "other", Driver: "haproxy"},
		},
	}
	want.Policy = config.Policy{
		File: "/etc/x/rules/policy.yaml", Dirs: []string{"/etc/x/a", "/b"}, DefaultRule: "rest", EnforceNewDefaults: true,
	}
	want.Metrics = config.Metrics{
		Clients: []netip.Prefix{netip.MustParsePrefix("192.0.2.7/32"), netip.MustParsePrefix("2001:db8::/64")}, LoadBalancers: 10,
	}
	want.HAProxy = config.HAProxy{HardStopAfter: 5}
	want.Network = config.Default().Network
	want.Reconcile = config.Reconcile{LeaseTTL: 5, Deadline: 20, Audit: 2}
	want.Quotas = map[lbaas.Noun]int{
		lbaas.NounLoadBalancer: 10, lbaas.NounListener: lbaas.Unlimited, lbaas.NounMember: lbaas.MaxQuota, lbaas.NounPool: 0,
		lbaas.NounHealthMonitor: 4, lbaas.NounL7Policy: 5, lbaas.NounL7Rule: 6,
	}
	want.NetworkQuotas = map[string]int{network.QuotaPort: 500, network.QuotaSecurityGroupRule: lbaas.Unlimited}
	if diff := cmp.Diff(want, got, sameAddr); diff != "" {
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
	want := config.Default()
	want.Policy.File, want.Policy.Dirs = filepath.Join(dir, "policy.yaml"), []string{filepath.Join(dir, "policy.d")}
	if diff := cmp.Diff(want, got, sameAddr); diff != "" {
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
	f.Add([]byte("[service_providers]\nservice_provider = LOADBALANCERV2:a:avi\n[a]\naddress = b:1, [::1]\npassword = c\n"))
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
