package avitest

import (
	"crypto/rand"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/google/uuid"
)

// serve answers a call with the model locked.
func (m *model) serve(c call) (answer, error) {
	v, s, err := m.settle(c)
	if err != nil {
		return answer{}, err
	}
	kind := m.schema.kinds[c.Kind]
	if kind == nil || !kind.since.known(v) {
		return answer{Status: http.StatusNotFound, Header: http.Header{}}, nil
	}
	if kind.singleton && c.UUID == "" {
		c.UUID = singletonUUID(c.Kind)
	}
	if c.Action != "" {
		return m.act(c)
	}
	if c.UUID == "" {
		return m.collection(c, kind, v, s)
	}
	return m.item(c, kind, v, s)
}

// collection answers calls about all objects of a kind.
func (m *model) collection(c call, kind *message, v version, s scope) (answer, error) {
	switch c.Method {
	case http.MethodGet:
		return m.search(c, v, s)
	case http.MethodPost:
		return m.create(c, kind, v, s)
	}
	return notAllowed(c), nil
}

// item answers calls about one object.
func (m *model) item(c call, kind *message, v version, s scope) (answer, error) {
	o := m.objects[c.Kind][c.UUID]
	if o == nil || !s.all && !m.sees(s.uuid, o) {
		return answer{}, &refusal{http.StatusNotFound, kind.name + " object not found!"}
	}
	switch c.Method {
	case http.MethodGet:
		return m.read(c, o, v)
	case http.MethodPut, http.MethodPatch, http.MethodDelete:
	default:
		return notAllowed(c), nil
	}
	if s.all || o.tenant != s.uuid {
		return answer{}, &refusal{http.StatusForbidden, fmt.Sprintf("User does not have write access to %s of another tenant", kind.name)}
	}
	switch c.Method {
	case http.MethodPut:
		return m.replace(c, kind, o, v)
	case http.MethodPatch:
		return m.patch(c, kind, o, v)
	}
	return m.remove(kind, o)
}

func notAllowed(c call) answer {
	return detail(http.StatusMethodNotAllowed, fmt.Sprintf("Method '%s' not allowed.", c.Method))
}

func singletonUUID(kind string) string {
	if kind == "systemconfiguration" {
		return "default"
	}
	return "global"
}

// act answers actions: a cloud's garbage collection.
func (m *model) act(c call) (answer, error) {
	if c.Kind != "cloud" || c.Action != "gc" {
		return answer{Status: http.StatusNotFound, Header: http.Header{}}, nil
	}
	if c.Method != http.MethodPut && c.Method != http.MethodPatch {
		return notAllowed(c), nil
	}
	if m.objects["cloud"][c.UUID] == nil {
		return answer{}, &refusal{http.StatusNotFound, "Cloud object not found!"}
	}
	return jsonAnswer(http.StatusOK, map[string]any{}), nil
}

// create answers POST.
func (m *model) create(c call, kind *message, v version, s scope) (answer, error) {
	if kind.singleton {
		return notAllowed(c), nil
	}
	if s.all {
		return answer{}, &refusal{http.StatusBadRequest, "Tenant * is for reading only"}
	}
	if c.Kind == "tenant" && s.uuid != admin {
		return answer{}, &refusal{http.StatusForbidden, "Tenants are created in tenant admin only"}
	}
	body, err := decode(c.Body)
	if err != nil {
		return answer{}, err
	}
	o := &object{kind: c.Kind, tenant: s.uuid, created: m.opts.Now(), order: m.made + 1}
	if o.uuid, err = m.uuidFor(c, body); err != nil {
		return answer{}, err
	}
	if err := m.fillFrom(o, kind, body, v); err != nil {
		return answer{}, err
	}
	if err := m.admit(o); err != nil {
		return answer{}, err
	}
	a := jsonAnswer(http.StatusCreated, m.render(o, view{base: c.Base, names: true, version: v}))
	named := url.URL{Fragment: fmt.Sprint(o.data["name"])}
	a.Header.Set("Location", c.Base+path(o.kind, o.uuid)+named.String())
	return a, nil
}

