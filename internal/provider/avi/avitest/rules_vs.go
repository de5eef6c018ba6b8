package avitest

import (
	"fmt"
)

// checkVS applies the rules of virtual services.
func (m *model) checkVS(old, o *object) error {
	if old != nil && old.data["vrf_context_ref"] != o.data["vrf_context_ref"] {
		return bad("vrf_context_ref of a VirtualService cannot be changed")
	}
	checks := []func(*object) error{m.checkPlace, m.checkSecrets, m.checkVRFs, m.checkPools, m.checkPolicies}
	if o.data["type"] == "VS_TYPE_VH_CHILD" {
		checks = append([]func(*object) error{m.checkChild}, checks...)
	} else {
		checks = append([]func(*object) error{m.checkListening, m.checkParent}, checks...)
	}
	for _, check := range checks {
		if err := check(o); err != nil {
			return err
		}
	}
	return nil
}

// checkListening wants an address and ports that no other virtual service of the VsVip has.
func (m *model) checkListening(o *object) error {
	vip := m.follow(o, "vsvip_ref")
	if vip == nil {
		return wrong("vsvip_ref", "A vip or vsvip_ref is required.")
	}
	services, _ := o.data["services"].([]any)
	if len(services) == 0 {
		return wrong("services", "At least one service is required.")
	}
	if o.data["vh_parent_vs_ref"] != nil || o.data["vh_domain_name"] != nil {
		return bad("vh_parent_vs_ref and vh_domain_name are for VirtualServices of type VS_TYPE_VH_CHILD")
	}
	for i, e := range services {
		low, high := span(e)
		if low > high {
			return wrong("services", "port_range_end must not be less than port.")
		}
		if overlaps(services[:i], low, high) {
			return bad("Services of VirtualService %v overlap at port %d", o.data["name"], low)
		}
		for _, other := range m.users(vip, "virtualservice") {
			ports, _ := other.data["services"].([]any)
			if other.uuid != o.uuid && overlaps(ports, low, high) {
				return bad("VirtualService %v: port %d is in use by VirtualService %v on the same VsVip %v", o.data["name"], low, other.data["name"], vip.data["name"])
			}
		}
	}
	return nil
}

// span is a service's first and last port.
func span(service any) (low, high int64) {
	s, _ := service.(map[string]any)
	low, _ = s["port"].(int64)
	high, _ = s["port_range_end"].(int64)
	return low, high
}

func overlaps(services []any, low, high int64) bool {
	for _, e := range services {
		if l, h := span(e); low <= h && l <= high {
			return true
		}
	}
	return false
}

// checkParent keeps a parent with children one, and wants it to end TLS.
func (m *model) checkParent(o *object) error {
	parent := o.data["type"] == "VS_TYPE_VH_PARENT"
	if !parent && len(m.children(o)) > 0 {
		return bad("VirtualService %v has children and must be of type VS_TYPE_VH_PARENT", o.data["name"])
	}
	if parent && !encrypts(o) {
		return bad("VirtualService %v of type VS_TYPE_VH_PARENT needs a service with enable_ssl", o.data["name"])
	}
	return nil
}

// encrypts tells whether a service of a virtual service ends TLS.
func encrypts(o *object) bool {
	for _, e := range entries(o.data["services"]) {
		if s, ok := e.(map[string]any); ok && s["enable_ssl"] == true {
			return true
		}
	}
	return false
}

// checkChild wants a parent of the type, in the same tenant, names that no sibling has, and nothing of its own to listen on.
func (m *model) checkChild(o *object) error {
	for _, field := range []string{"services", "vsvip_ref"} {
		if o.data[field] != nil {
			return bad("VirtualService %v of type VS_TYPE_VH_CHILD cannot have %s", o.data["name"], field)
		}
	}
	if len(m.children(o)) > 0 {
		return bad("VirtualService %v has children and must be of type VS_TYPE_VH_PARENT", o.data["name"])
	}
	parent := m.follow(o, "vh_parent_vs_ref")
	if parent == nil {
		return wrong("vh_parent_vs_ref", "This field is required.")
	}
	if parent.data["type"] != "VS_TYPE_VH_PARENT" || parent.tenant != o.tenant {
		return bad("VirtualService %v is no parent: its type is %v", parent.data["name"], parent.data["type"])
	}
	if o.data["vh_domain_name"] == nil {
		return wrong("vh_domain_name", "This field is required.")
	}
	return m.checkDomains(o, parent)
}

func (m *model) checkDomains(o, parent *object) error {
	taken := map[any]*object{}
	for _, sibling := range m.users(parent, "virtualservice") {
		if sibling.uuid == o.uuid {
			continue
		}
		for _, name := range entries(sibling.data["vh_domain_name"]) {
			taken[name] = sibling
		}
	}
	seen := map[any]bool{}
	for _, name := range entries(o.data["vh_domain_name"]) {
		if other := taken[name]; other != nil {
			return bad("vh_domain_name %v is in use by VirtualService %v of the same parent", name, other.data["name"])
		}
		if seen[name] || name == "" {
			return bad("vh_domain_name %q is empty or twice there", name)
		}
		seen[name] = true
	}
	return nil
}

