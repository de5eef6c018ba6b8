package octavia

import (
	"context"
	"errors"
	"net/http"
	"net/netip"
	"slices"

	"github.com/google/uuid"

	"plimsoll/internal/store"
	"plimsoll/internal/web"
	"plimsoll/lbaas"
)

// readMember reads a member's attributes. Those that only a POST takes are read where the form is of one.
func readMember(f *form, m *lbaas.Member) {
	f.common(&m.Object, false)
	if f.create {
		f.address("address", &m.Address)
		f.integer("protocol_port", &m.ProtocolPort, 0)
		f.require("address", "protocol_port")
		f.id("subnet_id", &m.SubnetID)
		f.direct(m)
	}
	f.integer("weight", &m.Weight, lbaas.DefaultWeight)
	f.flag("backup", &m.Backup)
	f.address("monitor_address", &m.MonitorAddress)
	f.port("monitor_port", &m.MonitorPort)
}

// direct reads request_sriov, which only a flavor can allow.
func (f *form) direct(m *lbaas.Member) {
	var asked bool
	f.flag("request_sriov", &asked)
	m.VNICType = lbaas.VNICNormal
	if asked {
		m.VNICType = lbaas.VNICDirect
	}
}

type memberJSON struct {
	objectJSON
	Address        netip.Addr `json:"address"`
	ProtocolPort   int        `json:"protocol_port"`
	Weight         int        `json:"weight"`
	Backup         bool       `json:"backup"`
	SubnetID       *string    `json:"subnet_id"`
	MonitorAddress *string    `json:"monitor_address"`
	MonitorPort    *int       `json:"monitor_port"`
	VNICType       string     `json:"vnic_type"`
}

func memberOf(m *lbaas.Member, v view) memberJSON {
	j := memberJSON{
		objectJSON: objectOf(&m.Object, v), Address: m.Address, ProtocolPort: m.ProtocolPort, Weight: m.Weight,
		Backup: m.Backup, SubnetID: orNull(m.SubnetID), MonitorPort: orNullInt(m.MonitorPort), VNICType: m.VNICType,
	}
	if m.MonitorAddress.IsValid() {
		j.MonitorAddress = orNull(m.MonitorAddress.String())
	}
	return j
}

func (a *API) listMembers(ctx context.Context, r *request) (web.Reply, error) {
	p, err := a.pool(ctx, r, "pool")
	if err != nil {
		return web.Reply{}, err
	}
	q, err := readQuery(r.Query, a.MaxPage)
	if err != nil {
		return web.Reply{}, err
	}
	q.Filters = append(q.Filters, store.Filter{Attribute: "pool_id", Values: []string{p.ID}})
	return listParts(ctx, r, "members", q, warning(a, viewOf(r.Request), a.Store.Members), memberOf)
}

// member returns the member that the path names, if it is in that pool and the actor may do what the route does.
func (a *API) member(ctx context.Context, r *request) (*lbaas.Member, error) {
	id, err := r.id("id", lbaas.NounMember)
	if err != nil {
		return nil, err
	}
	m, err := a.Store.Member(ctx, id)
	astray := err == nil && m.PoolID != r.PathValue("pool")
	if astray || errors.Is(err, lbaas.NotFound) {
		if err := a.poolInPath(ctx, r); err != nil {
			return nil, err
		}
	}
	if err != nil {
		return nil, err
	}
	if err := r.allow(m.ProjectID); err != nil {
		return nil, err
	}
	if astray {
		return nil, lbaas.Missing(lbaas.NounMember, id)
	}
	return m, nil
}

// poolInPath is the error of a path below a pool that is not there, which comes before anything else that may be wrong with it.
func (a *API) poolInPath(ctx context.Context, r *request) error {
	id, err := r.id("pool", lbaas.NounPool)
	if err != nil {
		return err
	}
	_, err = a.Store.Pool(ctx, id)
	return err
}

func (a *API) showMember(ctx context.Context, r *request) (web.Reply, error) {
	m, err := a.member(ctx, r)
	if err != nil {
		return web.Reply{}, err
	}
	v := viewOf(r.Request)
	if err := warn(ctx, a, v, m); err != nil {
		return web.Reply{}, err
	}
	return reply(http.StatusOK, "member", v.of(memberOf(m, v)))
}

