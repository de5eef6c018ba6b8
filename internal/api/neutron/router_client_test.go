package neutron_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// TestRouterClient walks through what an operator does with routers and floating addresses.
func TestRouterClient(t *testing.T) {
	t.Parallel()
	run := cli(t, cloud(t))
	show, same := printed(t, run), comparing(t)
	run("network", "create", "public", "--external")
	run("subnet", "create", "public-subnet", "--network", "public", "--subnet-range", "172.24.4.0/24")
	run("network", "create", "lan")
	run("subnet", "create", "lan-subnet", "--network", "lan", "--subnet-range", "10.0.0.0/24")
	port := show("port", "create", "web", "--network", "lan", "--fixed-ip", "ip-address=10.0.0.9")

	r := show("router", "create", "r", "--description", "first", "--tag", "blue")
	same("router", []any{"r", "ACTIVE", nil, "first", []any{"blue"}}, []any{r["name"], r["status"], r["external_gateway_info"], r["description"], r["tags"]})
	run("router", "set", "r", "--external-gateway", "public", "--fixed-ip", "ip-address=172.24.4.77", "--disable-snat", "--name", "r2")
	run("router", "add", "subnet", "r2", "lan-subnet")
	run("router", "add", "route", "r2", "--route", "destination=10.9.0.0/16,gateway=10.0.0.9")
	r = show("router", "show", "r2")
	gateway := r["external_gateway_info"].(object)
	same("changed router", []any{false, "172.24.4.77", "10.9.0.0/16", 1},
		[]any{gateway["enable_snat"], gateway["external_fixed_ips"].([]any)[0].(object)["ip_address"],
			r["routes"].([]any)[0].(object)["destination"], len(r["interfaces_info"].([]any))})

	ip := show("floating", "ip", "create", "public", "--port", "web", "--floating-ip-address", "172.24.4.99")
	same("floating address", []any{"172.24.4.99", "10.0.0.9", port["id"], r["id"], "DOWN"},
		[]any{ip["floating_ip_address"], ip["fixed_ip_address"], ip["port_id"], ip["router_id"], ip["status"]})
	same("floating addresses", "172.24.4.99 10.0.0.9\n", run("floating", "ip", "list", "--router", "r2", "-f", "value", "-c", "Floating IP Address", "-c", "Fixed IP Address"))
	run("floating", "ip", "unset", "--port", "172.24.4.99")
	run("floating", "ip", "delete", "172.24.4.99")
	run("router", "remove", "route", "r2", "--route", "destination=10.9.0.0/16,gateway=10.0.0.9")
	run("router", "remove", "subnet", "r2", "lan-subnet")
	run("router", "unset", "r2", "--external-gateway")
	run("router", "delete", "r2")
	same("what is left", "web\n", run("port", "list", "-f", "value", "-c", "Name"))
}

// FuzzRouting sends anything as the body of a request about routers and floating addresses: the answer is never an internal error.
func FuzzRouting(f *testing.F) {
	const lan, none = "11111111-1111-1111-1111-111111111111", "22222222-2222-2222-2222-222222222222"
	for _, seed := range []string{
		`{"router":{"name":"x","external_gateway_info":{"network_id":"NET","enable_snat":"0","external_fixed_ips":[{"ip_address":"172.24.4.9"}]}}}`,
		`{"router":{"external_gateway_info":{}}}`, `{"router":{"external_gateway_info":null,"routes":null}}`, `{"router":{"external_gateway_info":[1]}}`,
		`{"router":{"routes":[{"destination":"0.0.0.0/0","nexthop":"172.24.4.1"},{"destination":"::/0","nexthop":"fe80::1"}]}}`,
		`{"routers":[{},{"name":1}]}`, `{"subnet_id":"` + lan + `","port_id":null}`, `{"port_id":[]}`, `{"subnet_id":"` + none + `"}`, `null`, `[]`,
		`{"floatingip":{"floating_network_id":"NET","port_id":null,"fixed_ip_address":"10.0.0.1"}}`, `{"floatingip":{"floating_ip_address":"::1"}}`,
		`{"floatingip":{"floating_network_id":"NET","subnet_id":"` + lan + `","floating_ip_address":"172.24.4.9"}}`, `{"floatingip":{"port_id":""}}`,
	} {
		f.Add(seed)
	}
	handler := fuzzed(f)
	made := func(noun, text string) string {
		r := httptest.NewRequest(http.MethodPost, "/v2.0/"+noun+"s", strings.NewReader(text))
		r.Header.Set("X-Auth-Token", "admin")
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		var answer map[string]object
		if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil || w.Code != http.StatusCreated {
			f.Fatalf("make a %s: %d %s", noun, w.Code, w.Body)
		}
		return answer[noun]["id"].(string)
	}
	net := made("network", `{"network":{"router:external":true}}`)
	made("subnet", `{"subnet":{"network_id":"`+net+`","ip_version":4,"cidr":"172.24.4.0/24"}}`)
	router := made("router", `{"router":{}}`)
	ip := made("floatingip", `{"floatingip":{"floating_network_id":"`+net+`"}}`)
	f.Fuzz(func(t *testing.T, body string) {
		body = strings.ReplaceAll(body, "NET", net)
		for _, path := range []string{"POST routers", "POST floatingips", "PUT routers/" + router, "PUT floatingips/" + ip, "PUT routers/" + router + "/add_router_interface",
			"PUT routers/" + router + "/remove_router_interface", "PUT routers/" + router + "/add_extraroutes", "PUT routers/" + router + "/remove_extraroutes"} {
			method, path, _ := strings.Cut(path, " ")
			ask(t, handler, httptest.NewRequest(method, "/v2.0/"+path, strings.NewReader(body)))
		}
	})
}
