package octavia_test

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"plimsoll/internal/api/octavia"
	"plimsoll/internal/network"
	"plimsoll/internal/provider"
	haproxy "plimsoll/internal/provider/haproxy"
	"plimsoll/internal/store"
)

func memberNoun(pool string) noun {
	return noun{"/pools/" + pool + "/members", "member", object{"address": "10.0.0.50", "protocol_port": 8080}}
}

func TestMemberShape(t *testing.T) {
	c := newCloud(t)
	memberNoun(c.pool(c.loadBalancer())).shape(t, c, object{
		"name": "", "admin_state_up": true, "project_id": mine, "tenant_id": mine, "tags": []any{},
		"provisioning_status": "PENDING_CREATE", "operating_status": "NO_MONITOR", "updated_at": nil,
		"address": "10.0.0.50", "protocol_port": 8080.0, "weight": 1.0, "backup": false, "subnet_id": nil,
		"monitor_address": nil, "monitor_port": nil, "vnic_type": "normal",
	})
}

func TestMemberAttributes(t *testing.T) {
	c := newCloud(t)
	n := memberNoun(c.pool(c.loadBalancer()))
	samples := append(append(commonSamples(), twiceTagged()),
		sample{"weight", `257`, nil, invalid("weight", "257", "Value should be lower or equal to 256")},
		sample{"weight", `-1`, nil, invalid("weight", "-1", "Value should be greater or equal to 0")},
		sample{"weight", `{}`, nil, invalid("weight", "{}", notInteger)},
		sample{"weight", `0`, 0.0, ""},
		sample{"weight", `"256"`, 256.0, ""},
		sample{"weight", `null`, 1.0, ""},
		sample{"backup", `7.5`, nil, invalid("backup", "7.5", notBoolean)},
		sample{"backup", `"on"`, true, ""},
		sample{"backup", `null`, false, ""},
		sample{"monitor_address", `"x"`, nil, invalid("monitor_address", "x", notAddress)},
		sample{"monitor_address", `"fe80::1%eth0"`, nil, invalid("monitor_address", "fe80::1%eth0", notAddress)},
		sample{"monitor_address", `"0.0.0.0"`, nil, "0.0.0.0 is not a valid option for member monitor_address"},
		sample{"monitor_address", `"2001:db8::7"`, "2001:db8::7", ""},
		sample{"monitor_address", `null`, nil, ""},
		sample{"monitor_port", `0`, nil, invalid("monitor_port", "0", "Value should be greater or equal to 1")},
		sample{"monitor_port", `65536`, nil, invalid("monitor_port", "65536", "Value should be lower or equal to 65535")},
		sample{"monitor_port", `1`, 1.0, ""},
		sample{"monitor_port", `null`, nil, ""},
	)
	posts := append(append(samples, posted()...),
		sample{"address", `"10.0.0"`, nil, invalid("address", "10.0.0", notAddress)},
		sample{"address", `5`, nil, invalid("address", "5", notAddress)},
		sample{"address", `"169.254.169.254"`, nil, "169.254.169.254 is not a valid option for member address"},
		sample{"address", `"::"`, nil, ":: is not a valid option for member address"},
		sample{"address", `"224.0.0.1"`, nil, "224.0.0.1 is not a valid option for member address"},
		sample{"address", `"2001:db8::9"`, "2001:db8::9", ""},
		sample{"protocol_port", `0`, nil, invalid("protocol_port", "0", "Value should be greater or equal to 1")},
		sample{"protocol_port", `65536`, nil, invalid("protocol_port", "65536", "Value should be lower or equal to 65535")},
		sample{"protocol_port", `65535`, 65535.0, ""},
		sample{"subnet_id", `"x"`, nil, invalid("subnet_id", "x", notUUID)},
		sample{"subnet_id", `"5e2e5e5e-0000-4000-8000-000000000000"`, nil, "Subnet 5e2e5e5e-0000-4000-8000-000000000000 not found."},
		sample{"subnet_id", `"` + c.private.ID + `"`, nil, "Subnet " + c.private.ID + " not found."},
		sample{"subnet_id", `"` + c.subnet.ID + `"`, c.subnet.ID, ""},
		sample{"subnet_id", `"` + strings.ToUpper(c.subnet.ID) + `"`, c.subnet.ID, ""},
		sample{"subnet_id", `"` + strings.ReplaceAll(c.subnet.ID, "-", "") + `"`, c.subnet.ID, ""},
		sample{"subnet_id", `null`, nil, ""},
		sample{"request_sriov", `"x"`, nil, invalid("request_sriov", "x", notBoolean)},
		sample{"request_sriov", `false`, nil, ""}, // answers do not show it
		sample{"request_sriov", `null`, nil, ""},
		sample{"request_sriov", `true`, nil, "The load balancer flavor does not allow SR-IOV member ports."},
		sample{"tags", `null`, []any{}, ""},
		sample{"vnic_type", `"direct"`, nil, "Unknown attribute for argument member_.member: vnic_type"},
		sample{"description", `"x"`, nil, "Unknown attribute for argument member_.member: description"},
	)
	posts = append(posts, nulls("address", "protocol_port")...)
	n.creates(t, c, posts)
	n.complete(t, c, http.MethodPost, posts)
	puts := append(slices.Clone(samples), sample{"tags", `null`, []any{"t"}, ""})
	n.updates(t, c, object{"weight": 7, "backup": true, "tags": []string{"t"}, "monitor_port": 9}, puts)
	n.complete(t, c, http.MethodPut, puts)
	n.required(t, c, "address", "protocol_port")
	n.readOnly(t, c, "member_.member", "address", "protocol_port", "subnet_id", "request_sriov", "vnic_type")
}

