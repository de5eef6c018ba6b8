package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/gophercloud/gophercloud/v2"

	"plimsoll/internal/topology"
)

func TestTopologyRefuses(t *testing.T) {
	for name, value := range map[string]string{"OS_CLOUD": "", "OS_AUTH_URL": "http://127.0.0.1:1/v3", "OS_USERNAME": "u", "OS_PASSWORD": "p"} {
		t.Setenv(name, value)
	}
	for _, test := range []struct {
		args string
		code int
		want string
	}{
		{"topology extra", exitUsage, `unknown command "extra"`},
		{"topology --dot --svg", exitUsage, "choose one"},
		{"topology --ports -1", exitUsage, "cannot be less than 0"},
		{"topology --ports many", exitUsage, "invalid argument"},
		{"topology", exitFailed, "log in at http://127.0.0.1:1/v3"},
	} {
		var out strings.Builder
		if code := run(strings.Fields(test.args), &out, &out); code != test.code || !strings.Contains(out.String(), test.want) {
			t.Errorf("plimsoll %s: exit code %d, want %d and %q:\n%s", test.args, code, test.code, test.want, out.String())
		}
	}
}

// paged answers lists, by their paths, in pages of two.
type paged map[string][]topology.Ref

func (p paged) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	items, ok := p[r.URL.Path]
	if !ok {
		http.Error(w, `{"NeutronError": {"message": "hidden"}}`, http.StatusForbidden)
		return
	}
	after := slices.IndexFunc(items, func(i topology.Ref) bool { return i.ID == r.URL.Query().Get("marker") }) + 1
	page := items[after:min(after+2, len(items))]
	plural := r.URL.Path[strings.LastIndex(r.URL.Path, "/")+1:]
	plural = strings.TrimPrefix(plural, "agent-")
	answer := map[string]any{plural: page, plural + "_links": []any{map[string]string{"rel": "previous", "href": "x"}}}
	if after+2 < len(items) {
		answer[plural+"_links"] = []any{map[string]string{"rel": "next", "href": "x"}}
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(answer)
}

func refs(n int) []topology.Ref {
	list := []topology.Ref{}
	for i := range n {
		list = append(list, topology.Ref{ID: fmt.Sprint(i)})
	}
	return list
}

// TestReadCloud reads lists to their ends, and goes on without what is not for everybody's eyes.
func TestReadCloud(t *testing.T) {
	answers := paged{
		"/networks": refs(5), "/subnets": refs(0), "/ports": refs(2), "/routers": refs(1), "/floatingips": refs(0),
		"/lbaas/loadbalancers": refs(3), "/lbaas/listeners": refs(4), "/lbaas/pools": refs(0),
	}
	server := httptest.NewServer(answers)
	t.Cleanup(server.Close)
	client := &gophercloud.ServiceClient{ProviderClient: &gophercloud.ProviderClient{HTTPClient: *server.Client()}, Endpoint: server.URL + "/"}
	c := &clients{network: client, loadBalancer: client}
	counts := func(cloud topology.Cloud) []int {
		return []int{len(cloud.Networks), len(cloud.Subnets), len(cloud.Ports), len(cloud.Routers), len(cloud.FloatingIPs), len(cloud.LoadBalancers), len(cloud.Listeners)}
	}
	cloud, err := readCloud(context.Background(), c)
	if diff := cmp.Diff([]int{5, 0, 2, 1, 0, 3, 4}, counts(cloud)); err != nil || diff != "" {
		t.Errorf("what is read (%v) (-want +got):\n%s", err, diff)
	}
	delete(answers, "/ports")
	if _, err := readCloud(context.Background(), c); err == nil || !strings.Contains(err.Error(), "list ports") {
		t.Errorf("without ports: %v", err)
	}
}
