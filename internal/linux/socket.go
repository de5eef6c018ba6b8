package linux

import (
	"fmt"
	"net"
	"net/netip"
	"slices"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// Socket opens a socket in a named namespace, where it stays. It does not block, and no program that is started gets it.
func Socket(namespace string, domain, kind, protocol int) (fd int, err error) {
	err = Within(namespace, func() (err error) {
		fd, err = unix.Socket(domain, kind|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, protocol)
		return err
	})
	return fd, err
}

// Unanswered tells whether whoever comes next on the way from a named namespace to an address has not answered when it was asked for
// its link address (ARP, or neighbour discovery). The kernel asks when there is something to send, and gives up after three seconds.
func Unanswered(namespace string, to netip.Addr) (bool, error) {
	links, err := linksIn(namespace)
	if err != nil {
		return false, err
	}
	defer links.Close()
	routes, err := links.RouteGet(to.AsSlice())
	if err != nil || len(routes) == 0 {
		return false, fmt.Errorf("find the way to %s: %w", to, err)
	}
	next := net.IP(to.AsSlice())
	if routes[0].Gw != nil {
		next = routes[0].Gw
	}
	neighbours, err := whole(func() ([]netlink.Neigh, error) { return links.NeighList(routes[0].LinkIndex, family(to)) })
	if err != nil {
		return false, fmt.Errorf("list the neighbours of %s: %w", namespace, err)
	}
	return slices.ContainsFunc(neighbours, func(n netlink.Neigh) bool {
		return n.IP.Equal(next) && n.State&(netlink.NUD_INCOMPLETE|netlink.NUD_FAILED) != 0
	}), nil
}