func TestMemberFaults(t *testing.T) {
	c := newCloud(t)
	lb := c.loadBalancer()
	p, q := c.pool(lb), c.pool(lb)
	body := object{"member": object{"address": "10.0.0.50", "protocol_port": 80}}
	m := c.must(201, "POST", "/pools/"+p+"/members", body).body["member"].(object)["id"].(string)
	const unknown = "5e2e5e5e-0000-4000-8000-000000000000"
	c.do("POST", root+"/pools/"+p+"/members", body).fault(t, 409, "Another member on this pool is already using ip 10.0.0.50 on protocol_port 80")
	c.must(201, "POST", "/pools/"+q+"/members", body)
	c.do("POST", root+"/pools/"+unknown+"/members", body).fault(t, 404, "Pool "+unknown+" not found.")
	c.do("GET", root+"/pools/"+unknown+"/members", nil).fault(t, 404, "Pool "+unknown+" not found.")
	for _, id := range []string{m, unknown} {
		c.do("GET", root+"/pools/"+unknown+"/members/"+id, nil).fault(t, 404, "Pool "+unknown+" not found.")
		c.do("DELETE", root+"/pools/"+unknown+"/members/"+id, nil).fault(t, 404, "Pool "+unknown+" not found.")
	}
	c.do("GET", root+"/pools/"+p+"/members/"+unknown, nil).fault(t, 404, "Member "+unknown+" not found.")
	c.do("GET", root+"/pools/"+q+"/members/"+m, nil).fault(t, 404, "Member "+m+" not found.")
	c.do("PUT", root+"/pools/"+q+"/members/"+m, object{"member": object{}}).fault(t, 404, "Member "+m+" not found.")
	c.do("DELETE", root+"/pools/"+q+"/members/"+m, nil).fault(t, 404, "Member "+m+" not found.")
	c.must(204, "DELETE", "/pools/"+p+"/members/"+m, nil)
	c.do("PUT", root+"/pools/"+p+"/members/"+m, object{"member": object{}}).fault(t, 409, "Member "+m+" is immutable and cannot be updated.")
	again := c.must(201, "POST", "/pools/"+p+"/members", body).body["member"].(object)["id"]
	if again == m {
		t.Error("a new member has the id of the deleted one")
	}
}

