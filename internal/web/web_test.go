package web

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"plimsoll/internal/identity"
	"plimsoll/lbaas"
)

type oneToken struct{}

func (oneToken) Authenticate(_ context.Context, token string) (*identity.Actor, error) {
	if token != "good" {
		return nil, lbaas.Errorf(lbaas.Unauthorized, "no")
	}
	return &identity.Actor{UserID: "u"}, nil
}

// testAPI answers what the tests ask, and logs to log.
func testAPI(log io.Writer) http.Handler {
	faults := map[error]int{MethodNotAllowed: 405, ErrBodyTooLarge: 413, ErrMediaType: 415, lbaas.NotFound: 404, lbaas.Invalid: 400, lbaas.Unsupported: 501}
	api := &API{
		Name: "test", Auth: oneToken{}, Log: slog.New(slog.NewTextHandler(log, nil)),
		Fault: func(err error, r *Request) Reply {
			if errors.Is(err, lbaas.Unauthorized) {
				return Unauthenticated(r)
			}
			for kind, status := range faults {
				if errors.Is(err, kind) {
					return Reply{Status: status, Body: err.Error()}
				}
			}
			return Reply{Status: 500, Body: "internal"}
		},
		Routes: []Route{
			{Method: "GET", Path: "/open", Open: true, Handle: func(_ context.Context, r *Request) (Reply, error) {
				return Reply{Status: 200, Body: r.Query, Header: http.Header{"X-Extra": {"yes"}}}, nil
			}},
			{Method: "GET", Path: "/who", Handle: func(_ context.Context, r *Request) (Reply, error) {
				return Reply{Status: 200, Body: r.Actor.UserID}, nil
			}},
			{Method: "POST", Path: "/who", Handle: func(_ context.Context, r *Request) (Reply, error) {
				data, err := ReadBody(r)
				return Reply{Status: 201, Body: string(data)}, err
			}},
			{Method: "GET", Path: "/panic", Open: true, Handle: func(context.Context, *Request) (Reply, error) { panic("secret") }},
			{Method: "GET", Path: "/broken", Open: true, Handle: func(context.Context, *Request) (Reply, error) {
				return Reply{}, errors.New("secret")
			}},
			{Method: "GET", Path: "/lacking", Open: true, Handle: func(context.Context, *Request) (Reply, error) {
				return Reply{}, lbaas.Errorf(lbaas.Unsupported, "not here")
			}},
			{Method: "GET", Path: "/bad-json", Open: true, Handle: func(context.Context, *Request) (Reply, error) {
				return Reply{Status: 200, Body: func() {}}, nil
			}},
			{Method: "GET", Path: "/stream", Open: true, Handle: func(context.Context, *Request) (Reply, error) {
				return Reply{Status: 200, Body: pieced("[1,", "2]")}, nil
			}},
			{Method: "GET", Path: "/cut", Open: true, Handle: func(context.Context, *Request) (Reply, error) {
				return Reply{Status: 200, Body: pieced("[1,", "2]", "")}, nil
			}},
			{Method: "GET", Path: "/raw", Open: true, Handle: func(context.Context, *Request) (Reply, error) {
				return Reply{Status: 200, Body: Raw{"text/plain", []byte("raw")}}, nil
			}},
			{Method: "DELETE", Path: "/open", Open: true, Handle: func(context.Context, *Request) (Reply, error) {
				return Reply{Status: 204}, nil
			}},
		},
	}
	return api.Handler()
}

// pieced writes texts; an empty one fails.
func pieced(texts ...string) Stream {
	return func(w io.Writer) error {
		for _, text := range texts {
			if text == "" {
				return errors.New("secret")
			}
			if _, err := io.WriteString(w, text); err != nil {
				return err
			}
		}
		return nil
	}
}

// TestStreamThatFails sees a connection that is broken off, so that nobody takes what came for the whole.
func TestStreamThatFails(t *testing.T) {
	var log bytes.Buffer
	server := httptest.NewServer(testAPI(&log))
	res, err := http.Get(server.URL + "/cut")
	if err == nil {
		_, err = io.ReadAll(res.Body)
		_ = res.Body.Close()
	}
	server.Close() // after which nobody writes to the log
	if err == nil {
		t.Error("an answer that was cut off reads like a whole one")
	}
	if !strings.Contains(log.String(), "answer broken off") {
		t.Errorf("log %q", log.String())
	}
}

