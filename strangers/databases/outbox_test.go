package main

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"gocloud.dev/pubsub"

	"omnibus/bus"
	"omnibus/outbox"
	"omnibus/workers"
)

func TestACommittedMessageArrivesAndARolledBackOneDoesNot(t *testing.T) {
	onPlaces(t, func(t *testing.T, p *place) {
		q := p.queue("orders", bus.QueueSettings{})
		no := errors.New("no")
		for i := range 10 {
			err := p.box.Transact(t.Context(), func(tx *sql.Tx) error {
				if _, err := tx.Exec("INSERT INTO orders VALUES ($1)", fmt.Sprint(i)); err != nil {
					return err
				}
				if err := p.box.Put(t.Context(), tx, "orders", text(fmt.Sprint(i))); err != nil {
					return err
				}
				if i%2 == 1 {
					return no
				}
				return nil
			})
			if want := i%2 == 1; errors.Is(err, no) != want || !want && err != nil {
				t.Fatal(err)
			}
		}
		r := p.relay(q)
		stop := p.running(r)
		got := bodies(p.receive(q, 5))
		for _, want := range []string{"0", "2", "4", "6", "8"} {
			if !strings.Contains(got, want) {
				t.Errorf("%s did not arrive: %s", want, got)
			}
		}
		p.until("is the outbox empty", func() bool { return p.number("SELECT COUNT(*) FROM outbox") == 0 })
		stop()
		if s := r.Stats(); s != (outbox.RelayStats{Sent: 5}) {
			t.Errorf("the relay counts %+v", s)
		}
		if n := p.number("SELECT COUNT(*) FROM orders"); n != 5 {
			t.Errorf("there are %d orders", n)
		}
		if n := p.number("SELECT COUNT(*) FROM outbox_relays"); n != 0 {
			t.Errorf("%d relays are left after the stop", n)
		}
	})
}

func TestAMessageArrivesAsItWasPut(t *testing.T) {
	onPlaces(t, func(t *testing.T, p *place) {
		for _, name := range []string{"plain", "groups.fifo"} {
			q := p.queue(name, bus.QueueSettings{FIFO: new(strings.HasSuffix(name, ".fifo"))})
			ctx, sc := traced(t.Context())
			m := &pubsub.Message{Body: []byte("\xff\x00 not text"), Metadata: map[string]string{"Kind": "100%25 ü", "odd key": "x"}}
			bus.SetAttribute(m, "Amount", bus.Number("12.50"))
			bus.SetAttribute(m, "Blob", bus.Binary([]byte{0, 255}))
			bus.Group(m, "customer")
			if name == "groups.fifo" {
				bus.Deduplicate(m, "own-id")
			}
			if err := p.box.Put(ctx, p.db, name, m); err != nil {
				t.Fatal(err)
			}
			stop := p.running(p.relay(q))
			got := p.receive(q, 1)[0]
			stop()
			d := bus.Details(got)
			if !bytes.Equal(got.Body, m.Body) || got.Metadata["Kind"] != m.Metadata["Kind"] || got.Metadata["odd key"] != "x" {
				t.Errorf("%s: got %q with %q", name, got.Body, got.Metadata)
			}
			if d.Attributes["Amount"].DataType != "Number" || d.Attributes["Amount"].StringValue != "12.50" || !bytes.Equal(d.Attributes["Blob"].BinaryValue, []byte{0, 255}) {
				t.Errorf("%s: typed attributes are %+v", name, d.Attributes)
			}
			if d.Group != "customer" {
				t.Errorf("%s: the group is %q", name, d.Group)
			}
			if !strings.Contains(got.Metadata["traceparent"], sc) || !strings.Contains(d.TraceHeader, sc[:8]) || d.Attributes["tracestate"].StringValue != "a=1,b=2" {
				t.Errorf("%s: of the trace %s there is %q, %q, %q", name, sc, got.Metadata["traceparent"], d.Attributes["tracestate"].StringValue, d.TraceHeader)
			}
			if key := workers.DeduplicationKey(got); name == "groups.fifo" && key != "own-id" || len(key) < 6 || key == d.ID {
				t.Errorf("%s: the key is %q", name, key)
			}
		}
	})
}

