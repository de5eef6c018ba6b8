package octavia

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"time"

	"plimsoll/internal/web"
	"plimsoll/lbaas"
)

// ref is how an object names another one.
type ref struct {
	ID string `json:"id"`
}

func refs(ids []string) []ref {
	out := make([]ref, len(ids))
	for i, id := range ids {
		out[i] = ref{id}
	}
	return out
}

// refTo is the list of one id that children use for their parent.
func refTo(id string) []ref { return []ref{{id}} }

func partRefs[T lbaas.Part](parts []T) []ref {
	out := make([]ref, len(parts))
	for i, p := range parts {
		out[i] = ref{p.Base().ID}
	}
	return out
}

// objectJSON is what nearly all nouns have in answers.
type objectJSON struct {
	basicJSON
	Name         string `json:"name"`
	AdminStateUp bool   `json:"admin_state_up"`
}

// basicJSON is what all nouns have in answers.
type basicJSON struct {
	ID                 string                   `json:"id"`
	ProjectID          string                   `json:"project_id"`
	TenantID           string                   `json:"tenant_id"`
	ProvisioningStatus lbaas.ProvisioningStatus `json:"provisioning_status"`
	OperatingStatus    lbaas.OperatingStatus    `json:"operating_status"`
	CreatedAt          *string                  `json:"created_at"`
	UpdatedAt          *string                  `json:"updated_at"`
	Tags               []string                 `json:"tags"`
	StatusReason       *string                  `json:"status_reason,omitempty"` // an extension: only where it was asked for
}

func objectOf(o *lbaas.Object, v view) objectJSON {
	return objectJSON{basicOf(o, v), o.Name, o.AdminStateUp}
}

func basicOf(o *lbaas.Object, v view) basicJSON {
	j := basicJSON{
		ID: o.ID, ProjectID: o.ProjectID, TenantID: o.ProjectID,
		ProvisioningStatus: o.Progress.Status(), OperatingStatus: o.Operating,
		CreatedAt: moment(o.CreatedAt), UpdatedAt: moment(o.UpdatedAt), Tags: list(o.Tags),
	}
	if v.with(extensionStatusReason) {
		j.StatusReason = &o.Progress.Reason
	}
	return j
}

// moment writes a time as the API does: UTC, without a zone and without fractions. The zero time is null.
func moment(t time.Time) *string {
	if t.IsZero() {
		return nil
	}
	s := t.UTC().Format("2006-01-02T15:04:05")
	return &s
}

// list is never null.
func list(s []string) []string {
	if s == nil {
		return []string{}
	}
	return s
}

// orNull is null for "".
func orNull[T ~string](s T) *T {
	if s == "" {
		return nil
	}
	return &s
}

// someOrNull is null for an empty list.
func someOrNull(s []string) []string {
	if len(s) == 0 {
		return nil
	}
	return s
}

func orNullInt(n int) *int {
	if n == 0 {
		return nil
	}
	return &n
}

// view is what of an answer was asked for.
type view struct {
	fields     []string // none is all
	extensions []string // those that were asked for, each once: lists look here for every row
}

// extensionsHeader names extensions that the client wants in its answers.
const extensionsHeader = "X-Plimsoll-Extensions"

func viewOf(r *web.Request) view {
	v := view{fields: r.Query["fields"]}
	for _, e := range extensions() { // asked for by the field that it adds, or by its name in the header
		if slices.Contains(v.fields, e.Alias) || extended(r, e.Alias) {
			v.extensions = append(v.extensions, e.Alias)
		}
	}
	return v
}

// with tells whether an extension was asked for.
func (v view) with(alias string) bool { return slices.Contains(v.extensions, alias) }

// extended tells whether the request's header names an extension.
func extended(r *web.Request, alias string) bool {
	for _, header := range r.Header.Values(extensionsHeader) {
		for name := range strings.SplitSeq(header, ",") {
			if strings.TrimSpace(name) == alias {
				return true
			}
		}
	}
	return false
}

// of drops the attributes that were not asked for.
func (v view) of(answer any) any {
	if len(v.fields) == 0 {
		return answer
	}
	data, err := json.Marshal(answer)
	if err != nil {
		return answer // it will fail again where it is written, and be told there
	}
	all, err := web.ParseObject(data)
	if err != nil {
		return answer
	}
	for attribute := range all {
		if !slices.Contains(v.fields, attribute) {
			delete(all, attribute)
		}
	}
	return all
}

func reply(status int, key string, body any) (web.Reply, error) {
	return web.Reply{Status: status, Body: map[string]any{key: body}}, nil
}

func noContent() (web.Reply, error) { return web.Reply{Status: http.StatusNoContent}, nil }
