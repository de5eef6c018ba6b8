package keystone

import (
	"encoding/json"
	"slices"

	"plimsoll/internal/identity"
	"plimsoll/lbaas"
)

// authRequest is what somebody says to get a token.
type authRequest struct {
	methods       []string
	password      *passwordMethod
	token         string
	appCredential *appCredentialMethod
	scope         scopeRequest
}

type passwordMethod struct {
	user     userReference
	password string
}

type appCredentialMethod struct {
	id     string
	name   string // with user, where there is no id
	user   userReference
	secret string
}

// userReference names a user by id, or by name and domain.
type userReference struct {
	id, name string
	domain   domainReference
}

type domainReference struct{ id, name string }

// scopeRequest is the scope asked for. Without asked there was none, and the user's default project will do.
type scopeRequest struct {
	asked bool
	kind  identity.ScopeKind
	id    string
	name  string
	// domain is the project's, where the project is given by name.
	domain domainReference
}

// parseAuth reads the body of POST /v3/auth/tokens.
func parseAuth(data []byte) (*authRequest, error) {
	d, err := parseBody(data, "auth")
	if err != nil {
		return nil, err
	}
	req := &authRequest{}
	id := d.inner("identity")
	d.join(id)
	req.readMethods(id)
	d.join(id)
	req.scope = readScope(d)
	if d.err != nil {
		return nil, d.err
	}
	return req, nil
}

func (req *authRequest) readMethods(d *reader) {
	methods, given := d.list("methods")
	if d.err == nil && (!given || len(methods) == 0) {
		d.missing("methods")
		return
	}
	for _, method := range methods {
		if d.err != nil {
			return
		}
		switch method {
		case "password":
			in := d.inner("password")
			user := in.inner("user")
			req.password = &passwordMethod{user: readUser(user), password: user.secret("password")}
			in.join(user)
			d.join(in)
		case "token":
			in := d.inner("token")
			if req.token = in.secret("id"); req.token == "" {
				in.missing("id")
			}
			d.join(in)
		case "application_credential":
			req.readAppCredential(d)
		default:
			d.err = unsupportedMethod()
		}
		req.methods = append(req.methods, method)
	}
	slices.Sort(req.methods)
	req.methods = slices.Compact(req.methods)
}

// unsupportedMethod is Keystone's answer to a method that it has not been set up with.
func unsupportedMethod() error { return identity.Unauthorized() }

func (req *authRequest) readAppCredential(d *reader) {
	in := d.inner("application_credential")
	m := &appCredentialMethod{id: in.id("id").Value, secret: in.secret("secret")}
	if m.id == "" && in.err == nil {
		m.name = in.requiredName(maxName)
		user := in.inner("user")
		m.user = readUser(user)
		in.join(user)
	}
	d.join(in)
	req.appCredential = m
}

func readUser(d *reader) userReference {
	u := userReference{id: d.id("id").Value}
	if u.id == "" && d.err == nil {
		u.name = d.requiredName(maxName)
		u.domain = readDomain(d)
	}
	return u
}

// readDomain reads the domain of something that is given by name.
func readDomain(d *reader) domainReference {
	in := d.inner("domain")
	ref := domainReference{id: in.id("id").Value}
	if ref.id == "" && in.err == nil {
		ref.name = in.requiredName(maxName)
	}
	d.join(in)
	return ref
}

func readScope(d *reader) scopeRequest {
	raw, given := d.take("scope")
	if !given || d.err != nil {
		return scopeRequest{}
	}
	var word string
	if json.Unmarshal(raw, &word) == nil {
		if word != "unscoped" {
			d.fail("scope", raw, "is neither an object nor 'unscoped'")
		}
		return scopeRequest{asked: true}
	}
	in := d.inner("scope")
	s := readScopeObject(in)
	d.join(in)
	return s
}

func readScopeObject(d *reader) scopeRequest {
	if d.err == nil && len(d.object) != 1 {
		d.err = lbaas.Errorf(lbaas.Invalid, "Expecting to find exactly one of project, domain, system or unscoped in auth.scope.")
	}
	s := scopeRequest{asked: true}
	switch {
	case d.err != nil:
	case d.has("unscoped"):
	case d.has("project"):
		s.readProject(d)
	case d.has("domain"):
		s.kind = identity.DomainScope
		ref := readDomain(d)
		s.id, s.name = ref.id, ref.name
	case d.has("system"):
		in := d.inner("system")
		if all := in.flag("all"); in.err == nil && !all.Value {
			in.missing("all")
		}
		d.join(in)
		s.kind, s.id = identity.SystemScope, identity.SystemScopeID
	default:
		d.err = lbaas.Errorf(lbaas.Invalid, "Expecting to find exactly one of project, domain, system or unscoped in auth.scope.")
	}
	return s
}

func (s *scopeRequest) readProject(d *reader) {
	s.kind = identity.ProjectScope
	in := d.inner("project")
	if s.id = in.id("id").Value; s.id == "" && in.err == nil {
		s.name = in.requiredName(maxName)
		s.domain = readDomain(in)
	}
	d.join(in)
}
