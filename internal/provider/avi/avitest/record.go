package avitest

import "fmt"

// Call is a request below /api that was made, log-ins not among them.
type Call struct {
	Method string
	Path   string // without the query
	Query  string // as sent
	Tenant string // X-Avi-Tenant-UUID or X-Avi-Tenant, as sent
	Status int    // that was answered, whether or not the answer arrived; 0: nothing was done
}

// String returns the call as one line.
func (c Call) String() string {
	path := c.Path
	if c.Query != "" {
		path += "?" + c.Query
	}
	return fmt.Sprintf("%s %s [%s] %d", c.Method, path, c.Tenant, c.Status)
}

// Calls returns the requests since the start or the last ResetCalls, in the order of their answers; of very many the newer ones.
func (s *Server) Calls() []Call {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Call{}, s.calls...)
}

// ResetCalls forgets calls, log-ins and the number of connections so far.
func (s *Server) ResetCalls() {
	s.mu.Lock()
	s.calls = nil
	s.mu.Unlock()
	s.sessions.forget()
	s.door.forget()
}

// Logins says how often somebody logged in successfully.
func (s *Server) Logins() int { return s.sessions.count() }

// MaxConnections says how many connections were open at the same time at most.
func (s *Server) MaxConnections() int {
	most, _ := s.door.counts()
	return most
}

// Connections says how many connections were made.
func (s *Server) Connections() int {
	_, made := s.door.counts()
	return made
}

func (s *Server) record(q *request, status int) {
	if !q.api() {
		return
	}
	h := q.Header
	c := Call{
		Method: q.Method, Path: q.URL.Path, Query: q.URL.RawQuery, Status: status,
		Tenant: or(h.Get(headerTenantUUID), h.Get(headerTenant)),
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.calls) >= mostCalls {
		s.calls = append([]Call{}, s.calls[mostCalls/2:]...)
	}
	s.calls = append(s.calls, c)
}

// mostCalls are remembered, so that long rehearsals do not fill the memory; of more the older half is forgotten.
const mostCalls = 1 << 17

// Objects returns the objects of a kind that a tenant owns, named by its UUID or name, oldest first; "*" is all tenants'. References in
// them are "/api/<kind>/<uuid>", whole numbers are int64.
func (s *Server) Objects(tenant, kind string) []map[string]any {
	for _, t := range s.model.list(scope{all: true}, "tenant") {
		if t["name"] == tenant {
			tenant = text(t, "uuid")
		}
	}
	return s.model.list(scope{uuid: tenant, all: tenant == "*"}, kind)
}

// Object returns an object in whatever tenant, or nil.
func (s *Server) Object(kind, uuid string) map[string]any {
	if o, ok := s.model.get(kind, uuid); ok {
		return o
	}
	return nil
}

// Edit changes an object as another user would. The error is the controller's refusal.
func (s *Server) Edit(kind, uuid string, change func(map[string]any)) error {
	return s.model.edit(kind, uuid, change)
}

// Drop removes an object whoever refers to it, and says whether there was one.
func (s *Server) Drop(kind, uuid string) bool { return s.model.drop(kind, uuid) }
