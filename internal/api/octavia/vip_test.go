package octavia_test

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"plimsoll/internal/api/octavia"
	"plimsoll/internal/network"
	"plimsoll/internal/policy"
	"plimsoll/internal/provider"
	"plimsoll/internal/provider/noop"
	"plimsoll/internal/store"
)

// The security groups and QoS policies that knownNetworks has.
const (
	group1  = "90000000-0000-4000-8000-000000000001"
	group2  = "90000000-0000-4000-8000-000000000002"
	groupOf = "90000000-0000-4000-8000-000000000003" // the foreign project's
	policy1 = "a0000000-0000-4000-8000-000000000001"
	policy2 = "a0000000-0000-4000-8000-000000000002"
	unknown = "5e2e5e5e-0000-4000-8000-000000000000"
)

// knownNetworks is the embedded network service, with security groups and QoS policies as a real one has them.
type knownNetworks struct {
	*store.Store
	set  map[string]network.Port // by port: its security groups and its QoS policy
	fail error                   // of UpdatePort
}

func (*knownNetworks) SecurityGroup(_ context.Context, id string) (*network.SecurityGroup, error) {
	projects := groups()
	if projects[id] == "" {
		return nil, network.SecurityGroupNotFound(id)
	}
	return &network.SecurityGroup{ID: id, ProjectID: projects[id]}, nil
}

// groups are the security groups of these tests, with their projects.
func groups() map[string]string {
	return map[string]string{group1: mine, group2: mine, groupOf: foreign}
}

func (*knownNetworks) QoSPolicy(_ context.Context, id string) (*network.QoSPolicy, error) {
	if id != policy1 && id != policy2 {
		return nil, network.QoSPolicyNotFound(id)
	}
	return &network.QoSPolicy{ID: id, ProjectID: foreign}, nil
}

func (k *knownNetworks) CreatePort(ctx context.Context, p *network.Port) error {
	err := k.Store.CreatePort(ctx, p)
	k.set[p.ID] = network.Port{SecurityGroupIDs: p.SecurityGroupIDs, QoSPolicyID: p.QoSPolicyID}
	return err
}

func (k *knownNetworks) Port(ctx context.Context, id string) (*network.Port, error) {
	p, err := k.Store.Port(ctx, id)
	if err == nil {
		p.PortSecurity = true
		p.SecurityGroupIDs, p.QoSPolicyID = k.set[id].SecurityGroupIDs, k.set[id].QoSPolicyID
	}
	return p, err
}

func (k *knownNetworks) UpdatePort(ctx context.Context, id string, fn func(*network.Port) error) (*network.Port, error) {
	if k.fail != nil {
		return nil, k.fail
	}
	return k.Store.UpdatePort(ctx, id, func(p *network.Port) error {
		p.PortSecurity = true
		p.SecurityGroupIDs, p.QoSPolicyID = k.set[id].SecurityGroupIDs, k.set[id].QoSPolicyID
		if err := fn(p); err != nil {
			return err
		}
		k.set[id] = network.Port{SecurityGroupIDs: p.SecurityGroupIDs, QoSPolicyID: p.QoSPolicyID}
		return nil
	})
}

// known serves the API on networks that have security groups and QoS policies, with a provider that takes everything.
func (c *cloud) known() *knownNetworks {
	k := &knownNetworks{Store: c.store, set: map[string]network.Port{}}
	for id, project := range groups() {
		if err := c.store.CreateSecurityGroup(c.t.Context(), &network.SecurityGroup{ID: id, ProjectID: project}); err != nil {
			c.t.Fatal(err)
		}
	}
	c.serve(octavia.Config{
		Store: c.store, Networks: k, Auth: everybody(), Certificates: octavia.AnyCertificate{},
		Providers: []provider.Face{noop.Face()}, DefaultProvider: noop.Name,
	})
	return k
}

