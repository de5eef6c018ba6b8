package octavia

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"runtime"
	"sync"

	"plimsoll/internal/store"
)

// pieceRows is how many rows of a long list are read and written at a time.
const pieceRows = 500

// listing is a list on its way from the store to the client. It is read and written in pieces, so that the memory that it takes does
// not depend on its length. No connection to the database is held while the client reads: a slow one costs the text of a piece
// and nothing else, and the database can tidy up behind it. A page of the usual size is a single piece, so that a
// fault of the database is still answered as one.
type listing[T, J any] struct {
	request  *request
	query    store.Query
	rows     func(context.Context, store.Query) ([]T, error)
	marker   func(T) string
	show     func(T, view) J
	plural   string
	linksKey string

	view        view
	pick        *picker       // nil where the whole objects were asked for
	text        *bytes.Buffer // what was read and not sent yet; nil before the first turn, since those who wait are many
	json        *json.Encoder // into text
	first, last string        // the markers of the rows that were written
	any         bool
}

// start reads the first piece.
func (l *listing[T, J]) start(ctx context.Context) error {
	l.view = viewOf(l.request.Request)
	l.pick = pickerOf[J](l.view.fields)
	l.query.Cursor = store.NewCursor(pieceRows)
	return l.read(ctx)
}

// texts are buffers for use again.
var texts = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// turns bounds how many lists are read and turned into text at once, so that many clients who ask for long ones share the
// processors one after the other, and not the memory all together; and so that their lists leave connections to the database
// for others. Nobody has a turn while a client reads.
type turns chan struct{}

func newTurns() turns { return make(turns, 2*runtime.GOMAXPROCS(0)) }

// take waits for a turn, which the caller gives back.
func (t turns) take(ctx context.Context) error {
	select {
	case t <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (t turns) give() { <-t }

// read turns the next rows into text.
func (l *listing[T, J]) read(ctx context.Context) error {
	if err := l.request.turns.take(ctx); err != nil {
		return err
	}
	defer l.request.turns.give()
	rows, err := l.rows(ctx, l.query)
	if err != nil {
		return err
	}
	if l.text == nil {
		l.text = texts.Get().(*bytes.Buffer)
		l.json = json.NewEncoder(l.text)
		l.text.WriteString(`{"` + l.plural + `":[`)
	}
	for _, row := range rows {
		if l.last = l.marker(row); l.any {
			l.text.WriteByte(',')
		} else {
			l.any, l.first = true, l.last
		}
		if err := l.append(l.show(row, l.view)); err != nil {
			return err
		}
	}
	return nil
}

// append writes an object, or what was asked for of it.
func (l *listing[T, J]) append(object J) error {
	if l.pick == nil {
		return encode(l.text, l.json, object)
	}
	return l.pick.encode(l.text, l.json, object)
}

// encode writes a value without the end of the line that an encoder adds.
func encode(text *bytes.Buffer, to *json.Encoder, value any) error {
	err := to.Encode(value)
	if err == nil {
		text.Truncate(text.Len() - 1)
	}
	return err
}

// write sends what was read, and reads and sends the rest.
func (l *listing[T, J]) write(w io.Writer) error {
	defer func() {
		l.text.Reset()
		texts.Put(l.text)
	}()
	for l.query.Cursor.More() {
		if err := l.send(w); err != nil {
			return err
		}
		if err := l.read(l.request.Context()); err != nil {
			return err
		}
	}
	l.text.WriteString(`],"` + l.linksKey + `":`)
	if err := encode(l.text, l.json, l.links()); err != nil {
		return err
	}
	l.text.WriteByte('}')
	return l.send(w)
}

func (l *listing[T, J]) send(w io.Writer) error {
	_, err := w.Write(l.text.Bytes())
	l.text.Reset()
	return err
}

// link is a way to another page.
type link struct {
	Href string `json:"href"`
	Rel  string `json:"rel"`
}

// links are the ways to the pages before and after this one. They carry the whole query, filters included, since
// clients follow them and nothing else.
func (l *listing[T, J]) links() []link {
	out := []link{}
	if !l.any {
		return out
	}
	if l.query.Marker != "" {
		out = append(out, link{pageURL(l.request, l.query.Limit, l.first, true), "previous"})
	}
	if l.query.Cursor.Full() {
		out = append(out, link{pageURL(l.request, l.query.Limit, l.last, false), "next"})
	}
	return out
}
