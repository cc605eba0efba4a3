package bus_test

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"gocloud.dev/gcerrors"
	"gocloud.dev/pubsub"
	"gocloud.dev/pubsub/batcher"
	"gocloud.dev/pubsub/mempubsub"

	"omnibus/bus"
	"omnibus/bus/membus"
	"omnibus/bus/plainbus"
	"omnibus/bus/spec"
)

func newMux() *bus.Mux {
	mux := &bus.Mux{}
	mux.Register(membus.Scheme, membus.New(nil))
	mux.Register(plainbus.Scheme, plainbus.New())
	return mux
}

func open(t *testing.T, mux *bus.Mux, url string) *bus.Queue {
	t.Helper()
	q, err := mux.Open(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := q.Shutdown(context.Background()); err != nil {
			t.Errorf("shutdown: %v", err)
		}
	})
	return q
}

func TestOpenRefusesBadURLs(t *testing.T) {
	for url, want := range map[string]string{
		"":                                 "bus: open: no URL is given; one like mem://donors is needed",
		"nope://donors":                    `bus: open nope://donors: unknown scheme "nope"; known are mem, mempubsub (a scheme is known once its backend's package is imported)`,
		"donors":                           `unknown scheme ""; known are mem, mempubsub`,
		"mem://a b":                        "the URL does not parse: invalid character",
		"mem://user:secret@donors":         "bus: open mem://xxxxx@donors: InvalidParameterValue: credentials do not belong in the URL",
		"mem://":                           `Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length (queue name "";`,
		"mem://donors/x":                   `queue name "donors/x"; the names`,
		"mem://donors?frob=1":              `unknown parameter "frob"; known are delay, retention, fifo, contentdedup, dlq, maxreceives, visibility, wait`,
		"mem://donors?delay=soon":          "parameter delay=soon: InvalidParameterValue: want a duration such as 500ms, 5s or 1.5h",
		"mem://donors?delay=901s":          "Invalid value for the parameter DelaySeconds. Reason: 901 is out of range; allowed are 0 to 900 seconds",
		"mem://donors?delay=-1s":           "-1 is out of range; allowed are 0 to 900 seconds",
		"mem://donors?visibility=12h1s":    "parameter visibility=12h1s: InvalidParameterValue: Value 43201 for parameter VisibilityTimeout is invalid. Reason: Must be >= 0 and <= 43200",
		"mem://donors?wait=21s":            "Value 21 for parameter WaitTimeSeconds is invalid. Reason: Must be >= 0 and <= 20",
		"mem://donors?retention=59s":       "MessageRetentionPeriod. Reason: 59 is out of range; allowed are 60 to 1209600 seconds",
		"mem://donors?fifo=maybe":          "parameter fifo=maybe: InvalidParameterValue: want true or false",
		"mem://donors?fifo=true":           `must end with .fifo suffix and be 1 to 80 in length. (queue name "donors"; the names of FIFO queues, and no others, end in .fifo)`,
		"mem://donors?contentdedup=true":   "Unknown Attribute ContentBasedDeduplication. (it is for FIFO queues only)",
		"mem://donors?dlq=dead":            "dlq and maxreceives go together",
		"mem://a?dlq=dead&maxreceives=x":   "parameter maxreceives=x: InvalidParameterValue: want a number from 1 to 1000",
		"mem://a?dlq=dead&maxreceives=0":   "Invalid value for maxReceiveCount: 0, valid values are from 1 to 1000",
		"mem://a?dlq=d.fifo&maxreceives=3": "Dead-letter queue must be same type of queue as the source",
		"mem://donors?wait=1s&wait=2s":     "parameter wait is given 2 times",
		"mempubsub://donors?delay=1s":      `unknown parameter "delay"; known is ackdeadline`,
		"mempubsub://a?ackdeadline=0s":     "parameter ackdeadline=0s: want a duration over zero, such as 5s",
		"mempubsub://":                     `queue name "";`,
	} {
		_, err := newMux().Open(t.Context(), url)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("open %q:\n%v\nwant an error with\n%s", url, err, want)
		}
		if gcerrors.Code(err) != gcerrors.InvalidArgument {
			t.Errorf("open %q has code %v, want InvalidArgument", url, gcerrors.Code(err))
		}
		if err != nil && strings.Contains(err.Error(), "secret") {
			t.Errorf("open %q gives away the password: %v", url, err)
		}
	}
}

