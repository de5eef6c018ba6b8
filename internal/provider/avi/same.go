package avi

import (
	"bytes"
	"encoding/json"
	"encoding/pem"
	"net/netip"
	"strconv"
	"strings"

	"plimsoll/internal/provider/avi/controller"
	"plimsoll/internal/provider/avi/translate"
)

// same tells whether the value of a field is as it is wanted. What is not said is zero: the controller leaves such fields out.
func same(field string, known, wanted any) bool {
	if zero(known) || zero(wanted) {
		return zero(known) && zero(wanted)
	}
	k, ok1 := known.(string)
	w, ok2 := wanted.(string)
	if !ok1 || !ok2 {
		return equal(known, wanted)
	}
	switch {
	case k == w:
		return true
	case isRef(field):
		return sameRef(k, w)
	case field == "addr":
		return address(k) == address(w)
	case field == certificateText:
		return samePEM(k, w)
	}
	return false
}

// samePEM compares what two PEM texts hold: a controller may write the text anew.
func samePEM(a, b string) bool {
	first, _ := pem.Decode([]byte(a))
	second, _ := pem.Decode([]byte(b))
	if first == nil || second == nil {
		return strings.TrimSpace(a) == strings.TrimSpace(b)
	}
	return first.Type == second.Type && bytes.Equal(first.Bytes, second.Bytes)
}

// equal compares what are not two texts: numbers come as several types.
func equal(known, wanted any) bool {
	if n := numeral(known); n != "" {
		return n == numeral(wanted)
	}
	k, ok1 := known.(bool)
	w, ok2 := wanted.(bool)
	return ok1 && ok2 && k == w
}

// isRef tells whether a field, or an element of it, refers to an object.
func isRef(field string) bool {
	return strings.HasSuffix(field, "_ref") || strings.HasSuffix(field, "_refs")
}

// sameRef tells whether a reference, as the controller answers it, leads to where it is wanted to lead.
func sameRef(known, wanted string) bool {
	_, uuid, name := translate.ParseRef(known)
	_, wantUUID, wantName := translate.ParseRef(wanted)
	if wantUUID != "" {
		return uuid == wantUUID
	}
	return name != "" && name == wantName
}

// zero tells whether a value is as if it were not there.
func zero(v any) bool {
	switch v := v.(type) {
	case nil:
		return true
	case string:
		return v == ""
	case bool:
		return !v
	case []any:
		return len(v) == 0
	case map[string]any:
		return len(v) == 0
	}
	return numeral(v) == "0"
}

// numeral is a number as text, the same for all types that numbers come as; "" is none.
func numeral(v any) string {
	switch v := v.(type) {
	case int:
		return strconv.Itoa(v)
	case int64:
		return strconv.FormatInt(v, 10)
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	case json.Number:
		if f, err := v.Float64(); err == nil && strings.ContainsAny(v.String(), ".eE") {
			return strconv.FormatFloat(f, 'f', -1, 64)
		}
		return v.String()
	}
	return ""
}

// address is an IP address in the one way in which it is written.
func address(v any) string {
	text, _ := v.(string)
	if a, err := netip.ParseAddr(text); err == nil {
		return a.String()
	}
	return text
}

// learn completes an answer to a write with what only the request said: the names of what references lead to, which not every
// answer has, and the text of a certificate. So the next comparison is not misled.
func learn(answer, sent controller.Object) controller.Object {
	o, _ := learned("", answer, sent).(map[string]any)
	return o
}

func learned(field string, answer, sent any) any {
	switch a := answer.(type) {
	case map[string]any:
		s, _ := sent.(map[string]any)
		return learnedFields(a, s)
	case []any:
		s, _ := sent.([]any)
		return learnedList(field, a, s)
	case string:
		if s, ok := sent.(string); ok && isRef(field) {
			return named(a, s)
		}
	}
	return answer
}

func learnedFields(answer, sent map[string]any) map[string]any {
	o := make(map[string]any, len(answer))
	for field, v := range answer {
		o[field] = learned(field, v, sent[field])
	}
	if text, ok := sent[certificateText].(string); ok && o[certificateText] == nil {
		o[certificateText] = text
	}
	return o
}

// learnedList takes it that the controller keeps the order, and learns nothing where it dropped or added elements.
func learnedList(field string, answer, sent []any) []any {
	if len(answer) != len(sent) {
		return answer
	}
	list := make([]any, len(answer))
	for i := range answer {
		list[i] = learned(field, answer[i], sent[i])
	}
	return list
}

// named is a reference with the name of what it leads to, where one of both has it and both lead to the same, or the one that was
// sent was a name alone, which the controller then found.
func named(answer, sent string) string {
	_, uuid, has := translate.ParseRef(answer)
	_, sentUUID, name := translate.ParseRef(sent)
	if has != "" || name == "" || sentUUID != "" && sentUUID != uuid {
		return answer
	}
	return answer + "#" + name
}
