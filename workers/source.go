package workers

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
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
// lines are passed over. Lines are yielded as they come, so r may be a terminal
// or a pipe.
//
// What is no JSON ends the source with an error that says where: name (of a file,
// say), line, and offset in bytes, both of the first character that is wrong.
// The source can be used once.
func Documents(name string, r io.Reader) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		buffered := bufio.NewReader(r)
		first, err := firstByte(buffered)
		switch {
		case errors.Is(err, io.EOF):
		case err != nil:
			yield(nil, fmt.Errorf("%s: %w", name, err))
		case first == '[':
			array(name, buffered, yield)
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

// array yields the elements of a JSON array. An array is read whole before its
// first element is yielded, so that a broken one yields nothing.
func array(name string, r io.Reader, yield func([]byte, error) bool) {
	data, err := io.ReadAll(r)
	if err != nil {
		yield(nil, fmt.Errorf("%s: %w", name, err))
		return
	}
	var documents []json.RawMessage
	if err := json.Unmarshal(data, &documents); err != nil {
		at := syntaxOffset(err)
		line := 1 + bytes.Count(data[:at], []byte("\n"))
		yield(nil, fmt.Errorf("%s: line %d, offset %d: %w", name, line, at, err))
		return
	}
	for _, d := range documents {
		if !yield(compact(d), nil) {
			return
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
				at := offset + int64(bytes.Index(s.Bytes(), text)) + syntaxOffset(err)
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
