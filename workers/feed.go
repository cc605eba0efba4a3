package workers

import (
	"context"
	"iter"
)

// A feed takes the elements of a source one by one, as they are asked for, in a
// goroutine of its own. A source may wait, for a line of a terminal say, and
// knows no context; whoever asked need not wait with it.
type feed struct {
	wanted chan struct{} // closed when no more are
	found  chan element  // closed when the source has returned
	left   bool          // next left the source waiting
}

type element struct {
	body []byte
	err  error
}

func newFeed(source iter.Seq2[[]byte, error]) *feed {
	f := &feed{wanted: make(chan struct{}), found: make(chan element, 1)}
	go func() {
		defer close(f.found)
		if _, more := <-f.wanted; !more {
			return
		}
		for body, err := range source {
			f.found <- element{body, err}
			if _, more := <-f.wanted; !more {
				return
			}
		}
	}()
	return f
}

// next returns the source's next element, or false when the source or ctx has
// ended. It is not to be called again after that.
func (f *feed) next(ctx context.Context) (element, bool) {
	f.wanted <- struct{}{}
	select {
	case e, ok := <-f.found:
		return e, ok
	case <-ctx.Done():
		f.left = true
		return element{}, false
	}
}

// stop ends the source and waits until it has returned, unless next has left it
// waiting: then it returns when its wait is over.
func (f *feed) stop() {
	close(f.wanted)
	if !f.left {
		for range f.found { // closed when the source has returned
		}
	}
}
