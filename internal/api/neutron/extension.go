package neutron

import (
	"context"
	"net/http"
	"slices"
	"strings"

	"plimsoll/internal/web"
	"plimsoll/lbaas"
)

// extension is one entry of the list by which clients find out what a network service offers.
type extension struct {
	Alias       string `json:"alias"`
	Name        string `json:"name"`
	Description string `json:"description"`
	Updated     string `json:"updated"`
	Links       []any  `json:"links"`
}

// extensions are those of Neutron's that are offered here, and no others.
func extensions() []extension {
	add := func(alias, name, description, updated string) extension {
		return extension{alias, name, description, updated, []any{}}
	}
	return []extension{
		add("agent", "agent", "The agent management extension.", "2013-02-03T10:00:00-00:00"),
		add("allowed-address-pairs", "Allowed Address Pairs", "Provides allowed address pairs", "2012-07-23T10:00:00-00:00"),
		add("binding", "Port Binding", "Expose port bindings of a virtual port to external application", "2014-02-03T10:00:00-00:00"),
		add("empty-string-filtering", "Empty String Filtering Extension", "Allow filtering by attributes with empty string value", "2018-05-01T10:00:00-00:00"),
		add("external-net", "Neutron external network", "Adds external network attribute to network resource.", "2013-01-14T10:00:00-00:00"),
		add("ext-gw-mode", "Neutron L3 Configurable external gateway mode",
			"Extension of the router abstraction for specifying whether SNAT should occur on the external gateway", "2013-03-28T10:00:00-00:00"),
		add("extra_dhcp_opt", "Neutron Extra DHCP options", "Extra options configuration for DHCP. For example PXE boot options to DHCP clients can be specified",
			"2013-03-17T12:00:00-00:00"),
		add("extraroute", "Neutron Extra Route", "Extra routes configuration for L3 router", "2013-02-01T10:00:00-00:00"),
		add("extraroute-atomic", "Atomically add/remove extra routes", "Edit extra routes of a router on server side by atomically adding/removing extra routes",
			"2019-07-10T00:00:00+00:00"),
		add("filter-validation", "Filter parameters validation", "Provides validation on filter parameters.", "2018-03-21T10:00:00-00:00"),
		add("fip-port-details", "Floating IP Port Details Extension", "Add port_details attribute to Floating IP resource", "2018-04-09T10:00:00-00:00"),
		add("flavors", "Neutron Service Flavors", "Flavor specification for Neutron advanced services.", "2015-09-17T10:00:00-00:00"),
		add("ip-substring-filtering", "IP address substring filtering", "Provides IP address substring filtering when listing ports", "2017-11-28T09:00:00-00:00"),
		add("hm_max_retries_down", "Add a fall threshold to health monitor", "Add a fall threshold to health monitor", "2016-04-19T16:00:00-00:00"),
		add("l7", "L7 capabilities for LBaaSv2", "Adding L7 policies and rules support for LBaaSv2", "2016-01-24T10:00:00-00:00"),
		add("lb-graph", "Load Balancer Graph", "Extension for allowing the creation of load balancers with a full graph in one API request.", "2016-02-09T10:00:00-00:00"),
		add("lb_network_vip", "Create loadbalancer with network_id", "Create loadbalancer with network_id", "2016-09-09T22:00:00-00:00"),
		add("lbaas_agent_schedulerv2", "Loadbalancer Agent Scheduler V2", "Schedule load balancers among lbaas agents", "2013-02-07T10:00:00-00:00"),
		add("lbaasv2", "LoadBalancing service v2", "Extension for LoadBalancing service v2", "2014-06-18T10:00:00-00:00"),
		add("net-mtu", "Network MTU", "Provides MTU attribute for a network resource.", "2015-03-25T10:00:00-00:00"),
		add("net-mtu-writable", "Network MTU (writable)", "Provides a writable MTU attribute for a network resource.", "2017-07-12T00:00:00-00:00"),
		add("pagination", "Pagination support", "Extension that indicates that pagination is enabled.", "2016-06-12T00:00:00-00:00"),
		add("port-security", "Port Security", "Provides port security", "2012-07-23T10:00:00-00:00"),
		add("project-id", "project_id field enabled", "Extension that indicates that project_id field is enabled.", "2016-09-09T09:09:09-09:09"),
		add("provider", "Provider Network", "Expose mapping of virtual networks to physical networks", "2012-09-07T10:00:00-00:00"),
		add("service-type", "Neutron Service Type Management", "API for retrieving service providers for Neutron advanced services", "2013-01-20T00:00:00-00:00"),
		add("quota-check-limit", "Quota engine limit check", "Support for checking the resource usage before applying a new quota limit", "2021-07-30T00:00:00-00:00"),
		add("quota_details", "Quota details management support", "Expose functions for quotas usage statistics per project", "2017-02-10T10:00:00-00:00"),
		add("quotas", "Quota management support", "Expose functions for quotas management per project", "2012-07-29T10:00:00-00:00"),
		add("revision-if-match", "If-Match constraints based on revision_number",
			"Extension indicating that If-Match based on revision_number is supported.", "2016-12-11T00:00:00-00:00"),
		add("router", "Neutron L3 Router", "Router abstraction for basic L3 forwarding between L2 Neutron networks and access to external networks via a NAT gateway.",
			"2012-07-20T10:00:00-00:00"),
		add("security-group", "security-group", "The security groups extension.", "2012-10-05T10:00:00-00:00"),
		add("security-groups-normalized-cidr", "Normalized CIDR field for security group rules", "Add new field with normalized remote_ip_prefix cidr in SG rule",
			"2021-03-10T10:00:00-00:00"),
		add("security-groups-shared-filtering", "Security group filtering on the shared field", "Support filtering security groups on the shared field",
			"2021-10-05T09:00:00-00:00"),
		add("shared_pools", "Shared pools for LBaaSv2", "Allow pools to be shared among listeners for LBaaSv2", "2016-01-20T10:00:00-00:00"),
		add("sorting", "Sorting support", "Extension that indicates that sorting is enabled.", "2016-06-12T00:00:00-00:00"),
		add("standard-attr-description", "standard-attr-description", "Extension to add descriptions to standard attributes", "2016-02-10T10:00:00-00:00"),
		add("standard-attr-revisions", "Resource revision numbers", "This extension will display the revision number of neutron resources.", "2016-04-11T10:00:00-00:00"),
		add("standard-attr-tag", "Tag support for resources with standard attribute: network, port, subnet",
			"Enables to set tag on resources with standard attribute.", "2017-01-01T00:00:00-00:00"),
		add("standard-attr-timestamp", "Resource timestamps", "Adds created_at and updated_at fields to all Neutron resources that have Neutron standard attributes.", "2016-09-12T10:00:00-00:00"),
	}
}

// offered are the extensions of this deployment.
func (s *service) offered() []extension {
	return slices.DeleteFunc(extensions(), func(e extension) bool {
		ofGuards := strings.HasPrefix(e.Alias, "security-group") || e.Alias == "port-security" || e.Alias == "allowed-address-pairs"
		return ofGuards && !s.groups
	})
}

func (s *service) listExtensions(context.Context, *web.Request) (web.Reply, error) {
	return web.Reply{Status: http.StatusOK, Body: map[string]any{"extensions": s.offered()}}, nil
}

func (s *service) showExtension(_ context.Context, r *web.Request) (web.Reply, error) {
	alias := r.PathValue("alias")
	for _, e := range s.offered() {
		if e.Alias == alias {
			return web.Reply{Status: http.StatusOK, Body: map[string]any{"extension": e}}, nil
		}
	}
	return web.Reply{}, lbaas.Errorf(lbaas.NotFound, "Extension with alias %s does not exist", alias)
}
