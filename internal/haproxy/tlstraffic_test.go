package haproxy

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"maps"
	"net"
	"net/http"
	"net/netip"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"plimsoll/lbaas"
)

// seen is what a member saw of a request, and of the connection that it came by.
type seen struct {
	Header   http.Header
	Proto    string
	Client   string // the name in the client's certificate
	Asked    string // the name that was asked for by TLS
	Resolved string // of the PROXY protocol: the client's address
}

// upstream is a member that serves on 127.0.0.1 and answers what it saw. A nil config is plain HTTP.
func upstream(t *testing.T, config *tls.Config) (port int) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: http.HandlerFunc(tell), ReadHeaderTimeout: 5 * time.Second, TLSConfig: config.Clone()}
	server.ErrorLog = log.New(io.Discard, "", 0)
	done := make(chan struct{})
	go func() {
		defer close(done)
		if config == nil {
			_ = server.Serve(l)
		} else {
			_ = server.ServeTLS(l, "", "")
		}
	}()
	t.Cleanup(func() { _ = server.Close(); <-done })
	return l.Addr().(*net.TCPAddr).Port
}

func tell(w http.ResponseWriter, r *http.Request) {
	s := seen{Header: r.Header, Proto: r.Proto}
	if r.TLS != nil {
		s.Asked = r.TLS.ServerName
		if len(r.TLS.PeerCertificates) > 0 {
			s.Client = r.TLS.PeerCertificates[0].Subject.CommonName
		}
	}
	_ = json.NewEncoder(w).Encode(s)
}

// client is a client of an authority's servers, with a connection of its own for every request. Its servers may say any name.
func (a *authority) client(config *tls.Config) *http.Client {
	config.RootCAs = a.pool()
	return &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{
		TLSClientConfig: config, DisableKeepAlives: true, ForceAttemptHTTP2: len(config.NextProtos) != 1,
	}}
}

// get is one request, with headers, and what came back.
func get(c *http.Client, url string, headers map[string]string) (*http.Response, seen, error) {
	r, err := http.NewRequestWithContext(context.Background(), http.MethodGet, url, nil)
	if err != nil {
		return nil, seen{}, err
	}
	for name, value := range headers {
		r.Header[name] = []string{value}
	}
	answer, err := c.Do(r)
	if err != nil {
		return nil, seen{}, err
	}
	defer answer.Body.Close()
	var s seen
	if answer.StatusCode == http.StatusOK {
		err = json.NewDecoder(answer.Body).Decode(&s)
	}
	return answer, s, err
}

// local makes a load balancer listen on 127.0.0.1, at free ports, and returns where.
func local(t *testing.T, lb *lbaas.LoadBalancer) []string {
	t.Helper()
	lb.VIPAddress = netip.MustParseAddr("127.0.0.1")
	var at []string
	for _, l := range lb.Listeners {
		free, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		l.ProtocolPort = free.Addr().(*net.TCPAddr).Port
		free.Close()
		at = append(at, fmt.Sprintf("127.0.0.1:%d", l.ProtocolPort))
	}
	return at
}

// running starts HAProxy for a load balancer.
func running(t *testing.T, lb *lbaas.LoadBalancer, secrets Secrets) *process {
	t.Helper()
	opts := testOptions(t)
	return start(t, opts, Render(lb, nil, secrets, opts), nil)
}