func TestAnUnknownSchemeNamesThePackageToImport(t *testing.T) {
	for scheme, pkg := range map[string]string{
		"mem": "omnibus/bus/membus", "mempubsub": "omnibus/bus/plainbus", "awssns": "omnibus/bus/sqsbus",
		"awssqs": "omnibus/bus/sqsbus", "http": "omnibus/bus/sqsbus", "https": "omnibus/bus/sqsbus",
	} {
		_, err := new(bus.Mux).Open(t.Context(), scheme+"://host/0/donors")
		if want := `register the backend of package ` + pkg + ` on this mux; none is known`; err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s gives\n%v\nwant an error with\n%s", scheme, err, want)
		}
	}
	// This test's binary has package sqsbus not imported.
	_, err := bus.Open(t.Context(), "http://127.0.0.1:9324/000000000000/donors")
	if want := `unknown scheme "http"; import _ "omnibus/bus/sqsbus", whose backend opens it; known are mem, mempubsub`; err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("http gives\n%v\nwant an error with\n%s", err, want)
	}
}

func TestASchemeCanBeFreedAndRegisteredAnew(t *testing.T) {
	mux := newMux()
	open(t, mux, "mem://donors")
	mux.Unregister(membus.Scheme)
	mux.Unregister("nope")
	if _, err := mux.Open(t.Context(), "mem://donors"); gcerrors.Code(err) != gcerrors.InvalidArgument {
		t.Errorf("a scheme that was freed: %v", err)
	}
	mux.Register(membus.Scheme, plainbus.New())
	if q := open(t, mux, "mem://donors"); q.Supports(bus.ControlPurge) {
		t.Error("the scheme opens queues of the backend that it had before")
	}
}

// A quoter is a backend of the Go CDK that repeats the URL in its errors, as most do.
type quoter struct{}

func (quoter) OpenTopicURL(_ context.Context, u *url.URL) (*pubsub.Topic, error) {
	return nil, fmt.Errorf("open topic %v: no such host", u)
}

func TestSecretsAreStruckOutWhereverAURLIsRefused(t *testing.T) {
	const secret = "PW-s3cr3t"
	mux := newMux()
	mux.Fallback = new(pubsub.URLMux)
	mux.Fallback.RegisterTopic("quoted", quoter{})
	for _, url := range []string{
		"mem://u:" + secret + "@donors", "mem://donors?password=" + secret, "mem://donors?delay=http://u:" + secret + "@host",
		"mem://donors/u:" + secret + "@host", "mem:u:" + secret + "@donors", "mem://donors#" + secret, "mem://donors?X-Amz-Security-Token=" + secret,
		"mem://u:" + secret + "/@donors", "u:" + secret + "@donors", "nope://donors?token=" + secret,
		"mempubsub://donors?accesskey=" + secret, "mempubsub://donors?ackdeadline=u:" + secret + "@host", "mempubsub://donors/u:" + secret + "@host",
		"quoted://host?password=" + secret + "&b=a b", "quoted://host/u:" + secret + "@x",
	} {
		_, openErr := mux.Open(t.Context(), url)
		_, createErr := mux.Create(t.Context(), url, bus.QueueSettings{})
		_, listErr := mux.List(t.Context(), url, "")
		for what, err := range map[string]error{"open": openErr, "create": createErr, "list": listErr} {
			if err == nil && what == "open" {
				t.Errorf("%s opens", url)
			}
			if err != nil && strings.Contains(err.Error(), secret) {
				t.Errorf("%s %s: %v", what, url, err)
			}
		}
	}
}

