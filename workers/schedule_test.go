package workers_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
	_ "time/tzdata" // for the time zones of the tests

	"gocloud.dev/gcerrors"
	"gocloud.dev/pubsub"

	"omnibus/bus"
	"omnibus/workers"
)

// dueBody returns a message whose body is the time at which it is due.
func dueBody(_ context.Context, due time.Time) (*pubsub.Message, error) {
	return &pubsub.Message{Body: []byte(due.Format("Mon Jan 2 15:04 MST"))}, nil
}

// sentAt returns the bodies of the messages in a queue, and after how long they were
// sent.
func sentAt(t *testing.T, q *bus.Queue, begin time.Time) (all []string) {
	t.Helper()
	a, err := q.Attributes(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for range a.Visible {
		m := receiveOne(t, q)
		all = append(all, fmt.Sprintf("%v %s", bus.Details(m).Sent.Sub(begin), m.Body))
	}
	slices.Sort(all)
	return all
}

// Virtual time begins with the year 2000, at midnight UTC.
func TestAScheduleIsDueByTheClockOfItsTimeZone(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		cron  string
		zone  *time.Location
		after time.Duration // of the year's beginning
		want  []string
	}{
		{"*/15 * * * *", nil, 0, []string{"Sat Jan 1 00:15 UTC", "Sat Jan 1 00:30 UTC", "Sat Jan 1 00:45 UTC", "Sat Jan 1 01:00 UTC"}},
		{"@daily", nil, time.Minute, []string{"Sun Jan 2 00:00 UTC", "Mon Jan 3 00:00 UTC"}},
		{"0 9 * * MON-FRI", berlin, 6 * 24 * time.Hour, []string{"Fri Jan 7 09:00 CET", "Mon Jan 10 09:00 CET"}},
		{"0 0 13 * FRI", nil, 0, []string{"Fri Jan 7 00:00 UTC", "Thu Jan 13 00:00 UTC", "Fri Jan 14 00:00 UTC"}}, // either day, as crontab has it
		{"0 12 29 2 *", nil, 24 * time.Hour, []string{"Tue Feb 29 12:00 UTC"}},
		// A day of 23 hours, on which there is no 02:30, and one of 25, on which there are two.
		{"30 2 * * *", berlin, 84 * 24 * time.Hour, []string{"Sat Mar 25 02:30 CET", "Sun Mar 26 03:30 CEST", "Mon Mar 27 02:30 CEST"}},
		{"30 2 * * *", berlin, 301 * 24 * time.Hour, []string{"Sat Oct 28 02:30 CEST", "Sun Oct 29 02:30 CEST", "Sun Oct 29 02:30 CET", "Mon Oct 30 02:30 CET"}},
		{"0 */1 * * *", berlin, 302*24*time.Hour - time.Minute, []string{"Sun Oct 29 02:00 CEST", "Sun Oct 29 02:00 CET", "Sun Oct 29 03:00 CET"}},
	} {
		t.Run(test.cron, func(t *testing.T) {
			inMemory(t, func(t *testing.T, open func(string) *bus.Queue) {
				time.Sleep(test.after)
				ctx, stop := context.WithCancel(t.Context())
				defer stop()
				var due []string
				err := (&workers.Schedule{
					Name: "s", Cron: test.cron, Location: test.zone, Producer: &workers.Producer{Queue: open("")},
					Message: func(ctx context.Context, at time.Time) (*pubsub.Message, error) {
						if !at.Equal(time.Now()) {
							t.Errorf("the message of %v is made at %v", at, time.Now())
						}
						m, err := dueBody(ctx, at)
						if due = append(due, string(m.Body)); len(due) == len(test.want) {
							stop()
						}
						return m, err
					},
				}).Run(ctx)
				if err != nil || !slices.Equal(due, test.want) {
					t.Errorf("due were %q (%v), want %q", due, err, test.want)
				}
			})
		})
	}
}

