package octavia

import (
	"context"
	"encoding/json"
	"net/http"

	"github.com/google/uuid"

	"plimsoll/internal/store"
	"plimsoll/internal/web"
	"plimsoll/lbaas"
)

// readNewHealthMonitor reads what a POST of a health monitor says: its attributes, and whose it is.
func readNewHealthMonitor(f *form, h *lbaas.HealthMonitor) {
	f.require("pool_id")
	f.id("pool_id", &h.PoolID)
	readHealthMonitor(f, h)
}

// readHealthMonitor reads a health monitor's attributes. Those that only a POST takes are read where the form is of one.
func readHealthMonitor(f *form, h *lbaas.HealthMonitor) {
	f.common(&h.Object, false)
	if f.create {
		word(f, "type", &h.Type)
		f.require("type", "delay", "timeout", "max_retries")
	} else {
		f.notNull("delay", "timeout", "max_retries")
	}
	f.integer("delay", &h.Delay, 0)
	f.integer("timeout", &h.Timeout, 0)
	f.integer("max_retries", &h.MaxRetries, 0)
	f.integer("max_retries_down", &h.MaxRetriesDown, lbaas.DefaultRetries)
	f.judged("http_method", &h.HTTPMethod, lbaas.ValidHTTPMethod)
	f.judged("url_path", &h.URLPath, lbaas.ValidURLPath)
	f.judged("expected_codes", &h.ExpectedCodes, lbaas.ValidExpectedCodes)
	f.httpVersion(&h.HTTPVersion)
	f.filled("domain_name", &h.DomainName)
	h.DefaultHTTP()
}

// httpVersion reads a number that is kept as text: 1.1, and "1.1" too.
func (f *form) httpVersion(into *string) {
	f.note("http_version", schema{Type: "number"})
	raw, given := f.value("http_version")
	if !given {
		return
	}
	switch text := plainText(raw); {
	case raw == nil:
		*into = ""
	case text == "1", text == "1.0":
		*into = "1.0"
	case text == "1.1":
		*into = "1.1"
	default:
		f.refuse("http_version", raw, "Value should be one of: 1.0, 1.1")
	}
}

// checkHTTP refuses the HTTP attributes for a monitor that does not speak HTTP; in a PUT even as null.
func checkHTTP(f *form, h *lbaas.HealthMonitor) error {
	for _, attribute := range []string{"http_method", "url_path", "expected_codes"} {
		raw, given := f.value(attribute)
		if !given || raw == nil && f.create {
			continue
		}
		if err := h.CheckHTTPOption(attribute); err != nil {
			return err
		}
	}
	return nil
}

type healthMonitorJSON struct {
	objectJSON
	Pools          []ref             `json:"pools,omitempty"` // not within a load balancer
	Type           lbaas.MonitorType `json:"type"`
	Delay          int               `json:"delay"`
	Timeout        int               `json:"timeout"`
	MaxRetries     int               `json:"max_retries"`
	MaxRetriesDown int               `json:"max_retries_down"`
	HTTPMethod     *string           `json:"http_method"`
	URLPath        *string           `json:"url_path"`
	ExpectedCodes  *string           `json:"expected_codes"`
	HTTPVersion    *json.Number      `json:"http_version"`
	DomainName     *string           `json:"domain_name"`
}

func healthMonitorOf(h *lbaas.HealthMonitor, v view) healthMonitorJSON {
	j := nestedHealthMonitorOf(h, v)
	j.Pools = refTo(h.PoolID)
	return j
}

// nestedHealthMonitorOf is a health monitor as it stands within its load balancer.
func nestedHealthMonitorOf(h *lbaas.HealthMonitor, v view) healthMonitorJSON {
	return healthMonitorJSON{
		objectJSON: objectOf(&h.Object, v), Type: h.Type, Delay: h.Delay, Timeout: h.Timeout,
		MaxRetries: h.MaxRetries, MaxRetriesDown: h.MaxRetriesDown, HTTPMethod: orNull(h.HTTPMethod),
		URLPath: orNull(h.URLPath), ExpectedCodes: orNull(h.ExpectedCodes),
		HTTPVersion: orNull(json.Number(h.HTTPVersion)), DomainName: orNull(h.DomainName),
	}
}

// healthMonitor returns the monitor that the path names, if the actor may do what the route does.
func (a *API) healthMonitor(ctx context.Context, r *request) (*lbaas.HealthMonitor, error) {
	id, err := r.id("id", lbaas.NounHealthMonitor)
	if err != nil {
		return nil, err
	}
	h, err := a.Store.HealthMonitor(ctx, id)
	if err != nil {
		return nil, err
	}
	return h, r.allow(h.ProjectID)
}

