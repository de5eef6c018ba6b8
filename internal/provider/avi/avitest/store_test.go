package avitest

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

// TestStampsRise though many write at once and the clock stands still.
func TestStampsRise(t *testing.T) {
	noon := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	b := newBench(t, modelOptions{Now: func() time.Time { return noon }})
	var wg sync.WaitGroup
	for i := range 16 {
		wg.Go(func() {
			a := b.m.do(call{Method: http.MethodPost, Kind: "pool", Version: "18.2.6", Body: fmt.Appendf(nil, `{"name":"p%d"}`, i)})
			if a.Status != http.StatusCreated {
				t.Errorf("answers %d %s", a.Status, a.Body)
			}
		})
	}
	wg.Wait()
	stamps := map[any]bool{}
	for _, o := range b.m.list(scope{all: true}, "pool") {
		stamps[o["_last_modified"]] = true
	}
	if len(stamps) != 16 {
		t.Errorf("16 pools have %d stamps", len(stamps))
	}
	if at, ok := b.m.createdAt("pool", b.m.list(scope{all: true}, "pool")[0]["uuid"].(string)); !ok || !at.Equal(noon) {
		t.Errorf("created at %v", at)
	}
}

// TestEditAndDrop: users' changes are looked at like clients', and what is gone cannot be changed.
func TestEditAndDrop(t *testing.T) {
	b := newBench(t, modelOptions{})
	b.must(http.StatusCreated, http.MethodPost, "pool", "pool-1", js{"name": "p"})
	if err := b.m.edit("pool", "pool-1", func(o map[string]any) { o["enabled"] = false }); err != nil {
		t.Fatal(err)
	}
	if err := b.m.edit("pool", "pool-1", func(o map[string]any) { o["enabled"] = "no" }); err == nil {
		t.Error("an edit may write anything")
	}
	if got, _ := b.m.get("pool", "pool-1"); got["enabled"] != false {
		t.Errorf("the pool is %v", got)
	}
	if !b.m.drop("pool", "pool-1") || b.m.drop("pool", "pool-1") {
		t.Error("drop does not tell what was there")
	}
	if err := b.m.edit("pool", "pool-1", func(map[string]any) {}); err == nil {
		t.Error("what is gone can be edited")
	}
}

// TestNetworks are known by Neutron's ids; with AnyNetwork all are.
func TestNetworks(t *testing.T) {
	const id = "0b0b0b0b-1111-4222-8333-444444444444"
	placed := func(ref string) js {
		return js{"name": ref, "placement_networks": []any{js{"network_ref": ref, "subnet": js{"ip_addr": js{"addr": "10.0.0.0", "type": "V4"}, "mask": 24}}}}
	}
	b := newBench(t, modelOptions{})
	b.must(http.StatusCreated, http.MethodPost, "network", "network-"+id, js{"name": "data"})
	c := b.in(b.tenantNamed("one", false))
	for _, ref := range []string{id, "/api/network/" + id, "/api/network/network-" + id, "/api/network?name=data"} {
		got := c.must(http.StatusCreated, http.MethodPost, "pool", "", placed(ref))
		network := got["placement_networks"].([]any)[0].(map[string]any)["network_ref"]
		want(t, ref, any(testBase+"/api/network/network-"+id+"#data"), network)
	}
	open := newBench(t, modelOptions{AnyNetwork: true})
	open.must(http.StatusCreated, http.MethodPost, "pool", "", placed("/api/network/"+id))
	open.refuses(http.StatusBadRequest, "Network object not found", http.MethodPost, "pool", placed("/api/network/data"))
}

// TestIntroduced: fields that came to several branches at different times.
func TestIntroduced(t *testing.T) {
	in, err := readVersions("17.2.7,18.1.2")
	if err != nil {
		t.Fatal(err)
	}
	for text, known := range map[string]bool{"": false, "17.1.9": false, "17.2.6": false, "17.2.7": true, "17.2.14": true, "18.1.1": false, "18.1.2": true, "18_2_6": true, "20.1": true} {
		v, err := parseVersion(text)
		if err != nil || in.known(v) != known {
			t.Errorf("%q knows it: %v (%v), want %v", text, in.known(v), err, known)
		}
	}
	for _, bad := range []string{"x", "18.x", "1.2.3.4", "-1", ".", strings.Repeat("1", 40)} {
		if v, err := parseVersion(bad); err == nil {
			t.Errorf("%q is read as %v", bad, v)
		}
	}
}

// TestBadSchemas are found when they are read.
func TestBadSchemas(t *testing.T) {
	for text, words := range map[string]string{
		"name string":                   "in no kind",
		"message M\nx":                  "has no type",
		"message M\nx map(y)":           "unknown type",
		"message M\nx string odd":       "unknown attribute",
		"message M\nx int range=a-b":    "invalid syntax",
		"message M\nx int =a":           "invalid syntax",
		"message M\nx string since=new": "not of the form",
		"message M\nx enum(A@new)":      "not of the form",
		"message M\nx Other":            "unknown type",
		"kind k K\nx ref(other)":        "unknown type",
	} {
		s := &schema{kinds: map[string]*message{}, messages: map[string]*message{}}
		err := s.read(text)
		if err == nil {
			err = s.complete()
		}
		if err == nil || !strings.Contains(err.Error(), words) {
			t.Errorf("%q: %v, want %q", text, err, words)
		}
	}
}
