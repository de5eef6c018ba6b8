package octavia

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"plimsoll/internal/web"
)

// TestViewOf reads what a request says of its answer. Whatever it is, what lists look at for every row is short.
func TestViewOf(t *testing.T) {
	for _, test := range []struct {
		name    string
		fields  []string
		headers []string
		want    []string
	}{
		{"nothing", nil, nil, nil},
		{"bad names", slices.Repeat([]string{"x", ""}, 4000), []string{strings.Repeat("x,", 30000), "Status_Reason"}, nil},
		{"by field", []string{"id", "status_reason"}, nil, []string{"status_reason"}},
		{"by header", []string{"id"}, []string{"x, rate_limit_policies ,status_reason"}, []string{"status_reason", "rate_limit_policies"}},
		{"many times", slices.Repeat([]string{"status_reason"}, 4000), []string{strings.Repeat("status_reason,", 4000)}, []string{"status_reason"}},
	} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Header[http.CanonicalHeaderKey(extensionsHeader)] = test.headers
		v := viewOf(&web.Request{Request: r, Query: url.Values{"fields": test.fields}})
		if !slices.Equal(v.extensions, test.want) || !slices.Equal(v.fields, test.fields) {
			t.Errorf("%s: %v, want %v", test.name, v.extensions, test.want)
		}
	}
}