func TestADelayCountsFromPut(t *testing.T) {
	onPlaces(t, func(t *testing.T, p *place) {
		q := p.queue("later", bus.QueueSettings{})
		if p.box.Dialect == outbox.PostgreSQL {
			m := text("soon")
			bus.Delay(m, 2*time.Second)
			p.put("later", m)
			begin := time.Now()
			p.running(p.relay(q))
			p.receive(q, 1)
			if took := time.Since(begin); took < 1900*time.Millisecond { // by two clocks
				t.Errorf("it came after %v", took)
			}
			return
		}
		for _, wait := range []time.Duration{0, 4 * time.Second, time.Minute} {
			m := text("later")
			bus.Delay(m, 10*time.Second)
			begin := time.Now()
			p.put("later", m)
			time.Sleep(wait)
			stop := p.running(p.relay(q))
			p.receive(q, 1)
			stop()
			if took := time.Since(begin); took != max(wait, 10*time.Second) {
				t.Errorf("put %v before the relay began, it came after %v", wait, took)
			}
		}
	})
}

func TestAGroupIsSentInOrderWhateverFails(t *testing.T) {
	onPlaces(t, func(t *testing.T, p *place) {
		q := p.queue("steps.fifo", bus.QueueSettings{FIFO: new(true)})
		const groups, each = 5, 20
		for i := range each {
			for g := range groups {
				p.put("steps.fifo", in(fmt.Sprint(g), fmt.Sprintf("%d/%d", g, i)))
			}
		}
		r := p.relay(q)
		tries := 0
		r.Batch = 30
		r.Retry = func(error, int) time.Duration { return p.tick / 10 }
		r.Prepare = func(context.Context, *pubsub.Message) error {
			if tries++; tries%3 == 0 {
				return errors.New("not now")
			}
			return nil
		}
		p.running(r)
		next := map[string]int{}
		for _, m := range p.receive(q, groups*each) {
			var i int
			group := bus.Details(m).Group
			fmt.Sscanf(string(m.Body), group+"/%d", &i)
			if i != next[group] {
				t.Fatalf("group %s has %s where %d was next", group, m.Body, next[group])
			}
			next[group]++
		}
		if r.Stats().Failed == 0 {
			t.Error("nothing failed")
		}
	})
}

func TestWhatCanNeverBeSentIsSetAsideAndBlocksNobody(t *testing.T) {
	onPlaces(t, func(t *testing.T, p *place) {
		q := p.queue("mixed.fifo", bus.QueueSettings{FIFO: new(true)})
		p.put("mixed.fifo",
			in("a", "a1"), in("a", strings.Repeat("x", 1<<20+1)), in("a", "a2"),
			text("without a group"), in("b", "b\x01"), in("b", "b1"))
		r := p.relay(q)
		var aside []outbox.Aside
		r.OnAside = func(a outbox.Aside) { aside = append(aside, a) }
		stop := p.running(r)
		got := bodies(p.receive(q, 3))
		stop()
		for _, want := range []string{"a1", "a2", "b1"} {
			if !strings.Contains(got, want) {
				t.Errorf("%s did not arrive: %s", want, got)
			}
		}
		if len(aside) != 3 || r.Stats().Aside != 3 {
			t.Fatalf("%d were set aside, the relay counts %+v", len(aside), r.Stats())
		}
		if n := strings.Count(p.log.String(), "is set aside"); n != 3 {
			t.Errorf("the log tells %d times: %s", n, p.log)
		}
		all, err := p.box.Status(t.Context())
		if err != nil || len(all) != 1 || all[0].Aside != 3 || all[0].Waiting != 0 {
			t.Errorf("the status is %+v, %v", all, err)
		}
		if n := p.number("SELECT COUNT(*) FROM outbox WHERE failure LIKE '%1048576%' OR failure LIKE '%MessageGroupId%' OR failure LIKE '%#x1%'"); n != 3 {
			t.Errorf("%d failures say why", n)
		}

		p.exec("UPDATE outbox SET body = $1", []byte("mended"))
		p.exec("UPDATE outbox SET message_group = 'c' WHERE message_group = ''")
		if n, err := p.box.Retry(t.Context(), "mixed.fifo"); n != 3 || err != nil {
			t.Fatalf("Retry returned %d, %v", n, err)
		}
		p.running(p.relay(q))
		if got := bodies(p.receive(q, 3)); got != "mended mended mended" {
			t.Errorf("after it was mended came %s", got)
		}
	})
}

