package translate

import (
	"slices"
	"strings"

	"plimsoll/lbaas"
)

// applicationProfiles are the controller's own, by the protocol of the listener. What is encrypted for the members passes as it is.
var applicationProfiles = map[lbaas.Protocol]string{
	lbaas.TCP:             "System-L4-Application",
	lbaas.HTTP:            "System-HTTP",
	lbaas.HTTPS:           "System-L4-Application",
	lbaas.TerminatedHTTPS: "System-Secure-HTTP",
}

// virtualServices makes the virtual service of a listener, and after it its children.
func (t *translation) virtualServices(l *lbaas.Listener) []Object {
	held := !t.readable(l)
	var all []Object
	for _, o := range t.owners(l) {
		name := t.ownerName(o)
		owned := t.virtualService(o)
		if o.sni == "" {
			t.parent(l, owned)
		} else {
			t.child(o, owned)
		}
		owned["name"] = name
		all = append(all, Object{
			Kind: VirtualService, UUID: o.uuid(VirtualService), Alias: alias(name, o.id), For: []string{l.ID}, Owned: owned, Held: held,
		})
	}
	return all
}

// ownerName is the name of the virtual service of an owner.
func (t *translation) ownerName(o owner) string {
	name := t.listenerName(o.listener)
	if o.sni != "" {
		name += "-" + t.commonName(o.sni)
	}
	return bounded(name)
}

// virtualService is what parents and children have in common.
func (t *translation) virtualService(o owner) map[string]any {
	owned := map[string]any{
		"description":             t.description(o.listener),
		"cloud_ref":               t.cloud(),
		"enabled":                 t.lb.AdminStateUp && o.listener.AdminStateUp,
		"application_profile_ref": NamedRef("applicationprofile", applicationProfiles[o.listener.Protocol]),
		"pool_ref":                t.defaultPool(o),
	}
	t.setVRF(owned, "vrf_context_ref")
	if t.options.OneArm {
		owned["ign_pool_net_reach"] = true
	}
	if t.options.SEGroup != "" {
		owned["se_group_ref"] = t.options.SEGroup
	}
	if speaksHTTP(o.listener) {
		owned["http_policies"] = t.httpPolicies(o)
	}
	if o.listener.UsesTLS() {
		owned["ssl_profile_ref"] = Ref(SSLProfile, UUID(SSLProfile, o.listener.ID))
		owned["ssl_key_and_certificate_refs"] = t.certificateRefs(o)
	}
	return owned
}

// parent adds what only the virtual service of the listener itself has: where it listens.
func (t *translation) parent(l *lbaas.Listener, owned map[string]any) {
	owned["type"] = "VS_TYPE_NORMAL"
	if len(children(l)) > 0 {
		owned["type"] = "VS_TYPE_VH_PARENT"
	}
	owned["vsvip_ref"] = Ref(VsVip, UUID(VsVip, t.lb.ID))
	owned["services"] = []any{map[string]any{"port": int64(l.ProtocolPort), "enable_ssl": l.UsesTLS()}}
	owned["performance_limits"] = map[string]any{"max_concurrent_connections": connections(l)}
}

// connections is the limit of a listener's connections; Avi's 0 is none.
func connections(l *lbaas.Listener) int64 {
	if l.ConnectionLimit == nil {
		return 0
	}
	return int64(max(*l.ConnectionLimit, 0))
}

// description is what users wrote of the load balancer and of the listener.
func (t *translation) description(l *lbaas.Listener) string {
	texts := []string{t.lb.Description, l.Description}
	return strings.Join(slices.DeleteFunc(texts, func(s string) bool { return s == "" }), "\n")
}

// defaultPool refers to the owner's copy of the default pool; nil is none.
func (t *translation) defaultPool(o owner) any {
	if t.lb.Pool(o.listener.DefaultPoolID) == nil {
		return nil
	}
	return Ref(Pool, PoolUUID(o.listener.DefaultPoolID, o.id))
}

// policyIndex is the place of our policies among those of a virtual service: before those that are made in Avi's UI, which begins at 11.
const policyIndex = 1

// httpPolicies refers to the owner's policies, where there are any.
func (t *translation) httpPolicies(o owner) []any {
	if len(t.policiesInOrder(o.listener)) == 0 {
		return []any{}
	}
	return []any{map[string]any{"index": int64(policyIndex), "http_policy_set_ref": Ref(PolicySet, o.uuid(PolicySet))}}
}
