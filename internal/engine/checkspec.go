package engine

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"plimsoll/internal/engine/enginepb"
)

// mostProbes bounds what one Spec can have the engine ask.
const mostProbes = 10000

// checkChecks refuses checks that the engine will not carry out for anybody. They are asked from inside the load balancer's namespace,
// so that they reach nothing that the load balancer does not.
func checkChecks(checks []*enginepb.Check) error {
	pools, members := map[string]bool{}, map[string]bool{}
	for _, c := range checks {
		if pools[c.GetPoolId()] {
			return fmt.Errorf("pool %s has two checks", c.PoolId)
		}
		pools[c.GetPoolId()] = true
		if err := checkCheck(c); err != nil {
			return fmt.Errorf("check %s: %w", c.GetMonitorId(), err)
		}
		for _, p := range c.Probes {
			if members[p.MemberId] { // the schedule and the verdicts know members by their ids alone
				return fmt.Errorf("member %s is checked twice", p.MemberId)
			}
			members[p.MemberId] = true
		}
		if len(members) > mostProbes {
			return fmt.Errorf("there are more than %d members to check", mostProbes)
		}
	}
	return nil
}

func checkCheck(c *enginepb.Check) error {
	if !plainName(c.GetMonitorId()) || !plainName(c.GetPoolId()) {
		return errors.New("it has no plain id")
	}
	if probers()[c.Type] == nil {
		return fmt.Errorf("the engine knows no type %q", c.Type)
	}
	for what, n := range map[string]int32{"delay": c.DelaySeconds, "timeout": c.TimeoutSeconds, "rise": c.Rise, "fall": c.Fall} {
		if n < 1 {
			return fmt.Errorf("%s of %d", what, n)
		}
	}
	if err := checkRequest(c); err != nil {
		return err
	}
	for _, p := range c.Probes {
		if err := checkProbe(p); err != nil {
			return fmt.Errorf("member %s: %w", p.GetMemberId(), err)
		}
	}
	return nil
}

// checkRequest wants words of a request that stay the words that they are.
func checkRequest(c *enginepb.Check) error {
	if c.Type != typeHTTP && c.Type != typeHTTPS {
		return nil
	}
	for what, word := range map[string]string{"method": c.HttpMethod, "path": c.HttpPath, "host": c.HttpHost} {
		if strings.ContainsFunc(word, func(r rune) bool { return r <= ' ' || r == 0x7f }) || word == "" && what != "host" {
			return fmt.Errorf("an HTTP %s of %q", what, word)
		}
	}
	if !slices.Contains([]string{"", "1.0", "1.1"}, c.HttpVersion) {
		return fmt.Errorf("HTTP version %q", c.HttpVersion)
	}
	_, err := parseCodes(c.ExpectedCodes)
	return err
}

func checkProbe(p *enginepb.Probe) error {
	if !plainName(p.GetMemberId()) {
		return errors.New("it has no plain id")
	}
	if at, err := netip.ParseAddr(p.Address); err != nil || at.Zone() != "" {
		return fmt.Errorf("%q is no address", p.Address)
	}
	if p.Port < 1 || p.Port > 65535 {
		return fmt.Errorf("port %d", p.Port)
	}
	return nil
}

// statusCodes are the codes of HTTP that a check takes for health.
type statusCodes []codeRange

type codeRange struct{ from, to int }

func (c statusCodes) contain(code int) bool {
	return slices.ContainsFunc(c, func(r codeRange) bool { return r.from <= code && code <= r.to })
}

// parseCodes reads expected_codes: "200", "200, 202", "200-204", or ranges in a list, which HAProxy takes too.
func parseCodes(text string) (statusCodes, error) {
	var all statusCodes
	for _, part := range strings.Split(text, ",") {
		first, last, isRange := strings.Cut(strings.TrimSpace(part), "-")
		if !isRange {
			last = first
		}
		from, err := strconv.ParseUint(first, 10, 10)
		if err != nil {
			return nil, fmt.Errorf("expected codes %q", text)
		}
		to, err := strconv.ParseUint(last, 10, 10)
		if err != nil || to < from {
			return nil, fmt.Errorf("expected codes %q", text)
		}
		all = append(all, codeRange{int(from), int(to)})
	}
	return all, nil
}
