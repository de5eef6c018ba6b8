package e2e

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"plimsoll/test/harness"
)

// chrome is what Chrome sends to go to a page, in HTTP/2's small letters, as net/http's client passes it on.
var chrome = map[string]string{
	"Sec-Ch-Ua": `"Chromium";v="128", "Not;A=Brand";v="24", "Google Chrome";v="128"`, "Sec-Ch-Ua-Mobile": "?0", "Sec-Ch-Ua-Platform": `"Linux"`,
	"Upgrade-Insecure-Requests": "1",
	"User-Agent":                "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/128.0.0.0 Safari/537.36",
	"Accept":                    "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8,application/signed-exchange;v=b3;q=0.7",
	"Sec-Fetch-Site":            "none", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-User": "?1", "Sec-Fetch-Dest": "document",
	"Accept-Encoding": "gzip, deflate, br, zstd", "Accept-Language": "en-GB,en;q=0.9,de;q=0.8", "Priority": "u=0, i",
	"Cookie": `theme="dark mode"; _ga=GA1.2.1.1; consent={"a":1}`,
}

// forged is what a client may claim of itself.
var forged = map[string]string{
	"X-Forwarded-For": "192.0.2.1", "X-Forwarded-Port": "1", "X-Forwarded-Proto": "gopher", "X-Forwarded-Ip": "192.0.2.1",
	"X-Client-Ip": "192.0.2.1", "X-Real-Ip": "192.0.2.1",
}

// TestInsertHeaders compares what a browser sends with what a member hears, by listeners that insert every header, none, and some not.
func TestInsertHeaders(t *testing.T) {
	t.Parallel()
	s, a := tlsSite(t)
	node := s.Plug(t, s.net)
	serveHeard(t, node, 8080, "m1", nil)
	all, none := object{}, object{}
	for _, name := range []string{"X-Forwarded-For", "X-Forwarded-Port", "X-Forwarded-Proto", "X-Forwarded-IP", "X-Client-IP", "X-Real-IP"} {
		all[name], none[name] = "true", "false"
	}
	certificate := object{"insert_headers": all, "default_tls_container_ref": s.StoreSecret(t, "www", packed(t, a.Issue("www.example.com")))}
	s.lead(t, "HTTP", 81, object{"insert_headers": all}, nil, 8080, node)
	s.lead(t, "HTTP", 82, object{"insert_headers": none}, nil, 8080, node)
	s.lead(t, "TERMINATED_HTTPS", 443, certificate, nil, 8080, node)
	s.WaitActive(t, s.lb.ID)
	inserted := func(port, proto string, claimed ...string) map[string][]string {
		me := s.client.Address
		return map[string][]string{
			"X-Forwarded-For": append(claimed, me), "X-Forwarded-Port": {port}, "X-Forwarded-Proto": {proto}, "X-Forwarded-Ip": {me},
			"X-Client-Ip": {me}, "X-Real-Ip": {me},
		}
	}
	claimed := map[string][]string{}
	for name, value := range forged {
		claimed[name] = []string{value}
	}
	for _, test := range []struct {
		url    string
		claims map[string]string
		want   map[string][]string
	}{
		{"http://www.example.com:81/", forged, inserted("81", "http", "192.0.2.1")},
		{"http://www.example.com:81/", nil, inserted("81", "http")},
		{"http://www.example.com:82/", nil, nil},
		{"http://www.example.com:82/", forged, claimed},
		{"https://www.example.com/", forged, inserted("443", "https", "192.0.2.1")},
	} {
		sent, want := map[string]string{}, http.Header{}
		for _, headers := range []map[string]string{chrome, test.claims} {
			for name, value := range headers {
				sent[name] = value
			}
		}
		for name, value := range chrome {
			want[name] = []string{value}
		}
		for name, values := range test.want {
			want[name] = values
		}
		_, h, err := hear(s.browser(&tls.Config{RootCAs: a.Pool()}), test.url, sent)
		delete(h.Header, "Connection") // of net/http's client
		if diff := cmp.Diff(want, h.Header); err != nil || diff != "" {
			t.Errorf("%s, claims %v: %v (-sent and inserted +heard):\n%s", test.url, test.claims, err, diff)
		}
	}
}

