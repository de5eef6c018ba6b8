package engine

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
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
	for _, s := range spec.Sections {
		if err := checkSection(s); err != nil {
			return nil, err
		}
	}
	for _, s := range spec.Servers {
		if err := checkServer(s); err != nil {
			return nil, fmt.Errorf("server %s/%s: %w", s.GetBackend(), s.GetName(), err)
		}
	}
	ports := make([]linux.Port, len(spec.Ports))
	for i, p := range spec.Ports {
		var err error
		if ports[i], err = parsePort(p); err != nil {
			return nil, err
		}
	}
	return ports, nil
}

// dangerous are the words that begin a line with which HAProxy would run code or other programs, read other files'
// content as configuration, or stay root.
var dangerous = [...]string{"lua-", "external-check", "insecure-", "program", "setenv", "presetenv", "uid", "gid", "chroot"}

func checkSection(s *enginepb.Section) error {
	kind, _, _ := strings.Cut(s.GetName(), " ")
	switch kind {
	case "global", "defaults", "frontend", "backend":
	default:
		return fmt.Errorf("section %q: the engine takes no such section", s.GetName())
	}
	for _, line := range append([]string{s.Name}, s.Lines...) {
		if !oneLine(line) {
			return fmt.Errorf("section %q: %q is not one line", s.Name, line)
		}
	}
	for _, line := range s.Lines {
		word, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		for _, bad := range dangerous {
			if kind == "global" && strings.HasPrefix(word, bad) {
				return fmt.Errorf("section %q: the engine takes no %s", s.Name, word)
			}
		}
		if name := strings.Trim(rest, `"' `); (word == "user" || word == "group") && (name == "root" || name == "0") {
			return fmt.Errorf("section %q: HAProxy must not run as root", s.Name)
		}
	}
	return nil
}

func checkServer(s *enginepb.Server) error {
	for _, word := range append([]string{s.GetBackend(), s.GetName(), s.Address, s.Comment}, s.Options...) {
		if !oneLine(word) {
			return fmt.Errorf("%q is not one line", word)
		}
	}
	if strings.ContainsAny(s.Backend+s.Name+s.Address, " \t;\\\"'#") || s.Backend == "" || s.Name == "" {
		return errors.New("its name or address has characters that HAProxy would take for others")
	}
	return nil
}

func oneLine(s string) bool { return !strings.ContainsAny(s, "\n\r\x00") }

func parsePort(p *enginepb.Port) (linux.Port, error) {
	if err := errors.Join(checkID("port", p.GetId()), checkID("network", p.GetNetworkId())); err != nil {
		return linux.Port{}, err
	}
	port := linux.Port{ID: p.Id, NetworkID: p.NetworkId, MTU: int(p.Mtu)}
	var err error
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