func (a *API) createMember(ctx context.Context, r *request) (web.Reply, error) {
	f, err := readForm(r, "member_", "member", true)
	if err != nil {
		return web.Reply{}, err
	}
	m := lbaas.NewMember()
	readMember(f, m)
	if err := f.done(); err != nil {
		return web.Reply{}, err
	}
	p, err := a.pool(ctx, r, "pool")
	if err != nil {
		return web.Reply{}, err
	}
	newMember(m, p)
	if err := a.Options.ValidateMember(m); err != nil {
		return web.Reply{}, err
	}
	if err := a.checkSubnets(ctx, r, p, m); err != nil {
		return web.Reply{}, err
	}
	err = a.change(ctx, p.LoadBalancerID, func(c *store.Change) error {
		p := c.LB.Pool(p.ID)
		if p == nil {
			return immutable(lbaas.NounPool, m.PoolID)
		}
		if err := addMember(c, p, m); err != nil {
			return err
		}
		return touchPool(c, p)
	})
	if err != nil {
		return web.Reply{}, err
	}
	return reply(http.StatusCreated, "member", memberOf(m, viewOf(r.Request)))
}

// newMember gives a member what comes from its pool.
func newMember(m *lbaas.Member, p *lbaas.Pool) {
	m.ID, m.ProjectID, m.LoadBalancerID, m.PoolID = uuid.NewString(), p.ProjectID, p.LoadBalancerID, p.ID
}

func addMember(c *store.Change, p *lbaas.Pool, m *lbaas.Member) error {
	if err := first(p.CheckMember(m), checkMemberSRIOV(c.LB, m)); err != nil {
		return err
	}
	m.Operating = p.InitialOperating()
	p.Members = append(p.Members, m)
	return c.Put(m)
}

// touchPool makes a pool and the listeners that use it pending, as every change of what is in the pool does.
func touchPool(c *store.Change, p *lbaas.Pool) error {
	return c.Touch(append(users(c.LB, p.ID), p)...)
}

func (a *API) updateMember(ctx context.Context, r *request) (web.Reply, error) {
	f, err := readForm(r, "member_", "member", false)
	if err != nil {
		return web.Reply{}, err
	}
	if readMember(f, lbaas.NewMember()); f.done() != nil {
		return web.Reply{}, f.done()
	}
	old, err := a.member(ctx, r)
	if err != nil {
		return web.Reply{}, err
	}
	var m *lbaas.Member
	err = a.changeMember(ctx, old, func(c *store.Change, p *lbaas.Pool, found *lbaas.Member) error {
		m = found
		readMember(f, m)
		if err := m.Validate(); err != nil {
			return err
		}
		if f.has("monitor_address") {
			if err := a.Options.AllowAddress(m.MonitorAddress); err != nil {
				return err
			}
		}
		return c.Put(m)
	})
	if err != nil {
		return web.Reply{}, err
	}
	return reply(http.StatusOK, "member", memberOf(m, viewOf(r.Request)))
}

func (a *API) deleteMember(ctx context.Context, r *request) (web.Reply, error) {
	old, err := a.member(ctx, r)
	if err != nil {
		return web.Reply{}, err
	}
	err = a.changeMember(ctx, old, func(c *store.Change, _ *lbaas.Pool, m *lbaas.Member) error { return c.Delete(m) })
	if err != nil {
		return web.Reply{}, err
	}
	return noContent()
}

// changeMember runs fn on a member of the tree and makes its pool pending.
func (a *API) changeMember(ctx context.Context, old *lbaas.Member, fn func(*store.Change, *lbaas.Pool, *lbaas.Member) error) error {
	return a.change(ctx, old.LoadBalancerID, func(c *store.Change) error {
		p := c.LB.Pool(old.PoolID)
		if p == nil {
			return immutable(lbaas.NounPool, old.PoolID)
		}
		m := p.Member(old.ID)
		if m == nil {
			return immutable(lbaas.NounMember, old.ID)
		}
		if err := fn(c, p, m); err != nil {
			return err
		}
		return touchPool(c, p)
	})
}

// replaceMembers makes the pool's members those of the request: address and port tell which is which. With additive_only those
// that the request does not name stay.
func (a *API) replaceMembers(ctx context.Context, r *request) (web.Reply, error) {
	forms, err := readMembers(r)
	if err != nil {
		return web.Reply{}, err
	}
	additive := loose(r.Query.Get("additive_only"))
	p, err := a.pool(ctx, r, "pool")
	if err != nil {
		return web.Reply{}, err
	}
	if err := mayReplace(r, p.ProjectID, additive); err != nil {
		return web.Reply{}, err
	}
	wanted := make([]*lbaas.Member, len(forms))
	for i, f := range forms {
		wanted[i] = lbaas.NewMember()
		readMember(f, wanted[i])
		newMember(wanted[i], p)
	}
	joining, err := a.judgeBatch(ctx, r, p, wanted)
	if err != nil {
		return web.Reply{}, err
	}
	if len(wanted) == 0 && (len(p.Members) == 0 || additive) {
		return web.Reply{Status: http.StatusAccepted}, nil
	}
	err = a.change(ctx, p.LoadBalancerID, func(c *store.Change) error {
		p := c.LB.Pool(p.ID)
		if p == nil {
			return immutable(lbaas.NounPool, r.PathValue("pool"))
		}
		if err := a.mergeMembers(c, p, batch{forms, wanted, joining, additive}); err != nil {
			return err
		}
		return touchPool(c, p)
	})
	if err != nil {
		return web.Reply{}, err
	}
	return web.Reply{Status: http.StatusAccepted}, nil
}

