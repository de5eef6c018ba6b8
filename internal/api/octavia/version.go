package octavia

import (
	"context"
	"fmt"
	"net/http"
	"strings"

	"plimsoll/internal/web"
)

// minors are the dates of the API's minor versions, 2.0 first. Clients take the last one as the current version.
var minors = []string{
	"2016-12-11T00:00:00Z", "2018-04-20T00:00:00Z", "2018-07-31T00:00:00Z", "2018-12-18T00:00:00Z", "2018-12-19T00:00:00Z",
	"2019-01-21T00:00:00Z", "2019-01-25T00:00:00Z", "2018-01-25T12:00:00Z", "2019-02-12T00:00:00Z", "2019-03-04T00:00:00Z",
	"2019-03-05T00:00:00Z", "2019-06-24T00:00:00Z", "2019-09-11T00:00:00Z", "2019-09-13T00:00:00Z", "2019-11-10T00:00:00Z",
	"2020-03-10T00:00:00Z", "2020-03-15T00:00:00Z", "2020-04-29T00:00:00Z", "2020-04-29T01:00:00Z", "2020-05-12T00:00:00Z",
	"2020-08-02T00:00:00Z", "2020-09-03T00:00:00Z", "2020-09-04T00:00:00Z", "2020-09-07T00:00:00Z", "2020-10-15T00:00:00Z",
	"2021-10-02T00:00:00Z", "2022-08-29T00:00:00Z", "2023-05-05T00:00:00Z", "2023-11-08T00:00:00Z", "2024-10-15T00:00:00Z",
	"2025-02-26T00:00:00Z",
}

type versionJSON struct {
	ID      string `json:"id"`
	Status  string `json:"status"`
	Updated string `json:"updated"`
	Links   []link `json:"links"`
}

// versions answers the versions document.
func (a *API) versions(_ context.Context, r *request) (web.Reply, error) {
	path, _, _ := strings.Cut(r.RequestURI, "?")
	self := web.BaseURL(r.Request.Request) + strings.TrimSuffix(path, "/") + "/v2"
	out := make([]versionJSON, len(minors))
	for i, updated := range minors {
		out[i] = versionJSON{fmt.Sprintf("v2.%d", i), "SUPPORTED", updated, []link{{self, "self"}}}
	}
	out[len(out)-1].Status = "CURRENT"
	return reply(http.StatusOK, "versions", out)
}

// version answers the root of v2, which is a bare JSON string.
func (a *API) version(context.Context, *request) (web.Reply, error) {
	return web.Reply{Status: http.StatusOK, Body: "v2"}, nil
}
