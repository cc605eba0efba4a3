package workers

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"gocloud.dev/pubsub"

	"omnibus/bus"
)

// A Store remembers which messages were handled and which are in hand, by key, for
// [Deduplicate]. It is safe for concurrent use; one that several processes share
// must make each call as a whole or not at all.
type Store interface {
	// Claim gives the key to owner until hold from now, if nobody else holds it and
	// it was not handled. An owner that claims again holds it for longer.
	Claim(ctx context.Context, key, owner string, hold time.Duration) (Claim, error)

	// Handled records that the key was handled, for keep from now.
	Handled(ctx context.Context, key string, keep time.Duration) error

	// Release ends the owner's claim, if it still has it.
	Release(ctx context.Context, key, owner string) error
}

// A Claim is what came of [Store.Claim].
type Claim int

// The claims.
const (
	Claimed   Claim = iota // owner has the key
	Held                   // another one has it
	Duplicate              // the key was handled
)

// DeduplicateOptions are the settings of [Deduplicate].
type DeduplicateOptions struct {
	// Key returns what is the same for messages that are to be handled once; ""
	// handles the message in any case. Nil means [DeduplicationKey]. Consumers of
	// several queues of one topic may get the same keys: if they share a store, put the
	// queue's name into the key.
	Key func(m *pubsub.Message) string

	// Keep is how long a handled key is remembered; 0 means 24 h.
	Keep time.Duration

	// Hold is how long a key stays claimed when the process that handles it has
	// died; 0 means 20 s. It had better be shorter than the visibility timeout, so
	// that the claim is over when the message comes again. While a handler runs, its
	// claim is renewed every third of it.
	Hold time.Duration
}

// Deduplicate lets each key be handled once while the store remembers it, however
// often its messages are delivered or were sent: a duplicate of a message that was
// handled is acknowledged without its handler being called, and one of a message
// that is in hand, here or elsewhere, waits for what comes of that. A failed message
// is forgotten, so that it can be tried again. One that its handler drops (see [Drop])
// counts as handled.
//
// A handler that succeeded when the process dies before the store has heard of it
// is called again: what is done twice then, only the handler itself can prevent.
// When the store fails before a handler begins, the message is given back; when it
// fails afterwards, that is logged and the message acknowledged.
func Deduplicate(store Store, o *DeduplicateOptions) Middleware {
	d := deduplication{store: store}
	if o != nil {
		d.DeduplicateOptions = *o
	}
	if d.Key == nil {
		d.Key = DeduplicationKey
	}
	if d.Keep == 0 {
		d.Keep = 24 * time.Hour
	}
	if d.Hold == 0 {
		d.Hold = 20 * time.Second
	}
	if store == nil || d.Keep < 0 || d.Hold < 0 {
		panic(fmt.Sprintf("workers: Deduplicate with store %v, Keep %v, Hold %v; it needs a store and positive times", store, d.Keep, d.Hold))
	}
	return func(next Handler) Handler {
		return func(ctx context.Context, m *pubsub.Message) error {
			key := d.Key(m)
			if key == "" {
				return next(ctx, m)
			}
			return d.handle(ctx, key, m, next)
		}
	}
}

// DeduplicationID is the attribute that carries a deduplication id to a queue that has
// none of its own, as a standard queue: see [DeduplicationKey].
const DeduplicationID = "OmnibusDeduplicationId"

// DeduplicationKey returns what is the same of a received message however often it was
// sent and delivered: its deduplication id, if it has one, or else the attribute
// [DeduplicationID], or else the id that the backend gave it, which is another one each
// time that the message is sent.
func DeduplicationKey(m *pubsub.Message) string {
	d := bus.Details(m)
	return cmp.Or(d.Deduplication, m.Metadata[DeduplicationID], d.ID)
}

type deduplication struct {
	DeduplicateOptions
	store Store
}

var (
	errClaimLost = errors.New("workers: another handler took over the message's key")
	errInHand    = errors.New("a message with the same key is being handled")
)