// admit stores a new object if nothing clashes with it.
func (m *model) admit(o *object) error {
	if m.objects[o.kind][o.uuid] != nil {
		return &refusal{http.StatusConflict, m.label(o) + " with this Uuid already exists."}
	}
	if err := m.clash(o); err != nil {
		return err
	}
	if err := m.expand(o); err != nil {
		return err
	}
	if err := m.commit(nil, o); err != nil {
		m.shrink(o)
		return err
	}
	m.made++
	if o.kind == "tenant" {
		m.tenantCreated(o)
	}
	return nil
}

// fillFrom reads an object's data from a body, and asks that what it says of its tenant is true.
func (m *model) fillFrom(o *object, kind *message, body map[string]any, v version) error {
	r := &reader{m: m, version: v, tenant: o.tenant, lenient: m.opts.Lenient}
	data, err := r.message(kind, body, "")
	if err != nil {
		return err
	}
	o.data = data
	return checkOwner(o)
}

// checkOwner refuses another tenant than the object's.
func checkOwner(o *object) error {
	if ref, ok := o.data["tenant_ref"]; ok && ref != path("tenant", o.tenant) && o.kind != "tenant" {
		return wrong("tenant_ref", "Tenant is not that of the request.")
	}
	return nil
}

// uuidFor is the uuid that the client chose, or a new one.
func (m *model) uuidFor(c call, body map[string]any) (string, error) {
	chosen := c.Slug
	portal, _ := m.objects["systemconfiguration"]["default"].data["portal_configuration"].(map[string]any)
	if chosen == "" && portal["use_uuid_from_input"] == true {
		chosen, _ = body["uuid"].(string)
	}
	if strings.ContainsAny(chosen, "/?#& ") { // it could not stand in a path
		return "", &refusal{http.StatusBadRequest, "Invalid Slug"}
	}
	return or(chosen, c.Kind+"-"+uuid.NewString()), nil
}

// replace answers PUT: the whole object is what the body says.
func (m *model) replace(c call, kind *message, o *object, v version) (answer, error) {
	body, err := decode(c.Body)
	if err != nil {
		return answer{}, err
	}
	if err := checkSeen(body["_last_modified"], o); err != nil {
		return answer{}, err
	}
	next := o.successor()
	if err := m.fillFrom(next, kind, body, v); err != nil {
		return answer{}, err
	}
	return m.update(c, o, next, v)
}

// checkSeen refuses who saw another state of an object than it is in; who does not say what he saw is the last writer, and right.
func checkSeen(seen any, o *object) error {
	if seen == nil {
		return nil
	}
	if _, ok := seen.(string); !ok { // 412 would send a client around in circles
		return wrong("_last_modified", "Expected a string but got type %q.", typeName(seen))
	}
	if seen != o.data["_last_modified"] {
		return &refusal{http.StatusPreconditionFailed, "Concurrent Update Error: the object was modified since it was read"}
	}
	return nil
}

// successor is what replaces an object, without its data.
func (o *object) successor() *object {
	next := *o
	next.data, next.untouched = nil, false
	return &next
}

// update stores an object's next self.
func (m *model) update(c call, o, next *object, v version) (answer, error) {
	m.keepSecrets(o, next)
	if err := m.keepFixed(o, next); err != nil {
		return answer{}, err
	}
	if err := m.clash(next); err != nil {
		return answer{}, err
	}
	vip := m.follow(o, "vsvip_ref")
	if err := m.expandUpdate(o, next); err != nil {
		return answer{}, err
	}
	if err := m.commit(o, next); err != nil {
		if vip != nil {
			m.put(vip) // as it was before expandUpdate
		}
		return answer{}, err
	}
	if o.kind == "tenant" && !m.ownDefault(o.uuid) {
		m.tenantCreated(next)
	}
	return jsonAnswer(http.StatusOK, m.render(next, view{base: c.Base, names: true, version: v})), nil
}

// keepFixed refuses changes of what cannot change; what is left out of a body stays.
func (m *model) keepFixed(o, next *object) error {
	if o.system && next.data["name"] != o.data["name"] {
		return wrong("name", "Cannot rename system default object.")
	}
	for name, f := range m.schema.kinds[o.kind].fields {
		if !f.fixed {
			continue
		}
		if next.data[name] == nil && o.data[name] != nil {
			next.data[name] = o.data[name]
		}
		if next.data[name] != o.data[name] {
			return wrong(name, "This field cannot be changed once it is set.")
		}
	}
	return nil
}

