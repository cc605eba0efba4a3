package workers

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/netresearch/go-cron"
	"gocloud.dev/gcerrors"
	"gocloud.dev/pubsub"

	"omnibus/bus"
)

// A Schedule sends a message at the times that a cron expression says. Run is to be
// called once. Several processes may run the same schedule: each time is sent for once,
// on a FIFO queue by the message's deduplication id, on a standard one with a Store.
type Schedule struct {
	// Name is what the schedule is known by, the same in all processes that run it. It
	// is required, and may have what deduplication ids may: letters, digits and
	// punctuation.
	Name string

	// Cron says the times, in the form of crontab: five fields, which are minute, hour,
	// day of the month, month and day of the week, or @hourly, @daily, @weekly, @monthly
	// or @yearly. If both days are given, either will do.
	Cron string

	// Location is the time zone of Cron; nil means UTC. Where a change of the clocks
	// skips a time, the message is due as much later as they change, 02:30 at 03:30; in
	// an hour that comes twice it is due twice.
	Location *time.Location

	// Message returns the message that is due. It is called by the one process that
	// sends it, and again if it or the Send fails. Its context ends when Run has been
	// stopping for the Producer's DrainTimeout. On a FIFO queue the message gets Name
	// as its group, and Name and due as its deduplication id, unless it has its own.
	Message func(ctx context.Context, due time.Time) (*pubsub.Message, error)

	// Producer sends: required, with a Queue. Its settings for Send apply, and those for
	// Run do not.
	Producer *Producer

	// Store remembers what was sent, for all processes that run the schedule, which are
	// to have the same; see [Deduplicate] for what it promises. Without it each process
	// sends to a standard queue.
	Store Store

	// Keep is how long the Store remembers; 0 means 7 days.
	Keep time.Duration

	// CatchUp has Run begin with the latest time that has passed, no longer ago than
	// Keep, unless the Store knows that it was sent for. Without it Run begins with the
	// next time, and what was due while no process ran is skipped.
	CatchUp bool

	// Logger is told of what failed; nil means slog.Default().
	Logger *slog.Logger
}

const (
	defaultKeep = 7 * 24 * time.Hour
	longestNap  = time.Minute // so that a clock that was set is noticed
)

// crontab has either of the days do, as crontab has; the package itself wants both.
var crontab = cron.MustNewParser(cron.Minute | cron.Hour | cron.Dom | cron.Month | cron.Dow | cron.DowOrDom | cron.Descriptor)

// Run sends what becomes due until ctx ends, which returns nil.
//
// What fails is tried again after 1 s to a minute, at random, later each time, until the
// next time is due; then it is given up. A Send that waits for its answer, because of an
// outage say, is not given up, but for the Producer's SendTimeout. Of several times that
// passed meanwhile, or while the machine was asleep, only the latest is sent for. All
// this is logged. A message may be sent twice if a Send was unconfirmed, or if the
// process died before the Store had heard of it; a FIFO queue delivers it once all the
// same.
//
// A queue that does not exist ends Run, unless the Producer is to wait for it, and so
// does a message that the queue can never take.
func (s *Schedule) Run(ctx context.Context) error {
	times, err := s.times()
	if err != nil {
		return err
	}
	due := times.Next(s.now())
	if s.CatchUp {
		if last := s.latest(times); time.Since(last) < cmp.Or(s.Keep, defaultKeep) {
			due = last
		}
	}
	for s.wait(ctx, due) {
		if last := s.latest(times); last.After(due) {
			s.logger().Warn("workers: the schedule skips what was due meanwhile", "from", due, "before", last)
			due = last
		}
		next := times.Next(due)
		if err := s.send(ctx, due, next); err != nil {
			return fmt.Errorf("workers: schedule %s: the message of %s: %w", s.Name, stamp(due), err)
		}
		due = next
	}
	return nil
}

// times returns the times of a schedule whose settings are good.
func (s *Schedule) times() (*cron.SpecSchedule, error) {
	switch {
	case s.Name == "":
		return nil, errors.New("workers: Schedule.Name is missing; it is what other processes know the schedule by")
	case s.Message == nil:
		return nil, errors.New("workers: Schedule.Message is missing")
	case s.Producer == nil:
		return nil, errors.New("workers: Schedule.Producer is missing")
	case s.CatchUp && s.Store == nil:
		return nil, errors.New("workers: Schedule.CatchUp needs a Store, which knows what was sent")
	}
	parsed, err := crontab.Parse(s.Cron)
	if err != nil {
		return nil, fmt.Errorf("workers: Schedule.Cron is %q; it must be five fields, such as 30 2 * * 1-5, or @daily: %w", s.Cron, err)
	}
	times, ok := parsed.(*cron.SpecSchedule)
	if !ok {
		return nil, fmt.Errorf("workers: Schedule.Cron is %q, which depends on when it begins; use a Producer with Every", s.Cron)
	}
	if times.Next(s.now()).IsZero() {
		return nil, fmt.Errorf("workers: Schedule.Cron is %q, which is never", s.Cron)
	}
	return times, errors.Join(s.Producer.validate(), notNegative("Schedule", "Keep", s.Keep))
}