// readMembers opens a form on each member of a batch and checks its types.
func readMembers(r *request) ([]*form, error) {
	raw, err := readEnvelope(r, "members_", "members")
	if err != nil {
		return nil, err
	}
	whole := newForm("members_", web.Object{"members": raw}, true)
	forms := whole.objects("members")
	if err := whole.done(); err != nil {
		return nil, err
	}
	for _, f := range forms {
		f.nested = false // a member of a batch is one of a POST, which may name a project
		if readMember(f, lbaas.NewMember()); f.done() != nil {
			return nil, f.done()
		}
	}
	return forms, nil
}

func mayReplace(r *request, projectID string, additive bool) error {
	rules := []string{"member:post", "member:put"}
	if !additive {
		rules = append(rules, "member:delete")
	}
	for _, rule := range rules {
		if !r.allowed(rule, projectID) {
			return errPolicy()
		}
	}
	return nil
}

// endpoint is what tells the members of a pool apart.
type endpoint struct {
	address netip.Addr
	port    int
}

func endpointOf(m *lbaas.Member) endpoint { return endpoint{m.Address, m.ProtocolPort} }

// batch is what is wanted of the members of a pool.
type batch struct {
	forms    []*form
	wanted   []*lbaas.Member
	joining  []*lbaas.Member // those of the wanted that were judged as new
	additive bool
}

// judgeBatch judges the members that are wanted, and returns those that the pool does not have. The others keep their addresses and
// subnets, whatever those would be judged to be now.
func (a *API) judgeBatch(ctx context.Context, r *request, p *lbaas.Pool, wanted []*lbaas.Member) (joining []*lbaas.Member, err error) {
	present, err := a.Store.Members(ctx, store.Query{Filters: []store.Filter{{Attribute: "pool_id", Values: []string{p.ID}}}})
	if err != nil {
		return nil, err
	}
	known := map[endpoint]bool{}
	for _, m := range present {
		if !m.Progress.Deleted {
			known[endpointOf(m)] = true
		}
	}
	for _, m := range wanted {
		if err := first(m.Validate(), a.Options.AllowAddress(m.MonitorAddress)); err != nil {
			return nil, err
		}
		if known[endpointOf(m)] {
			continue
		}
		if err := a.Options.AllowAddress(m.Address); err != nil {
			return nil, err
		}
		joining = append(joining, m)
	}
	return joining, a.checkSubnets(ctx, r, p, joining...)
}

// join adds a member that the pool does not have. One that it had when the batch was judged went away meanwhile.
func (a *API) join(c *store.Change, p *lbaas.Pool, b batch, m *lbaas.Member) error {
	if !slices.Contains(b.joining, m) {
		if m.SubnetID != "" { // it was not looked at, and is not while the transaction lasts
			return changedMeanwhile(lbaas.NounPool, p.ID)
		}
		if err := a.Options.AllowAddress(m.Address); err != nil {
			return err
		}
	}
	return addMember(c, p, m)
}

// mergeMembers makes the members of a pool of the tree those that are wanted. Known ones are updated with the values of a
// create: what the request leaves out goes back to its default.
func (a *API) mergeMembers(c *store.Change, p *lbaas.Pool, b batch) error {
	known := map[endpoint]*lbaas.Member{}
	for _, m := range p.Members {
		known[endpointOf(m)] = m
	}
	updated := map[endpoint]bool{}
	for i, m := range b.wanted {
		old := known[endpointOf(m)]
		switch {
		case old != nil && updated[endpointOf(m)]:
			return lbaas.ValidationFailure("Member must be updated only once in the same request.")
		case old != nil:
			updateInPlace(old, m, b.forms[i])
			if err := c.Put(old); err != nil {
				return err
			}
		default:
			if err := a.join(c, p, b, m); err != nil {
				return err
			}
		}
		updated[endpointOf(m)] = true
	}
	if b.additive {
		return nil
	}
	var gone []lbaas.Part // all at once, since there may be thousands
	for at, m := range known {
		if !updated[at] {
			gone = append(gone, m)
		}
	}
	return c.Delete(gone...)
}

// updateInPlace gives an old member the mutable attributes of a new one. A name and tags have no default in a POST: what is left out
// stays.
func updateInPlace(old, m *lbaas.Member, f *form) {
	old.AdminStateUp, old.Weight, old.Backup = m.AdminStateUp, m.Weight, m.Backup
	old.MonitorAddress, old.MonitorPort = m.MonitorAddress, m.MonitorPort
	if f.has("name") {
		old.Name = m.Name
	}
	if f.has("tags") {
		old.Tags = m.Tags
	}
}
