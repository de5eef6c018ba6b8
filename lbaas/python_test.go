package lbaas

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
)

// pythonCases are texts and the JSON of what Python's ast.literal_eval makes of them; "" is an error, there or here.
var pythonCases = [][2]string{
	{"", ""},
	{"{", ""},
	{"{,}", ""},
	{"{'a'}", ""},
	{"{'a' 1}", ""},
	{"{'a': 1 'b': 2}", ""},
	{"{1: 2}", ""},
	{"{'a': 1} x", ""},
	{"{'a': b}", ""},
	{"{'a': true}", ""},
	{"[1 2]", ""},
	{"(", ""},
	{"'a", ""},
	{"'a\n'", ""},
	{"'a\x00'", ""},
	{"'\xff'", ""},
	{`'\x1'`, ""},
	{`'\u12'`, ""},
	{`'\ud800'`, ""},
	{`'\U00110000'`, ""},
	{`'\N{DASH}'`, ""},
	{`'\`, ""},
	{`'''a'''`, ""},
	{"b'a'", ""},
	{"01", ""},
	{"1e999", ""},
	{"1.2.3", ""},
	{"0x10", ""},
	{"nan", ""},
	{"__import__('os')", ""},
	{"'a' + 'b'", ""},
	{strings.Repeat("[", 40) + strings.Repeat("]", 40), ""},

	{"{}", `{}`},
	{"{'vrf_context_per_subnet': 'True'}", `{"vrf_context_per_subnet":"True"}`},
	{"{'se_group_ref': '/api/serviceenginegroup?name=se-group-1'}", `{"se_group_ref":"/api/serviceenginegroup?name=se-group-1"}`},
	{"{u'a': True, \"b\": False, 'c': None,}", `{"a":true,"b":false,"c":null}`},
	{" { 'a' :\n[ 1 , -2.5 , +3 , 1e3 , .5 , 1. ,] } ", `{"a":[1,-2.5,3,1000,0.5,1]}`},
	{"(1)", `1`},
	{"(1,)", `[1]`},
	{"()", `[]`},
	{"(1, ('a'), [])", `[1,"a",[]]`},
	{"{'a': 1, 'a': {'b': 2}}", `{"a":{"b":2}}`},
	{"'a' \"b\"'c'", `"abc"`},
	{`'it\'s \\ "\n\t\x41\101\u00e9\U0001F600\q'`, `"it's \\ \"\n\tAAé😀\\q"`},
	{"'a\\\nb'", `"ab"`},
	{`r'\d\'' R"\x"`, `"\\d\\'\\x"`},
	{"'é'", `"é"`},
	{"''", `""`},
	{"123456789012345678901234567890", `123456789012345678901234567890`},
	{"None", `null`},
}

func TestParsePython(t *testing.T) {
	for _, test := range pythonCases {
		v, err := ParsePython(test[0])
		if (err != nil) != (test[1] == "") {
			t.Errorf("%q: %v, %v", test[0], v, err)
			continue
		}
		if err != nil {
			continue
		}
		var got, want any
		text, err := json.Marshal(v)
		if err != nil || json.Unmarshal(text, &got) != nil || json.Unmarshal([]byte(test[1]), &want) != nil || !reflect.DeepEqual(want, got) {
			t.Errorf("%q: %s, want %s (%v)", test[0], text, test[1], err)
		}
	}
}

// FuzzParsePython shows that whatever is read has JSON, which reads as the same.
func FuzzParsePython(f *testing.F) {
	for _, test := range pythonCases {
		f.Add(test[0])
	}
	f.Fuzz(func(t *testing.T, text string) {
		v, err := ParsePython(text)
		if err != nil {
			return
		}
		out, err := json.Marshal(v)
		if err != nil {
			t.Fatalf("%q has no JSON: %v", text, err)
		}
		d := json.NewDecoder(strings.NewReader(string(out)))
		d.UseNumber()
		var back any
		if err := d.Decode(&back); err != nil || !reflect.DeepEqual(v, back) {
			t.Errorf("%q: %#v, and back %#v: %v", text, v, back, err)
		}
	})
}