// now returns the time by the clock on the wall, which is what crontabs go by.
func (s *Schedule) now() time.Time {
	return time.Now().Round(0).In(cmp.Or(s.Location, time.UTC))
}

// latest returns the latest time that has passed.
func (s *Schedule) latest(times *cron.SpecSchedule) time.Time {
	return times.Prev(s.now().Add(time.Second)) // which counts in seconds
}

// wait waits for a time, and returns false if ctx ends before.
func (s *Schedule) wait(ctx context.Context, due time.Time) bool {
	for ctx.Err() == nil {
		left := due.Sub(s.now())
		if left <= 0 {
			return true
		}
		sleep(ctx, min(left, longestNap))
	}
	return false
}

// send sends the message of one time, unless another process has, and tries that until
// the next time. Its error is one that time does not mend.
func (s *Schedule) send(ctx context.Context, due, next time.Time) error {
	log := s.logger().With("due", stamp(due))
	trying, cancel := context.WithDeadlineCause(ctx, next, errors.New("the next one is due"))
	defer cancel()
	again := Backoff(time.Second, time.Minute)
	for try := 1; ; try++ {
		err := s.try(ctx, trying, due)
		if err == nil || lasting(err) {
			return err
		}
		if ctx.Err() != nil && errors.Is(err, errInHand) {
			return nil // another process goes on
		}
		if ctx.Err() == nil {
			log.Warn("workers: the schedule's message was not sent; trying again until the next is due", "error", err.Error())
		}
		if sleep(trying, again(err, try)); trying.Err() != nil {
			log.Error("workers: the schedule's message was given up", "error", err.Error(), "cause", context.Cause(trying).Error())
			return nil
		}
	}
}

// try sends the message of one time, unless another process has, for which it waits
// until trying ends. A Send outlasts that: the queue may take it at any time.
func (s *Schedule) try(ctx, trying context.Context, due time.Time) error {
	key := s.Name + "@" + stamp(due)
	once := func(context.Context, *pubsub.Message) error {
		sending, end := Outlast(ctx, cmp.Or(s.Producer.DrainTimeout, defaultDrainTimeout))
		defer end()
		m, err := s.Message(sending, due)
		if err != nil {
			return fmt.Errorf("not sent: Schedule.Message: %w", err)
		}
		if m == nil {
			return errors.New("not sent: Schedule.Message returned no message")
		}
		return s.Producer.sendScheduled(sending, m, s.Name, key)
	}
	if s.Store != nil {
		once = Deduplicate(s.Store, &DeduplicateOptions{
			Key:  func(*pubsub.Message) string { return key },
			Keep: cmp.Or(s.Keep, defaultKeep),
		})(once)
	}
	return once(trying, nil)
}

// sendScheduled sends a message, to a FIFO queue with the group and the deduplication id
// given unless it has its own.
func (p *Producer) sendScheduled(ctx context.Context, m *pubsub.Message, group, deduplication string) error {
	m = p.outgoing(m)
	if p.Queue.FIFO() {
		first := new(pubsub.Message)
		bus.Group(first, group)
		bus.Deduplicate(first, deduplication)
		m.BeforeSend = inTurn(first.BeforeSend, m.BeforeSend)
	}
	if p.SendTimeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, p.SendTimeout)
		defer cancel()
	}
	if errs := p.confirm(ctx, []*pubsub.Message{m}); errs != nil {
		return sendError{errs[0]}
	}
	return nil
}

// A sendError is what a queue said of a scheduled message.
type sendError struct{ error }

func (e sendError) Unwrap() error { return e.error }

// lasting reports whether a queue's answer will be the same when a message is sent
// again.
func lasting(err error) bool {
	if _, ok := errors.AsType[sendError](err); !ok {
		return false
	}
	switch gcerrors.Code(err) {
	case gcerrors.NotFound, gcerrors.InvalidArgument, gcerrors.Unimplemented:
		return !errors.Is(err, ErrUnconfirmed)
	}
	return false
}

// stamp writes a time so that processes in other time zones write it alike.
func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }

func (s *Schedule) logger() *slog.Logger {
	return cmp.Or(s.Logger, slog.Default()).With("schedule", s.Name)
}

func (s *Schedule) part() (string, Stage) {
	if s.Name == "" {
		return "schedule", Sending
	}
	return "schedule " + s.Name, Sending
}
