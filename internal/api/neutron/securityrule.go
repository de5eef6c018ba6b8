package neutron

import (
	"context"
	"strconv"

	"plimsoll/internal/identity"
	"plimsoll/internal/network"
	"plimsoll/internal/store"
)

func securityRuleSpec() spec {
	return spec{
		"id": readOnly, "revision_number": readOnly, "created_at": readOnly, "updated_at": readOnly, "normalized_cidr": readOnly,
		"project_id": postOnly, "tenant_id": postOnly, "security_group_id": postOnly, "direction": postOnly, "ethertype": postOnly,
		"protocol": postOnly, "port_range_min": postOnly, "port_range_max": postOnly, "remote_group_id": postOnly,
		"remote_ip_prefix": postOnly, "remote_address_group_id": postOnly,
		"description": postAndPut,
	}
}

func (s *service) securityRules() *resource {
	return &resource{
		name: "security_group_rule", plural: "security_group_rules", path: "security-group-rules", spec: securityRuleSpec(),
		notFound: func(id string) error { return network.SecurityGroupRuleNotFound(id) },
		list:     s.listSecurityRules, show: s.showSecurityRule, create: s.createSecurityRules, update: s.updateSecurityRule,
		remove: s.deleteSecurityRule,
	}
}

func securityRuleView(r *network.SecurityGroupRule) view {
	v := view{
		"id": r.ID, "project_id": r.ProjectID, "tenant_id": r.ProjectID, "security_group_id": r.GroupID, "direction": r.Direction,
		"ethertype": r.EtherType, "protocol": orNull(r.Protocol), "port_range_min": r.PortMin, "port_range_max": r.PortMax,
		"remote_group_id": orNull(r.RemoteGroupID), "remote_ip_prefix": nil, "normalized_cidr": nil, "remote_address_group_id": nil,
		"description": r.Description, "revision_number": r.Revision, "created_at": moment(r.CreatedAt), "updated_at": moment(r.UpdatedAt),
	}
	if r.RemotePrefix.IsValid() {
		v["remote_ip_prefix"], v["normalized_cidr"] = r.RemotePrefix.String(), r.RemotePrefix.Masked().String()
	}
	return v
}

func (s *service) listSecurityRules(ctx context.Context, a *identity.Actor, q store.Query) ([]view, error) {
	if err := s.ensureDefault(ctx, a, q); err != nil {
		return nil, err
	}
	found, err := s.store.SecurityGroupRules(ctx, visible(a, q))
	if err != nil {
		return nil, err
	}
	return viewsOf(found, securityRuleView), nil
}

func (s *service) showSecurityRule(ctx context.Context, a *identity.Actor, id string) (view, error) {
	r, err := s.ruleSeen(ctx, a, id)
	if err != nil {
		return nil, err
	}
	return securityRuleView(r), nil
}

// ruleSeen reads a rule that the actor may know of: its own ones, and those in its groups.
func (s *service) ruleSeen(ctx context.Context, a *identity.Actor, id string) (*network.SecurityGroupRule, error) {
	r, err := s.store.SecurityGroupRule(ctx, id)
	if err != nil || owns(a, r.ProjectID) {
		return r, err
	}
	if _, err := s.groupSeen(ctx, a, r.GroupID); err != nil {
		return nil, network.SecurityGroupRuleNotFound(id)
	}
	return r, nil
}

func (s *service) createSecurityRules(ctx context.Context, a *identity.Actor, bodies []*body) ([]view, error) {
	var list []*network.SecurityGroupRule
	for _, b := range bodies {
		r, err := s.newRule(ctx, a, b)
		if err != nil {
			return nil, err
		}
		list = append(list, r)
	}
	if err := s.store.CreateSecurityGroupRules(ctx, list); err != nil {
		return nil, err
	}
	return viewsOf(list, securityRuleView), nil
}

// newRule reads a rule. Its own group, and the one that it names, must be there for the actor.
func (s *service) newRule(ctx context.Context, a *identity.Actor, b *body) (*network.SecurityGroupRule, error) {
	b.required("security_group_id", "direction")
	r := &network.SecurityGroupRule{ProjectID: b.owner(a), EtherType: network.IPv4}
	b.uuid("security_group_id", &r.GroupID)
	b.direction(r)
	b.etherType(r)
	b.protocol(r)
	r.PortMin, r.PortMax = b.rulePort("port_range_min"), b.rulePort("port_range_max")
	if b.given("remote_group_id") {
		b.uuid("remote_group_id", &r.RemoteGroupID)
	}
	b.remotePrefix(r)
	b.nothing("remote_address_group_id")
	b.textOrNull("description", &r.Description, 255)
	if err := b.err(); err != nil {
		return nil, err
	}
	r.Canonical()
	if err := r.Validate(); err != nil {
		return nil, err
	}
	for _, id := range []string{r.RemoteGroupID, r.GroupID} {
		if id == "" {
			continue
		}
		if _, err := s.groupSeen(ctx, a, id); err != nil {
			return nil, err
		}
	}
	return r, nil
}

// direction reads where the traffic of a rule goes.
func (b *body) direction(r *network.SecurityGroupRule) {
	if b.isNull("direction") {
		b.fail(invalid("direction", "'None' is not in ['%s', '%s']", network.Ingress, network.Egress))
		return
	}
	b.oneOf("direction", &r.Direction, network.Ingress, network.Egress)
}

func (b *body) etherType(r *network.SecurityGroupRule) {
	if !b.has("ethertype") {
		return
	}
	v, err := network.ParseEtherType(shown(b.Object["ethertype"]))
	if err != nil {
		b.fail(err)
		return
	}
	r.EtherType = v
}

// protocol reads the protocol of a rule; null is any.
func (b *body) protocol(r *network.SecurityGroupRule) {
	if !b.given("protocol") {
		return
	}
	v, err := network.ParseProtocol(shown(b.Object["protocol"]))
	if err != nil {
		b.fail(err)
		return
	}
	r.Protocol = v
}

// rulePort reads a port of a rule, or ICMP's type or code; nil is any.
func (b *body) rulePort(name string) *int {
	if !b.given(name) {
		return nil
	}
	text := shown(b.Object[name])
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 || n > 65535 {
		b.fail(network.InvalidPort(text))
		return nil
	}
	return &n
}

// remotePrefix reads from or to where the traffic of a rule goes; null and the empty text are everywhere.
func (b *body) remotePrefix(r *network.SecurityGroupRule) {
	if !b.given("remote_ip_prefix") || shown(b.Object["remote_ip_prefix"]) == "" {
		return
	}
	p, err := network.ParseRemotePrefix(shown(b.Object["remote_ip_prefix"]))
	if err != nil {
		b.fail(err)
		return
	}
	r.RemotePrefix = p
}

func (s *service) updateSecurityRule(ctx context.Context, a *identity.Actor, id string, b *body) (view, error) {
	if _, err := s.ruleSeen(ctx, a, id); err != nil {
		return nil, err
	}
	r, err := s.store.UpdateSecurityGroupRule(ctx, id, func(r *network.SecurityGroupRule) error {
		b.textOrNull("description", &r.Description, 255)
		return b.err()
	})
	if err != nil {
		return nil, err
	}
	return securityRuleView(r), nil
}

func (s *service) deleteSecurityRule(ctx context.Context, a *identity.Actor, id string) error {
	if _, err := s.ruleSeen(ctx, a, id); err != nil {
		return err
	}
	return s.store.DeleteSecurityGroupRule(ctx, id)
}
