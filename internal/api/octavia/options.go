package octavia

import (
	"net/http"
	"slices"
	"strings"

	"plimsoll/lbaas"
)

// Options are what a deployment decides (API section 1.25).
type Options struct {
	lbaas.Deployment

	// What lists and answers may be asked for. Where one of them is off, its query arguments are as good as absent.
	AllowPagination, AllowSorting, AllowFiltering, AllowFieldSelection bool

	// By what a VIP's place may be given.
	AllowVIPPort, AllowVIPNetwork, AllowVIPSubnet bool

	// ValidVIPNetworks are the ids of the networks that VIPs may be in; none is all but DeniedVIPNetworks.
	ValidVIPNetworks, DeniedVIPNetworks []string

	// AllowInvisible lets a user name networks, subnets and ports that the network service would not show to him.
	AllowInvisible bool
}

// DefaultOptions returns what Octavia decides where its operator says nothing.
func DefaultOptions() Options {
	return Options{
		Deployment:      lbaas.DefaultDeployment(),
		AllowPagination: true, AllowSorting: true, AllowFiltering: true, AllowFieldSelection: true,
		AllowVIPPort: true, AllowVIPNetwork: true, AllowVIPSubnet: true,
	}
}

// forgo forgets the query arguments of a GET that the deployment does not allow.
func (o *Options) forgo(r *request) {
	if r.Method != http.MethodGet {
		return
	}
	for name := range r.Query {
		if !o.takes(name) {
			delete(r.Query, name)
		}
	}
}

func (o *Options) takes(argument string) bool {
	switch {
	case slices.Contains([]string{"limit", "marker", "page_reverse"}, argument):
		return o.AllowPagination
	case slices.Contains([]string{"sort", "sort_key", "sort_dir"}, argument):
		return o.AllowSorting
	case argument == "fields":
		return o.AllowFieldSelection
	case argument == "project_id": // which says whose list it is
		return true
	}
	return o.AllowFiltering
}

// allowVIP refuses ways to give a VIP's place that the deployment does not allow, and a request that gives none.
func (o *Options) allowVIP(v vipRequest) error {
	var allowed []string
	given := false
	for _, way := range []struct {
		name, id string
		allowed  bool
	}{
		{"vip_port_id", v.portID, o.AllowVIPPort},
		{"vip_network_id", v.networkID, o.AllowVIPNetwork},
		{"vip_subnet_id", v.subnetID, o.AllowVIPSubnet},
	} {
		if way.allowed {
			allowed = append(allowed, way.name)
		} else if way.id != "" {
			return lbaas.ValidationFailure("use of %s is disallowed by this deployment's configuration.", way.name)
		}
		given = given || way.id != ""
	}
	if !given {
		return lbaas.ValidationFailure("VIP must contain one of: %s.", strings.Join(allowed, ", "))
	}
	return nil
}

// allowNetwork refuses networks that the deployment keeps VIPs out of. The valid ones are those of the availability zone, else
// the deployment's.
func (o *Options) allowNetwork(id string, valid []string) error {
	if len(valid) == 0 {
		valid = o.ValidVIPNetworks
	}
	same := func(other string) bool { return strings.EqualFold(id, other) }
	if len(valid) > 0 && !slices.ContainsFunc(valid, same) || slices.ContainsFunc(o.DeniedVIPNetworks, same) {
		return lbaas.ValidationFailure("Supplied VIP network_id is not allowed by the configuration of this deployment.")
	}
	return nil
}