// TestMemberTouches shows that a change of a member makes its pool, the listeners of that and the load balancer pending.
func TestMemberTouches(t *testing.T) {
	c := newCloud(t)
	lb := c.loadBalancer()
	l, idle := c.listener(lb, 80), c.listener(lb, 81)
	p := c.make("/pools", "pool", object{"listener_id": l, "protocol": "HTTP", "lb_algorithm": "ROUND_ROBIN"})["id"].(string)
	other := c.pool(lb)
	members := "/pools/" + p + "/members"
	statuses := func() object {
		got := object{}
		for name, at := range map[string][2]string{
			"lb": {"/loadbalancers/" + lb, "loadbalancer"}, "listener": {"/listeners/" + l, "listener"}, "idle": {"/listeners/" + idle, "listener"},
			"pool": {"/pools/" + p, "pool"}, "other": {"/pools/" + other, "pool"},
		} {
			got[name] = c.show(at[0], at[1])["provisioning_status"]
		}
		return got
	}
	pending := object{"lb": "PENDING_UPDATE", "listener": "PENDING_UPDATE", "idle": "ACTIVE", "pool": "PENDING_UPDATE", "other": "ACTIVE"}
	active := object{"lb": "ACTIVE", "listener": "ACTIVE", "idle": "ACTIVE", "pool": "ACTIVE", "other": "ACTIVE"}
	step := func(name string, do func()) {
		c.achieve()
		if diff := cmp.Diff(active, statuses()); diff != "" {
			t.Errorf("before %s (-want +got):\n%s", name, diff)
		}
		do()
		if diff := cmp.Diff(pending, statuses()); diff != "" {
			t.Errorf("after %s (-want +got):\n%s", name, diff)
		}
	}
	var m, h string
	step("POST member", func() {
		m = c.make(members, "member", object{"address": "10.0.0.50", "protocol_port": 80})["id"].(string)
	})
	step("PUT member", func() { c.put(members+"/"+m, "member", object{"weight": 5}) })
	step("PUT members", func() {
		c.must(202, "PUT", members, object{"members": []object{{"address": "10.0.0.51", "protocol_port": 80}}})
	})
	step("POST monitor", func() {
		h = c.make("/healthmonitors", "healthmonitor", object{"pool_id": p, "type": "TCP", "delay": 5, "timeout": 3, "max_retries": 2})["id"].(string)
	})
	step("PUT monitor", func() { c.put("/healthmonitors/"+h, "healthmonitor", object{"delay": 6}) })
	step("DELETE monitor", func() { c.must(204, "DELETE", "/healthmonitors/"+h, nil) })
	step("DELETE members", func() { c.must(202, "PUT", members, object{"members": []object{}}) })
}

// endpoints are the live members of a pool, as "address:port weight name".
func (c *cloud) endpoints(pool string) []string {
	c.t.Helper()
	var out []string
	for _, m := range c.must(200, "GET", "/pools/"+pool+"/members", nil).body["members"].([]any) {
		m := m.(object)
		if m["provisioning_status"] != "PENDING_DELETE" {
			out = append(out, strings.Join([]string{m["address"].(string), m["name"].(string)}, " "))
		}
	}
	slices.Sort(out)
	return out
}

func TestReplaceMembers(t *testing.T) {
	c := newCloud(t)
	lb := c.loadBalancer()
	p := c.pool(lb)
	path := "/pools/" + p + "/members"
	member := func(address, name string) object {
		return object{"address": address, "protocol_port": 80, "name": name}
	}
	c.achieve()
	if a := c.must(202, "PUT", path, object{"members": []object{}}); a.raw != "" {
		t.Errorf("the answer has a body: %s", a.raw)
	}
	if got := c.show("/loadbalancers/"+lb, "loadbalancer")["provisioning_status"]; got != "ACTIVE" {
		t.Errorf("nothing for nothing makes the load balancer %v", got)
	}
	c.must(202, "PUT", path, object{"members": []object{member("10.0.0.1", "a"), member("10.0.0.2", "b")}})
	id := c.must(200, "GET", path+"?address=10.0.0.1", nil).body["members"].([]any)[0].(object)["id"]
	c.must(202, "PUT", path, object{"members": []object{member("10.0.0.1", "A"), member("10.0.0.3", "c")}})
	if diff := cmp.Diff([]string{"10.0.0.1 A", "10.0.0.3 c"}, c.endpoints(p)); diff != "" {
		t.Errorf("members (-want +got):\n%s", diff)
	}
	if again := c.must(200, "GET", path+"?address=10.0.0.1", nil).body["members"].([]any)[0].(object)["id"]; again != id {
		t.Errorf("the member that stays changes its id from %v to %v", id, again)
	}
	c.must(202, "PUT", path+"?additive_only=true", object{"members": []object{member("10.0.0.4", "d")}})
	if diff := cmp.Diff([]string{"10.0.0.1 A", "10.0.0.3 c", "10.0.0.4 d"}, c.endpoints(p)); diff != "" {
		t.Errorf("members (-want +got):\n%s", diff)
	}
	twice := []object{member("10.0.0.4", "d"), member("10.0.0.4", "e")}
	c.do("PUT", root+path, object{"members": twice}).fault(t, 400, "Validation failure: Member must be updated only once in the same request.")
	fresh := []object{member("10.0.0.9", "d"), member("10.0.0.9", "e")}
	c.do("PUT", root+path, object{"members": fresh}).fault(t, 409, "Another member on this pool is already using ip 10.0.0.9 on protocol_port 80")
	c.do("PUT", root+path, object{"members": []object{{"id": "x", "address": "10.0.0.1", "protocol_port": 80}}}).
		fault(t, 400, "Unknown attribute for argument members_.members: id")
	c.do("PUT", root+path, object{"members": object{}}).fault(t, 400, invalid("members", "{}", notList))
	c.do("PUT", root+path, object{"members": []any{nil}}).fault(t, 400, invalid("members", "None", "Value should be object"))
	c.do("PUT", root+path, object{"members": []object{{"address": "10.0.0.1"}}}).fault(t, 400, invalid("protocol_port", "None", missing))
	c.do("PUT", root+path, object{"members": []object{{"address": "10.0.0.8", "protocol_port": 80, "subnet_id": c.private.ID}}}).
		fault(t, 400, "Subnet "+c.private.ID+" not found.")
	c.do("PUT", root+path, object{}).fault(t, 400, `Missing argument: "members_.members"`)
	if diff := cmp.Diff([]string{"10.0.0.1 A", "10.0.0.3 c", "10.0.0.4 d"}, c.endpoints(p)); diff != "" {
		t.Errorf("members after refused requests (-want +got):\n%s", diff)
	}
	c.must(http.StatusAccepted, "PUT", path, object{"members": []object{}})
	if got := c.endpoints(p); got != nil {
		t.Errorf("members %v are left", got)
	}
}

