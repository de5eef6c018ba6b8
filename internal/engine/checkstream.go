package engine

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"

	"golang.org/x/sys/unix"
)

// mostHeader bounds how much of an answer is read, in bytes.
const mostHeader = 64 << 10

func (q question) dial(ctx context.Context) (net.Conn, error) {
	w, err := q.connect(ctx, unix.SOCK_STREAM, 0)
	if err != nil {
		return nil, err
	}
	return w.stream(ctx)
}

// askTCP wants a connection.
func askTCP(ctx context.Context, q question) error {
	c, err := q.dial(ctx)
	if err != nil {
		return err
	}
	return c.Close()
}

// askHTTP wants one of the expected codes.
func askHTTP(ctx context.Context, q question) error {
	c, err := q.dial(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = c.Close() }()
	return q.request(c)
}

// askHTTPS is askHTTP over TLS. Who answers is not verified, as in Octavia's.
func askHTTPS(ctx context.Context, q question) error {
	c, err := q.handshake(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = c.Close() }()
	return q.request(c)
}

// askTLS wants a whole handshake.
func askTLS(ctx context.Context, q question) error {
	c, err := q.handshake(ctx)
	if err != nil {
		return err
	}
	return c.NetConn().Close()
}

func (q question) handshake(ctx context.Context) (*tls.Conn, error) {
	c, err := q.dial(ctx)
	if err != nil {
		return nil, err
	}
	// A member is asked whether it answers, not whether its TLS is any good.
	config := &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS10}
	for _, suite := range append(tls.CipherSuites(), tls.InsecureCipherSuites()...) {
		config.CipherSuites = append(config.CipherSuites, suite.ID)
	}
	if _, err := netip.ParseAddr(strings.Trim(q.check.HttpHost, "[]")); err != nil {
		config.ServerName = q.check.HttpHost
	}
	secured := tls.Client(c, config)
	if err := secured.HandshakeContext(ctx); err != nil {
		_ = c.Close()
		return nil, fmt.Errorf("TLS handshake: %w", err)
	}
	return secured, nil
}

// request sends the request and judges the answer's code.
func (q question) request(c io.ReadWriter) error {
	check := q.check
	version := check.HttpVersion
	if version == "" {
		version = "1.0"
	}
	text := check.HttpMethod + " " + check.HttpPath + " HTTP/" + version + "\r\n"
	if check.HttpHost != "" {
		text += "Host: " + check.HttpHost + "\r\n"
	}
	if _, err := io.WriteString(c, text+"Connection: close\r\n\r\n"); err != nil {
		return err
	}
	// As that to a HEAD, whose body nobody waits for.
	answer, err := http.ReadResponse(bufio.NewReader(io.LimitReader(c, mostHeader)), &http.Request{Method: http.MethodHead})
	if err != nil {
		return err
	}
	_ = answer.Body.Close()
	wanted, err := parseCodes(check.ExpectedCodes)
	if err != nil {
		return fmt.Errorf("%w: %w", errNotAsked, err)
	}
	if !wanted.contain(answer.StatusCode) {
		return fmt.Errorf("status %d", answer.StatusCode)
	}
	return nil
}
