package avitest

import (
	"encoding/json"
	"net/http"
	"net/url"
)

// A call is one request about objects, after the face has settled that its session is good.
type call struct {
	Method     string     // GET, POST, PUT, PATCH or DELETE
	Kind       string     // the type in the path: "pool"
	UUID       string     // empty: the collection
	Action     string     // what follows the uuid in the path: "gc"; empty otherwise
	Query      url.Values // of the URL
	Tenant     string     // X-Avi-Tenant: a name, "*", or empty
	TenantUUID string     // X-Avi-Tenant-UUID, or empty
	Slug       string     // Slug: the uuid that the client chose
	Version    string     // X-Avi-Version as sent; empty means 16.4.2
	Base       string     // "https://127.0.0.1:8443": how answered references begin
	Body       []byte
}

// An answer is what a call is answered with. Body is nil where nothing is sent.
type answer struct {
	Status int
	Header http.Header
	Body   []byte
}

// jsonAnswer answers with v as JSON.
func jsonAnswer(status int, v any) answer {
	body, err := json.Marshal(v)
	if err != nil {
		return failure(http.StatusInternalServerError, "Bad pb: "+err.Error())
	}
	h := http.Header{}
	h.Set("Content-Type", "application/json")
	return answer{Status: status, Header: h, Body: body}
}

// failure answers with the controller's usual error body.
func failure(status int, text string) answer {
	return jsonAnswer(status, map[string]any{"error": text})
}

// detail answers as the controller's framework does, for what never reaches the object model.
func detail(status int, text string) answer {
	return jsonAnswer(status, map[string]any{"detail": text})
}

// A refusal is an error that is answered with a status and the controller's words.
type refusal struct {
	status int
	text   string
}

func (r *refusal) Error() string { return r.text }
