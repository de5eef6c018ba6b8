package config_test

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"plimsoll/internal/config"
)

const aviLine = "[service_providers]\nservice_provider = LOADBALANCERV2:Avi_ADC:avi_lbaasv2.avi_driver.AviDriver:default\n"

func TestAviRefuses(t *testing.T) {
	const good = "address = 10.140.6.31\npassword = x\n"
	for _, test := range []struct{ name, text, want string }{
		{"bad no line", "[avi_adc]\n" + good, "p.conf:1: section [avi_adc] is unknown: no line of [service_providers] names a provider avi_adc with the driver avi"},
		{"bad other name", aviLine + "[avi]\n" + good, "p.conf:3: section [avi] is unknown: no line"},
		{"bad letter case", aviLine + "[Avi_ADC]\n" + good, "section [Avi_ADC] is unknown: write [avi_adc]"},
		{"bad other driver", "[service_providers]\nservice_provider = LOADBALANCERV2:avi_adc:haproxy\n[avi_adc]\n" + good, "section [avi_adc] is unknown"},
		{"bad same name", aviLine + "service_provider = LOADBALANCERV2:avi_adc:avi\n[avi_adc]\n" + good, "p.conf:2: option service_provider in [service_providers] names avi_adc twice"},
		{"bad no section", aviLine, "p.conf: section [avi_adc] needs the option address"},
		{"bad no address", aviLine + "[avi_adc]\npassword = x\n", "section [avi_adc] needs the option address"},
		{"bad no password", aviLine + "[avi_adc]\naddress = a\n", "section [avi_adc] needs the option password, or one of password_file, token and token_file"},
		{"bad two passwords", aviLine + "[avi_adc]\naddress = a\npassword = b\ntoken = c\n", "has more than one of password"},
		{"bad option", aviLine + "[avi_adc]\naddresses = a\n", "p.conf:4: option addresses in [avi_adc] is unknown"},
		{"bad empty user", aviLine + "[avi_adc]\nuser =\n" + good, "option user in [avi_adc] must not be empty"},
		{"bad empty password", aviLine + "[avi_adc]\npassword =\naddress = a\n", "option password in [avi_adc] must not be empty"},
		{"bad URL", aviLine + "[avi_adc]\npassword = x\naddress = https://avi\n", `"https://avi" is neither a host nor host:port`},
		{"bad port", aviLine + "[avi_adc]\npassword = x\naddress = avi:65536\n", `"avi:65536" is neither`},
		{"bad no addresses", aviLine + "[avi_adc]\npassword = x\naddress = ,\n", "option address in [avi_adc] must not be empty"},
		{"bad mapping", aviLine + "[avi_adc]\ntenant_mapping = single\n" + good, `"single" is neither project nor single:<name of a tenant>`},
		{"bad tenant", aviLine + "[avi_adc]\ntenant_mapping = single: \n" + good, `is neither project`},
		{"bad all tenants", aviLine + "[avi_adc]\ntenant_mapping = single:*\n" + good, `is neither project`},
		{"bad version", aviLine + "[avi_adc]\napi_version = 18.1\n" + good, `"18.1" is no version like 18.1.2`},
		{"bad old version", aviLine + "[avi_adc]\napi_version = 18.1.1\n" + good, `"18.1.1" is older than 18.1.2`},
		{"bad very old version", aviLine + "[avi_adc]\napi_version = 17.10.9\n" + good, `"17.10.9" is older than 18.1.2`},
		{"bad CA", aviLine + "[avi_adc]\ncert_verify = no\nca_file = x\n" + good, "has the option ca_file, and cert_verify is off"},
		{"bad connections", aviLine + "[avi_adc]\nconnections = 0\n" + good, `"0" is not a whole number from 1`},
		{"bad name", "[service_providers]\nservice_provider = LOADBALANCERV2:database:avi\n", "names its provider database, as a section of another meaning is named: choose another name"},
		{"bad name of what is to come", "[service_providers]\nservice_provider = LOADBALANCERV2:nova:avi\n", "names its provider nova"},
	} {
		_, err := config.Parse("p.conf", []byte(test.text))
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: Parse gives %v, want an error with %q", test.name, err, test.want)
		}
	}
}

func TestAvi(t *testing.T) {
	// As the driver's document writes it, sections in any order, and two more controllers beside.
	text := `[avi_adc]
address=10.140.6.31
user=admin
password="avi123"
cloud=Default-Cloud
vrf_context_per_subnet=True
[lab]
address = avi-1.example.com:8443, 2001:db8::1, [2001:db8::2]:443
user = lbaas
token = t#%(x)s
cloud = Lab
tenant_mapping = single: Load Balancers
create_tenants = yes
cert_verify = False
api_version = 20.1.1
use_placement_network_for_pool = True
connections = 2
timeout = 5
port_wait = 1
[avi]
address = avi
password = "
[api_settings]
enabled_provider_drivers = haproxy, avi
` + aviLine + "service_provider = LOADBALANCERV2:lab:avi\n"
	got, err := config.Parse("p.conf", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]*config.Avi{
		"avi_adc": {
			Addresses: []string{"10.140.6.31"}, User: "admin", Password: "avi123", Cloud: "Default-Cloud", CertVerify: true,
			APIVersion: "18.1.2", VRFPerSubnet: true, Connections: 8, Timeout: 20, PortWait: 30,
		},
		"lab": {
			Addresses: []string{"avi-1.example.com:8443", "2001:db8::1", "[2001:db8::2]:443"}, User: "lbaas", Token: "t#%(x)s", Cloud: "Lab",
			SingleTenant: "Load Balancers", CreateTenants: true, APIVersion: "20.1.1", PlacementNetworks: true,
			Connections: 2, Timeout: 5, PortWait: 1,
		},
		"avi": {
			Addresses: []string{"avi"}, User: "admin", Password: `"`, Cloud: "Default-Cloud", CertVerify: true, APIVersion: "18.1.2",
			Connections: 8, Timeout: 20, PortWait: 30,
		},
	}
	if diff := cmp.Diff(want, got.Avi); diff != "" {
		t.Errorf("Parse (-want +got):\n%s", diff)
	}
}

