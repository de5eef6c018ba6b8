package octavia

import (
	"context"
	"mime"
	"net/http"
	"slices"
	"strings"
	"unicode/utf8"

	"plimsoll/internal/policy"
	"plimsoll/internal/web"
	"plimsoll/lbaas"
)

// request is a web.Request with the policy rule of its route.
type request struct {
	*web.Request
	rule   string // without policy.Prefix; "" where everybody who has a token may
	policy *policy.Enforcer
	// deployment is what forms take their defaults from.
	deployment *lbaas.Deployment
	turns      turns // for lists
}

type handler func(ctx context.Context, r *request) (web.Reply, error)

// handle makes the web's handler of ours, with what all routes check first.
func (a *API) handle(rule string, arguments []string, h handler) web.Handler {
	return func(ctx context.Context, wr *web.Request) (web.Reply, error) {
		r := &request{Request: wr, rule: rule, policy: a.Policy, deployment: &a.Options.Deployment, turns: a.turns}
		if err := r.precheck(arguments); err != nil {
			return web.Reply{}, err
		}
		a.Options.forgo(r)
		return h(ctx, r)
	}
}

func (r *request) precheck(arguments []string) error {
	if !acceptsJSON(r.Header.Values("Accept")) {
		return errNotAcceptable
	}
	if r.Method == http.MethodHead { // the mux gives HEAD to the routes of GET
		return web.MethodNotAllowed
	}
	if r.Method == http.MethodGet {
		return nil
	}
	for name := range r.Query {
		if !slices.Contains(arguments, name) {
			return lbaas.Errorf(lbaas.Invalid, `Unknown argument: "%s"`, name)
		}
	}
	return nil
}

// acceptsJSON tells whether the client takes JSON. What cannot be read counts as absent.
func acceptsJSON(headers []string) bool {
	accept := strings.Join(headers, ",")
	if strings.TrimSpace(accept) == "" {
		return true
	}
	taken := false
	for _, item := range strings.Split(accept, ",") {
		kind, parameters, err := mime.ParseMediaType(item)
		if err != nil || strings.Count(kind, "/") != 1 {
			return true
		}
		switch {
		case strings.Trim(parameters["q"], "0.") == "" && parameters["q"] != "":
		case kind == "*/*", kind == "application/*", kind == "application/json":
			taken = true
		}
	}
	return taken
}

// allow tells whether the actor may do what the route does to an object of the project.
func (r *request) allow(projectID string) error { return r.may(r.rule, projectID) }

func (r *request) may(rule, projectID string) error {
	if r.allowed(rule, projectID) {
		return nil
	}
	return errPolicy()
}

// allowed answers what the policy says of a rule, which is named without policy.Prefix.
func (r *request) allowed(rule, projectID string) bool {
	return r.policy.Allowed(r.Actor, policy.Prefix+rule, projectID)
}

func errPolicy() error {
	return lbaas.Errorf(lbaas.Forbidden, "Policy does not allow this request to be performed.")
}

// id returns a part of the path: an id, or a name that stands for one. What neither can be is not asked of the database, some of
// which would fail on it.
func (r *request) id(name string, noun lbaas.Noun) (string, error) {
	id := r.PathValue(name)
	if utf8.RuneCountInString(id) > lbaas.MaxName || !clean(id) {
		return "", lbaas.Missing(noun, strings.ToValidUTF8(id, "?"))
	}
	return id, nil
}
