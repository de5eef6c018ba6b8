package octavia

import (
	"context"
	"net/http"
	"slices"

	"github.com/google/uuid"

	"plimsoll/internal/identity"
	"plimsoll/internal/store"
	"plimsoll/internal/web"
	"plimsoll/lbaas"
)

// readNewListener reads what a POST of a listener says: its attributes, and whose it is.
func readNewListener(f *form, l *lbaas.Listener) {
	f.require("loadbalancer_id")
	f.id("loadbalancer_id", &l.LoadBalancerID)
	readListener(f, l)
}

// readListener reads a listener's attributes. Those that only a POST takes are read where the form is of one.
func readListener(f *form, l *lbaas.Listener) {
	f.common(&l.Object, true)
	if f.create {
		word(f, "protocol", &l.Protocol)
		f.integer("protocol_port", &l.ProtocolPort, 0)
		f.require("protocol", "protocol_port")
		f.number("connection_limit", &l.ConnectionLimit, nil)
	} else {
		noLimit := lbaas.NoLimit
		f.number("connection_limit", &l.ConnectionLimit, &noLimit)
	}
	f.id("default_pool_id", &l.DefaultPoolID)
	f.table("insert_headers", &l.InsertHeaders)
	f.cidrs("allowed_cidrs", &l.AllowedCIDRs)
	f.integer("timeout_client_data", &l.TimeoutClientData, lbaas.DefaultClient)
	f.integer("timeout_member_connect", &l.TimeoutMemberConnect, lbaas.DefaultConnect)
	f.integer("timeout_member_data", &l.TimeoutMemberData, lbaas.DefaultServer)
	f.integer("timeout_tcp_inspect", &l.TimeoutTCPInspect, 0)
	readListenerTLS(f, l)
	f.noRateLimits(l)
}

// noRateLimits takes a list of rate-limit policies only where it changes nothing: there are none, and none are named. A policy says
// itself which listener it is of.
func (f *form) noRateLimits(l *lbaas.Listener) {
	var ids []string
	f.texts(extensionRateLimits, &ids, nil)
	if f.has(extensionRateLimits) && len(ids)+len(l.RateLimitPolicies) > 0 {
		f.fail(lbaas.ValidationFailure("rate_limit_policies cannot be set here: set listener_id where the rate limit policy is made, " +
			"and delete the policy to take it away."))
	}
}

func readListenerTLS(f *form, l *lbaas.Listener) {
	f.text("default_tls_container_ref", &l.DefaultTLSContainerRef)
	f.texts("sni_container_refs", &l.SNIContainerRefs, nil)
	f.text("client_ca_tls_container_ref", &l.ClientCATLSContainerRef)
	word(f, "client_authentication", &l.ClientAuthentication)
	if raw, given := f.value("client_authentication"); given && raw == nil {
		l.ClientAuthentication = lbaas.ClientAuthNone
	}
	f.text("client_crl_container_ref", &l.ClientCRLContainerRef)
	defaults := f.listenerTLS()
	readTLSLists(f, &l.TLSCiphers, &l.TLSVersions, &l.ALPNProtocols, defaults)
	f.number("hsts_max_age", &l.HSTSMaxAge, nil)
	f.flag("hsts_include_subdomains", &l.HSTSIncludeSubdomains)
	f.flag("hsts_preload", &l.HSTSPreload)
	l.DefaultTLS(defaults)
}

// readTLSLists reads the three lists that listeners and pools have in common. Null in a PUT brings the defaults, whatever
// the protocol is.
func readTLSLists(f *form, ciphers *string, versions, alpn *[]string, null lbaas.TLSDefaults) {
	if f.create {
		null = lbaas.TLSDefaults{} // what is left out and what is null are the same
	}
	f.text("tls_ciphers", ciphers)
	if f.has("tls_ciphers") && *ciphers == "" {
		*ciphers = null.Ciphers
	}
	f.texts("tls_versions", versions, slices.Clone(null.Versions))
	f.texts("alpn_protocols", alpn, slices.Clone(null.ALPNProtocols))
}

