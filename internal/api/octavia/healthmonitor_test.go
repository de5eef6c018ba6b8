package octavia_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"
)

func TestHealthMonitorShape(t *testing.T) {
	c := newCloud(t)
	pool := c.pool(c.loadBalancer())
	monitorNoun(pool, "HTTP").shape(t, c, object{
		"name": "", "admin_state_up": true, "project_id": mine, "tenant_id": mine, "tags": []any{},
		"provisioning_status": "PENDING_CREATE", "operating_status": "OFFLINE", "updated_at": nil,
		"pools": []any{object{"id": pool}}, "type": "HTTP", "delay": 5.0, "timeout": 3.0, "max_retries": 2.0, "max_retries_down": 3.0,
		"http_method": "GET", "url_path": "/", "expected_codes": "200", "http_version": nil, "domain_name": nil,
	})
	monitorNoun(pool, "TCP").shape(t, c, object{
		"name": "", "admin_state_up": true, "project_id": mine, "tenant_id": mine, "tags": []any{},
		"provisioning_status": "PENDING_CREATE", "operating_status": "OFFLINE", "updated_at": nil,
		"pools": []any{object{"id": pool}}, "type": "TCP", "delay": 5.0, "timeout": 3.0, "max_retries": 2.0, "max_retries_down": 3.0,
		"http_method": nil, "url_path": nil, "expected_codes": nil, "http_version": nil, "domain_name": nil,
	})
}

func monitorNoun(pool, kind string) noun {
	return noun{"/healthmonitors", "healthmonitor", object{"pool_id": pool, "type": kind, "delay": 5, "timeout": 3, "max_retries": 2}}
}

func TestHealthMonitorAttributes(t *testing.T) {
	c := newCloud(t)
	pool := c.pool(c.loadBalancer())
	n := monitorNoun(pool, "HTTP")
	domain := "Value should match the pattern ^(?=.{1,253}\\.?$)(?:(?!-|[^.]+_)[A-Za-z0-9-_]{1,63}(?<!-)(?:\\.|$))+$"
	codes := "Value should match the pattern ^(\\d{3}(\\s*,\\s*\\d{3})*)$|^(\\d{3}-\\d{3})$"
	samples := append(append(commonSamples(), twiceTagged()),
		sample{"delay", `-1`, nil, invalid("delay", "-1", "Value should be greater or equal to 0")},
		sample{"delay", `[5]`, nil, invalid("delay", "[5]", notInteger)},
		sample{"delay", `"7"`, 7.0, ""},
		sample{"timeout", `-1`, nil, invalid("timeout", "-1", "Value should be greater or equal to 0")},
		sample{"timeout", `60`, 60.0, ""}, // above the delay: both faces take it
		sample{"max_retries", `0`, nil, invalid("max_retries", "0", "Value should be greater or equal to 1")},
		sample{"max_retries", `11`, nil, invalid("max_retries", "11", "Value should be lower or equal to 10")},
		sample{"max_retries", `10`, 10.0, ""},
		sample{"max_retries_down", `11`, nil, invalid("max_retries_down", "11", "Value should be lower or equal to 10")},
		sample{"max_retries_down", `1`, 1.0, ""},
		sample{"max_retries_down", `null`, 3.0, ""},
		sample{"http_method", `"get"`, nil, invalid("http_method", "get", "Value should be one of: CONNECT, DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT, TRACE")},
		sample{"http_method", `"HEAD"`, "HEAD", ""},
		sample{"http_method", `""`, nil, invalid("http_method", "", "Value should be one of: CONNECT, DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT, TRACE")},
		sample{"http_method", `null`, "GET", ""},
		sample{"url_path", `"x"`, nil, invalid("url_path", "x", "Value must be a valid URL Path string")},
		sample{"url_path", `"/a\nb"`, nil, invalid("url_path", "/a\nb", "Value must be a valid URL Path string")},
		sample{"url_path", `"/health?a=b"`, "/health?a=b", ""},
		sample{"url_path", `""`, nil, invalid("url_path", "", "Value must be a valid URL Path string")},
		sample{"url_path", `null`, "/", ""},
		sample{"expected_codes", `"2xx"`, nil, invalid("expected_codes", "2xx", codes)},
		sample{"expected_codes", `200`, nil, invalid("expected_codes", "200", notString)},
		sample{"expected_codes", `"200,202"`, "200,202", ""},
		sample{"expected_codes", `""`, nil, invalid("expected_codes", "", codes)},
		sample{"expected_codes", `"204-200"`, nil, invalid("expected_codes", "204-200", "Value should be a range that ends after it begins")},
		sample{"expected_codes", `"200-204"`, "200-204", ""},
		sample{"expected_codes", `null`, "200", ""},
		sample{"domain_name", `""`, nil, invalid("domain_name", "", notEmpty)},
		sample{"http_version", `2`, nil, invalid("http_version", "2", "Value should be one of: 1.0, 1.1")},
		sample{"http_version", `1.1`, 1.1, ""},
		sample{"http_version", `"1.0"`, 1.0, ""},
		sample{"http_version", `null`, nil, ""},
		sample{"domain_name", `"a b"`, nil, invalid("domain_name", "a b", domain)},
		sample{"domain_name", `7`, nil, invalid("domain_name", "7", notString)},
		sample{"domain_name", `null`, nil, ""},
	)
	posts := append(append(samples, posted()...),
		sample{"type", `"GRPC"`, nil, invalid("type", "GRPC", "Value should be one of: HTTP, HTTPS, PING, SCTP, TCP, TLS-HELLO, UDP-CONNECT")},
		sample{"type", `"UDP-CONNECT"`, nil, "Validation failure: The UDP-CONNECT type is only supported for pools of type UDP/SCTP."},
		sample{"type", `"HTTPS"`, "HTTPS", ""},
		sample{"pool_id", `"x"`, nil, invalid("pool_id", "x", notUUID)},
		sample{"domain_name", `"a.example"`, nil, "Validation failure: 'http_version' must be specified when 'domain_name' is provided."},
		sample{"tags", `null`, []any{}, ""},
		sample{"description", `"x"`, nil, "Unknown attribute for argument health_monitor_.healthmonitor: description"},
	)
	posts = append(posts, nulls("pool_id", "type", "delay", "timeout", "max_retries")...)
	posts = append(posts, sample{"pool_id", `"` + strings.ToUpper(pool) + `"`, nil, ""}) // answers show pools
	n.creates(t, c, posts)
	n.complete(t, c, http.MethodPost, posts)
	puts := append(slices.Clone(samples),
		sample{"delay", `null`, nil, "None is not a valid option for delay"},
		sample{"timeout", `null`, nil, "None is not a valid option for timeout"},
		sample{"max_retries", `null`, nil, "None is not a valid option for max_retries"},
		sample{"domain_name", `"a.example"`, "a.example", ""},
		sample{"tags", `null`, []any{"t"}, ""},
	)
	n.updates(t, c, object{"http_version": 1.1, "url_path": "/before", "tags": []string{"t"}}, puts)
	n.complete(t, c, http.MethodPut, puts)
	n.required(t, c, "pool_id", "type", "delay", "timeout", "max_retries")
	n.readOnly(t, c, "health_monitor_.healthmonitor", "pool_id", "type", "pools")
}

