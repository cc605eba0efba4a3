package web

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"omnibus/bus/engine"
	"omnibus/bus/spec"
)

func TestAMessageIsSentWithAllThatItMayHave(t *testing.T) {
	s := newSite(t, Options{})
	w := s.ask(`POST /api/send {"Queue":"donors","Body":"<b>hi</b>","Delay":10,"Group":"g","Attributes":[` +
		`{"name":"n","type":"Number.price","value":"97.5"},{"name":"b","type":"Binary","value":"AAEC"}]}`)
	if w.Code != http.StatusOK {
		t.Fatal(w.Code, w.Body)
	}
	ms, err := s.donors.Look(engine.Delayed, 1)
	if err != nil || len(ms) != 1 || ms[0].Body != "<b>hi</b>" || ms[0].Group != "g" || time.Until(ms[0].VisibleAt).Round(time.Second) != 10*time.Second ||
		len(ms[0].Attributes) != 2 || ms[0].Attributes[0].StringValue != "97.5" || string(ms[0].Attributes[1].BinaryValue) != "\x00\x01\x02" {
		t.Fatalf("%+v, %v", ms, err)
	}
	var sent struct{ ID string }
	if err := json.Unmarshal(w.Body.Bytes(), &sent); err != nil || sent.ID != ms[0].ID {
		t.Errorf("%s, %v", w.Body, err)
	}
	got := get[looked](s, "GET /api/messages?queue=donors&state=delayed&max=10")
	if m := got.Messages[0]; m.Body != "<b>hi</b>" || m.State != Delayed || m.Attributes[1] != (attributeRow{"b", "Binary", "AAEC"}) || m.VisibleAt == 0 {
		t.Errorf("%+v", m)
	}
}

// A body is an element of a JSON text with no character that begins markup, whatever
// the browser takes the answer for.
func TestMarkupInABodyDoesNotLeaveAsMarkup(t *testing.T) {
	s := newSite(t, Options{})
	s.send(s.donors, "<script>alert(1)</script>&")
	w := s.ask("GET /api/messages?queue=donors&state=visible")
	if strings.ContainsAny(w.Body.String(), "<>&") || w.Header().Get("Content-Type") != "application/json" || w.Header().Get("X-Content-Type-Options") != "nosniff" {
		t.Errorf("%v, %s", w.Header(), w.Body)
	}
}

func TestALookIsPagedBoundedAndTakesNothing(t *testing.T) {
	s := newSite(t, Options{})
	for i := range maxSearched + 10 {
		s.send(s.donors, fmt.Sprint("donor ", i))
	}
	before := s.counts(s.donors)
	for _, test := range []struct {
		query                  string
		first                  string
		n, searched, foundThem int
	}{
		{"max=50", "donor 0", 50, 50, 50},
		{"max=50&skip=50", "donor 50", 50, 100, 100},
		{"max=200&skip=9900", "donor 9900", 100, maxSearched, maxSearched},
		{"max=200&skip=10000", "", 0, maxSearched, maxSearched},
		{"", "donor 0", 1, 1, 1},
		{"max=200&text=donor+99", "donor 99", 111, maxSearched, 111},
		{"max=200&text=donor+10005", "", 0, maxSearched, 0},
	} {
		got := get[looked](s, "GET /api/messages?queue=donors&state=visible&"+test.query)
		first := ""
		if len(got.Messages) > 0 {
			first = got.Messages[0].Body
		}
		if first != test.first || len(got.Messages) != test.n || got.Searched != test.searched || got.Found != test.foundThem || got.Limit != maxSearched {
			t.Errorf("%s: %d from %q, %d searched, %d found", test.query, len(got.Messages), first, got.Searched, got.Found)
		}
	}
	if after := s.counts(s.donors); after != before {
		t.Errorf("%+v; before %+v", after, before)
	}
}

func TestALongBodyIsCutUntilItIsOpened(t *testing.T) {
	s := newSite(t, Options{})
	body := strings.Repeat("ä", shownBytes)
	s.send(s.donors, body)
	m := get[looked](s, "GET /api/messages?queue=donors&state=visible").Messages[0]
	if !m.Cut || m.Size != len(body) || m.Binary || m.Body != body[:shownBytes] {
		t.Errorf("%t, %d bytes of %d", m.Cut, len(m.Body), m.Size)
	}
	if whole := get[messageRow](s, "GET /api/message?queue=donors&state=visible&id="+m.ID); whole.Cut || whole.Body != body {
		t.Errorf("%t, %d bytes", whole.Cut, len(whole.Body))
	}
}

