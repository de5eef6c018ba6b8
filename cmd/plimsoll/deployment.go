package main

import (
	"plimsoll/internal/api/barbican"
	"plimsoll/internal/api/octavia"
	"plimsoll/internal/config"
	"plimsoll/internal/web"
)

// apiOptions are what the configuration says of the load-balancer API.
func apiOptions(c config.Config) octavia.Options {
	a, n := c.API, c.Networking
	return octavia.Options{
		Deployment:      c.Deployment,
		AllowPagination: a.AllowPagination, AllowSorting: a.AllowSorting, AllowFiltering: a.AllowFiltering,
		AllowFieldSelection: a.AllowFieldSelection,
		AllowVIPPort:        n.AllowVIPPort, AllowVIPNetwork: n.AllowVIPNetwork, AllowVIPSubnet: n.AllowVIPSubnet,
		ValidVIPNetworks: n.ValidVIPNetworks, DeniedVIPNetworks: n.DeniedVIPNetworks, AllowInvisible: n.AllowInvisible,
	}
}

// certificates is who looks at what TLS refers to.
func certificates(c config.Config, keys *barbican.Service) octavia.Certificates {
	if c.CertManager == config.NoopCertManager {
		return octavia.AnyCertificate{}
	}
	return keys
}

// cors is what the configuration says to browsers.
func cors(c config.CORS) web.CORS {
	return web.CORS{
		Origins: c.AllowedOrigins, Credentials: c.AllowCredentials, Expose: c.ExposeHeaders, Headers: c.AllowHeaders,
		Methods: c.AllowMethods, MaxAge: c.MaxAge,
	}
}