func TestOpenRefusesAQueueWithOtherSettings(t *testing.T) {
	mux := newMux()
	open(t, mux, "mem://donors?delay=5s")
	open(t, mux, "mem://donors")
	open(t, mux, "mem://donors?delay=5s&visibility=1s")
	_, err := mux.Open(t.Context(), "mem://donors?delay=6s")
	if gcerrors.Code(err) != gcerrors.AlreadyExists || !strings.Contains(err.Error(), "different value for attribute DelaySeconds (queue donors has \"5\", not \"6\")") {
		t.Errorf("open with another delay: %v", err)
	}
}

func TestSendRefusesBadMessages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := open(t, newMux(), "mem://donors")
		attributes := func(n int) *pubsub.Message {
			m := &pubsub.Message{Body: []byte("x"), Metadata: map[string]string{}}
			for i := range n {
				m.Metadata[string(rune('a'+i))] = "v"
			}
			return m
		}
		with := func(f func(*pubsub.Message)) *pubsub.Message {
			m := &pubsub.Message{Body: []byte("x")}
			f(m)
			return m
		}
		for want, m := range map[string]*pubsub.Message{
			"Message must be shorter than 1048576 bytes. (the message is 1048577 bytes with its attributes)":                                                      {Body: make([]byte, spec.MaxMessageBytes+1)},
			"the message body must have at least 1 character":                                                                                                     {},
			"Invalid binary character '#x0' was found in the message body, the set of allowed characters is #x9":                                                  {Body: []byte("a\x00b")},
			"'#xFFFF' was found in the message body":                                                                                                              {Body: []byte("\uffff")},
			`Number of message attributes [11] exceeds the allowed maximum [10]. (they are ["a" "b" "c"`:                                                          attributes(11),
			"attribute 'a' must contain a non-empty value of type 'String'":                                                                                       {Body: []byte("x"), Metadata: map[string]string{"a": ""}},
			"Value 901 for parameter DelaySeconds is invalid. Reason: DelaySeconds must be >= 0 and <= 900":                                                       with(func(m *pubsub.Message) { bus.Delay(m, 901*time.Second) }),
			"Value -1 for parameter DelaySeconds":                                                                                                                 with(func(m *pubsub.Message) { bus.Delay(m, -time.Second) }),
			`Can't cast the value of message (user) attribute 'n' to a number. (it is "ten")`:                                                                     with(func(m *pubsub.Message) { bus.SetAttribute(m, "n", bus.Number("ten")) }),
			`The type of message (user) attribute 'n' is invalid. You must use only the following supported type prefixes: Binary, Number, String. (it is "Frob"`: with(func(m *pubsub.Message) { bus.SetAttribute(m, "n", bus.Attribute{DataType: "Frob", StringValue: "x"}) }),
			`attribute name "a b" is invalid. It can contain A-Z`:                                                                                                 with(func(m *pubsub.Message) { bus.SetAttribute(m, "a b", bus.String("x")) }),
			`attribute name "AWS.x" is invalid. It must not start with`:                                                                                           with(func(m *pubsub.Message) { bus.SetAttribute(m, "AWS.x", bus.String("x")) }),
			`not valid for this queue type. (donors is a standard queue)`:                                                                                         with(func(m *pubsub.Message) { bus.Deduplicate(m, "d") }),
		} {
			if m.Body != nil && m.Body[0] == 0 {
				for i := range m.Body {
					m.Body[i] = 'x'
				}
			}
			err := q.Topic.Send(t.Context(), m)
			if err == nil || !strings.Contains(err.Error(), want) || gcerrors.Code(err) != gcerrors.InvalidArgument {
				t.Errorf("send: %v\nwant InvalidArgument and\n%s", err, want)
			}
		}
		if err := q.Topic.Send(t.Context(), attributes(10)); err != nil {
			t.Errorf("10 attributes: %v", err)
		}
	})
}

