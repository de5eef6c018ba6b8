package neutron

import (
	"plimsoll/internal/identity"
	"plimsoll/internal/network"
	"plimsoll/lbaas"
)

// disallowed is Neutron's answer to what its policy does not let the actor do. The rules are those that failed.
func disallowed(rule string, more ...string) error {
	text := "rule:" + rule
	for _, m := range more {
		text = "(" + text + " and rule:" + m + ")"
	}
	return &lbaas.Error{Kind: lbaas.Forbidden, Type: "PolicyNotAuthorized", Text: text + " is disallowed by policy"}
}

// mayRead lets those read who work in a project, and admins.
func mayRead(a *identity.Actor, rule string) error {
	if a.Admin() || a.ProjectID != "" && len(a.Roles) > 0 {
		return nil
	}
	return disallowed(rule)
}

// mayWrite lets members of a project write, and admins; readers may not.
func mayWrite(a *identity.Actor, rule string) error {
	if a.Admin() || a.ProjectID != "" && a.Has("member") {
		return nil
	}
	return disallowed(rule)
}

// owns tells whether an object of that project is the actor's to change.
func owns(a *identity.Actor, projectID string) bool {
	return a.Admin() || a.ProjectID != "" && a.ProjectID == projectID
}

// seesNetwork tells whether the actor may know of a network: its own ones, shared ones and external ones.
func seesNetwork(a *identity.Actor, n *network.Network) bool {
	return owns(a, n.ProjectID) || n.Shared || n.External
}