// listenerJSON is a listener but for what stands around it.
type listenerJSON struct {
	objectJSON
	Description             string                     `json:"description"`
	Protocol                lbaas.Protocol             `json:"protocol"`
	ProtocolPort            int                        `json:"protocol_port"`
	ConnectionLimit         *int                       `json:"connection_limit"`
	DefaultPoolID           *string                    `json:"default_pool_id"`
	InsertHeaders           map[string]string          `json:"insert_headers"`
	AllowedCIDRs            []string                   `json:"allowed_cidrs"`
	TimeoutClientData       int                        `json:"timeout_client_data"`
	TimeoutMemberConnect    int                        `json:"timeout_member_connect"`
	TimeoutMemberData       int                        `json:"timeout_member_data"`
	TimeoutTCPInspect       int                        `json:"timeout_tcp_inspect"`
	DefaultTLSContainerRef  *string                    `json:"default_tls_container_ref"`
	SNIContainerRefs        []string                   `json:"sni_container_refs"`
	ClientCATLSContainerRef *string                    `json:"client_ca_tls_container_ref"`
	ClientAuthentication    lbaas.ClientAuthentication `json:"client_authentication"`
	ClientCRLContainerRef   *string                    `json:"client_crl_container_ref"`
	TLSCiphers              *string                    `json:"tls_ciphers"`
	TLSVersions             []string                   `json:"tls_versions"`
	ALPNProtocols           []string                   `json:"alpn_protocols"`
	HSTSMaxAge              *int                       `json:"hsts_max_age"`
	HSTSIncludeSubdomains   bool                       `json:"hsts_include_subdomains"`
	HSTSPreload             bool                       `json:"hsts_preload"`
	RateLimitPolicies       *[]ref                     `json:"rate_limit_policies,omitempty"` // an extension
}

// flatListenerJSON is a listener by itself: its policies are ids.
type flatListenerJSON struct {
	listenerJSON
	LoadBalancers []ref `json:"loadbalancers"`
	L7Policies    []ref `json:"l7policies"`
}

// nestedListenerJSON is a listener within its load balancer, with its policies and their rules.
type nestedListenerJSON struct {
	listenerJSON
	L7Policies []nestedL7PolicyJSON `json:"l7policies"`
}

func listenerOf(l *lbaas.Listener, v view) flatListenerJSON {
	return flatListenerJSON{basicListenerOf(l, v), refTo(l.LoadBalancerID), partRefs(l.L7Policies)}
}

func nestedListenerOf(l *lbaas.Listener, v view) nestedListenerJSON {
	j := nestedListenerJSON{basicListenerOf(l, v), []nestedL7PolicyJSON{}}
	for _, p := range l.L7Policies {
		j.L7Policies = append(j.L7Policies, nestedL7PolicyOf(p, v))
	}
	return j
}

func basicListenerOf(l *lbaas.Listener, v view) listenerJSON {
	headers := l.InsertHeaders
	if headers == nil {
		headers = map[string]string{}
	}
	j := listenerJSON{
		objectJSON: objectOf(&l.Object, v), Description: l.Description,
		Protocol: l.Protocol, ProtocolPort: l.ProtocolPort, ConnectionLimit: l.ConnectionLimit,
		DefaultPoolID: orNull(l.DefaultPoolID), InsertHeaders: headers, AllowedCIDRs: someOrNull(l.AllowedCIDRs),
		TimeoutClientData: l.TimeoutClientData, TimeoutMemberConnect: l.TimeoutMemberConnect,
		TimeoutMemberData: l.TimeoutMemberData, TimeoutTCPInspect: l.TimeoutTCPInspect,
		DefaultTLSContainerRef: orNull(l.DefaultTLSContainerRef), SNIContainerRefs: list(l.SNIContainerRefs),
		ClientCATLSContainerRef: orNull(l.ClientCATLSContainerRef), ClientAuthentication: l.ClientAuthentication,
		ClientCRLContainerRef: orNull(l.ClientCRLContainerRef), TLSCiphers: orNull(l.TLSCiphers),
		TLSVersions: someOrNull(l.TLSVersions), ALPNProtocols: someOrNull(l.ALPNProtocols),
		HSTSMaxAge: l.HSTSMaxAge, HSTSIncludeSubdomains: l.HSTSIncludeSubdomains, HSTSPreload: l.HSTSPreload,
	}
	if v.with(extensionRateLimits) {
		limits := partRefs(l.RateLimitPolicies)
		j.RateLimitPolicies = &limits
	}
	return j
}

// listener returns the listener that the path names, if the actor may do what the route does.
func (a *API) listener(ctx context.Context, r *request) (*lbaas.Listener, error) {
	id, err := r.id("id", lbaas.NounListener)
	if err != nil {
		return nil, err
	}
	l, err := a.Store.Listener(ctx, id)
	if err != nil {
		return nil, err
	}
	return l, r.allow(l.ProjectID)
}

func (a *API) showListener(ctx context.Context, r *request) (web.Reply, error) {
	l, err := a.listener(ctx, r)
	if err != nil {
		return web.Reply{}, err
	}
	v := viewOf(r.Request)
	if err := warn(ctx, a, v, l); err != nil {
		return web.Reply{}, err
	}
	return reply(http.StatusOK, "listener", v.of(listenerOf(l, v)))
}

