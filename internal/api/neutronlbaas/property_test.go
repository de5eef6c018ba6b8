package neutronlbaas_test

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// noun is where objects of a kind are found on both faces, and what both show of them.
type noun struct {
	plural, key string
	both        []string
}

func nouns() []noun {
	return []noun{
		{"loadbalancers", "loadbalancer", []string{"id", "name", "description", "admin_state_up", "vip_address", "vip_port_id", "vip_subnet_id", "provider", "listeners", "pools"}},
		{"listeners", "listener", []string{"id", "name", "description", "admin_state_up", "protocol", "protocol_port", "connection_limit", "default_pool_id", "loadbalancers", "default_tls_container_ref", "sni_container_refs"}},
		{"pools", "pool", []string{"id", "name", "description", "admin_state_up", "protocol", "lb_algorithm", "listeners", "members", "loadbalancers"}},
		{"healthmonitors", "healthmonitor", []string{"id", "name", "admin_state_up", "type", "delay", "timeout", "max_retries", "max_retries_down", "pools"}},
		{"l7policies", "l7policy", []string{"id", "name", "description", "admin_state_up", "action", "listener_id", "position", "redirect_pool_id", "redirect_url", "rules"}},
	}
}

// TestFacesAgree has both faces make, change and delete at random. Whatever came of it, both show the same, a request that is refused
// changed nothing, and nothing is the server's fault.
func TestFacesAgree(t *testing.T) {
	shared, projects := newSite(t), 0
	rapid.Check(t, func(rt *rapid.T) {
		projects++
		s := shared.as(fmt.Sprintf("%s%d", anyProject, projects)) // which has nothing yet
		before := s.everything()
		for range rapid.IntRange(3, 6).Draw(rt, "requests") {
			method, path, key, body := draw(rt, s, before)
			root := rapid.SampledFrom([]string{"/networking/v2.0/lbaas", "/load-balancer/v2/lbaas"}).Draw(rt, "face")
			var sent any
			if body != nil {
				sent = object{key: body}
			}
			a := s.do(method, root+path, sent)
			if a.code >= http.StatusInternalServerError && a.code != http.StatusNotImplemented {
				rt.Fatalf("%s %s %v: %d %s", method, root+path, sent, a.code, a.raw)
			}
			after := s.everything()
			if diff := cmp.Diff(before, after); a.code >= http.StatusBadRequest && diff != "" {
				rt.Fatalf("%s %s %v: %d %s, which changed something:\n%s", method, root+path, sent, a.code, a.raw, diff)
			}
			if diff := s.disagreement(after); diff != "" {
				rt.Fatalf("after %s %s %v: %d (-Octavia +old):\n%s", method, root+path, sent, a.code, diff)
			}
			before = after
		}
	})
}

// disagreement is how what Octavia's face shows differs from all that the older one does.
func (s *site) disagreement(all object) string {
	for _, n := range nouns() {
		old := common(all[n.plural], n.both)
		other := common(s.do(http.MethodGet, "/load-balancer/v2/lbaas/"+n.plural, nil).body[n.plural], n.both)
		if diff := cmp.Diff(other, old); diff != "" {
			return n.plural + ": " + diff
		}
	}
	return ""
}

// common are the attributes of objects that both faces show.
func common(list any, names []string) []object {
	var out []object
	items, _ := list.([]any)
	for _, item := range items {
		out = append(out, fields(item.(object), names...))
	}
	return out
}

// draw is a request that makes sense or not, about all that there is, or about what is not there.
func draw(rt *rapid.T, s *site, all object) (method, path, key string, body object) {
	pick := func(plural string) string {
		known := append(ids(all[plural]), "00000000-0000-4000-8000-000000000000")
		return rapid.SampledFrom(known).Draw(rt, plural)
	}
	word := func(label string, words ...string) string { return rapid.SampledFrom(words).Draw(rt, label) }
	protocol := word("protocol", "HTTP", "TCP", "HTTPS", "UDP")
	port := rapid.IntRange(79, 82).Draw(rt, "port")
	creates := map[string]func() (string, string, object){
		"loadbalancer": func() (string, string, object) {
			return "/loadbalancers", "loadbalancer", object{"vip_subnet_id": s.subnet, "name": word("name", "a", "b")}
		},
		"listener": func() (string, string, object) {
			o := object{"loadbalancer_id": pick("loadbalancers"), "protocol": protocol, "protocol_port": port}
			if rapid.Bool().Draw(rt, "with a pool") {
				o["default_pool_id"] = pick("pools")
			}
			return "/listeners", "listener", o
		},
		"pool": func() (string, string, object) {
			o := object{"protocol": protocol, "lb_algorithm": "ROUND_ROBIN"}
			if rapid.Bool().Draw(rt, "of a listener") {
				o["listener_id"] = pick("listeners")
			} else {
				o["loadbalancer_id"] = pick("loadbalancers")
			}
			return "/pools", "pool", o
		},
		"member": func() (string, string, object) {
			return "/pools/" + pick("pools") + "/members", "member", object{"subnet_id": s.subnet, "address": fmt.Sprintf("10.0.0.%d", port), "protocol_port": port}
		},
		"healthmonitor": func() (string, string, object) {
			return "/healthmonitors", "healthmonitor", object{"pool_id": pick("pools"), "type": word("type", "PING", "TCP", "HTTP"), "delay": 2, "timeout": 1, "max_retries": 1}
		},
		"l7policy": func() (string, string, object) {
			o := object{"listener_id": pick("listeners"), "action": word("action", "REJECT", "REDIRECT_TO_POOL", "REDIRECT_TO_URL"), "position": rapid.IntRange(1, 3).Draw(rt, "position")}
			switch o["action"] {
			case "REDIRECT_TO_POOL":
				o["redirect_pool_id"] = pick("pools")
			case "REDIRECT_TO_URL":
				o["redirect_url"] = "http://example.org"
			}
			return "/l7policies", "l7policy", o
		},
		"rule": func() (string, string, object) {
			return "/l7policies/" + pick("l7policies") + "/rules", "rule", object{"type": "PATH", "compare_type": "EQUAL_TO", "value": "/" + protocol}
		},
	}
	n := rapid.SampledFrom(nouns()).Draw(rt, "noun")
	switch word("method", "POST", "POST", "POST", "PUT", "DELETE") {
	case "PUT":
		return http.MethodPut, "/" + n.plural + "/" + pick(n.plural), n.key, object{"name": word("new name", "x", "y", "z"), "admin_state_up": rapid.Bool().Draw(rt, "up")}
	case "DELETE":
		return http.MethodDelete, "/" + n.plural + "/" + pick(n.plural), "", nil
	}
	path, key, body = creates[word("what", slices.Sorted(maps.Keys(creates))...)]()
	return http.MethodPost, path, key, body
}
