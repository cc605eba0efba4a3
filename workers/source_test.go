package workers_test

import (
	"errors"
	"io"
	"iter"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"omnibus/workers"
)

// read returns all that a source yields.
func read(source iter.Seq2[[]byte, error]) (all []string, err error) {
	for b, e := range source {
		if e != nil {
			return all, e
		}
		all = append(all, string(b))
	}
	return all, nil
}

// documents returns all that a source of documents yields.
func documents(text string) ([]string, error) {
	return read(workers.Documents("f.json", iotest.OneByteReader(strings.NewReader(text))))
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
		{strings.Repeat("\n", 10000) + "1", []string{"1"}},
	} {
		got, err := documents(test.text)
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
		{"\n [1,\n  oops]", "f.json: line 3, offset 8: invalid character 'o' looking for beginning of value", 0},
		{"\ufeffx", "f.json: line 1, offset 3: invalid character 'x' looking for beginning of value", 0},
		{"\ufeff\n1\nx", "f.json: line 3, offset 6: invalid character 'x' looking for beginning of value", 1},
		{"\xff\xfe1\x00", "f.json: line 1, offset 0: this is no UTF-8; a text in UTF-16 must be converted", 0},
		{"1\n" + strings.Repeat(" ", 4<<20+1), "f.json: line 2, offset 2: the line is over 4194304 bytes long", 1},
	} {
		got, err := documents(test.text)
		if err == nil || err.Error() != test.want {
			t.Errorf("%q gives the error\n%v, want\n%v", test.text, err, test.want)
		}
		if len(got) != test.good {
			t.Errorf("%q gives %d documents before its error, want %d", test.text, len(got), test.good)
		}
	}
}

// Windows programs begin their files with a byte-order mark.
func TestDocumentsPassesOverAByteOrderMark(t *testing.T) {
	for text, want := range map[string][]string{
		"\ufeff":                  nil,
		"\ufeff[1, 2]":            {"1", "2"},
		"\ufeff\n{\"a\": 1}\r\n2": {`{"a":1}`, "2"},
	} {
		if got, err := documents(text); err != nil || !slices.Equal(got, want) {
			t.Errorf("%q gives %q, %v; want %q", text, got, err, want)
		}
	}
}

func TestLinesYieldsTextAsItIs(t *testing.T) {
	for _, test := range []struct {
		text string
		want []string
	}{
		{"", nil},
		{"\n\r\n\n", nil},
		{"[1, 2]\n", []string{"[1, 2]"}},
		{" a \"b\t\n\nc\r\n\rd\re", []string{" a \"b\t", "c", "\rd\re"}},
		{"\ufeffa\n\ufeffb", []string{"a", "\ufeffb"}},
	} {
		got, err := read(workers.Lines("f.txt", iotest.OneByteReader(strings.NewReader(test.text))))
		if err != nil || !slices.Equal(got, test.want) {
			t.Errorf("%q gives %q, %v; want %q", test.text, got, err, test.want)
		}
	}
}

// Half a line is no line: where reading fails, it is not yielded.
func TestSourcesYieldNoHalfLine(t *testing.T) {
	broken := func() io.Reader {
		return io.MultiReader(strings.NewReader("12\n34"), iotest.ErrReader(errors.New("pulled out")))
	}
	const want = "f: line 2, offset 5: pulled out"
	for name, source := range map[string]iter.Seq2[[]byte, error]{
		"Documents": workers.Documents("f", broken()),
		"Lines":     workers.Lines("f", broken()),
	} {
		if got, err := read(source); err == nil || err.Error() != want || !slices.Equal(got, []string{"12"}) {
			t.Errorf("%s gives %q, %v; want 12 and the error %s", name, got, err, want)
		}
	}
}

// A line must not wait for the next one: standard input may be a terminal.
func TestSourcesYieldALineAsSoonAsItIsThere(t *testing.T) {
	for name, source := range map[string]func(string, io.Reader) iter.Seq2[[]byte, error]{
		"Documents": workers.Documents,
		"Lines":     workers.Lines,
	} {
		r, w := io.Pipe()
		go w.Write([]byte("1\n")) // shorter than a byte-order mark
		for b, err := range source("f", r) {
			if err != nil || string(b) != "1" {
				t.Errorf("%s gives %q, %v; want 1", name, b, err)
			}
			break
		}
		r.Close()
	}
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
