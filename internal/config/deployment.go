package config

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"plimsoll/lbaas"
)

// Networking is [networking].
type Networking struct {
	AllowVIPNetwork, AllowVIPSubnet, AllowVIPPort bool
	// ValidVIPNetworks are the ids of the networks that VIPs may be in; none is all but DeniedVIPNetworks.
	ValidVIPNetworks, DeniedVIPNetworks []string
	// AllowInvisible lets users name networks, subnets and ports that are not theirs to see.
	AllowInvisible bool
}

// CORS is [cors]: which pages of other origins a browser lets use the APIs.
type CORS struct {
	AllowedOrigins   []string // of the form https://host:port; "*" is all; none turns CORS off
	AllowCredentials bool
	ExposeHeaders    []string
	AllowHeaders     []string
	AllowMethods     []string
	MaxAge           int // for how many seconds a browser may keep the answer to a preflight
}

// The managers of certificates that [certificates] cert_manager may name.
const (
	BarbicanCertManager = "barbican_cert_manager"
	NoopCertManager     = "noop_cert_manager"
)

func defaultCORS() CORS {
	headers := []string{"X-Auth-Token", "X-Openstack-Request-Id"}
	return CORS{
		AllowCredentials: true, ExposeHeaders: headers, AllowHeaders: slices.Clone(headers),
		AllowMethods: []string{"GET", "PUT", "POST", "DELETE"}, MaxAge: 3600,
	}
}

// deploymentOptions lists the options of what load balancers may use, and of what lists may be asked for.
func (c *Config) deploymentOptions() []option {
	d := &c.Deployment
	return []option{
		{section: "api_settings", name: "allow_pagination", set: boolean(&c.API.AllowPagination)},
		{section: "api_settings", name: "allow_sorting", set: boolean(&c.API.AllowSorting)},
		{section: "api_settings", name: "allow_filtering", set: boolean(&c.API.AllowFiltering)},
		{section: "api_settings", name: "allow_field_selection", set: boolean(&c.API.AllowFieldSelection)},
		{section: "api_settings", name: "allow_tls_terminated_listeners", set: boolean(&d.AllowTLSListeners)},
		{section: "api_settings", name: "allow_ping_health_monitors", set: boolean(&d.AllowPing)},
		{section: "api_settings", name: "allow_prometheus_listeners", set: boolean(&d.AllowPrometheus)},
		{section: "api_settings", name: "udp_connect_min_interval_health_monitor", set: number(&d.MinDatagramDelay, -1<<31, 1<<31-1)},
		{section: "api_settings", name: "default_listener_ciphers", set: ciphers(&d.ListenerTLS.Ciphers)},
		{section: "api_settings", name: "default_pool_ciphers", set: ciphers(&d.PoolTLS.Ciphers)},
		{section: "api_settings", name: "default_listener_tls_versions", set: words(&d.ListenerTLS.Versions, lbaas.TLSVersions())},
		{section: "api_settings", name: "default_pool_tls_versions", set: words(&d.PoolTLS.Versions, lbaas.TLSVersions())},
		{section: "api_settings", name: "default_listener_alpn_protocols", set: words(&d.ListenerTLS.ALPNProtocols, lbaas.ALPNProtocols())},
		{section: "api_settings", name: "default_pool_alpn_protocols", set: words(&d.PoolTLS.ALPNProtocols, lbaas.ALPNProtocols())},
		{section: "api_settings", name: "tls_cipher_prohibit_list", set: prohibited(&d.ProhibitedCiphers)},
		{section: "api_settings", name: "minimum_tls_version", set: word(&d.MinTLSVersion, append([]string{""}, lbaas.TLSVersions()...))},
		{section: "api_settings", name: "healthcheck_enabled", set: boolean(&c.API.Healthcheck)},
		{section: "networking", name: "reserved_ips", set: addresses(&d.ReservedAddresses)},
	}
}