// serveWorkload has a node serve what web applications do, also by HTTP/2 where there is a config.
func serveWorkload(t *testing.T, node *harness.Node, port int, config *tls.Config) {
	t.Helper()
	l, err := node.Listen("tcp", fmt.Sprintf(":%d", port))
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/digest", func(w http.ResponseWriter, r *http.Request) {
		sum := sha256.New()
		n, err := io.Copy(sum, r.Body)
		_, _ = fmt.Fprintf(w, "%d %x %v", n, sum.Sum(nil), err)
	})
	mux.HandleFunc("/zeroes", func(w http.ResponseWriter, r *http.Request) {
		n, _ := strconv.Atoi(r.FormValue("n"))
		_, _ = w.Write(make([]byte, n))
	})
	mux.HandleFunc("/length", func(w http.ResponseWriter, r *http.Request) { _, _ = fmt.Fprint(w, len(r.Header.Get("X-Long"))) })
	mux.HandleFunc("/refuse", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusExpectationFailed) })
	mux.HandleFunc("/stream", echoMessages)
	mux.HandleFunc("/socket", switchProtocols)
	server := &httptest.Server{Listener: l, EnableHTTP2: true, TLS: config, Config: &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}}
	if config == nil {
		server.Start()
	} else {
		server.StartTLS()
	}
	t.Cleanup(func() { server.CloseClientConnections(); server.Close() })
}

// echoMessages answers each line when it comes, and ends with trailers, as servers of gRPC do.
func echoMessages(w http.ResponseWriter, r *http.Request) {
	control := http.NewResponseController(w)
	_ = control.EnableFullDuplex()
	w.Header().Set("Trailer", "Grpc-Status, Grpc-Message")
	w.Header().Set("Content-Type", "application/grpc")
	w.WriteHeader(http.StatusOK)
	_ = control.Flush()
	for lines := bufio.NewScanner(r.Body); lines.Scan(); {
		_, _ = fmt.Fprintln(w, lines.Text())
		_ = control.Flush()
	}
	w.Header().Set("Grpc-Status", "0")
	w.Header().Set("Grpc-Message", r.Header.Get("Te"))
}

// switchProtocols makes a connection one of bytes, as WebSocket begins (RFC 6455, section 4.2.2), and echoes them. The
// key is the RFC's own (section 1.3).
func switchProtocols(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Upgrade") != "websocket" || r.Header.Get("Sec-Websocket-Key") == "" {
		w.WriteHeader(http.StatusUpgradeRequired)
		return
	}
	c, both, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	defer c.Close()
	_, _ = both.WriteString("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
		"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n")
	_ = both.Flush()
	_, _ = io.Copy(c, both)
}

// TestHTTP goes through what web applications do besides plain requests: in the clear, by HTTP/2 to members that speak HTTP/1, by HTTP/2
// all the way, and through a listener that passes TLS on.
func TestHTTP(t *testing.T) {
	t.Parallel()
	s, a := tlsSite(t)
	node := s.Plug(t, s.net)
	www := a.Issue("www.example.com")
	serveWorkload(t, node, 8080, nil)
	serveWorkload(t, node, 8443, &tls.Config{Certificates: []tls.Certificate{www.TLS}})
	certificate := object{"default_tls_container_ref": s.StoreSecret(t, "www", packed(t, www))}
	again := object{"tls_enabled": true, "alpn_protocols": []string{"h2"}}
	s.lead(t, "HTTP", 80, nil, nil, 8080, node)
	s.lead(t, "TERMINATED_HTTPS", 443, certificate, nil, 8080, node)
	s.lead(t, "TERMINATED_HTTPS", 444, certificate, again, 8443, node)
	s.lead(t, "HTTPS", 445, nil, nil, 8443, node)
	s.WaitActive(t, s.lb.ID)
	client := s.browser(&tls.Config{RootCAs: a.Pool()})
	client.Timeout = 20 * time.Second
	for url, proto := range map[string]string{
		"http://www.example.com": "HTTP/1.1", "https://www.example.com": "HTTP/2.0", "https://www.example.com:444": "HTTP/2.0",
		"https://www.example.com:445": "HTTP/2.0",
	} {
		t.Run(url, func(t *testing.T) {
			bodies(t, client, url, proto)
			longHeaders(t, client, url)
			expectsContinue(t, client, url)
			if proto == "HTTP/2.0" {
				streams(t, client, url)
			}
		})
	}
	s.webSocket(t)
	s.slowClient(t)
}

