package octavia_test

import (
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"plimsoll/internal/api/octavia"
	"plimsoll/internal/identity"
	"plimsoll/internal/policy"
	"plimsoll/internal/web/webtest"
)

// byRole are tokens of one role each, for the project mine or, where the name says so, for the system.
func byRole() webtest.Actors {
	a := webtest.Actors{
		"none": {UserID: "u", ProjectID: mine}, "unscoped": {UserID: "u"},
		"system-reader": {UserID: "u", System: true, Roles: []string{"reader"}},
		"system-admin":  {UserID: "u", System: true, Roles: []string{"admin"}},
	}
	for _, role := range []string{
		"admin", "member", "reader", "service", "load-balancer_member", "load-balancer_observer", "load-balancer_global_observer",
		"load-balancer_quota_admin", "load-balancer_admin",
	} {
		a[role] = &identity.Actor{UserID: "u", ProjectID: mine, Roles: []string{role}}
	}
	return a
}

// Who may do what, by the building blocks of the API's description (section 3), with both sets of roles; "+own" is in the
// token's own project only.
const (
	mayAll       = "admin load-balancer_admin system-admin "
	mayObserve   = mayAll + "load-balancer_global_observer system-reader "
	mayRead      = mayObserve + "member+own reader+own load-balancer_member+own load-balancer_observer+own "
	mayWrite     = mayAll + "member+own load-balancer_member+own"
	maySetQuotas = mayAll + "load-balancer_quota_admin"
	maySeeQuotas = mayRead + "load-balancer_quota_admin"
)

func granted(list, who string, own bool) bool {
	names := strings.Fields(list)
	return slices.Contains(names, who) || own && slices.Contains(names, who+"+own")
}

// kind is whom a route is about, and what comes first: to find it, or to ask who wants it.
type kind int

const (
	found   kind = iota // part of a load balancer's tree, or an amphora: found first
	child               // like that, but the path names nothing that could be unknown
	catalog             // of no project: the token's own counts; asked first
	quota               // the project in the path; asked first
)

// guarded is a route with a request that does something.
type guarded struct {
	method, path string
	body         string
	may          string
	code         int
	kind         kind
	fresh        string // what the request uses up: made anew for everybody who may
}

