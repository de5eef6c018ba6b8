package haproxy

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"plimsoll/internal/engine/enginepb"
)

// fileSpec is a Spec with files of every kind: a frontend that ends TLS and asks for certificates of clients, and backends that speak TLS,
// one with a certificate of its own.
func fileSpec(vip string, member int, files ...*enginepb.File) *enginepb.Spec {
	lines := []string{
		"mode http", "bind " + vip + ":8443 ssl crt-list files/list.txt ca-file files/ca.pem crl-file files/crl.pem verify optional",
		"timeout client 5s", "option idle-close-on-response",
		"http-request deny deny_status 429 if { path,map_str_int(files/limits.map,0) gt 5 }",
		"use_backend own if { path_beg /own }", "default_backend plain",
	}
	backend := []string{"mode http", "http-reuse never", "timeout connect 5s", "timeout server 5s"}
	reach := "default-server ssl verify required ca-file files/memberca.pem"
	server := &enginepb.Server{Backend: "plain", Name: "s", Number: 1, Address: "127.0.0.1", Port: int32(member), Weight: 1}
	return &enginepb.Spec{
		LoadBalancerId: lbID,
		Sections: []*enginepb.Section{
			{Name: "global", Lines: []string{StatsSocket, "httpclient.ssl.verify none"}},
			{Name: "frontend front", Objects: []string{"front"}, Lines: lines},
			{Name: "backend plain", Objects: []string{"plain"}, Lines: append(slices.Clone(backend), reach)},
			{Name: "backend own", Objects: []string{"own"}, Lines: append(slices.Clone(backend), reach+" crt files/own.pem")},
		},
		Servers: []*enginepb.Server{server, {Backend: "own", Name: "s", Number: 1, Address: "127.0.0.1", Port: int32(member), Weight: 1}},
		Files:   files,
	}
}

func newFile(kind enginepb.File_Kind, name string, content []byte, objects ...string) *enginepb.File {
	return &enginepb.File{Name: name, Kind: kind, Content: content, Objects: objects}
}

// ownAddress is the n-th loopback address of this process.
func ownAddress(n int) string {
	return netip.AddrFrom4([4]byte{127, 64 + byte(os.Getpid()>>8&63), byte(os.Getpid()), byte(n)}).String()
}

// papers are what the files of fileSpec are made of.
type papers struct {
	ca, other            *authority
	list                 []string
	certs                map[string][]byte
	crl, own             []byte
	clientCA, memberCA   []byte
	limits               string
	client, otherClient  []byte
	memberCert, ownOther []byte
}

func newPapers(t *testing.T) *papers {
	ca, other := newAuthority(t, "first"), newAuthority(t, "second")
	p := &papers{ca: ca, other: other, list: []string{"a", "b"}, certs: map[string][]byte{}, memberCA: ca.pem, clientCA: ca.pem,
		client: ca.issue(ecKey(t), "client"), otherClient: other.issue(ecKey(t), "client"),
		memberCert: ca.issue(ecKey(t), "member"), own: ca.issue(ecKey(t), "own", "own.test"), ownOther: ca.issue(ecKey(t), "own too", "own.test"),
		limits: "/limited 9\n"}
	p.crl = slices.Concat(ca.revoke(), other.revoke())
	for _, name := range []string{"a", "b", "c"} {
		p.certs[name] = ca.issue(ecKey(t), name+".test")
	}
	return p
}

func (p *papers) spec(vip string, member int) *enginepb.Spec {
	files := []*enginepb.File{
		newFile(enginepb.File_AUTHORITIES, "ca.pem", p.clientCA, "front"),
		newFile(enginepb.File_REVOCATIONS, "crl.pem", p.crl, "front"),
		newFile(enginepb.File_AUTHORITIES, "memberca.pem", p.memberCA, "plain", "own"),
		newFile(enginepb.File_CERTIFICATE, "own.pem", p.own, "own"),
		newFile(enginepb.File_MAP, "limits.map", []byte(p.limits), "front"),
	}
	list := ""
	for _, name := range p.list {
		list += FileName(name+".pem") + "\n"
		if name != "own" { // which servers have, too
			files = append(files, newFile(enginepb.File_CERTIFICATE, name+".pem", p.certs[name], "front"))
		}
	}
	return fileSpec(vip, member, append(files, newFile(enginepb.File_CERTIFICATE_LIST, "list.txt", []byte(list), "front"))...)
}

