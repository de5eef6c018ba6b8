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
	return provider.Face{Name: Driver, Aliases: []string{alias}, Unsupported: Unsupported}
}

// Face is the driver's face, with the judge of flavors, who asks the controller.
func (p *Provider) Face() provider.Face {
	f := Face()
	f.Name, f.CheckFlavor = p.cfg.Name, p.CheckFlavor
	return f
}

// Unsupported names the options of a tree that Avi cannot make, or that this provider does not.
func Unsupported(lb *lbaas.LoadBalancer) []provider.OptionError { return nil }
