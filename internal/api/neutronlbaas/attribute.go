package neutronlbaas

import (
	"encoding/json"
	"fmt"
	"math"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/google/uuid"

	"plimsoll/internal/network"
	"plimsoll/internal/web"
	"plimsoll/lbaas"
)

// access says in which requests an attribute may stand.
type access int

const (
	shown      access = iota // in none
	postOnly                 // in a POST
	postAndPut               // in both
)

// attribute is one of a noun's.
type attribute struct {
	access   access
	required bool   // in a POST
	read     reader // nil where access is shown
	filter   string // what lists call it in the store; "" is no filter
	asked    reader // reads the values that lists are filtered by, where not every text is one; nil takes all
}

// reader reads the value of an attribute; its error is Neutron's.
type reader func(name string, raw json.RawMessage) (any, error)

// quoted is a value as messages show it: texts bare, null as None, the rest as JSON.
func quoted(raw json.RawMessage) string {
	var text string
	switch {
	case string(raw) == "null":
		return "None"
	case json.Unmarshal(raw, &text) == nil:
		return strings.ReplaceAll(text, "\x00", `\x00`)
	}
	return string(raw)
}

// text reads a text of at most that many characters.
func text(limit int) reader {
	return func(name string, raw json.RawMessage) (any, error) {
		var s string
		if string(raw) == "null" || json.Unmarshal(raw, &s) != nil || !clean(s) {
			return nil, invalid(name, "'%s' is not a valid string", quoted(raw))
		}
		if utf8.RuneCountInString(s) > limit {
			return nil, invalid(name, "'%s' exceeds maximum length of %d", s, limit)
		}
		return s, nil
	}
}

// orNone reads null as such, and all else as read does.
func orNone(read reader) reader {
	return func(name string, raw json.RawMessage) (any, error) {
		if string(raw) == "null" {
			return nil, nil
		}
		return read(name, raw)
	}
}

// clean tells whether a database may be asked for a text: it is UTF-8 and holds no zero byte.
func clean(s string) bool { return utf8.ValidString(s) && !strings.ContainsRune(s, 0) }

// boolean reads a boolean in any of the forms that Neutron takes.
func boolean(_ string, raw json.RawMessage) (any, error) { return network.ParseBoolean(quoted(raw)) }

// number reads a whole number of any size.
func number(_ string, raw json.RawMessage) (any, error) { return whole(raw) }

// whole reads a whole number, which may be written as a text. One that no attribute may be is cut short.
func whole(raw json.RawMessage) (int, error) {
	n, err := strconv.ParseFloat(strings.TrimSpace(quoted(raw)), 64)
	if err != nil || n != math.Trunc(n) || math.IsInf(n, 0) {
		return 0, network.InvalidInput("'%s' is not an integer", quoted(raw))
	}
	return int(min(max(n, math.MinInt32-1), math.MaxInt32+1)), nil
}

// between reads a number within bounds.
func between(low, high int) reader {
	return func(name string, raw json.RawMessage) (any, error) {
		n, err := whole(raw)
		switch {
		case err != nil:
			return nil, err
		case n < low:
			return nil, invalid(name, "'%s' is too small - must be at least '%d'", quoted(raw), low)
		case n > high:
			return nil, invalid(name, "'%s' is too large - must be no larger than '%d'", quoted(raw), high)
		}
		return n, nil
	}
}

// seconds reads a number that is not negative.
func seconds(name string, raw json.RawMessage) (any, error) {
	n, err := whole(raw)
	if err == nil && n < 0 {
		return nil, invalid(name, "'%s' should be non-negative", quoted(raw))
	}
	return kept(name, raw, n, err)
}

// kept refuses a number that neutron-lbaas' database does not hold.
func kept(name string, raw json.RawMessage, n int, err error) (any, error) {
	if err == nil && n > math.MaxInt32 {
		return nil, invalid(name, "'%s' is not a valid value, because it is more than %d", quoted(raw), math.MaxInt32)
	}
	return n, err
}

// connections reads a limit of connections, of which -1 is none.
func connections(name string, raw json.RawMessage) (any, error) {
	n, err := whole(raw)
	if err == nil && n < lbaas.NoLimit {
		return nil, invalid(name, "'%s' is not a valid value, because it cannot be less than %d", quoted(raw), lbaas.NoLimit)
	}
	return kept(name, raw, n, err)
}