func TestTerminated(t *testing.T) {
	t.Parallel()
	secrets, a := testSecrets(t)
	lb := tlsTree()
	lb.Pools[0].Members = nil
	addMember(lb.Pools[0], 1, "127.0.0.1", upstream(t, nil))
	empty := addTLSListener(lb, 2, 444, "")
	empty.HSTSMaxAge, empty.TLSCiphers = lb.Listeners[0].HSTSMaxAge, "TLS_AES_256_GCM_SHA384"
	at := local(t, lb)
	running(t, lb, secrets)

	for name, want := range map[string]string{
		"www.example.com": "www.example.com", "shop.example.com": "shop.example.com", "a.shop.example.com": "shop.example.com",
		"other.example.com": "www.example.com", "": "www.example.com",
	} {
		c, err := tls.Dial("tcp", at[0], &tls.Config{ServerName: name, InsecureSkipVerify: true})
		if err != nil {
			t.Errorf("name %q: %v", name, err)
			continue
		}
		if got := c.ConnectionState().PeerCertificates[0].Subject.CommonName; got != want {
			t.Errorf("name %q: certificate of %s, want %s", name, got, want)
		}
		c.Close()
	}
	for _, test := range []struct {
		at     string
		config *tls.Config
		proto  string // "" is refused
	}{
		{at[0], &tls.Config{NextProtos: []string{"h2", "http/1.1"}}, "HTTP/2.0"},
		{at[0], &tls.Config{NextProtos: []string{"http/1.1"}}, "HTTP/1.1"},
		{at[0], &tls.Config{MaxVersion: tls.VersionTLS12}, "HTTP/2.0"},
		{at[0], &tls.Config{MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}, ""},
		{at[1], &tls.Config{}, "HTTP/2.0"},
		{at[1], &tls.Config{MaxVersion: tls.VersionTLS12}, ""},
	} {
		test.config.ServerName = "www.example.com"
		answer, s, err := get(a.client(test.config), "https://"+test.at, map[string]string{"X-Ssl-Client-Cn": "me", "X_ssl_issuer": "me"})
		if err != nil || test.proto == "" {
			if (err == nil) != (test.proto != "") {
				t.Errorf("%s, versions %x to %x: %v", test.at, test.config.MinVersion, test.config.MaxVersion, err)
			}
			continue
		}
		if answer.Proto != test.proto || answer.Header.Get("Strict-Transport-Security")[:16] != "max-age=31536000" {
			t.Errorf("%s: %s with %v, want %s", test.at, answer.Proto, answer.Header, test.proto)
		}
		if test.at == at[0] && (s.Header.Get("X-Forwarded-Proto") != "https" || s.Header.Get("X-Ssl-Client-Cn") == "me" || s.Header["X_ssl_issuer"] != nil) {
			t.Errorf("the member sees %v", s.Header)
		}
	}
}

// TestEveryCipher speaks each of the ciphers that a listener has by default. Go's own client knows no DHE.
func TestEveryCipher(t *testing.T) {
	t.Parallel()
	secrets, _ := testSecrets(t)
	lb := newTree()
	addTLSListener(lb, 1, 443, "").SNIContainerRefs = []string{refEC}
	at := local(t, lb)
	running(t, lb, secrets)
	for _, cipher := range strings.Split(lbaas.DefaultCiphers, ":") {
		words := []string{"s_client", "-connect", at[0], "-tls1_2", "-cipher", cipher}
		switch {
		case strings.HasPrefix(cipher, "TLS_"):
			words = []string{"s_client", "-connect", at[0], "-tls1_3", "-ciphersuites", cipher}
		case strings.Contains(cipher, "ECDSA"):
			words = append(words, "-servername", "shop.example.com")
		}
		output, _ := exec.Command("openssl", words...).CombinedOutput() // nothing is typed; it ends at once
		if !bytes.Contains(output, []byte("Cipher is "+cipher)) {
			t.Errorf("%s is not spoken:\n%s", cipher, output)
		}
	}
}

// TestOldVersions has clients that know nothing newer.
func TestOldVersions(t *testing.T) {
	t.Parallel()
	secrets, a := testSecrets(t)
	lb := tlsOldTree()
	at := local(t, lb)
	running(t, lb, secrets)
	for _, test := range []struct {
		listener int
		version  uint16
		served   bool
	}{
		{0, tls.VersionTLS10, true}, {0, tls.VersionTLS11, true}, {0, tls.VersionTLS12, false},
		{1, tls.VersionTLS10, false}, {1, tls.VersionTLS11, true}, {1, tls.VersionTLS12, true}, {1, tls.VersionTLS13, true},
		{2, tls.VersionTLS10, true}, {2, tls.VersionTLS11, false},
	} {
		config := &tls.Config{RootCAs: a.pool(), ServerName: "www.example.com", MinVersion: test.version, MaxVersion: test.version}
		for _, s := range append(tls.CipherSuites(), tls.InsecureCipherSuites()...) {
			config.CipherSuites = append(config.CipherSuites, s.ID)
		}
		c, err := tls.Dial("tcp", at[test.listener], config)
		if (err == nil) != test.served {
			t.Errorf("listener %d, version %x: %v", test.listener, test.version, err)
		}
		if err == nil {
			c.Close()
		}
	}
}