func TestAnOutageOfTheQueueLosesNothingAndIsTwoLinesInTheLog(t *testing.T) {
	onPlaces(t, func(t *testing.T, p *place) {
		q := p.queue("away", bus.QueueSettings{})
		var away atomic.Bool
		away.Store(true)
		p.cut = func(action string) bool { return away.Load() && action == "SendMessageBatch" }
		r := p.relay(q)
		if p.base == "mem://" { // which is never away
			r.Prepare = func(context.Context, *pubsub.Message) error {
				if away.Load() {
					return errors.New("away")
				}
				return nil
			}
		}
		for i := range 20 {
			p.put("away", text(fmt.Sprint(i)))
		}
		p.running(r)
		p.until("did anything fail", func() bool { return r.Stats().Failed >= 20 })
		away.Store(false)
		seen := map[string]bool{}
		for len(seen) < 20 {
			seen[string(p.receive(q, 1)[0].Body)] = true
		}
		p.until("is the outbox empty", func() bool { return p.number("SELECT COUNT(*) FROM outbox") == 0 })
		if begins, ends := strings.Count(p.log.String(), "nothing can be sent"), strings.Count(p.log.String(), "sent to the queue again"); begins != 1 || ends != 1 {
			t.Errorf("the log tells %d times of the beginning, and %d times of the end: %s", begins, ends, p.log)
		}
	})
}

func TestAnOutageOfTheDatabaseIsTwoLinesInTheLog(t *testing.T) {
	onPlaces(t, func(t *testing.T, p *place) {
		q := p.queue("base", bus.QueueSettings{})
		p.put("base", text("kept"))
		p.exec("ALTER TABLE outbox RENAME TO away")
		p.running(p.relay(q))
		time.Sleep(20 * p.tick)
		p.exec("ALTER TABLE away RENAME TO outbox")
		p.receive(q, 1)
		p.until("is the end told", func() bool { return strings.Contains(p.log.String(), "the database answers again") })
		if fails, answers := strings.Count(p.log.String(), "the database fails"), strings.Count(p.log.String(), "the database answers again"); fails != 1 || answers != 1 {
			t.Errorf("the log tells %d times of the beginning, and %d times of the end: %s", fails, answers, p.log)
		}
	})
}

func TestWhatFailedIsTriedAgainHoweverSeldomARelayLooks(t *testing.T) {
	onPlaces(t, func(t *testing.T, p *place) {
		q := p.queue("seldom", bus.QueueSettings{})
		r := p.relay(q)
		r.Every = time.Hour
		var tries atomic.Int64
		r.Prepare = func(_ context.Context, m *pubsub.Message) error {
			if string(m.Body) == "bad" && tries.Add(1) < 3 {
				return errors.New("not yet")
			}
			return nil
		}
		p.put("seldom", text("good"), text("bad"))
		begin := time.Now()
		p.running(r)
		p.receive(q, 2)
		if took := time.Since(begin); took > time.Minute {
			t.Errorf("it took %v", took)
		}
	})
}

func TestAMessageThatFailsAgainAndAgainDelaysNoOther(t *testing.T) {
	onPlaces(t, func(t *testing.T, p *place) {
		q := p.queue("delayed", bus.QueueSettings{})
		r := p.relay(q)
		r.Retry = func(error, int) time.Duration { return p.tick / 2 }
		r.Prepare = func(_ context.Context, m *pubsub.Message) error {
			if string(m.Body) == "bad" {
				return errors.New("not yet")
			}
			return nil
		}
		p.running(r)
		p.put("delayed", text("bad"))
		own := p.box
		for _, from := range []struct {
			process string
			box     *outbox.Outbox
			most    time.Duration
		}{
			{"this process", own, 0},
			{"another process", &outbox.Outbox{DB: p.db, Dialect: own.Dialect}, 2 * p.tick},
		} {
			time.Sleep(60 * p.tick) // the bad one fails each time that it is tried
			p.box = from.box
			begin := time.Now()
			p.put("delayed", text("good"))
			p.receive(q, 1)
			if took := time.Since(begin); p.box.Dialect == outbox.SQLite && took > from.most+p.tick/2 {
				t.Errorf("what %s put came after %v", from.process, took)
			}
		}
		if n := r.Stats().Failed; n < 60 && own.Dialect == outbox.SQLite {
			t.Errorf("the bad message was tried %d times", n)
		}
	})
}