// oneOf reads one of several words.
func oneOf[T ~string](words ...T) reader {
	return func(name string, raw json.RawMessage) (any, error) {
		var s string
		if string(raw) == "null" || json.Unmarshal(raw, &s) != nil || !slices.Contains(words, T(s)) {
			return nil, invalid(name, "'%s' is not in %s", quoted(raw), pythonList(words))
		}
		return s, nil
	}
}

// pythonList writes words as Neutron's messages do.
func pythonList[T ~string](words []T) string {
	texts := make([]string, len(words))
	for i, w := range words {
		texts[i] = "'" + string(w) + "'"
	}
	return "[" + strings.Join(texts, ", ") + "]"
}

// id reads the id of another object.
func id(name string, raw json.RawMessage) (any, error) {
	s := quoted(raw)
	if !isUUID(s) {
		return nil, invalid(name, "'%s' is not a valid UUID", s)
	}
	return s, nil
}

func isUUID(text string) bool { return len(text) == 36 && uuid.Validate(text) == nil }

// address reads an IP address.
func address(name string, raw json.RawMessage) (any, error) {
	a, err := netip.ParseAddr(quoted(raw))
	if err != nil || a.Zone() != "" {
		return nil, invalid(name, "'%s' is not a valid IP address", quoted(raw))
	}
	return a.String(), nil
}

// matching reads a text that fits a pattern.
func matching(pattern *regexp.Regexp) reader {
	return func(name string, raw json.RawMessage) (any, error) {
		var s string
		if string(raw) == "null" || json.Unmarshal(raw, &s) != nil || !clean(s) || !pattern.MatchString(s) {
			return nil, invalid(name, "'%s' is not a valid input", quoted(raw))
		}
		return s, nil
	}
}

// texts reads a list of texts of at most that many characters each. Null is an empty one, and a text by itself the list of it.
func texts(limit int) reader {
	return func(name string, raw json.RawMessage) (any, error) {
		if string(raw) == "null" {
			return []string{}, nil
		}
		var items []json.RawMessage
		if json.Unmarshal(raw, &items) != nil {
			items = []json.RawMessage{raw}
		}
		list := make([]string, len(items))
		for i, item := range items {
			s, err := text(limit)(name, item)
			if err != nil {
				return nil, err
			}
			list[i] = s.(string)
		}
		return list, nil
	}
}

// persistence reads session_persistence, of which null and an empty object are none. In words of Octavia's that is null.
func persistence(name string, raw json.RawMessage) (any, error) {
	o, err := web.ParseObject(raw)
	if err != nil {
		return nil, invalid(name, "'%s' is not a dictionary", quoted(raw))
	}
	if len(o) == 0 {
		return nil, nil
	}
	for key := range o {
		if key != "type" && key != "cookie_name" {
			return nil, invalid(name, "Unexpected keys supplied: %s", key)
		}
	}
	raw, ok := o["type"]
	if !ok {
		return nil, invalid(name, "Expected keys not found: type")
	}
	kind, err := oneOf(lbaas.PersistSourceIP, lbaas.PersistHTTPCookie, lbaas.PersistAppCookie)(name, raw)
	if err != nil {
		return nil, err
	}
	return persistenceOf(name, kind.(string), o["cookie_name"])
}

func persistenceOf(name, kind string, raw json.RawMessage) (any, error) {
	cookie := ""
	if raw != nil && string(raw) != "null" {
		s, err := text(lbaas.MaxName)(name, raw)
		if err != nil {
			return nil, err
		}
		cookie = s.(string)
	}
	app := kind == string(lbaas.PersistAppCookie)
	switch {
	case app && cookie == "":
		return nil, badPersistence("'cookie_name' should be specified for %s session persistence.", kind)
	case !app && raw != nil && string(raw) != "null":
		return nil, badPersistence("'cookie_name' is not allowed for %s session persistence", kind)
	case app:
		return map[string]any{"type": kind, "cookie_name": cookie}, nil
	}
	return map[string]any{"type": kind}, nil
}

func badPersistence(format string, args ...any) error {
	return failure(lbaas.Invalid, "SessionPersistenceConfigurationInvalid", "Session Persistence Invalid: %s", fmt.Sprintf(format, args...))
}