func (k *knownNetworks) check(t *testing.T, port any, groups []string, policy string) {
	t.Helper()
	got := k.set[port.(string)]
	if !slices.Equal(got.SecurityGroupIDs, groups) || got.QoSPolicyID != policy {
		t.Errorf("port %v has the security groups %v and the QoS policy %q, want %v and %q", port, got.SecurityGroupIDs, got.QoSPolicyID, groups, policy)
	}
}

func (c *cloud) postLB(body object) answer {
	c.t.Helper()
	return c.do(http.MethodPost, root+"/loadbalancers", object{"loadbalancer": body})
}

// more is a body with attributes of another one.
func more(body object, others ...object) object {
	out := maps.Clone(body)
	for _, o := range others {
		maps.Copy(out, o)
	}
	return out
}

func TestVIPReferences(t *testing.T) {
	c := newCloud(t)
	k := c.known()
	base := object{"vip_subnet_id": c.subnet.ID}
	for name, test := range map[string]struct {
		body object
		want string
	}{
		"bad group":               {object{"vip_sg_ids": []string{group1, unknown}}, "Security Group " + unknown + " not found."},
		"bad group: another's":    {object{"vip_sg_ids": []string{groupOf}}, "Security Group " + groupOf + " not found."},
		"bad policy":              {object{"vip_qos_policy_id": unknown}, "qos_policy " + unknown + " not found."},
		"bad policy before group": {object{"vip_qos_policy_id": unknown, "vip_sg_ids": []string{unknown}}, "qos_policy " + unknown + " not found."},
		"bad listener": {object{"vip_sg_ids": []string{group1}, "listeners": []object{{"protocol": "TCP", "protocol_port": 1, "allowed_cidrs": []string{"10.0.0.0/8"}}}},
			"Validation failure: Allowed CIDRs are not allowed when using custom VIP Security Groups."},
	} {
		t.Run(name, func(t *testing.T) { c.postLB(more(base, test.body)).fault(t, 400, test.want) })
	}
	if n := c.ports(); n != 0 {
		t.Errorf("refused requests leave %d ports", n)
	}
	lb := c.make("/loadbalancers", "loadbalancer", more(base, object{"vip_sg_ids": []string{group2, group1, group2}, "vip_qos_policy_id": policy1}))
	path := "/loadbalancers/" + lb["id"].(string)
	shows := func(groups []any, policy any) {
		t.Helper()
		got := c.show(path, "loadbalancer")
		if diff := cmp.Diff([]any{groups, policy}, []any{got["vip_sg_ids"], got["vip_qos_policy_id"]}); diff != "" {
			t.Errorf("groups and policy (-want +got):\n%s", diff)
		}
	}
	port := lb["vip_port_id"]
	k.check(t, port, []string{group2, group1}, policy1)
	shows([]any{group2, group1}, policy1)

	put := func(body object) answer { return c.do(http.MethodPut, root+path, object{"loadbalancer": body}) }
	put(object{"vip_sg_ids": []string{unknown}}).fault(t, 400, "Security Group "+unknown+" not found.")
	put(object{"vip_sg_ids": []string{group1}, "vip_qos_policy_id": unknown}).fault(t, 400, "qos_policy "+unknown+" not found.")
	k.check(t, port, []string{group2, group1}, policy1)
	c.put(path, "loadbalancer", object{"name": "x"})
	k.check(t, port, []string{group2, group1}, policy1)
	c.put(path, "loadbalancer", object{"vip_sg_ids": []string{group1}})
	k.check(t, port, []string{group1}, policy1)
	c.put(path, "loadbalancer", object{"vip_qos_policy_id": policy2})
	k.check(t, port, []string{group1}, policy2)
	shows([]any{group1}, policy2)

	listener := object{"loadbalancer_id": lb["id"], "protocol": "TCP", "protocol_port": 80, "allowed_cidrs": []string{"10.0.0.0/8"}}
	const conflict = "Validation failure: Allowed CIDRs are not allowed when using custom VIP Security Groups."
	c.do(http.MethodPost, root+"/listeners", object{"listener": listener}).fault(t, 400, conflict)
	listener["allowed_cidrs"] = []string{}
	l := "/listeners/" + c.make("/listeners", "listener", listener)["id"].(string)
	c.do(http.MethodPut, root+l, object{"listener": object{"allowed_cidrs": []string{"10.0.0.0/8"}}}).fault(t, 400, conflict)

	k.fail = errors.New("the network service is away")
	if a := put(object{"vip_sg_ids": []string{group2}}); a.code != http.StatusInternalServerError {
		t.Errorf("without a network service: %d %s", a.code, a.raw)
	}
	k.fail = nil
	k.check(t, port, []string{group1}, policy2)
	shows([]any{group1}, policy2)
	c.put(path, "loadbalancer", object{"vip_sg_ids": nil, "vip_qos_policy_id": nil})
	k.check(t, port, nil, "")
	shows([]any{}, nil)

	// Groups that come after a listener's CIDRs are not looked at, nor are those CIDRs when the listener changes otherwise.
	c.put(l, "listener", object{"allowed_cidrs": []string{"10.0.0.0/8"}})
	c.put(path, "loadbalancer", object{"vip_sg_ids": []string{group1}})
	c.put(l, "listener", object{"name": "x"})
	if got := c.as("admin").postLB(more(base, object{"project_id": mine, "vip_sg_ids": []string{groupOf}})); got.code != http.StatusCreated {
		t.Errorf("an admin uses another's group: %d %s", got.code, got.raw)
	}
}

