package haproxy

import (
	"strings"
	"testing"

	"plimsoll/lbaas"
)

// hostileTLS has the string wherever TLS takes any from a tenant.
func hostileTLS(s string) (*lbaas.LoadBalancer, Secrets) {
	lb := tlsPoolTree()
	rename(lb, "n"+s)
	l, p := lb.Listeners[0], lb.Pools[0]
	l.DefaultTLSContainerRef, l.SNIContainerRefs = s+"1", []string{s + "2"}
	l.ClientAuthentication, l.ClientCATLSContainerRef, l.ClientCRLContainerRef = lbaas.ClientAuthOptional, s+"3", s+"4"
	l.TLSCiphers, l.TLSVersions, l.ALPNProtocols = s, []string{s, "TLSv1.2"}, []string{s, s}
	l.InsertHeaders = map[string]string{"x" + s: "true", "X-SSL-Issuer": s + "?"}
	p.TLSContainerRef, p.CATLSContainerRef, p.CRLContainerRef = s+"5", s+"6", s+"7"
	p.TLSCiphers, p.TLSVersions, p.ALPNProtocols = s, []string{"TLSv1.2", s}, []string{s}
	p.HealthMonitor.DomainName = s
	secrets := Secrets{refRSA: []byte("x"), refClient: []byte("x"), refCA: []byte("x"), refCRL: []byte("x")}
	for _, n := range "1234567" {
		secrets[s+string(n)] = []byte("x")
	}
	return lb, secrets
}

// FuzzTLS shows that no string of a tenant's changes the lines, or the words of a line, or the name of a file.
func FuzzTLS(f *testing.F) {
	for _, s := range append(seeds, "TLS_AES_128_GCM_SHA256", "a:b", ":", "!aNULL", "@SECLEVEL=0", "../../etc/shadow", "a b", "h2", "http/1.1") {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		lb, secrets := hostileTLS(s)
		spec := Render(lb, nil, secrets, testDir)
		for _, file := range spec.Files {
			if !plainFile(file.Name) {
				t.Errorf("a file is named %q", file.Name)
			}
			for line := range strings.Lines(string(file.Content)) {
				if strings.HasPrefix(file.Name, "list-") && !plainFile(strings.TrimPrefix(strings.TrimSuffix(line, "\n"), "files/")) {
					t.Errorf("the list has the line %q", line)
				}
			}
		}
		want, wantSecrets := hostileTLS("www")
		plain := Render(want, nil, wantSecrets, testDir)
		if len(spec.Sections) != len(plain.Sections) || len(spec.Servers) != len(plain.Servers) {
			t.Fatalf("%d sections and %d servers", len(spec.Sections), len(spec.Servers))
		}
		for i, section := range spec.Sections {
			if len(section.Lines) != len(plain.Sections[i].Lines) {
				t.Fatalf("section %s has %d lines", section.Name, len(section.Lines))
			}
			for j, line := range section.Lines {
				sameOptions(t, line, plain.Sections[i].Lines[j])
			}
		}
	})
}

// values are the words that the tenant may choose, by the word before them: as many as there are. Others are ours.
var values = []string{"ciphers", "ciphersuites", "alpn", "check-sni", "Host", "crt", "ca-file", "crl-file", "check-alpn", "check-proto", "ssl-min-ver", "ssl-max-ver"}

// sameOptions compares the words of a line but for values.
func sameOptions(t *testing.T, line, plain string) {
	t.Helper()
	if strings.HasPrefix(line, "#") {
		if strings.ContainsAny(line, "\r\n") {
			t.Errorf("%q is not one line", line)
		}
		return
	}
	got, ok := words(line)
	if !ok {
		t.Fatalf("%q cannot be read", line)
	}
	want, _ := words(plain)
	if a, b := skeleton(got), skeleton(want); a != b {
		t.Errorf("%q is not like %q: %s, %s", line, plain, a, b)
	}
}

// skeleton is what is left of a line without values and their options, for these are there or not as it needs.
func skeleton(all []string) string {
	var left []string
	for i := 0; i < len(all); i++ {
		value := false
		for _, name := range values {
			value = value || all[i] == name
		}
		if value {
			i++
			continue
		}
		left = append(left, all[i])
	}
	return strings.Join(left, " ")
}

func plainFile(name string) bool {
	return name != "" && !strings.ContainsFunc(name, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '-' || r == '.')
	}) && !strings.Contains(name, "..")
}
