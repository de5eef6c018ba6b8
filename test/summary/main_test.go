package main

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestSummarise(t *testing.T) {
	const passing = `{"Action":"run","Package":"p","Test":"TestA"}
{"Action":"output","Package":"p","Test":"TestA","Output":"chatter\n"}
{"Action":"pass","Package":"p","Test":"TestA"}
{"Action":"output","Package":"p","Output":"PASS\n"}
{"Action":"output","Package":"p","Output":"ok  \tp\t0.1s\n"}
{"Action":"pass","Package":"p"}
`
	for _, test := range []struct {
		name, in, out string
		well          bool
	}{
		{"bad nothing ran", "", "0 passed, 0 failed\n", false},
		{
			"bad failed test",
			`{"Action":"output","Package":"p","Test":"TestA","Output":"why\n"}
{"Action":"fail","Package":"p","Test":"TestA"}
{"Action":"output","Package":"p","Output":"FAIL\n"}
{"Action":"output","Package":"p","Output":"FAIL\tp\t0.1s\n"}
{"Action":"fail","Package":"p"}
`, "p\nwhy\nFAIL\tp\t0.1s\nFAILED p\n0 passed, 1 failed\n", false,
		},
		{
			"bad skipped test", passing + `{"Action":"output","Package":"q","Test":"TestB","Output":"needs root\n"}
{"Action":"skip","Package":"q","Test":"TestB"}
{"Action":"pass","Package":"q"}
`, "ok  \tp\t0.1s\nSKIPPED q TestB\nneeds root\n1 passed, 0 failed, 1 skipped\n", false,
		},
		{
			"bad build", passing + `{"Action":"build-output","ImportPath":"q","Output":"x.go:1: no\n"}
{"Action":"build-fail","ImportPath":"q"}
{"Action":"output","Package":"q","Output":"FAIL\tq [build failed]\n"}
{"Action":"fail","Package":"q"}
`, "ok  \tp\t0.1s\nx.go:1: no\nFAIL\tq [build failed]\nFAILED q\n1 passed, 1 failed\n", false,
		},
		{
			"bad crash", passing + `{"Action":"output","Package":"q","Test":"TestB","Output":"panic\n"}
{"Action":"fail","Package":"q"}
`, "ok  \tp\t0.1s\nq TestB did not end\npanic\nFAILED q\n1 passed, 1 failed\n", false,
		},
		{"package without tests", passing + `{"Action":"skip","Package":"q"}` + "\n", "ok  \tp\t0.1s\n1 passed, 0 failed\n", true},
		{"other text", passing + "go: warning\n", "ok  \tp\t0.1s\ngo: warning\n1 passed, 0 failed\n", true},
	} {
		var out strings.Builder
		well := summarise(strings.NewReader(test.in), &out)
		if well != test.well {
			t.Errorf("%s: summarise gives %v", test.name, well)
		}
		if diff := cmp.Diff(test.out, out.String()); diff != "" {
			t.Errorf("%s: summarise (-want +got):\n%s", test.name, diff)
		}
	}
}