// keepSecrets keeps what controllers never tell, and so no client can send back.
func (m *model) keepSecrets(o, next *object) {
	for name, f := range m.schema.kinds[o.kind].fields {
		if f.secret && next.data[name] == nil && o.data[name] != nil {
			next.data[name] = o.data[name]
		}
	}
}

// remove answers DELETE.
func (m *model) remove(kind *message, o *object) (answer, error) {
	if o.system || kind.singleton {
		return answer{}, &refusal{http.StatusForbidden, "Cannot delete system default object"}
	}
	if by := m.referredBy(o); len(by) > 0 {
		return answer{}, &refusal{http.StatusForbidden, "Cannot delete, object is referred by: [" + strings.Join(by, ", ") + "]"}
	}
	m.forget(o)
	m.shrink(o)
	return answer{Status: http.StatusNoContent, Header: http.Header{}}, nil
}

// referredBy names who refers to an object: 'Pool p', 'VirtualService v'.
func (m *model) referredBy(o *object) []string {
	var out []string
	for _, u := range m.users(o, "") {
		if u != o && !(o.kind == "vrfcontext" && u.kind == "tenant") {
			out = append(out, m.quoted(u))
		}
	}
	if o.kind == "tenant" {
		out = append(out, m.owned(o)...)
	}
	slices.Sort(out)
	return out
}

// owned names a tenant's objects, but for its default VRF context, which goes with it.
func (m *model) owned(t *object) []string {
	var out []string
	for _, objects := range m.objects {
		for _, o := range objects {
			if o.tenant == t.uuid && !o.system {
				out = append(out, m.quoted(o))
			}
		}
	}
	return out
}

func (m *model) quoted(o *object) string { return fmt.Sprintf("'%s %v'", m.label(o), o.data["name"]) }

// expand makes the VsVip of a virtual service that brings its own vip, as controllers do.
func (m *model) expand(o *object) error {
	vip, inline := o.data["vip"]
	if o.kind != "virtualservice" || !inline {
		return nil
	}
	if o.data["vsvip_ref"] != nil {
		return wrong("vip", "Only one of vip and vsvip_ref is allowed.")
	}
	v := &object{kind: "vsvip", uuid: "vsvip-" + uuid.NewString(), tenant: o.tenant, created: o.created, order: m.made, inline: o.uuid}
	v.data = map[string]any{"name": "vsvip-" + rand.Text()[:6], "vip": copied(vip), "east_west_placement": false}
	for _, field := range []string{"cloud_ref", "vrf_context_ref"} {
		if o.data[field] != nil {
			v.data[field] = o.data[field]
		}
	}
	if err := m.commit(nil, v); err != nil {
		return err
	}
	o.data["vsvip_ref"] = path("vsvip", v.uuid)
	return nil
}

// expandUpdate lets a virtual service with a vip of its own say that vip again, and takes it over into the VsVip.
func (m *model) expandUpdate(o, next *object) error {
	vip, inline := next.data["vip"]
	if o.kind != "virtualservice" || !inline {
		return nil
	}
	v := m.follow(o, "vsvip_ref")
	if v == nil || v.inline != o.uuid {
		return wrong("vip", "Only one of vip and vsvip_ref is allowed.")
	}
	next.data["vsvip_ref"] = path("vsvip", v.uuid)
	changed := v.successor()
	changed.data = maps.Clone(v.data)
	changed.data["vip"] = copied(vip)
	return m.commit(v, changed)
}

// shrink removes the VsVip that a virtual service's own vip made unless another one uses it, and a tenant's own VRF context.
func (m *model) shrink(o *object) {
	for _, v := range m.objects["vsvip"] {
		if o.kind != "virtualservice" || v.inline != o.uuid {
			continue
		}
		v.inline = ""
		if len(m.users(v, "virtualservice")) == 0 {
			m.forget(v)
		}
	}
	for _, v := range m.objects["vrfcontext"] {
		if o.kind == "tenant" && v.tenant == o.uuid && v.system {
			m.forget(v)
		}
	}
}
