package avitest

import (
	"fmt"
	"net/http"
	"net/netip"
)

// check applies the controller's rules to an object that is stored already, with its former self (nil: it is new).
//
// Vendor's documents and clients tell of these: what is required and its ranges, a pool and a policy set for one virtual service only, no
// clash of ports on a VsVip, children after their parent and without an address, keys that fit, references that lead somewhere, the VRF
// context and the cloud that stay. The others are guesses on the strict side, since what a real controller takes besides does no harm:
// the names of children are a child's own, one VRF context for all of a virtual service, L4 without TLS and policies, certificates where
// TLS is ended, lists of revocations where they are to be checked, one key of each kind, and the words of nearly all refusals.
func (m *model) check(old, o *object) error {
	var err error
	switch o.kind {
	case "virtualservice":
		return m.checkVS(old, o)
	case "vsvip":
		err = m.checkVsVip(old, o)
	case "pool":
		err = m.checkPool(o)
	case "healthmonitor":
		err = checkMonitor(o)
	case "applicationpersistenceprofile":
		err = checkPersistence(o)
	case "sslkeyandcertificate":
		err = m.checkCertificate(o)
	case "sslprofile":
		err = checkSSLProfile(o)
	case "pkiprofile":
		err = checkPKI(o)
	case "httppolicyset":
		err = checkPolicySet(o)
	case "vrfcontext":
		err = checkVRF(old, o)
	case "tenant":
		return m.checkTenant(old, o)
	}
	if err != nil || old == nil {
		return err
	}
	return m.checkUsers(o)
}

// bad is a rule's refusal.
func bad(format string, a ...any) error {
	return &refusal{http.StatusBadRequest, fmt.Sprintf(format, a...)}
}

// checkUsers checks the pools, certificates and virtual services that a change of what they use may break.
func (m *model) checkUsers(o *object) error {
	for _, p := range m.users(o, "pool") {
		if err := m.checkPool(p); err != nil {
			return err
		}
	}
	for _, c := range m.users(o, "sslkeyandcertificate") {
		if err := m.checkChain(c); err != nil {
			return err
		}
	}
	for _, vs := range m.servicesOf(o) {
		if err := m.checkVS(vs, vs); err != nil {
			return err
		}
	}
	return nil
}

// servicesOf are the virtual services that use an object, through policy sets too.
func (m *model) servicesOf(o *object) []*object {
	out := m.users(o, "virtualservice")
	for _, set := range m.users(o, "httppolicyset") {
		out = append(out, m.users(set, "virtualservice")...)
	}
	return out
}

// checkVsVip wants an address in every vip, ids that are unique and stay, and a VRF context that stays while it is used.
func (m *model) checkVsVip(old, o *object) error {
	seen := map[any]bool{}
	vips, _ := o.data["vip"].([]any)
	if len(vips) == 0 {
		return wrong("vip", "This field is required.")
	}
	for i, e := range vips {
		vip := e.(map[string]any)
		if seen[vip["vip_id"]] {
			return bad("Duplicate vip_id %v", vip["vip_id"])
		}
		seen[vip["vip_id"]] = true
		if err := checkVip(vip, fmt.Sprintf("vip[%d]", i)); err != nil {
			return err
		}
	}
	if old == nil {
		return nil
	}
	if old.data["vrf_context_ref"] != o.data["vrf_context_ref"] && len(m.users(old, "virtualservice")) > 0 {
		return bad("vrf_context_ref of a VsVip that is in use cannot be changed")
	}
	return keepIDs(old, o)
}

func checkVip(vip map[string]any, at string) error {
	if vip["ip_address"] == nil && vip["ip6_address"] == nil && vip["auto_allocate_ip"] != true {
		return bad("%s: ip_address or ip6_address or auto_allocate_ip is required", at)
	}
	if err := checkAddress(vip["ip_address"], "V4", at+".ip_address"); err != nil {
		return err
	}
	return checkAddress(vip["ip6_address"], "V6", at+".ip6_address")
}

