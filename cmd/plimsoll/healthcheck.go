package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"
)

// healthAge is how old what is known of the database may be: not every question is worth asking it.
const healthAge = 5 * time.Second

// health answers as Octavia's health check does: OK, or 503 with the reason.
type health struct {
	ping func(context.Context) error // asks the database

	mu    sync.Mutex
	asked time.Time
	err   error
}

// ServeHTTP answers as plain text, JSON or HTML, whichever comes first in what the client accepts.
func (c *health) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	code, reason := http.StatusOK, "OK"
	if c.check(r.Context()) != nil {
		code, reason = http.StatusServiceUnavailable, "The database does not answer."
	}
	kind, body := healthAnswer(r.Header.Get("Accept"), reason)
	w.Header().Set("Content-Type", kind)
	w.Header().Set("X-Openstack-Request-Id", "req-"+uuid.NewString())
	w.WriteHeader(code)
	_, _ = w.Write(body)
}

// check asks, unless it did so a moment ago.
func (c *health) check(ctx context.Context) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.asked.IsZero() && time.Since(c.asked) < healthAge {
		return c.err
	}
	// Not the client's context: the answer is for the next one, too.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
	defer cancel()
	c.err = c.ping(ctx)
	c.asked = time.Now()
	return c.err
}

func healthAnswer(accept, reason string) (kind string, body []byte) {
	for item := range strings.SplitSeq(accept, ",") {
		kind, _, _ := strings.Cut(strings.TrimSpace(item), ";")
		switch kind {
		case "text/plain", "*/*", "text/*":
			return "text/plain; charset=utf-8", []byte(reason)
		case "application/json", "application/*":
			body, _ := json.Marshal(map[string]any{"detailed": false, "reasons": []string{reason}})
			return "application/json", body
		case "text/html":
			const page = "<!DOCTYPE html>\n<html><head><title>Healthcheck Status</title></head><body><table border=\"1\">" +
				"<tr><th>Reason</th></tr><tr><td>%s</td></tr></table></body></html>\n"
			return "text/html; charset=utf-8", fmt.Appendf(nil, page, reason)
		}
	}
	return "text/plain; charset=utf-8", []byte(reason)
}