func TestAviFiles(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	load := func(options string) (config.Config, error) {
		write("p.conf", aviLine+"[avi_adc]\naddress = avi\n"+options)
		return config.Load(filepath.Join(dir, "p.conf"))
	}
	write("password", "pass word \r\nnot this\n")
	write("empty", "\n")
	write("ca.pem", "PEM")
	for options, want := range map[string]string{
		"password_file = none\n":                      "read the option password_file: open ",
		"token_file = empty\n":                        "is empty",
		"password_file = password\nca_file = /none\n": "read the option ca_file",
	} {
		if _, err := load(options); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "section [avi_adc]") {
			t.Errorf("Load with %q gives %v, want an error with %q", options, err, want)
		}
	}
	c, err := load("password_file = password\nca_file = ca.pem\n")
	if err != nil {
		t.Fatal(err)
	}
	if a := c.Avi["avi_adc"]; a.Password != "pass word " || string(a.CA) != "PEM" {
		t.Errorf("Load gives the password %q and the authority %q", string(a.Password), a.CA)
	}
	c, err = load("token_file = " + filepath.Join(dir, "password") + "\n")
	if err != nil || c.Avi["avi_adc"].Token != "pass word " {
		t.Errorf("Load of a token gives %+v, %v", c.Avi["avi_adc"], err)
	}
}

// TestSecretsAreNotInErrors has lines that are not in the form of INI, or not in that of their options. The errors name the line, and do not
// show what is on it.
func TestSecretsAreNotInErrors(t *testing.T) {
	for _, test := range []struct{ line, want string }{
		{"password s3cret", "p.conf:5: key-value delimiter not found"},
		{"= s3cret", "p.conf:5: has no option before its ="},
		{"password = `s3cret", "has no end"},
		{`password = """s3cret`, "has no end"},
		{"`s3cret = x", "has no end"},
		{`"password" s3cret`, "p.conf:5: key-value delimiter not found"},
		{"password = s3cret\npassword = s3cret", "p.conf:5: option password in [avi_adc] is given 2 times"},
		{"password = s3cret\ntoken = s3cret", "section [avi_adc] has more than one of password"},
		{"pasword = s3cret", "p.conf:5: option pasword in [avi_adc] is unknown"},
		{"Password = s3cret", "p.conf:5: option Password in [avi_adc] is unknown"},
	} {
		_, err := config.Parse("p.conf", []byte(aviLine+"[avi_adc]\naddress = avi\n"+test.line+"\n"))
		if err == nil || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("Parse of the line %s gives %v, want an error with %q and without the secret", test.line, err, test.want)
		}
	}
}

// TestAviPasswords reads passwords as they are: quotes around one do not belong to it, all else does.
func TestAviPasswords(t *testing.T) {
	for line, want := range map[string]string{
		`"avi123"`: "avi123", `'avi123'`: "avi123", `"`: `"`, `a"b"`: `a"b"`, `"a"b"`: `"a"b"`, `'a"`: `'a"`, `"it's"`: "it's",
		"a#b;c": "a#b;c", "a # b": "a # b", "%(user)s%%": "%(user)s%%", "$HOME": "$HOME", `a\nb\`: `a\nb\`, "a=b:c": "a=b:c",
		"pässwörd ☃": "pässwörd ☃", "a b": "a b", "[x]": "[x]", "a`b`": "a`b`",
	} {
		c, err := config.Parse("p.conf", []byte(aviLine+"[avi_adc]\naddress = avi\npassword = "+line+"\nuser = lbaas\n"))
		if err != nil {
			t.Errorf("Parse of the password %s: %v", line, err)
			continue
		}
		if a := c.Avi["avi_adc"]; string(a.Password) != want || a.User != "lbaas" {
			t.Errorf("Parse gives the password %q of user %s, want %q", string(a.Password), a.User, want)
		}
	}
}

func TestSecretsAreNotPrinted(t *testing.T) {
	a := config.Avi{Password: "avi123", Token: "avi124"}
	asJSON, err := json.Marshal(a)
	if err != nil {
		t.Fatal(err)
	}
	var log strings.Builder
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "a", a, "password", a.Password)
	for _, text := range []string{fmt.Sprint(a), fmt.Sprintf("%+v %#v %q %x", a, a, a.Password, a.Token), string(asJSON), log.String()} {
		if strings.Contains(text, "avi12") || strings.Contains(text, "617669") {
			t.Errorf("a secret is printed: %s", text)
		}
	}
}