// tlsMember is a member that speaks TLS and answers with the name in the certificate of whoever asks.
func tlsMember(t *testing.T, certificate []byte) (port int) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{ReadHeaderTimeout: 5 * time.Second, TLSConfig: &tls.Config{
		Certificates: []tls.Certificate{pair(t, certificate)}, ClientAuth: tls.RequestClientCert},
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			name := "nobody"
			if certs := r.TLS.PeerCertificates; len(certs) > 0 {
				name = certs[0].Subject.CommonName
			}
			_, _ = io.WriteString(w, name)
		})}
	server.ErrorLog = log.New(io.Discard, "", 0)
	done := make(chan struct{})
	go func() { defer close(done); _ = server.ServeTLS(l, "", "") }()
	t.Cleanup(func() { _ = server.Close(); <-done })
	_, text, _ := net.SplitHostPort(l.Addr().String())
	_, _ = fmt.Sscan(text, &port)
	return port
}

// see is what clients see of a HAProxy with a fileSpec.
func see(t *testing.T, vip string, p *papers) map[string]string {
	t.Helper()
	seen := map[string]string{}
	for _, name := range []string{"a.test", "b.test", "c.test", "own.test", "other.test"} {
		seen["certificate for "+name] = shown(vip, name)
	}
	seen["client of the first"] = fetch(vip, "/", pair(t, p.client))
	seen["client of the second"] = fetch(vip, "/", pair(t, p.otherClient))
	seen["plain"] = fetch(vip, "/")
	seen["own"] = fetch(vip, "/own")
	for _, path := range []string{"/limited", "/unlimited", "/x1999"} {
		seen[path] = fetch(vip, path)
	}
	return seen
}

// shown is the serial number of the certificate that is shown to who asks for a name.
func shown(vip, name string) string {
	c, err := tls.DialWithDialer(&net.Dialer{Timeout: 5 * time.Second}, "tcp", vip+":8443", &tls.Config{ServerName: name, InsecureSkipVerify: true})
	if err != nil {
		return err.Error()
	}
	defer c.Close()
	return c.ConnectionState().PeerCertificates[0].SerialNumber.String() + string(c.ConnectionState().PeerCertificates[0].Signature)
}

// fetch makes one request over a connection of its own.
func fetch(vip, path string, certificates ...tls.Certificate) string {
	config := &tls.Config{InsecureSkipVerify: true}
	if len(certificates) > 0 { // whomever the server names
		config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &certificates[0], nil }
	}
	transport := &http.Transport{DisableKeepAlives: true, TLSClientConfig: config}
	defer transport.CloseIdleConnections()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+vip+":8443"+path, nil)
	if err != nil {
		return err.Error()
	}
	resp, err := transport.RoundTrip(r)
	if err != nil {
		var remote *net.OpError
		if errors.As(err, &remote) && remote.Op == "remote error" {
			return "refused"
		}
		return err.Error()
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return resp.Status
	}
	body, _ := io.ReadAll(resp.Body)
	return string(body)
}

// fileCases are changes of files that HAProxy makes without a reload.
var fileCases = []struct {
	name   string
	change func(t *testing.T, p *papers)
}{
	{"the default certificate is renewed", func(t *testing.T, p *papers) { p.certs["a"] = p.ca.issue(rsaKey(), "a.test") }},
	{"another certificate is renewed", func(t *testing.T, p *papers) { p.certs["b"] = p.ca.issue(ecKey(t), "b.test") }},
	{"a certificate for other names", func(t *testing.T, p *papers) { p.certs["b"] = p.ca.issue(ecKey(t), "c.test") }},
	{"a certificate more", func(t *testing.T, p *papers) { p.list = []string{"a", "b", "c"} }},
	{"a certificate less", func(t *testing.T, p *papers) { p.list = []string{"a"} }},
	{"a certificate more and one less", func(t *testing.T, p *papers) { p.list = []string{"a", "c"} }},
	{"a certificate of servers is shown", func(_ *testing.T, p *papers) { p.list = append(p.list, "own") }},
	{"another certificate for members", func(t *testing.T, p *papers) { p.own = p.ownOther }},
	{"another limit", func(t *testing.T, p *papers) { p.limits = "/limited 5\n/unlimited 10\n" }},
	{"no limit", func(t *testing.T, p *papers) { p.limits = "" }},
	{"many limits", func(t *testing.T, p *papers) {
		for i := range 2000 {
			p.limits += fmt.Sprintf("/x%d %d\n", i, i)
		}
	}},
	{"empty lines", func(t *testing.T, p *papers) {
		p.limits, p.certs["a"] = "\n# no limit\n\n/limited  4\n", append([]byte("\n\n"), p.certs["a"]...)
	}},
	{"everything", func(t *testing.T, p *papers) {
		p.certs["a"], p.list, p.own, p.limits = p.ca.issue(ecKey(t), "a.test"), []string{"a", "c"}, p.ownOther, "/unlimited 7\n"
	}},
}