// Three processes run the same schedule for an hour. That is one message each time,
// whichever of them is the first.
func TestProcessesWithTheSameScheduleSendOnce(t *testing.T) {
	for _, test := range []struct {
		queue  string
		stored bool
	}{
		{"reports.fifo", false},
		{"reports", true},
		{"stored.fifo", true},
	} {
		t.Run(test.queue, func(t *testing.T) {
			onPlaces(t, func(t *testing.T, p *place) {
				q := p.queue(test.queue, bus.QueueSettings{})
				var store workers.Store
				if test.stored {
					store = new(workers.MemoryStore)
				}
				begin := time.Now()
				var stops []func() error
				for range 3 {
					stops = append(stops, start(t, &workers.Schedule{
						Name: "report", Cron: "*/10 * * * *", Store: store, Message: dueBody,
						Producer: &workers.Producer{Queue: p.open(test.queue)},
					}))
				}
				time.Sleep(time.Hour + time.Second)
				for _, stop := range stops {
					if err := stop(); err != nil {
						t.Error(err)
					}
				}
				got := sentAt(t, q, begin)
				want := []string{
					"10m0s Sat Jan 1 00:10 UTC", "1h0m0s Sat Jan 1 01:00 UTC", "20m0s Sat Jan 1 00:20 UTC",
					"30m0s Sat Jan 1 00:30 UTC", "40m0s Sat Jan 1 00:40 UTC", "50m0s Sat Jan 1 00:50 UTC",
				}
				if !slices.Equal(got, want) {
					t.Errorf("sent were %q, want %q", got, want)
				}
			})
		})
	}
}

func TestScheduledMessagesOfAFIFOQueueMayHaveTheirOwnGroupAndID(t *testing.T) {
	onPlaces(t, func(t *testing.T, p *place) {
		q := p.queue("reports.fifo", bus.QueueSettings{})
		own := &pubsub.Message{Body: []byte("own")}
		bus.Group(own, "mine")
		bus.Deduplicate(own, "always-the-same")
		same := &pubsub.Message{Body: []byte("given")}
		stop := start(t, &workers.Program{Parts: []workers.Worker{
			&workers.Schedule{Name: "own", Cron: "* * * * *", Producer: &workers.Producer{Queue: q}, Message: func(context.Context, time.Time) (*pubsub.Message, error) { return own, nil }},
			&workers.Schedule{Name: "given", Cron: "* * * * *", Producer: &workers.Producer{Queue: q}, Message: func(context.Context, time.Time) (*pubsub.Message, error) { return same, nil }},
		}})
		time.Sleep(2*time.Minute + time.Second)
		if err := stop(); err != nil {
			t.Error(err)
		}
		var got []string
		for range 3 {
			m := receiveOne(t, q)
			got = append(got, fmt.Sprint(string(m.Body), " ", bus.Details(m).Group, " ", bus.Details(m).Deduplication))
		}
		slices.Sort(got)
		if want := []string{"given given given@2000-01-01T00:01:00Z", "given given given@2000-01-01T00:02:00Z", "own mine always-the-same"}; !slices.Equal(got, want) {
			t.Errorf("received were %q, want %q", got, want)
		}
		time.Sleep(time.Second) // acknowledgements go out together
		expect(t, q, bus.Counts{})
	})
}

// A process has claimed a time and died before it could send.
func TestATimeWhoseProcessDiedIsTakenOverByAnother(t *testing.T) {
	onPlaces(t, func(t *testing.T, p *place) {
		q, begin, store := p.queue("reports", bus.QueueSettings{}), time.Now(), new(workers.MemoryStore)
		if claim, err := store.Claim(t.Context(), "report@2000-01-01T01:00:00Z", "the dead", time.Hour+15*time.Second); claim != workers.Claimed || err != nil {
			t.Fatal(claim, err)
		}
		stop := start(t, &workers.Schedule{Name: "report", Cron: "@hourly", Store: store, Message: dueBody, Producer: &workers.Producer{Queue: q}})
		time.Sleep(90 * time.Minute)
		if err := stop(); err != nil {
			t.Error(err)
		}
		a, err := q.Attributes(t.Context())
		if err != nil || a.Visible != 1 {
			t.Fatalf("%+v, %v; want one message", a, err)
		}
		// The claim was over 15 s after the message was due.
		if late := bus.Details(receiveOne(t, q)).Sent.Sub(begin) - time.Hour; late < 15*time.Second || late > 25*time.Second {
			t.Errorf("the message was sent %v after it was due", late)
		}
	})
}