// guardedRoutes are all of them but lists over projects. {name} is an object of the tree, {n} a number.
var guardedRoutes = []guarded{
	{"POST", "/loadbalancers", `{"loadbalancer":{"vip_subnet_id":"{subnet}","project_id":"{project}","provider":"noop"}}`, mayWrite, 201, child, ""},
	{"GET", "/loadbalancers/{lb}", "", mayRead, 200, found, ""},
	{"PUT", "/loadbalancers/{lb}", `{"loadbalancer":{"name":"n"}}`, mayWrite, 200, found, ""},
	{"DELETE", "/loadbalancers/{lb}", "", mayWrite, 204, found, "lb"},
	{"GET", "/loadbalancers/{lb}/stats", "", mayRead, 200, found, ""},
	{"GET", "/loadbalancers/{lb}/status", "", mayRead, 200, found, ""},
	{"GET", "/loadbalancers/{lb}/statuses", "", mayRead, 200, found, ""},
	{"PUT", "/loadbalancers/{lb}/failover", "", mayAll, 202, found, ""},
	{"PUT", "/loadbalancers/{lb}/resize", `{"new_flavor_id":"{flavor}"}`, mayWrite, 202, found, ""},

	{"POST", "/listeners", `{"listener":{"loadbalancer_id":"{lb}","protocol":"TCP","protocol_port":{n}}}`, mayWrite, 201, child, ""},
	{"GET", "/listeners/{listener}", "", mayRead, 200, found, ""},
	{"PUT", "/listeners/{listener}", `{"listener":{"name":"n"}}`, mayWrite, 200, found, ""},
	{"DELETE", "/listeners/{listener}", "", mayWrite, 204, found, "listener"},
	{"GET", "/listeners/{listener}/stats", "", mayRead, 200, found, ""},

	{"POST", "/pools", `{"pool":{"loadbalancer_id":"{lb}","protocol":"HTTP","lb_algorithm":"ROUND_ROBIN"}}`, mayWrite, 201, child, ""},
	{"GET", "/pools/{pool}", "", mayRead, 200, found, ""},
	{"PUT", "/pools/{pool}", `{"pool":{"name":"n"}}`, mayWrite, 200, found, ""},
	{"DELETE", "/pools/{pool}", "", mayWrite, 204, found, "pool"},

	{"GET", "/pools/{pool}/members", "", mayRead + "service", 200, found, ""},
	{"POST", "/pools/{pool}/members", `{"member":{"address":"192.0.2.1","protocol_port":{n}}}`, mayWrite, 201, found, ""},
	{"PUT", "/pools/{pool}/members", `{"members":[{"address":"192.0.2.1","protocol_port":{n}}]}`, mayWrite, 202, found, "pool"},
	{"GET", "/pools/{pool}/members/{member}", "", mayRead, 200, found, ""},
	{"PUT", "/pools/{pool}/members/{member}", `{"member":{"name":"n"}}`, mayWrite, 200, found, ""},
	{"DELETE", "/pools/{pool}/members/{member}", "", mayWrite, 204, found, "member"},

	{
		"POST", "/healthmonitors", `{"healthmonitor":{"pool_id":"{pool}","type":"TCP","delay":5,"timeout":3,"max_retries":2}}`,
		mayWrite, 201, child, "pool",
	},
	{"GET", "/healthmonitors/{healthmonitor}", "", mayRead, 200, found, ""},
	{"PUT", "/healthmonitors/{healthmonitor}", `{"healthmonitor":{"name":"n"}}`, mayWrite, 200, found, ""},
	{"DELETE", "/healthmonitors/{healthmonitor}", "", mayWrite, 204, found, "healthmonitor"},

	{"POST", "/l7policies", `{"l7policy":{"listener_id":"{listener}","action":"REJECT"}}`, mayWrite, 201, child, ""},
	{"GET", "/l7policies/{l7policy}", "", mayRead, 200, found, ""},
	{"PUT", "/l7policies/{l7policy}", `{"l7policy":{"name":"n"}}`, mayWrite, 200, found, ""},
	{"DELETE", "/l7policies/{l7policy}", "", mayWrite, 204, found, "l7policy"},
	{"GET", "/l7policies/{l7policy}/rules", "", mayRead, 200, found, ""},
	{
		"POST", "/l7policies/{l7policy}/rules", `{"rule":{"type":"PATH","compare_type":"EQUAL_TO","value":"/{n}"}}`,
		mayWrite, 201, found, "",
	},
	{"GET", "/l7policies/{l7policy}/rules/{l7rule}", "", mayRead, 200, found, ""},
	{"PUT", "/l7policies/{l7policy}/rules/{l7rule}", `{"rule":{"value":"/n"}}`, mayWrite, 200, found, ""},
	{"DELETE", "/l7policies/{l7policy}/rules/{l7rule}", "", mayWrite, 204, found, "l7rule"},

	{"POST", "/ratelimitpolicies", `{"ratelimitpolicy":{"listener_id":"{listener}","action":"DENY"}}`, mayWrite, 201, child, ""},
	{"GET", "/ratelimitpolicies/{ratelimitpolicy}", "", mayRead, 200, found, ""},
	{"PUT", "/ratelimitpolicies/{ratelimitpolicy}", `{"ratelimitpolicy":{"name":"n"}}`, mayWrite, 200, found, ""},
	{"DELETE", "/ratelimitpolicies/{ratelimitpolicy}", "", mayWrite, 204, found, "ratelimitpolicy"},
	{"GET", "/ratelimitpolicies/{ratelimitpolicy}/rules", "", mayRead, 200, found, ""},
	{
		"POST", "/ratelimitpolicies/{ratelimitpolicy}/rules", `{"rule":{"metric":"REQUESTS","threshold":{n}}}`,
		mayWrite, 201, found, "ratelimitpolicy",
	},
	{"GET", "/ratelimitpolicies/{ratelimitpolicy}/rules/{ratelimitrule}", "", mayRead, 200, found, ""},
	{"PUT", "/ratelimitpolicies/{ratelimitpolicy}/rules/{ratelimitrule}", `{"rule":{"threshold":9}}`, mayWrite, 200, found, ""},
	{"DELETE", "/ratelimitpolicies/{ratelimitpolicy}/rules/{ratelimitrule}", "", mayWrite, 204, found, "ratelimitrule"},

	{"GET", "/quotas/{project}", "", maySeeQuotas, 200, quota, ""},
	{"GET", "/quotas/{project}/default", "", maySeeQuotas, 200, quota, ""},
	{"PUT", "/quotas/{project}", `{"quota":{"pool":-1}}`, maySetQuotas, 202, quota, ""},
	{"DELETE", "/quotas/{project}", "", maySetQuotas, 202, quota, "quota"},

	{"GET", "/providers", "", mayRead, 200, catalog, ""},
	{"GET", "/providers/noop/flavor_capabilities", "", mayAll, 200, catalog, ""},
	{"GET", "/providers/noop/availability_zone_capabilities", "", mayAll, 200, catalog, ""},

	{"GET", "/flavors", "", mayRead, 200, catalog, ""},
	{"POST", "/flavors", `{"flavor":{"name":"{n}","flavor_profile_id":"{flavorprofile}"}}`, mayAll, 201, catalog, ""},
	{"GET", "/flavors/{flavor}", "", mayRead, 200, catalog, ""},
	{"PUT", "/flavors/{flavor}", `{"flavor":{"description":"d"}}`, mayAll, 200, catalog, ""},
	{"DELETE", "/flavors/{flavor}", "", mayAll, 204, catalog, "flavor"},
	{"GET", "/flavorprofiles", "", mayAll, 200, catalog, ""},
	{"POST", "/flavorprofiles", `{"flavorprofile":{"name":"{n}","provider_name":"noop","flavor_data":"{}"}}`, mayAll, 201, catalog, ""},
	{"GET", "/flavorprofiles/{flavorprofile}", "", mayAll, 200, catalog, ""},
	{"PUT", "/flavorprofiles/{flavorprofile}", `{"flavorprofile":{}}`, mayAll, 200, catalog, ""},
	{"DELETE", "/flavorprofiles/{flavorprofile}", "", mayAll, 204, catalog, "flavorprofile"},
	{"GET", "/availabilityzones", "", mayRead, 200, catalog, ""},
	{
		"POST", "/availabilityzones", `{"availability_zone":{"name":"{n}","availability_zone_profile_id":"{zoneprofile}"}}`,
		mayAll, 201, catalog, "",
	},
	{"GET", "/availabilityzones/{zone}", "", mayRead, 200, catalog, ""},
	{"PUT", "/availabilityzones/{zone}", `{"availability_zone":{"description":"d"}}`, mayAll, 200, catalog, ""},
	{"DELETE", "/availabilityzones/{zone}", "", mayAll, 204, catalog, "zone"},
	{"GET", "/availabilityzoneprofiles", "", mayAll, 200, catalog, ""},
	{
		"POST", "/availabilityzoneprofiles", `{"availability_zone_profile":{"name":"{n}","provider_name":"noop","availability_zone_data":"{}"}}`,
		mayAll, 201, catalog, "",
	},
	{"GET", "/availabilityzoneprofiles/{zoneprofile}", "", mayAll, 200, catalog, ""},
	{"PUT", "/availabilityzoneprofiles/{zoneprofile}", `{"availability_zone_profile":{}}`, mayAll, 200, catalog, ""},
	{"DELETE", "/availabilityzoneprofiles/{zoneprofile}", "", mayAll, 204, catalog, "zoneprofile"},

	{"GET", "/octavia/amphorae", "", mayAll, 200, catalog, ""},
	{"GET", "/octavia/amphorae/{amphora}", "", mayAll, 200, found, ""},
	{"DELETE", "/octavia/amphorae/{amphora}", "", mayAll, 409, found, ""}, // it is allocated
	{"GET", "/octavia/amphorae/{amphora}/stats", "", mayAll, 404, found, ""},
	{"PUT", "/octavia/amphorae/{amphora}/config", "", mayAll, 202, found, ""},
	{"PUT", "/octavia/amphorae/{amphora}/failover", "", mayAll, 202, found, ""},
}

