package e2e

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"plimsoll/test/harness"
)

// ruleCase is an L7 rule, with a request that it matches and one that it does not.
type ruleCase struct {
	name string
	rule object
	yes  []string // a path and headers
	no   []string
}

func rule(kind, compare, key, value string) object {
	r := object{"type": kind, "compare_type": compare, "value": value}
	if key != "" {
		r["key"] = key
	}
	return r
}

// browser is what a real one sends beside what is tested.
var browser = []string{
	"User-Agent", "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
	"Accept", "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8", "Accept-Language", "de,en-US;q=0.7,en;q=0.3",
	"Upgrade-Insecure-Requests", "1", "Sec-Fetch-Mode", "navigate",
}

func ruleCases() []ruleCase {
	return []ruleCase{
		{"host equal", rule("HOST_NAME", "EQUAL_TO", "", "equal.example.com"), []string{"/", "Host", "EQUAL.example.com"}, []string{"/", "Host", "xequal.example.com"}},
		{"host starts", rule("HOST_NAME", "STARTS_WITH", "", "starts."), []string{"/", "Host", "starts.example.com"}, []string{"/", "Host", "x.starts.com"}},
		{"host ends", rule("HOST_NAME", "ENDS_WITH", "", ".ends"), []string{"/", "Host", "a.ends"}, []string{"/", "Host", "a.ends.com"}},
		{"host contains", rule("HOST_NAME", "CONTAINS", "", "Middle"), []string{"/", "Host", "a.middle.com"}, []string{"/", "Host", "a.midle.com"}},
		{"host regex", rule("HOST_NAME", "REGEX", "", `^r[0-9]{2}\.(?=regex)`), []string{"/", "Host", "r12.regex"}, []string{"/", "Host", "r1.regex"}},
		{"path equal", rule("PATH", "EQUAL_TO", "", "/equal"), []string{"/equal?a=b"}, []string{"/Equal"}},
		{"path starts", rule("PATH", "STARTS_WITH", "", "/starts/$HOME"), []string{"/starts/$HOME/x"}, []string{"/starts/root"}},
		{"path ends", rule("PATH", "ENDS_WITH", "", "-ends"), []string{"/the-ends"}, []string{"/the-ends/"}},
		{"path contains", rule("PATH", "CONTAINS", "", `con"tain's`), []string{`/a/con"tain's`}, []string{"/a/contains"}},
		{"path regex", rule("PATH", "REGEX", "", `^/re(g|x)\d+$`), []string{"/reg7"}, []string{"/reg7/"}},
		{"path regex with a reference", rule("PATH", "REGEX", "", `^/([a-z])(-)\2\1$`), []string{"/q--q"}, []string{"/q--r"}},
		{"file type equal", rule("FILE_TYPE", "EQUAL_TO", "", "jpg"), []string{"/a/b.jpg"}, []string{"/a/jpg"}},
		{"file type regex", rule("FILE_TYPE", "REGEX", "", "^(php|cgi)$"), []string{"/a.b/c.cgi"}, []string{"/a.cgi/c"}},
		{"header equal", rule("HEADER", "EQUAL_TO", "X-Equal", `"a value"`), []string{"/", "X-Equal", "a value"}, []string{"/", "X-Equal", "a Value"}},
		{"header starts", rule("HEADER", "STARTS_WITH", "X-Starts", "-f"), []string{"/", "X-Starts", "-f x"}, []string{"/", "X-Starts", "f"}},
		{"header ends", rule("HEADER", "ENDS_WITH", "X-Ends", "z"), []string{"/", "X-Ends", "a, yz"}, []string{"/", "X-Ends", "za"}},
		{"header contains", rule("HEADER", "CONTAINS", "X-Contains", "#"), []string{"/", "X-Contains", "a#b"}, []string{"/", "X-Other", "a#b"}},
		{"header regex", rule("HEADER", "REGEX", "X-It's", "^a +b$"), []string{"/", "X-It's", "a  b"}, []string{"/", "X-It's", "ab"}},
		{"cookie equal", rule("COOKIE", "EQUAL_TO", "equal", "1"), []string{"/", "Cookie", "x=y; equal=1"}, []string{"/", "Cookie", "equal=11"}},
		{"cookie starts", rule("COOKIE", "STARTS_WITH", "starts", "ab"), []string{"/", "Cookie", "starts=abc"}, []string{"/", "Cookie", "starts=bab"}},
		{"cookie ends", rule("COOKIE", "ENDS_WITH", "ends", "ab"), []string{"/", "Cookie", "ends=cab"}, []string{"/", "Cookie", "ends=abc"}},
		{"cookie contains", rule("COOKIE", "CONTAINS", "contains", "ab"), []string{"/", "Cookie", "contains=cabc"}, []string{"/", "Cookie", "contains=acb"}},
		{"cookie regex", rule("COOKIE", "REGEX", "regex", "^[ab]+$"), []string{"/", "Cookie", "regex=abba"}, []string{"/", "Cookie", "regex=abc"}},
	}
}

