package faulty_test

import (
	"strings"
	"time"

	"omnibus/bus/spec"
	"omnibus/bus/sqsserver"
)

// fault returns what goes wrong with a request to the endpoint, as the seed says.
func (w *world) fault(c *sqsserver.Call) (f sqsserver.Fault) {
	if !strings.Contains(c.Action, "Message") {
		return f
	}
	what := c.Action
	if len(c.Entries) > 0 {
		what += c.Entries[0].Body
	}
	draw := w.draw(what)
	f.Reverse = draw.IntN(2) == 0
	if draw.Float64() >= share {
		return f
	}
	w.ledger.countFault()
	doubled := false
	switch draw.IntN(12) {
	case 0:
		if strings.HasPrefix(c.Action, "Change") && !w.again {
			break // a renewal that a give-back overtakes would change another receiver's lease
		}
		f.Before = time.Duration(draw.Int64N(int64(10 * time.Second)))
	case 1:
		f.Before = time.Hour // no answer, no effect
	case 2:
		if c.Action == "ReceiveMessage" && !w.again {
			break // by as much is the lease shorter than its holder can know
		}
		f.After = time.Duration(draw.Int64N(int64(10 * time.Second)))
	case 3:
		f.After, doubled = time.Hour, true // no answer
	case 4:
		f.Refuse = sqsserver.Throttled
	case 5:
		f.Refuse = sqsserver.Unavailable
	case 6:
		f.Refuse = spec.OverLimit
		f.Status = 403
	case 7:
		f.Drop = sqsserver.DropBefore
	case 8:
		f.Drop, doubled = sqsserver.DropAfter, true
	case 9:
		f.Drop, doubled = sqsserver.DropAmid, true
	case 10:
		if c.Action != "ReceiveMessage" || w.again {
			f.Twice, doubled = true, true
		}
	case 11:
		f.Fail = map[string]spec.Code{}
		for _, e := range c.Entries {
			if draw.IntN(2) == 0 {
				f.Fail[e.ID] = sqsserver.InternalError
			}
		}
	}
	if doubled && strings.HasPrefix(c.Action, "SendMessage") {
		for _, e := range c.Entries {
			w.doubled(e.Body)
		}
	}
	return f
}
