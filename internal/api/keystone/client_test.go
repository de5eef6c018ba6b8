package keystone

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/gophercloud/gophercloud/v2"
	"github.com/gophercloud/gophercloud/v2/openstack"
	"github.com/gophercloud/gophercloud/v2/openstack/identity/v3/applicationcredentials"
	"github.com/gophercloud/gophercloud/v2/openstack/identity/v3/projects"
	"github.com/gophercloud/gophercloud/v2/openstack/identity/v3/roles"
	"github.com/gophercloud/gophercloud/v2/openstack/identity/v3/services"
	"github.com/gophercloud/gophercloud/v2/openstack/identity/v3/tokens"
	"github.com/gophercloud/gophercloud/v2/openstack/identity/v3/users"

	"plimsoll/test/warm"
)

// cli runs the openstack client.
type cli struct {
	t   *testing.T
	env []string
}

func (c cli) run(args ...string) (string, error) {
	c.t.Helper()
	cmd := exec.CommandContext(c.t.Context(), "env", append([]string{"openstack"}, args...)...) // which looks on the PATH of its own
	cmd.Env = append([]string{"PATH=" + warm.Path(c.t) + ":" + os.Getenv("PATH"), "HOME=" + c.t.TempDir(), "LC_ALL=C.UTF-8"}, c.env...)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// show runs a command that shows one object and returns it.
func (c cli) show(args ...string) map[string]any {
	c.t.Helper()
	out, err := c.run(append(args, "-f", "json")...)
	if err != nil {
		c.t.Fatalf("openstack %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	var m map[string]any
	if err := json.Unmarshal([]byte(out), &m); err != nil {
		c.t.Fatalf("openstack %s prints %q: %v", strings.Join(args, " "), out, err)
	}
	return m
}

// list runs a command that lists objects and returns the values of one column.
func (c cli) list(column string, args ...string) []string {
	c.t.Helper()
	out, err := c.run(append(args, "-f", "json")...)
	if err != nil {
		c.t.Fatalf("openstack %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	var rows []map[string]any
	if err := json.Unmarshal([]byte(out), &rows); err != nil {
		c.t.Fatalf("openstack %s prints %q: %v", strings.Join(args, " "), out, err)
	}
	values := []string{}
	for _, row := range rows {
		value, _ := row[column].(string)
		values = append(values, value)
	}
	return values
}

func (c cli) do(args ...string) {
	c.t.Helper()
	if out, err := c.run(args...); err != nil {
		c.t.Fatalf("openstack %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

func (c cli) bad(want string, args ...string) {
	c.t.Helper()
	out, err := c.run(args...)
	if err == nil || !strings.Contains(out, want) {
		c.t.Errorf("openstack %s: %v\n%s\nwant an error with %q", strings.Join(args, " "), err, out, want)
	}
}

func (f *fixture) cli(t *testing.T, user, password, project string, more ...string) cli {
	env := []string{
		"OS_AUTH_URL=" + f.url + "/v3", "OS_IDENTITY_API_VERSION=3", "OS_REGION_NAME=RegionOne",
		"OS_USERNAME=" + user, "OS_PASSWORD=" + password, "OS_USER_DOMAIN_NAME=Default",
	}
	if project != "" {
		env = append(env, "OS_PROJECT_NAME="+project, "OS_PROJECT_DOMAIN_NAME=Default")
	}
	return cli{t, append(env, more...)}
}

func TestOpenStackClient(t *testing.T) {
	if _, err := exec.LookPath("openstack"); err != nil {
		t.Fatal("the openstack client is not installed: apt-get install python3-openstackclient (make deps)")
	}
	f := newFixture(t)
	admin := f.cli(t, "admin", adminPassword, "admin")

	token := admin.show("token", "issue")
	if token["id"] == "" || token["project_id"] == nil {
		t.Errorf("token issue shows %v", token)
	}
	f.cli(t, "admin", "wrong", "admin").bad("The request you have made requires authentication", "token", "issue")

	project := admin.show("project", "create", "--domain", "default", "--description", "ours", "--property", "floor=7", "--tag", "blue", "web")
	if project["description"] != "ours" || project["floor"] != "7" || project["parent_id"] != "default" {
		t.Errorf("project create shows %v", project)
	}
	admin.bad("HTTP 409", "project", "create", "web")
	admin.do("project", "set", "--description", "theirs", "web")
	if got := admin.show("project", "show", "web"); got["description"] != "theirs" {
		t.Errorf("project show shows %v", got)
	}
	user := admin.show("user", "create", "--domain", "default", "--project", "web", "--password", "s3cret", "--email", "a@b.c", "alice")
	if user["email"] != "a@b.c" || user["default_project_id"] != project["id"] || user["password"] != nil {
		t.Errorf("user create shows %v", user)
	}
	admin.show("role", "create", "auditor")
	admin.do("role", "add", "--user", "alice", "--project", "web", "member")
	admin.do("role", "add", "--user", "alice", "--project", "web", "auditor")
	admin.do("role", "add", "--user", "alice", "--system", "all", "reader")
	admin.do("role", "remove", "--user", "alice", "--project", "web", "auditor")
	if got := admin.list("Role", "role", "assignment", "list", "--names", "--user", "alice", "--project", "web"); !cmp.Equal(got, []string{"member"}) {
		t.Errorf("role assignment list shows %v", got)
	}
	if got := admin.list("Role", "role", "assignment", "list", "--names", "--user", "alice", "--effective"); !cmp.Equal(got, []string{"member", "reader", "reader"}) {
		t.Errorf("role assignment list --effective shows %v", got)
	}
	if got := admin.list("Project", "role", "assignment", "list", "--names", "--role", "member"); !cmp.Equal(got, []string{"demo@Default", "web@Default"}) && !cmp.Equal(got, []string{"web@Default", "demo@Default"}) {
		t.Errorf("role assignment list --role member shows %v", got)
	}

	alice := f.cli(t, "alice", "s3cret", "web")
	alice.bad("HTTP 403", "user", "list")
	credential := alice.show("application", "credential", "create", "--role", "reader", "--expiration", "2099-01-01T00:00:00", "robot")
	robot := cli{t, []string{
		"OS_AUTH_URL=" + f.url + "/v3", "OS_AUTH_TYPE=v3applicationcredential", "OS_REGION_NAME=RegionOne",
		"OS_APPLICATION_CREDENTIAL_ID=" + credential["id"].(string), "OS_APPLICATION_CREDENTIAL_SECRET=" + credential["secret"].(string),
	}}
	if got := robot.show("token", "issue"); got["project_id"] != project["id"] {
		t.Errorf("token issue by application credential shows %v", got)
	}
	if got := alice.list("Name", "application", "credential", "list"); !cmp.Equal(got, []string{"robot"}) {
		t.Errorf("application credential list shows %v", got)
	}
	alice.do("application", "credential", "delete", "robot")
	robot.bad("requires authentication", "token", "issue")
	alice.do("user", "password", "set", "--original-password", "s3cret", "--password", "s4cret")
	alice.bad("requires authentication", "token", "issue")

	system := f.cli(t, "admin", adminPassword, "", "OS_SYSTEM_SCOPE=all")
	if got := system.list("Name", "catalog", "list"); !cmp.Equal(got, []string{"keystone", "neutron", "octavia"}) {
		t.Errorf("catalog list shows %v", got)
	}
	if got := system.list("URL", "endpoint", "list", "--service", "load-balancer", "--interface", "public"); len(got) != 1 || !strings.HasSuffix(got[0], "/load-balancer") {
		t.Errorf("endpoint list shows %v", got)
	}
	admin.show("domain", "create", "other")
	admin.bad("disable it first", "domain", "delete", "other")
	admin.do("domain", "set", "--disable", "other")
	admin.do("domain", "delete", "other")
	issued := alice
	issued.env = append(issued.env, "OS_PASSWORD=s4cret")
	revoked := issued.show("token", "issue")["id"].(string)
	admin.do("token", "revoke", revoked)
	f.want(401, "GET", "/v3/auth/projects", revoked, nil)
	for _, list := range []string{"user", "project", "role", "domain", "service", "region", "group"} {
		admin.do(list, "list")
	}
	admin.do("user", "delete", "alice")
	admin.do("project", "delete", "web")
	admin.do("role", "delete", "auditor")
	admin.bad("No user with a name or ID of 'alice' exists", "user", "show", "alice")
}

func (f *fixture) gopher(ctx context.Context, t *testing.T, o gophercloud.AuthOptions) (*gophercloud.ProviderClient, *gophercloud.ServiceClient) {
	t.Helper()
	o.IdentityEndpoint = f.url + "/v3"
	provider, err := openstack.AuthenticatedClient(ctx, o)
	if err != nil {
		t.Fatal(err)
	}
	client, err := openstack.NewIdentityV3(provider, gophercloud.EndpointOpts{Region: "RegionOne"})
	if err != nil {
		t.Fatal(err)
	}
	return provider, client
}

func TestGophercloud(t *testing.T) {
	f, ctx := newFixture(t), t.Context()
	provider, client := f.gopher(ctx, t, gophercloud.AuthOptions{
		Username: "admin", Password: adminPassword, DomainID: "default", TenantName: "admin",
	})
	project, err := projects.Create(ctx, client, projects.CreateOpts{Name: "web", DomainID: "default", Tags: []string{"blue"}}).Extract()
	if err != nil {
		t.Fatal(err)
	}
	user, err := users.Create(ctx, client, users.CreateOpts{Name: "alice", DomainID: "default", Password: "s3cret"}).Extract()
	if err != nil {
		t.Fatal(err)
	}
	page, err := roles.List(client, roles.ListOpts{Name: "member"}).AllPages(ctx)
	if err != nil {
		t.Fatal(err)
	}
	found, err := roles.ExtractRoles(page)
	if err != nil || len(found) != 1 {
		t.Fatalf("roles.List gives %v, %v", found, err)
	}
	if err := roles.Assign(ctx, client, found[0].ID, roles.AssignOpts{UserID: user.ID, ProjectID: project.ID}).ExtractErr(); err != nil {
		t.Fatal(err)
	}
	page, err = services.List(client, services.ListOpts{ServiceType: "load-balancer"}).AllPages(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if listed, err := services.ExtractServices(page); err != nil || len(listed) != 1 {
		t.Errorf("services.List gives %v, %v", listed, err)
	}
	if url, err := provider.EndpointLocator(gophercloud.EndpointOpts{
		Type: "load-balancer", Region: "RegionOne", Availability: gophercloud.AvailabilityPublic,
	}); err != nil || !strings.HasSuffix(url, "/load-balancer/") {
		t.Errorf("the catalog gives %q, %v", url, err)
	}

	_, alice := f.gopher(ctx, t, gophercloud.AuthOptions{UserID: user.ID, Password: "s3cret", TenantID: project.ID})
	credential, err := applicationcredentials.Create(ctx, alice, user.ID, applicationcredentials.CreateOpts{Name: "robot"}).Extract()
	if err != nil {
		t.Fatal(err)
	}
	robot, robotClient := f.gopher(ctx, t, gophercloud.AuthOptions{
		ApplicationCredentialID: credential.ID, ApplicationCredentialSecret: credential.Secret,
	})
	got, err := tokens.Get(ctx, robotClient, robot.Token()).ExtractProject()
	if err != nil || got.ID != project.ID {
		t.Errorf("tokens.Get gives %v, %v", got, err)
	}
	if _, err := tokens.Revoke(ctx, robotClient, robot.Token()).Extract(); err != nil {
		t.Errorf("tokens.Revoke: %v", err)
	}
	if _, err := tokens.Get(ctx, client, robot.Token()).Extract(); !gophercloud.ResponseCodeIs(err, 404) {
		t.Errorf("tokens.Get of a revoked token gives %v, want 404", err)
	}
}
