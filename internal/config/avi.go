package config

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// AviDriver and AviDriverPath are the names by which a line of [service_providers] asks for Avi: ours, and the one that
// neutron.conf had. A provider of either has a section of its own.
const (
	AviDriver     = "avi"
	AviDriverPath = "avi_lbaasv2.avi_driver.AviDriver"
)

// Avi is the section of a provider that makes load balancers on an Avi Vantage Controller.
type Avi struct {
	// Addresses are the nodes of the controller's cluster: host or host:port.
	Addresses []string
	User      string
	Password  Secret // of the user, unless there is a Token
	Token     Secret
	// PasswordFile and TokenFile hold them instead. Load reads them, and CAFile too.
	PasswordFile, TokenFile string

	// Cloud is the name of the cloud in which virtual services are made.
	Cloud string
	// SingleTenant is the name of the one tenant of all load balancers; "" is one tenant for each project.
	SingleTenant string
	// CreateTenants makes tenants that are not there.
	CreateTenants bool
	// CertVerify looks at the controller's certificate.
	CertVerify bool
	CAFile     string
	CA         []byte // what CAFile holds; nil is whom the system trusts
	// APIVersion is the data model that is spoken.
	APIVersion string
	// PlacementNetworks has pools name the networks of their members.
	PlacementNetworks bool
	// VRFPerSubnet gives each VIP subnet a VRF context of its own, where the flavor does not say.
	VRFPerSubnet bool

	Connections int // at the same time
	Timeout     int // seconds, of one request
	PortWait    int // seconds, for ports that the controller leaves behind
}

func defaultAvi() Avi {
	return Avi{User: "admin", Cloud: "Default-Cloud", CertVerify: true, APIVersion: oldestAvi, Connections: 8, Timeout: 20, PortWait: 30}
}

// Secret is a text that nothing prints.
type Secret string

const redacted = "(secret)"

// String hides the text, as do the methods below.
func (s Secret) String() string {
	if s == "" {
		return ""
	}
	return redacted
}

// GoString is what %#v prints.
func (s Secret) GoString() string { return strconv.Quote(s.String()) }

// MarshalText is what JSON has.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// LogValue is what logs have.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// aviProviders are the names of the providers that have a section like [avi_adc].
func (c *Config) aviProviders() []string {
	var names []string
	for _, p := range c.Providers {
		if isAvi(p.Driver) {
			names = append(names, p.Name)
		}
	}
	for _, p := range c.API.EnabledProviders {
		if isAvi(p.Name) && !slices.ContainsFunc(c.Providers, func(o ServiceProvider) bool { return o.Name == p.Name }) {
			names = append(names, p.Name)
		}
	}
	return names
}

func isAvi(driver string) bool { return driver == AviDriver || driver == AviDriverPath }

// aviOptions are the options of one section of a provider for Avi.
func aviOptions(section string, a *Avi) []option {
	return []option{
		{section: section, name: "address", set: nodes(&a.Addresses)},
		{section: section, name: "user", set: required(&a.User)},
		{section: section, name: "password", set: secret(&a.Password)},
		{section: section, name: "password_file", set: required(&a.PasswordFile)},
		{section: section, name: "token", set: secret(&a.Token)},
		{section: section, name: "token_file", set: required(&a.TokenFile)},
		{section: section, name: "cloud", set: required(&a.Cloud)},
		{section: section, name: "tenant_mapping", set: tenantMapping(&a.SingleTenant)},
		{section: section, name: "create_tenants", set: boolean(&a.CreateTenants)},
		{section: section, name: "cert_verify", set: boolean(&a.CertVerify)},
		{section: section, name: "ca_file", set: required(&a.CAFile)},
		{section: section, name: "api_version", set: apiVersion(&a.APIVersion)},
		{section: section, name: "use_placement_network_for_pool", set: boolean(&a.PlacementNetworks)},
		{section: section, name: "vrf_context_per_subnet", set: boolean(&a.VRFPerSubnet)},
		{section: section, name: "connections", set: number(&a.Connections, 1, 256)},
		{section: section, name: "timeout", set: number(&a.Timeout, 1, maxTimeout)},
		{section: section, name: "port_wait", set: number(&a.PortWait, 1, 3600)},
	}
}

// maxTimeout is how long the loop lets one change of a load balancer take.
const maxTimeout = 30

// secret reads a text that errors must not show.
func secret(into *Secret) func([]string) error {
	return func(values []string) error {
		return one(values, func(v string) error {
			if v == "" {
				return errors.New("must not be empty")
			}
			*into = Secret(v)
			return nil
		})
	}
}

// nodes reads hosts, with ports or without, between commas.
func nodes(into *[]string) func([]string) error {
	return func(values []string) error {
		return one(values, func(v string) error {
			var all []string
			for item := range strings.SplitSeq(v, ",") {
				if item = strings.TrimSpace(item); item == "" {
					continue
				}
				if !isAddress(item) {
					return fmt.Errorf("%q is neither a host nor host:port", item)
				}
				all = append(all, item)
			}
			if len(all) == 0 {
				return errors.New("must not be empty")
			}
			*into = all
			return nil
		})
	}
}

