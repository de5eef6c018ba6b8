package avitest

import (
	"fmt"
	"net/http"
)

// admin is the uuid and name of the tenant of the controller itself.
const admin = "admin"

// A scope is a tenant, or all of them.
type scope struct {
	uuid string // of the tenant
	all  bool   // X-Avi-Tenant: *
}

// tenantOf settles whose objects a call is about.
func (m *model) tenantOf(c call) (scope, error) {
	switch {
	case c.Tenant != "" && c.TenantUUID != "":
		return scope{}, &refusal{http.StatusBadRequest, "Only one of X-Avi-Tenant and X-Avi-Tenant-UUID is allowed"}
	case c.Tenant == "*" || c.TenantUUID == "*":
		return scope{uuid: admin, all: true}, nil
	case c.TenantUUID != "":
		if m.objects["tenant"][c.TenantUUID] == nil {
			return scope{}, &refusal{http.StatusForbidden, fmt.Sprintf("tenant uuid %s does not exist", c.TenantUUID)}
		}
		return scope{uuid: c.TenantUUID}, nil
	case c.Tenant == "":
		return scope{uuid: admin}, nil
	}
	for uuid, t := range m.objects["tenant"] {
		if t.data["name"] == c.Tenant {
			return scope{uuid: uuid}, nil
		}
	}
	return scope{}, &refusal{http.StatusForbidden, fmt.Sprintf("Tenant '%s' does not exist!", c.Tenant)}
}

// sees tells whether a tenant may read and refer to an object: its own, tenants, and of tenant admin what came with the controller and
// what is shared.
func (m *model) sees(tenant string, o *object) bool {
	switch {
	case o.tenant == tenant || o.kind == "tenant":
		return true
	case o.tenant != admin:
		return false
	case o.kind == "vrfcontext": // a tenant with VRF contexts of its own does not see the administrator's
		return !m.ownVRF(tenant)
	}
	return o.system || m.schema.kinds[o.kind].shared || m.schema.kinds[o.kind].singleton
}

// ownVRF tells whether a tenant has VRF contexts of its own.
func (m *model) ownVRF(tenant string) bool {
	t := m.objects["tenant"][tenant]
	return t != nil && settingOf(t, "tenant_vrf")
}

// defaultVRF is the VRF context of what names none: the tenant's own default, else the global one.
func (m *model) defaultVRF(tenant string) *object {
	var global *object
	for _, o := range m.objects["vrfcontext"] {
		if o.data["system_default"] != true || !m.sees(tenant, o) {
			continue
		}
		if o.tenant == tenant {
			return o
		}
		global = o
	}
	return global
}

// ownDefault tells whether a tenant has a default VRF context of its own.
func (m *model) ownDefault(tenant string) bool {
	for _, o := range m.objects["vrfcontext"] {
		if o.tenant == tenant && o.data["system_default"] == true {
			return true
		}
	}
	return false
}

// checkTenant keeps whose VRF contexts a tenant uses while it has objects that are in one.
func (m *model) checkTenant(old, o *object) error {
	if old == nil || settingOf(old, "tenant_vrf") == settingOf(o, "tenant_vrf") {
		return nil
	}
	if len(m.owned(old)) > 0 {
		return bad("tenant_vrf of a tenant with objects cannot be changed")
	}
	return nil
}

func settingOf(t *object, name string) bool {
	settings, _ := t.data["config_settings"].(map[string]any)
	on, _ := settings[name].(bool)
	return on
}

// tenantCreated gives a new tenant with VRF contexts of its own its default one.
func (m *model) tenantCreated(t *object) {
	if !m.ownVRF(t.uuid) {
		return
	}
	name := fmt.Sprintf("%v-default", t.data["name"])
	m.place(t.uuid, "vrfcontext", name, map[string]any{"system_default": true, "cloud_ref": path("cloud", m.cloud)})
}
