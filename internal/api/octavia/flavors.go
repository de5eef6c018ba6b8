package octavia

import (
	"context"
	"errors"
	"slices"

	"plimsoll/internal/provider"
	"plimsoll/lbaas"
)

// What a load balancer's flavor and availability zone decide: its provider, where its VIP may be, which ports it may have.

// The keys of profiles' data that the API itself acts on. Providers know more.
const (
	keyTopology    = "loadbalancer_topology"
	keySRIOVVIP    = "sriov_vip"
	keySRIOVMember = "allow_member_sriov"
	keyVIPNetworks = "valid_vip_networks"
)

// topologySingle is the topology of a load balancer whose flavor says nothing of it.
const topologySingle = "SINGLE"

// chooseProvider resolves a new load balancer's flavor, availability zone and provider, and refuses what does not fit in
// Octavia's order.
func (a *API) chooseProvider(ctx context.Context, f *form, lb *lbaas.LoadBalancer) error {
	flavored, err := a.resolveFlavor(ctx, f, lb)
	if err != nil {
		return err
	}
	if err := a.resolveZone(ctx, f, lb); err != nil {
		return err
	}
	if lb.Provider == "" {
		lb.Provider = a.DefaultProvider
		if flavored != "" {
			lb.Provider = flavored
		}
	}
	if flavored != "" && flavored != lb.Provider {
		return mismatch(lb.FlavorID, lb.Provider)
	}
	face, err := a.enabled(lb.Provider)
	if err != nil {
		return err
	}
	lb.Provider, lb.Operating = face.Name, lbaas.Offline
	if face.OnHost {
		lb.Host = a.Host
	}
	return accepted(ctx, face, lb)
}

// resolveFlavor fills in what the flavor says, and returns its provider; "" without a flavor.
func (a *API) resolveFlavor(ctx context.Context, f *form, lb *lbaas.LoadBalancer) (providerName string, err error) {
	lb.VIPVNICType = lbaas.VNICNormal
	if !f.has("flavor_id") {
		return "", nil
	}
	profile, data, err := a.flavorData(ctx, lb.FlavorID, "flavor_id")
	if err != nil {
		return "", err
	}
	lb.Flavor, lb.FlavorProfileID = data, profile.ID
	if data[keySRIOVVIP] == true {
		lb.VIPVNICType = lbaas.VNICDirect
	}
	return profile.Provider, nil
}

// flavorData returns the profile of a flavor that users may have, and what it says. The attribute is the one that named the
// flavor.
func (a *API) flavorData(ctx context.Context, id, attribute string) (*lbaas.FlavorProfile, map[string]any, error) {
	flavor, err := a.Store.Flavor(ctx, id)
	if errors.Is(err, lbaas.NotFound) {
		err = lbaas.ValidationFailure("Invalid %s.", attribute)
	}
	if err != nil {
		return nil, nil, err
	}
	if !flavor.Enabled {
		return nil, nil, lbaas.Disabled("flavor", id)
	}
	profile, err := a.Store.FlavorProfile(ctx, flavor.FlavorProfileID)
	if errors.Is(err, lbaas.NotFound) { // both went away meanwhile
		err = lbaas.ValidationFailure("Invalid %s.", attribute)
	}
	if err != nil {
		return nil, nil, err
	}
	switch {
	case profile.Disabled:
		return nil, nil, lbaas.Disabled("flavor", id)
	case profile.Provider == "": // Neutron takes a profile that names no driver
		return nil, nil, lbaas.ValidationFailure("Invalid %s. The flavor's profile names no provider.", attribute)
	}
	data, err := parseData("flavor_data", profile.Data)
	return profile, data, err
}

// resolveZone fills in what the availability zone says.
func (a *API) resolveZone(ctx context.Context, f *form, lb *lbaas.LoadBalancer) error {
	if !f.has("availability_zone") {
		return nil
	}
	zone, err := a.Store.AvailabilityZone(ctx, lb.AvailabilityZone)
	if errors.Is(err, lbaas.NotFound) {
		return invalidZone()
	}
	if err != nil {
		return err
	}
	if !zone.Enabled {
		return lbaas.Disabled("availability_zone", zone.Name)
	}
	profile, err := a.Store.AvailabilityZoneProfile(ctx, zone.ProfileID)
	if errors.Is(err, lbaas.NotFound) { // both went away meanwhile
		return invalidZone()
	}
	if err != nil {
		return err
	}
	lb.Zone, err = parseData("availability_zone_data", profile.Data)
	return err
}

func invalidZone() error { return lbaas.ValidationFailure("Invalid availability zone.") }

// vanished is the error of writing a load balancer whose flavor or availability zone went away after it was judged: as if it had never
// been there. The attribute is the one that named the flavor.
func vanished(err error, lb *lbaas.LoadBalancer, attribute string) error {
	var known *lbaas.Error
	if !errors.As(err, &known) {
		return err
	}
	switch *known {
	case *lbaas.Missing(lbaas.NounFlavor, lb.FlavorID):
		return lbaas.ValidationFailure("Invalid %s.", attribute)
	case *lbaas.Missing(lbaas.NounAvailabilityZone, lb.AvailabilityZone):
		return invalidZone()
	}
	return err
}

func mismatch(flavorID, providerName string) error {
	return lbaas.Errorf(lbaas.Invalid, "Flavor '%s' is not compatible with provider '%s'", flavorID, providerName)
}

// accepted asks the provider whether it still takes what the profiles say. Of those that say nothing it is not asked.
func accepted(ctx context.Context, face *provider.Face, lb *lbaas.LoadBalancer) error {
	if len(lb.Flavor) > 0 {
		if err := checkFlavor(ctx, face, lb.Flavor); err != nil {
			return err
		}
	}
	if len(lb.Zone) > 0 {
		return checkZone(ctx, face, lb.Zone)
	}
	return nil
}

// checkMemberSRIOV refuses ports of SR-IOV for members whose load balancer's flavor does not allow them.
func checkMemberSRIOV(lb *lbaas.LoadBalancer, members ...*lbaas.Member) error {
	direct := slices.ContainsFunc(members, func(m *lbaas.Member) bool { return m.VNICType == lbaas.VNICDirect })
	if direct && lb.Flavor[keySRIOVMember] != true {
		return lbaas.Errorf(lbaas.Invalid, "The load balancer flavor does not allow SR-IOV member ports.")
	}
	return nil
}

// zoneNetworks are the networks in which an availability zone allows VIPs; none is all that the deployment allows.
func zoneNetworks(lb *lbaas.LoadBalancer) []string {
	all, _ := lb.Zone[keyVIPNetworks].([]any)
	var ids []string
	for _, one := range all {
		if id, ok := one.(string); ok {
			ids = append(ids, id)
		}
	}
	return ids
}
