package linux

import (
	"errors"
	"fmt"
	"strings"
)

// Sweep removes the namespaces, links and bridges that carry our stamp, but for the namespaces and ports named in
// keep; where no ports are kept, nothing is guarded any more. It goes on after an error, so that one thing that cannot be removed does not keep
// the rest.
func (h *Host) Sweep(keepNamespaces, keepPorts []string) error {
	err := errors.Join(h.sweepNamespaces(set(keepNamespaces)), h.sweepLinks(keepPorts))
	if len(keepPorts) == 0 && err == nil { // what could not be removed stays guarded
		err = h.RemoveGuards()
	}
	return err
}

func (h *Host) sweepNamespaces(keep map[string]bool) error {
	names, err := h.Namespaces()
	if err != nil {
		return fmt.Errorf("list network namespaces: %w", err)
	}
	var failed []error
	for _, name := range names {
		if !keep[name] {
			failed = append(failed, h.RemoveNamespace(name))
		}
	}
	return errors.Join(failed...)
}

func (h *Host) sweepLinks(keepPorts []string) error {
	keep := map[string]bool{}
	for _, id := range keepPorts {
		keep[HostName(id)] = true
	}
	links, err := whole(h.links.LinkList)
	if err != nil {
		return fmt.Errorf("list links: %w", err)
	}
	var failed []error
	for _, l := range links {
		name, ours := l.Attrs().Name, l.Attrs().Alias == h.stamp
		if ours && strings.HasPrefix(name, "plm") && !keep[name] {
			failed = append(failed, h.removeLink(name))
		}
	}
	for _, l := range links {
		name, ours := l.Attrs().Name, l.Attrs().Alias == h.stamp
		if ours && strings.HasPrefix(name, "brq") {
			failed = append(failed, h.prune(name))
		}
	}
	return errors.Join(append(failed, h.sweepSegments(links))...)
}

// removePortsIn removes the links of ours that end in a namespace. The kernel would do so too, but later, and the
// bridges would stay.
func (h *Host) removePortsIn(namespace string) error {
	inside, err := linksIn(namespace)
	if err != nil {
		return err
	}
	defer inside.Close()
	links, err := whole(inside.LinkList)
	if err != nil {
		return err
	}
	for _, l := range links {
		suffix, ours := portLink(l.Attrs().Name)
		if !ours {
			continue
		}
		if err := h.removeLink("plm" + suffix); err != nil && !errors.Is(err, ErrForeign) {
			return err
		}
	}
	return nil
}

// portLink cuts the port's part out of the name of a link in a namespace.
func portLink(name string) (port string, is bool) {
	for _, prefix := range []string{"tap", "qr-", "qg-"} {
		if port, is = strings.CutPrefix(name, prefix); is {
			return port, true
		}
	}
	return "", false
}

func set(names []string) map[string]bool {
	s := map[string]bool{}
	for _, n := range names {
		s[n] = true
	}
	return s
}
