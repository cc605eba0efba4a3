package bustest

import (
	"maps"
	"strings"
	"time"

	"gocloud.dev/gcerrors"
)

// came checks that m came d after s: not before, and as soon as it was over.
func (t *trial) came(m *message, s span, d time.Duration) {
	due := s.by.Add(d)
	if m.from.After(due) { // the receive began later
		due = m.from
	}
	if early := s.from.Add(d).Sub(m.by); early > 0 {
		t.Errorf("%v came %v too early; it was due in %v", m, early, d)
	}
	if late := m.by.Sub(due); late > t.slack() {
		t.Errorf("%v came %v late; %v is allowed", m, late, t.slack())
	}
}

// is checks a message's body.
func (t *trial) is(m *message, body string) {
	if string(m.Body) != body {
		t.Fatalf("%v came; want %s", m, brief(body))
	}
}

// carries checks a message's metadata.
func (t *trial) carries(m *message, want map[string]string) {
	if !maps.Equal(m.Metadata, want) {
		t.Errorf("%v has the metadata %q; want %q", m, m.Metadata, want)
	}
}

// refused checks that a send was refused with a code.
func (t *trial) refused(err error, want gcerrors.ErrorCode, what string) {
	switch {
	case err == nil:
		t.Errorf("%s was accepted; want an error of code %v", what, want)
	case gcerrors.Code(err) != want:
		t.Errorf("%s was refused with code %v: %v; want code %v", what, gcerrors.Code(err), err, want)
	}
}

// denied checks that a control was refused with a code, in an error that names
// the queue.
func (t *trial) denied(err error, want gcerrors.ErrorCode, what, url string) {
	t.refused(err, want, what)
	if err != nil && (!strings.HasPrefix(err.Error(), "bus: ") || !strings.Contains(err.Error(), url)) {
		t.Errorf("%s: the error %q does not name operation and queue (%s)", what, err, url)
	}
}
