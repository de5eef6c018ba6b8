package topology

import (
	"fmt"
	"io"
	"strings"
)

// DOT writes what there is in Graphviz's language.
func DOT(out io.Writer, c Cloud, o Options) error {
	g := newGraph(c, o)
	var b strings.Builder
	b.WriteString("graph plimsoll {\n  rankdir=LR;\n  node [shape=box, style=\"rounded,filled\", fontname=\"monospace\", fontsize=10];\n" +
		"  edge [fontname=\"monospace\", fontsize=9];\n")
	for _, column := range g.arranged() {
		for _, i := range column {
			n := g.boxes[i]
			label := dotEscape(n.title) + `\l`
			for _, line := range n.lines {
				label += dotEscape(line) + `\l`
			}
			fmt.Fprintf(&b, "  n%d [label=\"%s\", fillcolor=\"%s\"%s];\n", i, label, colours[n.kind], when(!n.well, ", color=\"#c62828\""))
		}
	}
	for _, e := range g.edges {
		fmt.Fprintf(&b, "  n%d -- n%d [label=\"%s\"%s];\n", e.from, e.to, dotEscape(e.label), when(e.loose, ", style=dashed"))
	}
	b.WriteString("}\n")
	_, err := io.WriteString(out, b.String())
	return err
}

// dotEscape writes a text between quotation marks. A backslash begins an escape of labels, too.
func dotEscape(text string) string {
	return strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(text)
}

// colours are those of the kinds of boxes.
var colours = [layers]string{"#ffe0b2", "#e1bee7", "#bbdefb", "#c8e6c9"}
