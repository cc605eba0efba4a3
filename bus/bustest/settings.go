package bustest

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"time"

	"gocloud.dev/gcerrors"

	"omnibus/bus"
)

func keepsSettings(t *trial) {
	dead := t.queue("dead", bus.QueueSettings{})
	all := bus.QueueSettings{
		Delay:           new(5 * time.Second),
		Visibility:      new(17 * time.Second),
		Retention:       new(2 * time.Hour),
		Wait:            new(3 * time.Second),
		MaxMessageBytes: new(2048),
	}
	want := bus.QueueAttributes{
		Delay: 5 * time.Second, Visibility: 17 * time.Second, Retention: 2 * time.Hour, Wait: 3 * time.Second, MaxMessageBytes: 2048,
	}
	if t.has(deadLetter) {
		want.DeadLetter = bus.DeadLetter{Queue: t.full(dead.name), MaxReceives: 7}
		all.DeadLetter = new(want.DeadLetter)
	}
	q := t.queue("set", all)
	q.attributes(want)

	set := func(s bus.QueueSettings) {
		if err := q.SetAttributes(t.ctx, s); err != nil {
			t.Fatalf("set attributes: %v", err)
		}
	}
	set(bus.QueueSettings{Visibility: new(18 * time.Second), Retention: new(3 * time.Hour)})
	want.Visibility, want.Retention = 18*time.Second, 3*time.Hour
	q.attributes(want)
	if t.has(deadLetter) {
		set(bus.QueueSettings{DeadLetter: &bus.DeadLetter{}})
		want.DeadLetter = bus.DeadLetter{}
		q.attributes(want)
	}
	set(bus.QueueSettings{Delay: new(0 * time.Second), Visibility: new(1 * time.Second)})
	want.Delay, want.Visibility = 0, 1*time.Second
	q.attributes(want)
	q.send("under the new settings")
	m := q.receive()
	again := q.receive()
	t.came(again, m.span, 1*time.Second)
	again.Ack()

	dead.attributes(bus.QueueAttributes{ // the defaults
		Visibility: 30 * time.Second, Retention: 4 * 24 * time.Hour, MaxMessageBytes: 1 << 20,
	})
	if t.has(groups) {
		f := t.fifo(bus.QueueSettings{ContentBasedDeduplication: new(true)})
		f.attributes(bus.QueueAttributes{
			Visibility: 30 * time.Second, Retention: 4 * 24 * time.Hour, MaxMessageBytes: 1 << 20, FIFO: true, ContentBasedDeduplication: true,
		})
	}
}

// attributes waits for the queue to have the settings given.
func (q *queue) attributes(want bus.QueueAttributes) {
	q.t.eventually(func() string {
		a, err := q.Attributes(q.t.ctx)
		if err != nil {
			return err.Error()
		}
		a.Counts, a.Created, a.Modified = bus.Counts{}, time.Time{}, time.Time{}
		a.Kept = nil // endpoints have defaults of their own
		if !reflect.DeepEqual(a, want) {
			return fmt.Sprintf("queue %s has the attributes %+v; want %+v", q.name, a, want)
		}
		return ""
	})
}

func keepsSettingsRange(t *trial) {
	bad := map[string]bus.QueueSettings{
		"a delay of -1s":                  {Delay: new(-1 * time.Second)},
		"a delay of 15m1s":                {Delay: new(15*time.Minute + time.Second)},
		"a visibility timeout of -1s":     {Visibility: new(-1 * time.Second)},
		"a visibility timeout of 12h1s":   {Visibility: new(12*time.Hour + time.Second)},
		"a retention period of 59s":       {Retention: new(59 * time.Second)},
		"a retention period of 336h1s":    {Retention: new(14*24*time.Hour + time.Second)},
		"a wait of -1s":                   {Wait: new(-1 * time.Second)},
		"a wait of 21s":                   {Wait: new(21 * time.Second)},
		"a size of 1023":                  {MaxMessageBytes: new(1023)},
		"a size of 1048577":               {MaxMessageBytes: new(1<<20 + 1)},
		"content-based deduplication":     {ContentBasedDeduplication: new(true)}, // on a standard queue
		"FIFO without its suffix":         {FIFO: new(true)},
		"dead letters after 0 receives":   {DeadLetter: &bus.DeadLetter{Queue: t.full("dead")}},
		"dead letters after 1001":         {DeadLetter: &bus.DeadLetter{Queue: t.full("dead"), MaxReceives: 1001}},
		"dead letters to a queue of FIFO": {DeadLetter: &bus.DeadLetter{Queue: t.full("dead.fifo"), MaxReceives: 3}},
	}
	if t.has(deadLetter) {
		t.queue("dead", bus.QueueSettings{})
	} else {
		for what, s := range bad {
			if s.DeadLetter != nil {
				delete(bad, what)
			}
		}
	}
	for what, s := range bad {
		_, err := t.create("bad", s)
		t.denied(err, gcerrors.InvalidArgument, "creating a queue with "+what, t.url(t.full("bad")))
	}
	q := t.queue("good", bus.QueueSettings{Visibility: new(12 * time.Hour), Delay: new(15 * time.Minute), Wait: new(20 * time.Second)})
	if t.has(settings) {
		for what, s := range bad {
			t.denied(q.SetAttributes(t.ctx, s), gcerrors.InvalidArgument, "setting "+what, q.URL())
		}
	}
}

