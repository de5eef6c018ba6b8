package main

import (
	"cmp"
	"slices"

	"plimsoll/internal/api/octavia"
	"plimsoll/internal/config"
	"plimsoll/internal/web"
	"plimsoll/lbaas"
)

// apiOptions are what the configuration says of the load-balancer API.
func apiOptions(c config.Config) octavia.Options {
	d, n := c.API.Deployment, c.Networking
	return octavia.Options{
		Deployment: lbaas.Deployment{
			AllowTLSListeners: d.AllowTLSListeners, AllowPrometheus: d.AllowPrometheus, AllowPing: d.AllowPing,
			MinDatagramDelay: d.MinDatagramDelay, ListenerTLS: tlsDefaults(d.ListenerTLS), PoolTLS: tlsDefaults(d.PoolTLS),
			ProhibitedCiphers: d.ProhibitedCiphers, MinTLSVersion: d.MinTLSVersion, ReservedAddresses: n.ReservedAddresses,
		},
		AllowPagination: d.AllowPagination, AllowSorting: d.AllowSorting, AllowFiltering: d.AllowFiltering,
		AllowFieldSelection: d.AllowFieldSelection,
		AllowVIPPort:        n.AllowVIPPort, AllowVIPNetwork: n.AllowVIPNetwork, AllowVIPSubnet: n.AllowVIPSubnet,
		ValidVIPNetworks: n.ValidVIPNetworks, DeniedVIPNetworks: n.DeniedVIPNetworks, AllowInvisible: n.AllowInvisible,
	}
}

// tlsDefaults fills what the configuration leaves open.
func tlsDefaults(t config.TLS) lbaas.TLSDefaults {
	d := lbaas.DefaultTLS()
	d.Ciphers = cmp.Or(t.Ciphers, d.Ciphers)
	if len(t.Versions) > 0 {
		d.Versions = slices.Clone(t.Versions)
	}
	if len(t.ALPNProtocols) > 0 {
		d.ALPNProtocols = slices.Clone(t.ALPNProtocols)
	}
	return d
}

// certificates is who reads what TLS refers to; nil where there is nobody yet.
func certificates(c config.Config) octavia.Certificates {
	if c.CertManager == config.NoopCertManager {
		return octavia.AnyCertificate{}
	}
	return nil
}

// cors is what the configuration says to browsers.
func cors(c config.CORS) web.CORS {
	return web.CORS{
		Origins: c.AllowedOrigins, Credentials: c.AllowCredentials, Expose: c.ExposeHeaders, Headers: c.AllowHeaders,
		Methods: c.AllowMethods, MaxAge: c.MaxAge,
	}
}
