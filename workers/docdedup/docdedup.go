// Package docdedup has [workers.Deduplicate] remember what was handled in a document
// database, for consumers of many processes: over gocloud.dev/docstore, in memory in tests,
// in DynamoDB in production.
//
//	store, err := docdedup.Open(ctx, os.Getenv("DEDUP_URL"))
//	…
//	defer store.Close()
//	c.Middleware = []workers.Middleware{workers.Deduplicate(store, nil)}
//
// # Collections
//
// A document is a key, with the field names of [Document]; its primary key is Key, a
// string. Import the package of the scheme:
//
//	mem://dedup/Key                                            gocloud.dev/docstore/memdocstore
//	dynamodb://dedup?partition_key=Key&consistent_read=true    gocloud.dev/docstore/awsdynamodb/v2
//
// On DynamoDB the table has the partition key Key, of type String, and no sort key; keys
// have 2,048 bytes at most. Make Expires its time-to-live attribute, and what is over is
// deleted for you, within a few days; without that the table grows. Let reads be
// consistent: a late one never gives a key to two, but may have a handler ended that still
// has its key. A message costs two writes and one read, and another of each for each third
// of DeduplicateOptions.Hold that its handler runs. The policy needs
// dynamodb:DescribeTable, BatchGetItem, PutItem and DeleteItem on the table.
//
// # What it promises
//
// A key is claimed by one owner at a time, as the collection's revisions have it: of two
// that claim it at once one gets it. What is over is judged by the clocks of the
// processes, which are to agree to within a fraction of Hold.
//
// # What it does not promise
//
// The effect of a handler and the mark that it was handled are two steps. When a process
// dies in between, or the store fails there, the message is handled again after Hold. A
// process that stands still for longer than Hold while it handles a message may find that
// another one has handled it too. And a key is forgotten after Keep. Where the effect is a
// change in a database, make the mark in its transaction: package outbox has an Inbox for
// that.
package docdedup

import (
	"context"
	"fmt"
	"time"

	"gocloud.dev/docstore"
	"gocloud.dev/gcerrors"

	"omnibus/workers"
)

// A Store is a [workers.Store] in a collection of documents. It is safe for concurrent
// use.
type Store struct {
	collection *docstore.Collection
}

var _ workers.Store = (*Store)(nil)

// A Document is what a collection has of a key. The names of its fields are those of the
// documents.
type Document struct {
	Key     string
	Owner   string // who handles it; "" when it was handled
	Until   int64  // when that is over, in milliseconds since 1970
	Expires int64  // the same in seconds, rounded up, for a database that deletes by itself

	DocstoreRevision any
}

// New returns a store in a collection, which the caller closes.
func New(c *docstore.Collection) *Store { return &Store{collection: c} }

// Open opens the collection that the URL names. Close the store when it is not needed any
// more.
func Open(ctx context.Context, url string) (*Store, error) {
	c, err := docstore.OpenCollection(ctx, url)
	if err != nil {
		return nil, fmt.Errorf("docdedup: open the collection: %w", err)
	}
	return New(c), nil
}

// Close closes the collection.
func (s *Store) Close() error { return s.collection.Close() }

// tries is how often a claim is made when others are quicker, or reads are late. Who has
// not got the key by then is told that somebody else has it, and comes again.
const tries = 5

// Claim implements [workers.Store].
func (s *Store) Claim(ctx context.Context, key, owner string, hold time.Duration) (workers.Claim, error) {
	for range tries {
		now := time.Now()
		d := &Document{Key: key}
		err := s.collection.Get(ctx, d)
		switch {
		case gcerrors.Code(err) == gcerrors.NotFound:
			d = &Document{Key: key}
			d.set(owner, now.Add(hold))
			if err = s.collection.Create(ctx, d); gcerrors.Code(err) == gcerrors.NotFound {
				return workers.Held, fmt.Errorf("docdedup: claim the key: is the collection there? %w", err)
			}
		case err != nil:
			return workers.Held, fmt.Errorf("docdedup: read the key: %w", err)
		case d.Owner != owner && now.UnixMilli() < d.Until:
			if d.Owner == "" {
				return workers.Duplicate, nil
			}
			return workers.Held, nil
		default:
			d.set(owner, now.Add(hold))
			err = s.collection.Replace(ctx, d) // if it is still what was read
		}
		if err == nil {
			return workers.Claimed, nil
		}
		if !overtaken(err) {
			return workers.Held, fmt.Errorf("docdedup: claim the key: %w", err)
		}
	}
	return workers.Held, nil
}

// Handled implements [workers.Store].
func (s *Store) Handled(ctx context.Context, key string, keep time.Duration) error {
	d := &Document{Key: key}
	d.set("", time.Now().Add(keep))
	if err := s.collection.Put(ctx, d); err != nil {
		return fmt.Errorf("docdedup: mark the key as handled: %w", err)
	}
	return nil
}

// Release implements [workers.Store].
func (s *Store) Release(ctx context.Context, key, owner string) error {
	d := &Document{Key: key}
	err := s.collection.Get(ctx, d)
	if err == nil && d.Owner == owner {
		err = s.collection.Delete(ctx, d) // if it is still what was read
	}
	if err != nil && !overtaken(err) {
		return fmt.Errorf("docdedup: release the key: %w", err)
	}
	return nil
}

func (d *Document) set(owner string, until time.Time) {
	d.Owner, d.Until, d.Expires = owner, until.UnixMilli(), until.Unix()+1
}

// overtaken reports whether an error says that somebody else has written the key since
// it was read.
func overtaken(err error) bool {
	switch gcerrors.Code(err) {
	case gcerrors.AlreadyExists, gcerrors.FailedPrecondition, gcerrors.NotFound:
		return true
	}
	return false
}
