package workers

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"sort"
	"unicode"
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
// document a line. Which of the two it is, the first character tells; blank
// lines are passed over. It reads as it goes, so r may be a terminal or a pipe.
//
// What is no JSON ends the source with an error that says where: name (of a file,
// say), line, and offset in bytes, both of the first character that is wrong.
// The source can be used once.
func Documents(name string, r io.Reader) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		in := &countingReader{r: r}
		buffered := bufio.NewReader(in)
		first, err := firstByte(buffered)
		switch {
		case errors.Is(err, io.EOF):
		case err != nil:
			yield(nil, fmt.Errorf("%s: %w", name, err))
		case first == '[':
			in.array(name, buffered, yield)
		default:
			lines(name, buffered, yield)
		}
	}
}

// firstByte returns the first byte that is not white space, and leaves all in r.
func firstByte(r *bufio.Reader) (byte, error) {
	for n := 1; ; n++ {
		b, err := r.Peek(n)
		if len(b) < n {
			return 0, err
		}
		if c := b[n-1]; !unicode.IsSpace(rune(c)) {
			return c, nil
		}
	}
}

// array yields the elements of a JSON array.
func (in *countingReader) array(name string, r io.Reader, yield func([]byte, error) bool) {
	d := json.NewDecoder(r)
	fail := func(err error) {
		offset := d.InputOffset()
		if syntax := (*json.SyntaxError)(nil); errors.As(err, &syntax) {
			offset = syntax.Offset - 1
		}
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			offset, err = in.read, errors.New("the file ends within the array")
		}
		yield(nil, in.errorAt(name, offset, err))
	}
	if _, err := d.Token(); err != nil { // the [
		fail(err)
		return
	}
	for d.More() {
		var document json.RawMessage
		if err := d.Decode(&document); err != nil {
			fail(err)
			return
		}
		if !yield(compact(document), nil) {
			return
		}
	}
	if _, err := d.Token(); err != nil { // the ]
		fail(err)
		return
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		fail(errors.New("there is something behind the array"))
	}
}

// maxLine bounds the memory that one line takes. It is well over what a message
// can hold.
const maxLine = 4 << 20

// lines yields one document a line.
func lines(name string, r io.Reader, yield func([]byte, error) bool) {
	s := bufio.NewScanner(r)
	s.Buffer(nil, maxLine)
	offset := int64(0)
	s.Split(func(data []byte, atEOF bool) (int, []byte, error) {
		n, token, err := bufio.ScanLines(data, atEOF)
		if token != nil {
			token = data[:n] // with its end, so that offsets add up
		}
		return n, token, err
	})
	line := 0
	for s.Scan() {
		line++
		text := bytes.TrimSpace(s.Bytes())
		if len(text) > 0 {
			if err := json.Unmarshal(text, new(json.RawMessage)); err != nil {
				at := offset + int64(bytes.Index(s.Bytes(), text))
				if syntax := (*json.SyntaxError)(nil); errors.As(err, &syntax) {
					at += max(0, syntax.Offset-1)
				}
				yield(nil, fmt.Errorf("%s: line %d, offset %d: %w", name, line, at, err))
				return
			}
			if !yield(compact(text), nil) {
				return
			}
		}
		offset += int64(len(s.Bytes()))
	}
	if err := s.Err(); err != nil {
		yield(nil, fmt.Errorf("%s: line %d, offset %d: %w", name, line+1, offset, err))
	}
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

// countingReader remembers where the lines end.
type countingReader struct {
	r    io.Reader
	read int64
	ends []int64 // offsets of the line ends
}

func (c *countingReader) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	for i, b := range p[:n] {
		if b == '\n' {
			c.ends = append(c.ends, c.read+int64(i))
		}
	}
	c.read += int64(n)
	return n, err
}

func (c *countingReader) errorAt(name string, offset int64, err error) error {
	line := 1 + sort.Search(len(c.ends), func(i int) bool { return c.ends[i] >= offset })
	return fmt.Errorf("%s: line %d, offset %d: %w", name, line, offset, err)
}
