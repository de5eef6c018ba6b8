package neutronlbaas

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"plimsoll/internal/network"
	"plimsoll/lbaas"
)

// The errors of this face carry the exception names and the texts of neutron-lbaas and Neutron.

func failure(kind lbaas.Kind, name, format string, args ...any) *lbaas.Error {
	return &lbaas.Error{Kind: kind, Type: name, Text: fmt.Sprintf(format, args...)}
}

// badRequest is an error of the request's form.
func badRequest(format string, args ...any) error {
	return lbaas.Errorf(lbaas.Invalid, format, args...)
}

// invalid is the error of an attribute's value.
func invalid(attribute, format string, args ...any) error {
	return badRequest("Invalid input for %s. Reason: %s.", attribute, fmt.Sprintf(format, args...))
}

func entityNotFound(name, id string) error {
	return failure(lbaas.NotFound, "EntityNotFound", "%s %s could not be found", name, id)
}

func entityInUse(holder, child, id string) error {
	return failure(lbaas.Conflict, "EntityInUse", "%s is using %s %s", holder, child, id)
}

// stateInvalid is the error of changing what is going away, which Octavia's text names.
func stateInvalid(text string) error {
	if rest, ok := strings.CutSuffix(text, " is immutable and cannot be updated."); ok {
		text = fmt.Sprintf("Invalid state %s of loadbalancer resource %s", lbaas.PendingDelete, rest[strings.LastIndexByte(rest, ' ')+1:])
	}
	return failure(lbaas.Conflict, "StateInvalid", "%s", text)
}

func requiredAttribute(name string) error {
	return failure(lbaas.Invalid, "RequiredAttributeNotSpecified", "Required attribute %s not specified", name)
}

func protocolMismatch(listener, pool lbaas.Protocol) error {
	return failure(lbaas.Conflict, "ListenerPoolProtocolMismatch", "Listener protocol %s and pool protocol %s are not compatible.", listener, pool)
}

func otherLoadBalancer() error {
	return failure(lbaas.Invalid, "ListenerAndPoolMustBeOnSameLoadbalancer", "Listener and pool must be on the same loadbalancer.")
}

// disallowed is Neutron's answer to what its policy does not let the actor do.
func disallowed(rule string) error {
	return failure(lbaas.Forbidden, "PolicyNotAuthorized", "rule:%s is disallowed by policy", rule)
}

// names are what this face calls the nouns of Octavia's texts.
func names() map[lbaas.Noun]string {
	return map[lbaas.Noun]string{
		lbaas.NounLoadBalancer: "loadbalancer", lbaas.NounListener: "listener", lbaas.NounPool: "pool", lbaas.NounMember: "member",
		lbaas.NounHealthMonitor: "healthmonitor", lbaas.NounL7Policy: "l7policy", "L7Policy": "l7policy", lbaas.NounL7Rule: "l7rule",
		"Subnet": "Subnet",
	}
}

// told gives an error of Octavia's operations, which name what they were about, the words of this face. What has none keeps its own.
func told(err error, rule string) error {
	var known *lbaas.Error
	if !errors.As(err, &known) || known.Type != "" {
		return err
	}
	switch known.Kind {
	case lbaas.Forbidden:
		return disallowed(rule)
	case lbaas.Immutable:
		return stateInvalid(known.Text)
	case lbaas.QuotaExceeded:
		return overQuota(known.Text)
	case lbaas.Unsupported:
		return failure(lbaas.Unsupported, "LBConfigurationUnsupported", "%s", known.Text)
	}
	return toldByText(known, rule)
}

// toldByText tells errors apart that differ in nothing but their texts, which are part of Octavia's API.
func toldByText(known *lbaas.Error, rule string) error {
	if rule == "create_loadbalancer" {
		if err := toldOfVIP(known); err != nil {
			return err
		}
	}
	if rest, ok := strings.CutSuffix(known.Text, " not found."); ok {
		if at := strings.LastIndexByte(rest, ' '); at > 0 && names()[lbaas.Noun(rest[:at])] != "" {
			return entityNotFound(names()[lbaas.Noun(rest[:at])], rest[at+1:])
		}
	}
	if rest, ok := strings.CutPrefix(known.Text, "Could not retrieve certificate: ['"); ok {
		return badContainer(rest)
	}
	if known.Kind == lbaas.Invalid {
		return failure(lbaas.Invalid, "BadRequest", "%s", known.Text)
	}
	return known
}

// badContainer is the error of certificates that cannot be read, of which Octavia gives a list, and maybe the reasons.
func badContainer(rest string) error {
	refs, reasons, _ := strings.Cut(rest, "']")
	refs = strings.ReplaceAll(refs, "', '", ", ")
	if slices.ContainsFunc(strings.SplitAfter(reasons, ". "), isOtherThanMissing) {
		return failure(lbaas.Invalid, "TLSContainerInvalid", "TLS container %s is invalid.%s", refs, reasons)
	}
	return failure(lbaas.NotFound, "TLSContainerNotFound", "TLS container %s could not be found", refs)
}

// isOtherThanMissing tells whether a reason is another one than that there is no such container.
func isOtherThanMissing(reason string) bool {
	reason = strings.TrimSpace(reason)
	return reason != "" && !strings.HasSuffix(reason, " not found.")
}

// toldOfVIP is what Neutron itself says of places that a VIP cannot be in; nil where it is about something else.
func toldOfVIP(known *lbaas.Error) error {
	if text, ok := strings.CutPrefix(known.Text, "The VIP IP address is already in use: "); ok {
		return failure(lbaas.Conflict, "IpAddressInUse", "%s", text)
	}
	rest, missing := strings.CutSuffix(known.Text, " not found.")
	if id, ok := strings.CutPrefix(rest, "Subnet "); ok && missing {
		return network.SubnetNotFound(id)
	}
	if id, ok := strings.CutPrefix(rest, "Network "); ok && missing {
		return network.NetworkNotFound(id)
	}
	return nil
}

// overQuota is the error of a project that has all that it may have; Octavia's text says of what.
func overQuota(text string) error {
	_, noun, _ := strings.Cut(text, "resources: ")
	name := names()[lbaas.Noun(noun)]
	if name == "" {
		name = noun
	}
	return failure(lbaas.QuotaExceeded, "OverQuota", "Quota exceeded for resources: ['%s'].", name)
}