// A process runs from midnight, is away from 2:30 to 6:30, and stops at 6:40 and starts
// again at once.
func TestATimeThatPassedWhileNoProcessRanIsSkippedOrCaughtUpOnce(t *testing.T) {
	before := []string{"1h0m0s Sat Jan 1 01:00 UTC", "2h0m0s Sat Jan 1 02:00 UTC"}
	for _, test := range []struct {
		catchUp bool
		keep    time.Duration
		want    []string
	}{
		{false, 0, append(before, "7h0m0s Sat Jan 1 07:00 UTC")},
		{true, 0, append([]string{"0s Sat Jan 1 00:00 UTC"}, append(before, "6h30m0s Sat Jan 1 06:00 UTC", "7h0m0s Sat Jan 1 07:00 UTC")...)},
		{true, 20 * time.Minute, append([]string{"0s Sat Jan 1 00:00 UTC"}, append(before, "7h0m0s Sat Jan 1 07:00 UTC")...)},
	} {
		t.Run(fmt.Sprint(test.catchUp, test.keep), func(t *testing.T) {
			onPlaces(t, func(t *testing.T, p *place) {
				q, begin, store := p.queue("reports", bus.QueueSettings{}), time.Now(), new(workers.MemoryStore)
				process := func(d time.Duration) {
					stop := start(t, &workers.Schedule{
						Name: "report", Cron: "@hourly", Store: store, CatchUp: test.catchUp, Keep: test.keep,
						Message: dueBody, Producer: &workers.Producer{Queue: q},
					})
					time.Sleep(d)
					if err := stop(); err != nil {
						t.Error(err)
					}
				}
				process(2*time.Hour + 30*time.Minute)
				time.Sleep(4 * time.Hour)
				process(10 * time.Minute)
				process(25 * time.Minute)
				if got := sentAt(t, q, begin); !slices.Equal(got, test.want) {
					t.Errorf("sent were %q, want %q", got, test.want)
				}
			})
		})
	}
}

// brittle is a store that fails as often as it says.
type brittle struct {
	workers.MemoryStore
	failures int
}

func (b *brittle) Claim(ctx context.Context, key, owner string, hold time.Duration) (workers.Claim, error) {
	if b.failures--; b.failures >= 0 {
		return 0, errors.New("the store is away")
	}
	return b.MemoryStore.Claim(ctx, key, owner, hold)
}

