package workers

import (
	"bytes"
	"context"
	"iter"
)

// A feed takes the elements of a source one by one, as they are asked for, in a
// goroutine of its own. A source may wait, for a line of a terminal say, and
// knows no context; whoever asked need not wait with it. A source may use the memory of
// a body again, as a bufio.Scanner does.
type feed struct {
	wanted chan struct{} // closed when no more are
	found  chan element  // closed when the source has returned
	asked  bool          // the source looks for an element
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
			f.found <- element{bytes.Clone(body), err}
			if _, more := <-f.wanted; !more {
				return
			}
		}
	}()
	return f
}

// next returns the source's next element, or false when the source or ctx has
// ended. After the latter the source goes on looking, and the next call may have what
// it finds.
func (f *feed) next(ctx context.Context) (element, bool) {
	for {
		wanted := f.wanted
		if f.asked {
			wanted = nil
		}
		select {
		case wanted <- struct{}{}:
			f.asked = true
		case e, ok := <-f.found: // closed when the source has returned
			f.asked = false
			return e, ok
		case <-ctx.Done():
			return element{}, false
		}
	}
}

// stop ends the source and waits until it has returned, unless it was left looking:
// then it returns when it has found something.
func (f *feed) stop() {
	close(f.wanted)
	if !f.asked {
		for range f.found { // closed when the source has returned
		}
	}
}
