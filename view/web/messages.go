package web

import (
	"encoding/base64"
	"fmt"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"omnibus/bus/spec"
)

const (
	// maxSearched is how many messages of a state are searched.
	maxSearched = 10_000

	// maxPage is how many messages a page of them has at most.
	maxPage = 200

	// shownBytes is how much of a body, or of an attribute's value, is in a page.
	shownBytes = 4 << 10
)

// messageRow is a message as the page takes it. Times are in milliseconds.
type messageRow struct {
	ID            string         `json:"id"`
	State         string         `json:"state"`
	Body          string         `json:"body"`
	Binary        bool           `json:"binary,omitempty"` // the body is in base64
	Size          int            `json:"size"`             // of the whole body, in bytes
	Cut           bool           `json:"cut,omitempty"`    // there is more of the body or of an attribute
	Attributes    []attributeRow `json:"attributes"`
	Sent          int64          `json:"sent"`
	Since         int64          `json:"since,omitempty"`
	VisibleAt     int64          `json:"visibleAt,omitempty"`
	FirstReceived int64          `json:"firstReceived,omitempty"`
	Receives      int            `json:"receives"`
	Group         string         `json:"group,omitempty"`
	Deduplication string         `json:"deduplication,omitempty"`
	Sequence      string         `json:"sequence,omitempty"`
	TraceHeader   string         `json:"trace,omitempty"`
	Source        string         `json:"source,omitempty"`
}

// attributeRow is an attribute of a message; the value of a binary one is in base64.
type attributeRow struct {
	Name  string `json:"name"`
	Type  string `json:"type"`
	Value string `json:"value"`
}

// row returns a message with up to so many bytes of its body and attributes.
func (m *Message) row(most int) messageRow {
	r := messageRow{
		ID: m.ID, State: m.State, Size: len(m.Body), Attributes: []attributeRow{},
		Sent: millis(m.Sent), Since: millis(m.Since), VisibleAt: millis(m.VisibleAt), FirstReceived: millis(m.FirstReceived),
		Receives: m.Receives, Group: m.Group, Deduplication: m.Deduplication, Sequence: m.Sequence, TraceHeader: m.TraceHeader, Source: m.Source,
	}
	r.Body, r.Cut = cut(m.Body, most)
	if !utf8.ValidString(r.Body) {
		r.Body, r.Binary = base64.StdEncoding.EncodeToString([]byte(r.Body)), true
	}
	for _, a := range m.Attributes {
		value, more := cut(a.StringValue, most)
		if a.IsBinary() {
			value, more = base64.StdEncoding.EncodeToString(a.BinaryValue[:min(len(a.BinaryValue), most)]), len(a.BinaryValue) > most
		}
		r.Cut = r.Cut || more
		r.Attributes = append(r.Attributes, attributeRow{a.Name, a.DataType, value})
	}
	return r
}

// cut returns the beginning of a text, to the end of a character, and whether there is
// more.
func cut(s string, most int) (string, bool) {
	if len(s) <= most {
		return s, false
	}
	for most > 0 && !utf8.RuneStart(s[most]) {
		most--
	}
	return s[:most], true
}

func millis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

// looked is the answer to a look at messages.
type looked struct {
	Now      int64        `json:"now"`
	Messages []messageRow `json:"messages"`
	Searched int          `json:"searched"`
	Limit    int          `json:"limit"` // no more are searched
	Found    int          `json:"found"` // that fit, among those searched
}

// messages answers a page of the messages in a state: those after the first skip that
// contain a text and have an attribute, NAME or NAME=VALUE.
func (h *Handler) messages(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	skip, err := number(query.Get("skip"), 0, maxSearched)
	most, err2 := number(query.Get("max"), 1, maxPage)
	if err != nil || err2 != nil {
		answer(w, nil, badCall{fmt.Errorf("skip must be 0 to %d, and max 1 to %d", maxSearched, maxPage)})
		return
	}
	shown := shownBytes
	if h.lookCost() != "" {
		if h.o.ReadOnly {
			refuse(w, http.StatusForbidden, "This page is for looking only, and to look at messages here is to receive them.")
			return
		}
		shown = math.MaxInt // to open one would cost again
	}
	text, attribute := query.Get("text"), query.Get("attribute")
	n := maxSearched
	if text == "" && attribute == "" {
		n = min(skip+most, maxSearched)
	}
	ms, err := h.o.Source.Look(r.Context(), query.Get("queue"), query.Get("state"), n)
	if err != nil {
		answer(w, nil, err)
		return
	}
	out := looked{Now: time.Now().UnixMilli(), Messages: []messageRow{}, Searched: len(ms), Limit: maxSearched}
	for i := range ms {
		if !ms[i].fits(text, attribute) {
			continue
		}
		if out.Found++; out.Found > skip && len(out.Messages) < most {
			out.Messages = append(out.Messages, ms[i].row(shown))
		}
	}
	answer(w, out, nil)
}

// number reads a number in a range, the least for none.
func number(text string, least, most int) (int, error) {
	if text == "" {
		return least, nil
	}
	n, err := strconv.Atoi(text)
	if err == nil && (n < least || n > most) {
		err = strconv.ErrRange
	}
	return n, err
}

func (m *Message) fits(text, attribute string) bool {
	if text != "" && !strings.Contains(m.Body, text) && m.ID != text {
		return false
	}
	if attribute == "" {
		return true
	}
	name, value, valued := strings.Cut(attribute, "=")
	return slices.ContainsFunc(m.Attributes, func(a spec.NamedAttribute) bool {
		return a.Name == name && (!valued || a.StringValue == value)
	})
}

// lookCost returns what a look at messages costs, "" if nothing.
func (h *Handler) lookCost() string {
	if p, ok := h.o.Source.(Pricer); ok {
		return p.LookCost()
	}
	return ""
}

// message answers one message whole. It may have left the state meanwhile.
func (h *Handler) message(w http.ResponseWriter, r *http.Request) {
	if h.lookCost() != "" {
		answer(w, nil, errCannot("look at one message alone"))
		return
	}
	query := r.URL.Query()
	ms, err := h.o.Source.Look(r.Context(), query.Get("queue"), query.Get("state"), maxSearched)
	if err != nil {
		answer(w, nil, err)
		return
	}
	i := slices.IndexFunc(ms, func(m Message) bool { return m.ID == query.Get("id") })
	if i < 0 {
		refuse(w, http.StatusNotFound, fmt.Sprintf("The message is not %.20s any more.", query.Get("state")))
		return
	}
	answer(w, ms[i].row(math.MaxInt), nil)
}
