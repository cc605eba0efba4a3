package workers_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"log/slog"
	"runtime"
	"strings"
	"testing"
	"time"

	"gocloud.dev/pubsub"

	"omnibus/bus"
	"omnibus/workers"
)

// captureLog returns what is logged by default from now on.
func captureLog(t *testing.T) *bytes.Buffer {
	var b bytes.Buffer
	logger, writer, flags := slog.Default(), log.Writer(), log.Flags()
	slog.SetDefault(slog.New(slog.NewJSONHandler(&b, nil)))
	t.Cleanup(func() {
		slog.SetDefault(logger)
		log.SetOutput(writer)
		log.SetFlags(flags)
	})
	return &b
}

func TestConsumerLogsAFailedHandlerOnce(t *testing.T) {
	inMemory(t, func(t *testing.T, open func(string) *bus.Queue) {
		logged := captureLog(t)
		q := open("")
		send(t, q, "a", "b")
		var id string
		handler := func(_ context.Context, m *pubsub.Message) error {
			if string(m.Body) == "b" {
				return nil
			}
			id = bus.Details(m).ID
			return errors.New("no room")
		}
		if err := (&workers.Consumer{Queue: q, Handler: handler, Max: 2}).Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		var line struct {
			ID           string
			ReceiveCount int `json:"receive_count"`
			Error        string
		}
		if err := json.Unmarshal(logged.Bytes(), &line); err != nil || line.ID != id || line.ReceiveCount != 1 || line.Error != "no room" {
			t.Errorf("the log is\n%s(%v)\nwant one line with id %s, receive_count 1 and the error", logged, err, id)
		}

		logged.Reset()
		told := 0
		c := &workers.Consumer{Queue: q, Handler: handler, Max: 1, OnDone: func(d workers.Done) {
			if d.Err != nil {
				told++
			}
		}}
		if err := c.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		if told != 1 || logged.Len() > 0 {
			t.Errorf("OnDone was told %d failures and the log is %q; want 1, and no log of what OnDone is told", told, logged)
		}
	})
}

func TestConsumerGivesBackWhenAHandlerCallsGoexit(t *testing.T) {
	onBackends(t, func(t *testing.T, open func() *bus.Queue) {
		q := open()
		send(t, q, "a")
		calls := 0
		var errs []error
		c := &workers.Consumer{
			Queue: q,
			Handler: func(context.Context, *pubsub.Message) error {
				if calls++; calls == 1 {
					runtime.Goexit() // as t.FailNow does
				}
				return nil
			},
			OnDone: func(d workers.Done) { errs = append(errs, d.Err) },
		}
		stop := start(t, c)
		time.Sleep(5 * time.Second) // given back, not waited for: the visibility timeout is 30 s, the ack deadline 60 s
		if err := stop(); err != nil {
			t.Error(err)
		}
		if s := c.Stats(); calls != 2 || s.Received != 2 || s.Deleted != 1 || s.Failed != 1 {
			t.Errorf("%d calls, stats %+v; want the second delivery handled and the first counted as failed", calls, s)
		}
		if text := fmt.Sprint(errs); len(errs) != 2 || !strings.Contains(text, "Goexit") {
			t.Errorf("OnDone saw %v, want runtime.Goexit and then success", errs)
		}
	})
}
