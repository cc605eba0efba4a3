package watch

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"
)

// A Kind says what an event tells of.
type Kind string

// The kinds of events. Those up to Dead are of messages; the others are of workers, and
// of what is done to them and to queues.
const (
	Sent        Kind = "sent"        // a producer sent a message
	Received    Kind = "received"    // a consumer received one for the first time
	Redelivered Kind = "redelivered" // a consumer received one that had been received before
	Handled     Kind = "handled"     // a consumer handled one and acknowledged it
	Failed      Kind = "failed"      // a consumer could not handle one, which comes again
	Lost        Kind = "lost"        // the lease ended before one was handled, which comes again
	Dead        Kind = "dead"        // one failed or was lost for the last time, and goes to the dead-letter queue

	Paused   Kind = "paused"
	Resumed  Kind = "resumed"
	Added    Kind = "added" // a worker began
	Removed  Kind = "removed"
	Crashed  Kind = "crashed"
	Finished Kind = "finished" // a worker ended by itself
	Created  Kind = "created"  // a queue
	Purged   Kind = "purged"
	Redriven Kind = "redriven" // dead letters went back to their queue
	Note     Kind = "note"     // something is to be said, in Words
)

// An Event is something that happened. Fields that a kind of event does not have are
// zero.
type Event struct {
	Kind   Kind      `json:"event"`
	Time   time.Time `json:"time"`
	Queue  string    `json:"queue,omitempty"`  // name of the queue, or of the topic
	Worker string    `json:"worker,omitempty"` // name of the worker

	// Number is the worker's n-th message, sent or handled; of finished, redriven and
	// purged, how many messages there were.
	Number int `json:"number,omitempty"`

	ID         string    `json:"id,omitempty"`            // of the message
	Words      string    `json:"words,omitempty"`         // of the message's body: see Words
	Group      string    `json:"group,omitempty"`         // of a FIFO queue's message
	Receives   int       `json:"receive_count,omitempty"` // how often it has been received, this time counted
	LeaseEnds  time.Time `json:"lease_ends,omitzero"`     // received, redelivered: when others may have it
	LeaseBegan time.Time `json:"lease_began,omitzero"`    // received, redelivered
	Error      string    `json:"error,omitempty"`         // failed, lost, dead: why
}

// mostWords is how much of a body an event keeps, in characters.
const mostWords = 120

// Words returns the beginning of a body in one line, for people: of a JSON object its
// values in their order, of other text the text, of what is no UTF-8 its size. It does
// not make control characters visible.
func Words(body []byte) string {
	const most = mostWords * utf8.UTFMax
	text := ""
	switch {
	case !utf8.Valid(body):
		return fmt.Sprintf("%d bytes", len(body))
	case bytes.HasPrefix(bytes.TrimSpace(body), []byte("{")) && json.Valid(body):
		text = values(body, most)
	default:
		text = strings.ToValidUTF8(string(body[:min(len(body), most)]), "")
	}
	text = strings.Join(strings.Fields(text), " ")
	if runes := []rune(text); len(runes) > mostWords {
		text = string(runes[:mostWords-1]) + "…"
	}
	return text
}

// values returns the strings, numbers and truths of a JSON document, up to a number of
// bytes or a little more.
func values(body []byte, most int) string {
	var b strings.Builder
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	key := []bool{} // of each object or array that is open, whether a key comes next; arrays have none
	object := []bool{}
	for b.Len() < most {
		token, err := d.Token()
		if err != nil {
			break
		}
		at := len(object) - 1
		if delim, ok := token.(json.Delim); ok {
			if delim == '{' || delim == '[' {
				object, key = append(object, delim == '{'), append(key, true)
			} else {
				object, key = object[:at], key[:at]
				at--
				if at >= 0 {
					key[at] = true
				}
			}
			continue
		}
		if at >= 0 && object[at] && key[at] {
			key[at] = false
			continue
		}
		if at >= 0 {
			key[at] = true
		}
		if b.Len() > 0 {
			b.WriteByte(' ')
		}
		fmt.Fprint(&b, token)
	}
	return b.String()
}
