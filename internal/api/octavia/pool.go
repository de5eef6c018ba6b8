package octavia

import (
	"context"
	"net/http"
	"net/netip"

	"github.com/google/uuid"

	"plimsoll/internal/identity"
	"plimsoll/internal/store"
	"plimsoll/internal/web"
	"plimsoll/lbaas"
)

// readNewPool reads what a POST of a pool says: its attributes, and whose it is.
func readNewPool(f *form, p *lbaas.Pool, listenerID *string) {
	f.id("loadbalancer_id", &p.LoadBalancerID)
	f.id("listener_id", listenerID)
	f.require("protocol", "lb_algorithm")
	readPool(f, p)
}

// readPool reads a pool's attributes. Those that only a POST takes are read where the form is of one.
func readPool(f *form, p *lbaas.Pool) {
	f.common(&p.Object, true)
	if f.create {
		word(f, "protocol", &p.Protocol)
		word(f, "lb_algorithm", &p.Algorithm)
	} else {
		f.notNull("lb_algorithm", "tls_enabled")
		word(f, "lb_algorithm", &p.Algorithm)
	}
	readPersistence(f, &p.SessionPersistence)
	f.flag("tls_enabled", &p.TLSEnabled)
	f.text("tls_container_ref", &p.TLSContainerRef)
	f.text("ca_tls_container_ref", &p.CATLSContainerRef)
	f.text("crl_container_ref", &p.CRLContainerRef)
	readPoolTLSLists(f, p)
}

// readPoolTLSLists reads the lists of TLS. Defaults come with tls_enabled, and do not come back with each PUT: alpn_protocols may be
// null.
func readPoolTLSLists(f *form, p *lbaas.Pool) {
	defaults := f.poolTLS()
	null := defaults
	null.ALPNProtocols = nil
	if !f.create && f.has("tls_enabled") {
		p.DefaultTLS(defaults)
	}
	readTLSLists(f, &p.TLSCiphers, &p.TLSVersions, &p.ALPNProtocols, null)
	if f.create {
		p.DefaultTLS(defaults)
	}
}

// readPersistence reads session_persistence. In a PUT the stored type stays unless one is given; what else is left out becomes
// null.
func readPersistence(f *form, into **lbaas.SessionPersistence) {
	nested, ok := f.object("session_persistence")
	if !ok {
		if f.has("session_persistence") && f.err == nil {
			*into = nil
		}
		return
	}
	s := lbaas.SessionPersistence{}
	if *into != nil {
		s.Type = (*into).Type
	}
	if f.create {
		nested.present("type")
	}
	word(nested, "type", &s.Type)
	nested.text("cookie_name", &s.CookieName)
	nested.number("persistence_timeout", &s.PersistenceTimeout, nil)
	readGranularity(nested, &s.PersistenceGranularity)
	f.check(nested.done())
	*into = &s
}

// readGranularity reads a mask: an address, for UDP and SCTP.
func readGranularity(f *form, into *string) {
	f.text("persistence_granularity", into)
	if *into == "" {
		return
	}
	if _, err := netip.ParseAddr(*into); err != nil {
		f.fail(lbaas.InvalidField("persistence_granularity", *into, "Value should be IPv4 or IPv6 format"))
	}
}

type persistenceJSON struct {
	Type        lbaas.PersistenceType `json:"type"`
	CookieName  *string               `json:"cookie_name"`
	Timeout     *int                  `json:"persistence_timeout"`
	Granularity *string               `json:"persistence_granularity"`
}

func persistenceOf(s *lbaas.SessionPersistence) *persistenceJSON {
	if s == nil {
		return nil
	}
	return &persistenceJSON{s.Type, orNull(s.CookieName), s.PersistenceTimeout, orNull(s.PersistenceGranularity)}
}

type poolJSON struct {
	objectJSON
	Description        string           `json:"description"`
	Protocol           lbaas.Protocol   `json:"protocol"`
	Algorithm          lbaas.Algorithm  `json:"lb_algorithm"`
	SessionPersistence *persistenceJSON `json:"session_persistence"`
	TLSEnabled         bool             `json:"tls_enabled"`
	TLSContainerRef    *string          `json:"tls_container_ref"`
	CATLSContainerRef  *string          `json:"ca_tls_container_ref"`
	CRLContainerRef    *string          `json:"crl_container_ref"`
	TLSCiphers         *string          `json:"tls_ciphers"`
	TLSVersions        []string         `json:"tls_versions"`
	ALPNProtocols      []string         `json:"alpn_protocols"`
	Listeners          []ref            `json:"listeners"`
}

