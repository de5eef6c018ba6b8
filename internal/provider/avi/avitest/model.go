package avitest

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// A model holds a controller's objects and answers calls about them. It is safe for concurrent use: every call is one step.
type model struct {
	opts    modelOptions
	schema  *schema
	version version
	cloud   string // the uuid of Default-Cloud

	mu        sync.Mutex
	objects   map[string]map[string]*object // by kind and uuid
	referrers map[string]map[string]bool    // who refers to what, by path
	last      int64                         // the newest _last_modified that was given out, in microseconds
	made      int64                         // how many objects were made
}

// modelOptions say what kind of controller this is.
type modelOptions struct {
	Version    string // of the controller, such as "18.2.6"
	Lenient    bool   // unknown fields are ignored, as recorded controllers do, instead of refused
	AnyNetwork bool   // a network is there as soon as a UUID refers to it, as if the cloud had told of it
	// SharedCAs has certificates refer to the oldest object of the tenant with the same authority in it, whichever they named. AKO met
	// controllers that do so.
	SharedCAs   bool
	DefaultType string           // vtype of Default-Cloud; empty: CLOUD_OPENSTACK
	Now         func() time.Time // nil: time.Now
	SEGroups    []string         // service engine groups besides Default-Group
}

// An object is one stored thing. References in data are "/api/<kind>/<uuid>". Data is not changed once stored, but replaced.
type object struct {
	kind, uuid, tenant string // tenant is a uuid
	system             bool   // came with the controller
	untouched          bool   // has no _last_modified, as a few system objects
	inline             string // of a VsVip that a virtual service's own vip made: that one's uuid
	created            time.Time
	order              int64
	writes             int64
	data               map[string]any
}

// newModel returns a controller's model with the system objects in it.
func newModel(o modelOptions) (*model, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Version == "" {
		o.Version = "18.2.6"
	}
	if o.DefaultType == "" {
		o.DefaultType = "CLOUD_OPENSTACK"
	}
	s, err := loadSchema()
	if err != nil {
		return nil, err
	}
	v, err := parseVersion(o.Version)
	if err != nil {
		return nil, fmt.Errorf("read the controller's version: %w", err)
	}
	m := &model{opts: o, schema: s, version: v, objects: map[string]map[string]*object{}, referrers: map[string]map[string]bool{}}
	m.install()
	return m, nil
}

// do answers a call: GET, POST, PUT, PATCH, DELETE of objects and PUT/PATCH cloud/<uuid>/gc. An unknown kind is a 404 with an empty body.
func (m *model) do(c call) answer {
	m.mu.Lock()
	defer m.mu.Unlock() // whatever happens, the next call is not kept waiting
	a, err := m.serve(c)
	if err != nil {
		return refused(err) // what was made on the way is undone
	}
	return a
}

// refused answers with an error.
func refused(err error) answer {
	var r *refusal
	if errors.As(err, &r) {
		return failure(r.status, r.text)
	}
	return failure(http.StatusInternalServerError, err.Error())
}

// scope settles whose objects a call is about and checks its version: an answer that is not nil refuses the call.
func (m *model) scope(c call) (scope, *answer) {
	m.mu.Lock()
	defer m.mu.Unlock()
	_, s, err := m.settle(c)
	if err != nil {
		a := refused(err)
		return scope{}, &a
	}
	return s, nil
}

// settle reads a call's version and tenant.
func (m *model) settle(c call) (version, scope, error) {
	v, err := parseVersion(c.Version)
	if err != nil {
		return v, scope{}, &refusal{http.StatusBadRequest, err.Error()}
	}
	if m.version.before(v) {
		return v, scope{}, &refusal{http.StatusBadRequest, fmt.Sprintf("Version %s is later than the controller's %s", v.dotted(), m.version.dotted())}
	}
	s, err := m.tenantOf(c)
	return v, s, err
}

// list returns copies of the objects of a kind that the scope's tenant owns, oldest first, with references as "/api/<kind>/<uuid>" and
// numbers as int64.
func (m *model) list(s scope, kind string) []map[string]any {
	m.mu.Lock()
	defer m.mu.Unlock()
	var out []map[string]any
	for _, o := range m.sorted(kind) {
		if s.all || o.tenant == s.uuid {
			out = append(out, m.plain(o))
		}
	}
	return out
}

// sorted are a kind's objects, oldest first.
func (m *model) sorted(kind string) []*object {
	var out []*object
	for _, o := range m.objects[kind] {
		out = append(out, o)
	}
	slices.SortFunc(out, byAge)
	return out
}

// plain is a copy of an object for tests, in the controller's own version.
func (m *model) plain(o *object) map[string]any {
	return m.render(o, view{version: m.version, read: true})
}

// get returns a copy of an object in any tenant.
func (m *model) get(kind, uuid string) (map[string]any, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	o := m.objects[kind][uuid]
	if o == nil {
		return nil, false
	}
	return m.plain(o), true
}

// nameOf returns an object's name for a reference "/api/<kind>/<uuid>", with or without a host before it, or the empty string.
func (m *model) nameOf(ref string) string {
	m.mu.Lock()
	defer m.mu.Unlock()
	if at := strings.Index(ref, "/api/"); at > 0 {
		ref = ref[at:]
	}
	return m.name(ref)
}

// createdAt tells when an object was made.
func (m *model) createdAt(kind, uuid string) (time.Time, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	o := m.objects[kind][uuid]
	if o == nil {
		return time.Time{}, false
	}
	return o.created, true
}

// edit changes an object as its user would, in another session: validated, with a new _last_modified. It takes nothing back that others
// write at the same time: f is called again then.
func (m *model) edit(kind, uuid string, f func(map[string]any)) error {
	for {
		m.mu.Lock()
		o := m.objects[kind][uuid]
		if o == nil {
			m.mu.Unlock()
			return fmt.Errorf("there is no %s %s", kind, uuid)
		}
		body, tenant := m.plain(o), o.tenant
		m.mu.Unlock()
		f(body)
		a := m.do(call{Method: http.MethodPut, Kind: kind, UUID: uuid, TenantUUID: tenant, Version: m.version.dotted(), Body: jsonAnswer(0, body).Body})
		switch a.Status {
		case http.StatusOK:
			return nil
		case http.StatusPreconditionFailed: // somebody else was faster
		default:
			return fmt.Errorf("edit %s %s: %s", kind, uuid, a.Body)
		}
	}
}

// drop removes an object without asking who refers to it; false: there was none.
func (m *model) drop(kind, uuid string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	o := m.objects[kind][uuid]
	if o != nil {
		m.forget(o)
	}
	return o != nil
}
