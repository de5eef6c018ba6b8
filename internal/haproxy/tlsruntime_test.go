package haproxy

import (
	"crypto/tls"
	"fmt"
	"net/http"
	"testing"

	"plimsoll/internal/engine/enginepb"
	"plimsoll/lbaas"
)

// TestTLSMemberAtRunTime adds members to running pools that speak TLS, with all that there is to say about it, and asks by them.
func TestTLSMemberAtRunTime(t *testing.T) {
	t.Parallel()
	secrets, a := testSecrets(t)
	config := &tls.Config{
		Certificates: []tls.Certificate{pair(t, a.issue(ecKey(t), "www.example.com"))}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: a.pool(),
	}
	first, second := upstream(t, config), upstream(t, config)
	foreign := upstream(t, &tls.Config{Certificates: []tls.Certificate{pair(t, newAuthority(t, "x").issue(ecKey(t), "www.example.com"))}})
	for _, test := range []struct {
		monitor lbaas.MonitorType
		alpn    []string
	}{{"", nil}, {lbaas.MonitorTLSHello, []string{"h2", "http/1.1"}}, {lbaas.MonitorHTTPS, []string{"h2", "http/1.1"}}, {lbaas.MonitorHTTPS, []string{"h2"}}} {
		t.Run(fmt.Sprintf("%s %v", test.monitor, test.alpn), func(t *testing.T) {
			t.Parallel()
			lb := newTree()
			p := addPool(lb, 1, lbaas.HTTP, lbaas.RoundRobin)
			p.TLSEnabled, p.TLSContainerRef, p.CATLSContainerRef, p.CRLContainerRef = true, refClient, refCA, refCRL
			p.TLSVersions, p.TLSCiphers, p.ALPNProtocols = []string{"TLSv1.2", "TLSv1.3"}, "!aNULL:"+lbaas.DefaultCiphers, test.alpn
			addMember(p, 1, "127.0.0.1", first)
			if test.monitor != "" {
				m := addMonitor(p, test.monitor)
				m.Delay, m.MaxRetries, m.MaxRetriesDown, m.DomainName = 1, 1, 1, "www.example.com"
			}
			addTLSListener(lb, 1, 443, p.ID)
			at := local(t, lb)
			opts := testOptions(t)
			before := Render(lb, nil, secrets, opts)
			haproxy := start(t, opts, before, nil)
			p.Members[0].AdminStateUp = false
			addMember(p, 2, "127.0.0.1", second)
			if test.monitor != "" {
				addMember(p, 3, "127.0.0.1", foreign)
			}
			haproxy.becomes(before, Render(lb, nil, secrets, opts))
			switch test.monitor {
			case "":
				haproxy.become([]string{"MAINT", "no check"})
			default:
				haproxy.become([]string{"MAINT", "UP", "DOWN"})
			}
			for range 3 {
				answer, s, err := get(a.client(&tls.Config{ServerName: "www.example.com"}), "https://"+at[0], nil)
				if err != nil || answer.StatusCode != http.StatusOK || s.Client != "client" || s.Asked != "www.example.com" {
					t.Errorf("%v %+v %v", answer, s, err)
				}
			}
		})
	}
}

// becomes makes HAProxy what another Spec wants, at run time.
func (p *process) becomes(from, to *enginepb.Spec) {
	p.t.Helper()
	plan := Diff(from, to)
	if plan.Reload || plan.Empty() {
		p.t.Fatalf("the plan is %+v", plan)
	}
	p.carry(plan)
}