func TestUnsupportedNamesBackendAndControl(t *testing.T) {
	ctx := t.Context()
	topic := mempubsub.NewTopic()
	for backend, q := range map[string]*bus.Queue{
		"the mempubsub backend": open(t, newMux(), "mempubsub://donors"),
		"this backend":          bus.Wrap(topic, nil),
	} {
		_, attributesErr := q.Attributes(ctx)
		_, redriveErr := q.Redrive(ctx, "", 0)
		_, peekErr := q.Peek(ctx, 1)
		_, lateErr := q.LateAcks()
		_, receiversErr := q.OpenReceiver(bus.ReceiverOptions{})
		for control, err := range map[bus.Control]error{
			bus.ControlAttributes:    attributesErr,
			bus.ControlSetAttributes: q.SetAttributes(ctx, bus.QueueSettings{}),
			bus.ControlReceivers:     receiversErr,
			bus.ControlPurge:         q.Purge(ctx),
			bus.ControlDelete:        q.Delete(ctx),
			bus.ControlRedrive:       redriveErr,
			bus.ControlPeek:          peekErr,
			bus.ControlLateAcks:      lateErr,
		} {
			if q.Supports(control) {
				t.Errorf("%s claims to support %s", backend, control)
			}
			if !errors.Is(err, errors.ErrUnsupported) || gcerrors.Code(err) != gcerrors.Unimplemented ||
				!strings.Contains(err.Error(), backend) || !strings.Contains(err.Error(), string(control)) {
				t.Errorf("%s on %s: %v (code %v)", control, backend, err, gcerrors.Code(err))
			}
		}
	}
}

func TestMessageControlsNeedABackendThatHasThem(t *testing.T) {
	topic := mempubsub.NewTopic()
	defer topic.Shutdown(context.Background())
	mempubsub.NewSubscription(topic, time.Minute)
	for control, f := range map[bus.Control]func(*pubsub.Message){
		bus.ControlDelay:  func(m *pubsub.Message) { bus.Delay(m, time.Second) },
		bus.ControlTypes:  func(m *pubsub.Message) { bus.SetAttribute(m, "a", bus.Number("1")) },
		bus.ControlGroups: func(m *pubsub.Message) { bus.Group(m, "g") },
	} {
		m := &pubsub.Message{Body: []byte("x")}
		f(m)
		err := topic.Send(t.Context(), m)
		if !errors.Is(err, errors.ErrUnsupported) || !strings.Contains(err.Error(), string(control)) {
			t.Errorf("%s on a stock topic: %v, want errors.ErrUnsupported", control, err)
		}
	}
}

