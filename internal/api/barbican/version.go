package barbican

import (
	"context"
	"net/http"
	"strconv"
	"strings"

	"plimsoll/internal/web"
)

// versionHeader is how a client says which minor version it speaks: "key-manager 1.1". Version 1.1 tells the consumers of a secret.
const versionHeader = "OpenStack-API-Version"

const (
	service   = "key-manager"
	lastMinor = 1
)

// minorOf reads the header, in which there may be the versions of other services; without ours it is 1.0.
func minorOf(headers []string) (int, error) {
	for item := range strings.SplitSeq(strings.Join(headers, ","), ",") {
		words := strings.Fields(item)
		if len(words) != 2 || !strings.EqualFold(words[0], service) {
			continue
		}
		if words[1] == "latest" {
			return lastMinor, nil
		}
		for minor := range lastMinor + 1 {
			if words[1] == versionText(minor) {
				return minor, nil
			}
		}
		return 0, errVersion
	}
	return 0, nil
}

func versionText(minor int) string { return "1." + strconv.Itoa(minor) }

// spoken adds to an answer which version it speaks.
func spoken(reply web.Reply, minor int) web.Reply {
	if reply.Header == nil {
		reply.Header = http.Header{}
	}
	reply.Header.Set(versionHeader, service+" "+versionText(minor))
	reply.Header.Set("Vary", versionHeader)
	return reply
}

// versions answers the root. The document has another form in version 1.1, as Barbican's has.
func (a *API) versions(_ context.Context, r *request) (web.Reply, error) {
	var body any = []any{versionBody(r)}
	if r.minor == 0 {
		body = map[string]any{"values": body}
	}
	return web.Reply{Status: http.StatusMultipleChoices, Body: map[string]any{"versions": body}}, nil
}

func (a *API) version(_ context.Context, r *request) (web.Reply, error) {
	return web.Reply{Status: http.StatusOK, Body: map[string]any{"version": versionBody(r)}}, nil
}

func versionBody(r *request) map[string]any {
	body := map[string]any{
		"id": "v1", "status": "CURRENT", "min_version": versionText(0), "max_version": versionText(lastMinor),
		"links": []any{
			map[string]any{"rel": "self", "href": r.root() + "/v1/"},
			map[string]any{"rel": "describedby", "type": "text/html", "href": "https://docs.openstack.org/"},
		},
	}
	if r.minor > 0 {
		return body
	}
	delete(body, "min_version")
	delete(body, "max_version")
	body["status"] = "stable"
	body["media-types"] = []any{map[string]any{"base": "application/json", "type": "application/vnd.openstack.key-manager-v1+json"}}
	return body
}