func (a *API) showHealthMonitor(ctx context.Context, r *request) (web.Reply, error) {
	h, err := a.healthMonitor(ctx, r)
	if err != nil {
		return web.Reply{}, err
	}
	v := viewOf(r.Request)
	if err := warn(ctx, a, v, h); err != nil {
		return web.Reply{}, err
	}
	return reply(http.StatusOK, "healthmonitor", v.of(healthMonitorOf(h, v)))
}

func (a *API) createHealthMonitor(ctx context.Context, r *request) (web.Reply, error) {
	f, err := readForm(r, "health_monitor_", "healthmonitor", true)
	if err != nil {
		return web.Reply{}, err
	}
	h := lbaas.NewHealthMonitor()
	readNewHealthMonitor(f, h)
	if err := f.done(); err != nil {
		return web.Reply{}, err
	}
	p, err := a.Store.Pool(ctx, h.PoolID)
	if err != nil {
		return web.Reply{}, err
	}
	if err := r.allow(p.ProjectID); err != nil {
		return web.Reply{}, err
	}
	newMonitor(h, p)
	if err := first(checkHTTP(f, h), h.Validate()); err != nil {
		return web.Reply{}, err
	}
	err = a.change(ctx, p.LoadBalancerID, func(c *store.Change) error {
		p := c.LB.Pool(h.PoolID)
		if p == nil {
			return immutable(lbaas.NounPool, h.PoolID)
		}
		if err := a.Options.ValidateMonitor(p, h); err != nil {
			return err
		}
		p.HealthMonitor = h
		if err := c.Put(h); err != nil {
			return err
		}
		return touchPool(c, p)
	})
	if err != nil {
		return web.Reply{}, err
	}
	return reply(http.StatusCreated, "healthmonitor", healthMonitorOf(h, viewOf(r.Request)))
}

// newMonitor gives a monitor what comes from its pool.
func newMonitor(h *lbaas.HealthMonitor, p *lbaas.Pool) {
	h.ID, h.ProjectID, h.LoadBalancerID, h.PoolID = uuid.NewString(), p.ProjectID, p.LoadBalancerID, p.ID
	h.Operating = lbaas.Offline
}

func (a *API) updateHealthMonitor(ctx context.Context, r *request) (web.Reply, error) {
	f, err := readForm(r, "health_monitor_", "healthmonitor", false)
	if err != nil {
		return web.Reply{}, err
	}
	if readHealthMonitor(f, lbaas.NewHealthMonitor()); f.done() != nil {
		return web.Reply{}, f.done()
	}
	old, err := a.healthMonitor(ctx, r)
	if err != nil {
		return web.Reply{}, err
	}
	if err := checkHTTP(f, old); err != nil {
		return web.Reply{}, err
	}
	var h *lbaas.HealthMonitor
	err = a.changeMonitor(ctx, old, func(c *store.Change, p *lbaas.Pool) error {
		h = p.HealthMonitor
		readHealthMonitor(f, h)
		if err := first(h.Validate(), p.CheckMonitor(h), a.checkDelay(f, h)); err != nil {
			return err
		}
		return c.Put(h)
	})
	if err != nil {
		return web.Reply{}, err
	}
	return reply(http.StatusOK, "healthmonitor", healthMonitorOf(h, viewOf(r.Request)))
}

// checkDelay judges a delay that a PUT names; one that was allowed when it was written stays.
func (a *API) checkDelay(f *form, h *lbaas.HealthMonitor) error {
	if !f.has("delay") {
		return nil
	}
	return a.Options.CheckDelay(h)
}

func (a *API) deleteHealthMonitor(ctx context.Context, r *request) (web.Reply, error) {
	old, err := a.healthMonitor(ctx, r)
	if err != nil {
		return web.Reply{}, err
	}
	err = a.changeMonitor(ctx, old, func(c *store.Change, p *lbaas.Pool) error {
		h := p.HealthMonitor
		p.HealthMonitor = nil
		return c.Delete(h)
	})
	if err != nil {
		return web.Reply{}, err
	}
	return noContent()
}

// changeMonitor runs fn on the pool of a monitor of the tree and makes the pool pending.
func (a *API) changeMonitor(ctx context.Context, old *lbaas.HealthMonitor, fn func(*store.Change, *lbaas.Pool) error) error {
	return a.change(ctx, old.LoadBalancerID, func(c *store.Change) error {
		p := c.LB.Pool(old.PoolID)
		if p == nil {
			return immutable(lbaas.NounPool, old.PoolID)
		}
		if p.HealthMonitor == nil || p.HealthMonitor.ID != old.ID {
			return immutable(lbaas.NounHealthMonitor, old.ID)
		}
		if err := fn(c, p); err != nil {
			return err
		}
		return touchPool(c, p)
	})
}
