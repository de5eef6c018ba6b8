package engine

import (
	"testing"

	"plimsoll/internal/engine/enginepb"
)

// TestBadDecisions shows lines about requests, limits and persistence that no listener and no pool needs.
func TestBadDecisions(t *testing.T) {
	files := known{"limits-a.map": enginepb.File_MAP, "cert-a.pem": enginepb.File_CERTIFICATE}
	allowed := directives(files)
	for section, lines := range map[string][]string{
		"frontend": {
			"acl a path -f /etc/shadow", "acl a path -m str -f -- /etc/shadow", "acl a path -m str x", "acl a path -m str -- x y",
			"acl a path -m bin -- x", "acl a path -i -i -m str -- x", "acl a path -m str --", "acl a", "acl { path -m str -- x",
			"acl a env(HOME) -m str -- x", "acl a path,map(/etc/shadow) -m str -- x", `acl a "req.hdr(a),map(/etc/shadow)" -m str -- x`,
			`acl a "req.hdr('a')" -m str -- x`, `acl a "req.hdr(a\\)" -m str -- x`, `acl a "req.hdr(a,1)" -m str -- x`, "acl a lua.x -m str -- x",
			"acl a path,field(-1,/) -m str -- x", "acl a ssl_c_used 1", "acl a ssl_c_verify eq x", "acl a ssl_c_verify gt 1",
			"acl a ssl_c_verify eq -f", `acl a "ssl_c_s_dn(CN),map(x)" -m str -- x`,
			`acl a "str(a),map_str_int(/etc/shadow,0),sub(txn.requests0)" lt 0`, `acl a "str(a),map_str_int(files/cert-a.pem,0),sub(txn.requests0)" lt 0`,
			`acl a "str(a),map_str_int(files/../x.map,0)" gt 0`, `acl a "str(a),map_str_int(files/limits-a.map,0),map(/x)" gt 0`,
			`acl a "str(a),map_str_int(files/limits-a.map,0)" gt -f`, `acl a "str(a),map_str_int(files/limits-a.map,0)"`,
			"use_backend %[src] if a", "use_backend b", "use_backend b unless a", "use_backend b if", "use_backend b if { src 1.2.3.4 }",
			"http-request deny", "http-request deny unless a", "http-request deny if { path,map(/etc/shadow) -m found }",
			"http-request deny deny_status 200 if a", "http-request deny errorfile /etc/shadow if a", "http-request return status 200 if a",
			"http-request redirect location %[env(HOME)] code 301 if a", "http-request redirect prefix %%%[src] code 301 if a",
			"http-request redirect location /x code 300 if a", "http-request redirect scheme https code 301 if a",
			"http-request redirect location /x code 301", "http-request set-map(/etc/passwd) a b if c", "http-request silent-drop",
			"http-request track-sc0 src table other/a", "http-request track-sc3 src table tables/a", "http-request track-sc0 env(X) table tables/a",
			"http-request set-var(proc.x) src", "http-request set-var(txn.x) env(HOME)", "http-request set-var(txn.x) path,map(/etc/shadow)",
			"http-request set-var(txn.bytes0) sc_bytes_in_rate(0),add(txn.x),map(/x)",
			"tcp-request session reject", "tcp-request session set-src src if a", "tcp-request content reject if a", "option httpchk",
			"tcp-request session redirect location",
		},
		"backend": {
			"cookie SRV insert", "cookie X insert indirect nocache", "cookie SRV insert indirect nocache domain x", "stick on env(HOME)",
			"stick on src table other", "stick match req.cook(a)", "stick match req.cook(a),map(/etc/shadow)", "stick store-request req.cook(a),sha1",
			"stick-table type ip size 1k", "stick-table type ipv6 size 1k peers other", "stick-table type ipv6 size 1k peers tables write-to x",
			"balance hash env(HOME)", "balance url_param x", "tcp-request content reject", "tcp-request content set-var-fmt(txn.client) %[env(HOME)]",
		},
		"peers": {
			"peer local 10.0.0.1:1025", "peer other 127.0.0.1:1025", "peer local 127.0.0.1:1025 ssl crt /etc/x", "bind 127.0.0.1:1",
			"server x 10.0.0.1:1", "table a type ipv6 size 1k expire 1s store server_id", "table a type string size 1k expire 1s store http_req_rate(1s)",
			"log /dev/log local0",
		},
	} {
		for _, line := range lines {
			if err := checkLine(allowed[section], line); err == nil {
				t.Errorf("bad: %s: %q: accepted", section, line)
			}
		}
	}
}