// networkingOptions lists the options of [networking], and of what else stands between clients and the APIs.
func (c *Config) networkingOptions() []option {
	n, o := &c.Networking, &c.CORS
	return []option{
		{section: "networking", name: "allow_vip_network_id", set: boolean(&n.AllowVIPNetwork)},
		{section: "networking", name: "allow_vip_subnet_id", set: boolean(&n.AllowVIPSubnet)},
		{section: "networking", name: "allow_vip_port_id", set: boolean(&n.AllowVIPPort)},
		{section: "networking", name: "valid_vip_networks", set: list(&n.ValidVIPNetworks)},
		{section: "networking", name: "denylist_vip_networks", set: list(&n.DeniedVIPNetworks)},
		{section: "networking", name: "allow_invisible_resource_usage", set: boolean(&n.AllowInvisible)},
		{section: "certificates", name: "cert_manager", set: word(&c.CertManager, []string{BarbicanCertManager, NoopCertManager})},
		{section: "key_manager", name: "max_allowed_secret_in_bytes", set: number(&c.MaxSecret, 1, 1<<20)},
		{section: "oslo_middleware", name: "max_request_body_size", set: number(&c.MaxBody, 1, 1<<31-1)},
		{section: "cors", name: "allowed_origin", set: list(&o.AllowedOrigins)},
		{section: "cors", name: "allow_credentials", set: boolean(&o.AllowCredentials)},
		{section: "cors", name: "expose_headers", set: list(&o.ExposeHeaders)},
		{section: "cors", name: "allow_headers", set: list(&o.AllowHeaders)},
		{section: "cors", name: "allow_methods", set: list(&o.AllowMethods)},
		{section: "cors", name: "max_age", set: number(&o.MaxAge, 0, 1<<31-1)},
	}
}

// check refuses defaults that nobody would be allowed to name, be they Octavia's.
func (c *Config) check(file string) error {
	return errors.Join(c.checkTLS(file, "default_listener", c.Deployment.ListenerTLS), c.checkTLS(file, "default_pool", c.Deployment.PoolTLS))
}

func (c *Config) checkTLS(file, prefix string, t lbaas.TLSDefaults) error {
	for cipher := range strings.SplitSeq(t.Ciphers, ":") {
		if slices.Contains(c.Deployment.ProhibitedCiphers, cipher) {
			return fmt.Errorf("%s: option %s_ciphers in [api_settings] has %s, which tls_cipher_prohibit_list prohibits: set it to others", file, prefix, cipher)
		}
	}
	all := lbaas.TLSVersions()
	for _, v := range t.Versions {
		if slices.Index(all, v) < slices.Index(all, c.Deployment.MinTLSVersion) {
			return fmt.Errorf("%s: option %s_tls_versions in [api_settings] has %s, which is below minimum_tls_version: set it to others", file, prefix, v)
		}
	}
	return nil
}

// list reads items between commas; an empty value is none.
func list(into *[]string) func([]string) error {
	return func(values []string) error {
		return one(values, func(v string) error {
			*into = split(v, ",")
			return nil
		})
	}
}

func split(v, separator string) []string {
	var items []string
	for item := range strings.SplitSeq(v, separator) {
		if item = strings.TrimSpace(item); item != "" {
			items = append(items, item)
		}
	}
	return items
}

// word reads one of the known words.
func word(into *string, known []string) func([]string) error {
	return func(values []string) error {
		return one(values, func(v string) error {
			if !slices.Contains(known, v) {
				return fmt.Errorf("%q is none of %s", v, strings.Join(known, ", "))
			}
			*into = v
			return nil
		})
	}
}

// words reads one or more of the known words, between commas.
func words(into *[]string, known []string) func([]string) error {
	return func(values []string) error {
		return one(values, func(v string) error {
			items := split(v, ",")
			for _, item := range items {
				if !slices.Contains(known, item) {
					return fmt.Errorf("%q is none of %s", item, strings.Join(known, ", "))
				}
			}
			if len(items) == 0 {
				return errors.New("must not be empty")
			}
			*into = items
			return nil
		})
	}
}

// ciphers reads a cipher string of OpenSSL's, as the API takes it.
func ciphers(into *string) func([]string) error {
	return func(values []string) error {
		return one(values, func(v string) error {
			if v == "" || lbaas.ValidCiphers(v) != nil {
				return fmt.Errorf("%q is not a list of ciphers between colons", v)
			}
			*into = v
			return nil
		})
	}
}

func prohibited(into *[]string) func([]string) error {
	return func(values []string) error {
		return one(values, func(v string) error {
			*into = split(v, ":")
			return nil
		})
	}
}

// addresses reads IP addresses between commas; an empty value is none.
func addresses(into *[]netip.Addr) func([]string) error {
	return func(values []string) error {
		return one(values, func(v string) error {
			*into = nil
			for _, item := range split(v, ",") {
				a, err := netip.ParseAddr(item)
				if err != nil || a.Zone() != "" {
					return fmt.Errorf("%q is not an IP address", item)
				}
				*into = append(*into, a.Unmap())
			}
			return nil
		})
	}
}