func (d *deduplication) handle(ctx context.Context, key string, m *pubsub.Message, next Handler) error {
	owner := rand.Text()
	claim, err := d.claim(ctx, key, owner)
	if err != nil {
		return fmt.Errorf("workers: claim key %q: %w", key, err)
	}
	if claim == Duplicate {
		return nil
	}
	handling, end := context.WithCancelCause(ctx)
	var renewals sync.WaitGroup
	renewals.Go(func() { d.renew(handling, end, key, owner) })
	err = errNotReturned
	defer func() {
		end(nil)
		renewals.Wait()
		d.record(ctx, key, owner, err)
	}()
	err = next(handling, m)
	return err
}

// claim claims a key, as soon as nobody else holds it.
func (d *deduplication) claim(ctx context.Context, key, owner string) (Claim, error) {
	const first = 10 * time.Millisecond // most handlers are fast
	for wait := min(first, d.Hold); ; wait = min(2*wait, d.Hold/3) {
		claim, err := d.store.Claim(ctx, key, owner, d.Hold)
		if err != nil || claim != Held {
			return claim, err
		}
		if sleep(ctx, wait); ctx.Err() != nil {
			return claim, fmt.Errorf("%w: %w", errInHand, context.Cause(ctx))
		}
	}
}

// renew keeps a claim until ctx ends. If the claim is lost, it ends the handler's
// context.
func (d *deduplication) renew(ctx context.Context, end context.CancelCauseFunc, key, owner string) {
	for {
		if sleep(ctx, d.Hold/3); ctx.Err() != nil {
			return
		}
		// A store that fails now may answer before the claim is over.
		if claim, err := d.store.Claim(ctx, key, owner, d.Hold); err == nil && claim != Claimed {
			end(errClaimLost)
			return
		}
	}
}

// record tells the store what came of a claim, also when the handler's context has
// ended.
func (d *deduplication) record(ctx context.Context, key, owner string, err error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), d.Hold)
	defer cancel()
	if err == nil || IsDrop(err) {
		err = d.store.Handled(ctx, key, d.Keep)
	} else {
		err = d.store.Release(ctx, key, owner)
	}
	if err != nil {
		slog.Warn("workers: deduplication: the store did not record what came of a message", "key", key, "error", err.Error())
	}
}

// A MemoryStore is a [Store] in memory, for consumers of one process. The zero
// value is ready for use. What is over is forgotten, so that it holds about twice
// the keys that are to be remembered, at most.
type MemoryStore struct {
	mu    sync.Mutex // guards all below
	keys  map[string]memoryKey
	sweep int // number of keys at which those that are over are dropped
}

type memoryKey struct {
	owner string // "" if the key was handled
	until time.Time
}

// Claim implements [Store].
func (s *MemoryStore) Claim(_ context.Context, key, owner string, hold time.Duration) (Claim, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	if k, ok := s.keys[key]; ok && now.Before(k.until) && k.owner != owner {
		if k.owner == "" {
			return Duplicate, nil
		}
		return Held, nil
	}
	s.set(key, memoryKey{owner, now.Add(hold)}, now)
	return Claimed, nil
}

// Handled implements [Store].
func (s *MemoryStore) Handled(_ context.Context, key string, keep time.Duration) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	s.set(key, memoryKey{until: now.Add(keep)}, now)
	return nil
}

// Release implements [Store].
func (s *MemoryStore) Release(_ context.Context, key, owner string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.keys[key].owner == owner {
		delete(s.keys, key)
	}
	return nil
}

// set adds a key, and drops those that are over each time their number has doubled.
// The caller holds mu.
func (s *MemoryStore) set(key string, k memoryKey, now time.Time) {
	if s.keys == nil {
		s.keys = map[string]memoryKey{}
	}
	s.keys[key] = k
	if len(s.keys) <= s.sweep {
		return
	}
	for key, k := range s.keys {
		if !now.Before(k.until) {
			delete(s.keys, key)
		}
	}
	const atLeast = 1000
	s.sweep = max(atLeast, 2*len(s.keys))
}
