package workers_test

import (
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"omnibus/workers"
)

// read returns all that a source of documents yields.
func read(text string) (documents []string, err error) {
	for d, e := range workers.Documents("f.json", iotest.OneByteReader(strings.NewReader(text))) {
		if e != nil {
			return documents, e
		}
		documents = append(documents, string(d))
	}
	return documents, nil
}

func TestDocumentsReadsArraysAndLines(t *testing.T) {
	for _, test := range []struct {
		text string
		want []string
	}{
		{"", nil},
		{" \n\n", nil},
		{"[]", nil},
		{"\n [ {\"a\": 1},\n\"b\" , 3 ]\n", []string{`{"a":1}`, `"b"`, "3"}},
		{`[{"a": [1, 2]}]`, []string{`{"a":[1,2]}`}},
		{"{\"a\": 1}\n\n  {\"b\" : 2}\r\n3", []string{`{"a":1}`, `{"b":2}`, "3"}},
	} {
		got, err := read(test.text)
		if err != nil || !slices.Equal(got, test.want) {
			t.Errorf("%q gives %q, %v; want %q", test.text, got, err, test.want)
		}
	}
}

func TestDocumentsSaysWhereItIsWrong(t *testing.T) {
	for _, test := range []struct {
		text, want string
		good       int // documents before the error
	}{
		{"{\"a\": 1}\n{\"b\": x}\n", "f.json: line 2, offset 15: invalid character 'x' looking for beginning of value", 1},
		{"1\n\n  {\"b\"", "f.json: line 3, offset 8: unexpected end of JSON input", 1},
		{"[1,\n2,\n  oops]", "f.json: line 3, offset 9: invalid character 'o' looking for beginning of value", 0},
		{"[1,\n2", "f.json: line 2, offset 4: unexpected end of JSON input", 0},
		{"[1\n 2]", "f.json: line 2, offset 4: invalid character '2' after array element", 0},
		{"[1]\n[2]", "f.json: line 2, offset 4: invalid character '[' after top-level value", 0},
	} {
		got, err := read(test.text)
		if err == nil || err.Error() != test.want {
			t.Errorf("%q gives the error\n%v, want\n%v", test.text, err, test.want)
		}
		if len(got) != test.good {
			t.Errorf("%q gives %d documents before its error, want %d", test.text, len(got), test.good)
		}
	}
}

// A line is a document only when it has ended, but then it must not wait for the
// next one: standard input may be a terminal.
func TestDocumentsYieldsALineAsSoonAsItIsThere(t *testing.T) {
	r, w := io.Pipe()
	go w.Write([]byte("{\"a\":1}\n"))
	for d, err := range workers.Documents("f", r) {
		if err != nil || string(d) != `{"a":1}` {
			t.Errorf("got %q, %v", d, err)
		}
		break
	}
	r.Close()
}

func FuzzDocuments(f *testing.F) {
	for _, s := range []string{"", "[1,2]", "{\"a\":1}\n2", "[", "[1 2]", "\x00", "[1]x"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for d, err := range workers.Documents("f", strings.NewReader(text)) {
			if err == nil && len(d) == 0 {
				t.Error("an empty document")
			}
		}
	})
}