func TestHealthMonitorFaults(t *testing.T) {
	c := newCloud(t)
	lb := c.loadBalancer()
	p := c.pool(lb)
	body := func(more object) object {
		b := object{"pool_id": p, "type": "TCP", "delay": 5, "timeout": 3, "max_retries": 2}
		for k, v := range more {
			b[k] = v
		}
		return object{"healthmonitor": b}
	}
	const unknown = "5e2e5e5e-0000-4000-8000-000000000000"
	post := func(more object) answer { return c.do("POST", root+"/healthmonitors", body(more)) }
	post(object{"pool_id": unknown}).fault(t, 404, "Pool "+unknown+" not found.")
	for attribute, value := range map[string]string{"http_method": "GET", "url_path": "/", "expected_codes": "200"} {
		post(object{attribute: value}).fault(t, 400, attribute+" is not a valid option for health monitors of type TCP")
	}
	post(object{"url_path": "x"}).fault(t, 400, invalid("url_path", "x", "Value must be a valid URL Path string")) // types come first
	post(object{"type": "HTTP", "domain_name": "a.b", "http_version": 1.0}).
		fault(t, 400, "http_version 1.0 is not a valid option for health monitors HTTP 1.1 domain name health check")
	h := c.must(201, "POST", "/healthmonitors", body(object{"url_path": nil})).body["healthmonitor"].(object)["id"].(string)
	post(nil).fault(t, 409, "This pool already has a health monitor")
	for _, attribute := range []string{"http_method", "url_path", "expected_codes"} {
		c.do("PUT", root+"/healthmonitors/"+h, object{"healthmonitor": object{attribute: nil}}).
			fault(t, 400, attribute+" is not a valid option for health monitors of type TCP")
	}
	if got := c.show("/pools/"+p, "pool")["healthmonitor_id"]; got != h {
		t.Errorf("the pool's monitor is %v", got)
	}
	member := c.make("/pools/"+p+"/members", "member", object{"address": "10.0.0.1", "protocol_port": 1})
	if member["operating_status"] != "OFFLINE" {
		t.Errorf("a member of a monitored pool begins %v", member["operating_status"])
	}
	c.must(204, "DELETE", "/healthmonitors/"+h, nil)
	c.do("PUT", root+"/healthmonitors/"+h, object{"healthmonitor": object{}}).fault(t, 409, "Health Monitor "+h+" is immutable and cannot be updated.")
	c.must(201, "POST", "/healthmonitors", body(nil))
	c.do("GET", root+"/healthmonitors/"+unknown, nil).fault(t, 404, "Health Monitor "+unknown+" not found.")
}