func TestClientCertificates(t *testing.T) {
	t.Parallel()
	secrets, a := testSecrets(t)
	revoked := a.issue(ecKey(t), "revoked")
	secrets[refCRL] = a.revoke(revoked)
	foreign := newAuthority(t, "authority").issue(ecKey(t), "foreign")
	worst := a.issue(ecKey(t), "a\"b\r\nX-Evil: c\xc3\xa9")
	lb := tlsClientsTree()
	p := addPool(lb, 1, lbaas.HTTP, lbaas.RoundRobin)
	addMember(p, 1, "127.0.0.1", upstream(t, nil))
	for _, l := range lb.Listeners {
		l.DefaultPoolID, l.InsertHeaders = p.ID, tlsTree().Listeners[0].InsertHeaders
	}
	at := local(t, lb)
	running(t, lb, secrets)
	for _, test := range []struct {
		name        string
		listener    int
		certificate []byte
		served      bool
	}{
		{"bad: none", 0, nil, false}, {"bad: revoked", 0, revoked, false}, {"bad: foreign", 0, foreign, false},
		{"bad: foreign", 1, foreign, false}, {"none", 1, nil, true}, {"its own", 0, secrets[refClient], true}, {"the worst", 0, worst, true},
		{"without a list", 1, revoked, true}, {"its own", 1, secrets[refClient], true},
	} {
		config := &tls.Config{ServerName: "www.example.com"}
		if test.certificate != nil {
			config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
				c := pair(t, test.certificate)
				return &c, nil
			}
		}
		_, s, err := get(a.client(config), "https://"+at[test.listener], map[string]string{"X-Ssl-Client-Cn": "me", "X_ssl_client_verify": "0"})
		if (err == nil) != test.served {
			t.Errorf("listener %d, %s: %v", test.listener, test.name, err)
		}
		if err != nil {
			continue
		}
		if diff := cmp.Diff(sslHeadersOf(t, test.certificate), ours(s.Header)); diff != "" {
			t.Errorf("listener %d, %s: headers (-want +got):\n%s", test.listener, test.name, diff)
		}
	}
}

// ours are the headers that tell of the client's certificate.
func ours(h http.Header) map[string]string {
	all := map[string]string{}
	for name, values := range h {
		if strings.HasPrefix(strings.ReplaceAll(name, "_", "-"), "X-Ssl-") {
			all[name] = strings.Join(values, ",")
		}
	}
	return all
}

// sslHeadersOf are what a certificate's headers must be; nil is none.
func sslHeadersOf(t *testing.T, certificate []byte) map[string]string {
	t.Helper()
	all := map[string]string{"X-Ssl-Client-Verify": "0", "X-Ssl-Client-Has-Cert": "0"}
	more := map[string]string{
		"X-Ssl-Client-Dn": "", "X-Ssl-Client-Cn": "", "X-Ssl-Issuer": "", "X-Ssl-Client-Sha1": "", "X-Ssl-Client-Not-Before": "", "X-Ssl-Client-Not-After": "",
	}
	if certificate != nil {
		leaf := pair(t, certificate).Leaf
		all["X-Ssl-Client-Has-Cert"] = "1"
		name := strings.ReplaceAll(leaf.Subject.CommonName, "\r\n", "%0D%0A") // what would end a header is encoded
		more = map[string]string{
			"X-Ssl-Client-Dn": "/O=Tests/CN=" + name, "X-Ssl-Client-Cn": name, "X-Ssl-Issuer": "/O=Tests/CN=authority",
			"X-Ssl-Client-Sha1":       fingerprint(leaf.Raw),
			"X-Ssl-Client-Not-Before": leaf.NotBefore.UTC().Format("060102150405Z"),
			"X-Ssl-Client-Not-After":  leaf.NotAfter.UTC().Format("060102150405Z"),
		}
	}
	maps.Copy(all, more)
	return all
}

