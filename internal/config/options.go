package config

import (
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"plimsoll/lbaas"
)

// option is one option of the file and how it is read.
type option struct {
	section, name string
	// set takes the values that the file gives, of which most options refuse more than one.
	set func(values []string) error
}

// options lists everything that the file may hold, bound to the fields of c.
func (c *Config) options() []option {
	return slices.Concat(c.ownOptions(), c.deploymentOptions(), c.networkingOptions(), c.segmentOptions(), c.metricsOptions(), c.policyOptions(), c.securityOptions())
}

func (c *Config) ownOptions() []option {
	return []option{
		{section: "DEFAULT", name: "debug", set: boolean(&c.Debug)},
		{section: "DEFAULT", name: "host", set: text(&c.Host)},
		{section: "DEFAULT", name: "state_path", set: absolute(&c.StatePath)},
		{section: "DEFAULT", name: "region_name", set: required(&c.Region)},
		{section: "api_settings", name: "bind_host", set: required(&c.API.BindHost)},
		{section: "api_settings", name: "bind_port", set: number(&c.API.BindPort, 0, 65535)},
		{section: "api_settings", name: "api_base_uri", set: baseURI(&c.API.BaseURI)},
		{section: "api_settings", name: "pagination_max_limit", set: limit(&c.API.MaxLimit)},
		{section: "api_settings", name: "default_provider_driver", set: required(&c.API.DefaultProvider)},
		{section: "api_settings", name: "enabled_provider_drivers", set: drivers(&c.API.EnabledProviders)},
		{section: "database", name: "connection", set: text(&c.Database.Connection)},
		{section: "haproxy", name: "hard_stop_after", set: number(&c.HAProxy.HardStopAfter, 1, 24*86400)},
		{section: "quotas", name: "default_load_balancer_quota", set: quota(c.Quotas, lbaas.NounLoadBalancer)},
		{section: "quotas", name: "default_listener_quota", set: quota(c.Quotas, lbaas.NounListener)},
		{section: "quotas", name: "default_member_quota", set: quota(c.Quotas, lbaas.NounMember)},
		{section: "quotas", name: "default_pool_quota", set: quota(c.Quotas, lbaas.NounPool)},
		{section: "quotas", name: "default_health_monitor_quota", set: quota(c.Quotas, lbaas.NounHealthMonitor)},
		{section: "quotas", name: "default_l7policy_quota", set: quota(c.Quotas, lbaas.NounL7Policy)},
		{section: "quotas", name: "default_l7rule_quota", set: quota(c.Quotas, lbaas.NounL7Rule)},
		{section: "reconcile", name: "lease_ttl", set: number(&c.Reconcile.LeaseTTL, 1, 600)},
		{section: "reconcile", name: "deadline", set: number(&c.Reconcile.Deadline, 1, 86400)},
		{section: "reconcile", name: "audit_interval", set: number(&c.Reconcile.Audit, 1, 3600)},
		{section: "service_providers", name: "service_provider", set: providers(&c.Providers)},
	}
}

// absent explains the sections that operators know and that this build has nothing behind. Ignoring one would leave an
// operator believing that the server uses what the section names.
var absent = map[string]string{
	"keystone_authtoken": "a real Keystone",
	"service_auth":       "a real Keystone",
	"neutron":            "a real Neutron",
	"nova":               "a real Nova",
	"compute":            "a real Nova",
	"glance":             "a real Glance",
	"barbican":           "a real Barbican",
	"haproxy_amphora":    "the provider amphora",
	"controller_worker":  "the provider amphora",
	"health_manager":     "the provider amphora",
	"house_keeping":      "the provider amphora",
	"amphora_agent":      "the provider amphora",
	"driver_agent":       "provider agents",
	"oslo_messaging":     "a message broker (none is needed)",
}

func one(values []string, read func(string) error) error {
	if len(values) != 1 {
		return fmt.Errorf("is given %d times, must be given once", len(values))
	}
	return read(values[0])
}

func text(into *string) func([]string) error {
	return func(values []string) error {
		return one(values, func(v string) error { *into = v; return nil })
	}
}

func required(into *string) func([]string) error {
	return func(values []string) error {
		return one(values, func(v string) error {
			if v == "" {
				return errors.New("must not be empty")
			}
			*into = v
			return nil
		})
	}
}

func absolute(into *string) func([]string) error {
	return func(values []string) error {
		return one(values, func(v string) error {
			if !filepath.IsAbs(v) {
				return fmt.Errorf("%q is not an absolute path", v)
			}
			*into = filepath.Clean(v)
			return nil
		})
	}
}