var hostPattern = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$`)

func isAddress(text string) bool {
	host := strings.Trim(text, "[]")
	if net.ParseIP(host) != nil {
		return text == host || text == "["+host+"]"
	}
	if host, port, err := net.SplitHostPort(text); err == nil {
		n, err := strconv.Atoi(port)
		return err == nil && n > 0 && n < 65536 && (net.ParseIP(host) != nil || hostPattern.MatchString(host))
	}
	return hostPattern.MatchString(text)
}

// tenantMapping reads "project" or "single:<name>".
func tenantMapping(single *string) func([]string) error {
	return func(values []string) error {
		return one(values, func(v string) error {
			name, isSingle := strings.CutPrefix(v, "single:")
			if name = strings.TrimSpace(name); v != "project" && (!isSingle || name == "" || name == "*") {
				return fmt.Errorf("%q is neither project nor single:<name of a tenant>", v)
			}
			*single = ""
			if isSingle {
				*single = name
			}
			return nil
		})
	}
}

// oldestAvi is the oldest data model in which VsVips can be marked (vsvip_cloud_config_cksum), and that of the driver that was before.
const oldestAvi = "18.1.2"

var versionPattern = regexp.MustCompile(`^[0-9]{1,3}(\.[0-9]{1,3}){2}$`)

func apiVersion(into *string) func([]string) error {
	return func(values []string) error {
		return one(values, func(v string) error {
			if !versionPattern.MatchString(v) {
				return fmt.Errorf("%q is no version like %s", v, oldestAvi)
			}
			if slices.Compare(versionNumbers(v), versionNumbers(oldestAvi)) < 0 {
				return fmt.Errorf("%q is older than %s, the first version that has all fields which are written", v, oldestAvi)
			}
			*into = v
			return nil
		})
	}
}

// versionNumbers are the numbers of a version of that pattern.
func versionNumbers(v string) []int {
	var all []int
	for text := range strings.SplitSeq(v, ".") {
		n, _ := strconv.Atoi(text)
		all = append(all, n)
	}
	return all
}

// checkAvi looks at what no option tells alone. Files that are named stand beside the configuration, unless they are absolute.
func (c *Config) checkAvi(name string) error {
	var errs []error
	for _, section := range slices.Sorted(maps.Keys(c.Avi)) {
		a := c.Avi[section]
		for _, file := range []*string{&a.PasswordFile, &a.TokenFile, &a.CAFile} {
			if *file != "" && !filepath.IsAbs(*file) {
				*file = filepath.Join(filepath.Dir(name), *file)
			}
		}
		if why := a.lacks(); why != "" {
			errs = append(errs, fmt.Errorf("%s: section [%s] %s", name, section, why))
		}
	}
	return errors.Join(errs...)
}

// lacks says what is missing, or too much.
func (a *Avi) lacks() string {
	ways := 0
	for _, given := range []bool{a.Password != "", a.PasswordFile != "", a.Token != "", a.TokenFile != ""} {
		if given {
			ways++
		}
	}
	switch {
	case len(a.Addresses) == 0:
		return "needs the option address: where the controller answers"
	case ways == 0:
		return "needs the option password, or one of password_file, token and token_file"
	case ways > 1:
		return "has more than one of password, password_file, token and token_file"
	case a.CAFile != "" && !a.CertVerify:
		return "has the option ca_file, and cert_verify is off: take one of both out"
	}
	return ""
}

// readAvi reads the files that the sections name. The server reads them while it may.
func (c *Config) readAvi(name string) error {
	var errs []error
	for _, section := range slices.Sorted(maps.Keys(c.Avi)) {
		if err := c.Avi[section].read(); err != nil {
			errs = append(errs, fmt.Errorf("%s: section [%s]: %w", name, section, err))
		}
	}
	return errors.Join(errs...)
}

func (a *Avi) read() error {
	password, err := secretFile("password_file", a.PasswordFile)
	if err != nil {
		return err
	}
	token, err := secretFile("token_file", a.TokenFile)
	if err != nil {
		return err
	}
	a.Password, a.Token = cmp.Or(a.Password, password), cmp.Or(a.Token, token)
	if a.CAFile == "" {
		return nil
	}
	if a.CA, err = os.ReadFile(a.CAFile); err != nil {
		return fmt.Errorf("read the option ca_file: %w", err)
	}
	return nil
}

// secretFile reads the first line of a file.
func secretFile(option, file string) (Secret, error) {
	if file == "" {
		return "", nil
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return "", fmt.Errorf("read the option %s: %w", option, err)
	}
	line, _, _ := strings.Cut(string(data), "\n")
	if line = strings.TrimRight(line, "\r"); line == "" {
		return "", fmt.Errorf("read the option %s: the first line of %s is empty", option, file)
	}
	return Secret(line), nil
}