func TestATableMayHaveAnotherNameAndOnPostgreSQLASchema(t *testing.T) {
	onPlaces(t, func(t *testing.T, p *place) {
		q := p.queue("named", bus.QueueSettings{})
		p.box = &outbox.Outbox{DB: p.db, Dialect: p.box.Dialect, Table: "mail"}
		if p.box.Dialect == outbox.PostgreSQL {
			name := fmt.Sprintf("apart%d", time.Now().UnixNano())
			p.exec("CREATE SCHEMA " + name)
			p.box.Table = name + ".mail"
		} else if err := (&outbox.Outbox{DB: p.db, Dialect: outbox.SQLite, Table: "main.mail"}).Create(t.Context()); err == nil {
			t.Error("a schema was taken")
		}
		var creating sync.WaitGroup
		for range 5 { // as processes do that start together
			creating.Go(func() {
				if err := p.box.Create(t.Context()); err != nil {
					t.Error(err)
				}
			})
		}
		creating.Wait()
		p.put("named", text("hello"))
		p.running(p.relay(q))
		p.receive(q, 1)
	})
}

func TestOneOfManyRelaysSendsAndAnotherTakesOver(t *testing.T) {
	onPlaces(t, func(t *testing.T, p *place) {
		q := p.queue("shared", bus.QueueSettings{})
		relays := []*outbox.Relay{p.relay(q), p.relay(q), p.relay(q)}
		var stops []func()
		for _, r := range relays {
			stops = append(stops, p.running(r))
		}
		for turn := range relays {
			for i := range 30 {
				p.put("shared", text(fmt.Sprint(i)))
			}
			p.receive(q, 30)
			busy := -1
			p.until("are all counted", func() bool {
				total := 0
				for i, r := range relays {
					if s := r.Stats().Sent; s == 30 && stops[i] != nil {
						busy = i
					}
					total += r.Stats().Sent
				}
				return total == 30*(turn+1) && busy >= 0
			})
			stops[busy]()
			stops[busy] = nil
		}
		p.until("are all acknowledged", func() bool {
			a, err := q.Attributes(t.Context())
			if err != nil || a.Visible != 0 {
				t.Fatalf("something was sent twice: %+v, %v", a.Counts, err)
			}
			return a.InFlight == 0
		})
	})
}

func TestARelayThatDiedIsReplacedWhenItsLeaseEnds(t *testing.T) {
	onPlaces(t, func(t *testing.T, p *place) {
		q := p.queue("orphan", bus.QueueSettings{})
		p.put("orphan", text("left"))
		r := p.relay(q)
		now := "CAST(extract(epoch FROM statement_timestamp()) * 1000 AS BIGINT)"
		if p.box.Dialect == outbox.SQLite {
			now = fmt.Sprint(time.Now().UnixMilli())
		}
		p.exec("INSERT INTO outbox_relays VALUES ('orphan', 'died', " + now + " + 1000)")
		begin := time.Now()
		p.running(r)
		p.receive(q, 1)
		if took := time.Since(begin); took < 900*time.Millisecond || took > 4*time.Second && p.box.Dialect == outbox.SQLite {
			t.Errorf("another relay took over after %v", took)
		}
	})
}

func TestACommitWakesTheRelayOfItsProcess(t *testing.T) {
	onPlaces(t, func(t *testing.T, p *place) {
		q := p.queue("now", bus.QueueSettings{})
		r := p.relay(q)
		r.Every = time.Hour
		p.running(r)
		time.Sleep(5 * p.tick) // it has found nothing
		begin := time.Now()
		p.put("now", text("hello"))
		p.receive(q, 1)
		if took := time.Since(begin); p.box.Dialect == outbox.SQLite && took > time.Second {
			t.Errorf("it came after %v", took)
		}
	})
}

