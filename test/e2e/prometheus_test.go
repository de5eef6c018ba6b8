package e2e

import (
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/gophercloud/gophercloud/v2/openstack/loadbalancer/v2/loadbalancers"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"plimsoll/test/harness"
)

// scrape reads metrics as Prometheus does.
func (s *site) scrape(client *http.Client, url string) (map[string]*dto.MetricFamily, error) {
	resp, err := client.Get(url)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("GET %s: %s", url, resp.Status)
	}
	if kind := resp.Header.Get("Content-Type"); !strings.HasPrefix(kind, "text/plain; version=0.0.4") {
		return nil, fmt.Errorf("Content-Type %s", kind)
	}
	parser := expfmt.NewTextParser(model.LegacyValidation)
	return parser.TextToMetricFamilies(resp.Body)
}

// sample is the value of a metric of the given labels, or -1.
func sample(families map[string]*dto.MetricFamily, name string, labels ...string) float64 {
	for _, m := range families[name].GetMetric() {
		has := map[string]string{}
		for _, l := range m.Label {
			has[l.GetName()] = l.GetValue()
		}
		same := len(has) == len(labels)/2
		for i := 0; i < len(labels); i += 2 {
			same = same && has[labels[i]] == labels[i+1]
		}
		if same {
			return m.GetCounter().GetValue() + m.GetGauge().GetValue()
		}
	}
	return -1
}

// TestPrometheus scrapes a load balancer's own listeners, in the clear and over TLS, over a reload, and with
// another engine.
func TestPrometheus(t *testing.T) {
	t.Parallel()
	s := newSite(t, 1, harness.Tree{})
	udp := s.create(t, "/listeners", "listener", object{"loadbalancer_id": s.lb.ID, "protocol": "UDP", "protocol_port": 5353})
	s.WaitActive(t, s.lb.ID)
	s.create(t, "/listeners", "listener", object{"loadbalancer_id": s.lb.ID, "protocol": "PROMETHEUS", "protocol_port": 9100})
	s.WaitActive(t, s.lb.ID)
	authority := harness.NewAuthority(t, "authority")
	ref := s.StoreSecret(t, "metrics", authority.Issue("metrics.example.com").Bundle())
	secure := s.create(t, "/listeners", "listener", object{"loadbalancer_id": s.lb.ID, "protocol": "PROMETHEUS", "protocol_port": 9443,
		"default_tls_container_ref": ref})
	s.WaitActive(t, s.lb.ID)
	const requests = 5
	for range requests {
		s.answers(t)
	}
	client := s.browser(&tls.Config{RootCAs: authority.Pool(), ServerName: "metrics.example.com", MinVersion: tls.VersionTLS12})
	for _, url := range []string{"http://lb:9100/metrics", "https://metrics.example.com:9443/metrics"} {
		s.seesTraffic(t, client, url, udp, requests)
	}
	if diff := cmp.Diff([]int{404, 405}, []int{s.code(t, client, "GET", "/other"), s.code(t, client, "POST", "/metrics")}); diff != "" {
		t.Errorf("codes of other paths and methods (-want +got):\n%s", diff)
	}
	families, err := s.scrape(&http.Client{Timeout: 10 * time.Second}, s.URL+"/metrics")
	if at := sample(families, "plimsoll_certificate_expiry_timestamp_seconds", "load_balancer", s.lb.ID, "project", s.project(t),
		"type", "listener", "object", secure, "ref", ref); err != nil || at < float64(time.Now().Unix()) {
		t.Errorf("the listener's certificate expires at %v, %v", at, err)
	}
	s.reload(t, 81)
	s.seesTraffic(t, client, "http://lb:9100/metrics", udp, requests)
	s.killEngine(t)
	s.seesTraffic(t, client, "http://lb:9100/metrics", udp, requests)
}

