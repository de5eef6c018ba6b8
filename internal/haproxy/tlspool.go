package haproxy

import (
	"slices"
	"strings"

	"plimsoll/lbaas"
)

// poolSecrets are what a pool needs before it can serve.
func poolSecrets(p *lbaas.Pool) []secret {
	if !p.TLSEnabled {
		return nil
	}
	var all []secret
	if p.TLSContainerRef != "" {
		all = append(all, certificate(p.TLSContainerRef))
	}
	if p.CATLSContainerRef != "" {
		all = append(all, authorities(p.CATLSContainerRef))
		if p.CRLContainerRef != "" {
			all = append(all, revocations(p.CRLContainerRef))
		}
	}
	return all
}

// reach are the words for how a copy's servers are connected to, by all of them alike.
func (c *poolCopy) reach() []string {
	words := c.proxy()
	if c.pool.TLSEnabled {
		words = append(words, c.tls()...)
	}
	return words
}

// proxy tells the servers of PROXY and PROXYV2 pools who the client is.
func (c *poolCopy) proxy() []string {
	switch c.pool.Protocol {
	case lbaas.Proxy:
		return []string{"send-proxy"}
	case lbaas.ProxyV2:
		return []string{"send-proxy-v2"}
	}
	return nil
}

// tls are the words for TLS to the servers. Their certificates are verified where the pool says by which authorities.
func (c *poolCopy) tls() []string {
	p, words := c.pool, []string{"ssl"}
	if p.TLSContainerRef != "" {
		words = append(words, "crt", certificate(p.TLSContainerRef).word())
	}
	if p.CATLSContainerRef == "" {
		words = append(words, "verify", "none")
	} else {
		words = append(words, "ca-file", authorities(p.CATLSContainerRef).word(), "verify", "required")
		if p.CRLContainerRef != "" {
			words = append(words, "crl-file", revocations(p.CRLContainerRef).word())
		}
	}
	if sni := c.sni(); sni != "" {
		words = append(words, "sni", sni)
	}
	words = append(words, cryptography(p.TLSVersions, p.TLSCiphers)...)
	if alpn := c.alpn(); len(alpn) > 0 {
		words = append(words, "alpn", Quote(strings.Join(alpn, ",")))
	}
	return words
}

// sni is the name that servers are asked for: that which the client asked for by TLS. Clients of a plain listener only have
// their Host, and HAProxy would hold it against the server's certificate too, though nobody said that members have certificates
// for the names that are balanced; so it is not sent where certificates are verified.
func (c *poolCopy) sni() string {
	switch {
	case c.listener.Protocol == lbaas.TerminatedHTTPS:
		return sniOfClient
	case mode(c.listener.Protocol) == "http" && c.pool.CATLSContainerRef == "":
		return sniOfHost
	}
	return ""
}

// Expressions for the name that servers are asked for.
const (
	sniOfClient = "ssl_fc_sni"
	sniOfHost   = "req.hdr(host),host_only"
)

// ServerNames are the expressions that Render has for the names that servers are asked for by TLS.
func ServerNames() []string { return []string{sniOfClient, sniOfHost} }

// alpn are the protocols that servers are offered. A listener that passes bytes passes those of HTTP/1, or of none.
func (c *poolCopy) alpn() []string {
	if mode(c.listener.Protocol) == "http" {
		return c.pool.ALPNProtocols
	}
	return slices.DeleteFunc(slices.Clone(c.pool.ALPNProtocols), func(p string) bool { return p == "h2" })
}