// TestL7Rules has one policy for each type and comparison, and sends requests that match and that do not.
func TestL7Rules(t *testing.T) {
	t.Parallel()
	s := newSite(t, 1, harness.Tree{})
	cases := ruleCases()
	var policies []object
	for i, c := range cases {
		policies = append(policies, object{"action": "REDIRECT_TO_URL", "redirect_url": fmt.Sprintf("http://hit/%d?a=%%20", i), "rules": []object{c.rule}})
	}
	inverted := rule("HEADER", "EQUAL_TO", "X-Invert", "yes")
	inverted["invert"] = true
	policies = append(policies, object{"action": "REJECT", "rules": []object{rule("PATH", "EQUAL_TO", "", "/invert"), inverted}})
	s.listen(t, 81, policies)
	address := harness.JoinPort(s.lb.VIP, 81)
	for i, c := range cases {
		want := answer{Code: 302, Location: fmt.Sprintf("http://hit/%d?a=%%20", i)}
		s.expect(t, c.name, address, c.yes, want)
		s.expect(t, c.name+", not", address, c.no, answer{Code: 200, Body: "m1"})
	}
	s.expect(t, "inverted", address, []string{"/invert"}, answer{Code: 403})
	s.expect(t, "inverted, not", address, []string{"/invert", "X-Invert", "yes"}, answer{Code: 200, Body: "m1"})
}

// listen makes a listener with L7 policies in front of the site's pool, with one call each, and waits for all.
func (s *site) listen(t *testing.T, port int, policies []object) string {
	t.Helper()
	id := s.create(t, "/listeners", "listener", object{
		"loadbalancer_id": s.lb.ID, "protocol": "HTTP", "protocol_port": port, "default_pool_id": s.lb.PoolID,
	})
	for _, p := range policies {
		p["listener_id"] = id
		rules, _ := p["rules"].([]object)
		delete(p, "rules")
		p["id"] = s.create(t, "/l7policies", "l7policy", p)
		for _, r := range rules {
			s.create(t, "/l7policies/"+p["id"].(string)+"/rules", "rule", r)
		}
	}
	s.WaitActive(t, s.lb.ID)
	return id
}

func (s *site) expect(t *testing.T, name, address string, sent []string, want answer) {
	t.Helper()
	got, err := request(s.client, address, sent[0], append(sent[1:], browser...)...)
	if err != nil {
		t.Errorf("%s: %v", name, err)
		return
	}
	got.header = nil
	if want.Code != 200 {
		got.Body = ""
	}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(answer{})); diff != "" {
		t.Errorf("%s (-want +got):\n%s", name, diff)
	}
}

// TestL7Policies goes through actions, codes, their order, and what is switched off.
func TestL7Policies(t *testing.T) {
	t.Parallel()
	s := newSite(t, 2, harness.Tree{})
	other := s.create(t, "/pools", "pool", object{"loadbalancer_id": s.lb.ID, "protocol": "HTTP", "lb_algorithm": "ROUND_ROBIN"})
	web := s.newMember(t, "other")
	s.create(t, "/pools/"+other+"/members", "member", object{"address": web.Node.Address, "protocol_port": web.Port, "subnet_id": s.net.SubnetID})
	begins := func(path string) []object { return []object{rule("PATH", "STARTS_WITH", "", path)} }
	policies := []object{
		{"action": "REDIRECT_TO_POOL", "redirect_pool_id": other, "rules": begins("/a")},
		{"action": "REDIRECT_PREFIX", "redirect_prefix": "http://prefix/p", "redirect_http_code": 308, "rules": begins("/a/b")},
		{"action": "REJECT", "rules": begins("/a/b/c")},
		{"action": "REDIRECT_TO_URL", "redirect_url": "http://late/", "rules": begins("/a/b")},
		{"action": "REJECT", "admin_state_up": false, "rules": begins("/off")},
		{"action": "REJECT"},
	}
	for _, code := range []int{301, 302, 303, 307, 308} {
		policies = append(policies, object{
			"action": "REDIRECT_TO_URL", "redirect_url": fmt.Sprintf("http://code/%d", code), "redirect_http_code": code, "rules": begins(fmt.Sprintf("/%d", code)),
		})
	}
	s.listen(t, 81, policies)
	address := harness.JoinPort(s.lb.VIP, 81)
	to := func(path string, want answer) {
		t.Helper()
		s.expect(t, path, address, []string{path}, want)
	}
	to("/a?x=%20", answer{Code: 200, Body: "other"})
	to("/a/b?x=%20", answer{Code: 308, Location: "http://prefix/p/a/b?x=%20"})
	to("/a/b/c", answer{Code: 403})
	for _, code := range []int{301, 302, 303, 307, 308} {
		to(fmt.Sprintf("/%d", code), answer{Code: code, Location: fmt.Sprintf("http://code/%d", code)})
	}
	if a, err := request(s.client, address, "/off"); err != nil || a.Code != 200 || a.Body == "other" {
		t.Errorf("a policy that is switched off: %v, %v", a, err)
	}

	path := func(i int) string { return "/l7policies/" + policies[i]["id"].(string) }
	s.alter(t, path(3), "l7policy", object{"position": 1})
	to("/a/b", answer{Code: 302, Location: "http://late/"})
	s.alter(t, path(4), "l7policy", object{"admin_state_up": true})
	to("/off", answer{Code: 403})
	s.alter(t, "/pools/"+other, "pool", object{"admin_state_up": false})
	if a, err := request(s.client, address, "/a"); err != nil || a.Code != 200 || a.Body == "other" {
		t.Errorf("a policy that leads to a pool that is switched off: %v, %v", a, err)
	}
	s.alter(t, "/pools/"+other, "pool", object{"admin_state_up": true})
	s.remove(t, path(3))
	s.remove(t, path(1))
	s.remove(t, path(2))
	to("/a/b/c", answer{Code: 200, Body: "other"})
	all, err := s.Statuses(t, s.lb.ID)
	if s := all[other]; err != nil || s.Operating != "ONLINE" {
		t.Errorf("the pool of a policy is %v, %v", s, err)
	}
}