func TestMessagesAreFoundByTextAndAttribute(t *testing.T) {
	s := newSite(t, Options{})
	for i, name := range []string{"Harper", "Lois", "Cecile"} {
		attr := spec.Attribute{DataType: "String", StringValue: fmt.Sprint("v", i%2)}
		if _, err := s.donors.Send(engine.Message{Body: name, Attributes: []spec.NamedAttribute{{Name: "kind", Attribute: attr}}}); err != nil {
			t.Fatal(err)
		}
	}
	s.send(s.donors, "Harper without")
	for query, want := range map[string][]string{
		"text=Harper": {"Harper", "Harper without"}, "attribute=kind": {"Harper", "Lois", "Cecile"}, "attribute=kind%3Dv0": {"Harper", "Cecile"},
		"text=Harper&attribute=kind": {"Harper"}, "attribute=none": nil, "text=harper": nil, "attribute=kind%3D": nil,
	} {
		var bodies []string
		for _, m := range get[looked](s, "GET /api/messages?queue=donors&state=visible&max=10&"+query).Messages {
			bodies = append(bodies, m.Body)
		}
		if !slices.Equal(bodies, want) {
			t.Errorf("%s: %q, want %q", query, bodies, want)
		}
	}
}

func TestPurgeDeletesAll(t *testing.T) {
	s := newSite(t, Options{})
	s.send(s.donors, "a", "b")
	if w := s.ask(`POST /api/purge {"Queue":"donors"}`); w.Code != http.StatusOK || s.counts(s.donors) != (spec.Counts{}) {
		t.Errorf("%d, %s, %+v", w.Code, w.Body, s.counts(s.donors))
	}
}

func TestDeleteDeletesThoseChosen(t *testing.T) {
	s := newSite(t, Options{})
	s.send(s.donors, "a", "b")
	id := get[looked](s, "GET /api/messages?queue=donors&state=visible").Messages[0].ID
	w := s.ask(fmt.Sprintf(`POST /api/delete {"Queue":"donors","IDs":[%q,"none such"]}`, id))
	if w.Code != http.StatusOK || w.Body.String() != `{"deleted":1}`+"\n" || s.counts(s.donors).Visible != 1 {
		t.Errorf("%d, %s, %+v", w.Code, w.Body, s.counts(s.donors))
	}
}

func TestRedriveMovesThoseChosen(t *testing.T) {
	s := newSite(t, Options{})
	s.bury("a", "b", "c")
	ids := get[looked](s, "GET /api/messages?queue=dead&state=visible&max=2").Messages
	w := s.ask(fmt.Sprintf(`POST /api/redrive {"Queue":"dead","To":"","IDs":[%q,%q]}`, ids[0].ID, ids[1].ID))
	if w.Code != http.StatusOK || w.Body.String() != `{"moved":2}`+"\n" || s.counts(s.donors).Visible != 2 || s.counts(s.dead).Visible != 1 {
		t.Errorf("%d, %s", w.Code, w.Body)
	}
}

// progress reads events up to the end of a redrive, and returns what tasks said.
func progress(next func() (string, string), until string) (said []task) {
	for {
		name, data := next()
		if name == "end" {
			return said
		}
		var tasks []task
		if name == "tasks" && json.Unmarshal([]byte(data), &tasks) == nil && len(tasks) > 0 {
			said = append(said, tasks[0])
			if tasks[0].State == until {
				return said
			}
		}
	}
}

func TestARedriveOfAllTellsHowFarItIs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, Options{Every: time.Millisecond})
		bodies := make([]string, 2501)
		for i := range bodies {
			bodies[i] = fmt.Sprint(i)
		}
		s.bury(bodies...)
		next, stop := s.watch()
		defer stop()
		if w := s.ask(`POST /api/redrive {"Queue":"dead","To":""}`); w.Code != http.StatusOK || !strings.Contains(w.Body.String(), `"total":2501`) {
			t.Fatal(w.Code, w.Body)
		}
		if w := s.ask(`POST /api/redrive {"Queue":"dead","To":""}`); w.Code != http.StatusUnprocessableEntity {
			t.Errorf("a second one beside it: %d, %s", w.Code, w.Body)
		}
		said := progress(next, "done")
		last := said[len(said)-1]
		if last.Moved != len(bodies) || len(said) < 4 || s.counts(s.donors).Visible != len(bodies) || s.counts(s.dead) != (spec.Counts{}) {
			t.Errorf("%+v; %d are back", said, s.counts(s.donors).Visible)
		}
	})
}

