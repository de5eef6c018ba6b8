package haproxy

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"plimsoll/internal/engine/enginepb"
	"plimsoll/lbaas"
)

// TestRefusedCiphers has ciphers that OpenSSL does not know: who wrote them is to blame.
func TestRefusedCiphers(t *testing.T) {
	secrets, _ := testSecrets(t)
	for _, ciphers := range []string{"FOO", "TLS_FOO", "TLS_AES_128_GCM_SHA256:FOO", "-", "@SECLEVEL=9:x"} {
		lb := tlsPoolTree()
		lb.Pools[0].TLSCiphers, lb.Listeners[0].TLSCiphers = ciphers, ciphers
		spec := Render(lb, nil, secrets, testDir)
		text, lines := File(spec)
		output, err := accepted(t, text, spec.Files...)
		if err == nil {
			t.Errorf("HAProxy takes %q", ciphers)
			continue
		}
		want := []string{lb.Pools[0].ID, lb.Listeners[0].ID}
		got := Blame(ParseAlerts(output), lines)
		if diff := cmp.Diff(want, got); diff != "" && (len(got) != 2 || got[0] != want[1] || got[1] != want[0]) {
			t.Errorf("%q: blamed (-want +got):\n%s\n%s", ciphers, diff, output)
		}
	}
}

// TestLongCiphers has the longest list that the API takes.
func TestLongCiphers(t *testing.T) {
	secrets, _ := testSecrets(t)
	lb := tlsPoolTree()
	long := strings.Repeat("ECDHE-RSA-AES128-GCM-SHA256:", 73) + "x:x"
	if err := lbaas.ValidCiphers(long); err != nil || len(long) < 2040 {
		t.Fatalf("%d characters: %v", len(long), err)
	}
	lb.Pools[0].TLSCiphers, lb.Listeners[0].TLSCiphers = long, long
	spec := Render(lb, nil, secrets, testDir)
	text, _ := File(spec)
	if output, err := accepted(t, text, spec.Files...); err != nil {
		t.Errorf("HAProxy refuses it: %v\n%s", err, output)
	}
}

// TestFiles shows which files there are, and whose.
func TestFiles(t *testing.T) {
	secrets, _ := testSecrets(t)
	lb := tlsPoolTree()
	l := lb.Listeners[0]
	l.SNIContainerRefs = []string{refEC, refRSA, refEC}
	l.ClientAuthentication, l.ClientCATLSContainerRef, l.ClientCRLContainerRef = lbaas.ClientAuthOptional, refCA, refCRL
	off := addTLSListener(lb, 9, 449, "")
	off.AdminStateUp, off.DefaultTLSContainerRef = false, "nobody needs it"
	pool := lb.Pools[0].ID
	type file struct {
		Kind    enginepb.File_Kind
		Content string
		Objects []string
	}
	want := map[string]file{
		"list-" + l.ID + ".txt": {
			enginepb.File_CERTIFICATE_LIST, certificate(refRSA).word() + "\n" + certificate(refEC).word() + "\n", []string{l.ID},
		},
		certificate(refRSA).name():    {enginepb.File_CERTIFICATE, string(secrets[refRSA]), []string{l.ID}},
		certificate(refEC).name():     {enginepb.File_CERTIFICATE, string(secrets[refEC]), []string{l.ID}},
		authorities(refCA).name():     {enginepb.File_AUTHORITIES, string(secrets[refCA]), []string{l.ID, pool}},
		revocations(refCRL).name():    {enginepb.File_REVOCATIONS, string(secrets[refCRL]), []string{l.ID, pool}},
		certificate(refClient).name(): {enginepb.File_CERTIFICATE, string(secrets[refClient]), []string{pool}},
	}
	got, last := map[string]file{}, ""
	for _, f := range Render(lb, nil, secrets, testDir).Files {
		got[f.Name] = file{f.Kind, string(f.Content), f.Objects}
		if f.Name <= last {
			t.Errorf("file %s follows %s", f.Name, last)
		}
		last = f.Name
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
}

// TestMissingSecrets leaves out what cannot be served, and nothing else.
func TestMissingSecrets(t *testing.T) {
	all, _ := testSecrets(t)
	for _, test := range []struct {
		missing          string
		listeners, pools []int // that are left, of tlsPoolTree with client authentication
	}{
		{"", []int{1, 2, 3, 4, 5}, []int{1, 2, 3}},
		{refRSA, []int{2, 3, 4, 5}, []int{1, 2, 3}},
		{refEC, []int{1, 2, 3, 4, 5}, []int{1, 2, 3}},
		{refClient, []int{1, 2, 3, 4, 5}, []int{2, 3}},
		{refCA, []int{2, 3, 4, 5}, []int{2, 3}},
		{refCRL, []int{1, 2, 3, 4, 5}, []int{2, 3}},
	} {
		secrets := Secrets{}
		for ref, text := range all {
			if ref != test.missing {
				secrets[ref] = text
			}
		}
		lb := tlsPoolTree()
		lb.Listeners[0].ClientAuthentication, lb.Listeners[0].ClientCATLSContainerRef = lbaas.ClientAuthMandatory, refCA
		spec := Render(lb, nil, secrets, testDir)
		text, _ := File(spec)
		for i := range 5 {
			if want := slices.Contains(test.listeners, i+1); bytes.Contains(text, []byte("frontend "+uid(1, i+1)+"\n")) != want {
				t.Errorf("without %s: listener %d is there: %t", test.missing, i+1, !want)
			}
		}
		for i := range 3 {
			if want := slices.Contains(test.pools, i+1); bytes.Contains(text, []byte("\nbackend "+uid(2, i+1)+":")) != want {
				t.Errorf("without %s: pool %d is there: %t", test.missing, i+1, !want)
			}
		}
	}
}