// TestL7UnderLoad changes L7 policies and rules under load: no request fails.
func TestL7UnderLoad(t *testing.T) {
	s := newSite(t, 2, harness.Tree{})
	l := underLoad(t, s)
	defer l.end(t)
	l.does(t, "30 changes of L7 policies and rules", func(t *testing.T) {
		for i := range 10 {
			id := s.create(t, "/l7policies", "l7policy", object{"listener_id": s.lb.ListenerID, "action": "REJECT"})
			s.create(t, "/l7policies/"+id+"/rules", "rule", rule("PATH", "STARTS_WITH", "", fmt.Sprintf("/no/%d", i)))
			s.WaitActive(t, s.lb.ID)
			s.expect(t, "the new policy", s.lb.Address, []string{fmt.Sprintf("/no/%d", i)}, answer{Code: 403})
			if i%2 == 0 {
				s.remove(t, "/l7policies/"+id)
			}
		}
	})
}

// TestL7Refused has a rule that only HAProxy refuses: its policy says why and the others work on, also while it had a form that
// HAProxy took.
func TestL7Refused(t *testing.T) {
	t.Parallel()
	s := newSite(t, 1, harness.Tree{})
	policy := s.create(t, "/l7policies", "l7policy", object{"listener_id": s.lb.ListenerID, "action": "REJECT"})
	path := "/l7policies/" + policy + "/rules"
	r := s.create(t, path, "rule", rule("PATH", "REGEX", "", "^/bad"))
	s.WaitActive(t, s.lb.ID)
	s.expect(t, "the policy", s.lb.Address, []string{"/bad"}, answer{Code: 403})

	const large = "(a){65535}"
	s.change(t, path+"/"+r, "rule", object{"value": large})
	s.provisions(t, map[string]string{s.lb.ID: "ERROR", policy: "ERROR", s.lb.ListenerID: "ACTIVE"})
	s.says(t, "too large", "l7policies", policy)
	s.expect(t, "the policy's last good form", s.lb.Address, []string{"/bad"}, answer{Code: 403})
	other := s.create(t, "/l7policies", "l7policy", object{"listener_id": s.lb.ListenerID, "action": "REJECT"})
	s.create(t, "/l7policies/"+other+"/rules", "rule", rule("PATH", "REGEX", "", "^/good"))
	s.provisions(t, map[string]string{s.lb.ID: "ERROR", policy: "ERROR", other: "ACTIVE"})
	s.expect(t, "another policy", s.lb.Address, []string{"/good"}, answer{Code: 403})
	s.expect(t, "no policy", s.lb.Address, []string{"/"}, answer{Code: 200, Body: "m1"})

	s.alter(t, path+"/"+r, "rule", object{"value": "^/better"})
	s.expect(t, "the healed policy", s.lb.Address, []string{"/better"}, answer{Code: 403})
	s.expect(t, "what it was", s.lb.Address, []string{"/bad"}, answer{Code: 200, Body: "m1"})
}
