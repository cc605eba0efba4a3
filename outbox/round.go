package outbox

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"gocloud.dev/gcerrors"
	"gocloud.dev/pubsub"

	"omnibus/bus"
	"omnibus/workers"
)

// What a round did.
type did int

const (
	little  did = iota // all that was there, or it is another relay's turn
	much               // a whole batch: there may be more
	nothing            // none of what is there could be sent
	retried            // nor could this, and all of it had failed before
)

// round sends one batch, if this is the relay of the queue. Its error is the database's.
// It begins nothing when ctx ends; outlasting is for what was begun.
func (r *relaying) round(ctx, outlasting context.Context) (did, error) {
	asking, cancel := context.WithTimeout(ctx, r.lease())
	defer cancel()
	if err := r.forget(asking); err != nil {
		return little, r.unless(ctx, err)
	}
	if mine, err := r.hold(asking); err != nil || !mine {
		clear(r.failing) // which the other one tries again
		return little, r.unless(ctx, err)
	}
	rows, err := r.fetch(asking)
	if err != nil || len(rows) == 0 {
		return little, r.unless(ctx, err)
	}
	sending, cancel := context.WithDeadline(outlasting, r.until.Add(-r.margin()))
	defer cancel()
	failures, stuck := r.send(ctx, sending, rows)
	recording, cancel := context.WithTimeout(outlasting, r.lease())
	defer cancel()
	err = errors.Join(r.forget(recording), r.record(recording, failures))
	switch {
	case stuck && !slices.ContainsFunc(rows, func(m *row) bool { return m.attempts == 0 }):
		return retried, err
	case stuck:
		return nothing, err
	case len(rows) < cmp.Or(r.Batch, defaultBatch):
		return little, err
	}
	return much, err
}

// unless returns an error of the database, or nil if it is that of a stop.
func (r *relaying) unless(stop context.Context, err error) error {
	if stop.Err() != nil {
		return nil
	}
	return err
}

// fetch reads the messages that are sent next.
func (r *relaying) fetch(ctx context.Context) ([]*row, error) {
	rows, err := r.db.QueryContext(ctx, r.statements().fetch, r.name, cmp.Or(r.Batch, defaultBatch))
	if err != nil {
		return nil, fmt.Errorf("outbox: read messages: %w", err)
	}
	defer rows.Close()
	var all []*row
	for rows.Next() {
		m := &row{fetched: time.Now()}
		var age int64
		if err := rows.Scan(&m.id, &m.stored.group, &m.stored.deduplication, &m.stored.body, &m.stored.details, &m.attempts, &age); err != nil {
			return nil, fmt.Errorf("outbox: read a message: %w", err)
		}
		m.age = time.Duration(age) * time.Millisecond
		all = append(all, m)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("outbox: read messages: %w", err)
	}
	return all, nil
}

// A failure is a message that could not be sent.
type failure struct {
	row *row
	err error
}

// send sends messages in waves, each with the first message of every group that is left,
// so that none is sent before the queue has answered for the one before it. It adds what
// was sent to r.answered. What is left when ctx or sending ends has not failed. It is
// stuck if nothing was sent and there is something to try again.
func (r *relaying) send(ctx, sending context.Context, rows []*row) (failures []failure, stuck bool) {
	var failed error
	for len(rows) > 0 && ctx.Err() == nil && sending.Err() == nil {
		wave, rest := first(rows)
		behind := map[string]bool{} // groups of which one failed
		for i, err := range r.sendWave(sending, wave) {
			m := wave[i]
			if err == nil {
				r.answered = append(r.answered, m.id)
				delete(r.failing, m.id)
				continue
			}
			if ctx.Err() != nil && errors.Is(err, workers.ErrUnconfirmed) {
				continue // cut short by the stop
			}
			failures = append(failures, failure{m, err})
			if !hopeless(err) {
				failed = err
				behind[m.stored.group] = true
			}
		}
		rows = rest[:0]
		for _, m := range rest {
			if !behind[m.stored.group] {
				rows = append(rows, m)
			}
		}
	}
	if len(r.answered) > 0 {
		failed = nil
	}
	if len(r.answered) > 0 || failed != nil {
		r.queue.tell(r.log, "outbox: nothing can be sent to the queue; trying again", "outbox: messages can be sent to the queue again", failed)
	}
	return failures, failed != nil
}

