package avitest

import (
	"github.com/google/uuid"
)

// install makes the objects that a controller comes with.
func (m *model) install() {
	m.opts.Now() // the clock is used at once, so that one that fails does so here
	m.installSingle("tenant", admin, map[string]any{"name": admin, "local": true, "config_settings": tenantSettings()}, true)
	m.installSingle("systemconfiguration", "default", map[string]any{
		"global_tenant_config": tenantSettings(),
		"portal_configuration": map[string]any{"allow_basic_authentication": m.version.before(version{20, 1, 1}), "use_uuid_from_input": false, "api_force_timeout": int64(24)},
	}, false)
	m.installSingle("controllerproperties", "global", map[string]any{"api_idle_timeout": int64(15)}, false)
	m.installCloud()
	m.installProfiles()
	m.installMonitors()
	m.installPersistence()
}

func tenantSettings() map[string]any {
	return map[string]any{"tenant_vrf": false, "se_in_provider_context": true, "tenant_access_to_provider_se": true}
}

// place stores an object that comes with the controller. Its uuid follows from its name, so that it is the same in every run.
func (m *model) place(tenant, kind, name string, data map[string]any) *object {
	data["name"] = name
	id := kind + "-" + uuid.NewSHA1(uuid.NameSpaceURL, []byte(tenant+"/"+kind+"/"+name)).String()
	return m.installAs(tenant, kind, id, data, false)
}

func (m *model) installSingle(kind, id string, data map[string]any, untouched bool) {
	m.installAs(admin, kind, id, data, untouched)
}

func (m *model) installAs(tenant, kind, id string, data map[string]any, untouched bool) *object {
	m.made++
	o := &object{kind: kind, uuid: id, tenant: tenant, system: true, untouched: untouched, created: m.opts.Now(), order: m.made, data: data}
	r := &reader{m: m, version: m.version}
	if err := r.finish(m.schema.kinds[kind], data, ""); err != nil {
		panic("avitest: " + kind + " " + id + ": " + err.Error()) // a mistake in this file
	}
	if err := m.commit(nil, o); err != nil {
		panic("avitest: " + kind + " " + id + ": " + err.Error())
	}
	return o
}

func (m *model) installCloud() {
	cloud := map[string]any{"vtype": m.opts.DefaultType}
	if m.opts.DefaultType == "CLOUD_OPENSTACK" {
		cloud["openstack_configuration"] = map[string]any{"privilege": "WRITE_ACCESS", "tenant_se": true, "import_keystone_tenants": true,
			"allowed_address_pairs": true, "security_groups": true}
	}
	m.cloud = m.place(admin, "cloud", "Default-Cloud", cloud).uuid
	ref := path("cloud", m.cloud)
	for _, name := range append([]string{"Default-Group"}, m.opts.SEGroups...) {
		m.place(admin, "serviceenginegroup", name, map[string]any{"cloud_ref": ref})
	}
	m.place(admin, "vrfcontext", "global", map[string]any{"cloud_ref": ref, "system_default": true})
	m.place(admin, "vrfcontext", "management", map[string]any{"cloud_ref": ref})
}

func (m *model) installProfiles() {
	for name, kind := range map[string]string{"System-HTTP": "HTTP", "System-Secure-HTTP": "HTTP", "System-L4-Application": "L4", "System-SSL-Application": "SSL",
		"System-DNS": "DNS", "System-Syslog": "SYSLOG"} {
		m.place(admin, "applicationprofile", name, map[string]any{"type": "APPLICATION_PROFILE_TYPE_" + kind})
	}
	for _, name := range []string{"System-TCP-Proxy", "System-TCP-Fast-Path", "System-UDP-Fast-Path", "System-UDP-Per-Pkt"} {
		m.place(admin, "networkprofile", name, map[string]any{})
	}
	m.place(admin, "analyticsprofile", "System-Analytics-Profile", map[string]any{})
	for _, name := range []string{"System-Standard", "System-Standard-PFS", "System-Standard-Portal"} {
		m.place(admin, "sslprofile", name, map[string]any{
			"accepted_ciphers":  "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-RSA-AES256-GCM-SHA384",
			"accepted_versions": []any{map[string]any{"type": "SSL_VERSION_TLS1_1"}, map[string]any{"type": "SSL_VERSION_TLS1_2"}},
		})
	}
}

func (m *model) installMonitors() {
	codes := []any{"HTTP_2XX", "HTTP_3XX"}
	request := func() map[string]any {
		return map[string]any{"http_request": "HEAD / HTTP/1.0", "http_response_code": codes, "exact_http_request": false}
	}
	m.place(admin, "healthmonitor", "System-HTTP", map[string]any{"type": "HEALTH_MONITOR_HTTP", "http_monitor": request()})
	m.place(admin, "healthmonitor", "System-HTTPS", map[string]any{"type": "HEALTH_MONITOR_HTTPS", "https_monitor": request()})
	m.place(admin, "healthmonitor", "System-Ping", map[string]any{"type": "HEALTH_MONITOR_PING"})
	m.place(admin, "healthmonitor", "System-TCP", map[string]any{"type": "HEALTH_MONITOR_TCP", "tcp_monitor": map[string]any{"tcp_half_open": false}})
	m.place(admin, "healthmonitor", "System-UDP", map[string]any{"type": "HEALTH_MONITOR_UDP"})
}

func (m *model) installPersistence() {
	m.persistence("Client-IP", "CLIENT_IP_ADDRESS", "ip_persistence_profile", map[string]any{"ip_persistent_timeout": int64(5)})
	m.persistence("Http-Cookie", "HTTP_COOKIE", "http_cookie_persistence_profile", map[string]any{"always_send_cookie": false})
	m.persistence("App-Cookie", "APP_COOKIE", "app_cookie_persistence_profile", map[string]any{"prst_hdr_name": "JSESSIONID", "timeout": int64(20)})
	m.persistence("TLS", "TLS", "", nil)
	m.persistence("Custom-Http-Header", "CUSTOM_HTTP_HEADER", "hdr_persistence_profile", map[string]any{"prst_hdr_name": "X-Session"})
}

func (m *model) persistence(name, kind, part string, profile map[string]any) {
	data := map[string]any{"persistence_type": "PERSISTENCE_TYPE_" + kind}
	if part != "" {
		data[part] = profile
	}
	m.place(admin, "applicationpersistenceprofile", "System-Persistence-"+name, data)
}

// network finds an OpenStack network by Neutron's id, and takes it as told by the cloud if the model is to.
func (m *model) network(id string) *object {
	if o := m.objects["network"]["network-"+id]; o != nil {
		return o
	}
	if _, err := uuid.Parse(id); err != nil || !m.opts.AnyNetwork {
		return nil
	}
	return m.installAs(admin, "network", id, map[string]any{"name": "network-" + id, "cloud_ref": path("cloud", m.cloud)}, false)
}
