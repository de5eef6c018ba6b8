package neutronlbaas

import (
	"context"
	"net/http"
	"regexp"

	"plimsoll/internal/web"
	"plimsoll/lbaas"
)

// The patterns of a monitor that speaks HTTP, as Neutron publishes them.
var (
	urlPath       = regexp.MustCompile(`^(/([a-zA-Z0-9-._~!$&'()*+,;=:@]|(%[a-fA-F0-9]{2}))*)+$`)
	expectedCodes = regexp.MustCompile(`^(\d{3}( *, *\d{3})*)$|^(\d{3}-\d{3})$`)
)

func healthMonitorSchema() schema {
	return schema{name: "healthmonitor", plural: "healthmonitors", attributes: namedAttributes(false, map[string]attribute{
		"pool_id": {access: postOnly, required: true, read: id, filter: "pool_id"},
		"pools":   {},
		"type": {
			access: postOnly, required: true, filter: "type",
			read: oneOf(lbaas.MonitorPing, lbaas.MonitorTCP, lbaas.MonitorHTTP, lbaas.MonitorHTTPS),
		},
		"delay":            {access: postAndPut, required: true, read: seconds, filter: "delay", asked: number},
		"timeout":          {access: postAndPut, required: true, read: seconds, filter: "timeout", asked: number},
		"max_retries":      {access: postAndPut, required: true, read: between(1, lbaas.MaxRetries), filter: "max_retries", asked: number},
		"max_retries_down": {access: postAndPut, read: between(1, lbaas.MaxRetries), filter: "max_retries_down", asked: number},
		"http_method": {
			access: postAndPut, filter: "http_method",
			read: oneOf("GET", "HEAD", "POST", "PUT", "DELETE", "TRACE", "OPTIONS", "CONNECT", "PATCH"),
		},
		"url_path":       {access: postAndPut, read: orNone(matching(urlPath)), filter: "url_path"},
		"expected_codes": {access: postAndPut, read: matching(expectedCodes), filter: "expected_codes"},
	})}
}

func (a *api) healthMonitors() *resource[*lbaas.HealthMonitor] {
	r := &resource[*lbaas.HealthMonitor]{
		schema: healthMonitorSchema(), api: a, path: "/healthmonitors", rule: "healthmonitor",
		one: a.Store.HealthMonitor, many: a.Store.HealthMonitors, view: healthMonitorView,
	}
	r.create = func(ctx context.Context, req *web.Request, b body) (web.Call, error) {
		pool := b.text("pool_id")
		if _, err := a.pools().see(ctx, req.Actor, pool); err != nil {
			return web.Call{}, err
		}
		c := r.anew(b.onlyHTTP(lbaas.MonitorType(b.text("type"))))
		c.Before = func(lb *lbaas.LoadBalancer, _ func(...lbaas.Part) error) error { return unmonitored(lb.Pool(pool)) }
		return c, nil
	}
	r.update = func(_ context.Context, old *lbaas.HealthMonitor, b body) (web.Call, error) {
		return r.on(http.MethodPut, old, b.onlyHTTP(old.Type)), nil
	}
	r.remove = func(old *lbaas.HealthMonitor) web.Call { return r.on(http.MethodDelete, old, nil) }
	return r
}

// onlyHTTP drops the attributes of HTTP for monitors that do not speak it: neutron-lbaas takes them, and never shows them.
func (b body) onlyHTTP(t lbaas.MonitorType) body {
	if (&lbaas.HealthMonitor{Type: t}).SpeaksHTTP() {
		return b
	}
	return b.without("http_method", "url_path", "expected_codes")
}

// unmonitored refuses a second monitor of a pool.
func unmonitored(p *lbaas.Pool) error {
	if p == nil || p.HealthMonitor == nil {
		return nil
	}
	return failure(lbaas.Conflict, "OneHealthMonitorPerPool", "Only one health monitor per pool allowed.  Pool %s is already using Health Monitor %s.",
		p.ID, p.HealthMonitor.ID)
}

func healthMonitorView(h *lbaas.HealthMonitor) view {
	v := common(&h.Object)
	v["name"], v["type"], v["pools"] = h.Name, h.Type, refTo(h.PoolID)
	v["delay"], v["timeout"], v["max_retries"], v["max_retries_down"] = h.Delay, h.Timeout, h.MaxRetries, h.MaxRetriesDown
	if h.SpeaksHTTP() {
		v["http_method"], v["url_path"], v["expected_codes"] = h.HTTPMethod, h.URLPath, h.ExpectedCodes
	}
	return v
}