func keepsQueueNames(t *trial) {
	q := t.queue("Az09_-"+strings.Repeat("x", 80-len(t.full("Az09_-"))), bus.QueueSettings{})
	q.send("to a long name")
	q.receive().Ack()
	for _, name := range []string{"with!mark", strings.Repeat("x", 81)} {
		_, err := t.mux.Create(t.ctx, t.url(name), bus.QueueSettings{})
		t.denied(err, gcerrors.InvalidArgument, "creating a queue named "+name, t.url(name))
	}
}

// given returns settings, one field each, by the fields' names. They are not the
// defaults.
func (t *trial) given() map[string]bus.QueueSettings {
	return map[string]bus.QueueSettings{
		"Delay":                     {Delay: new(5 * time.Second)},
		"Visibility":                {Visibility: new(17 * time.Second)},
		"Retention":                 {Retention: new(2 * time.Hour)},
		"Wait":                      {Wait: new(3 * time.Second)},
		"MaxMessageBytes":           {MaxMessageBytes: new(2048)},
		"FIFO":                      {FIFO: new(true)},
		"ContentBasedDeduplication": {ContentBasedDeduplication: new(true)},
		"GroupDeduplication":        {GroupDeduplication: new(true)},
		"DeadLetter":                {DeadLetter: &bus.DeadLetter{Queue: t.full("dead"), MaxReceives: 7}},
		"DeadLetterSources":         {DeadLetterSources: &bus.DeadLetterSources{Permission: bus.RedriveByQueue, Queues: []string{t.full("dead")}}},
		"Kept":                      {Kept: map[string]string{"KmsMasterKeyId": "alias/donors"}},
	}
}

func keepsSettingsKept(t *trial) {
	t.queue("dead", bus.QueueSettings{})
	given := t.given()
	for i := range reflect.TypeFor[bus.QueueSettings]().NumField() {
		field := reflect.TypeFor[bus.QueueSettings]().Field(i).Name
		s, ok := given[field]
		if !ok {
			t.Fatalf("the kit does not know the setting %s", field)
		}
		of := ""
		switch field {
		case "FIFO", "ContentBasedDeduplication", "GroupDeduplication":
			of = ".fifo"
		}
		name := strings.ToLower(field)
		if url, err := t.create("created-"+name+of, s); t.mayRefuse(err, field, "creating a queue with") {
			t.open(name, url).hasSetting(s, i, field)
		}
		if !t.has(settings) || field == "FIFO" { // which is set at creation only
			continue
		}
		url, err := t.create("set-"+name+of, bus.QueueSettings{})
		if err != nil { // no FIFO queues, say
			t.unsupported(err, groups)
			continue
		}
		q := t.open(name, url)
		if t.mayRefuse(q.SetAttributes(t.ctx, s), field, "changing") {
			q.hasSetting(s, i, field)
		}
	}
}

// mayRefuse reports whether a setting was taken. If it was not, that must be said
// to be unsupported.
func (t *trial) mayRefuse(err error, field, what string) (taken bool) {
	if err != nil && (!errors.Is(err, errors.ErrUnsupported) || gcerrors.Code(err) != gcerrors.Unimplemented) {
		t.Errorf("%s %s fails with %v; want that it works, or errors.ErrUnsupported and the code Unimplemented", what, field, err)
	}
	return err == nil
}

// hasSetting waits for the queue to have the field i of s, a setting that it took.
func (q *queue) hasSetting(s bus.QueueSettings, i int, field string) {
	want := reflect.ValueOf(s).Field(i)
	q.t.eventually(func() string {
		a, err := q.Attributes(q.t.ctx)
		if err != nil {
			return err.Error()
		}
		got := reflect.ValueOf(a.Settings()).Field(i)
		if want.Kind() == reflect.Map { // which may have more
			for _, key := range want.MapKeys() {
				if v := got.MapIndex(key); !v.IsValid() || !v.Equal(want.MapIndex(key)) {
					return fmt.Sprintf("%s was accepted with %v, and is %v", field, want, got)
				}
			}
			return ""
		}
		if got.IsNil() || !reflect.DeepEqual(got.Elem().Interface(), want.Elem().Interface()) {
			return fmt.Sprintf("%s was accepted as %v, and is not that", field, want.Elem())
		}
		return ""
	})
}

func keepsRetention(t *trial) {
	q := t.queue("brief", bus.QueueSettings{Retention: new(1 * time.Minute), Visibility: new(30 * time.Second)})
	q.send("gone in flight")
	q.send("gone while visible")
	if t.has(delays) {
		q.send("gone while delayed", delayed(2*time.Minute))
	}
	t.sleep(59 * time.Second)
	q.receive()
	t.sleep(1 * time.Second)
	if t.has(attributes) {
		q.counts(0, 0, 0)
	}
	q.none(5 * time.Minute)
	s := q.send("new")
	m := q.receive()
	t.came(m, s.span, 0)
	m.Ack()
}
