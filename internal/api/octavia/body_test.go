package octavia

import "testing"

func TestUnicodeText(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"\"\xff\"", "\"\xed\xa0\x80\"", "\"\xc0\x80\"", `"\ud800"`, `"\udc00"`, `"\uDC00\uD800"`, `"\ud800x"`, `"\ud800\n"`, `"\ud800\ud800\udc00"`,
		`"\\\ud800"`, `"\ud83d\ude00\ud83d"`, `{"\udfff":1}`,
	} {
		if unicodeText([]byte(text)) {
			t.Errorf("%q is taken for text", text)
		}
	}
	for _, text := range []string{
		"", `""`, `{}`, `"é😀"`, "\"\ufffd\"", `"\ufffd"`, `"\ud83d\ude00"`, `"\uD83D\uDE00\n"`, `"\\ud800"`, `"\\\\udc00\""`, `"\u00e9\u0000\b\\"`, `["\\","\ud83d\ude00"]`,
	} {
		if !unicodeText([]byte(text)) {
			t.Errorf("%q is not taken for text", text)
		}
	}
}