func TestHandler(t *testing.T) {
	tests := []struct {
		name, method, path, token, contentType, body string
		status                                       int
		answer                                       string
		logged                                       bool // that something is wrong
	}{
		{"bad path", "GET", "/nothing", "", "", "", 404, `"The resource could not be found."`, false},
		{"bad method", "PUT", "/open", "", "", "", 405, `"method not allowed"`, false},
		{"bad token", "GET", "/who", "bad", "", "", 401, `{"error":{"code":401,"message":"The request you have made requires authentication.","title":"Unauthorized"}}`, false},
		{"bad query", "GET", "/open?x=%zz", "", "", "", 400, `"The query string cannot be read: invalid URL escape \"%zz\""`, false},
		{"bad size", "POST", "/who", "good", "application/json", strings.Repeat("x", MaxBody+1), 413, `"request body too large"`, false},
		{"bad type", "POST", "/who", "good", "text/plain", "x", 415, `"unsupported media type"`, false},
		{"panic", "GET", "/panic", "", "", "", 500, `"internal"`, true},
		{"error", "GET", "/broken", "", "", "", 500, `"internal"`, true},
		{"unsupported", "GET", "/lacking", "", "", "", 501, `"not here"`, false},
		{"no JSON", "GET", "/bad-json", "", "", "", 500, ``, true},
		{"open", "GET", "/open?a=b", "", "", "", 200, `{"a":["b"]}`, false},
		{"slash", "GET", "/open/", "", "", "", 200, `{}`, false},
		{"slashes", "GET", "//open//", "", "", "", 200, `{}`, false},
		{"dots", "GET", "/nothing/../open", "", "", "", 200, `{}`, false},
		{"suffix", "GET", "/open.json", "", "", "", 200, `{}`, false},
		{"HEAD", "HEAD", "/open", "", "", "", 200, ``, false},
		{"stream", "GET", "/stream", "", "", "", 200, `[1,2]`, false},
		{"HEAD of a stream", "HEAD", "/stream", "", "", "", 200, ``, false},
		{"raw", "GET", "/raw", "", "", "", 200, `raw`, false},
		{"HEAD of what is raw", "HEAD", "/raw", "", "", "", 200, ``, false},
		{"nothing", "DELETE", "/open", "", "", "", 204, ``, false},
		{"token", "GET", "/who", "good", "", "", 200, `"u"`, false},
		{"body", "POST", "/who", "good", "application/json; charset=utf-8", "{}", 201, `"{}"`, false},
		{"body of no type", "POST", "/who", "good", "", strings.Repeat("x", MaxBody), 201, `"` + strings.Repeat("x", MaxBody) + `"`, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var log bytes.Buffer
			r := httptest.NewRequest(test.method, test.path, strings.NewReader(test.body))
			r.Header.Set("X-Auth-Token", test.token)
			r.Header.Set("Content-Type", test.contentType)
			w := httptest.NewRecorder()
			testAPI(&log).ServeHTTP(w, r)
			if w.Code != test.status || w.Body.String() != test.answer {
				t.Errorf("%d %.200s\nwant %d %.200s", w.Code, w.Body, test.status, test.answer)
			}
			if id := w.Header().Get("X-Openstack-Request-Id"); !strings.HasPrefix(id, "req-") {
				t.Errorf("the request id is %q", id)
			}
			if logged := strings.Contains(log.String(), "level=ERROR"); logged != test.logged {
				t.Errorf("log %q", log.String())
			}
			if strings.Contains(w.Body.String(), "secret") {
				t.Errorf("the answer %s tells a secret", w.Body)
			}
		})
	}
}

