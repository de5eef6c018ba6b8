package engine

import (
	"testing"

	"plimsoll/internal/engine/enginepb"
	"plimsoll/internal/haproxy"
)

// TestBadTLSDirectives shows lines about TLS with which HAProxy would read or trust what did not come with the Spec.
func TestBadTLSDirectives(t *testing.T) {
	files := known{
		"cert-1.pem": enginepb.File_CERTIFICATE, "ca-1.pem": enginepb.File_AUTHORITIES, "crl-1.pem": enginepb.File_REVOCATIONS,
		"list-1.txt": enginepb.File_CERTIFICATE_LIST,
	}
	good := map[string][]string{
		"frontend": {
			"bind 10.0.0.1:443 ssl crt-list files/list-1.txt", "bind [2001:db8::1]:443 ssl crt-list files/list-1.txt alpn h2,http/1.1",
			"bind 10.0.0.1:443 ssl crt-list files/list-1.txt ca-file files/ca-1.pem verify required crl-file files/crl-1.pem",
			`http-request set-header X-SSL-Client-DN %[ssl_c_s_dn]`, "http-request del-header ^x[-_]ssl[-_] -m reg",
			`http-after-response set-header Strict-Transport-Security "max-age=1; includeSubDomains; preload"`,
		},
		"backend": {
			"default-server ssl crt files/cert-1.pem ca-file files/ca-1.pem verify required sni ssl_fc_sni",
			"default-server send-proxy-v2 ssl verify none sni req.hdr(host),host_only",
		},
	}
	bad := map[string][]string{
		"frontend": {
			"bind", "bind 10.0.0.1:443 ssl crt-list", "bind 10.0.0.1:443 ssl crt-list files/cert-1.pem", "bind 10.0.0.1:443 ssl crt-list /etc/x",
			"bind 10.0.0.1:443 ssl crt-list files/../list-1.txt", "bind 10.0.0.1:443 ssl crt files/list-1.txt", "bind 10.0.0.1:443 ssl crt files/cert-2.pem",
			"bind 10.0.0.1:443 ssl ca-file @system-ca", "bind 10.0.0.1:443 ssl ca-sign-file files/cert-1.pem", "bind 10.0.0.1:443 ssl tls-ticket-keys files/list-1.txt",
			"bind 10.0.0.1:443 ssl ciphers", "bind 10.0.0.1:443,/run/x ssl", "bind 10.0.0.1:443 ssl sni ssl_fc_sni",
			"http-request set-header X %[ssl_c_s_dn,map(/etc/shadow)]", "http-request set-header X %[ssl_c_s_dn] if TRUE",
			"http-request del-header .* -m reg", "http-request del-header x",
			"http-after-response set-header X y", "http-after-response set-header Strict-Transport-Security %[src,map(/etc/shadow)]",
			`http-after-response set-header Strict-Transport-Security "max-age=1; x"`, "http-after-response lua.x",
		},
		"backend": {
			"default-server ssl ca-file /etc/shadow", "default-server ssl crt files/ca-1.pem", "default-server ssl sni str(x),map(/etc/shadow)",
			"default-server ssl sni", "default-server ssl crl-file files/ca-1.pem", "default-server ssl verifyhost", "default-server socks4 1.2.3.4:5",
		},
	}
	allowed := directives(files)
	for section, lines := range good {
		for _, line := range lines {
			if err := checkLine(allowed[section], line); err != nil {
				t.Errorf("%s: %v", section, err)
			}
		}
	}
	for section, lines := range bad {
		for _, line := range lines {
			if err := checkLine(allowed[section], line); err == nil {
				t.Errorf("bad: %s: %q: accepted", section, line)
			}
		}
	}
	for _, value := range haproxy.HeaderValues() {
		if err := checkLine(allowed["frontend"], "http-request set-header X "+value); err != nil {
			t.Error(err)
		}
	}
}
