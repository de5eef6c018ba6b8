package neutron

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"unicode/utf8"

	"plimsoll/internal/web"
	"plimsoll/lbaas"
)

// maxTag is how long a tag may be, and maxTags how many an object may have.
const (
	maxTag  = 255
	maxTags = 50
)

func (r *resource) handleTags(ctx context.Context, req *web.Request) (web.Reply, error) {
	tags, err := r.tagsOf(ctx, req)
	if err != nil {
		return web.Reply{}, err
	}
	return web.Reply{Status: http.StatusOK, Body: map[string]any{"tags": tags}}, nil
}

func (r *resource) tagsOf(ctx context.Context, req *web.Request) ([]string, error) {
	if err := mayRead(req.Actor, "get_"+r.plural+"_tags"); err != nil {
		return nil, err
	}
	v, err := r.see(ctx, req.Actor, req.PathValue("id"))
	if err != nil {
		return nil, err
	}
	return v["tags"].([]string), nil
}

func (r *resource) handleHasTag(ctx context.Context, req *web.Request) (web.Reply, error) {
	tags, err := r.tagsOf(ctx, req)
	if err != nil {
		return web.Reply{}, err
	}
	if tag := req.PathValue("tag"); !slices.Contains(tags, tag) {
		return web.Reply{}, tagNotFound(tag)
	}
	return web.Reply{Status: http.StatusNoContent}, nil
}

func tagNotFound(tag string) error {
	return &lbaas.Error{Kind: lbaas.NotFound, Type: "TagNotFound", Text: "Tag " + tag + " could not be found."}
}

func (r *resource) handleSetTags(ctx context.Context, req *web.Request) (web.Reply, error) {
	o, err := readObject(req)
	if err != nil {
		return web.Reply{}, err
	}
	var tags []string
	if raw, ok := o["tags"]; !ok || len(o) != 1 || json.Unmarshal(raw, &tags) != nil || tags == nil {
		return web.Reply{}, badRequest("Invalid tags body")
	}
	tags, err = cleanTags(tags)
	if err != nil {
		return web.Reply{}, err
	}
	tags, err = r.changeTags(ctx, req, "update", func([]string) ([]string, error) { return tags, nil })
	if err != nil {
		return web.Reply{}, err
	}
	return web.Reply{Status: http.StatusOK, Body: map[string]any{"tags": tags}}, nil
}

func (r *resource) handleClearTags(ctx context.Context, req *web.Request) (web.Reply, error) {
	_, err := r.changeTags(ctx, req, "delete", func([]string) ([]string, error) { return nil, nil })
	return web.Reply{Status: http.StatusNoContent}, err
}

func (r *resource) handleAddTag(ctx context.Context, req *web.Request) (web.Reply, error) {
	tag := req.PathValue("tag")
	_, err := r.changeTags(ctx, req, "update", func(tags []string) ([]string, error) { return cleanTags(append(tags, tag)) })
	return web.Reply{Status: http.StatusCreated}, err
}

func (r *resource) handleRemoveTag(ctx context.Context, req *web.Request) (web.Reply, error) {
	tag := req.PathValue("tag")
	_, err := r.changeTags(ctx, req, "delete", func(tags []string) ([]string, error) {
		if !slices.Contains(tags, tag) {
			return nil, tagNotFound(tag)
		}
		return slices.DeleteFunc(tags, func(t string) bool { return t == tag }), nil
	})
	return web.Reply{Status: http.StatusNoContent}, err
}

func (r *resource) changeTags(ctx context.Context, req *web.Request, verb string, fn func([]string) ([]string, error)) ([]string, error) {
	id := req.PathValue("id")
	if err := r.mayChange(ctx, req.Actor, id, verb+"_"+r.plural+"_tags"); err != nil {
		return nil, err
	}
	ctx, err := r.asRevised(ctx, req)
	if err != nil {
		return nil, err
	}
	tags, err := r.retag(ctx, req.Actor, id, fn)
	return listed(tags), err
}

// cleanTags checks tags, and sorts them with each once.
func cleanTags(tags []string) ([]string, error) {
	for _, tag := range tags {
		if tag == "" || utf8.RuneCountInString(tag) > maxTag || !clean(tag) {
			return nil, invalid("tags", "'%s' is not a valid tag: it must have 1 to %d characters", tag, maxTag)
		}
	}
	slices.Sort(tags)
	tags = slices.Compact(tags)
	if len(tags) > maxTags {
		return nil, invalid("tags", "an object may have at most %d tags", maxTags)
	}
	return tags, nil
}
