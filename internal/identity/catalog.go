package identity

import (
	"strings"

	"github.com/google/uuid"
)

// Endpoint is a service of the catalog and where it is found. Each has the interfaces of Interfaces, all with the same URL.
type Endpoint struct {
	Type string // "load-balancer"
	Name string // "octavia"
	Path string // "/load-balancer", below the URL under which the client reaches us; or a whole URL
}

// The interfaces under which each service is listed.
var interfaces = [...]string{"admin", "internal", "public"}

// Interfaces returns the interfaces under which each service is listed.
func Interfaces() []string { return interfaces[:] }

// ServiceID is the service's id: the same on every start, since it comes from the type.
func (e Endpoint) ServiceID() string { return derivedID("service", e.Type) }

// EndpointID is the id of the endpoint of one interface in one region.
func (e Endpoint) EndpointID(region, iface string) string {
	return derivedID("endpoint", e.Type, region, iface)
}

// URL is where the service is found, given the scheme and host under which the client reaches us.
func (e Endpoint) URL(base string) string {
	if strings.Contains(e.Path, "://") {
		return e.Path
	}
	return base + e.Path
}

func derivedID(parts ...string) string {
	id := uuid.NewSHA1(uuid.NameSpaceURL, []byte("plimsoll:"+strings.Join(parts, "\x00")))
	return strings.ReplaceAll(id.String(), "-", "")
}
