// Package linux makes and removes network namespaces, links, bridges, addresses and routes on this host. What it
// makes is stamped with an instance's id, and it removes nothing that carries another stamp. Every Ensure compares
// what is there with what is wanted and changes only what differs, so that calling it again disturbs no traffic.
//
// Bridges and the host's ends of the links live in the namespace in which the process runs.
package linux

import (
	"errors"
	"fmt"
	"net/netip"
	"sync"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// ErrForeign means that a name is taken by something that this instance did not make.
var ErrForeign = errors.New("it was not made by this instance")

// ErrNoNamespace means that a namespace is not there.
var ErrNoNamespace = errors.New("no such network namespace")

// Host acts on the kernel of this host for one instance. Its methods may be called at the same time.
type Host struct {
	stamp string
	links *netlink.Handle

	// making is held while a namespace is given its name: two callers must not mount on the same one.
	making sync.Mutex
	shared bool // the folder of names is a shared mount
	// bridging is held while a bridge gains or loses a port, so that the one who removes the last port does not
	// remove the bridge under the one who adds the next. The kernel takes its own lock for both, so a lock for each
	// bridge would gain nothing.
	bridging sync.Mutex
	guards   guards

	uplinks Uplinks
	peers   []netip.Addr // of VXLANs; held by bridging
}

// Open prepares to act for an instance, whose id becomes part of every stamp.
func Open(instance string) (*Host, error) {
	if instance == "" {
		return nil, errors.New("open the kernel's links: the instance has no id")
	}
	links, err := netlink.NewHandle(unix.NETLINK_ROUTE)
	if err != nil {
		return nil, fmt.Errorf("open the kernel's links: %w", err)
	}
	return &Host{stamp: "plimsoll:" + instance, links: links}, nil
}

// Close frees the handle; it undoes nothing.
func (h *Host) Close() { h.links.Close() }

// missing tells whether err says that a link, an address or a route is not there.
func missing(err error) bool {
	var none netlink.LinkNotFoundError
	return errors.As(err, &none) || errors.Is(err, unix.ENODEV) || errors.Is(err, unix.ESRCH) ||
		errors.Is(err, unix.EADDRNOTAVAIL)
}

// whole repeats a listing that the kernel says was changed while it was read.
func whole[T any](list func() ([]T, error)) (all []T, err error) {
	for range 20 {
		if all, err = list(); !errors.Is(err, netlink.ErrDumpInterrupted) {
			return all, err
		}
	}
	return all, err
}
