package translate

import (
	"plimsoll/lbaas"
)

// Avi's own persistence profiles.
const (
	persistClientIP   = "System-Persistence-Client-IP"
	persistHTTPCookie = "System-Persistence-Http-Cookie"
)

// persistence is what a pool refers to for its session persistence, and the profile that has to be made for it: one for all
// copies of a pool that goes by its members' own cookie.
func persistence(p *lbaas.Pool) (ref any, profile []Object) {
	if p.SessionPersistence == nil {
		return nil, nil
	}
	switch p.SessionPersistence.Type {
	case lbaas.PersistSourceIP:
		return NamedRef(Persistence, persistClientIP), nil
	case lbaas.PersistHTTPCookie:
		return NamedRef(Persistence, persistHTTPCookie), nil
	case lbaas.PersistAppCookie:
		o := cookieProfile(p)
		return Ref(Persistence, o.UUID), []Object{o}
	}
	return nil, nil
}

func cookieProfile(p *lbaas.Pool) Object {
	cookie := p.SessionPersistence.CookieName
	name := "appcookie:" + cut(cookie, 10) + ":" + p.ID
	return Object{
		Kind: Persistence, UUID: UUID(Persistence, p.ID), Alias: alias(name, p.ID), For: []string{p.ID},
		Owned: map[string]any{
			"name":                           bounded(name),
			"description":                    "Openstack profile via LBaaS",
			"persistence_type":               "PERSISTENCE_TYPE_APP_COOKIE",
			"app_cookie_persistence_profile": map[string]any{"prst_hdr_name": cookie},
		},
	}
}