func TestAScheduleTriesAgainUntilTheNextTimeIsDue(t *testing.T) {
	onPlaces(t, func(t *testing.T, p *place) {
		q, begin := p.queue("reports", bus.QueueSettings{}), time.Now()
		messages := 0
		stop := start(t, &workers.Schedule{
			Name: "report", Cron: "*/10 * * * *", Store: &brittle{failures: 3}, Logger: quiet, Producer: &workers.Producer{Queue: p.open("reports")},
			Message: func(ctx context.Context, due time.Time) (*pubsub.Message, error) {
				messages++
				switch {
				case messages == 1:
					return nil, errors.New("the database is away")
				case messages == 2:
					return nil, nil
				case due.Minute() == 20:
					return nil, errors.New("the database is away for long")
				case due.Minute() == 30: // it takes its time
					if err := idle(ctx, 25*time.Minute); err != nil {
						return nil, err
					}
				}
				return dueBody(ctx, due)
			},
		})
		time.Sleep(65 * time.Minute)
		if err := stop(); err != nil {
			t.Error(err)
		}
		got := sentAt(t, q, begin)
		if len(got) != 4 || !strings.HasSuffix(got[0], "00:10 UTC") || got[1] != "1h0m0s Sat Jan 1 01:00 UTC" ||
			!strings.HasSuffix(got[2], "00:30 UTC") || !strings.HasPrefix(got[2], "55m0") || !strings.HasSuffix(got[3], "00:50 UTC") || !strings.HasPrefix(got[3], "55m0") {
			t.Fatalf("sent were %q; want that of 00:10, late; not that of 00:20; that of 00:30 at 00:55, and that of 00:50 then; and that of 01:00", got)
		}
		if late, err := time.ParseDuration(strings.Fields(got[0])[0]); err != nil || late < 10*time.Minute+5*time.Second || late > 12*time.Minute {
			t.Errorf("five failures made the message late: %q", got[0])
		}
	})
}

// While an endpoint is away several times pass. When it is there again the Send that
// waits gets through, and the latest is sent for.
func TestAnOutageCostsAScheduleAllButTheFirstAndTheLatestTime(t *testing.T) {
	onSQS(t, func(t *testing.T, p *place) {
		q, begin := p.queue("reports", bus.QueueSettings{}), time.Now()
		stop := start(t, &workers.Schedule{Name: "report", Cron: "* * * * *", Logger: quiet, Message: dueBody, Producer: &workers.Producer{Queue: p.open("reports")}})
		time.Sleep(90 * time.Second)
		p.wire.lose(all)
		time.Sleep(15 * time.Minute)
		p.wire.lose(nil)
		time.Sleep(25 * time.Second)
		if err := stop(); err != nil {
			t.Error(err)
		}
		got := sentAt(t, q, begin)
		if len(got) != 3 || !strings.HasSuffix(got[0], "00:02 UTC") || !strings.HasSuffix(got[1], "00:16 UTC") || got[2] != "1m0s Sat Jan 1 00:01 UTC" {
			t.Errorf("sent were %q; want those of 00:01, and late those of 00:02 and 00:16", got)
		}
	})
}

func TestAScheduleThatStopsFinishesItsSend(t *testing.T) {
	onPlaces(t, func(t *testing.T, p *place) {
		q, begin := p.queue("reports", bus.QueueSettings{}), time.Now()
		stop := start(t, &workers.Schedule{Name: "report", Cron: "@hourly", Producer: &workers.Producer{Queue: q}, Message: func(ctx context.Context, due time.Time) (*pubsub.Message, error) {
			if err := idle(ctx, 20*time.Second); err != nil {
				return nil, err
			}
			return dueBody(ctx, due)
		}})
		time.Sleep(time.Hour + 5*time.Second)
		if err := stop(); err != nil {
			t.Error(err)
		}
		if got, want := sentAt(t, q, begin), []string{"1h0m20s Sat Jan 1 01:00 UTC"}; !slices.Equal(got, want) {
			t.Errorf("sent were %q, want %q", got, want)
		}
	})
}

func TestAScheduleEndsWithWhatTimeDoesNotMend(t *testing.T) {
	onPlaces(t, func(t *testing.T, p *place) {
		gone := p.queue("gone", bus.QueueSettings{})
		if err := gone.Delete(t.Context()); err != nil {
			t.Fatal(err)
		}
		for what, test := range map[string]struct {
			queue *bus.Queue
			body  string
			code  gcerrors.ErrorCode
		}{
			"no queue":                {gone, "x", gcerrors.NotFound},
			"a message without bytes": {p.queue("there", bus.QueueSettings{}), "", gcerrors.InvalidArgument},
		} {
			err := (&workers.Schedule{
				Name: "report", Cron: "@hourly", Producer: &workers.Producer{Queue: test.queue}, Store: new(workers.MemoryStore),
				Message: func(context.Context, time.Time) (*pubsub.Message, error) {
					return &pubsub.Message{Body: []byte(test.body)}, nil
				},
			}).Run(t.Context())
			if gcerrors.Code(err) != test.code || !strings.HasPrefix(fmt.Sprint(err), "workers: schedule report: the message of 2000-01-01T0") {
				t.Errorf("%s: the error is %v, want one with code %v", what, err, test.code)
			}
		}
	})
}

