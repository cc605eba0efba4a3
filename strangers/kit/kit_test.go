//go:build strangers

// Package kit runs the conformance kit through sqsbus on running endpoints, ours
// and those that others made. Where each is says an environment variable; a test
// whose endpoint is not named or does not answer fails.
package kit

import (
	"context"
	"io"
	"log/slog"
	"net"
	"net/url"
	"os"
	"testing"
	"time"

	"omnibus/bus"
	"omnibus/bus/bustest"
	"omnibus/bus/driver"
	"omnibus/bus/sqsbus"
)

// origin returns where an endpoint is, which an environment variable says.
func origin(t *testing.T, variable string) string {
	t.Helper()
	origin := os.Getenv(variable)
	u, err := url.Parse(origin)
	if err != nil || u.Host == "" {
		t.Fatalf("%s=%q; it must say where the endpoint is, such as http://127.0.0.1:9324", variable, origin)
	}
	c, err := net.DialTimeout("tcp", u.Host, 5*time.Second)
	if err != nil {
		t.Fatalf("%s: %v", variable, err)
	}
	c.Close()
	return origin
}

// newBackend returns sqsbus as it comes, without its log: acknowledgements that
// are late are so on purpose here.
func newBackend() *sqsbus.Backend {
	return sqsbus.New(&sqsbus.Options{Logger: slog.New(slog.NewTextHandler(io.Discard, nil))})
}

func TestSqsd(t *testing.T) {
	origin := origin(t, "SQSD_ENDPOINT")
	bustest.Run(t, bustest.Backend{
		Setup: func(t testing.TB) (*bus.Mux, func(name string) string) {
			mux := new(bus.Mux)
			newBackend().Register(mux)
			return mux, func(name string) string { return origin + "/000000000000/" + name }
		},
	})
}

// What AWS's documentation says of each fault is in its API reference
// (https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/), under
// the action that the reason names.
func TestFauxqs(t *testing.T) {
	const (
		gone = "a poll whose client has gone gets the next message, which is then hidden for its whole visibility timeout"
		move = "there are no ListDeadLetterSourceQueues and no move tasks"
		high = "SendMessage refuses characters from U+10000 on, which AWS allows"
	)
	origin := origin(t, "FAUXQS_ENDPOINT")
	bustest.Run(t, bustest.Backend{
		Faults: map[string]string{
			"cancel":             gone,
			"cancel-release":     gone,
			"shutdown-flush":     gone,
			"dead-letters":       gone + "; the dead letter goes to such a poll",
			"redrive":            move,
			"redrive-rules":      move,
			"deleted":            move,
			"delivery":           high,
			"message-characters": high,
			"counts":             "GetQueueAttributes counts a message whose delay or visibility timeout has ended as before, until somebody polls",
			"fifo-rules":         "SendMessage takes a deduplication id on a standard queue, and drops the group there, which AWS keeps for fair queues",
			"purge-interval":     "PurgeQueue works again at once; AWS refuses it for 60 s",
		},
		Setup: func(t testing.TB) (*bus.Mux, func(name string) string) {
			mux := new(bus.Mux)
			newBackend().Register(mux)
			return mux, func(name string) string { return origin + "/000000000000/" + name }
		},
	})
}

// Long polls of local-aws-sqs keep the messages they find until they have as many
// as were asked for or the wait is over, where AWS answers as soon as there is
// one; and they go on when their client has gone. With long polls 24 promises are
// broken by that alone, so here receives do not wait. The promise stale-nack is
// left to -skip: whether it is broken depends on when the next receive comes.
func TestLocalAWSSQS(t *testing.T) {
	const (
		handle  = "DeleteMessage and ChangeMessageVisibility take a receipt handle of an earlier delivery, which on AWS changes nothing"
		count   = "ChangeMessageVisibility raises the receive count, which only ReceiveMessage does on AWS"
		group   = "ReceiveMessage gives later messages of a group while one is in flight"
		forgets = "a deduplication id is forgotten when its message is deleted; AWS remembers it for 5 minutes"
	)
	origin := origin(t, "LOCAL_AWS_SQS_ENDPOINT")
	bustest.Run(t, bustest.Backend{
		Faults: map[string]string{
			"stale-ack":             handle,
			"nack":                  count,
			"dead-letters":          count + ", so messages given back are dead letters too soon",
			"group-lock":            group,
			"groups-parallel":       group,
			"deduplication":         forgets,
			"content-deduplication": forgets,
			"counts":                "ApproximateNumberOfMessages counts messages in flight too; on AWS it is those that can be received",
			"purge":                 "PurgeQueue deletes when 60 s have passed, which AWS allows itself; ours deletes at once",
			"list":                  "ListQueues shows a deleted queue for a while, as AWS may for 60 s; ours does not",
			"create":                "CreateQueue takes attributes that are not given for their defaults; AWS compares those given",
			"redrive":               "ReceiveMessage does not tell DeadLetterQueueSourceArn, without which messages cannot go back one by one",
		},
		Setup: func(t testing.TB) (*bus.Mux, func(name string) string) {
			mux := new(bus.Mux)
			mux.Register("http", shortPolls{newBackend()})
			return mux, func(name string) string { return origin + "/123456789012/" + name }
		},
	})
}

// shortPolls is sqsbus with receives that do not wait at the endpoint.
type shortPolls struct{ *sqsbus.Backend }

func (b shortPolls) OpenQueue(ctx context.Context, u *url.URL) (driver.Queue, error) {
	short := *u
	query := u.Query()
	query.Set("wait", "0s")
	short.RawQuery = query.Encode()
	return b.Backend.OpenQueue(ctx, &short)
}
