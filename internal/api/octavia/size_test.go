package octavia_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"plimsoll/internal/api/octavia"
	"plimsoll/internal/store"
	"plimsoll/internal/store/storetest"
	"plimsoll/internal/web/webtest"
)

// sizeRows is how many load balancers BenchmarkSize asks among.
const sizeRows = 100_000

// sink is an answer that goes nowhere.
type sink struct {
	header http.Header
	code   int
	bytes  int
}

func (s *sink) Header() http.Header  { return s.header }
func (s *sink) WriteHeader(code int) { s.code = code }
func (s *sink) Flush()               {}
func (s *sink) Write(b []byte) (int, error) {
	s.bytes += len(b)
	return len(b), nil
}

// question is a request that BenchmarkSize asks again and again.
type question struct {
	name, token, path string
	rows              int // that have to be in the answer; 0 is one object
}

// BenchmarkSize asks the API's handler, without a network between, among a hundred thousand load balancers.
func BenchmarkSize(b *testing.B) {
	for _, engine := range storetest.Engines() {
		b.Run(string(engine), func(b *testing.B) {
			connection := storetest.Connection(b, engine)
			s := storetest.Reopen(b, connection)
			storetest.Fill(b, s, connection, sizeRows)
			api := octavia.New(octavia.Config{Store: s, Networks: s, Auth: sizeActors()})
			for _, q := range questions(b, s) {
				b.Run(q.name, func(b *testing.B) { q.ask(b, api) })
			}
		})
	}
}

func sizeActors() webtest.Actors {
	all := everybody()
	big := *all["member"]
	big.ProjectID = storetest.BigProject
	all["member"] = &big
	return all
}

func questions(b *testing.B, s *store.Store) []question {
	at := func(n int, sort string) string { return markerAt(b, s, n, sort) }
	return []question{
		{"get-one", "admin", "/loadbalancers/" + at(50_000, "created_at"), 0},
		{"first-page", "admin", "/loadbalancers", 1000},
		{"deep-page", "admin", "/loadbalancers?marker=" + at(90_000, "created_at"), 1000},
		{"previous-page", "admin", "/loadbalancers?page_reverse=True&marker=" + at(90_000, "created_at"), 1000},
		{"project", "member", "/loadbalancers", 1000},
		{"project/active-by-name", "member", "/loadbalancers?provisioning_status=ACTIVE&sort=name", 1000},
		{"active-by-name", "admin", "/loadbalancers?provisioning_status=ACTIVE&sort=name", 1000},
		{"active-by-name/deep", "admin", "/loadbalancers?provisioning_status=ACTIVE&sort=name&marker=" + at(90_000, "name"), 1000},
		{"newest", "admin", "/loadbalancers?sort=created_at:desc", 1000},
		{"active-by-name-backwards", "admin", "/loadbalancers?provisioning_status=ACTIVE&sort=name:desc", 1000},
		{"error-by-name", "admin", "/loadbalancers?provisioning_status=ERROR&sort=name", 1000},
		{"pending-by-updated", "admin", "/loadbalancers?provisioning_status=PENDING_UPDATE&sort=updated_at:desc", 1000},
		{"up-by-operating", "admin", "/loadbalancers?admin_state_up=true&sort=operating_status:desc", 1000},
		{"degraded-by-name", "admin", "/loadbalancers?operating_status=DEGRADED&sort=name:desc", 1000},
		{"by-provisioning-and-name", "admin", "/loadbalancers?sort=provisioning_status:desc,name", 1000},
		{"provider-by-vip", "admin", "/loadbalancers?provider=noop&sort=vip_address", 1000},
		{"named", "admin", "/loadbalancers?name=web-77", -1},
		{"by-vip", "admin", "/loadbalancers?vip_address=10.0.77.77", 1},
		{"by-vip-port", "admin", "/loadbalancers?vip_port_id=nothing", -1},
		{"tags", "admin", "/loadbalancers?tags=prod,team-7&sort=name", -1},
		{"not-tags", "admin", "/loadbalancers?not-tags-any=prod", 1000},
		{"fields", "admin", "/loadbalancers?fields=id&fields=name&sort=name", 1000},
		{"listeners", "admin", "/listeners?sort=name", 1000},
		{"listeners-of-one", "admin", "/listeners?loadbalancer_id=" + at(50_001, "created_at"), -1},
		{"pools-by-protocol", "admin", "/pools?protocol=HTTP&sort=name", 1000},
	}
}

// markerAt is the id of the load balancer that has n before it.
func markerAt(b *testing.B, s *store.Store, n int, sort string) string {
	lbs, err := s.LoadBalancers(b.Context(), store.Query{Limit: n + 1, Sort: []store.Order{{Attribute: sort}}})
	if err != nil {
		b.Fatal(err)
	}
	return lbs[n].ID
}

func (q question) ask(b *testing.B, api http.Handler) {
	q.check(b, api)
	b.ReportAllocs()
	for b.Loop() {
		r := httptest.NewRequestWithContext(b.Context(), http.MethodGet, root+q.path, nil)
		r.Header.Set("X-Auth-Token", q.token)
		w := sink{header: http.Header{}}
		api.ServeHTTP(&w, r)
		if w.code != http.StatusOK {
			b.Fatal(w.code)
		}
	}
}

func (q question) check(b *testing.B, api http.Handler) {
	b.Helper()
	r := httptest.NewRequestWithContext(b.Context(), http.MethodGet, root+q.path, nil)
	r.Header.Set("X-Auth-Token", q.token)
	w := httptest.NewRecorder()
	api.ServeHTTP(w, r)
	var answer map[string]json.RawMessage
	if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil || w.Code != http.StatusOK {
		b.Fatalf("%s: %d %v", q.path, w.Code, err)
	}
	if q.rows == 0 {
		return
	}
	for key, value := range answer {
		var list []json.RawMessage
		if err := json.Unmarshal(value, &list); err != nil {
			b.Fatal(err)
		}
		if !strings.HasSuffix(key, "_links") && q.rows > 0 && len(list) != q.rows {
			b.Fatalf("%s: %d rows, want %d", q.path, len(list), q.rows)
		}
	}
}
