package engine

import (
	"bytes"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"plimsoll/internal/linux"
	"plimsoll/lbaas"
)

// noted counts the lines of the load balancer's access log.
func (b *testBalancer) noted() int {
	text, err := os.ReadFile(filepath.Join(b.runDir(), "access.log"))
	if err != nil {
		return 0
	}
	return bytes.Count(text, []byte("\n"))
}

// TestAccessLogWhole counts lines while HAProxy is reloaded, and while there is no engine: there is one for each request. Under load one
// may be missing now and then: HAProxy drops the line of a thread that waits too long for another.
func TestAccessLogWhole(t *testing.T) {
	w := newWorld(t)
	b := w.balancerOf(w.member())
	b.AccessLog = true
	b.mustApply(methodStart)
	stops := []func() int{w.load(b.url(), true), w.load(b.url(), false)}
	for n := range 3 {
		b.listen(81 + n)
		b.mustApply(methodReload)
	}
	requests := 0
	for _, stop := range stops {
		requests += stop()
	}
	eventually(t, fmt.Sprintf("lines of %d requests", requests), func() bool { return b.noted() >= requests*9/10 })
	namespace, _ := w.plug()
	w.stop()
	if got := b.noted(); got > requests {
		t.Errorf("%d lines of %d requests", got, requests)
	}
	requests = b.noted()
	const without = 50
	w.answers(httpClient(t, namespace, false), b.url(), without)
	if got := b.noted(); got != requests {
		t.Errorf("without an engine there are %d lines, want %d", got, requests)
	}
	w.start()
	eventually(t, "the lines of the time without an engine", func() bool { return b.noted() >= requests+without*9/10 })
	b.AccessLog = false
	b.mustApply(methodReload)
	requests = b.noted()
	w.answers(httpClient(t, namespace, false), b.url(), 1)
	b.AccessLog = true
	b.mustApply(methodReload)
	w.answers(httpClient(t, namespace, false), b.url(), 5)
	eventually(t, "lines after the log was off", func() bool { return b.noted() > requests })
	b.remove()
	if _, err := os.Stat(b.runDir()); err == nil {
		t.Error("the logs are there after the load balancer is gone")
	}
}

// TestExporter asks for metrics while the engine comes and goes, and after the namespace was replaced.
func TestExporter(t *testing.T) {
	w := newWorld(t)
	b := w.balancerOf(w.member())
	b.mustApply(methodStart)
	b.listen(9100).Protocol, b.Listeners[1].DefaultPoolID = lbaas.Prometheus, ""
	b.mustApply(methodReload)
	namespace, _ := w.plug()
	c := httpClient(t, namespace, false)
	url := "http://" + b.VIPAddress.String() + ":9100/metrics"
	sees := func(what string) {
		t.Helper()
		eventually(t, what, func() bool {
			text, err := get(c, url)
			return err == nil && strings.Contains(text, fmt.Sprintf("octavia_listener_status{listener=%q,state=\"UP\"} 1\n", b.Listeners[0].ID))
		})
	}
	sees("metrics")
	if o := b.observe(); o.Drifted || !o.Running || len(o.Servers) != 1 {
		t.Errorf("with a listener that exports metrics: %v", o)
	}
	b.mustApply(methodNone)
	w.stop()
	resp, err := c.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("without an engine the code is %d", resp.StatusCode)
	}
	w.start()
	sees("metrics of the next engine")
	if out, err := exec.Command("ip", "netns", "delete", namespaceName(b.ID)).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	b.mustApply(methodStart, methodReload)
	sees("metrics in a new namespace")
	b.Listeners = b.Listeners[:1]
	b.mustApply(methodReload)
	err = linux.Within(namespaceName(b.ID), func() error {
		text, err := os.ReadFile("/proc/thread-self/net/unix")
		if err == nil && bytes.Contains(text, []byte("plimsoll-exporter")) {
			t.Error("the exporter is there without a listener")
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}
