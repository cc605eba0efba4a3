package watch

import (
	"context"
	"io"
	"sync"
)

// A Stream carries values from those who publish to all who follow. It keeps the last
// ones, for viewers that come later or are slow. It is safe for concurrent use.
type Stream[T any] struct {
	mu     sync.Mutex    // guards all below
	kept   []T           // a ring: value n is at n % cap
	size   int64         // of the ring
	next   int64         // the number of the next value
	more   chan struct{} // closed when there is something to read, if not nil
	closed bool
}

// NewStream returns a stream that keeps so many values, at least 1.
func NewStream[T any](keep int) *Stream[T] {
	return &Stream[T]{size: int64(max(1, keep))}
}

// Publish adds a value. It never waits for a viewer. After Close it does nothing.
func (s *Stream[T]) Publish(v T) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return
	}
	if int64(len(s.kept)) < s.size {
		s.kept = append(s.kept, v)
	} else {
		s.kept[s.next%s.size] = v
	}
	s.next++
	s.wake()
}

// Close ends the stream: viewers read what is kept, and then its end.
func (s *Stream[T]) Close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	s.wake()
}

// wake wakes the viewers that wait. The caller holds mu.
func (s *Stream[T]) wake() {
	if s.more != nil {
		close(s.more)
		s.more = nil
	}
}

// Follow returns a viewer that begins with up to so many of the values that are kept;
// 0 is with the next one.
func (s *Stream[T]) Follow(back int) *Viewer[T] {
	s.mu.Lock()
	defer s.mu.Unlock()
	at := s.next - min(int64(max(0, back)), int64(len(s.kept)))
	return &Viewer[T]{stream: s, at: at}
}

// A Viewer reads a stream. It needs no closing. One goroutine may use it at a time.
type Viewer[T any] struct {
	stream *Stream[T]
	at     int64 // the number of the value to read next
}

// Next waits for values and returns all that there are, oldest first, and how many
// were missed before those since the viewer was slow. It returns io.EOF at the end of
// the stream, and the context's error if that ends first.
func (v *Viewer[T]) Next(ctx context.Context) (vs []T, missed int64, err error) {
	for {
		vs, missed, more, closed := v.read()
		switch {
		case len(vs) > 0:
			return vs, missed, nil
		case closed:
			return nil, 0, io.EOF
		}
		select {
		case <-more:
		case <-ctx.Done():
			return nil, 0, context.Cause(ctx)
		}
	}
}

// read returns what there is, or else what is closed when there is more.
func (v *Viewer[T]) read() (vs []T, missed int64, more <-chan struct{}, closed bool) {
	s := v.stream
	s.mu.Lock()
	defer s.mu.Unlock()
	if oldest := s.next - int64(len(s.kept)); v.at < oldest {
		missed, v.at = oldest-v.at, oldest
	}
	for ; v.at < s.next; v.at++ {
		vs = append(vs, s.kept[v.at%s.size])
	}
	if len(vs) == 0 && !s.closed && s.more == nil {
		s.more = make(chan struct{})
	}
	return vs, missed, s.more, s.closed
}
