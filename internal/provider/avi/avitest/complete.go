package avitest

import (
	"maps"
	"strconv"
)

// complete fills in what follows from the rest of an object and from the system's defaults.
func (m *model) complete(o *object) {
	if f := m.schema.kinds[o.kind].fields["cloud_ref"]; f != nil && o.data["cloud_ref"] == nil {
		o.data["cloud_ref"] = path("cloud", m.cloud)
	}
	switch o.kind {
	case "virtualservice":
		m.completeVS(o)
	case "vsvip":
		m.refer(o, "vrf_context_ref", m.defaultVRF(o.tenant))
		o.data["vip"] = numbered(o.data["vip"])
		if o.data["vip"] == nil {
			delete(o.data, "vip")
		}
	case "pool":
		m.completePool(o)
	case "sslkeyandcertificate":
		completeCertificate(o, m.opts.Now())
		if m.opts.SharedCAs {
			m.shareAuthorities(o)
		}
	case "tenant":
		m.completeTenant(o)
	}
}

// refer sets a reference that is missing.
func (m *model) refer(o *object, field string, to *object) {
	if o.data[field] == nil && to != nil {
		o.data[field] = path(to.kind, to.uuid)
	}
}

// builtin finds an object that came with the controller.
func (m *model) builtin(kind, name string) *object {
	return m.find(target{kind: kind, name: name}, admin)
}

func (m *model) completeVS(o *object) {
	m.refer(o, "application_profile_ref", m.builtin("applicationprofile", "System-HTTP"))
	m.refer(o, "network_profile_ref", m.builtin("networkprofile", "System-TCP-Proxy"))
	m.refer(o, "analytics_profile_ref", m.builtin("analyticsprofile", "System-Analytics-Profile"))
	m.refer(o, "se_group_ref", m.builtin("serviceenginegroup", "Default-Group"))
	m.refer(o, "vrf_context_ref", m.defaultVRF(o.tenant))
	delete(o.data, "vip") // its VsVip has it
	services, _ := o.data["services"].([]any)
	filled := make([]any, 0, len(services))
	for _, e := range services {
		service := maps.Clone(e.(map[string]any))
		if service["port_range_end"] == nil {
			service["port_range_end"] = service["port"]
		}
		filled = append(filled, service)
	}
	if len(filled) > 0 {
		o.data["services"] = filled
	}
	if o.data["ssl_key_and_certificate_refs"] != nil {
		name := "System-Standard" // 18.x; 20.1 has the other, both recorded
		if !m.version.before(version{20, 1, 1}) {
			name = "System-Standard-PFS"
		}
		m.refer(o, "ssl_profile_ref", m.builtin("sslprofile", name))
	}
}

func (m *model) completePool(o *object) {
	m.refer(o, "vrf_ref", m.defaultVRF(o.tenant))
	m.refer(o, "analytics_profile_ref", m.builtin("analyticsprofile", "System-Analytics-Profile"))
	o.data["servers"] = withHostnames(o.data["servers"])
	if o.data["servers"] == nil {
		delete(o.data, "servers")
	}
}

// numbered gives vips without an id theirs.
func numbered(v any) any {
	list, _ := v.([]any)
	var out []any
	for i, e := range list {
		vip := maps.Clone(e.(map[string]any))
		if vip["vip_id"] == nil {
			vip["vip_id"] = strconv.Itoa(i)
		}
		out = append(out, vip)
	}
	if out == nil {
		return nil
	}
	return out
}

// withHostnames gives servers without a hostname their address as such.
func withHostnames(v any) any {
	list, _ := v.([]any)
	var out []any
	for _, e := range list {
		server := maps.Clone(e.(map[string]any))
		if ip, _ := server["ip"].(map[string]any); server["hostname"] == nil {
			server["hostname"] = ip["addr"]
		}
		out = append(out, server)
	}
	if out == nil {
		return nil
	}
	return out
}

// completeTenant fills in what the system's configuration says of tenants.
func (m *model) completeTenant(o *object) {
	if o.data["config_settings"] != nil {
		return
	}
	settings := tenantSettings()
	if c := m.objects["systemconfiguration"]["default"]; c != nil {
		global, _ := c.data["global_tenant_config"].(map[string]any)
		settings = maps.Clone(global)
	}
	o.data["config_settings"] = settings
}
