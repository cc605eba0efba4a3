package sqsbus

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// echo is a joiner whose requests take so long and return their entries. It also
// returns what returns the requests so far.
func echo(took time.Duration) (*joiner[int, int], func() [][]int) {
	var mu sync.Mutex // guards requests
	var requests [][]int
	j := &joiner[int, int]{linger: linger, send: func(ctx context.Context, entries []int) ([]outcome[int], error) {
		mu.Lock()
		requests = append(requests, entries)
		mu.Unlock()
		if !sleep(ctx, took) {
			return nil, ctx.Err()
		}
		var out []outcome[int]
		for _, e := range entries {
			out = append(out, outcome[int]{result: e})
		}
		return out, nil
	}}
	return j, func() [][]int {
		mu.Lock()
		defer mu.Unlock()
		return slices.Clone(requests)
	}
}

func TestJoinerFlushesAtTenOrAfterTwoMilliseconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j, requests := echo(time.Second)
		var wg sync.WaitGroup
		wg.Go(func() { j.do(t.Context(), false, 0) })
		time.Sleep(time.Millisecond)
		start := time.Now()
		for i := range 13 {
			wg.Go(func() {
				if out := j.do(t.Context(), false, i); out[0].result != i || out[0].err != nil {
					t.Errorf("entry %d has the outcome %+v", i, out[0])
				}
			})
		}
		synctest.Wait()
		if got := requests(); len(got) != 2 || len(got[1]) != 10 {
			t.Errorf("requests at once: %v; want one of one entry and one of ten", got)
		}
		time.Sleep(linger)
		synctest.Wait()
		if got := requests(); len(got) != 3 || len(got[2]) != 3 || time.Since(start) != linger {
			t.Errorf("requests after %v: %v; want one more, of three", linger, got)
		}
		wg.Wait()
		j.wait(t.Context())
	})
}

func TestJoinerKeepsTheOrderAndSplitsWhatIsMoreThanTen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j, requests := echo(0)
		var values []int
		for i := range 25 {
			values = append(values, i)
		}
		for i, o := range j.do(t.Context(), false, values...) {
			if o.result != i {
				t.Errorf("outcome %d is %d", i, o.result)
			}
		}
		if n := len(requests()); n != 3 {
			t.Errorf("%d requests for 25 entries", n)
		}
	})
}

func TestJoinerSendsWhatIsPendingBeforeItEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j, requests := echo(time.Second)
		start := time.Now()
		var wg sync.WaitGroup
		wg.Go(func() { j.do(t.Context(), false, 1) })
		time.Sleep(time.Millisecond)
		wg.Go(func() { j.do(t.Context(), false, 2) })
		synctest.Wait()
		j.wait(t.Context())
		if took, n := time.Since(start), len(requests()); took != time.Second+time.Millisecond || n != 2 {
			t.Errorf("%d requests had ended after %v; want two after 1.001s", n, took)
		}
		wg.Wait()
	})
}

func TestARequestGoesOnWhileAnyoneWaitsForIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j, _ := echo(time.Second)
		impatient, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
		defer cancel()
		var wg sync.WaitGroup
		wg.Go(func() {
			if out := j.do(impatient, false, 1); !errors.Is(out[0].err, context.DeadlineExceeded) {
				t.Errorf("who no longer waits gets %+v", out[0])
			}
		})
		wg.Go(func() {
			if out := j.do(t.Context(), false, 2); out[0].err != nil || out[0].result != 2 {
				t.Errorf("who waits gets %+v", out[0])
			}
		})
		wg.Wait()

		start := time.Now()
		alone, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
		defer cancel()
		j.do(alone, false, 3)
		j.wait(t.Context())
		if took := time.Since(start); took != 10*time.Millisecond {
			t.Errorf("a request that nobody waits for went on for %v", took)
		}
	})
}
