package web

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"

	"plimsoll/lbaas"
)

// Call is an operation of one API that another one of the same process asks for: under the same rules as over HTTP, but without it, and
// with errors that are still what they were.
type Call struct {
	On     *Request          // on whose behalf: the actor, the id and the log of the request that led to it
	Method string            // as in the table of routes
	Path   string            // the pattern of a route below the API's root: "/pools/{pool}/members/{id}"
	Values map[string]string // what stands where the pattern has names
	Query  url.Values        // nil is none
	Body   any               // goes as JSON; nil is none

	// Before looks at the load balancer's tree in the transaction that changes it, before anything else does, and may put parts of it
	// that are to change too; what it refuses is not done. It may be run more than once. Nil looks at nothing.
	Before func(lb *lbaas.LoadBalancer, put func(...lbaas.Part) error) error

	// Names are what pools of a new tree are really called, by the names that tell them apart in the Body.
	Names map[string]string
}

// Request is the call as a handler sees it.
func (c *Call) Request(ctx context.Context) (*Request, error) {
	hr := &http.Request{
		Method: c.Method, URL: &url.URL{Path: c.Path}, RequestURI: c.Path, Header: http.Header{}, Body: http.NoBody,
	}
	if c.Body != nil {
		data, err := json.Marshal(c.Body)
		if err != nil {
			return nil, fmt.Errorf("write the body of %s %s: %w", c.Method, c.Path, err)
		}
		hr.Body = io.NopCloser(bytes.NewReader(data))
	}
	for name, value := range c.Values {
		hr.SetPathValue(name, value)
	}
	query := c.Query
	if query == nil {
		query = url.Values{}
	}
	return &Request{Request: hr.WithContext(ctx), ID: c.On.ID, Actor: c.On.Actor, Query: query, Log: c.On.Log}, nil
}