// guardedLists are lists over projects: who may see his own project's, and who all.
var guardedLists = []struct{ path, may, global, noun string }{
	{"/loadbalancers", mayRead, mayObserve, "lb"},
	{"/listeners", mayRead, mayObserve, "listener"},
	{"/pools", mayRead, mayObserve, "pool"},
	{"/healthmonitors", mayRead, mayObserve, "healthmonitor"},
	{"/l7policies", mayRead, mayObserve, "l7policy"},
	{"/ratelimitpolicies", mayRead, mayObserve, "ratelimitpolicy"},
	{"/quotas", maySeeQuotas, mayObserve + "load-balancer_quota_admin", "project"},
}

// forest is what the routes are about: one tree in each project.
type forest struct {
	*cloud
	trees map[string]map[string]string // by project: names of the tree's objects to ids
	n     int
}

func newForest(t *testing.T) *forest {
	t.Helper()
	return newForestOf(t, byRole(), policy.Default())
}

// newForestOf has tokens and rules of its own; the token admin may do everything.
func newForestOf(t *testing.T, tokens webtest.Actors, rules *policy.Enforcer) *forest {
	t.Helper()
	c := newCloud(t)
	config := c.catalogConfig()
	config.Auth, config.Policy = tokens, rules
	c.serve(config)
	f := &forest{cloud: c.as("admin"), trees: map[string]map[string]string{}}
	_, amphora, _ := f.amphorae()
	for project, subnet := range map[string]string{mine: c.subnet.ID, foreign: c.private.ID} {
		f.trees[project] = map[string]string{"project": project, "subnet": subnet, "amphora": amphora}
		for _, noun := range []string{
			"lb", "listener", "healthmonitor", "member", "l7policy", "l7rule", "ratelimitpolicy", "ratelimitrule", "quota",
			"flavorprofile", "flavor", "zoneprofile", "zone",
		} {
			f.trees[project] = f.with(noun, f.trees[project])
		}
	}
	return f
}