// TestBatchIsACreate shows that a batch gives the members that it knows the values of a create: what it leaves out goes back to its
// default, but for tags; and that it takes and refuses what a POST does.
func TestBatchIsACreate(t *testing.T) {
	c := newCloud(t)
	p := c.pool(c.loadBalancer())
	path := "/pools/" + p + "/members"
	base := object{"address": "10.0.0.50", "protocol_port": 80}
	full := more(base, object{
		"name": "m", "admin_state_up": false, "weight": 7, "backup": true, "monitor_address": "10.0.0.9", "monitor_port": 9, "tags": []any{"t"}, "subnet_id": c.subnet.ID,
	})
	id := c.make(path, "member", full)["id"].(string)
	batch := func(members ...object) answer { return c.do(http.MethodPut, root+path, object{"members": members}) }
	if a := batch(more(base, object{"project_id": foreign})); a.code != http.StatusAccepted || a.raw != "" {
		t.Fatalf("%d %s", a.code, a.raw)
	}
	got := c.show(path+"/"+id, "member")
	want := object{
		"name": "m", "admin_state_up": true, "weight": 1.0, "backup": false, "monitor_address": nil, "monitor_port": nil, "tags": []any{"t"},
		"subnet_id": c.subnet.ID, "project_id": mine, // which no update changes
	}
	for attribute, value := range want {
		if diff := cmp.Diff(value, got[attribute]); diff != "" {
			t.Errorf("%s (-want +got):\n%s", attribute, diff)
		}
	}
	batch(more(full, object{"name": nil}))
	if got := c.show(path+"/"+id, "member"); got["name"] != "" {
		t.Errorf("null leaves the name %v", got["name"])
	}
	batch(more(full, object{"tags": []any{}, "weight": "3"}))
	if got := c.show(path+"/"+id, "member"); got["name"] != "m" || got["weight"] != 3.0 || len(got["tags"].([]any)) != 0 {
		t.Errorf("the member is %v", got)
	}
	for name, test := range map[string]struct {
		member object
		code   int
		text   string
	}{
		"bad weight":      {object{"weight": 257}, 400, invalid("weight", "257", "Value should be lower or equal to 256")},
		"bad name":        {object{"name": 7}, 400, invalid("name", "7", notString)},
		"bad address":     {object{"address": "x"}, 400, invalid("address", "x", notAddress)},
		"bad: null port":  {object{"protocol_port": nil}, 400, invalid("protocol_port", "None", missing)},
		"bad subnet":      {object{"address": "10.0.0.51", "subnet_id": unknown}, 400, "Subnet " + unknown + " not found."},
		"bad reserved":    {object{"address": "169.254.169.254"}, 400, "169.254.169.254 is not a valid option for member address"},
		"bad monitor":     {object{"monitor_address": "169.254.169.254"}, 400, "169.254.169.254 is not a valid option for member address"},
		"bad attribute":   {object{"pool_id": p}, 400, "Unknown attribute for argument members_.members: pool_id"},
		"bad attributes":  {object{"id": "x", "status": 1}, 400, "Unknown attributes for argument members_.members: id, status"},
		"bad SR-IOV":      {object{"address": "10.0.0.51", "request_sriov": true}, 400, "The load balancer flavor does not allow SR-IOV member ports."},
		"bad IPv6 twin":   {object{"address": "2001:DB8::1"}, 409, "Another member on this pool is already using ip 2001:db8::1 on protocol_port 80"},
		"bad known twice": {object{}, 400, "Validation failure: Member must be updated only once in the same request."},
	} {
		t.Run(name, func(t *testing.T) {
			other := base
			if test.code == http.StatusConflict {
				other = more(base, object{"address": "2001:db8:0::1"})
			}
			batch(other, more(base, test.member)).fault(t, test.code, test.text)
			if got := c.endpoints(p); !slices.Equal(got, []string{"10.0.0.50 m"}) {
				t.Errorf("the members are %v", got)
			}
		})
	}
	c.do(http.MethodPut, root+path+"?additive=true", object{"members": []object{}}).fault(t, 400, `Unknown argument: "additive"`)
	for _, loose := range []string{"true", "1", "Yes", "on"} {
		c.must(http.StatusAccepted, http.MethodPut, path+"?additive_only="+loose, object{"members": []object{}})
		if got := c.endpoints(p); len(got) != 1 {
			t.Errorf("additive_only=%s leaves %v", loose, got)
		}
	}
	c.must(http.StatusAccepted, http.MethodPut, path+"?additive_only=nonsense", object{"members": []object{}})
	if got := c.endpoints(p); got != nil {
		t.Errorf("what is not true-like is false: %v", got)
	}
}