func TestReencryption(t *testing.T) {
	t.Parallel()
	secrets, a := testSecrets(t)
	revoked := a.issue(ecKey(t), "www.example.com")
	secrets[refCRL] = a.revoke(revoked)
	foreign := newAuthority(t, "authority").issue(ecKey(t), "www.example.com")
	for _, test := range []struct {
		name        string
		certificate []byte
		want        []string // the status for each listener, with what the member saw: client, asked, protocol
	}{
		{"bad: revoked", revoked, []string{"503   ", "503   "}},
		{"bad: foreign", foreign, []string{"503   ", "503   "}},
		{"bad: of another name", a.issue(ecKey(t), "mail.example.com"), []string{"503   ", "200 client  HTTP/2.0"}},
		{"good", a.issue(rsaKey(), "www.example.com"), []string{"200 client www.example.com HTTP/2.0", "200 client  HTTP/2.0"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			lb := tlsPoolTree()
			p := lb.Pools[0]
			p.HealthMonitor, p.Members = nil, nil
			lb.Listeners = lb.Listeners[:2]
			config := &tls.Config{Certificates: []tls.Certificate{pair(t, test.certificate)}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: a.pool()}
			addMember(p, 1, "127.0.0.1", upstream(t, config))
			at := local(t, lb)
			running(t, lb, secrets)
			for i, url := range []string{"https://" + at[0], "http://" + at[1]} {
				answer, s, err := get(a.client(&tls.Config{ServerName: "www.example.com"}), url, nil)
				if err != nil {
					t.Fatal(err)
				}
				if got := fmt.Sprintf("%d %s %s %s", answer.StatusCode, s.Client, s.Asked, s.Proto); got != test.want[i] {
					t.Errorf("%s: %q, want %q", url, got, test.want[i])
				}
			}
		})
	}
}

// TestUnverified has members that show whatever they like, and are told which name the client asked for.
func TestUnverified(t *testing.T) {
	t.Parallel()
	secrets, a := testSecrets(t)
	lb := newTree()
	p := addPool(lb, 1, lbaas.HTTP, lbaas.RoundRobin)
	p.TLSEnabled = true
	own := newAuthority(t, "own")
	addMember(p, 1, "127.0.0.1", upstream(t, &tls.Config{Certificates: []tls.Certificate{pair(t, own.issue(ecKey(t), "x"))}}))
	addListener(lb, 1, lbaas.HTTP, 80, p.ID)
	addTLSListener(lb, 2, 443, p.ID).SNIContainerRefs = []string{refEC}
	addListener(lb, 3, lbaas.TCP, 81, p.ID)
	at := local(t, lb)
	running(t, lb, secrets)
	for _, test := range []struct{ url, want string }{
		{"http://" + at[0], "shop.example.com HTTP/1.1"}, {"https://" + at[1], "shop.example.com HTTP/1.1"}, {"http://" + at[2], " HTTP/1.1"},
	} {
		c := a.client(&tls.Config{ServerName: "shop.example.com"})
		c.Transport.(*http.Transport).DialContext = func(ctx context.Context, network, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, test.url[strings.Index(test.url, "//")+2:])
		}
		scheme, _, _ := strings.Cut(test.url, ":")
		_, s, err := get(c, scheme+"://shop.example.com:8080/", nil)
		if got := s.Asked + " " + s.Proto; err != nil || got != test.want {
			t.Errorf("%s: %q, %v, want %q", test.url, got, err, test.want)
		}
	}
}

// proxied answers with the head that came before a request: the first line of the PROXY protocol, or the addresses of its second
// version (its specification, section 2.2).
func proxied(t *testing.T) (port int) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	t.Cleanup(func() { l.Close(); <-done })
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_ = c.SetDeadline(time.Now().Add(5 * time.Second))
			r := bufio.NewReader(c)
			head, err := proxyHead(r)
			if request, bad := http.ReadRequest(r); err == nil && bad == nil {
				body, _ := json.Marshal(seen{Header: request.Header, Proto: request.Proto, Resolved: head})
				_, _ = fmt.Fprintf(c, "HTTP/1.0 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
			}
			c.Close()
		}
	}()
	return l.Addr().(*net.TCPAddr).Port
}

func proxyHead(r *bufio.Reader) (string, error) {
	if start, err := r.Peek(5); err != nil || string(start) == "PROXY" {
		line, _ := r.ReadString('\n')
		words := strings.Fields(line)
		if len(words) != 6 {
			return "", fmt.Errorf("head %q: %w", line, err)
		}
		return words[0] + " " + words[1] + " " + words[2], nil
	}
	head := make([]byte, 28)
	if _, err := io.ReadFull(r, head); err != nil {
		return "", err
	}
	if string(head[:12]) != "\r\n\r\n\x00\r\nQUIT\n" || head[12] != 0x21 || head[13] != 0x11 || head[15] != 12 {
		return "", fmt.Errorf("head %x", head)
	}
	return fmt.Sprintf("v2 %s", net.IP(head[16:20])), nil
}