// flatPoolJSON is a pool by itself: its children are ids, and healthmonitor_id is absent where there is none.
type flatPoolJSON struct {
	poolJSON
	LoadBalancers   []ref  `json:"loadbalancers"`
	Members         []ref  `json:"members"`
	HealthMonitorID string `json:"healthmonitor_id,omitempty"`
}

// nestedPoolJSON is a pool within its load balancer, with its whole tree.
type nestedPoolJSON struct {
	poolJSON
	Members       []memberJSON       `json:"members"`
	HealthMonitor *healthMonitorJSON `json:"healthmonitor"`
}

func basicPoolOf(p *lbaas.Pool, v view) poolJSON {
	return poolJSON{
		objectJSON: objectOf(&p.Object, v), Description: p.Description, Protocol: p.Protocol, Algorithm: p.Algorithm,
		SessionPersistence: persistenceOf(p.SessionPersistence), TLSEnabled: p.TLSEnabled,
		TLSContainerRef: orNull(p.TLSContainerRef), CATLSContainerRef: orNull(p.CATLSContainerRef),
		CRLContainerRef: orNull(p.CRLContainerRef), TLSCiphers: orNull(p.TLSCiphers),
		TLSVersions: someOrNull(p.TLSVersions), ALPNProtocols: someOrNull(p.ALPNProtocols), Listeners: refs(p.ListenerIDs),
	}
}

func poolOf(p *lbaas.Pool, v view) flatPoolJSON {
	j := flatPoolJSON{poolJSON: basicPoolOf(p, v), LoadBalancers: refTo(p.LoadBalancerID), Members: partRefs(p.Members)}
	if p.HealthMonitor != nil {
		j.HealthMonitorID = p.HealthMonitor.ID
	}
	return j
}

func nestedPoolOf(p *lbaas.Pool, v view) nestedPoolJSON {
	j := nestedPoolJSON{poolJSON: basicPoolOf(p, v), Members: []memberJSON{}}
	for _, m := range p.Members {
		j.Members = append(j.Members, memberOf(m, v))
	}
	if p.HealthMonitor != nil {
		monitor := nestedHealthMonitorOf(p.HealthMonitor, v)
		j.HealthMonitor = &monitor
	}
	return j
}

// used fills in the listeners that use a pool of the tree.
func used(lb *lbaas.LoadBalancer, p *lbaas.Pool) {
	p.ListenerIDs = nil
	for _, l := range lb.ListenersOf(p.ID) {
		p.ListenerIDs = append(p.ListenerIDs, l.ID)
	}
}

// pool returns the pool that the path names, if the actor may do what the route does.
func (a *API) pool(ctx context.Context, r *request, name string) (*lbaas.Pool, error) {
	id, err := r.id(name, lbaas.NounPool)
	if err != nil {
		return nil, err
	}
	p, err := a.Store.Pool(ctx, id)
	if err != nil {
		return nil, err
	}
	return p, r.allow(p.ProjectID)
}

func (a *API) showPool(ctx context.Context, r *request) (web.Reply, error) {
	p, err := a.pool(ctx, r, "id")
	if err != nil {
		return web.Reply{}, err
	}
	v := viewOf(r.Request)
	if err := warn(ctx, a, v, p); err != nil {
		return web.Reply{}, err
	}
	return reply(http.StatusOK, "pool", v.of(poolOf(p, v)))
}

func (a *API) createPool(ctx context.Context, r *request) (web.Reply, error) {
	f, err := readForm(r, "pool_", "pool", true)
	if err != nil {
		return web.Reply{}, err
	}
	p, listenerID := lbaas.NewPool(), ""
	readNewPool(f, p, &listenerID)
	if err := f.done(); err != nil {
		return web.Reply{}, err
	}
	lb, err := a.parentOfPool(ctx, p.LoadBalancerID, listenerID)
	if err != nil {
		return web.Reply{}, err
	}
	if err := r.allow(lb.ProjectID); err != nil {
		return web.Reply{}, err
	}
	p.ID, p.ProjectID, p.LoadBalancerID, p.Operating = uuid.NewString(), lb.ProjectID, lb.ID, lbaas.Offline
	if err := a.Options.ValidatePool(p); err != nil {
		return web.Reply{}, err
	}
	if err := a.checkCertificates(ctx, r.Actor, p.ProjectID, poolRefs(p)); err != nil {
		return web.Reply{}, err
	}
	err = a.change(ctx, lb.ID, func(c *store.Change) error { return addPool(c, p, listenerID) })
	if err != nil {
		return web.Reply{}, err
	}
	return reply(http.StatusCreated, "pool", poolOf(p, viewOf(r.Request)))
}

