package workers_test

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

	"go.opentelemetry.io/otel/trace"
	"gocloud.dev/pubsub"

	"omnibus/bus"
	"omnibus/bus/membus"
	"omnibus/bus/snsserver"
	"omnibus/bus/sqsbus"
	"omnibus/bus/sqsserver"
	"omnibus/bus/topics"
	"omnibus/workers"
)

// A fan is a topic that feeds queues.
type fan struct {
	t      *testing.T
	mux    *bus.Mux
	suffix string // of names
	topic  *bus.Queue

	queueURL func(name string) string // as it is opened
}

// onWays runs a test for each way from a topic to queues, in virtual time. On SNS the
// queues get messages as they were sent, or in envelopes, which they open.
func onWays(t *testing.T, test func(t *testing.T, f *fan)) {
	for _, suffix := range []string{"", ".fifo"} {
		t.Run("memory"+suffix, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := &fan{t: t, mux: new(bus.Mux), suffix: suffix, queueURL: func(name string) string { return "mem://" + name }}
				membus.New(nil).Register(f.mux)
				f.topic = openQueue(t, f.mux, "memsns://donations"+suffix)
				test(t, f)
			})
		})
		for _, way := range []string{"raw", "enveloped"} {
			t.Run("SNS, "+way+suffix, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					arn := topics.ARN{Partition: "aws", Service: "sns", Region: "us-east-1", Account: "000000000000", Resource: "donations" + suffix}
					parameter := ""
					if way == "enveloped" {
						parameter = "?snstopicarn=" + url.QueryEscape(arn.String())
					}
					f := &fan{t: t, mux: new(bus.Mux), suffix: suffix, queueURL: func(name string) string { return "http://127.0.0.1:9324/000000000000/" + name + parameter }}
					sqs := sqsserver.New(nil)
					sns := snsserver.New(&snsserver.Options{Queues: sqs})
					attrs := map[string]string{}
					if suffix != "" {
						attrs["FifoTopic"] = "true"
					}
					if err := sns.Topics().CreateTopic(arn, attrs, nil); err != nil {
						t.Fatal(err)
					}
					sqsbus.New(&sqsbus.Options{HTTPClient: snsserver.Client(snsserver.Beside(sns, sqs))}).Register(f.mux)
					f.topic = openQueue(t, f.mux, "awssns:///"+arn.String()+"?endpoint=http://127.0.0.1:9324")
					test(t, f)
				})
			})
		}
	}
}

// queue creates and opens a queue.
func (f *fan) queue(name string) *bus.Queue {
	f.t.Helper()
	name += f.suffix
	base, _, _ := strings.Cut(f.queueURL(name), "?")
	if _, err := f.mux.Create(f.t.Context(), base, bus.QueueSettings{}); err != nil {
		f.t.Fatal(err)
	}
	return openQueue(f.t, f.mux, f.queueURL(name))
}

// subscribed returns a queue that the topic feeds.
func (f *fan) subscribed(name string, s bus.SubscriptionSettings) *bus.Queue {
	f.t.Helper()
	q := f.queue(name)
	if err := q.SubscribeTo(f.t.Context(), f.topic.URL(), s); err != nil {
		f.t.Fatal(err)
	}
	return q
}

// donation returns a message to a topic, of a donor. On a FIFO topic it has a group.
func (f *fan) donation(body, donor string) *pubsub.Message {
	m := &pubsub.Message{Body: []byte(body), Metadata: map[string]string{"a key": "100% of Zoë's"}}
	bus.SetAttribute(m, "donor", bus.String(donor))
	bus.SetAttribute(m, "euros", bus.Number("97.50"))
	bus.SetAttribute(m, "photo", bus.Binary([]byte{0, 0xff}))
	if f.suffix != "" {
		bus.Group(m, donor)
		bus.Deduplicate(m, fmt.Sprintf("%x", body))
	}
	return m
}

// shown returns what a donation tells, for comparison.
func shown(m *pubsub.Message) string {
	a := bus.Details(m).Attributes
	return fmt.Sprintf("%q %q donor %s %s, euros %s %s, photo %s %x", m.Body, m.Metadata["a key"],
		a["donor"].DataType, a["donor"].StringValue, a["euros"].DataType, a["euros"].StringValue, a["photo"].DataType, a["photo"].BinaryValue)
}

func whole(body, donor string) string {
	return fmt.Sprintf(`%q "100%% of Zoë's" donor String %s, euros Number 97.50, photo Binary 00ff`, body, donor)
}

