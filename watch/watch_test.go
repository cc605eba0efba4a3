package watch_test

import (
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"omnibus/watch"
)

func TestRequestsAreBilledByChunksOf64KiB(t *testing.T) {
	var l watch.Ledger
	l.Request("q", "SendMessage", 3, 10)
	l.Request("q", "SendMessage", 1, 64<<10)
	l.Request("q", "SendMessage", 1, 64<<10+1)
	l.Request("q", "ReceiveMessage", 2, 0)
	l.Request("other", "ReceiveMessage", 7, 0)
	a := l.Account("q")
	want := []watch.Request{{"ReceiveMessage", 2, 2}, {"SendMessage", 5, 6}}
	if !slices.Equal(a.Requests, want) {
		t.Errorf("got %v, want %v", a.Requests, want)
	}
	p := watch.Price{Standard: 250_000, FIFO: 500_000}
	if standard, fifo := p.Dollars(a.Requests, false), p.Dollars(a.Requests, true); standard != 2 || fifo != 4 {
		t.Errorf("they cost %v and %v, want 8 requests at either price", standard, fifo)
	}
}

func TestRatesAreExactIfTheWorkersTell(t *testing.T) {
	at := time.Now()
	sample := func(s, visible int) watch.Sample {
		return watch.Sample{Time: at.Add(time.Duration(s) * time.Second), Counts: watch.Counts{Visible: visible}}
	}
	var told, counted watch.Series
	told.Next(sample(0, 10), watch.Account{Told: true, In: 10}, watch.ListPrice())
	if s := told.Next(sample(2, 12), watch.Account{Told: true, In: 20, Out: 8}, watch.ListPrice()); s.In != 5 || s.Out != 4 || !s.Exact {
		t.Errorf("in %v, out %v, exact %t; want 5, 4, true", s.In, s.Out, s.Exact)
	}
	counted.Next(sample(0, 10), watch.Account{}, watch.ListPrice())
	if s := counted.Next(sample(2, 12), watch.Account{}, watch.ListPrice()); s.In != 1 || s.Out != 0 || s.Exact {
		t.Errorf("in %v, out %v, exact %t; want 1, 0, false", s.In, s.Out, s.Exact)
	}
	if s := counted.Next(sample(4, 2), watch.Account{}, watch.ListPrice()); s.In != 0 || s.Out != 5 {
		t.Errorf("in %v, out %v; want 0, 5", s.In, s.Out)
	}
}

func TestWordsAreTheBeginningOfABody(t *testing.T) {
	for _, test := range []struct{ body, want string }{
		{`{"name": "Harper Pierce", "donation": 97.5}`, "Harper Pierce 97.5"},
		{`{"a": {"b": ["x", {"c": true}], "d": "y"}, "e": null, "f": 1e400}`, "x true y <nil> 1e400"},
		{`{"name": "Harper`, `{"name": "Harper`},
		{"two\n lines\tof text ", "two lines of text"},
		{"\xff\xfe", "2 bytes"},
		{"", ""},
		{strings.Repeat("é", 1000), strings.Repeat("é", 119) + "…"},
		{`["` + strings.Repeat("x", 1<<16) + `"]`, `["` + strings.Repeat("x", 117) + "…"},
		{`{"a": "` + strings.Repeat("x", 1<<16) + `"}`, strings.Repeat("x", 119) + "…"},
		{strings.Repeat(`{"a":`, 5000) + "1" + strings.Repeat("}", 5000), "1"},
	} {
		if got := watch.Words([]byte(test.body)); got != test.want {
			t.Errorf("Words(%.40q) is %q, want %q", test.body, got, test.want)
		}
	}
}

func FuzzWords(f *testing.F) {
	f.Add([]byte(`{"name": "Harper Pierce", "donation": [97.5, {}]}`))
	f.Add([]byte("text"))
	f.Fuzz(func(t *testing.T, body []byte) {
		if got := watch.Words(body); !utf8.ValidString(got) || utf8.RuneCountInString(got) > 120 || strings.Contains(got, "\n") {
			t.Errorf("Words(%q) is %q", body, got)
		}
	})
}
