package translate

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"plimsoll/lbaas"
)

func versionList(words ...string) []any {
	all := []any{}
	for _, w := range words {
		all = append(all, map[string]any{"type": "SSL_VERSION_" + w})
	}
	return all
}

func TestSSLProfile(t *testing.T) {
	defaults := lbaas.DefaultTLS()
	tests := []struct {
		name, version string
		profile       sslProfile
		want          map[string]any
	}{
		{"bad: nothing that Avi knows", "18.1.2", sslProfile{versions: []string{"SSLv3"}}, map[string]any{"accepted_versions": versionList("SSLV3")}},
		{"bad: TLS 1.3 alone, before its time", "18.2.5", sslProfile{versions: []string{"TLSv1.3"}, ciphers: "TLS_AES_128_GCM_SHA256"}, map[string]any{
			"accepted_versions": versionList("TLS1_3"),
		}},
		{"nothing said", "", sslProfile{}, map[string]any{}},
		{"all versions", "18.2.6", sslProfile{versions: []string{"SSLv3", "TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3"}}, map[string]any{
			"accepted_versions": versionList("TLS1", "TLS1_1", "TLS1_2", "TLS1_3"), "ciphersuites": allSuites,
		}},
		{"ciphers of TLS 1.3 alone", "18.2.6", sslProfile{versions: defaults.Versions, ciphers: "TLS_A"}, map[string]any{
			"accepted_versions": versionList("TLS1_3"), "ciphersuites": "TLS_A",
		}},
		{"ciphers of TLS 1.3 alone, before its time", "18.1.2", sslProfile{versions: defaults.Versions, ciphers: "TLS_A"}, map[string]any{
			"accepted_versions": versionList("TLS1_3"),
		}},
		{"TLS 1.3 as the data model has it", "20.1.1", sslProfile{versions: defaults.Versions, ciphers: "TLS_A:ECDHE-B:TLS_C:DHE-D"}, map[string]any{
			"accepted_versions": versionList("TLS1_2", "TLS1_3"), "accepted_ciphers": "ECDHE-B:DHE-D", "ciphersuites": "TLS_A:TLS_C",
		}},
		{"TLS 1.3 before its time", "18.1.2", sslProfile{versions: defaults.Versions, ciphers: "TLS_A:ECDHE-B"}, map[string]any{
			"accepted_versions": versionList("TLS1_2"), "accepted_ciphers": "ECDHE-B",
		}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			tr := &translation{options: Options{Version: test.version}}
			test.profile.name = "p"
			test.want["name"], test.want["description"] = "p", ""
			if diff := cmp.Diff(test.want, tr.sslProfile(test.profile).Owned); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestKnowsTLS13(t *testing.T) {
	for _, test := range []struct {
		version string
		want    bool
	}{
		{"", false},
		{"new", false},
		{"17.10.20", false},
		{"18.2", false},
		{"18.2.5", false},
		{"18.2.6", true},
		{"18.2.10", true},
		{"18.10", true},
		{"18.2.6.1", true},
		{"30.2.1", true},
	} {
		tr := &translation{options: Options{Version: test.version}}
		if got := tr.knowsTLS13(); got != test.want {
			t.Errorf("version %q knows TLS 1.3: %v", test.version, got)
		}
	}
}
