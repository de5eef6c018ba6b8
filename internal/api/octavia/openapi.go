package octavia

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"plimsoll/internal/policy"
	"plimsoll/internal/web"
)

// The OpenAPI document is made from the table of routes: the bodies of requests by running the functions that read them over
// a form that notes what it is asked for, the answers from the structs that are marshalled. So it says what the code does.

// document says of a route what the table does not.
type document struct {
	summary string
	request *schema // of the body, its envelope included; nil: there is none
	status  int     // of success
	answer  *schema // of the answer's body; nil: there is none
	list    bool    // it takes the query arguments of lists
	fields  bool    // it takes the query argument fields
}

// bodyOf is the schema of a request: an envelope of one key.
func bodyOf(argument, key string, create bool, read func(*form)) *schema {
	return enveloped(key, requestSchema(argument+"."+key, create, read))
}

// answerOf is the schema of an answer that holds one object.
func answerOf[T any](key string) *schema { return enveloped(key, answerSchema(reflect.TypeFor[T]())) }

func enveloped(key string, inner *schema) *schema {
	s := objectSchema()
	s.Properties[key] = inner
	s.require(key)
	return s
}

// listOfAnswers is the schema of an answer that holds a page of a list.
func listOfAnswers[T any](key, linksKey string) *schema {
	item := answerSchema(reflect.TypeFor[T]())
	item.Required = nil // the query argument fields leaves out what is not named
	s := enveloped(key, &schema{Type: "array", Items: item})
	if linksKey != "" {
		s.Properties[linksKey] = &schema{Type: "array", Items: answerSchema(reflect.TypeFor[link]())}
		s.require(linksKey)
	}
	return s
}

// The parts of OpenAPI 3.1 that the document consists of.

type openAPI struct {
	OpenAPI    string                           `json:"openapi"`
	Info       openAPIInfo                      `json:"info"`
	Servers    []openAPIServer                  `json:"servers"`
	Security   []map[string][]string            `json:"security"`
	Paths      map[string]map[string]*operation `json:"paths"`
	Components openAPIComponents                `json:"components"`
}

type openAPIInfo struct {
	Title       string `json:"title"`
	Version     string `json:"version"`
	Description string `json:"description"`
}

type openAPIServer struct {
	URL         string `json:"url"`
	Description string `json:"description"`
}

type openAPIComponents struct {
	Schemas         map[string]*schema        `json:"schemas"`
	SecuritySchemes map[string]securityScheme `json:"securitySchemes"`
}

type securityScheme struct {
	Type string `json:"type"`
	In   string `json:"in"`
	Name string `json:"name"`
}

type operation struct {
	ID          string                  `json:"operationId"`
	Summary     string                  `json:"summary"`
	Description string                  `json:"description,omitempty"`
	Parameters  []parameter             `json:"parameters,omitempty"`
	RequestBody *openAPIBody            `json:"requestBody,omitempty"`
	Responses   map[string]openAPIReply `json:"responses"`
	Security    *[]map[string][]string  `json:"security,omitempty"`
}

type parameter struct {
	Name        string  `json:"name"`
	In          string  `json:"in"`
	Description string  `json:"description,omitempty"`
	Required    bool    `json:"required,omitempty"`
	Schema      *schema `json:"schema"`
}

type openAPIBody struct {
	Required bool                 `json:"required"`
	Content  map[string]mediaType `json:"content"`
}

type mediaType struct {
	Schema *schema `json:"schema"`
}

type openAPIReply struct {
	Description string               `json:"description"`
	Content     map[string]mediaType `json:"content,omitempty"`
}

func jsonOf(s *schema) map[string]mediaType {
	return map[string]mediaType{"application/json": {Schema: s}}
}

// describe answers the document. It is open to everybody, as the versions are, so it is made once.
func (a *API) describe(_ context.Context, r *request) (web.Reply, error) {
	text, err := a.described()
	if err != nil {
		return web.Reply{}, err
	}
	url, err := json.Marshal(web.BaseURL(r.Request.Request) + mountedAt(r.RequestURI))
	return web.Reply{Status: http.StatusOK, Body: web.Stream(func(w io.Writer) error {
		for _, part := range [...][]byte{text.before, url, text.after} {
			if _, err := w.Write(part); err != nil {
				return err
			}
		}
		return nil
	})}, err
}

// openAPIText is the document as it is written, but for the URL of the server, which stands between both parts.
type openAPIText struct{ before, after []byte }

func (a *API) openAPIText() (openAPIText, error) {
	const server = `"the server"`
	text, err := json.Marshal(a.openAPI(strings.Trim(server, `"`)))
	if err != nil {
		return openAPIText{}, fmt.Errorf("write the OpenAPI document: %w", err)
	}
	before, after, _ := bytes.Cut(text, []byte(server))
	return openAPIText{before, after}, nil
}