// checkAddress wants an address of its type. A wanted type of "" is any.
func checkAddress(v any, want, at string) error {
	ip, ok := v.(map[string]any)
	if !ok {
		return nil
	}
	kind, _ := ip["type"].(string)
	text, _ := ip["addr"].(string)
	if want != "" && kind != want {
		return wrong(at, "An address of type %s is required.", want)
	}
	a, err := netip.ParseAddr(text)
	switch {
	case kind == "DNS":
		return nil
	case err != nil || a.Zone() != "" || a.Is4() != (kind == "V4"):
		return wrong(at, "Invalid IP address %q of type %s.", text, kind)
	}
	return nil
}

// keepIDs refuses another vip_id for an address that had one.
func keepIDs(old, o *object) error {
	ids := map[string]any{}
	for _, e := range entries(old.data["vip"]) {
		vip, _ := e.(map[string]any)
		ids[addressOf(vip)] = vip["vip_id"]
	}
	for _, e := range entries(o.data["vip"]) {
		vip, _ := e.(map[string]any)
		if id, had := ids[addressOf(vip)]; had && id != vip["vip_id"] {
			return bad("Changing an existing VIP's vip_id is not supported")
		}
	}
	return nil
}

func addressOf(vip map[string]any) string {
	four, _ := vip["ip_address"].(map[string]any)
	six, _ := vip["ip6_address"].(map[string]any)
	return fmt.Sprint(four["addr"], " ", six["addr"])
}

// checkPool wants servers with addresses, each once, and what the algorithm needs.
func (m *model) checkPool(o *object) error {
	seen := map[string]bool{}
	servers, _ := o.data["servers"].([]any)
	for i, e := range servers {
		server := e.(map[string]any)
		at := fmt.Sprintf("servers[%d]", i)
		if err := checkAddress(server["ip"], "", at+".ip"); err != nil {
			return err
		}
		ip, _ := server["ip"].(map[string]any)
		key := fmt.Sprint(spelled(ip["addr"]), " ", server["port"])
		if seen[key] {
			return bad("%s: duplicate server %v:%v", at, ip["addr"], server["port"])
		}
		seen[key] = true
	}
	if o.data["lb_algorithm_hash"] == "LB_ALGORITHM_CONSISTENT_HASH_CUSTOM_HEADER" && o.data["lb_algorithm_consistent_hash_hdr"] == nil {
		return wrong("lb_algorithm_consistent_hash_hdr", "This field is required.")
	}
	if err := m.checkPoolMonitors(o); err != nil {
		return err
	}
	return m.checkPoolTLS(o)
}

// spelled is an address in its one usual spelling; what is none stays.
func spelled(addr any) any {
	text, _ := addr.(string)
	if a, err := netip.ParseAddr(text); err == nil {
		return a.String()
	}
	return addr
}

// checkPoolMonitors wants an HTTPS monitor to know how to speak TLS: from the pool's SSL profile, as the manual has it, or its own.
func (m *model) checkPoolMonitors(o *object) error {
	for _, monitor := range m.followAll(o, "health_monitor_refs") {
		part, _ := monitor.data["https_monitor"].(map[string]any)
		if monitor.data["type"] == "HEALTH_MONITOR_HTTPS" && part["ssl_attributes"] == nil && o.data["ssl_profile_ref"] == nil {
			return bad("HealthMonitor %v of type HTTPS needs ssl_attributes or a pool with ssl_profile_ref", monitor.data["name"])
		}
	}
	return nil
}

// checkPoolTLS wants an SSL profile where servers are to be verified or told who asks.
func (m *model) checkPoolTLS(o *object) error {
	for _, field := range []string{"ssl_key_and_certificate_ref", "pki_profile_ref"} {
		if o.data[field] != nil && o.data["ssl_profile_ref"] == nil {
			return bad("%s needs ssl_profile_ref", field)
		}
	}
	if c := m.follow(o, "ssl_key_and_certificate_ref"); c != nil && c.data["type"] == "SSL_CERTIFICATE_TYPE_CA" {
		return bad("ssl_key_and_certificate_ref: a certificate of type CA has no key")
	}
	return nil
}

// checkVRF keeps a system's default what it is.
func checkVRF(old, o *object) error {
	if o.data["system_default"] == true && !o.system {
		return bad("system_default is the controller's own")
	}
	if old != nil && old.data["system_default"] != o.data["system_default"] {
		return bad("system_default cannot be changed")
	}
	return nil
}
