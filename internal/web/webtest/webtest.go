// Package webtest sends the requests of the APIs' tests.
package webtest

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"testing"

	"plimsoll/internal/identity"
	"plimsoll/lbaas"
)

// Actors are the tokens that a server of a test knows, and whose they are.
type Actors map[string]*identity.Actor

// Authenticate returns the actor of a token; the error of any other token is lbaas.Unauthorized.
func (a Actors) Authenticate(_ context.Context, token string) (*identity.Actor, error) {
	if actor, ok := a[token]; ok {
		return actor, nil
	}
	return nil, lbaas.Errorf(lbaas.Unauthorized, "no such token")
}

// Request is what a test asks.
type Request struct {
	Method, URL string
	Token       string   // "" is none
	Body        any      // nil is none; a string goes as it is, all else as JSON
	Headers     []string // names and values by turns
}

// Answer is what the server said.
type Answer struct {
	Code   int
	Header http.Header
	Text   string
	Body   map[string]any // of a text that is a JSON object; else nil
}

// Send sends a request and reads its answer to the end. It follows no redirection.
func Send(t testing.TB, r Request) Answer {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), r.Method, r.URL, bytes.NewReader(encoded(t, r.Body)))
	if err != nil {
		t.Fatal(err)
	}
	if r.Body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if r.Token != "" {
		req.Header.Set("X-Auth-Token", r.Token)
	}
	for i := 0; i+1 < len(r.Headers); i += 2 {
		req.Header.Set(r.Headers[i], r.Headers[i+1])
	}
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	res, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	a := Answer{Code: res.StatusCode, Header: res.Header, Text: string(text)}
	_ = json.Unmarshal(text, &a.Body)
	return a
}

func encoded(t testing.TB, body any) []byte {
	t.Helper()
	switch b := body.(type) {
	case nil:
		return nil
	case string:
		return []byte(b)
	}
	data, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	return data
}
