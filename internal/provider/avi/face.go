package avi

import (
	"plimsoll/internal/provider"
	"plimsoll/lbaas"
)

// Driver is the driver's own name, and alias the one that neutron.conf had for it.
const (
	Driver = "avi"
	alias  = "avi_lbaasv2.avi_driver.AviDriver"
)

// Face is what the APIs know of the driver.
func Face() provider.Face {
	return provider.Face{
		Name:    Driver,
		Aliases: []string{alias},
		Capabilities: provider.Capabilities{
			Description: "Virtual services on an Avi Vantage Controller.",
			Protocols:   []lbaas.Protocol{lbaas.TCP, lbaas.HTTP, lbaas.HTTPS, lbaas.TerminatedHTTPS},
			Algorithms:  []lbaas.Algorithm{lbaas.RoundRobin, lbaas.LeastConnections, lbaas.SourceIP, lbaas.SourceIPPort},
			Monitors:    []lbaas.MonitorType{lbaas.MonitorPing, lbaas.MonitorTCP, lbaas.MonitorHTTP, lbaas.MonitorHTTPS},
			FlavorKeys:  flavorKeys(),
			// There are none. With nil the API would answer 501, and clients that ask for both kinds at once would show neither.
			ZoneKeys: []provider.Key{},
		},
		Unsupported: Unsupported,
		Remark:      Remark,
	}
}

// Face is the driver's face under the name that the configuration has for it, with the judge of flavors, who asks the controller, and what
// the version of the data model lacks.
func (p *Provider) Face() provider.Face {
	f := Face()
	f.Name, f.CheckFlavor = p.cfg.Name, p.CheckFlavor
	f.Unsupported = func(lb *lbaas.LoadBalancer) []provider.OptionError { return unsupported(lb, p.cfg.Controller.Version) }
	return f
}

func flavorKeys() []provider.Key {
	return []provider.Key{
		{Name: flavorSEGroup, Description: "The service engine group that virtual services are placed in: /api/serviceenginegroup?name=NAME or " +
			"/api/serviceenginegroup/UUID. Without it Avi takes the cloud's default."},
		{Name: flavorVRF, Description: "The VRF context of the load balancer's VIP, virtual services and pools: /api/vrfcontext?name=NAME or /api/vrfcontext/UUID. It " +
			"wins over " + flavorVRFPerSubnet + "."},
		{Name: flavorVRFContext, Description: "Another spelling of " + flavorVRF + "."},
		{Name: flavorVRFPerSubnet, Description: "true or false: whether each VIP subnet has a VRF context of its own, so that tenants' subnets may " +
			"have the same addresses. Without it the provider's option of that name decides. It needs service engines in the provider's context " +
			"and networks of type VXLAN or GRE."},
	}
}