// Processes take turns: each time, some other one is the first. So nothing depends on
// one of them.
func TestAnyProcessOfAScheduleMayStop(t *testing.T) {
	onPlaces(t, func(t *testing.T, p *place) {
		q, store := p.queue("reports", bus.QueueSettings{}), new(workers.MemoryStore)
		var mu sync.Mutex // guards by
		by := map[int]int{}
		for i := range 3 {
			stop := start(t, &workers.Schedule{Name: "report", Cron: "* * * * *", Store: store, Producer: &workers.Producer{Queue: q}, Message: func(ctx context.Context, due time.Time) (*pubsub.Message, error) {
				mu.Lock()
				defer mu.Unlock()
				by[i]++
				return dueBody(ctx, due)
			}})
			stopped := make(chan error, 1)
			go func() { time.Sleep(time.Duration(i+1)*10*time.Minute + time.Second); stopped <- stop() }()
			defer func() {
				if err := <-stopped; err != nil {
					t.Error(err)
				}
			}()
		}
		time.Sleep(40 * time.Minute)
		expect(t, q, bus.Counts{Visible: 30})
		mu.Lock()
		defer mu.Unlock()
		if by[2] < 10 {
			t.Errorf("sent were %v, by process; the last one was alone for 10 minutes", by)
		}
	})
}

func TestAScheduleRefusesBadSettings(t *testing.T) {
	inMemory(t, func(t *testing.T, open func(string) *bus.Queue) {
		good := workers.Schedule{Name: "s", Cron: "@daily", Message: dueBody, Producer: &workers.Producer{Queue: open("")}}
		for want, change := range map[string]func(*workers.Schedule){
			"Schedule.Name is missing":                         func(s *workers.Schedule) { s.Name = "" },
			"Schedule.Message is missing":                      func(s *workers.Schedule) { s.Message = nil },
			"Schedule.Producer is missing":                     func(s *workers.Schedule) { s.Producer = nil },
			"Producer.Queue has no topic":                      func(s *workers.Schedule) { s.Producer = new(workers.Producer) },
			"Schedule.CatchUp needs a Store":                   func(s *workers.Schedule) { s.CatchUp = true },
			"Schedule.Keep is -1s; it must not be":             func(s *workers.Schedule) { s.Keep = -time.Second },
			`Schedule.Cron is ""; it must be five fields`:      func(s *workers.Schedule) { s.Cron = "" },
			`Schedule.Cron is "* * * *"; it must be`:           func(s *workers.Schedule) { s.Cron = "* * * *" },
			`Schedule.Cron is "60 * * * *"; it must be`:        func(s *workers.Schedule) { s.Cron = "60 * * * *" },
			`Schedule.Cron is "TZ="; it must be`:               func(s *workers.Schedule) { s.Cron = "TZ=" },
			`Schedule.Cron is "0 0 30 2 *", which is never`:    func(s *workers.Schedule) { s.Cron = "0 0 30 2 *" },
			`Schedule.Cron is "@every 1h", which depends on`:   func(s *workers.Schedule) { s.Cron = "@every 1h" },
			`Schedule.Cron is "* * * * * *"; it must be five `: func(s *workers.Schedule) { s.Cron = "* * * * * *" },
		} {
			s := good
			change(&s)
			if err := s.Run(t.Context()); err == nil || !strings.HasPrefix(err.Error(), "workers: "+want) {
				t.Errorf("the error is %v, want %s", err, want)
			}
		}
	})
}