// parentOfPool finds the load balancer of a new pool by its own id, or by the listener's.
func (a *API) parentOfPool(ctx context.Context, loadBalancerID, listenerID string) (*lbaas.LoadBalancer, error) {
	if loadBalancerID == "" && listenerID == "" {
		return nil, lbaas.ValidationFailure("Must provide at least one of: loadbalancer_id, listener_id")
	}
	if loadBalancerID == "" {
		l, err := a.Store.Listener(ctx, listenerID)
		if err != nil {
			return nil, err
		}
		loadBalancerID = l.LoadBalancerID
	}
	return a.Store.LoadBalancer(ctx, loadBalancerID)
}

// addPool puts a new pool into the tree, and makes it the default pool of the listener where one is named.
func addPool(c *store.Change, p *lbaas.Pool, listenerID string) error {
	c.LB.Pools = append(c.LB.Pools, p)
	if listenerID == "" {
		return c.Put(p)
	}
	l := c.LB.Listener(listenerID)
	switch {
	case l == nil:
		return lbaas.Missing(lbaas.NounListener, listenerID)
	case l.DefaultPoolID != "":
		return lbaas.Errorf(lbaas.Conflict, "This listener already has a default pool")
	}
	l.DefaultPoolID = p.ID
	if err := c.LB.CheckListener(l); err != nil {
		return err
	}
	used(c.LB, p)
	return c.Put(p, l)
}

func (a *API) updatePool(ctx context.Context, r *request) (web.Reply, error) {
	f, err := readForm(r, "pool_", "pool", false)
	if err != nil {
		return web.Reply{}, err
	}
	if readPool(f, lbaas.NewPool()); f.done() != nil {
		return web.Reply{}, f.done()
	}
	old, err := a.pool(ctx, r, "id")
	if err != nil {
		return web.Reply{}, err
	}
	if err := a.judgePool(ctx, r.Actor, f, old); err != nil {
		return web.Reply{}, err
	}
	var p *lbaas.Pool
	err = a.change(ctx, old.LoadBalancerID, func(c *store.Change) error {
		if p = c.LB.Pool(old.ID); p == nil {
			return immutable(lbaas.NounPool, old.ID)
		}
		readPool(f, p)
		if err := first(p.Validate(), a.judgeTLSLists(f, p.TLSCiphers, p.TLSVersions, p.ALPNProtocols)); err != nil {
			return err
		}
		used(c.LB, p)
		if err := c.Put(p); err != nil {
			return err
		}
		return c.Touch(users(c.LB, p.ID)...)
	})
	if err != nil {
		return web.Reply{}, err
	}
	return reply(http.StatusOK, "pool", poolOf(p, viewOf(r.Request)))
}

// judgePool judges what a PUT makes of a pool.
func (a *API) judgePool(ctx context.Context, by *identity.Actor, f *form, old *lbaas.Pool) error {
	p := *old
	readPool(f, &p)
	if p.CRLContainerRef != "" && p.CATLSContainerRef == "" {
		if old.CATLSContainerRef != "" {
			return lbaas.ValidationFailure("A CA reference cannot be removed when a certificate revocation list is present.")
		}
		return lbaas.ValidationFailure("A CA reference is required to specify a certificate revocation list.")
	}
	if err := first(p.Validate(), a.judgeTLSLists(f, p.TLSCiphers, p.TLSVersions, p.ALPNProtocols)); err != nil {
		return err
	}
	return a.checkNamed(ctx, by, p.ProjectID, f, poolRefs(&p))
}

func (a *API) deletePool(ctx context.Context, r *request) (web.Reply, error) {
	old, err := a.pool(ctx, r, "id")
	if err != nil {
		return web.Reply{}, err
	}
	err = a.change(ctx, old.LoadBalancerID, func(c *store.Change) error {
		p := c.LB.Pool(old.ID)
		if p == nil {
			return immutable(lbaas.NounPool, old.ID)
		}
		return c.Delete(p)
	})
	if err != nil {
		return web.Reply{}, err
	}
	return noContent()
}