func TestAMessageToATopicComesToEachQueueThatWantsItWithItsAttributes(t *testing.T) {
	bodies := []string{"thanks", `{"json": "as it is"}`, "\xff\xfe\x00 no text", "ünï <&> \"text\""}
	onWays(t, func(t *testing.T, f *fan) {
		all := f.subscribed("all", bus.SubscriptionSettings{})
		odile := f.subscribed("odile", bus.SubscriptionSettings{Filter: `{"donor": ["Odile"], "euros": [{"numeric": [">", 97]}]}`})
		other := f.queue("other")
		p := &workers.Producer{Queue: f.topic}
		donors := []string{"Odile", "Bram"}
		var batch []*pubsub.Message
		wantAll, wantOdile := []string{}, []string{}
		for _, body := range bodies {
			for i, donor := range donors {
				batch = append(batch, f.donation(body+donor, donor))
				wantAll = append(wantAll, whole(body+donor, donor))
				if i == 0 {
					wantOdile = append(wantOdile, whole(body+donor, donor))
				}
			}
		}
		if errs := p.SendBatch(t.Context(), batch); errs != nil {
			t.Fatal(errs)
		}
		for q, want := range map[*bus.Queue][]string{all: wantAll, odile: wantOdile, other: {}} {
			got, groups := []string{}, map[string][]string{}
			for range want {
				m := receiveOne(t, q)
				got = append(got, shown(m))
				if g := bus.Details(m).Group; f.suffix != "" {
					groups[g] = append(groups[g], shown(m))
				}
			}
			for donor, in := range groups { // in their order
				if wanted := slices.DeleteFunc(slices.Clone(want), func(s string) bool { return !strings.Contains(s, "donor String "+donor) }); !slices.Equal(in, wanted) {
					t.Errorf("%s got of group %s\n%s\nwant\n%s", q.Name(), donor, strings.Join(in, "\n"), strings.Join(wanted, "\n"))
				}
			}
			slices.Sort(got)
			if slices.Sort(want); !slices.Equal(got, want) {
				t.Errorf("%s got\n%s\nwant\n%s", q.Name(), strings.Join(got, "\n"), strings.Join(want, "\n"))
			}
		}
		time.Sleep(time.Second) // acknowledgements go out together
		for _, q := range []*bus.Queue{all, odile, other} {
			expect(t, q, bus.Counts{})
		}
	})
}

func TestConsumersOfATopicsQueuesLinkTheirSpansToTheProducers(t *testing.T) {
	onWays(t, func(t *testing.T, f *fan) {
		queues := []*bus.Queue{f.subscribed("one", bus.SubscriptionSettings{}), f.subscribed("two", bus.SubscriptionSettings{})}
		telemetry, spans, _ := recorded()
		p := &workers.Producer{Queue: f.topic, Telemetry: telemetry}
		state, _ := trace.ParseTraceState("a=1%25,b=2")
		caller := trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID{1}, SpanID: trace.SpanID{2}, TraceFlags: trace.FlagsSampled, TraceState: state})
		if err := p.Send(trace.ContextWithSpanContext(t.Context(), caller), f.donation("thanks", "Odile")); err != nil {
			t.Fatal(err)
		}
		for _, q := range queues {
			consume(t, q, func(_ context.Context, m *pubsub.Message) error {
				if got, want := shown(m), whole("thanks", "Odile"); got != want {
					t.Errorf("%s got %s, want %s", q.Name(), got, want)
				}
				return nil
			}, workers.Trace(q, telemetry))
		}
		sent, processed := named(spans, "send donations"), named(spans, "process")
		if len(sent) != 1 || len(processed) != 2 {
			t.Fatalf("there are %d spans of sends and %d of deliveries; want 1 and 2", len(sent), len(processed))
		}
		for _, s := range processed {
			links := s.Links()
			if len(links) != 1 || links[0].SpanContext.SpanID() != sent[0].SpanContext().SpanID() ||
				links[0].SpanContext.TraceID() != caller.TraceID() || links[0].SpanContext.TraceState().String() != state.String() {
				t.Errorf("span %q has links %+v; want one to the producer's, with its state", s.Name(), links)
			}
		}
	})
}

// One queue's consumer cannot handle a message: it is buried whole, and the other
// queue's consumer has handled it.
func TestAConsumerOfATopicThatFailsHoldsUpNoOther(t *testing.T) {
	onWays(t, func(t *testing.T, f *fan) {
		good, bad, dead := f.subscribed("good", bus.SubscriptionSettings{}), f.subscribed("bad", bus.SubscriptionSettings{}), f.queue("dead")
		if err := f.topic.Topic.Send(t.Context(), f.donation("thanks", "Odile")); err != nil {
			t.Fatal(err)
		}
		handled := ""
		err := workers.Run(t.Context(),
			&workers.Consumer{Queue: good, Max: 1, Handler: func(_ context.Context, m *pubsub.Message) error {
				handled = shown(m)
				return nil
			}},
			&workers.Consumer{Queue: bad, Max: 1, DeadLetter: dead, Logger: quiet, Handler: func(context.Context, *pubsub.Message) error {
				return workers.Permanent(errors.New("no good"))
			}},
		)
		if want := whole("thanks", "Odile"); err != nil || handled != want {
			t.Errorf("handled was %s (%v), want %s", handled, err, want)
		}
		m := receiveOne(t, dead)
		if want := whole("thanks", "Odile"); shown(m) != want {
			t.Errorf("buried was %s, want %s", shown(m), want)
		}
	})
}