// with is a tree with another object of a noun.
func (f *forest) with(noun string, tree map[string]string) map[string]string {
	f.t.Helper()
	grown := map[string]string{}
	for name, id := range tree {
		grown[name] = id
	}
	if noun == "healthmonitor" {
		grown = f.with("pool", grown)
	}
	post := map[string][3]string{
		"lb":              {"/loadbalancers", "loadbalancer", `{"vip_subnet_id":"{subnet}","project_id":"{project}","provider":"noop"}`},
		"listener":        {"/listeners", "listener", `{"loadbalancer_id":"{lb}","protocol":"HTTP","protocol_port":{n}}`},
		"pool":            {"/pools", "pool", `{"loadbalancer_id":"{lb}","protocol":"HTTP","lb_algorithm":"ROUND_ROBIN"}`},
		"member":          {"/pools/{pool}/members", "member", `{"address":"192.0.2.1","protocol_port":{n}}`},
		"healthmonitor":   {"/healthmonitors", "healthmonitor", `{"pool_id":"{pool}","type":"TCP","delay":5,"timeout":3,"max_retries":2}`},
		"l7policy":        {"/l7policies", "l7policy", `{"listener_id":"{listener}","action":"REJECT"}`},
		"l7rule":          {"/l7policies/{l7policy}/rules", "rule", `{"type":"PATH","compare_type":"EQUAL_TO","value":"/{n}"}`},
		"ratelimitpolicy": {"/ratelimitpolicies", "ratelimitpolicy", `{"listener_id":"{listener}","action":"DENY"}`},
		"ratelimitrule":   {"/ratelimitpolicies/{ratelimitpolicy}/rules", "rule", `{"metric":"REQUESTS","threshold":5}`},
	}
	switch noun {
	case "quota":
		f.must(http.StatusAccepted, "PUT", "/quotas/"+tree["project"], object{"quota": object{"listener": -1}})
	case "flavorprofile":
		grown[noun] = f.flavorProfile("noop", "{}")
	case "flavor":
		grown[noun] = f.flavor("noop", "{}")
	case "zoneprofile":
		grown[noun] = f.zoneProfile("noop", "{}")
	case "zone":
		grown[noun] = f.zone("noop", "{}")
	default:
		p := post[noun]
		a := f.do(http.MethodPost, root+f.fill(p[0], grown), `{"`+p[1]+`":`+f.fill(p[2], grown)+`}`)
		if a.code != http.StatusCreated {
			f.t.Fatalf("make a %s: %d %s", noun, a.code, a.raw)
		}
		o := a.body[p[1]].(object)
		grown[noun] = o["id"].(string)
	}
	return grown
}

