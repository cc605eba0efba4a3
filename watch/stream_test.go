package watch_test

import (
	"context"
	"io"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"omnibus/watch"
)

func TestEveryViewerSeesAllInOrder(t *testing.T) {
	s := watch.NewStream[int](1000)
	var wg sync.WaitGroup
	for range 8 {
		v := s.Follow(0)
		wg.Go(func() {
			next := 0
			for {
				vs, missed, err := v.Next(t.Context())
				if err == io.EOF {
					break
				}
				if err != nil || missed > 0 {
					t.Errorf("missed %d, error %v", missed, err)
					return
				}
				for _, got := range vs {
					if got != next {
						t.Errorf("got %d, want %d", got, next)
					}
					next++
				}
			}
			if next != 1000 {
				t.Errorf("saw %d values, want 1000", next)
			}
		})
	}
	for i := range 1000 {
		s.Publish(i)
	}
	s.Close()
	wg.Wait()
}

// One that is slow is told how much it has missed; who publishes has not waited.
func TestASlowViewerMissesWhatIsForgotten(t *testing.T) {
	s := watch.NewStream[int](4)
	v := s.Follow(0)
	for i := range 10 {
		s.Publish(i)
	}
	vs, missed, err := v.Next(t.Context())
	if err != nil || missed != 6 || !slices.Equal(vs, []int{6, 7, 8, 9}) {
		t.Errorf("got %v, missed %d, error %v; want the last four and six missed", vs, missed, err)
	}
}

func TestALateViewerBeginsWithWhatIsKept(t *testing.T) {
	s := watch.NewStream[int](4)
	for i := range 10 {
		s.Publish(i)
	}
	for back, want := range map[int][]int{2: {8, 9}, 4: {6, 7, 8, 9}, 100: {6, 7, 8, 9}} {
		if vs, missed, err := s.Follow(back).Next(t.Context()); err != nil || missed != 0 || !slices.Equal(vs, want) {
			t.Errorf("with %d back: got %v, missed %d, error %v; want %v", back, vs, missed, err, want)
		}
	}
}

func TestAViewerThatWaitsEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		start := time.Now()
		_, _, err := watch.NewStream[int](1).Follow(0).Next(ctx)
		if err != context.DeadlineExceeded || time.Since(start) != time.Minute {
			t.Errorf("error %v after %v", err, time.Since(start))
		}
	})
}