// seesTraffic wants what was served to be in the metrics, or more.
func (s *site) seesTraffic(t *testing.T, client *http.Client, url, udp string, requests float64) {
	t.Helper()
	harness.Eventually(t, 10*time.Second, func() error {
		families, err := s.scrape(client, url)
		if err != nil {
			return err
		}
		listener, pool := s.lb.ListenerID, s.lb.PoolID+":"+s.lb.ListenerID
		if got := sample(families, "octavia_listener_sessions_total", "listener", listener); got < requests {
			return fmt.Errorf("%v sessions", got)
		}
		if got := sample(families, "octavia_listener_bytes_out_total", "listener", listener); got < 100*requests {
			return fmt.Errorf("%v bytes", got)
		}
		for name, labels := range map[string][]string{
			"octavia_listener_status": {"listener", listener, "state", "UP"},
			"octavia_pool_status":     {"pool", pool, "state", "UP"},
			"octavia_member_status":   {"pool", pool, "member", s.lb.MemberIDs[0], "state", "UP"},
		} {
			if got := sample(families, name, labels...); got != 1 {
				return fmt.Errorf("%s%v is %v", name, labels, got)
			}
		}
		if got := sample(families, "octavia_listener_sessions_total", "listener", udp); got != 0 {
			return fmt.Errorf("%v flows of the UDP listener", got)
		}
		if got := sample(families, "octavia_loadbalancer_connections_total"); got < 1 {
			return fmt.Errorf("%v connections", got)
		}
		return nil
	})
}

func (s *site) code(t *testing.T, client *http.Client, method, path string) int {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, "http://lb:9100"+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, resp.Body)
	_ = resp.Body.Close()
	return resp.StatusCode
}

// TestOperatorMetrics reads the server's own metrics after some traffic, as who may and as who may not.
func TestOperatorMetrics(t *testing.T) {
	t.Parallel()
	s := newSite(t, 1, harness.Tree{})
	for range 5 {
		s.answers(t)
	}
	client := &http.Client{Timeout: 10 * time.Second}
	labels := []string{"load_balancer", s.lb.ID, "project", s.project(t)}
	harness.Eventually(t, 20*time.Second, func() error {
		families, err := s.scrape(client, s.URL+"/metrics")
		if err != nil {
			return err
		}
		for name, least := range map[string]float64{
			"plimsoll_load_balancer_connections_total": 5, "plimsoll_load_balancer_bytes_out_total": 100,
		} {
			if got := sample(families, name, labels...); got < least {
				return fmt.Errorf("%s is %v", name, got)
			}
		}
		for name, want := range map[string]float64{"plimsoll_engine_up": 1, "plimsoll_database_up": 1, "plimsoll_pending_load_balancers": 0} {
			if got := sample(families, name); got != want {
				return fmt.Errorf("%s is %v", name, got)
			}
		}
		if got := sample(families, "plimsoll_engine_haproxy_processes"); got < 1 {
			return fmt.Errorf("%v processes", got)
		}
		if got := sample(families, "plimsoll_loop_steps_total", "provider", "haproxy", "method", "start", "result", "done"); got != 1 {
			return fmt.Errorf("%v starts", got)
		}
		status := append(slices.Clone(labels), "provisioning_status", "ACTIVE", "operating_status", "ONLINE")
		if got := sample(families, "plimsoll_load_balancer_status", status...); got != 1 {
			return fmt.Errorf("the status is %v", got)
		}
		return nil
	})
	text := s.operatorText(t, client, "")
	for _, line := range []string{`api="octavia",code="201",method="POST",route="/v2.0/lbaas/loadbalancers"`, `route="/v2.0/networks"`} {
		if !strings.Contains(text, line) {
			t.Errorf("no request with %s", line)
		}
	}
	if strings.Contains(text, `lbaas/loadbalancers/`+s.lb.ID) {
		t.Error("a path is a label")
	}
	if text := s.operatorText(t, client, "192.0.2.1"); strings.Contains(text, s.lb.ID) {
		t.Error("metrics go through a proxy without a token")
	}
}

// operatorText is the server's answer, as it is given through a proxy for a client where there is one.
func (s *site) operatorText(t *testing.T, client *http.Client, through string) string {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL+"/metrics", nil)
	if err != nil {
		t.Fatal(err)
	}
	if through != "" {
		r.Header.Set("X-Forwarded-For", through)
	}
	resp, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func (s *site) project(t *testing.T) string {
	t.Helper()
	lb, err := loadbalancers.Get(t.Context(), s.LoadBalancer, s.lb.ID).Extract()
	if err != nil {
		t.Fatal(err)
	}
	return lb.ProjectID
}