// TestBatchKeepsWhatIsThere shows that members which a pool has keep their subnets, whatever becomes of those, and that nothing which
// was not looked at gets in.
func TestBatchKeepsWhatIsThere(t *testing.T) {
	c := newCloud(t)
	p := c.pool(c.loadBalancer())
	path := "/pools/" + p + "/members"
	batch := func(members ...object) answer { return c.do(http.MethodPut, root+path, object{"members": members}) }
	known := object{"address": "10.0.0.50", "protocol_port": 80, "subnet_id": c.subnet.ID}
	id := c.make(path, "member", known)["id"].(string)
	if a := batch(more(known, object{"subnet_id": unknown, "weight": 5})); a.code != http.StatusAccepted {
		t.Errorf("%d %s", a.code, a.raw)
	}
	if got := c.show(path+"/"+id, "member"); got["subnet_id"] != c.subnet.ID || got["weight"] != 5.0 {
		t.Errorf("the member is %v", got)
	}
	c.must(http.StatusNoContent, http.MethodDelete, path+"/"+id, nil)
	batch(more(known, object{"subnet_id": unknown})).fault(t, 400, "Subnet "+unknown+" not found.") // it is a new one now
	if a := batch(known); a.code != http.StatusAccepted {
		t.Errorf("%d %s", a.code, a.raw)
	}
	away := &disturbed{Store: c.store, pool: p}
	c.serve(octavia.Config{Store: c.store, Networks: away, Auth: everybody(), Providers: []provider.Face{haproxy.Face()}})
	batch(more(known, object{"subnet_id": c.private.ID}), object{"address": "10.0.0.51", "protocol_port": 80, "subnet_id": c.subnet.ID}).
		fault(t, 409, "Pool "+p+" was changed by another request. Please try again.")
	if got := c.endpoints(p); got != nil {
		t.Errorf("the members are %v", got)
	}
}

// disturbed is a network service that, while it is asked for a subnet, takes a pool's members away.
type disturbed struct {
	*store.Store
	pool string
}

func (d *disturbed) Subnet(ctx context.Context, id string) (*network.Subnet, error) {
	members, err := d.Members(ctx, store.Query{Filters: []store.Filter{{Attribute: "pool_id", Values: []string{d.pool}}}})
	for _, m := range members {
		err = errors.Join(err, d.ChangeLoadBalancer(ctx, m.LoadBalancerID, func(c *store.Change) error {
			if found := c.LB.Pool(d.pool).Member(m.ID); found != nil {
				return c.Delete(found)
			}
			return nil
		}))
	}
	if err != nil {
		return nil, err
	}
	return d.Store.Subnet(ctx, id)
}