// TestMonitorTypes has every type for every protocol of a pool (API section 1.7).
func TestMonitorTypes(t *testing.T) {
	c := newCloud(t).everything()
	lb := c.loadBalancer()
	stream := []string{"HTTP", "HTTPS", "PING", "TCP", "TLS-HELLO"}
	datagram := []string{"UDP-CONNECT", "SCTP", "TCP", "HTTP"}
	for protocol, allowed := range map[string][]string{
		"TCP": stream, "HTTP": stream, "HTTPS": stream, "PROXY": stream, "PROXYV2": stream, "UDP": datagram, "SCTP": datagram,
	} {
		p := c.make("/pools", "pool", object{"loadbalancer_id": lb, "protocol": protocol, "lb_algorithm": "ROUND_ROBIN"})["id"].(string)
		for _, kind := range []string{"HTTP", "HTTPS", "PING", "TCP", "TLS-HELLO", "UDP-CONNECT", "SCTP"} {
			a := c.do(http.MethodPost, root+"/healthmonitors", object{"healthmonitor": object{"pool_id": p, "type": kind, "delay": 5, "timeout": 3, "max_retries": 2}})
			switch {
			case slices.Contains(allowed, kind):
				if a.code != http.StatusCreated {
					t.Errorf("%s for a %s pool: %d %s", kind, protocol, a.code, a.raw)
					continue
				}
				n := monitorNoun(p, kind)
				n.checkHTTP(t, c, a.body["healthmonitor"].(object))
				c.must(http.StatusNoContent, http.MethodDelete, n.path(a.body["healthmonitor"].(object)), nil)
			case protocol == "UDP" || protocol == "SCTP":
				a.fault(t, 400, "Validation failure: The associated pool protocol is "+protocol+", so only a UDP-CONNECT/SCTP/TCP/HTTP health monitor is supported.")
			default:
				a.fault(t, 400, "Validation failure: The "+kind+" type is only supported for pools of type UDP/SCTP.")
			}
		}
	}
}

// checkHTTP looks for the defaults of the HTTP attributes on a monitor that speaks HTTP, and for their refusal on another one.
func (n noun) checkHTTP(t *testing.T, c *cloud, made object) {
	t.Helper()
	kind := made["type"].(string)
	speaks := kind == "HTTP" || kind == "HTTPS"
	for attribute, standard := range map[string]string{"http_method": "GET", "url_path": "/", "expected_codes": "200"} {
		if speaks && made[attribute] != standard || !speaks && made[attribute] != nil {
			t.Errorf("a monitor of type %s has the %s %v", kind, attribute, made[attribute])
		}
		if speaks {
			continue
		}
		for _, value := range []any{nil, standard} {
			c.do(http.MethodPut, root+n.path(made), object{"healthmonitor": object{attribute: value}}).
				fault(t, 400, attribute+" is not a valid option for health monitors of type "+kind)
		}
		c.do(http.MethodPost, root+n.collection, object{"healthmonitor": more(n.base, object{attribute: standard})}).
			fault(t, 400, attribute+" is not a valid option for health monitors of type "+kind)
	}
}

// TestMonitorDomain goes through domain_name and the HTTP version that it needs, in a POST and in PUTs, where what is stored counts.
func TestMonitorDomain(t *testing.T) {
	c := newCloud(t)
	lb := c.loadBalancer()
	const (
		without = "Validation failure: 'http_version' must be specified when 'domain_name' is provided."
		old     = "http_version 1.0 is not a valid option for health monitors HTTP 1.1 domain name health check"
	)
	base := object{"type": "HTTP", "delay": 5, "timeout": 3, "max_retries": 2}
	post := func(body object) answer {
		return c.do(http.MethodPost, root+"/healthmonitors", object{"healthmonitor": more(base, body, object{"pool_id": c.pool(lb)})})
	}
	post(object{"domain_name": "a.example"}).fault(t, 400, without)
	post(object{"domain_name": "a.example", "http_version": nil}).fault(t, 400, without)
	post(object{"domain_name": "a.example", "http_version": 1.0}).fault(t, 400, old)
	path := func(body object) string {
		return "/healthmonitors/" + at(post(body).body, "healthmonitor")["id"].(string)
	}
	put := func(path string, body object) answer {
		return c.do(http.MethodPut, root+path, object{"healthmonitor": body})
	}
	bare := path(object{})
	put(bare, object{"domain_name": "a.example"}).fault(t, 400, without)
	c.put(bare, "healthmonitor", object{"http_version": 1.0})
	put(bare, object{"domain_name": "a.example"}).fault(t, 400, old)
	c.put(bare, "healthmonitor", object{"http_version": 1.1})
	c.put(bare, "healthmonitor", object{"domain_name": "a.example"})
	put(bare, object{"http_version": 1.0}).fault(t, 400, old)
	put(bare, object{"http_version": nil}).fault(t, 400, without)
	got := c.put(bare, "healthmonitor", object{"http_version": nil, "domain_name": nil})
	if got["http_version"] != nil || got["domain_name"] != nil {
		t.Errorf("nulls leave %v, %v", got["http_version"], got["domain_name"])
	}
}
