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

// Detail prints an object of a kind as the controller's shell shows it: field by field, in the order of the schema, those of nested
// objects indented, references as the names of what they refer to (which need include_name).
func Detail(kind string, o map[string]any) string {
	p := printer{}
	var of *message
	if schema, err := loadSchema(); err == nil { // without it fields are in order of their names
		p.messages, of = schema.messages, schema.kinds[kind]
	}
	return grid("Field", "Value", p.rows(o, of, ""))
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

// printer knows in which order fields stand.
type printer struct{ messages map[string]*message }

// rows are those of an object: first what it is, then as its schema has it, then the rest by name.
func (p printer) rows(o map[string]any, of *message, indent string) [][2]string {
	var rows [][2]string
	for _, key := range fieldOrder(o, of) {
		var nested *message
		if of != nil && of.fields[key] != nil {
			nested = p.messages[of.fields[key].of]
		}
		rows = append(rows, p.field(indent+key, o[key], nested, indent)...)
	}
	return rows
}

func fieldOrder(o map[string]any, of *message) []string {
	first := []string{"uuid", "name"}
	if of != nil {
		first = append(first, of.order...)
	}
	rank := map[string]int{}
	for i, key := range slices.Backward(first) {
		rank[key] = i - len(first) // what is in no list has 0
	}
	keys := slices.Collect(maps.Keys(o))
	keys = slices.DeleteFunc(keys, func(key string) bool { return key == "url" || key == "_last_modified" })
	slices.SortFunc(keys, func(a, b string) int {
		if d := rank[a] - rank[b]; d != 0 {
			return d
		}
		return strings.Compare(a, b)
	})
	return keys
}

// field is the rows of one field: lists are numbered from 1, text of several lines goes on below.
func (p printer) field(label string, value any, of *message, indent string) [][2]string {
	switch v := value.(type) {
	case map[string]any:
		return append([][2]string{{label, ""}}, p.rows(v, of, indent+"  ")...)
	case []any:
		var rows [][2]string
		for i, item := range v {
			rows = append(rows, p.field(fmt.Sprintf("%s[%d]", label, i+1), item, of, indent)...)
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