func (a *API) createListener(ctx context.Context, r *request) (web.Reply, error) {
	f, err := readForm(r, "listener_", "listener", true)
	if err != nil {
		return web.Reply{}, err
	}
	l := lbaas.NewListener()
	readNewListener(f, l)
	if err := f.done(); err != nil {
		return web.Reply{}, err
	}
	lb, err := a.Store.LoadBalancer(ctx, l.LoadBalancerID)
	if err != nil {
		return web.Reply{}, err
	}
	if err := r.allow(lb.ProjectID); err != nil {
		return web.Reply{}, err
	}
	l.ID, l.ProjectID, l.Operating = uuid.NewString(), lb.ProjectID, lbaas.Offline
	d := &a.Options.Deployment
	if err := d.ValidateListener(l); err != nil {
		return web.Reply{}, err
	}
	if err := a.checkCertificates(ctx, r.Actor, l.ProjectID, listenerRefs(l)); err != nil {
		return web.Reply{}, err
	}
	err = a.change(ctx, lb.ID, func(c *store.Change) error {
		c.LB.Listeners = append(c.LB.Listeners, l)
		if err := first(d.ValidateListenerIn(c.LB, l), c.LB.CheckAccess(l)); err != nil {
			return err
		}
		return c.Put(l)
	})
	if err != nil {
		return web.Reply{}, err
	}
	return reply(http.StatusCreated, "listener", listenerOf(l, viewOf(r.Request)))
}

func (a *API) updateListener(ctx context.Context, r *request) (web.Reply, error) {
	f, err := readForm(r, "listener_", "listener", false)
	if err != nil {
		return web.Reply{}, err
	}
	if readListener(f, lbaas.NewListener()); f.done() != nil {
		return web.Reply{}, f.done()
	}
	old, err := a.listener(ctx, r)
	if err != nil {
		return web.Reply{}, err
	}
	if err := a.judgeListener(ctx, r.Actor, f, old); err != nil {
		return web.Reply{}, err
	}
	var l *lbaas.Listener
	err = a.change(ctx, old.LoadBalancerID, func(c *store.Change) error {
		if l = c.LB.Listener(old.ID); l == nil {
			return immutable(lbaas.NounListener, old.ID)
		}
		before := *l
		readListener(f, l)
		if err := first(f.done(), a.judgeListenerIn(c.LB, f, &before, l)); err != nil {
			return err
		}
		return c.Put(l)
	})
	if err != nil {
		return web.Reply{}, err
	}
	return reply(http.StatusOK, "listener", listenerOf(l, viewOf(r.Request)))
}

// judgeListener judges what a PUT makes of a listener, by itself.
func (a *API) judgeListener(ctx context.Context, by *identity.Actor, f *form, old *lbaas.Listener) error {
	l := *old
	readListener(f, &l)
	if err := a.Options.ValidateListenerChange(old, &l); err != nil {
		return err
	}
	return a.checkNamed(ctx, by, l.ProjectID, f, listenerRefs(&l))
}

// judgeListenerIn judges what a PUT made of a listener of the tree.
func (a *API) judgeListenerIn(lb *lbaas.LoadBalancer, f *form, before, l *lbaas.Listener) error {
	if f.has("allowed_cidrs") {
		if err := lb.CheckAccess(l); err != nil {
			return err
		}
	}
	return first(
		a.Options.ValidateListenerChange(before, l),
		lb.CheckListener(l),
		a.judgeTLSLists(f, l.TLSCiphers, l.TLSVersions, l.ALPNProtocols),
		l.ValidateHSTSChange(f.has("hsts_include_subdomains") || f.has("hsts_preload")),
	)
}

// judgeTLSLists judges the TLS lists that a PUT names, for which they must make sense even where the object has no TLS.
func (a *API) judgeTLSLists(f *form, ciphers string, versions, alpn []string) error {
	if !f.has("tls_ciphers") {
		ciphers = ""
	}
	if !f.has("tls_versions") {
		versions = nil
	}
	if !f.has("alpn_protocols") {
		alpn = nil
	}
	return first(a.Options.AllowCiphers(ciphers), a.Options.ValidateTLSLists(versions, alpn))
}

func (a *API) deleteListener(ctx context.Context, r *request) (web.Reply, error) {
	old, err := a.listener(ctx, r)
	if err != nil {
		return web.Reply{}, err
	}
	err = a.change(ctx, old.LoadBalancerID, func(c *store.Change) error {
		l := c.LB.Listener(old.ID)
		if l == nil {
			return immutable(lbaas.NounListener, old.ID)
		}
		return c.Delete(l)
	})
	if err != nil {
		return web.Reply{}, err
	}
	return noContent()
}

func (a *API) listenerStats(ctx context.Context, r *request) (web.Reply, error) {
	l, err := a.listener(ctx, r)
	if err != nil {
		return web.Reply{}, err
	}
	lb, err := a.Store.LoadBalancer(ctx, l.LoadBalancerID)
	if err != nil {
		return web.Reply{}, err
	}
	all, err := a.statistics(ctx, r, lb)
	if err != nil {
		return web.Reply{}, err
	}
	return reply(http.StatusOK, "stats", statsOf(all[l.ID]))
}
