package topology

import (
	"cmp"
	"encoding/xml"
	"fmt"
	"io"
	"slices"
	"strings"
)

// The measures of a picture, in pixels. The type is monospaced, so that a text is as wide as it has columns.
const (
	glyph   = 6.7 // the advance of a column at 11 px
	leading = 15
	padding = 8
	margin  = 20
	across  = 170 // between layers, where the labels of edges are
	down    = 18  // between boxes
)

// maxLine is how wide a line of a box is at most, in columns.
const maxLine = 76

type place struct{ x, y, width, height int }

// SVG writes what there is as a picture.
func SVG(out io.Writer, c Cloud, o Options) error {
	g := newGraph(c, o)
	places, width, height := g.laidOut()
	var b strings.Builder
	fmt.Fprintf(&b, "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" viewBox=\"0 0 %d %d\" font-family=\"monospace\" font-size=\"11\">\n", width, height, width, height)
	b.WriteString("<rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n")
	leave := ends(g.edges, places, func(e edge) (at, other int) { return e.from, e.to })
	arrive := ends(g.edges, places, func(e edge) (at, other int) { return e.to, e.from })
	for i, e := range g.edges {
		drawEdge(&b, e, point{places[e.from].x + places[e.from].width, leave[i]}, point{places[e.to].x, arrive[i]})
	}
	for i := range g.boxes {
		drawBox(&b, &g.boxes[i], places[i])
	}
	b.WriteString("</svg>\n")
	_, err := io.WriteString(out, b.String())
	return err
}

// laidOut gives each box a place: layers from left to right, each in the middle of the height.
func (g *graph) laidOut() (places []place, width, height int) {
	places = make([]place, len(g.boxes))
	columns := g.arranged()
	heights := [layers]int{}
	for kind, column := range columns {
		for _, i := range column {
			places[i] = g.boxes[i].size()
			heights[kind] += places[i].height + down
		}
		height = max(height, heights[kind])
	}
	x := margin
	for kind, column := range columns {
		wide, y := 0, margin+(height-heights[kind])/2
		for _, i := range column {
			places[i].x, places[i].y = x, y
			y += places[i].height + down
			wide = max(wide, places[i].width)
		}
		if len(column) > 0 {
			x += wide + across
		}
	}
	return places, max(x-across, margin) + margin, height + 2*margin
}

func (b *box) size() place {
	wide := width(b.title)
	for _, line := range b.lines {
		wide = max(wide, min(width(line), maxLine))
	}
	return place{width: int(float64(wide)*glyph) + 2*padding, height: (len(b.lines)+1)*leading + 2*padding}
}

func drawBox(out *strings.Builder, b *box, p place) {
	border := "#607d8b"
	if !b.well {
		border = "#c62828"
	}
	fmt.Fprintf(out, "<g><title>%s</title><rect x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\" rx=\"5\" fill=\"%s\" stroke=\"%s\"/>\n",
		escaped(b.id), p.x, p.y, p.width, p.height, colours[b.kind], border)
	y := p.y + padding + leading - 4
	fmt.Fprintf(out, "<text x=\"%d\" y=\"%d\" font-weight=\"bold\" xml:space=\"preserve\">%s</text>\n", p.x+padding, y, escaped(b.title))
	for _, line := range b.lines {
		y += leading
		fmt.Fprintf(out, "<text x=\"%d\" y=\"%d\" xml:space=\"preserve\">%s</text>\n", p.x+padding, y, escaped(cut(line, maxLine)))
	}
	out.WriteString("</g>\n")
}

// ends are the heights at which edges meet a side of their boxes: those of one box are spread over its side, in the order of where they
// come from or lead to.
func ends(edges []edge, places []place, of func(edge) (at, other int)) []int {
	byBox := map[int][]int{}
	for i, e := range edges {
		at, _ := of(e)
		byBox[at] = append(byBox[at], i)
	}
	heights := make([]int, len(edges))
	for at, list := range byBox {
		slices.SortStableFunc(list, func(a, b int) int {
			_, x := of(edges[a])
			_, y := of(edges[b])
			return cmp.Compare(places[x].y, places[y].y)
		})
		for k, i := range list {
			heights[i] = places[at].y + places[at].height*(k+1)/(len(list)+1)
		}
	}
	return heights
}

type point struct{ x, y int }

// drawEdge draws a curve from the right side of a box to the left side of another, with its label where it arrives.
func drawEdge(out *strings.Builder, e edge, from, to point) {
	bend := max((to.x-from.x)/2, 20)
	fmt.Fprintf(out, "<path d=\"M%d %dC%d %d %d %d %d %d\" fill=\"none\" stroke=\"#90a4ae\"%s/>\n", from.x, from.y, from.x+bend, from.y, to.x-bend, to.y, to.x, to.y,
		when(e.loose, " stroke-dasharray=\"4 3\""))
	fmt.Fprintf(out, "<text x=\"%d\" y=\"%d\" text-anchor=\"end\" font-size=\"9\" fill=\"#455a64\">%s</text>\n", to.x-4, to.y-3, escaped(cut(e.label, 30)))
}

// escaped is a text as XML holds it.
func escaped(text string) string {
	var b strings.Builder
	_ = xml.EscapeText(&b, []byte(printable(text))) // a Builder takes everything
	return b.String()
}