// fill puts the ids in.
func (f *forest) fill(text string, tree map[string]string) string {
	f.n++
	text = strings.ReplaceAll(text, "{n}", strconv.Itoa(1000+f.n))
	for name, id := range tree {
		text = strings.ReplaceAll(text, "{"+name+"}", id)
	}
	return text
}

// ask sends a route's request about a tree.
func (f *forest) ask(r guarded, who string, tree map[string]string) answer {
	f.t.Helper()
	var body any
	if r.body != "" {
		body = f.fill(r.body, tree)
	}
	path := root + f.fill(r.path, tree)
	if strings.HasPrefix(r.path, "/octavia") {
		path = "/v2" + f.fill(r.path, tree)
	}
	return f.as(who).do(r.method, path, body)
}

// TestEveryRoute asks by every route for every role, in the own project and in another.
func TestEveryRoute(t *testing.T) {
	f := newForest(t)
	for _, r := range guardedRoutes {
		for who := range byRole() {
			for project, tree := range f.trees {
				if r.kind == catalog && project == foreign {
					continue
				}
				f.wants(t, r, who, tree, granted(r.may, who, project == mine && who != "unscoped"))
			}
		}
	}
}

func (f *forest) wants(t *testing.T, r guarded, who string, tree map[string]string, may bool) {
	t.Helper()
	what := who + " of " + mine[:2] + " " + r.method + " " + r.path + " of " + tree["project"][:2]
	if !may {
		if a := f.ask(r, who, tree); a.code != http.StatusForbidden || strings.Contains(a.raw, tree["lb"]) {
			t.Errorf("%s: %d %s, want 403", what, a.code, a.raw)
		}
	} else {
		if r.fresh != "" {
			tree = f.with(r.fresh, tree)
		}
		if a := f.ask(r, who, tree); a.code != r.code {
			t.Errorf("%s: %d %s, want %d", what, a.code, a.raw, r.code)
		}
	}
	f.wantsUnknown(t, r, what, who, tree, may)
}

// wantsUnknown asks for what is not there: a part of a tree is found, or not, before anybody asks who wants it.
func (f *forest) wantsUnknown(t *testing.T, r guarded, what, who string, tree map[string]string, may bool) {
	t.Helper()
	last := strings.LastIndex(r.path, "{")
	if last < 0 || r.kind == child || r.kind == quota {
		return
	}
	want := http.StatusNotFound
	if r.kind == catalog && !may {
		want = http.StatusForbidden
	}
	end := last + strings.Index(r.path[last:], "}") + 1
	r.path = r.path[:last] + nobodysID + r.path[end:]
	if a := f.ask(r, who, tree); a.code != want {
		t.Errorf("%s, of one that is not there: %d %s, want %d", what, a.code, a.raw, want)
	}
}

