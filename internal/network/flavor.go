package network

import (
	"strings"

	"plimsoll/lbaas"
)

// ServiceTypeLoadBalancer is the service type of load balancers' flavors and providers.
const ServiceTypeLoadBalancer = "LOADBALANCERV2"

// ServiceFlavor is a flavor as Neutron's flavors framework has it: a name for service profiles, of which the first counts.
type ServiceFlavor struct {
	ID          string
	Name        string // not unique
	Description string
	Enabled     bool
	ProfileIDs  []string // in the order in which they were associated
}

// ServiceProfile is what a flavor means to a driver.
type ServiceProfile struct {
	ID          string
	Description string
	Driver      string // as it was written: the path of a class, or a provider's name; "" is none
	Metainfo    string // as it was written
	Enabled     bool
	Provider    string // the provider that the driver stands for; "" is none
	Data        string // what Metainfo says as a JSON object, or Metainfo itself where it is none
}

// FlavorNotFound is the error of a flavor that is not there.
func FlavorNotFound(id string) *lbaas.Error {
	return failure(lbaas.NotFound, "FlavorNotFound", "Flavor %s could not be found.", id)
}

// FlavorInUse is the error of taking away what load balancers' flavor is.
func FlavorInUse(id string) *lbaas.Error {
	return failure(lbaas.Conflict, "FlavorInUse", "Flavor %s is used by some service instance.", id)
}

// FlavorDisabled is the error of using a flavor that is not enabled.
func FlavorDisabled() *lbaas.Error {
	return failure(lbaas.SwitchedOff, "FlavorDisabled", "Flavor is not enabled.")
}

// InvalidServiceType is the error of a flavor of a service that is not offered.
func InvalidServiceType(serviceType string) *lbaas.Error {
	return failure(lbaas.Invalid, "InvalidServiceType", "Invalid service type: %s.", serviceType)
}

// ServiceProfileNotFound is the error of a service profile that is not there.
func ServiceProfileNotFound(id string) *lbaas.Error {
	return failure(lbaas.NotFound, "ServiceProfileNotFound", "Service Profile %s could not be found.", id)
}

// ServiceProfileInUse is the error of changing a service profile that is associated with a flavor.
func ServiceProfileInUse(id string) *lbaas.Error {
	return failure(lbaas.Conflict, "ServiceProfileInUse", "Service Profile %s is used by some service instance.", id)
}

// ServiceProfileDisabled is the error of using a flavor whose first service profile is not enabled.
func ServiceProfileDisabled() *lbaas.Error {
	return failure(lbaas.SwitchedOff, "ServiceProfileDisabled", "Service Profile is not enabled.")
}

// ServiceProfileEmpty is the error of a service profile that says nothing.
func ServiceProfileEmpty() *lbaas.Error {
	return failure(lbaas.Invalid, "ServiceProfileEmpty", "Service Profile needs either a driver or metainfo.")
}

// ServiceProfileDriverNotFound is the error of a driver that no provider has.
func ServiceProfileDriverNotFound(driver string) *lbaas.Error {
	return failure(lbaas.NotFound, "ServiceProfileDriverNotFound", "Service Profile driver %s could not be found.", driver)
}

// ServiceProfileNotBound is the error of a service profile that is not associated with the flavor; "" stands for any.
func ServiceProfileNotBound(flavorID, profileID string) *lbaas.Error {
	return failure(lbaas.NotFound, "FlavorServiceProfileBindingNotFound", "Service Profile %s is not associated with flavor %s.", profileID, flavorID)
}

// ServiceProfileBound is the error of associating a service profile with a flavor twice.
func ServiceProfileBound(flavorID, profileID string) *lbaas.Error {
	return failure(lbaas.Conflict, "FlavorServiceProfileBindingExists", "Service Profile %s is already associated with flavor %s.", profileID, flavorID)
}

// SetMetainfo takes what was written, and what it says: a JSON object, a Python literal of a dictionary, or nothing, which is an
// empty object. Other text is kept; using it is an error.
func (p *ServiceProfile) SetMetainfo(text string) {
	p.Metainfo, p.Data = text, lbaas.JSONOfPython(text)
	if strings.TrimSpace(text) == "" {
		p.Data = "{}"
	}
}