// boolean reads what oslo.config takes for one.
func boolean(into *bool) func([]string) error {
	return func(values []string) error {
		return one(values, func(v string) error {
			switch strings.ToLower(v) {
			case "true", "1", "on", "yes":
				*into = true
			case "false", "0", "off", "no":
				*into = false
			default:
				return fmt.Errorf("%q is not a boolean: want true or false", v)
			}
			return nil
		})
	}
}

func number(into *int, low, high int) func([]string) error {
	return func(values []string) error {
		return one(values, func(v string) error {
			n, err := strconv.Atoi(v)
			if err != nil || n < low || n > high {
				return fmt.Errorf("%q is not a whole number from %d to %d", v, low, high)
			}
			*into = n
			return nil
		})
	}
}

// quota reads the bound on a noun; -1 is none.
func quota(into map[lbaas.Noun]int, noun lbaas.Noun) func([]string) error {
	return func(values []string) error {
		n := lbaas.Unlimited
		err := number(&n, lbaas.Unlimited, lbaas.MaxQuota)(values)
		into[noun] = n
		return err
	}
}

// limit reads pagination_max_limit, for which "infinite" and negative numbers mean that there is none.
func limit(into *int) func([]string) error {
	return func(values []string) error {
		return one(values, func(v string) error {
			n, err := strconv.Atoi(v)
			if strings.EqualFold(v, "infinite") || err == nil && n < 0 {
				n, err = -1, nil
			} else if n == 0 {
				err = strconv.ErrRange
			}
			if err != nil {
				return fmt.Errorf("%q is neither a number of rows nor infinite", v)
			}
			*into = n
			return nil
		})
	}
}

func baseURI(into *string) func([]string) error {
	return func(values []string) error {
		return one(values, func(v string) error {
			u, err := url.Parse(v)
			if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || strings.Trim(u.Path, "/") != "" {
				return fmt.Errorf("%q is not a URL of the form https://host:port", v)
			}
			*into = u.Scheme + "://" + u.Host
			return nil
		})
	}
}

// drivers reads enabled_provider_drivers: "name: description, name: description". Descriptions may be absent; they hold no
// commas.
func drivers(into *[]EnabledProvider) func([]string) error {
	return func(values []string) error {
		return one(values, func(v string) error {
			var list []EnabledProvider
			for item := range strings.SplitSeq(v, ",") {
				name, description, _ := strings.Cut(item, ":")
				p := EnabledProvider{Name: strings.TrimSpace(name), Description: strings.TrimSpace(description)}
				if p.Name == "" {
					return fmt.Errorf("%q names no provider", item)
				}
				if slices.ContainsFunc(list, func(o EnabledProvider) bool { return o.Name == p.Name }) {
					return fmt.Errorf("names %s twice", p.Name)
				}
				list = append(list, p)
			}
			*into = list
			return nil
		})
	}
}

func providers(into *[]ServiceProvider) func([]string) error {
	return func(values []string) error {
		var list []ServiceProvider
		defaults := 0
		for _, v := range values {
			p, err := parseServiceProvider(v)
			if err != nil {
				return err
			}
			if slices.ContainsFunc(list, func(o ServiceProvider) bool { return o.Name == p.Name }) {
				return fmt.Errorf("names %s twice", p.Name)
			}
			if p.Default {
				defaults++
			}
			list = append(list, p)
		}
		if defaults > 1 {
			return errors.New("marks more than one provider as the default")
		}
		*into = list
		return nil
	}
}

func parseServiceProvider(v string) (ServiceProvider, error) {
	fields := strings.Split(v, ":")
	for i := range fields {
		fields[i] = strings.TrimSpace(fields[i])
	}
	if len(fields) < 3 || len(fields) > 4 || fields[1] == "" || fields[2] == "" {
		return ServiceProvider{}, fmt.Errorf("%q is not of the form LOADBALANCERV2:name:driver[:default]", v)
	}
	if fields[0] != "LOADBALANCERV2" {
		return ServiceProvider{}, fmt.Errorf("%q is for the service %q; only LOADBALANCERV2 is served", v, fields[0])
	}
	p := ServiceProvider{Name: strings.ToLower(fields[1]), Driver: fields[2]}
	if len(fields) == 4 {
		if fields[3] != "default" {
			return ServiceProvider{}, fmt.Errorf("%q ends in %q: only \"default\" may stand there", v, fields[3])
		}
		p.Default = true
	}
	return p, nil
}
