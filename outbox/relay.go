package outbox

import (
	"cmp"
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	mathrand "math/rand/v2"
	"sync/atomic"
	"time"

	"gocloud.dev/pubsub"

	"omnibus/bus"
	"omnibus/workers"
)

// A Relay sends what an [Outbox] has for one queue. Set its fields and call Run, once.
//
// Any number of relays may run for a queue, as one in each process of a service: one of
// them sends, and the others wait to take its place when it stops, or when it has not
// been heard of for Lease.
type Relay struct {
	Outbox *Outbox    // required, with its DB
	Queue  *bus.Queue // required, with a Topic: where messages are sent to

	// Name is the name of the queue that Put was given; "" means that of Queue.
	Name string

	// Prepare, if not nil, may change a message before it is sent, or store its body
	// elsewhere. Its error has the message tried again, or set aside if it is marked
	// with [workers.Permanent].
	Prepare func(ctx context.Context, m *pubsub.Message) error

	// Batch is how many messages are read and sent at a time, 1 to 1,000; 0 means 100.
	Batch int

	// Every is how often a relay looks for messages when it is not woken, and up to a
	// fifth longer; 0 means 1 s. So long it takes to find what other processes have
	// put, and to take another relay's place.
	Every time.Duration

	// Lease is how long a relay that is not heard of keeps others from sending; 0 means
	// 15 s, and 1 s is the least. What takes half as long to send is given up, and tried
	// again.
	Lease time.Duration

	// Retry returns after how long a message that could not be sent is tried again,
	// from the error and how often that was; nil means a random time between 1 s and a
	// most that doubles up to 30 s.
	Retry func(err error, attempts int) time.Duration

	// DrainTimeout is how long what is being sent may take when Run is stopping; 0
	// means 10 s.
	DrainTimeout time.Duration

	// OnSent, if not nil, is called for every message that the queue has answered for.
	// Calls do not overlap.
	OnSent func(Sent)

	// OnAside, if not nil, is called for every message that was set aside. Calls do not
	// overlap.
	OnAside func(Aside)

	// Telemetry says where spans and metrics go; nil means the global providers. Beside
	// those of a [workers.Producer] the metrics are:
	//
	//	omnibus.outbox.duration   seconds from Put to the queue's answer
	//	omnibus.outbox.aside      messages set aside
	Telemetry *workers.Telemetry

	// Logger is told of messages that fail or are set aside, once each, and of the
	// beginning and the end of outages; nil means slog.Default().
	Logger *slog.Logger

	sent, failed, aside atomic.Int64
}

// Sent tells of a message that was sent.
type Sent struct {
	ID            string        // message id, "" if the backend does not tell
	Deduplication string        // what is the same for all that is sent of this one
	Body          []byte        // as it was put
	Waited        time.Duration // from Put to the queue's answer
}

// Aside tells of a message that was set aside, since it can never be sent.
type Aside struct {
	Row           int64  // its id in the table
	Group         string // which goes on without it
	Deduplication string
	Body          []byte
	Err           error
}

// RelayStats count what a relay has done.
type RelayStats struct {
	Sent   int // messages that the queue has answered for
	Failed int // attempts that failed, and are made again
	Aside  int // messages that were set aside
}

// Stats returns what has been counted so far. It may be called at any time.
func (r *Relay) Stats() RelayStats {
	return RelayStats{Sent: int(r.sent.Load()), Failed: int(r.failed.Load()), Aside: int(r.aside.Load())}
}

const (
	defaultBatch = 100
	mostBatch    = 1000
	defaultEvery = time.Second
	defaultLease = 15 * time.Second
	leastLease   = time.Second
	defaultDrain = 10 * time.Second
	longestPause = 10 * time.Second // when nothing can be sent
)

func (r *Relay) validate() error {
	switch {
	case r.Outbox == nil:
		return errors.New("outbox: Relay.Outbox is missing")
	case r.Outbox.DB == nil:
		return errNoDB
	case r.Queue == nil || r.Queue.Topic == nil:
		return errors.New("outbox: Relay.Queue has no topic to send to")
	case r.Name == "" && r.Queue.Name() == "":
		return errors.New("outbox: Relay.Name is missing, and the queue has no name")
	case r.Batch < 0 || r.Batch > mostBatch:
		return fmt.Errorf("outbox: Relay.Batch is %d; it must be 1 to %d, or 0 for %d", r.Batch, mostBatch, defaultBatch)
	case r.Every < 0 || r.DrainTimeout < 0:
		return fmt.Errorf("outbox: Relay.Every is %v and DrainTimeout %v; they must not be negative", r.Every, r.DrainTimeout)
	case r.Lease != 0 && r.Lease < leastLease:
		return fmt.Errorf("outbox: Relay.Lease is %v; it must be %v or more, or 0 for %v", r.Lease, leastLease, defaultLease)
	}
	_, err := r.Outbox.statements()
	return err
}

