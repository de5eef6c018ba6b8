package barbican_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestVersions(t *testing.T) {
	f := newFixture(t)
	links := []any{
		object{"rel": "self", "href": f.url + "/v1/"},
		object{"rel": "describedby", "type": "text/html", "href": "https://docs.openstack.org/"},
	}
	old := object{
		"id": "v1", "status": "stable", "links": links,
		"media-types": []any{object{"base": "application/json", "type": "application/vnd.openstack.key-manager-v1+json"}},
	}
	latest := object{"id": "v1", "status": "CURRENT", "min_version": "1.0", "max_version": "1.1", "links": links}
	for _, test := range []struct {
		path, header string
		code         int
		want         object
		speaks       string
	}{
		{"", "", 300, object{"versions": object{"values": []any{old}}}, "key-manager 1.0"},
		{"/", "", 300, object{"versions": object{"values": []any{old}}}, "key-manager 1.0"},
		{"/", "key-manager 1.1", 300, object{"versions": []any{latest}}, "key-manager 1.1"},
		{"/v1", "", 200, object{"version": old}, "key-manager 1.0"},
		{"/v1/", "key-manager 1.0", 200, object{"version": old}, "key-manager 1.0"},
		{"/v1/", "compute 2.1, Key-Manager latest", 200, object{"version": latest}, "key-manager 1.1"},
	} {
		a := f.want(test.code, "", "GET", f.url+test.path, nil, "OpenStack-API-Version", test.header)
		if diff := cmp.Diff(test.want, a.body); diff != "" {
			t.Errorf("GET %q in %q (-want +got):\n%s", test.path, test.header, diff)
		}
		if got := a.header.Get("OpenStack-API-Version"); got != test.speaks || a.header.Get("Vary") != "OpenStack-API-Version" {
			t.Errorf("GET %q in %q speaks %q", test.path, test.header, got)
		}
	}
}
