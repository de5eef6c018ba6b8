package neutron

import (
	"context"
	"strconv"
	"strings"

	"plimsoll/internal/network"
	"plimsoll/internal/store"
	"plimsoll/internal/web"
)

// asRevised returns a context with which the object of the path is changed only while it has the revision that the request's If-Match
// names, as "revision_number=5". Other entity tags are nothing to Neutron.
func (r *resource) asRevised(ctx context.Context, req *web.Request) (context.Context, error) {
	named := false
	for tag := range strings.SplitSeq(strings.Join(req.Header.Values("If-Match"), ","), ",") {
		text, ok := strings.CutPrefix(strings.Trim(strings.TrimSpace(tag), `"`), "revision_number=")
		if !ok {
			continue
		}
		revision, err := strconv.ParseInt(text, 10, 64)
		switch _, known := r.spec["revision_number"]; {
		case err != nil:
			return nil, network.BadRequest("if-match", "Revision number etag must be in the format of revision_number=<int>")
		case named:
			return nil, network.BadRequest("if-match", "Multiple revision_number etags are not supported")
		case !known:
			return nil, network.BadRequest(r.plural, "Revision matching not supported for this resource")
		}
		named, ctx = true, store.IfRevision(ctx, r.name, req.PathValue("id"), revision)
	}
	return ctx, nil
}