// Run sends until ctx ends, which is the ordinary way to stop: it takes nothing new,
// waits for what is being sent, and returns nil. An outage of the database or the queue
// does not end it.
func (r *Relay) Run(ctx context.Context) error {
	if err := r.validate(); err != nil {
		return err
	}
	run := r.begin()
	outlasting, end := workers.Outlast(ctx, cmp.Or(r.DrainTimeout, defaultDrain))
	defer end()
	defer run.release(outlasting)
	backoff := run.soon()
	for ctx.Err() == nil {
		woken := r.Outbox.woken()
		did, err := run.round(ctx, outlasting)
		run.database.tell(run.log, "outbox: the database fails; trying again", "outbox: the database answers again", err)
		pause := run.every()
		switch {
		case err != nil || did == nothing:
			woken, pause, backoff = nil, backoff, min(2*backoff, longestPause)
		case did == retried: // which says nothing of other messages; Retry keeps these from being tried too often
			pause = run.soon()
		case did == much:
			continue
		case len(run.failing) > 0:
			pause = run.soon()
			fallthrough
		default:
			backoff = run.soon()
		}
		wait(ctx, pause+mathrand.N(pause/5+1), woken)
	}
	return nil
}

// wait waits for d, until ctx ends, or until woken is closed.
func wait(ctx context.Context, d time.Duration, woken <-chan struct{}) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	case <-woken:
	}
}

// A relaying is what one call of Run has.
type relaying struct {
	*Relay
	db       *sql.DB
	name     string
	owner    string
	log      *slog.Logger
	producer *workers.Producer
	measures measures

	until    time.Time      // end of the lease, as far as this process knows
	answered []int64        // rows that were sent, and are to be deleted
	failing  map[int64]bool // rows that are tried again later
	database outage
	queue    outage
}

func (r *Relay) begin() *relaying {
	run := &relaying{Relay: r, db: r.Outbox.DB, name: cmp.Or(r.Name, r.Queue.Name()), owner: rand.Text(), failing: map[int64]bool{}}
	run.log = cmp.Or(r.Logger, slog.Default()).With("queue", run.name)
	run.producer = &workers.Producer{Queue: r.Queue, Telemetry: r.Telemetry, SendTimeout: r.lease()}
	run.measures = measuresOf(r.Telemetry, run.name)
	return run
}

func (r *Relay) every() time.Duration { return cmp.Or(r.Every, defaultEvery) }

// soon is how long a relay waits when something is to be tried again.
func (r *Relay) soon() time.Duration { return min(r.every(), defaultEvery) }

func (r *Relay) lease() time.Duration { return cmp.Or(r.Lease, defaultLease) }

// hold reports whether this is the relay of the queue, and renews that.
func (r *relaying) hold(ctx context.Context) (bool, error) {
	now := time.Now()
	if r.until.Sub(now) > r.lease()*2/3 {
		return true, nil
	}
	r.until = time.Time{}
	n, err := exec(ctx, r.db, r.statements().hold, r.name, r.owner, r.lease().Milliseconds())
	if err == nil && n > 0 {
		r.until = now.Add(r.lease())
	}
	return err == nil && n > 0, err
}

// margin is how long before the end of the lease nothing may be in the making any more.
func (r *Relay) margin() time.Duration { return r.lease() / 4 }

// release lets another relay take over at once.
func (r *relaying) release(ctx context.Context) {
	if r.until.IsZero() {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, r.lease())
	defer cancel()
	if _, err := exec(ctx, r.db, r.statements().release, r.name, r.owner); err != nil {
		r.log.Warn("outbox: the relay is not released, and another one takes over when its lease ends", "error", err.Error())
	}
}

// statements are those of the Outbox, which were checked before. They are made for each
// use, since SQLite's have the time in them.
func (r *relaying) statements() statements {
	s, _ := r.Outbox.statements()
	return s
}

// An outage tells the log when something fails, and when it works again.
type outage struct{ on bool }

func (o *outage) tell(log *slog.Logger, begins, ends string, err error) {
	switch {
	case err != nil && !o.on:
		log.Warn(begins, "error", err.Error())
	case err == nil && o.on:
		log.Info(ends)
	}
	o.on = err != nil
}