// checkPlace wants all of a virtual service to be of one cloud.
func (m *model) checkPlace(o *object) error {
	used := []*object{m.follow(o, "vsvip_ref"), m.follow(o, "se_group_ref"), m.follow(o, "vrf_context_ref")}
	used = append(used, m.poolsOf(o)...)
	for _, u := range used {
		if u != nil && u.data["cloud_ref"] != nil && u.data["cloud_ref"] != o.data["cloud_ref"] {
			return bad("%s %v is of another cloud than VirtualService %v", m.label(u), u.data["name"], o.data["name"])
		}
	}
	return nil
}

// checkSecrets wants certificates where TLS is ended, one of each kind of key, and a profile that can.
func (m *model) checkSecrets(o *object) error {
	certificates := m.followAll(o, "ssl_key_and_certificate_refs")
	child := o.data["type"] == "VS_TYPE_VH_CHILD"
	if (encrypts(o) || child) && len(certificates) == 0 {
		return wrong("ssl_key_and_certificate_refs", "A certificate is required where SSL is enabled.")
	}
	if encrypts(o) && m.profileType(o) == "APPLICATION_PROFILE_TYPE_L4" {
		return bad("SSL cannot be enabled with an application profile of type L4")
	}
	algorithms := map[any]bool{}
	for _, c := range certificates {
		if c.data["type"] != "SSL_CERTIFICATE_TYPE_VIRTUALSERVICE" {
			return bad("SSLKeyAndCertificate %v is of type %v", c.data["name"], c.data["type"])
		}
		params, _ := c.data["key_params"].(map[string]any)
		if algorithms[params["algorithm"]] {
			return bad("Two certificates of a VirtualService must have keys of different algorithms")
		}
		algorithms[params["algorithm"]] = true
	}
	return nil
}

func (m *model) profileType(o *object) any {
	if p := m.follow(o, "application_profile_ref"); p != nil {
		return p.data["type"]
	}
	return nil
}

// checkVRFs wants one VRF context for a virtual service, its VsVip and its pools.
func (m *model) checkVRFs(o *object) error {
	vrf := o.data["vrf_context_ref"]
	if vip := m.follow(o, "vsvip_ref"); vip != nil && vip.data["vrf_context_ref"] != vrf {
		return bad("VsVip %v is in another VRF context than VirtualService %v", vip.data["name"], o.data["name"])
	}
	if parent := m.follow(o, "vh_parent_vs_ref"); parent != nil && parent.data["vrf_context_ref"] != vrf {
		return bad("VirtualService %v is in another VRF context than its parent %v", o.data["name"], parent.data["name"])
	}
	for _, p := range m.poolsOf(o) {
		if p.data["vrf_ref"] != vrf {
			return bad("Pool %v is in another VRF context than VirtualService %v", p.data["name"], o.data["name"])
		}
	}
	return nil
}

// poolsOf are the pools of a virtual service, those of its policies included.
func (m *model) poolsOf(o *object) []*object {
	var out []*object
	if p := m.follow(o, "pool_ref"); p != nil {
		out = append(out, p)
	}
	for _, set := range m.setsOf(o) {
		for _, ref := range m.schema.references(m.schema.kinds[set.kind], set.data) {
			if p := m.objects["pool"][uuidOf(ref)]; kindOf(ref) == "pool" && p != nil {
				out = append(out, p)
			}
		}
	}
	return out
}

// setsOf are the policy sets of a virtual service.
func (m *model) setsOf(o *object) []*object {
	var out []*object
	for _, e := range entries(o.data["http_policies"]) {
		entry, _ := e.(map[string]any)
		ref, _ := entry["http_policy_set_ref"].(string)
		if set := m.objects[kindOf(ref)][uuidOf(ref)]; set != nil {
			out = append(out, set)
		}
	}
	return out
}

// checkPools wants pools that no other virtual service uses.
func (m *model) checkPools(o *object) error {
	if o.data["pool_ref"] != nil && o.data["pool_group_ref"] != nil {
		return bad("Only one of pool_ref and pool_group_ref is allowed")
	}
	for _, p := range m.poolsOf(o) {
		for _, other := range m.servicesOf(p) {
			if other.uuid != o.uuid {
				return bad("Pool %v is already used by VirtualService %v", p.data["name"], other.data["name"])
			}
		}
	}
	return nil
}

// checkPolicies wants policies only where HTTP is spoken, each at an index of its own and of no other virtual service.
func (m *model) checkPolicies(o *object) error {
	sets := m.setsOf(o)
	if len(sets) > 0 && m.profileType(o) != "APPLICATION_PROFILE_TYPE_HTTP" {
		return bad("http_policies need an application profile of type HTTP")
	}
	seen := map[string]bool{}
	for _, e := range entries(o.data["http_policies"]) {
		entry, ok := e.(map[string]any)
		if !ok {
			continue
		}
		for _, key := range []string{fmt.Sprint("index ", entry["index"]), fmt.Sprint("policy set ", entry["http_policy_set_ref"])} {
			if seen[key] {
				return bad("http_policies: %s is twice there", key)
			}
			seen[key] = true
		}
	}
	for _, set := range sets {
		for _, other := range m.users(set, "virtualservice") {
			if other.uuid != o.uuid {
				return bad("HTTPPolicySet %v is already used by VirtualService %v", set.data["name"], other.data["name"])
			}
		}
	}
	return nil
}
