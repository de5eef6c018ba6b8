package engine

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// A block is a section of a configuration as it is read back: the words of its header, and those of each line. A comment is one
// word that begins with a hash.
type block struct {
	head  []string
	lines [][]string
}

// readBack parses the text of a configuration, by HAProxy's manual (section 2.2, "Quoting and escaping") and apart from all that
// writes it. It refuses what HAProxy would expand, or would read on another line.
func readBack(text string) ([]block, error) {
	if !utf8.ValidString(text) {
		return nil, errors.New("it is not UTF-8")
	}
	var all []block
	for n, line := range strings.Split(strings.TrimSuffix(text, "\n"), "\n") {
		words, err := readLine(line)
		switch {
		case err != nil:
			return nil, fmt.Errorf("line %d, %q: %w", n+1, line, err)
		case len(words) == 0:
		case !strings.HasPrefix(line, " ") && !strings.HasPrefix(line, "#"):
			all = append(all, block{head: words})
		case len(all) == 0 && !strings.HasPrefix(line, "#"):
			return nil, fmt.Errorf("line %d, %q: in no section", n+1, line)
		case len(all) > 0:
			last := &all[len(all)-1]
			last.lines = append(last.lines, words)
		}
	}
	return all, nil
}

// readLine reads the words of a line.
func readLine(line string) (words []string, err error) {
	var word []byte
	begun, quote := false, byte(0)
	end := func() {
		if begun {
			words = append(words, string(word))
		}
		word, begun = word[:0], false
	}
	for i := 0; i < len(line); i++ {
		c := line[i]
		switch {
		case c < ' ' || c == 0x7f:
			return nil, fmt.Errorf("the control character %q", c)
		case quote == '\'':
			if c == quote {
				quote = 0
			} else {
				word = append(word, c)
			}
		case c == '\\' && i+1 == len(line):
			return nil, errors.New("it goes on in the next line")
		case c == '\\':
			i, begun = i+1, true
			word = append(word, line[i])
		case c == '"' && quote == '"':
			quote = 0
		case c == '"' || c == '\'' && quote == 0:
			begun, quote = true, c
		case c == '$' && quote == '"':
			return nil, errors.New("a variable")
		case quote == 0 && c == '#':
			end()
			return append(words, line[i:]), nil
		case quote == 0 && c == ' ':
			end()
		default:
			begun, word = true, append(word, c)
		}
	}
	if quote != 0 {
		return nil, errors.New("a quote is not closed")
	}
	end()
	return words, nil
}