// TestVIPReferencesOnUsersPort shows whose word counts on a port that was there before.
func TestVIPReferencesOnUsersPort(t *testing.T) {
	c := newCloud(t)
	k := c.known()
	p := c.makePort(mine, network.FixedIP{SubnetID: c.subnet.ID})
	before := network.Port{SecurityGroupIDs: []string{group2}, QoSPolicyID: policy2}
	k.set[p.ID] = before
	bad := object{"vip_port_id": p.ID, "vip_sg_ids": []string{group1}, "listeners": []object{{"protocol": "TCP", "protocol_port": 1}, {"protocol": "TCP", "protocol_port": 2}}}
	tooMany := more(bad, object{"listeners": []object{{"protocol": "TCP", "protocol_port": 1, "allowed_cidrs": []string{"::/0"}}}})
	delete(tooMany, "vip_sg_ids")
	if a := c.postLB(tooMany); a.code != 400 { // which is only known once the port is claimed
		t.Fatalf("%d %s", a.code, a.raw)
	}
	k.check(t, p.ID, before.SecurityGroupIDs, before.QoSPolicyID)
	lb := c.make("/loadbalancers", "loadbalancer", object{"vip_port_id": p.ID})
	if lb["vip_qos_policy_id"] != policy2 {
		t.Errorf("vip_qos_policy_id is %v, want that of the port", lb["vip_qos_policy_id"])
	}
	k.check(t, p.ID, before.SecurityGroupIDs, policy2)
	c.put("/loadbalancers/"+lb["id"].(string), "loadbalancer", object{"vip_qos_policy_id": policy1})
	k.check(t, p.ID, before.SecurityGroupIDs, policy1)
	for _, test := range []struct {
		more   object
		groups []string
		policy string
	}{
		{object{"vip_qos_policy_id": policy1}, []string{group2}, policy1},
		{object{"vip_qos_policy_id": nil}, []string{group2}, ""},
		{object{"vip_sg_ids": []string{group1}}, []string{group1}, policy2},
	} {
		p := c.makePort(mine, network.FixedIP{SubnetID: c.subnet.ID})
		k.set[p.ID] = before
		c.make("/loadbalancers", "loadbalancer", more(object{"vip_port_id": p.ID}, test.more))
		k.check(t, p.ID, test.groups, test.policy)
	}
}