// TestFilesAtRunTime has a real HAProxy change its files: clients then see what they see of one that was started anew.
func TestFilesAtRunTime(t *testing.T) {
	for i, test := range fileCases {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			p := newPapers(t)
			vip, member := ownAddress(i+1), tlsMember(t, p.memberCert)
			from := p.spec(vip, member)
			test.change(t, p)
			to := p.spec(vip, member)
			plan := Diff(from, to)
			if plan.Reload {
				t.Fatalf("Diff wants a reload: %s", plan.Reason)
			}
			opts := testOptions(t)
			process := start(t, opts, from, nil)
			before := see(t, vip, p)
			process.carry(plan)
			got := see(t, vip, p)
			process.stop()
			start(t, opts, to, nil)
			want := see(t, vip, p)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("after %v (-started anew +changed):\n%s", commandsOf(plan), diff)
			}
			if test.name != "empty lines" && cmp.Equal(before, got) {
				t.Errorf("clients see no difference: %v", got)
			}
			if got["plain"] != "nobody" {
				t.Errorf("members answer %q", got["plain"])
			}
		})
	}
}

// TestFilesOneAfterAnother makes all the changes of one process: none keeps a later one from having its effect.
func TestFilesOneAfterAnother(t *testing.T) {
	p := newPapers(t)
	vip, member := ownAddress(len(fileCases)+1), tlsMember(t, p.memberCert)
	from, opts := p.spec(vip, member), testOptions(t)
	process := start(t, opts, from, nil)
	var got []map[string]string
	var specs []*enginepb.Spec
	for range 2 {
		for _, test := range fileCases {
			if test.change(t, p); test.name == fileCases[0].name {
				p.list = []string{"a"} // to which the others can be added again
			}
			to := p.spec(vip, member)
			plan := Diff(from, to)
			if plan.Reload {
				t.Fatalf("%s: Diff wants a reload: %s", test.name, plan.Reason)
			}
			process.carry(plan)
			got, specs, from = append(got, see(t, vip, p)), append(specs, to), to
		}
		p.own = p.ca.issue(ecKey(t), "own again", "own.test")
	}
	process.stop()
	for i, to := range specs {
		process := start(t, opts, to, nil)
		if diff := cmp.Diff(see(t, vip, p), got[i]); diff != "" {
			t.Errorf("after %s (-started anew +changed):\n%s", fileCases[i%len(fileCases)].name, diff)
		}
		process.stop()
	}
}

