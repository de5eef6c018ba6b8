package octavia

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"runtime"
	"testing"
)

// nowhere takes an answer and keeps nothing of it.
type nowhere struct{ header http.Header }

func (n nowhere) Header() http.Header            { return n.header }
func (n nowhere) Write(data []byte) (int, error) { return len(data), nil }
func (n nowhere) WriteHeader(int)                {}

// The document takes some milliseconds and two megabytes to make, and anybody may ask for it.
func TestOpenAPIIsMadeOnce(t *testing.T) {
	api := New(Config{})
	for _, test := range []struct{ host, uri, want string }{
		{"one.example", "/openapi.json", "http://one.example"},
		{"two.example", "/load-balancer/openapi.json?x=1", "http://two.example/load-balancer"},
		{"odd.example", `/"},{"url":"http://evil.example/openapi.json`, `http://odd.example/"},{"url":"http://evil.example`},
	} {
		r, w := httptest.NewRequest(http.MethodGet, "/openapi.json", nil), httptest.NewRecorder()
		r.Host, r.RequestURI = test.host, test.uri
		api.ServeHTTP(w, r)
		var doc struct {
			Servers []struct{ URL string }
			Paths   map[string]any
		}
		if err := json.Unmarshal(w.Body.Bytes(), &doc); err != nil || w.Code != http.StatusOK || len(doc.Paths) < 20 {
			t.Fatalf("GET %s: %d, %v, %d paths", test.uri, w.Code, err, len(doc.Paths))
		}
		if len(doc.Servers) != 1 || doc.Servers[0].URL != test.want {
			t.Errorf("GET %s: the servers are %v, want %s", test.uri, doc.Servers, test.want)
		}
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	const times = 10
	for range times {
		api.ServeHTTP(nowhere{http.Header{}}, httptest.NewRequest(http.MethodGet, "/openapi.json", nil))
	}
	runtime.ReadMemStats(&after)
	if n := (after.TotalAlloc - before.TotalAlloc) / times; n > 64<<10 {
		t.Errorf("%d bytes for each", n)
	}
}