// TestSecurityGroupsOnSRIOV tries to put groups on a port that they could not guard.
func TestSecurityGroupsOnSRIOV(t *testing.T) {
	c := newCloud(t)
	c.known()
	flavor := c.as("admin").flavor("noop", `{"sriov_vip":true}`)
	const direct = "Validation failure: VIP Security Groups are not allowed with VNIC direct type"
	body := object{"vip_subnet_id": c.subnet.ID, "flavor_id": flavor}
	c.postLB(more(body, object{"vip_sg_ids": []string{group1}})).fault(t, 400, direct)
	lb := c.make("/loadbalancers", "loadbalancer", more(body, object{"vip_sg_ids": nil}))
	if lb["vip_vnic_type"] != "direct" {
		t.Errorf("vip_vnic_type is %v", lb["vip_vnic_type"])
	}
	path := root + "/loadbalancers/" + lb["id"].(string)
	c.do(http.MethodPut, path, object{"loadbalancer": object{"vip_sg_ids": []string{group1}}}).fault(t, 400, direct)
	if a := c.do(http.MethodPut, path, object{"loadbalancer": object{"vip_sg_ids": []string{}}}); a.code != http.StatusOK {
		t.Errorf("%d %s", a.code, a.raw)
	}
}

// TestSecurityGroupsHaveRules has an operator who lets nobody but admins name groups; what names none is nobody's affair.
func TestSecurityGroupsHaveRules(t *testing.T) {
	file := filepath.Join(t.TempDir(), "policy.yaml")
	rules := `"os_load-balancer_api:loadbalancer:post:vip_sg_ids": "role:admin"` + "\n" + `"os_load-balancer_api:loadbalancer:put:vip_sg_ids": "role:admin"` + "\n"
	if err := os.WriteFile(file, []byte(rules), 0o600); err != nil {
		t.Fatal(err)
	}
	enforcer, err := policy.New(policy.Options{File: file})
	if err != nil {
		t.Fatal(err)
	}
	c := newCloud(t)
	c.serve(octavia.Config{
		Store: c.store, Networks: c.known(), Auth: everybody(), Policy: enforcer, Providers: []provider.Face{noop.Face()}, DefaultProvider: noop.Name,
	})
	lb := "/loadbalancers/" + c.loadBalancer()
	for name, value := range map[string]any{"some": []string{group1}, "none": []string{}, "null": nil} {
		body := object{"vip_sg_ids": value}
		c.postLB(more(body, object{"vip_subnet_id": c.subnet.ID})).fault(t, 403, "Policy does not allow this request to be performed.")
		c.do(http.MethodPut, root+lb, object{"loadbalancer": body}).fault(t, 403, "Policy does not allow this request to be performed.")
		if a := c.as("admin").do(http.MethodPut, root+lb, object{"loadbalancer": body}); a.code != http.StatusOK {
			t.Errorf("an admin's PUT of %s: %d %s", name, a.code, a.raw)
		}
	}
	c.put(lb, "loadbalancer", object{"name": "x"})
}

