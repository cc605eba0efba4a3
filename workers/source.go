package workers

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
)

// Repeat returns a source that yields the body for ever.
func Repeat(body []byte) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		for yield(body, nil) {
		}
	}
}

// Documents returns a source that yields the JSON documents in r, each without
// the white space around and within it: the elements of one JSON array, or one
// document a line. Which of the two it is, the first character tells; a byte-order
// mark before it and blank lines are passed over. Lines are yielded as they come,
// so r may be a terminal or a pipe.
//
// What is no JSON ends the source with an error that says where: name (of a file,
// say), line, and offset in bytes, both of the first character that is wrong.
// The source can be used once.
func Documents(name string, r io.Reader) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		t, err := newText(name, r)
		var first byte
		if err == nil {
			first, err = t.first()
		}
		switch {
		case errors.Is(err, io.EOF):
		case err != nil:
			yield(nil, err)
		case first == '[':
			t.array(yield)
		default:
			t.documents(yield)
		}
	}
}

// Lines returns a source that yields each line in r as it is, without its end,
// which is LF or CR LF. Empty lines and a byte-order mark at the beginning are
// passed over. Lines are yielded as they come, so r may be a terminal or a pipe.
//
// A line over 4 MiB ends the source, as a failing Read does, with an error that
// says where: name (of a file, say), line, and offset in bytes. The source can be
// used once.
func Lines(name string, r io.Reader) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		t, err := newText(name, r)
		switch {
		case errors.Is(err, io.EOF):
		case err != nil:
			yield(nil, err)
		default:
			t.each(yield, func(line []byte) bool {
				line = bytes.TrimSuffix(bytes.TrimSuffix(line, []byte("\n")), []byte("\r"))
				return len(line) == 0 || yield(line, nil)
			})
		}
	}
}

// text reads a text and knows where in it it is.
type text struct {
	name   string
	r      *bufio.Reader
	line   int   // of what comes next, counted from 1
	offset int64 // of what comes next
}

// newText returns the text in r after its byte-order mark, if it has one. Its
// error is io.EOF for a text without a byte.
func newText(name string, r io.Reader) (*text, error) {
	t := &text{name: name, r: bufio.NewReader(r), line: 1}
	// The first byte alone tells whether there can be a mark. To wait for more
	// would hold up a line that is shorter than a mark.
	first, err := t.r.Peek(1)
	switch {
	case err != nil:
		return t, t.wrong(0, err)
	case first[0] == 0xfe || first[0] == 0xff:
		return t, t.wrong(0, errors.New("this is no UTF-8; a text in UTF-16 must be converted"))
	case first[0] != 0xef:
		return t, nil
	}
	if mark, _ := t.r.Peek(3); string(mark) == "\ufeff" {
		t.offset, _ = io.CopyN(io.Discard, t.r, 3)
	}
	return t, nil
}

// wrong returns an error that names a place on the present line, so many bytes
// on from where the text is.
func (t *text) wrong(bytes int64, err error) error {
	return fmt.Errorf("%s: line %d, offset %d: %w", t.name, t.line, t.offset+bytes, err)
}

// first passes over white space and returns the byte that follows, which is not
// passed over.
func (t *text) first() (byte, error) {
	for {
		c, err := t.r.ReadByte()
		if err != nil {
			return 0, t.wrong(0, err)
		}
		switch c {
		case '\n':
			t.line++
		case ' ', '\t', '\r':
		default:
			return c, t.r.UnreadByte()
		}
		t.offset++
	}
}

// array yields the elements of a JSON array. An array is read whole before its
// first element is yielded, so that a broken one yields nothing.
func (t *text) array(yield func([]byte, error) bool) {
	data, err := io.ReadAll(t.r)
	if err != nil {
		yield(nil, t.wrong(int64(len(data)), err))
		return
	}
	var documents []json.RawMessage
	if err := json.Unmarshal(data, &documents); err != nil {
		at := syntaxOffset(err)
		t.line += bytes.Count(data[:at], []byte("\n"))
		yield(nil, t.wrong(at, err))
		return
	}
	for _, d := range documents {
		if !yield(compact(d), nil) {
			return
		}
	}
}

// documents yields one JSON document a line.
func (t *text) documents(yield func([]byte, error) bool) {
	t.each(yield, func(line []byte) bool {
		document := bytes.TrimSpace(line)
		if len(document) == 0 {
			return true
		}
		if err := json.Unmarshal(document, new(json.RawMessage)); err != nil {
			before := int64(bytes.Index(line, document))
			yield(nil, t.wrong(before+syntaxOffset(err), err))
			return false
		}
		return yield(compact(document), nil)
	})
}

// each calls f with every line, its end included, until f returns false. It
// yields the error of a line that cannot be read.
func (t *text) each(yield func([]byte, error) bool, f func(line []byte) bool) {
	for {
		line, err := t.read()
		last := errors.Is(err, io.EOF)
		if err != nil && !last {
			yield(nil, t.wrong(int64(len(line)), err))
			return
		}
		if !f(line) || last {
			return
		}
		t.line++
		t.offset += int64(len(line))
	}
}

// maxLine bounds the memory that one line takes. It is well over what a message
// can hold.
const maxLine = 4 << 20

// read returns a line with its end. The error io.EOF comes with the last line,
// which may be empty; with another error the line is not whole.
func (t *text) read() (line []byte, err error) {
	for {
		part, err := t.r.ReadSlice('\n')
		line = append(line, part...)
		switch {
		case len(line) > maxLine:
			return nil, fmt.Errorf("the line is over %d bytes long", maxLine)
		case !errors.Is(err, bufio.ErrBufferFull):
			return line, err
		}
	}
}

// syntaxOffset returns the offset of the first byte that is no JSON.
func syntaxOffset(err error) int64 {
	var syntax *json.SyntaxError
	if !errors.As(err, &syntax) || syntax.Offset == 0 {
		return 0
	}
	return syntax.Offset - 1
}

// compact returns a JSON document, which is known to be one, without white space
// between its tokens.
func compact(document []byte) []byte {
	var b bytes.Buffer
	if err := json.Compact(&b, document); err != nil {
		return document
	}
	return b.Bytes()
}
