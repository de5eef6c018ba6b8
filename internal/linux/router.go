package linux

import (
	"errors"
	"fmt"
	"net/netip"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"plimsoll/internal/failpoint"
)

// Router is what happens in a router's namespace besides the links that are plugged into it.
type Router struct {
	Internal []string // names of links
	External string   // the name of the gateway's link; "" is none
	// SNAT is what the source of what leaves by the gateway becomes; the zero Addr leaves it as it is.
	SNAT netip.Addr
	// Floating are the fixed addresses by the addresses that stand for them outside.
	Floating map[netip.Addr]netip.Addr
	Routes   []Route // extra ones; each has a next hop
	// Advertises means that a process sends router advertisements, which must not take DHCPv6 requests as well.
	Advertises bool
}

// EnsureRouter makes a namespace of ours forward and translate as r says; the namespace is made where there is none. Packets are
// translated before any is forwarded. known is what the last call for an equal r returned, or 0: then nothing is done to the table of
// nftables as long as nobody has touched it. What a change does not concern goes on: the connection tracker keeps what was translated,
// but for flows that the new table would not have made.
//
// One of the links may not be plugged yet: routes that need it are left for the next call.
func (h *Host) EnsureRouter(namespace string, r Router, known uint32) (generation uint32, err error) {
	ours, err := h.EnsureNamespace(namespace)
	if err == nil && !ours {
		err = ErrForeign
	}
	if err == nil {
		err = Within(namespace, func() (err error) {
			if generation, err = r.translate(known); err != nil {
				return err
			}
			if err := setSysctls(r.sysctls()); err != nil {
				return err
			}
			return ensureExtraRoutes(r)
		})
	}
	if err != nil {
		return 0, fmt.Errorf("run the router in %s: %w", namespace, err)
	}
	return generation, nil
}

// StopRouter undoes EnsureRouter but for the namespace. A namespace that is missing or not ours is left alone.
func (h *Host) StopRouter(namespace string) error {
	ours, err := h.stamped(namespace)
	if errors.Is(err, ErrNoNamespace) || err == nil && !ours {
		return nil
	}
	if err != nil {
		return fmt.Errorf("stop the router in %s: %w", namespace, err)
	}
	err = Within(namespace, func() error {
		if err := setSysctls(forwardingSysctls("0")); err != nil {
			return err
		}
		if err := removeRouterTable(); err != nil {
			return err
		}
		return ensureExtraRoutes(Router{})
	})
	if err != nil {
		return fmt.Errorf("stop the router in %s: %w", namespace, err)
	}
	return nil
}

func forwardingSysctls(on string) []sysctl {
	return []sysctl{{"net/ipv4/ip_forward", on}, {"net/ipv6/conf/all/forwarding", on}}
}

// sysctls end with forwarding. No station is told to go around the router: what is translated must come through it, both ways.
func (r Router) sysctls() []sysctl {
	all := []sysctl{{"net/ipv4/conf/all/send_redirects", "0"}, {"net/ipv4/conf/default/send_redirects", "0"}}
	for _, link := range r.links() {
		all = append(all, sysctl{"net/ipv4/conf/" + link + "/send_redirects", "0"})
	}
	return append(all, forwardingSysctls("1")...)
}

func (r Router) links() []string {
	if r.External == "" {
		return r.Internal
	}
	return append([]string{r.External}, r.Internal...)
}

// translate makes the namespace's table as wanted, unless it is known to be.
func (r Router) translate(known uint32) (uint32, error) {
	now, err := generation()
	if err != nil {
		return 0, err
	}
	if known != 0 && now == known {
		return now, nil
	}
	if err := r.replaceTable(); err != nil {
		return 0, err
	}
	failpoint.Here("linux.router.translated")
	if err := forgetTranslations(r.stale); err != nil {
		return 0, err
	}
	return generation()
}

// inThread opens a netlink handle in the thread's namespace and closes it again.
func inThread(fn func(links *netlink.Handle) error) error {
	links, err := netlink.NewHandle(unix.NETLINK_ROUTE)
	if err != nil {
		return err
	}
	defer links.Close()
	return fn(links)
}