// mountedAt is what the API is mounted under: what stands in a client's URL before the document's own path.
func mountedAt(uri string) string {
	path, _, _ := strings.Cut(uri, "?")
	return strings.TrimSuffix(strings.TrimSuffix(path, "/"), openAPIPath)
}

const openAPIPath = "/openapi.json"

// openAPI is the document of the API that is reached under a URL.
func (a *API) openAPI(url string) openAPI {
	doc := openAPI{
		OpenAPI: "3.1.0",
		Info: openAPIInfo{
			Title: "Plimsoll: load balancing, OpenStack LBaaS v2", Version: fmt.Sprintf("2.%d", len(minors)-1),
			Description: "Octavia's API. Paths are also served under /v2.0, and with or without /lbaas; every path may end in .json.",
		},
		Servers:  []openAPIServer{{URL: url, Description: "This server."}},
		Security: []map[string][]string{{"token": {}}},
		Paths:    map[string]map[string]*operation{},
		Components: openAPIComponents{
			Schemas:         map[string]*schema{"fault": answerSchema(reflect.TypeFor[faultJSON]())},
			SecuritySchemes: map[string]securityScheme{"token": {Type: "apiKey", In: "header", Name: "X-Auth-Token"}},
		},
	}
	documents := a.documents()
	for _, at := range []struct {
		root string
		rows []row
	}{{"/v2/lbaas", a.table()}, {"/v2/octavia", a.amphoraRows()}} {
		for _, row := range at.rows {
			d, ok := documents[row.method+" "+row.path]
			if !ok {
				continue // a path that only refuses
			}
			path := at.root + row.path
			if doc.Paths[path] == nil {
				doc.Paths[path] = map[string]*operation{}
			}
			doc.Paths[path][strings.ToLower(row.method)] = operationOf(row, d)
		}
	}
	return doc
}

func operationOf(r row, d document) *operation {
	o := &operation{
		ID: operationID(r), Summary: d.summary, Parameters: parametersOf(r, d),
		Responses: map[string]openAPIReply{
			strconv.Itoa(d.status): {Description: http.StatusText(d.status)},
			"default":              {Description: "A fault.", Content: jsonOf(&schema{Ref: "#/components/schemas/fault"})},
		},
	}
	if r.rule != "" {
		o.Description = "Policy: " + policy.Prefix + r.rule
	}
	if d.request != nil {
		o.RequestBody = &openAPIBody{Required: true, Content: jsonOf(d.request)}
	}
	if d.answer != nil {
		o.Responses[strconv.Itoa(d.status)] = openAPIReply{Description: http.StatusText(d.status), Content: jsonOf(d.answer)}
	}
	return o
}

// operationID is the method and the words of the path: get-loadbalancers-id-stats.
func operationID(r row) string {
	words := strings.FieldsFunc(r.path, func(c rune) bool { return strings.ContainsRune("/{}", c) })
	return strings.ToLower(r.method) + "-" + strings.Join(words, "-")
}

func parametersOf(r row, d document) []parameter {
	var out []parameter
	for _, part := range strings.Split(r.path, "/") {
		if name, ok := strings.CutPrefix(part, "{"); ok {
			out = append(out, parameter{Name: strings.TrimSuffix(name, "}"), In: "path", Required: true, Schema: &schema{Type: "string"}})
		}
	}
	for _, name := range r.arguments {
		out = append(out, parameter{Name: name, In: "query", Schema: &schema{Type: "boolean"}})
	}
	arguments := map[string]string{}
	if d.fields || d.list {
		arguments["fields"] = "An attribute to answer with; may be given several times. Without it all are."
	}
	if d.list {
		maps.Copy(arguments, listArguments)
	}
	for _, name := range slices.Sorted(maps.Keys(arguments)) {
		out = append(out, parameter{Name: name, In: "query", Description: arguments[name], Schema: &schema{Type: "string"}})
	}
	return out
}

// listArguments are the query arguments that all lists take, beside one for each attribute that has a single value: equality.
var listArguments = map[string]string{
	"limit":        "The rows of a page, at most.",
	"marker":       "The id of the last row of the page before.",
	"page_reverse": "True for the page before the marker.",
	"sort":         "Keys with their directions: name:asc,created_at:desc.",
	"sort_key":     "Keys, where sort is not given.",
	"sort_dir":     "Their directions.",
	"tags":         "Rows that have all of these tags.",
	"tags-any":     "Rows that have any of these tags.",
	"not-tags":     "Rows that do not have all of these tags.",
	"not-tags-any": "Rows that have none of these tags.",
}