func TestMessageFunctionsKeepTheCallersOwnCallbacks(t *testing.T) {
	q := open(t, newMux(), "mem://donors")
	before, after := 0, 0
	m := &pubsub.Message{
		Body:       []byte("x"),
		BeforeSend: func(func(any) bool) error { before++; return nil },
		AfterSend:  func(func(any) bool) error { after++; return nil },
	}
	var sent bus.SentMessage
	bus.Delay(m, 0)
	bus.SetAttribute(m, "price", bus.Number("12.50"))
	bus.StoreSent(m, &sent)
	if err := q.Topic.Send(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	if before != 1 || after != 1 || sent.ID == "" {
		t.Errorf("callbacks ran %d and %d times, id %q; want once each and an id", before, after, sent.ID)
	}
	refused := errors.New("refused")
	m = &pubsub.Message{Body: []byte("x"), BeforeSend: func(func(any) bool) error { return refused }}
	bus.Delay(m, 0)
	if err := q.Topic.Send(t.Context(), m); !errors.Is(err, refused) {
		t.Errorf("send: %v, want the callback's error", err)
	}
}

func TestDetailsOfAPortableMessage(t *testing.T) {
	topic := mempubsub.NewTopic()
	q := bus.Wrap(topic, mempubsub.NewSubscriptionWithOptions(topic, time.Minute, &mempubsub.SubscriptionOptions{
		ReceiveBatcherOptions: batcher.Options{MaxHandlers: 1, MaxBatchSize: 1},
	}))
	defer q.Shutdown(context.Background())
	if err := q.Topic.Send(t.Context(), &pubsub.Message{Body: []byte("x"), Metadata: map[string]string{"a": "b"}}); err != nil {
		t.Fatal(err)
	}
	m, err := q.Subscription.Receive(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	m.Ack()
	d := bus.Details(m)
	if d.ID != m.LoggableID || d.Attributes["a"].StringValue != "b" || d.ReceiveCount != 0 || !d.VisibleAt.IsZero() {
		t.Errorf("details are %+v", d)
	}
}

// Programs with drivers of their own register them with the Go CDK's mux; the
// default mux finds them, a mux of one's own does not.
func TestOtherSchemesGoToTheFallback(t *testing.T) {
	fallback := new(pubsub.URLMux)
	o := new(mempubsub.URLOpener)
	fallback.RegisterTopic("other", o)
	fallback.RegisterSubscription("other", o)
	mux := &bus.Mux{Fallback: fallback}
	q, err := mux.Open(t.Context(), "other://donors")
	if err != nil {
		t.Fatal(err)
	}
	defer q.Shutdown(context.Background())
	if q.URL() != "other://donors" || slices.ContainsFunc(bus.Controls(), q.Supports) {
		t.Errorf("URL %s; a portable queue claims controls", q.URL())
	}
	if err := q.Topic.Send(t.Context(), &pubsub.Message{Body: []byte("x")}); err != nil {
		t.Fatal(err)
	}
	m, err := q.Subscription.Receive(t.Context())
	if err != nil || string(m.Body) != "x" {
		t.Fatalf("received %v, %v", m, err)
	}
	m.Ack()
	if _, err := mux.Open(t.Context(), "other://donors?frob=1"); gcerrors.Code(err) != gcerrors.InvalidArgument {
		t.Errorf("open with an unknown parameter: %v", err)
	}
	if _, err := newMux().Open(t.Context(), "other://donors"); err == nil {
		t.Error("a mux without a fallback opened a scheme it does not know")
	}
	if _, err := mux.Create(t.Context(), "other://donors", bus.QueueSettings{}); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("create: %v, want errors.ErrUnsupported", err)
	}
	if _, err := mux.List(t.Context(), "other://donors", ""); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("list: %v, want errors.ErrUnsupported", err)
	}
}

func TestDefaultMuxKnowsImportedBackends(t *testing.T) {
	if got := bus.DefaultMux().Schemes(); !slices.Contains(got, "mem") || !slices.Contains(got, "mempubsub") {
		t.Errorf("schemes are %v", got)
	}
	url, err := bus.Create(t.Context(), "mem://default-mux", bus.QueueSettings{Delay: new(time.Second)})
	if err != nil || url != "mem://default-mux" {
		t.Errorf("create: %q, %v", url, err)
	}
	q, err := bus.Open(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer q.Shutdown(context.Background())
	if urls, err := bus.List(t.Context(), "mem://any", "default"); err != nil || !slices.Equal(urls, []string{url}) {
		t.Errorf("list: %v, %v", urls, err)
	}
	if local, err := bus.DefaultMux().Local(url); !local || err != nil {
		t.Errorf("local: %t, %v", local, err)
	}
}

func TestUnknownSchemeListsEachKnownOneOnce(t *testing.T) {
	_, err := bus.Open(t.Context(), "nope://donors")
	if err == nil || strings.Count(err.Error(), " mem,") != 1 {
		t.Errorf("open: %v, want mem, which is also the Go CDK's, once", err)
	}
}

func TestRegisterRefusesATakenScheme(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("a scheme was registered twice")
		}
	}()
	newMux().Register(membus.Scheme, membus.New(nil))
}

func TestEndedContexts(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	q := open(t, newMux(), "mem://donors")
	if err := q.Topic.Send(ctx, &pubsub.Message{Body: []byte("x")}); !errors.Is(err, context.Canceled) {
		t.Errorf("send: %v", err)
	}
	if _, err := q.Subscription.Receive(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("receive: %v", err)
	}
}