func TestAdditionalVIPs(t *testing.T) {
	c := newCloud(t)
	c.known()
	third := c.makeSubnet(mine, c.network.ID, "10.1.0.0/24")
	_, elsewhere := c.makeNetwork(mine, "10.2.0.0/24")
	taken := c.makePort(mine, network.FixedIP{SubnetID: c.six.ID})
	both := c.makePort(mine, network.FixedIP{SubnetID: c.subnet.ID}, network.FixedIP{SubnetID: c.six.ID})
	single := c.makePort(mine, network.FixedIP{SubnetID: c.subnet.ID})
	six := object{"subnet_id": c.six.ID}
	const failure = "Validation failure: "
	const duplicate = failure + "Duplicate VIP subnet(s) specified. Only one IP can be bound per subnet."
	for _, test := range []struct {
		name string
		vip  object
		code int
		text string
	}{
		{"bad: the VIP's subnet", object{"vip_subnet_id": c.subnet.ID, "additional_vips": []object{{"subnet_id": c.subnet.ID}}}, 400, duplicate},
		{"bad: one subnet twice", object{"vip_subnet_id": c.subnet.ID, "additional_vips": []object{six, six}}, 400, duplicate},
		{"bad: the subnet that the network gives", object{"vip_network_id": c.network.ID, "additional_vips": []object{{"subnet_id": c.subnet.ID}}}, 400, duplicate},
		{"bad subnet", object{"vip_subnet_id": c.subnet.ID, "additional_vips": []object{{"subnet_id": unknown}}}, 400, "Subnet " + unknown + " not found."},
		{"bad subnet: another's", object{"vip_subnet_id": c.subnet.ID, "additional_vips": []object{{"subnet_id": c.private.ID}}}, 400, "Subnet " + c.private.ID + " not found."},
		{"bad network", object{"vip_subnet_id": c.subnet.ID, "additional_vips": []object{{"subnet_id": elsewhere.ID}}}, 400, failure + "All VIP subnets must belong to the same network."},
		{"bad port", object{"vip_subnet_id": c.subnet.ID, "additional_vips": []object{more(six, object{"port_id": both.ID})}}, 400,
			failure + "Additional VIPs are addresses of the VIP port, and port " + both.ID + " is another one."},
		{"bad port: not the VIP's", object{"vip_port_id": single.ID, "additional_vips": []object{more(six, object{"port_id": both.ID})}}, 400,
			failure + "Additional VIPs are addresses of the VIP port, and port " + both.ID + " is another one."},
		{"bad: not on the port", object{"vip_port_id": single.ID, "additional_vips": []object{six}}, 400, failure + "No VIP address found on the specified VIP port within the specified subnet."},
		{"bad address: not on the port", object{"vip_port_id": both.ID, "vip_subnet_id": c.subnet.ID, "additional_vips": []object{more(six, object{"ip_address": "2001:db8::77"})}}, 400,
			failure + "Specified VIP address not found on the specified VIP port."},
		{"bad address", object{"vip_subnet_id": c.subnet.ID, "additional_vips": []object{more(six, object{"ip_address": "10.0.0.9"})}}, 400, "IP address 10.0.0.9 is not a valid IP for the specified subnet."},
		{"bad address: taken", object{"vip_subnet_id": c.subnet.ID, "additional_vips": []object{more(six, object{"ip_address": taken.FixedIPs[0].Address.String()})}}, 409,
			inUse(c.network.ID, taken.FixedIPs[0].Address.String())},
		{"bad address: the router's", object{"vip_subnet_id": c.subnet.ID, "additional_vips": []object{more(six, object{"ip_address": "2001:db8::1"})}}, 409, inUse(c.network.ID, "2001:db8::1")},
		{"bad VIP: taken", object{"vip_subnet_id": c.six.ID, "vip_address": taken.FixedIPs[0].Address.String(), "additional_vips": []object{{"subnet_id": c.subnet.ID}}}, 409,
			inUse(c.network.ID, taken.FixedIPs[0].Address.String())},
	} {
		t.Run(test.name, func(t *testing.T) { c.postLB(test.vip).fault(t, test.code, test.text) })
	}
	if n := c.ports(); n != 0 {
		t.Errorf("refused requests leave %d ports", n)
	}
	lb := c.make("/loadbalancers", "loadbalancer", object{
		"vip_network_id":  c.network.ID,
		"additional_vips": []object{{"subnet_id": c.six.ID, "ip_address": "2001:DB8::77"}, {"subnet_id": third.ID, "ip_address": nil, "port_id": nil}},
		"listeners":       []object{{"protocol": "TCP", "protocol_port": 1, "allowed_cidrs": []string{"10.0.0.0/8", "2001:db8::/32"}}},
	})
	port, err := c.store.Port(t.Context(), lb["vip_port_id"].(string))
	if err != nil || len(port.FixedIPs) != 3 || !third.CIDR.Contains(port.FixedIPs[2].Address) || !c.subnet.CIDR.Contains(port.FixedIPs[0].Address) {
		t.Fatalf("the port is %+v, %v", port, err)
	}
	want := []any{
		object{"subnet_id": c.six.ID, "ip_address": "2001:db8::77", "port_id": port.ID},
		object{"subnet_id": third.ID, "ip_address": port.FixedIPs[2].Address.String(), "port_id": port.ID},
	}
	for name, got := range map[string]object{"POST": lb, "GET": c.show("/loadbalancers/"+lb["id"].(string), "loadbalancer")} {
		if diff := cmp.Diff(want, got["additional_vips"]); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
		if got["vip_address"] != port.FixedIPs[0].Address.String() || got["vip_subnet_id"] != c.subnet.ID {
			t.Errorf("%s: the VIP is %v in %v", name, got["vip_address"], got["vip_subnet_id"])
		}
	}
	onPort := c.make("/loadbalancers", "loadbalancer", object{
		"vip_port_id": both.ID, "vip_subnet_id": c.six.ID, "additional_vips": []object{{"subnet_id": c.subnet.ID, "port_id": both.ID}},
	})
	want = []any{object{"subnet_id": c.subnet.ID, "ip_address": both.FixedIPs[0].Address.String(), "port_id": both.ID}}
	if diff := cmp.Diff(want, onPort["additional_vips"]); diff != "" || onPort["vip_address"] != both.FixedIPs[1].Address.String() {
		t.Errorf("on the user's port: VIP %v (-want +got):\n%s", onPort["vip_address"], diff)
	}
	c.do(http.MethodPost, root+"/listeners", object{"listener": object{
		"loadbalancer_id": c.loadBalancer(), "protocol": "TCP", "protocol_port": 1, "allowed_cidrs": []string{"2001:db8::/32"},
	}}).fault(t, 400, failure+"CIDR 2001:db8::/32 IP version incompatible with all VIPs ['"+c.lastVIP()+"'] IP version.")
}

