package avi

import (
	"context"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"plimsoll/internal/network"
	"plimsoll/internal/provider/avi/controller"
	"plimsoll/internal/provider/avi/translate"
)

// touch is a field that users set on the controller: of an object, or of a part of it.
type touch struct {
	key
	part, field string
}

// theirs are fields that are not ours, and what users set them to, by kind and part.
var theirs = map[string]map[string]map[string]any{
	translate.VirtualService: {"": {"weight": int64(7)}},
	translate.VsVip:          {"": {"dns_info": []any{map[string]any{"fqdn": "a.example.com"}}}, "vip": {"availability_zone": "theirs"}},
	translate.Pool:           {"": {"graceful_disable_timeout": int64(5), "connection_ramp_duration": int64(20)}, servers: {"description": "theirs", "mac_address": "theirs"}},
	translate.Monitor:        {"": {"monitor_port": int64(8081)}, "http_monitor": {"http_response": "theirs"}, "https_monitor": {"http_response": "theirs"}},
	translate.Persistence:    {"": {"server_hm_down_recovery": "HM_DOWN_ABORT_CONNECTION"}, "app_cookie_persistence_profile": {"timeout": int64(30)}},
	translate.SSLProfile:     {"": {"ssl_session_timeout": int64(300), "dhparam": "theirs"}},
	translate.PKIProfile:     {"": {"ignore_peer_chain": true}},
	translate.PolicySet:      {"": {"cloud_config_cksum": "theirs"}, "rules": {"log": true}},
	translate.Certificate:    {"": {"enckey_name": "theirs"}},
}

// in is the part of an object that was edited; nil is that it is not there.
func (e touch) in(o map[string]any) map[string]any {
	if o == nil || e.part == "" || e.part == httpPolicies {
		return o
	}
	for _, list := range []any{o[e.part], o[servers], o["vip"], within(o, "http_request_policy", "rules")} {
		if m, ok := list.(map[string]any); ok {
			return m
		}
		elements, _ := list.([]any)
		for _, m := range elements {
			if m, ok := m.(map[string]any); ok && partOf(e.kind, m) == e.part {
				return m
			}
		}
	}
	return nil
}

// partOf names an element of a list.
func partOf(kind string, m map[string]any) string {
	switch kind {
	case translate.Pool:
		return servers + " " + serverAt(m)
	case translate.PolicySet:
		return "rules " + ruleKey(m)
	}
	return "vip"
}

// users has users set fields that are not ours, and give virtual services policies of their own.
func (p *path) users() {
	for _, l := range p.lbs {
		all := p.w.objectsOf(l.plain())
		for _, k := range all.keys() {
			if p.r.IntN(8) == 0 {
				p.touch(k, all[k])
			}
			if k.kind == translate.VirtualService && all[k]["ssl_profile_ref"] != nil && p.r.IntN(8) == 0 {
				p.addPolicies(k)
			}
		}
	}
}

func (p *path) touch(k key, o map[string]any) {
	parts := slices.Sorted(maps.Keys(theirs[k.kind]))
	for _, part := range parts {
		fields := theirs[k.kind][part]
		e := touch{key: k, part: part}
		switch part {
		case servers, "rules":
			list, _ := o[servers].([]any)
			if part == "rules" {
				list, _ = within(o, "http_request_policy", "rules").([]any)
			}
			if len(list) == 0 {
				continue
			}
			e.part = partOf(k.kind, list[p.r.IntN(len(list))].(map[string]any))
		}
		if e.in(o) == nil {
			continue
		}
		p.w.edit(k.kind, k.uuid, func(o map[string]any) { maps.Copy(e.in(o), fields) })
		for field, value := range fields {
			e.field = field
			p.edits[e] = value
		}
	}
}

// meddle has an operator delete an object that is ours, or change it, which Observe then sees.
func (p *path) meddle() {
	for _, l := range p.lbs {
		all := p.w.objectsOf(l.plain())
		for _, k := range all.keys() {
			if p.r.IntN(6) > 0 {
				continue
			}
			switch {
			case k.kind == translate.VirtualService && all[k]["type"] != "VS_TYPE_VH_PARENT" && p.r.IntN(2) == 0:
				p.w.server.Drop(k.kind, k.uuid)
			case k.kind == translate.VirtualService:
				p.w.edit(k.kind, k.uuid, func(o map[string]any) { o["enabled"] = o["enabled"] != true })
				continue
			case k.kind == translate.Pool:
				p.w.edit(k.kind, k.uuid, func(o map[string]any) { o[servers], o["enabled"], o["health_monitor_refs"] = []any{}, false, []any{} })
			case k.kind == translate.Monitor:
				p.w.edit(k.kind, k.uuid, func(o map[string]any) { o["send_interval"] = int64(1000) })
				continue
			case k.kind == translate.PolicySet:
				p.w.edit(k.kind, k.uuid, func(o map[string]any) { delete(o, "http_request_policy") })
			default:
				continue
			}
			gone := p.w.server.Object(k.kind, k.uuid) == nil
			maps.DeleteFunc(p.edits, func(e touch, _ any) bool { return e.uuid == k.uuid && (gone || e.part != "") })
		}
	}
	if p.r.IntN(2) == 0 {
		p.observe()
	}
}

// addPolicies adds a policy set of users' to a virtual service.
func (p *path) addPolicies(k key) {
	uuid := "httppolicyset-theirs-" + k.uuid
	if p.w.server.Object(translate.PolicySet, uuid) != nil {
		return
	}
	tenant := controller.Tenant{UUID: projectTenant}
	if _, err := p.w.provider.ctl.Create(context.Background(), tenant, translate.PolicySet, uuid, controller.Object{"name": uuid}); err != nil {
		p.t.Fatal(err)
	}
	p.w.edit(k.kind, k.uuid, func(o map[string]any) {
		list, _ := o[httpPolicies].([]any)
		used := map[string]bool{}
		for _, e := range list {
			used[numeral(e.(map[string]any)["index"])] = true
		}
		entry := atFreeIndex(map[string]any{"index": int64(1), policySetRef: "/api/httppolicyset/" + uuid}, used)
		o[httpPolicies] = append(list, entry)
	})
	p.edits[touch{k, httpPolicies, ""}] = uuid
}

// withoutTheirPolicies takes users' policy sets out of a virtual service, and the index of ours, which they may have pushed aside.
func withoutTheirPolicies(vs map[string]any) {
	list, ok := vs[httpPolicies].([]any)
	if !ok {
		return
	}
	list = slices.DeleteFunc(list, func(e any) bool { return strings.Contains(refID(e.(map[string]any)[policySetRef]), "theirs") })
	for _, e := range list {
		delete(e.(map[string]any), "index")
	}
	vs[httpPolicies] = list
	if len(list) == 0 {
		delete(vs, httpPolicies)
	}
}

// oneSubnet are wires with the subnet of all tests.
type oneSubnet struct{ *wires }

func (oneSubnet) Subnet(_ context.Context, id string) (*network.Subnet, error) {
	return &network.Subnet{ID: id, NetworkID: vipNetwork, CIDR: netip.MustParsePrefix("10.0.3.0/24")}, nil
}