func TestFilesReload(t *testing.T) {
	long := []byte(strings.Repeat("# "+strings.Repeat("x", 98)+"\n", 200))
	for name, change := range map[string]func(p *papers, s *enginepb.Spec){
		"list.txt has a certificate twice":  func(p *papers, _ *enginepb.Spec) { p.list = []string{"a", "b", "c", "c"} },
		"a.pem is too long for one command": func(p *papers, _ *enginepb.Spec) { p.certs["a"] = append(slices.Clone(p.certs["a"]), long...) },
		"ca.pem is changed":                 func(p *papers, _ *enginepb.Spec) { p.clientCA = p.other.pem },
		"crl.pem is changed":                func(p *papers, _ *enginepb.Spec) { p.crl = p.other.revoke() },
		"limits.map has a line that is too long for one command": func(p *papers, _ *enginepb.Spec) {
			p.limits = "/" + strings.Repeat("x", 20000) + " 1\n"
		},
	} {
		p := newPapers(t)
		from := p.spec("127.26.13.1", 9)
		change(p, from)
		if diff := cmp.Diff(reload(name), Diff(from, p.spec("127.26.13.1", 9)), cmp.AllowUnexported(Step{})); diff != "" {
			t.Errorf("Diff (-want +got):\n%s", diff)
		}
	}
	for _, list := range [][]string{{"b", "a"}, {"c", "a", "b"}, {"a", "c", "b"}, {"b"}, {"c"}} {
		p := newPapers(t)
		from := p.spec("127.26.13.1", 9)
		p.list = list
		if plan := Diff(from, p.spec("127.26.13.1", 9)); plan.Reason != "list.txt has another order" {
			t.Errorf("%v: Diff = %+v", list, plan)
		}
	}
	p := newPapers(t)
	from, to := p.spec("127.26.13.1", 9), p.spec("127.26.13.1", 9)
	to.Files = append(to.Files, newFile(enginepb.File_AUTHORITIES, "more.pem", p.ca.pem))
	if diff := cmp.Diff(Plan{Reload: true, Reason: "more.pem is new"}, Diff(from, to), cmp.AllowUnexported(Step{})); diff != "" {
		t.Errorf("Diff (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(Plan{Reload: true, Reason: "more.pem is gone"}, Diff(to, from), cmp.AllowUnexported(Step{})); diff != "" {
		t.Errorf("Diff (-want +got):\n%s", diff)
	}
}

// FuzzQuestion shows that no content of a file ends its payload early: what follows would be commands.
func FuzzQuestion(f *testing.F) {
	f.Add([]byte("a 1\n\nshow info\n"), "x")
	f.Add([]byte("\r\n \n\v\n# a\n"), "\n\nshow info")
	f.Fuzz(func(t *testing.T, content []byte, line string) {
		from := &enginepb.Spec{Files: []*enginepb.File{
			newFile(enginepb.File_CERTIFICATE, "c.pem", nil), newFile(enginepb.File_MAP, "m.map", nil),
			newFile(enginepb.File_CERTIFICATE_LIST, "l.txt", []byte("files/c.pem\n")),
		}}
		to := &enginepb.Spec{Files: []*enginepb.File{
			newFile(enginepb.File_CERTIFICATE, "c.pem", content), newFile(enginepb.File_MAP, "m.map", content),
			newFile(enginepb.File_CERTIFICATE_LIST, "l.txt", []byte("files/c.pem\n"+line)),
		}}
		var talk Dialogue
		for _, s := range Diff(from, to).Steps {
			text := talk.Question(s)
			if strings.Contains(s.Command, "\n") || strings.ContainsAny(s.Command, ";") {
				t.Errorf("command %q", s.Command)
			}
			lines := strings.Split(text, "\n")
			if s.Payload == "" && len(lines) != 1 {
				t.Errorf("%q is more than one line", text)
			}
			for i, l := range lines {
				if s.Payload != "" && (strings.TrimSpace(l) == "") != (i == len(lines)-1) {
					t.Errorf("%q has an empty line, or none at its end", text)
				}
			}
		}
	})
}

// TestServerWithFiles adds a server that speaks TLS with a certificate of its own, and removes the one before it, at run time.
func TestServerWithFiles(t *testing.T) {
	p := newPapers(t)
	vip := ownAddress(len(fileCases) + 2)
	from, to := p.spec(vip, tlsMember(t, p.memberCert)), p.spec(vip, tlsMember(t, p.memberCert))
	for _, spec := range []*enginepb.Spec{from, to} {
		backend := find(spec, "backend own")
		last := len(backend.Lines) - 1
		backend.Lines[last] += " crl-file files/crl.pem sni str(member) ssl-min-ver TLSv1.2 ssl-max-ver TLSv1.3 alpn http/1.1"
	}
	to.Servers[1].Name, to.Servers[1].Number = "t", 2
	to.Servers[0].Port = from.Servers[0].Port
	plan := Diff(from, to)
	if plan.Reload {
		t.Fatalf("Diff wants a reload: %s", plan.Reason)
	}
	process := start(t, testOptions(t), from, nil)
	process.carry(plan)
	if got := fetch(vip, "/own"); got != "own" {
		t.Errorf("the new server answers %q", got)
	}
	// HAProxy has forgotten the old server, and knows the new one when the certificate is renewed.
	for _, renewed := range [][]byte{p.ownOther, p.own, p.ownOther} {
		p.own = renewed
		next := p.spec(vip, 1)
		next.Sections, next.Servers = to.Sections, to.Servers
		process.carry(Diff(to, next))
		to = next
	}
	if got := fetch(vip, "/own"); got != "own too" {
		t.Errorf("the new server is shown the certificate of %q", got)
	}
}