// exchange makes a request and returns the answer with its body.
func exchange(c *http.Client, method, url string, body io.Reader, headers ...string) (*http.Response, string, error) {
	r, err := http.NewRequestWithContext(context.Background(), method, url, body)
	if err != nil {
		return nil, "", err
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	resp, err := c.Do(r)
	if err != nil {
		return nil, "", err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	return resp, string(text), err
}

// bodies sends and fetches some that are far larger than HAProxy's buffers, with and without a length.
func bodies(t *testing.T, c *http.Client, url, proto string) {
	t.Helper()
	const size = 5 << 20
	sent := bytes.Repeat([]byte("0123456789abcdef"), size/16)
	want := fmt.Sprintf("%d %x <nil>", size, sha256.Sum256(sent))
	for what, body := range map[string]io.Reader{"with a length": bytes.NewReader(sent), "in chunks": io.MultiReader(bytes.NewReader(sent))} {
		if resp, got, err := exchange(c, http.MethodPost, url+"/digest", body); err != nil || got != want || resp.Proto != proto {
			t.Errorf("a body %s: %q, %v", what, got, err)
		}
	}
	for _, method := range []string{http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions} {
		if _, got, err := exchange(c, method, url+"/digest", strings.NewReader("a")); err != nil || !strings.HasPrefix(got, "1 ") {
			t.Errorf("%s: %q, %v", method, got, err)
		}
	}
	if resp, got, err := exchange(c, http.MethodHead, url+"/digest", nil); err != nil || resp.StatusCode != http.StatusOK || got != "" {
		t.Errorf("HEAD: %q, %v", got, err)
	}
	if _, got, err := exchange(c, http.MethodGet, fmt.Sprintf("%s/zeroes?n=%d", url, size), nil); err != nil || len(got) != size {
		t.Errorf("an answer of %d bytes has %d, %v", size, len(got), err)
	}
}

// longHeaders sends those of a user who has many cookies.
func longHeaders(t *testing.T, c *http.Client, url string) {
	t.Helper()
	const length = 12000
	if _, got, err := exchange(c, http.MethodGet, url+"/length", nil, "X-Long", strings.Repeat("x", length)); err != nil || got != strconv.Itoa(length) {
		t.Errorf("a header of %d bytes: %q, %v", length, got, err)
	}
}

// expectsContinue sends a body only when the member wants it, as curl does with a large one.
func expectsContinue(t *testing.T, c *http.Client, url string) {
	t.Helper()
	patient := *c
	transport := c.Transport.(*http.Transport).Clone()
	transport.ExpectContinueTimeout = time.Minute
	patient.Transport = transport
	_, got, err := exchange(&patient, http.MethodPost, url+"/digest", strings.NewReader("a"), "Expect", "100-continue")
	if err != nil || !strings.HasPrefix(got, "1 ") {
		t.Errorf("Expect: 100-continue: %q, %v", got, err)
	}
	resp, _, err := exchange(&patient, http.MethodPost, url+"/refuse", neverRead{t}, "Expect", "100-continue")
	if err != nil || resp.StatusCode != http.StatusExpectationFailed {
		t.Errorf("Expect: 100-continue, refused: %v, %v", resp, err)
	}
}

// neverRead is a body that nobody is to ask for.
type neverRead struct{ t *testing.T }

func (n neverRead) Read([]byte) (int, error) {
	n.t.Error("the body is sent though the member refused it")
	return 0, io.EOF
}

// streams sends messages and waits for the answer to each before the next, and then for the trailers: one call of gRPC's both ways.
func streams(t *testing.T, c *http.Client, url string) {
	t.Helper()
	in, out := io.Pipe()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url+"/stream", in)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/grpc")
	r.Header.Set("TE", "trailers")
	resp, err := c.Do(r)
	if err != nil {
		t.Errorf("a stream: %v", err)
		return
	}
	defer resp.Body.Close()
	lines := bufio.NewReader(resp.Body)
	for i := range 20 {
		message := fmt.Sprintf("message %d\n", i)
		_, _ = io.WriteString(out, message)
		if got, err := lines.ReadString('\n'); err != nil || got != message {
			t.Errorf("message %d comes back as %q, %v", i, got, err)
			break
		}
	}
	_ = out.Close()
	rest, err := io.ReadAll(lines)
	got := []string{string(rest), resp.Trailer.Get("Grpc-Status"), resp.Trailer.Get("Grpc-Message")}
	if diff := cmp.Diff([]string{"", "0", "trailers"}, got); err != nil || diff != "" {
		t.Errorf("the end of a stream: %v (-want +got):\n%s", err, diff)
	}
}

// webSocket speaks both ways over a connection that began with a request, also after a reload.
func (s *site) webSocket(t *testing.T) {
	t.Helper()
	c := s.dial(t, 80)
	_, _ = io.WriteString(c, "GET /socket HTTP/1.1\r\nHost: www.example.com\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"+
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
	_ = c.SetDeadline(time.Now().Add(5 * time.Second))
	in := bufio.NewReader(c)
	resp, err := http.ReadResponse(in, nil)
	if err != nil || resp.StatusCode != http.StatusSwitchingProtocols || resp.Header.Get("Upgrade") != "websocket" || in.Buffered() > 0 {
		t.Fatalf("a WebSocket: %v, %v", resp, err)
	}
	_ = resp.Body.Close()
	echoes(t, c, "\x81\x05Hello")
	s.reload(t, 99)
	echoes(t, c, "\x81\x05after")
}

// slowClient sends a request byte by byte, and reads the answer so.
func (s *site) slowClient(t *testing.T) {
	t.Helper()
	c := s.dial(t, 80)
	for _, b := range []byte("POST /digest HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nConnection: close\r\n\r\nabc") {
		if _, err := c.Write([]byte{b}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(5 * time.Millisecond)
	}
	_ = c.SetDeadline(time.Now().Add(10 * time.Second))
	var all []byte
	for one := make([]byte, 1); ; time.Sleep(time.Millisecond) {
		n, err := c.Read(one)
		if all = append(all, one[:n]...); err != nil {
			break
		}
	}
	if !bytes.HasPrefix(all, []byte("HTTP/1.1 200 OK\r\n")) || !bytes.Contains(all, []byte("\r\n\r\n3 ba7816bf")) {
		t.Errorf("a slow client reads %q", all)
	}
}

// TestHTTP2Reload has clients keep connections of HTTP/2 while HAProxy is replaced again and again: each request is answered.
func TestHTTP2Reload(t *testing.T) {
	t.Parallel()
	s, a := tlsSite(t)
	node := s.Plug(t, s.net)
	serveWorkload(t, node, 8080, nil)
	s.lead(t, "TERMINATED_HTTPS", 443, object{"default_tls_container_ref": s.StoreSecret(t, "www", packed(t, a.Issue("www.example.com")))}, nil, 8080, node)
	s.WaitActive(t, s.lb.ID)
	client := s.browser(&tls.Config{RootCAs: a.Pool()})
	client.Transport.(*http.Transport).DisableKeepAlives = false
	t.Cleanup(client.CloseIdleConnections)
	var workers sync.WaitGroup
	var answered atomic.Int64
	stop := make(chan struct{})
	for range 4 {
		workers.Go(func() {
			for {
				select {
				case <-stop:
					return
				case <-time.After(2 * time.Millisecond):
				}
				resp, got, err := exchange(client, http.MethodPost, "https://www.example.com/digest", strings.NewReader("abc"))
				if err != nil || !strings.HasPrefix(got, "3 ba7816bf") || resp.Proto != "HTTP/2.0" {
					t.Errorf("a request gets %q, %v", got, err)
					return
				}
				answered.Add(1)
			}
		})
	}
	for i := range 8 {
		s.reload(t, 100+i)
		before := answered.Load()
		harness.Eventually(t, 10*time.Second, func() error {
			if n := answered.Load() - before; n < 50 {
				return fmt.Errorf("only %d requests are answered", n)
			}
			return nil
		})
	}
	close(stop)
	workers.Wait()
}
