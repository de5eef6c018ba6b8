package avitest

// checkMonitor wants a receive_timeout shorter than the send_interval, and the part of the type, with what it checks.
func checkMonitor(o *object) error {
	every, _ := o.data["send_interval"].(int64)
	within, _ := o.data["receive_timeout"].(int64)
	if within >= every {
		return bad("receive_timeout %d must be less than send_interval %d", within, every)
	}
	parts := map[string]string{"http_monitor": "HEALTH_MONITOR_HTTP", "https_monitor": "HEALTH_MONITOR_HTTPS", "tcp_monitor": "HEALTH_MONITOR_TCP"}
	for _, part := range sortedKeys(parts) {
		has, wanted := o.data[part] != nil, o.data["type"] == parts[part]
		if has && !wanted {
			return bad("%s is not for a HealthMonitor of type %v", part, o.data["type"])
		}
		if wanted && !has && part != "tcp_monitor" {
			return wrong(part, "This field is required.")
		}
		if m, ok := o.data[part].(map[string]any); ok && part != "tcp_monitor" && m["http_response_code"] == nil {
			return wrong(part+".http_response_code", "At least one response code is required.")
		}
	}
	return nil
}

// checkPersistence wants the part of the type and no other.
func checkPersistence(o *object) error {
	parts := map[string]string{
		"app_cookie_persistence_profile": "PERSISTENCE_TYPE_APP_COOKIE", "http_cookie_persistence_profile": "PERSISTENCE_TYPE_HTTP_COOKIE",
		"ip_persistence_profile": "PERSISTENCE_TYPE_CLIENT_IP_ADDRESS", "hdr_persistence_profile": "PERSISTENCE_TYPE_CUSTOM_HTTP_HEADER",
	}
	for _, part := range sortedKeys(parts) {
		has, wanted := o.data[part] != nil, o.data["persistence_type"] == parts[part]
		if has && !wanted {
			return bad("%s is not for an ApplicationPersistenceProfile of type %v", part, o.data["persistence_type"])
		}
		if wanted && !has && part == "app_cookie_persistence_profile" {
			return wrong(part, "This field is required.")
		}
	}
	return nil
}
