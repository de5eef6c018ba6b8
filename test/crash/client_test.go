package crash

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"plimsoll/test/harness"
)

// client asks the APIs as a patient program does: while the server is away it waits and asks again, and a creation of
// which the answer was lost is looked for by name before it is tried again.
type client struct {
	t      *testing.T
	server *harness.Server
	url    string // the server's, which it keeps over its starts
	token  string
}

// patience bounds how long one request is tried.
const patience = 60 * time.Second

type object map[string]any

// answer is what one try gave. Status 0 is no answer.
type answer struct {
	status int
	body   []byte
}

func (a answer) String() string { return fmt.Sprintf("%d %s", a.status, a.body) }

// in returns the object under an envelope's key.
func (a answer) in(t *testing.T, key string) object {
	t.Helper()
	var o map[string]object
	if err := json.Unmarshal(a.body, &o); err != nil {
		t.Fatalf("answer %v: %v", a, err)
	}
	return o[key]
}

// try sends one request, once.
func (c *client) try(method, path string, body any) answer {
	var text []byte
	if body != nil {
		var err error
		if text, err = json.Marshal(body); err != nil {
			c.t.Fatal(err)
		}
	}
	req, err := http.NewRequestWithContext(c.t.Context(), method, c.url+path, bytes.NewReader(text))
	if err != nil {
		c.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("X-Auth-Token", c.token)
	resp, err := httpClient.Do(req)
	if err != nil {
		return answer{}
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		return answer{}
	}
	if token := resp.Header.Get("X-Subject-Token"); token != "" {
		c.token = token
	}
	return answer{resp.StatusCode, data}
}

var httpClient = &http.Client{Timeout: 10 * time.Second}

// until tries until the answer has one of the statuses.
func (c *client) until(method, path string, body any, statuses ...int) answer {
	c.t.Helper()
	var last answer
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		last = c.try(method, path, body)
		for _, s := range statuses {
			if last.status == s {
				return last
			}
		}
		switch {
		case last.status == http.StatusUnauthorized && !strings.HasSuffix(path, "/auth/tokens"):
			c.logIn()
		case last.status >= 400 && last.status < 500 && last.status != http.StatusConflict:
			c.t.Fatalf("%s %s: %v", method, path, last)
		}
	}
	c.t.Fatalf("%s %s: for %v only %v", method, path, patience, last)
	return last
}

// logIn gets a token of project admin.
func (c *client) logIn() {
	env := map[string]string{}
	for _, pair := range c.server.Env() {
		name, value, _ := strings.Cut(pair, "=")
		env[name] = value
	}
	domain := object{"id": "default"}
	c.until(http.MethodPost, "/identity/v3/auth/tokens", object{"auth": object{
		"identity": object{"methods": []string{"password"}, "password": object{"user": object{
			"name": env["OS_USERNAME"], "password": env["OS_PASSWORD"], "domain": domain}}},
		"scope": object{"project": object{"name": env["OS_PROJECT_NAME"], "domain": domain}},
	}}, http.StatusCreated)
}

// create makes an object that has a name of its own, whatever dies meanwhile, and returns it.
func (c *client) create(collection, key, plural string, o object) object {
	c.t.Helper()
	return c.createKnown("name", collection, key, plural, o)
}

// createKnown is create of an object that is known by another attribute.
func (c *client) createKnown(by, collection, key, plural string, o object) object {
	c.t.Helper()
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if made := c.known(by, collection, plural, o[by].(string)); made != nil {
			return made
		}
		a := c.try(http.MethodPost, collection, object{key: o})
		switch {
		case a.status == http.StatusCreated:
			return a.in(c.t, key)
		case a.status == http.StatusUnauthorized:
			c.logIn()
		case a.status >= 400 && a.status < 500 && a.status != http.StatusConflict:
			c.t.Fatalf("POST %s: %v", collection, a)
		}
	}
	c.t.Fatalf("POST %s %v: not made within %v", collection, o, patience)
	return nil
}

// named returns the object of that name, or nil.
func (c *client) named(collection, plural, name string) object {
	c.t.Helper()
	return c.known("name", collection, plural, name)
}

// known returns the object of which an attribute has that value, or nil.
func (c *client) known(by, collection, plural, value string) object {
	c.t.Helper()
	a := c.until(http.MethodGet, collection+"?"+by+"="+value, nil, http.StatusOK)
	var list map[string]json.RawMessage
	var found []object
	if err := json.Unmarshal(a.body, &list); err != nil {
		c.t.Fatal(err)
	}
	if err := json.Unmarshal(list[plural], &found); err != nil {
		c.t.Fatal(err)
	}
	if len(found) == 0 {
		return nil
	}
	if len(found) > 1 {
		c.t.Fatalf("%s has %d of which the %s is %s", collection, len(found), by, value)
	}
	return found[0]
}

// update changes an object; doing it twice does no harm.
func (c *client) update(path, key string, o object) {
	c.t.Helper()
	c.until(http.MethodPut, path, object{key: o}, http.StatusOK)
}

// remove deletes an object and waits until it is gone.
func (c *client) remove(path string) {
	c.t.Helper()
	c.until(http.MethodDelete, path, nil, http.StatusNoContent, http.StatusNotFound, http.StatusConflict)
	one, _, _ := strings.Cut(path, "?")
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		a := c.try(http.MethodGet, one, nil)
		if a.status == http.StatusNotFound {
			return
		}
		if a.status == http.StatusUnauthorized {
			c.logIn()
			continue
		}
		if a.status == http.StatusOK && strings.Contains(one, "/networking/") {
			c.try(http.MethodDelete, path, nil) // a network in use answers 409 until its ports are gone
		}
	}
	c.t.Fatalf("%s is still there", one)
}