func TestHeaders(t *testing.T) {
	w := httptest.NewRecorder()
	testAPI(io.Discard).ServeHTTP(w, httptest.NewRequest(http.MethodPatch, "/who", nil))
	if allow := w.Header().Get("Allow"); allow != "GET, POST" {
		t.Errorf("Allow is %q", allow)
	}
	w = httptest.NewRecorder()
	testAPI(io.Discard).ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/open", nil))
	if w.Header().Get("X-Extra") != "yes" || w.Header().Get("Content-Type") != "application/json" {
		t.Errorf("headers %v", w.Header())
	}
	w = httptest.NewRecorder()
	testAPI(io.Discard).ServeHTTP(w, httptest.NewRequest(http.MethodGet, "http://cloud:9876/who", nil))
	if got := w.Header().Get("WWW-Authenticate"); got != `Keystone uri="http://cloud:9876/identity"` {
		t.Errorf("WWW-Authenticate is %q", got)
	}
	proxied := httptest.NewRequest(http.MethodGet, "http://cloud/who", nil)
	proxied.Header.Set("X-Forwarded-Proto", "https")
	if got := BaseURL(proxied); got != "https://cloud" {
		t.Errorf("BaseURL is %q", got)
	}
}

func TestGlobalRequestID(t *testing.T) {
	const id = "req-5e2e5e5e-0000-4000-8000-000000000000"
	for given, want := range map[string]string{
		"": "", "5e2e5e5e-0000-4000-8000-000000000000": "", "req-x\nlevel=ERROR": "", id + "0": "",
		"req-5e2e5e5e000040008000000000000000": "", id: "global_request_id=" + id,
	} {
		var log bytes.Buffer
		r := httptest.NewRequest(http.MethodGet, "/broken", nil)
		r.Header["X-Openstack-Request-Id"] = []string{given}
		w := httptest.NewRecorder()
		testAPI(&log).ServeHTTP(w, r)
		if got := log.String(); strings.Contains(got, "global_request_id") != (want != "") || !strings.Contains(got, want) {
			t.Errorf("for the id %q the log has %q", given, got)
		}
		if got := w.Header().Get("X-Openstack-Request-Id"); got == id || !strings.HasPrefix(got, "req-") {
			t.Errorf("the answer's own id is %q", got)
		}
	}
}

func TestMaxBody(t *testing.T) {
	api := &API{
		Auth: oneToken{}, Log: slog.New(slog.DiscardHandler), MaxBody: 3,
		Fault: func(error, *Request) Reply { return Reply{Status: 413} },
		Routes: []Route{{Method: "POST", Path: "/x", Open: true, Handle: func(_ context.Context, r *Request) (Reply, error) {
			_, err := ReadBody(r)
			return Reply{Status: 201}, err
		}}},
	}
	for body, want := range map[string]int{"123": 201, "1234": 413} {
		w := httptest.NewRecorder()
		api.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/x", strings.NewReader(body)))
		if w.Code != want {
			t.Errorf("a body of %d bytes: %d, want %d", len(body), w.Code, want)
		}
	}
}

func TestField(t *testing.T) {
	type body struct {
		A, B, C Field[int]
		D       Field[string]
	}
	var got body
	if err := json.Unmarshal([]byte(`{"a":5,"b":null,"d":"x"}`), &got); err != nil {
		t.Fatal(err)
	}
	want := body{A: Field[int]{Set: true, Value: 5}, B: Field[int]{Set: true, Null: true}, D: Field[string]{Set: true, Value: "x"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got.A.Or(7) != 5 || got.B.Or(7) != 7 || got.C.Or(7) != 7 || got.B.Given() || !got.A.Given() {
		t.Errorf("%+v", got)
	}
	if err := json.Unmarshal([]byte(`{"a":"x"}`), &got); err == nil {
		t.Error("text is taken for a number")
	}
}

func TestParseObject(t *testing.T) {
	for _, bad := range []string{"", "[]", "5", `"x"`, `{"a"}`, `{} {}`, `{}x`, `{} }`} {
		if o, err := ParseObject([]byte(bad)); err == nil {
			t.Errorf("ParseObject(%q) = %v", bad, o)
		}
	}
	o, err := ParseObject([]byte(`{"a":1,"b":{},"c":null,"d":2}`))
	if err != nil {
		t.Fatal(err)
	}
	want := Object{"a": json.RawMessage("1"), "b": json.RawMessage("{}"), "c": json.RawMessage("null"), "d": json.RawMessage("2")}
	if diff := cmp.Diff(want, o); diff != "" {
		t.Errorf("ParseObject (-want +got):\n%s", diff)
	}
}