func TestProxyProtocol(t *testing.T) {
	t.Parallel()
	lb := newTree()
	for i, protocol := range []lbaas.Protocol{lbaas.Proxy, lbaas.ProxyV2} {
		p := addPool(lb, i+1, protocol, lbaas.RoundRobin)
		addMember(p, i+1, "127.0.0.1", proxied(t))
		addListener(lb, 2*i+1, lbaas.HTTP, 80, p.ID)
		addListener(lb, 2*i+2, lbaas.TCP, 81, p.ID)
	}
	at := local(t, lb)
	running(t, lb, nil)
	for i, want := range []string{"PROXY TCP4 127.0.0.1", "PROXY TCP4 127.0.0.1", "v2 127.0.0.1", "v2 127.0.0.1"} {
		_, s, err := get(&http.Client{Timeout: 5 * time.Second}, "http://"+at[i], nil)
		if err != nil || s.Resolved != want {
			t.Errorf("listener %d: %q, %v, want %q", i, s.Resolved, err, want)
		}
	}
}

// TestTLSMonitors has members that speak TLS and others that do not, asked by each monitor that needs it.
func TestTLSMonitors(t *testing.T) {
	t.Parallel()
	secrets, a := testSecrets(t)
	good := upstream(t, &tls.Config{
		Certificates: []tls.Certificate{pair(t, secrets[refRSA])}, ClientAuth: tls.VerifyClientCertIfGiven, ClientCAs: a.pool(),
	})
	strict := upstream(t, &tls.Config{
		Certificates: []tls.Certificate{pair(t, secrets[refRSA])}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: a.pool(),
		MaxVersion: tls.VersionTLS12, // in later versions the refusal comes after the handshake
	})
	foreign := upstream(t, &tls.Config{Certificates: []tls.Certificate{pair(t, newAuthority(t, "x").issue(ecKey(t), "x"))}})
	plain, silent := upstream(t, nil), serve(t)
	for _, test := range []struct {
		monitor  lbaas.MonitorType
		tls      bool
		ports    []int
		statuses []string
	}{
		{lbaas.MonitorTLSHello, false, []int{good, foreign, strict, plain, silent}, []string{"UP", "UP", "DOWN", "DOWN", "DOWN"}},
		{lbaas.MonitorTLSHello, true, []int{good, foreign, strict, plain}, []string{"UP", "DOWN", "UP", "DOWN"}},
		{lbaas.MonitorHTTPS, false, []int{good, foreign, strict, plain}, []string{"UP", "UP", "DOWN", "DOWN"}},
		{lbaas.MonitorHTTPS, true, []int{good, foreign, strict, plain}, []string{"UP", "DOWN", "UP", "DOWN"}},
		{lbaas.MonitorHTTP, true, []int{good, foreign, strict, plain}, []string{"UP", "DOWN", "UP", "DOWN"}},
	} {
		for _, alpn := range [][]string{nil, {"h2", "http/1.1"}, {"h2"}} {
			if alpn != nil && !test.tls {
				continue // it means nothing
			}
			t.Run(fmt.Sprintf("%s %t %v", test.monitor, test.tls, alpn), func(t *testing.T) {
				t.Parallel()
				lb := newTree()
				p := addPool(lb, 1, lbaas.HTTP, lbaas.RoundRobin)
				if p.TLSEnabled = test.tls; test.tls {
					p.TLSContainerRef, p.CATLSContainerRef, p.ALPNProtocols = refClient, refCA, alpn
				}
				for i, port := range test.ports {
					addMember(p, i+1, "127.0.0.1", port)
				}
				m := addMonitor(p, test.monitor)
				m.Delay, m.MaxRetriesDown, m.MaxRetries = 1, 1, 1
				addListener(lb, 1, lbaas.HTTP, 80, p.ID)
				local(t, lb)
				running(t, lb, secrets).become(test.statuses)
			})
		}
	}
}

// become waits until members, by number, have these statuses.
func (p *process) become(statuses []string) {
	p.t.Helper()
	eventually(p.t, "the members are as they should be", func() error {
		stats, err := ParseStat(p.must("show stat"))
		if err != nil {
			return err
		}
		got := map[string]string{}
		for _, s := range stats {
			got[s.Name] = s.Status
		}
		for i, want := range statuses {
			if status := got[uid(3, i+1)]; status != want {
				return fmt.Errorf("member %d is %s, want %s", i+1, status, want)
			}
		}
		return nil
	})
}
