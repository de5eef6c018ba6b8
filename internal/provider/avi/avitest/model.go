package avitest

import (
	"sync"
	"time"
)

// A model holds a controller's objects and answers calls about them. It is safe for concurrent use: every call is one step.
type model struct {
	opts modelOptions

	mu      sync.Mutex
	objects map[string]map[string]*object // by kind and uuid
	last    int64                         // the newest _last_modified that was given out, in microseconds
}

// modelOptions say what kind of controller this is.
type modelOptions struct {
	Version string           // of the controller, such as "18.2.6"
	Lenient bool             // unknown fields are ignored, as recorded controllers do, instead of refused
	Now     func() time.Time // nil: time.Now
	Changed func(change)     // told of every change after it is made, in order, before the call returns; must not block
}

// A change is one object's creation, update or deletion.
type change struct {
	Op, Kind, UUID string // Op is "create", "update" or "delete"
}

// An object is one stored thing. References in data are "/api/<kind>/<uuid>".
type object struct {
	kind, uuid, tenant string // tenant is a uuid
	system             bool   // came with the controller
	created            time.Time
	data               map[string]any
}

// newModel returns a controller's model with the system objects in it.
func newModel(o modelOptions) (*model, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	m := &model{opts: o, objects: map[string]map[string]*object{}}
	return m, nil
}

// do answers a call: GET, POST, PUT, PATCH, DELETE of objects and PUT/PATCH cloud/<uuid>/gc. An unknown kind is a 404 with an empty body.
func (m *model) do(c call) answer { return failure(404, c.Kind) }

// knows tells whether there is such a kind of object.
func (m *model) knows(kind string) bool { return false }

// scope settles whose objects a call is about: an answer that is not nil refuses it (unknown tenant, bad version).
func (m *model) scope(c call) (scope, *answer) { return scope{}, nil }

// A scope is a tenant, or all of them.
type scope struct {
	uuid string // of the tenant
	all  bool   // X-Avi-Tenant: *
}

// list returns copies of the objects of a kind that are the scope's own (all kinds' own objects, not those seen from tenant admin), oldest
// first, with references as "/api/<kind>/<uuid>".
func (m *model) list(s scope, kind string) []map[string]any { return nil }

// get returns a copy of an object in any tenant.
func (m *model) get(kind, uuid string) (map[string]any, bool) { return nil, false }

// nameOf returns an object's name for a reference "/api/<kind>/<uuid>", or the empty string.
func (m *model) nameOf(ref string) string { return "" }

// createdAt tells when an object was made.
func (m *model) createdAt(kind, uuid string) (time.Time, bool) { return time.Time{}, false }

// edit changes an object as its user would, in another session: validated, with a new _last_modified.
func (m *model) edit(kind, uuid string, f func(map[string]any)) error { return nil }

// drop removes an object without asking who refers to it, as a user with force would; false: there was none.
func (m *model) drop(kind, uuid string) bool { return false }

// page answers a list call with those of the rows that its query selects (filters, sort, page, page_size), in the list envelope. The
// rows' references must begin with c.Base; inventories use it too.
func (m *model) page(c call, rows []map[string]any) answer { return answer{} }