func TestWhatIsSentTwiceHasOneEffect(t *testing.T) {
	onPlaces(t, func(t *testing.T, p *place) {
		q := p.queue("effects", bus.QueueSettings{})
		inbox := &outbox.Inbox{DB: p.db, Dialect: p.box.Dialect}
		if err := inbox.Create(t.Context()); err != nil {
			t.Fatal(err)
		}
		p.put("effects", text("one"), text("two"))
		p.exec("CREATE TABLE copies AS SELECT * FROM outbox")
		p.running(p.relay(q))
		p.until("is all sent", func() bool { return p.number("SELECT COUNT(*) FROM outbox") == 0 })
		p.exec("INSERT INTO outbox SELECT * FROM copies") // as if the relay had died before it deleted them
		p.box.Wake()

		memory := 0
		counted := workers.Deduplicate(new(workers.MemoryStore), nil)(func(context.Context, *pubsub.Message) error { memory++; return nil })
		ctx, done := context.WithCancel(t.Context())
		handled := 0
		c := &workers.Consumer{Queue: q, Logger: p.log.logger(), Handler: func(ctx context.Context, m *pubsub.Message) error {
			if handled++; handled == 4 {
				done()
			}
			if err := counted(ctx, m); err != nil {
				return err
			}
			return inbox.Once(ctx, m, func(tx *sql.Tx) error {
				_, err := tx.Exec("INSERT INTO orders VALUES ($1)", string(m.Body))
				return err
			})
		}}
		if err := c.Run(ctx); err != nil {
			t.Fatal(err)
		}
		if n := p.number("SELECT COUNT(*) FROM orders"); n != 2 || memory != 2 {
			t.Errorf("the effect was had %d times with the inbox, %d times with Deduplicate; want 2", n, memory)
		}
	})
}

func TestAnEffectThatFailsIsHadAgain(t *testing.T) {
	onPlaces(t, func(t *testing.T, p *place) {
		inbox := &outbox.Inbox{DB: p.db, Dialect: p.box.Dialect, Table: "seen", Key: func(m *pubsub.Message) string { return string(m.Body) }}
		if err := inbox.Create(t.Context()); err != nil {
			t.Fatal(err)
		}
		had := 0
		once := func(err error) error {
			return inbox.Once(t.Context(), text("key"), func(tx *sql.Tx) error { had++; return err })
		}
		no := errors.New("no")
		if err := once(no); !errors.Is(err, no) {
			t.Errorf("the error is %v", err)
		}
		if err := errors.Join(once(nil), once(nil)); err != nil || had != 2 {
			t.Errorf("had %d times, %v; want one that failed and one", had, err)
		}
		time.Sleep(p.tick)
		if n, err := inbox.Forget(t.Context(), time.Hour); n != 0 || err != nil {
			t.Errorf("Forget of what is older than an hour returned %d, %v", n, err)
		}
		if n, err := inbox.Forget(t.Context(), 0); n != 1 || err != nil {
			t.Errorf("Forget returned %d, %v", n, err)
		}
	})
}

func TestPutRefusesWhatCouldNotBeKept(t *testing.T) {
	onPlaces(t, func(t *testing.T, p *place) {
		many := text("x")
		many.Metadata = map[string]string{}
		for i := range 10 {
			many.Metadata[fmt.Sprint("k", i)] = "v"
		}
		told := text("x")
		bus.StoreSent(told, new(bus.SentMessage))
		for want, m := range map[string]*pubsub.Message{
			"9 are allowed": many,
			"AfterSend":     told,
			"not UTF-8":     {Body: []byte("x"), Metadata: map[string]string{"a": "\xff"}},
		} {
			if err := p.box.Put(t.Context(), p.db, "q", m); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("want %q, got %v", want, err)
			}
		}
		if err := p.box.Put(t.Context(), p.db, "", text("x")); err == nil {
			t.Error("a message for no queue was taken")
		}
		for _, box := range []*outbox.Outbox{{DB: p.db}, {DB: p.db, Dialect: p.box.Dialect, Table: "a; DROP TABLE orders"}} {
			if err := box.Put(t.Context(), p.db, "q", text("x")); err == nil {
				t.Errorf("%v was taken", box.Table)
			}
		}
		if n := p.number("SELECT COUNT(*) FROM outbox"); n != 0 {
			t.Errorf("%d messages were kept", n)
		}
	})
}
