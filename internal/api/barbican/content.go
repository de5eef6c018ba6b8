package barbican

import (
	"encoding/base64"
	"errors"
	"io"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"plimsoll/internal/keymanager"
	"plimsoll/lbaas"
)

const (
	plainText = "text/plain"
	binary    = "application/octet-stream"
)

// contentTypes are what a payload may be. All but the first are bytes.
var contentTypes = [...]string{plainText, binary, "application/pkcs8", "application/pkix-cert"}

// contentType reads a content type, which for texts may name its charset if that is UTF-8; "" is none that a payload may have.
func contentType(text string) string {
	kind, parameters, err := mime.ParseMediaType(text)
	if err != nil || !slices.Contains(contentTypes[:], kind) {
		return ""
	}
	charset, ok := parameters["charset"]
	if ok && (kind != plainText || !strings.EqualFold(charset, "utf-8")) {
		return ""
	}
	return kind
}

// readPayload reads a payload in the body of a new secret; nil is none.
func (a *API) readPayload(b *body) (*keymanager.Payload, error) {
	if !b.has("payload") {
		if b.has("payload_content_type") {
			b.fail("payload", "payload must be provided when payload_content_type is specified")
		}
		return nil, b.err()
	}
	given := b.raw("payload")
	kind := b.textOrNull("payload_content_type")
	encoding := b.word("payload_content_encoding", "", []string{"base64"})
	switch p := contentType(kind); {
	case kind == "":
		b.fail("payload_content_type", "If 'payload' is supplied, 'payload_content_type' must also be supplied.")
	case p == "":
		b.fail("payload_content_type", "payload_content_type is not one of %s", listed(contentTypes[:]))
	case p == plainText && encoding != "":
		b.fail("payload_content_encoding", "payload_content_encoding must not be specified when payload_content_type is text/plain")
	case p != plainText && encoding == "":
		b.fail("payload_content_encoding", "payload_content_encoding must be specified when payload_content_type is %s", p)
	case strings.TrimSpace(given) == "":
		b.fail("payload", "If 'payload' specified, must be non empty")
	}
	if err := b.err(); err != nil {
		return nil, err
	}
	content := []byte(given)
	if encoding != "" {
		var err error
		if content, err = decode(given); err != nil || len(content) == 0 {
			return nil, mismatch(b.schema, "Invalid payload for payload_content_encoding", "payload")
		}
	}
	return a.bounded(content, contentType(kind))
}

// receivePayload reads a payload that is the body of a request.
func (a *API) receivePayload(r *request) (*keymanager.Payload, error) {
	kind := contentType(r.Header.Get("Content-Type"))
	if kind == "" {
		return nil, errMediaType
	}
	content, err := io.ReadAll(r.Body)
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return nil, errTooLarge
	case err != nil:
		return nil, err
	}
	switch encoding := strings.ToLower(r.Header.Get("Content-Encoding")); {
	case encoding == "" || encoding == "binary" && kind != plainText:
	case encoding == "base64" && kind != plainText:
		if content, err = decode(string(content)); err != nil {
			return nil, lbaas.Errorf(lbaas.Invalid, "%s issue seen - Unable to decode request data.", r.operation)
		}
	default:
		return nil, lbaas.Errorf(lbaas.Invalid, "%s issue seen - content-encoding of '%s' not supported.", r.operation, strings.ToValidUTF8(encoding, "?"))
	}
	if len(content) == 0 {
		return nil, lbaas.Errorf(lbaas.Invalid, "%s issue seen - No data supplied to process.", r.operation)
	}
	if kind == plainText && !utf8.Valid(content) {
		return nil, lbaas.Errorf(lbaas.Invalid, "%s issue seen - a payload of text/plain must be UTF-8.", r.operation)
	}
	return a.bounded(content, kind)
}

func (a *API) bounded(content []byte, kind string) (*keymanager.Payload, error) {
	if len(content) > a.maxSecret {
		return nil, errTooLarge
	}
	return &keymanager.Payload{Content: content, ContentType: kind}, nil
}

// decode reads base64, in which there may be line breaks.
func decode(text string) ([]byte, error) {
	return base64.StdEncoding.DecodeString(strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) {
			return -1
		}
		return r
	}, text))
}

// negotiate says as what a payload is given out: as what it is, if the client takes that, else as bytes, or as text if it is one.
func negotiate(headers []string, p *keymanager.Payload) (string, error) {
	candidates := []string{p.ContentType, binary}
	if utf8.Valid(p.Content) {
		candidates = append(candidates, plainText)
	}
	accept := strings.Join(headers, ",")
	if strings.TrimSpace(accept) == "" {
		return p.ContentType, nil
	}
	best, weight := "", 0.0
	for _, c := range candidates {
		if q := quality(accept, c); q > weight {
			best, weight = c, q
		}
	}
	if best == "" {
		return "", errAccept
	}
	return best, nil
}

// quality is how much an Accept header wants a content type, by the most specific of its ranges that match (RFC 9110, section 12.5.1).
func quality(accept, kind string) float64 {
	major, _, _ := strings.Cut(kind, "/")
	q, rank := 0.0, -1
	for item := range strings.SplitSeq(accept, ",") {
		asked, parameters, err := mime.ParseMediaType(item)
		at := slices.Index([]string{"*/*", major + "/*", kind}, asked)
		if err != nil || at <= rank {
			continue
		}
		rank, q = at, 1
		if text, ok := parameters["q"]; ok {
			if q, err = strconv.ParseFloat(text, 64); err != nil || q < 0 || q > 1 {
				q = 0
			}
		}
	}
	return q
}

// wantsPayload tells whether a GET of a secret asks for its payload, which Barbican still allows, and not for what is known of it.
func wantsPayload(r *http.Request) bool {
	accept := strings.TrimSpace(strings.Join(r.Header.Values("Accept"), ","))
	return accept != "" && quality(accept, "application/json") == 0
}