// first returns the first message of each group, all that have no group, and the rest.
func first(rows []*row) (wave, rest []*row) {
	seen := map[string]bool{}
	for _, m := range rows {
		if g := m.stored.group; g != "" && seen[g] {
			rest = append(rest, m)
		} else {
			seen[g] = true
			wave = append(wave, m)
		}
	}
	return wave, rest
}

// sendWave sends messages that have no order, and returns what came of each.
func (r *relaying) sendWave(ctx context.Context, wave []*row) []error {
	errs := make([]error, len(wave))
	told := make([]bus.SentMessage, len(wave))
	var ms []*pubsub.Message
	var places []int
	for i, row := range wave {
		m, err := row.message(r.Queue)
		if err != nil {
			errs[i] = workers.Permanent(err)
			continue
		}
		if r.Prepare != nil {
			if err := r.Prepare(ctx, m); err != nil {
				errs[i] = fmt.Errorf("prepare: %w", err)
				continue
			}
		}
		bus.StoreSent(m, &told[i])
		ms, places = append(ms, m), append(places, i)
	}
	if len(ms) > 0 {
		for i, err := range r.producer.SendBatch(ctx, ms) {
			errs[places[i]] = err
		}
	}
	for i, row := range wave {
		if errs[i] == nil {
			r.sent.Add(1)
			r.measures.sent(ctx, row.waited())
			if r.OnSent != nil {
				r.OnSent(Sent{ID: told[i].ID, Deduplication: row.stored.deduplication, Body: row.stored.body, Waited: row.waited()})
			}
		}
	}
	return errs
}

// hopeless reports whether a message can never be sent: there is something about it that
// the queue does not take, or its backend does not have.
func hopeless(err error) bool {
	switch gcerrors.Code(err) {
	case gcerrors.InvalidArgument, gcerrors.Unimplemented:
		return true
	}
	return errors.Is(err, errors.ErrUnsupported) || workers.IsPermanent(err)
}

// forget deletes what was sent. What cannot be deleted now is not sent again by this
// relay.
func (r *relaying) forget(ctx context.Context) error {
	if len(r.answered) == 0 {
		return nil
	}
	ids := make([]string, len(r.answered))
	for i, id := range r.answered {
		ids[i] = strconv.FormatInt(id, 10)
	}
	if _, err := exec(ctx, r.db, r.statements().sent+strings.Join(ids, ", ")+")"); err != nil {
		return fmt.Errorf("outbox: delete what was sent: %w", err)
	}
	r.answered = r.answered[:0]
	return nil
}

// record has messages that failed tried again later, or sets them aside. What the
// database does not take now stays as it was.
func (r *relaying) record(ctx context.Context, failures []failure) error {
	for _, f := range failures {
		m := f.row
		with := []any{"row", m.id, "group", m.stored.group, "deduplication", m.stored.deduplication, "error", f.err.Error()}
		if !hopeless(f.err) {
			after := r.retry(f.err, m.attempts+1)
			if _, err := exec(ctx, r.db, r.statements().fail, after.Milliseconds(), m.id); err != nil {
				return fmt.Errorf("outbox: put off a message: %w", err)
			}
			r.failing[m.id] = true
			r.failed.Add(1)
			if m.attempts == 0 && !r.queue.on {
				r.log.Warn("outbox: a message could not be sent, and is tried again", append(with, "after", after)...)
			}
			continue
		}
		if _, err := exec(ctx, r.db, r.statements().aside, printable(f.err), m.id); err != nil {
			return fmt.Errorf("outbox: set a message aside: %w", err)
		}
		delete(r.failing, m.id)
		r.aside.Add(1)
		r.measures.setAside(ctx)
		r.log.Error("outbox: a message cannot be sent, and is set aside", with...)
		if r.OnAside != nil {
			r.OnAside(Aside{Row: m.id, Group: m.stored.group, Deduplication: m.stored.deduplication, Body: m.stored.body, Err: f.err})
		}
	}
	return nil
}

// printable returns the text of an error as PostgreSQL takes it.
func printable(err error) string {
	return strings.ReplaceAll(strings.ToValidUTF8(err.Error(), "\uFFFD"), "\x00", "\uFFFD")
}

var defaultRetry = workers.Backoff(time.Second, 30*time.Second)

func (r *relaying) retry(err error, attempts int) time.Duration {
	if r.Retry != nil {
		return max(time.Millisecond, r.Retry(err, attempts))
	}
	return defaultRetry(err, attempts)
}