// TestEveryList asks for every list over projects: of all, of the own, and of another.
func TestEveryList(t *testing.T) {
	f := newForest(t)
	for _, l := range guardedLists {
		for who := range byRole() {
			global := granted(l.global, who, true)
			own := granted(l.may, who, true) && who != "unscoped"
			for query, want := range map[string]struct{ may, mine, foreign bool }{
				"":                       {own, own, global},
				"?project_id=" + mine:    {own, own, false},
				"?project_id=" + foreign: {global, false, global},
			} {
				a := f.as(who).do(http.MethodGet, root+l.path+query, nil)
				code := http.StatusForbidden
				if want.may {
					code = http.StatusOK
				}
				sees := func(project string) bool { return strings.Contains(a.raw, `"`+f.trees[project][l.noun]+`"`) }
				if links, _, _ := strings.Cut(a.raw, "_links"); a.code != code || a.code == http.StatusOK && (sees(mine) != want.mine || sees(foreign) != want.foreign) {
					t.Errorf("%s GET %s%s: %d %s, want %d, own project's %v, the other's %v", who, l.path, query, a.code, links, code, want.mine, want.foreign)
				}
			}
		}
	}
}

// shape is a route as the tables here and the API's have it.
func shape(method, path string) string {
	parts := strings.Split(path, "/")
	for i, part := range parts {
		if strings.HasPrefix(part, "{") || i == 2 && parts[1] == "providers" {
			parts[i] = "{}"
		}
	}
	return method + " " + strings.Join(parts, "/")
}

