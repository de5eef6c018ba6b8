package config

import (
	"fmt"
	"net/netip"
	"strings"
)

// Metrics is [metrics]: what operators are shown at /metrics.
type Metrics struct {
	Enabled bool
	// Clients are whose questions are answered without a token.
	Clients []netip.Prefix
	// LoadBalancers is of how many load balancers there are figures of their own.
	LoadBalancers int
}

func defaultMetrics() Metrics {
	return Metrics{
		Enabled: true, LoadBalancers: 2000,
		Clients: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")},
	}
}

func (c *Config) metricsOptions() []option {
	m := &c.Metrics
	return []option{
		{section: "metrics", name: "enabled", set: boolean(&m.Enabled)},
		{section: "metrics", name: "allowed_clients", set: prefixes(&m.Clients)},
		{section: "metrics", name: "load_balancers", set: number(&m.LoadBalancers, 0, 100000)},
	}
}

// prefixes reads networks and addresses between commas.
func prefixes(into *[]netip.Prefix) func([]string) error {
	return func(values []string) error {
		return one(values, func(v string) error {
			var all []netip.Prefix
			for item := range strings.SplitSeq(v, ",") {
				if item = strings.TrimSpace(item); item == "" {
					continue
				}
				p, err := prefix(item)
				if err != nil {
					return fmt.Errorf("%q is neither an IP address nor a network", item)
				}
				all = append(all, p)
			}
			*into = all
			return nil
		})
	}
}

func prefix(text string) (netip.Prefix, error) {
	if a, err := netip.ParseAddr(text); err == nil {
		return a.Prefix(a.BitLen())
	}
	p, err := netip.ParsePrefix(text)
	return p.Masked(), err
}
