package topology

import (
	"cmp"
	"strings"
	"unicode"
)

// maxName is how wide a name is at most, in columns: what is wider ends with an ellipsis.
const maxName = 40

// printable is a text as it may be shown: what would move the cursor, turn the direction of writing or end a line is replaced.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return unicode.ReplacementChar
		}
		return r
	}, strings.ToValidUTF8(text, string(unicode.ReplacementChar)))
}

// called is how an object is named: by its name, or by its id where it has none.
func called(name, id string) string { return cut(printable(cmp.Or(name, id)), maxName) }

// cut shortens a text to so many columns.
func cut(text string, most int) string {
	if width(text) <= most {
		return text
	}
	var b strings.Builder
	n := 0
	for _, r := range text {
		if n += columns(r); n > most-1 {
			break
		}
		b.WriteRune(r)
	}
	return b.String() + "…"
}

// width is how many columns of a terminal a text takes.
func width(text string) int {
	n := 0
	for _, r := range text {
		n += columns(r)
	}
	return n
}

func columns(r rune) int {
	switch {
	case unicode.Is(unicode.Mn, r):
		return 0
	case unicode.In(r, unicode.Han, unicode.Hangul, unicode.Hiragana, unicode.Katakana), r >= 0xFF01 && r <= 0xFF60, r >= 0x1F300 && r <= 0x1FAFF:
		return 2
	}
	return 1
}

// joined puts what is not empty into one line.
func joined(parts ...string) string {
	var some []string
	for _, p := range parts {
		if p != "" {
			some = append(some, p)
		}
	}
	return strings.Join(some, "  ")
}

// prefixed is a text behind a word, or nothing where there is no text.
func prefixed(word, text string) string {
	if text == "" {
		return ""
	}
	return word + " " + printable(text)
}

func when(holds bool, text string) string {
	if holds {
		return text
	}
	return ""
}
