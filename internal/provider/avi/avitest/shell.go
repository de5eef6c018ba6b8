package avitest

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Table prints objects as the controller's shell lists them: their names and UUIDs.
func Table(objects []map[string]any) string {
	rows := make([][2]string, 0, len(objects))
	for _, o := range objects {
		rows = append(rows, [2]string{text(o, "name"), text(o, "uuid")})
	}
	return grid("Name", "UUID", rows)
}

// Detail prints an object as the controller's shell shows it: field by field, those of nested objects indented, references as the
// names of what they refer to (which need include_name).
func Detail(o map[string]any) string {
	return grid("Field", "Value", shellRows(o, ""))
}

// grid draws a table of two columns.
func grid(left, right string, rows [][2]string) string {
	width := [2]int{len(left), len(right)}
	for i := range rows {
		for column, cell := range rows[i] {
			rows[i][column] = printable(cell)
			width[column] = max(width[column], utf8.RuneCountInString(rows[i][column]))
		}
	}
	line := "+" + strings.Repeat("-", width[0]+2) + "+" + strings.Repeat("-", width[1]+2) + "+\n"
	var b strings.Builder
	row := func(cells [2]string) {
		fmt.Fprintf(&b, "| %s | %s |\n", pad(cells[0], width[0]), pad(cells[1], width[1]))
	}
	b.WriteString(line)
	row([2]string{left, right})
	b.WriteString(line)
	for _, cells := range rows {
		row(cells)
	}
	b.WriteString(line)
	return b.String()
}

func pad(s string, width int) string {
	return s + strings.Repeat(" ", width-utf8.RuneCountInString(s))
}

// printable keeps users' text from moving the cursor.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return '?'
	}, s)
}

// shellRows are the rows of an object: first what it is, then the rest by name.
func shellRows(o map[string]any, indent string) [][2]string {
	var rows [][2]string
	for _, key := range fieldOrder(o) {
		rows = append(rows, shellRow(indent+key, o[key], indent)...)
	}
	return rows
}

func fieldOrder(o map[string]any) []string {
	rank := func(key string) int {
		i := slices.Index([]string{"uuid", "name"}, key)
		if i < 0 {
			return 2
		}
		return i
	}
	keys := slices.Collect(maps.Keys(o))
	keys = slices.DeleteFunc(keys, func(key string) bool { return key == "url" || key == "_last_modified" })
	slices.SortFunc(keys, func(a, b string) int {
		if d := rank(a) - rank(b); d != 0 {
			return d
		}
		return strings.Compare(a, b)
	})
	return keys
}

// shellRow is the rows of one field: lists are numbered from 1, text of several lines goes on below.
func shellRow(label string, value any, indent string) [][2]string {
	switch v := value.(type) {
	case map[string]any:
		return append([][2]string{{label, ""}}, shellRows(v, indent+"  ")...)
	case []any:
		var rows [][2]string
		for i, item := range v {
			rows = append(rows, shellRow(fmt.Sprintf("%s[%d]", label, i+1), item, indent)...)
		}
		return rows
	}
	var rows [][2]string
	for i, line := range strings.Split(strings.TrimSuffix(plain(value), "\n"), "\n") {
		if i > 0 {
			label = ""
		}
		rows = append(rows, [2]string{label, line})
	}
	return rows
}

// plain is a value as the shell writes it.
func plain(value any) string {
	switch v := value.(type) {
	case nil:
		return ""
	case bool:
		if v {
			return "True"
		}
		return "False"
	case string:
		if _, name, named := strings.Cut(v, "#"); named && strings.Contains(v, "/api/") {
			return name
		}
		return v
	}
	return fmt.Sprint(value)
}
