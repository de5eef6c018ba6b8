package network

import (
	"slices"

	"plimsoll/lbaas"
)

// The resources of the network service that quotas bound, as Neutron names them.
const (
	QuotaNetwork           = "network"
	QuotaSubnet            = "subnet"
	QuotaPort              = "port"
	QuotaRouter            = "router"
	QuotaFloatingIP        = "floatingip"
	QuotaSecurityGroup     = "security_group"
	QuotaSecurityGroupRule = "security_group_rule"
	QuotaSubnetPool        = "subnetpool"
	QuotaRBACPolicy        = "rbac_policy"
)

// QuotaResources are all resources that quotas bound, sorted.
func QuotaResources() []string {
	list := []string{QuotaNetwork, QuotaSubnet, QuotaPort, QuotaRouter, QuotaFloatingIP, QuotaSecurityGroup, QuotaSecurityGroupRule,
		QuotaSubnetPool, QuotaRBACPolicy}
	slices.Sort(list)
	return list
}

// Quota is what a project may have of the network service at most.
type Quota struct {
	ProjectID string
	Limits    map[string]int // its own, by resource; lbaas.Unlimited is without bound
}

// Limit is the limit of a resource: the project's own, or the default; without either it is unlimited.
func (q *Quota) Limit(resource string, defaults map[string]int) int {
	if n, ok := q.Limits[resource]; ok {
		return n
	}
	if n, ok := defaults[resource]; ok {
		return n
	}
	return lbaas.Unlimited
}

// OverQuota is the error of a request by which a project would have more than it may.
func OverQuota(resource string) *lbaas.Error {
	return failure(lbaas.Conflict, "OverQuota", "Quota exceeded for resources: ['%s'].", resource)
}
