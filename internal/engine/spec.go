package engine

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"

	"github.com/google/uuid"
	"google.golang.org/protobuf/proto"

	"plimsoll/internal/engine/enginepb"
	"plimsoll/internal/linux"
)

// checkID refuses everything that is no UUID in its usual spelling: ids become names of files, links and namespaces.
func checkID(what, id string) error {
	if parsed, err := uuid.Parse(id); err != nil || parsed.String() != id {
		return fmt.Errorf("%s %q is no UUID", what, id)
	}
	return nil
}

// checkSpec refuses a Spec that the engine will not carry out for anybody. The caller is not root, and must not become
// it through HAProxy, which starts as root.
func checkSpec(spec *enginepb.Spec) ([]linux.Port, error) {
	if spec == nil {
		return nil, errors.New("the request has no spec")
	}
	if err := checkID("load balancer", spec.LoadBalancerId); err != nil {
		return nil, err
	}
	files, err := checkFiles(spec.Files)
	if err != nil {
		return nil, err
	}
	if err := checkSections(spec.Sections, files); err != nil {
		return nil, err
	}
	for _, id := range spec.Listeners {
		if err := checkID("listener", id); err != nil {
			return nil, err
		}
	}
	for _, s := range spec.Servers {
		if err := checkServer(s, files); err != nil {
			return nil, fmt.Errorf("server %s/%s: %w", s.GetBackend(), s.GetName(), err)
		}
	}
	if err := checkChecks(spec.Checks); err != nil {
		return nil, err
	}
	if err := checkDatagrams(spec.Datagrams); err != nil {
		return nil, err
	}
	ports := make([]linux.Port, len(spec.Ports))
	for i, p := range spec.Ports {
		if ports[i], err = parsePort(p); err != nil {
			return nil, err
		}
	}
	return ports, nil
}

// checkSections wants one global section, which says whom HAProxy becomes: it would stay root.
func checkSections(sections []*enginepb.Section, files known) error {
	allowed, seen := directives(files), map[string]bool{}
	for _, s := range sections {
		if seen[s.GetName()] {
			return fmt.Errorf("section %q is there twice", s.GetName())
		}
		seen[s.GetName()] = true
		if err := checkSection(s, allowed); err != nil {
			return fmt.Errorf("section %q: %w", s.GetName(), err)
		}
	}
	if !seen["global"] {
		return errors.New("there is no section global")
	}
	return nil
}

func checkSection(s *enginepb.Section, allowed map[string]map[string]rule) error {
	kind, name, named := strings.Cut(s.GetName(), " ")
	own := kind == "global" || kind == "defaults"
	if allowed[kind] == nil || own == named || named && !plainName(name) {
		return errors.New("the engine takes no such section")
	}
	said := map[string]bool{}
	for _, line := range s.Lines {
		if err := checkLine(allowed[kind], line); err != nil {
			return err
		}
		word, _, _ := strings.Cut(line, " ")
		said[word] = true
	}
	if kind == "global" && (!said["user"] || !said["group"]) {
		return errors.New("it does not say which user and group HAProxy becomes")
	}
	return nil
}

// plainName tells whether HAProxy takes a name for nothing else, in the file and in the Runtime API.
func plainName(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool {
		letter := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9'
		return !letter && !strings.ContainsRune("-_.:", r)
	})
}

func checkServer(s *enginepb.Server, files known) error {
	if !plainName(s.GetBackend()) || !plainName(s.GetName()) {
		return errors.New("its name has characters that HAProxy would take for others")
	}
	if !oneLine(s.Comment) {
		return fmt.Errorf("%q is not one line", s.Comment)
	}
	// HAProxy also takes names to resolve, and files, for addresses.
	if at, err := netip.ParseAddr(s.Address); err != nil || at.Zone() != "" {
		return fmt.Errorf("%q is no address", s.Address)
	}
	for _, option := range s.Options {
		words, err := split(option)
		if err == nil {
			err = files.serverWords(words)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func oneLine(s string) bool { return !strings.ContainsAny(s, "\n\r\x00") }

func parsePort(p *enginepb.Port) (linux.Port, error) {
	if err := errors.Join(checkID("port", p.GetId()), checkID("network", p.GetNetworkId())); err != nil {
		return linux.Port{}, err
	}
	port := linux.Port{ID: p.Id, NetworkID: p.NetworkId, MTU: int(p.Mtu), Link: p.Link, Guarded: p.Guarded}
	if !slices.Contains([]string{"", "tap", "qr-", "qg-"}, p.Link) {
		return port, fmt.Errorf("port %s: a link cannot begin with %q", p.Id, p.Link)
	}
	var err error
	if port.Segment, err = parseSegment(p.Segment); err != nil {
		return port, fmt.Errorf("port %s: %w", p.Id, err)
	}
	if port.MAC, err = net.ParseMAC(p.Mac); err != nil {
		return port, fmt.Errorf("port %s: %w", p.Id, err)
	}
	if p.Mtu < 0 || p.Mtu > 65535 {
		return port, fmt.Errorf("port %s: an MTU of %d", p.Id, p.Mtu)
	}
	for _, text := range p.Addresses {
		a, err := netip.ParsePrefix(text)
		if err != nil {
			return port, fmt.Errorf("port %s: %w", p.Id, err)
		}
		port.Addresses = append(port.Addresses, a)
	}
	for _, r := range p.Routes {
		route, err := parseRoute(r)
		if err != nil {
			return port, fmt.Errorf("port %s: route: %w", p.Id, err)
		}
		port.Routes = append(port.Routes, route)
	}
	return port, nil
}

func parseRoute(r *enginepb.Route) (linux.Route, error) {
	to, err := netip.ParsePrefix(r.GetDestination())
	if err != nil || r.NextHop == "" {
		return linux.Route{Destination: to}, err
	}
	hop, err := netip.ParseAddr(r.NextHop)
	if err == nil && hop.Is4() != to.Addr().Is4() {
		err = fmt.Errorf("%s is no next hop to %s", hop, to)
	}
	return linux.Route{Destination: to, NextHop: hop}, err
}

// older tells whether (epoch, generation) comes before (thanEpoch, thanGeneration).
func older(epoch, generation, thanEpoch, thanGeneration int64) bool {
	if epoch != thanEpoch {
		return epoch < thanEpoch
	}
	return generation < thanGeneration
}

// clone copies a Spec, or nil.
func clone(spec *enginepb.Spec) *enginepb.Spec {
	if spec == nil {
		return nil
	}
	return proto.CloneOf(spec)
}