// aRoleForEachRule has a token for each rule that may do what the rule lets, and nothing else ("only …"), and one that may do
// all but that ("not …").
func aRoleForEachRule(t *testing.T) (webtest.Actors, *policy.Enforcer) {
	t.Helper()
	var text strings.Builder
	tokens := webtest.Actors{"admin": {UserID: "u", ProjectID: mine, Roles: append(policy.Rules(), "admin")}} // who sees all networks
	for _, rule := range policy.Rules() {
		text.WriteString(strconv.Quote(rule) + ": " + strconv.Quote("role:"+rule) + "\n")
		name := strings.TrimPrefix(rule, policy.Prefix)
		others := slices.DeleteFunc(policy.Rules(), func(r string) bool { return r == rule })
		tokens["only "+name] = &identity.Actor{UserID: "u", ProjectID: mine, Roles: []string{rule}}
		tokens["not "+name] = &identity.Actor{UserID: "u", ProjectID: mine, Roles: others}
	}
	const batch = policy.Prefix + "member:"
	tokens["only batch"] = &identity.Actor{UserID: "u", ProjectID: mine, Roles: []string{batch + "post", batch + "put", batch + "delete"}}
	file := filepath.Join(t.TempDir(), "policy.yaml")
	if err := os.WriteFile(file, []byte(text.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	rules, err := policy.New(policy.Options{File: file})
	if err != nil {
		t.Fatal(err)
	}
	return tokens, rules
}

// TestEveryRouteAsksItsOwnRule shows that each route is for who may do what its rule says, and for nobody else.
func TestEveryRouteAsksItsOwnRule(t *testing.T) {
	tokens, enforcer := aRoleForEachRule(t)
	f := newForestOf(t, tokens, enforcer)
	tree, asked := f.trees[mine], map[string]bool{"loadbalancer:post:vip_sg_ids": true, "loadbalancer:put:vip_sg_ids": true}
	rules := map[string]string{}
	for route, rule := range octavia.RouteRules() {
		method, path, _ := strings.Cut(route, " ")
		rules[shape(method, path)] = rule
	}
	for _, r := range guardedRoutes {
		needed := []string{rules[shape(r.method, r.path)]}
		only := "only " + needed[0]
		if r.method == "PUT" && strings.HasSuffix(r.path, "/members") {
			needed, only = []string{"member:post", "member:put", "member:delete"}, "only batch"
		}
		for _, rule := range needed {
			asked[rule] = true
			f.ask(r, "not "+rule, tree).fault(t, http.StatusForbidden, "Policy does not allow this request to be performed.")
		}
		using := tree
		if r.fresh != "" {
			using = f.with(r.fresh, tree)
		}
		if a := f.ask(r, only, using); a.code != r.code {
			t.Errorf("%s: %s %s: %d %s, want %d", only, r.method, r.path, a.code, a.raw, r.code)
		}
	}
	for _, l := range guardedLists {
		f.wantsListRules(t, l.path, rules["GET "+l.path], l.noun)
		asked[rules["GET "+l.path]], asked[rules["GET "+l.path]+"-global"] = true, true
	}
	for _, rule := range policy.Rules() {
		if !asked[strings.TrimPrefix(rule, policy.Prefix)] {
			t.Errorf("no route asks %s", rule)
		}
	}
	for who, want := range map[string]int{"only quota:get_defaults": 200, "not quota:get_defaults": 403} {
		if a := f.as(who).do(http.MethodGet, root+"/quotas/defaults", nil); a.code != want {
			t.Errorf("%s: the defaults: %d %s", who, a.code, a.raw)
		}
	}
}

// wantsListRules asks for a list of all projects and for one of a project.
func (f *forest) wantsListRules(t *testing.T, path, rule, noun string) {
	t.Helper()
	for _, test := range []struct {
		who, query    string
		code          int
		mine, foreign bool
	}{
		{"only " + rule, "", 200, true, false},
		{"only " + rule, "?project_id=" + foreign, 200, false, true}, // the rule looks at no project
		{"only " + rule + "-global", "", 200, true, true},
		{"only " + rule + "-global", "?project_id=" + foreign, 200, false, true},
		{"not " + rule + "-global", "", 200, true, false},
		{"not " + rule, "", 200, true, true},
		{"only loadbalancer:post", "", 403, false, false},
	} {
		a := f.as(test.who).do(http.MethodGet, root+path+test.query, nil)
		sees := func(project string) bool {
			return a.code == 200 && strings.Contains(a.raw, `"`+f.trees[project][noun]+`"`)
		}
		if a.code != test.code || sees(mine) != test.mine || sees(foreign) != test.foreign {
			t.Errorf("%s GET %s%s: %d %s", test.who, path, test.query, a.code, a.raw)
		}
	}
}

// TestEveryRouteIsAsked compares the tables above with the API's.
func TestEveryRouteIsAsked(t *testing.T) {
	asked := []string{"GET /providers/{}"} // which is 405 for everybody
	for _, r := range guardedRoutes {
		asked = append(asked, shape(r.method, r.path))
	}
	for _, l := range guardedLists {
		asked = append(asked, shape("GET", l.path))
	}
	var routes []string
	for _, r := range octavia.RouteTable() {
		method, path, _ := strings.Cut(r, " ")
		routes = append(routes, shape(method, path))
	}
	for _, r := range routes {
		if !slices.Contains(asked, r) {
			t.Errorf("nobody is asked for by %s", r)
		}
	}
	for _, r := range asked {
		if !slices.Contains(routes, r) {
			t.Errorf("%s is no route", r)
		}
	}
}

// TestOperatorsRules serves with an operator's file, which then changes.
func TestOperatorsRules(t *testing.T) {
	file := filepath.Join(t.TempDir(), "policy.yaml")
	write := func(text string) {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("load-balancer:write: role:builder and rule:load-balancer:owner")
	rules, err := policy.New(policy.Options{File: file})
	if err != nil {
		t.Fatal(err)
	}
	c := newCloud(t)
	config := c.catalogConfig()
	config.Policy = rules
	c.serve(config)
	body := object{"loadbalancer": object{"vip_subnet_id": c.subnet.ID}}
	c.do(http.MethodPost, root+"/loadbalancers", body).fault(t, 403, "Policy does not allow this request to be performed.")
	c.must(http.StatusOK, "GET", "/loadbalancers", nil)
	write("load-balancer:write: role:member and rule:load-balancer:owner")
	deadline := time.Now().Add(20 * time.Second)
	for c.do(http.MethodPost, root+"/loadbalancers", body).code != http.StatusCreated {
		if time.Now().After(deadline) {
			t.Fatal("the new rules do not hold")
		}
		time.Sleep(50 * time.Millisecond)
	}
}
