package haproxy

import (
	"slices"
	"strings"

	"plimsoll/internal/engine/enginepb"
	"plimsoll/lbaas"
)

// LocalPeer is the name by which HAProxy is its own peer; it is started with -L and this name.
const LocalPeer = "local"

// PeerAddress is where a process that is replaced gives its tables to the next, inside the load balancer's namespace.
const PeerAddress = "127.0.0.1:1025"

// Tables is the name of the section that has HAProxy's tables outlive a reload.
const Tables = "tables"

// tableSize is how many clients, or sessions, a table knows; beyond it those that were not seen for the longest time make room.
const tableSize = "100k"

// persistentCookie is the cookie of HTTP_COOKIE, which Octavia's users know by this name.
const persistentCookie = "SRV"

// PersistenceSupported tells whether a pool can keep its clients by that type where a listener of that protocol uses it. Cookies
// can be read only where HAProxy reads HTTP.
func PersistenceSupported(t lbaas.PersistenceType, listener lbaas.Protocol) bool {
	switch t {
	case lbaas.PersistSourceIP:
		return true
	case lbaas.PersistHTTPCookie, lbaas.PersistAppCookie:
		return mode(listener) == "http"
	}
	return false
}

// cookies tells whether the servers of a copy are told apart by cookies that HAProxy sets.
func (c *poolCopy) cookies() bool {
	p := c.pool.SessionPersistence
	return p != nil && p.Type == lbaas.PersistHTTPCookie && mode(c.listener.Protocol) == "http"
}

// persist keeps clients on their members.
func (s section) persist(c *poolCopy) {
	p := c.pool.SessionPersistence
	if p == nil || !PersistenceSupported(p.Type, c.listener.Protocol) {
		return
	}
	switch p.Type {
	case lbaas.PersistHTTPCookie:
		s.add("cookie %s insert indirect nocache", persistentCookie)
	case lbaas.PersistSourceIP:
		s.add("stick-table type ipv6 size %s peers %s", tableSize, Tables)
		s.add("stick on src")
	case lbaas.PersistAppCookie: // of any length: two sessions may begin alike
		s.add("stick-table type binary len 20 size %s peers %s", tableSize, Tables)
		s.add("stick match %s", Quote("req.cook("+argumentEscaper.Replace(p.CookieName)+"),sha1"))
		s.add("stick store-response %s", Quote("res.cook("+argumentEscaper.Replace(p.CookieName)+"),sha1"))
	}
}

// tables is the section of HAProxy's tables: those of rate limits are in it, those of pools refer to it. Nil is none.
func tables(lb *lbaas.LoadBalancer, spec *enginepb.Spec) *enginepb.Section {
	s := newSection("peers "+Tables, lb.ID)
	s.add("peer %s %s", LocalPeer, PeerAddress)
	for _, l := range listeners(lb) {
		for _, t := range rateTables(l) {
			s.addFor(l.ID, "table %s", t.definition(l))
		}
	}
	sticky := func(line string) bool { return strings.HasPrefix(line, "stick-table ") }
	if len(s.Lines) > 1 || slices.ContainsFunc(spec.Sections, func(o *enginepb.Section) bool { return slices.ContainsFunc(o.Lines, sticky) }) {
		return s.Section
	}
	return nil
}
