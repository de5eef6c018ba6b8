package config

import (
	"plimsoll/internal/network"
	"plimsoll/lbaas"
)

// securityOptions lists the options of security groups, and of how much of the network service a project may have.
func (c *Config) securityOptions() []option {
	list := []option{{section: "securitygroup", name: "enable_security_group", set: boolean(&c.SecurityGroups)}}
	for _, resource := range []string{
		network.QuotaNetwork, network.QuotaSubnet, network.QuotaPort, network.QuotaRouter, network.QuotaFloatingIP,
		network.QuotaSecurityGroup, network.QuotaSecurityGroupRule,
	} {
		list = append(list, option{section: "quotas", name: "quota_" + resource, set: networkQuota(c.NetworkQuotas, resource)})
	}
	return list
}

// networkQuota reads the bound on a resource; -1 is none.
func networkQuota(into map[string]int, resource string) func([]string) error {
	return func(values []string) error {
		n := lbaas.Unlimited
		err := number(&n, lbaas.Unlimited, lbaas.MaxQuota)(values)
		into[resource] = n
		return err
	}
}