func TestARedriveCanBeStopped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, Options{})
		bodies := make([]string, 2501)
		for i := range bodies {
			bodies[i] = fmt.Sprint(i)
		}
		s.bury(bodies...)
		next, stop := s.watch()
		defer stop()
		for _, request := range []string{`POST /api/redrive {"Queue":"dead","To":""}`, `POST /api/cancel {"ID":1}`} {
			if w := s.ask(request); w.Code != http.StatusOK {
				t.Fatal(request, w.Code, w.Body)
			}
		}
		said := progress(next, "cancelled")
		if moved := said[len(said)-1].Moved; moved >= len(bodies) || s.counts(s.dead).Visible != len(bodies)-moved {
			t.Errorf("%d were moved, %d are left", moved, s.counts(s.dead).Visible)
		}
	})
}

func TestARedriveThatFailsSaysWhy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, Options{})
		s.send(s.donors, "no dead letter")
		next, stop := s.watch()
		defer stop()
		if w := s.ask(`POST /api/redrive {"Queue":"donors","To":""}`); w.Code != http.StatusOK {
			t.Fatal(w.Code, w.Body)
		}
		if said := progress(next, "failed"); !strings.Contains(said[len(said)-1].Error, "not a dead-letter queue") {
			t.Errorf("%+v", said)
		}
	})
}

// crew is one worker that remembers what was asked of it.
type crew struct{ asked []string }

func (c *crew) Workers() []Worker {
	return []Worker{{Name: "slow consumer", Queue: "donors", State: "running", Can: []string{"pause"}, Latest: []Deed{{Kind: "received", Words: "Harper"}}}}
}

func (c *crew) Do(_ context.Context, worker, action string) error {
	if action != "pause" {
		return errors.New("it can only pause")
	}
	c.asked = append(c.asked, worker+" "+action)
	return nil
}

func TestWorkersAreShownAndTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := new(crew)
		s := newSite(t, Options{Workers: c})
		next, stop := s.watch()
		defer stop()
		next()
		if name, data := next(); name != "workers" || !strings.Contains(data, `"name":"slow consumer"`) || !strings.Contains(data, `"words":"Harper"`) {
			t.Error(name, data)
		}
		if w := s.ask(`POST /api/work {"Worker":"slow consumer","Action":"pause"}`); w.Code != http.StatusOK || !slices.Equal(c.asked, []string{"slow consumer pause"}) {
			t.Errorf("%d, %s, %q", w.Code, w.Body, c.asked)
		}
		if w := s.ask(`POST /api/work {"Worker":"slow consumer","Action":"fly"}`); w.Code != http.StatusUnprocessableEntity {
			t.Errorf("%d, %s", w.Code, w.Body)
		}
		if name, data := next(); name != "queues" {
			t.Error(name, data)
		}
		if name, data := next(); name != "counts" { // workers that are as they were are not told again
			t.Error(name, data)
		}
	})
}

// dear is a source whose looks cost something.
type dear struct{ Engine }

func (dear) LookCost() string { return "A look costs." }

// A look that costs shows all at once, and is none of looking only.
func TestALookThatCosts(t *testing.T) {
	s := newSite(t, Options{})
	s.o.Source = dear{s.o.Source.(Engine)}
	body := strings.Repeat("x", 2*shownBytes)
	s.send(s.donors, body)
	if got := get[looked](s, "GET /api/messages?queue=donors&state=visible").Messages[0]; got.Cut || got.Body != body || s.hello().LookCost != "A look costs." {
		t.Errorf("%d bytes, %q", len(got.Body), s.hello().LookCost)
	}
	s.o.ReadOnly = true
	if w := s.ask("GET /api/messages?queue=donors&state=visible"); w.Code != http.StatusForbidden {
		t.Errorf("%d, %s", w.Code, w.Body)
	}
}