// lastVIP is the address of the load balancer that was made last.
func (c *cloud) lastVIP() string {
	c.t.Helper()
	list := c.must(http.StatusOK, http.MethodGet, "/loadbalancers?sort=created_at:desc&limit=1", nil).body["loadbalancers"].([]any)
	return list[0].(object)["vip_address"].(string)
}

func inUse(networkID, address string) string {
	return "The VIP IP address is already in use: Unable to complete operation for network " + networkID + ". The IP address " + address + " is in use."
}

// TestGatewayIsNoVIP asks for the address of the subnet's router in every way.
func TestGatewayIsNoVIP(t *testing.T) {
	c := newCloud(t)
	router := c.makePort(mine, network.FixedIP{SubnetID: c.subnet.ID, Address: netip.MustParseAddr("10.0.0.1")})
	for _, vip := range []object{
		{"vip_subnet_id": c.subnet.ID, "vip_address": "10.0.0.1"},
		{"vip_network_id": c.network.ID, "vip_address": "10.0.0.1"},
		{"vip_port_id": router.ID},
	} {
		c.postLB(vip).fault(t, 409, inUse(c.network.ID, "10.0.0.1"))
	}
	c.postLB(object{"vip_subnet_id": c.six.ID, "vip_address": "2001:db8:0::1"}).fault(t, 409, inUse(c.network.ID, "2001:db8::1"))
}

// TestVIPPortAndForeignSubnet names another project's subnet beside an own port: it is as good as one that does not exist.
func TestVIPPortAndForeignSubnet(t *testing.T) {
	c := newCloud(t)
	port := &network.Port{
		ProjectID: mine, NetworkID: c.network.ID, AdminStateUp: true,
		FixedIPs: []network.FixedIP{{SubnetID: c.subnet.ID}},
	}
	if err := c.store.CreatePort(t.Context(), port); err != nil {
		t.Fatal(err)
	}
	for _, subnet := range []string{c.private.ID, unknown} {
		c.postLB(object{"vip_port_id": port.ID, "vip_subnet_id": subnet}).fault(t, 400, "Subnet "+subnet+" not found.")
	}
	c.postLB(object{"vip_port_id": port.ID, "vip_subnet_id": c.six.ID}).
		fault(t, 400, "Validation failure: No VIP address found on the specified VIP port within the specified subnet.")
	c.make("/loadbalancers", "loadbalancer", object{"vip_port_id": port.ID, "vip_subnet_id": c.subnet.ID})
}
