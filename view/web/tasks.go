package web

import (
	"context"
	"slices"
	"sync"
	"time"
)

const (
	// A redrive moves as many messages at a time as take stepTime, firstStep to maxStep,
	// so that what is told of it keeps up, and others have the queue in between.
	firstStep = 10
	maxStep   = 500
	stepTime  = 50 * time.Millisecond

	// maxTasks is how many redrives are remembered, besides those under way.
	maxTasks = 10
)

// A task is a redrive of all dead letters of a queue.
type task struct {
	ID     int    `json:"id"`
	Queue  string `json:"queue"`
	To     string `json:"to"`
	Total  int    `json:"total"` // that were there when it began
	Moved  int    `json:"moved"`
	State  string `json:"state"` // running, done, cancelled or failed
	Error  string `json:"error,omitempty"`
	cancel context.CancelFunc
}

// tasks are the redrives that were begun from the page. The zero value has none.
type tasks struct {
	mu      sync.Mutex // guards all below
	all     []*task    // the latest last
	latest  int        // the latest one's ID
	version int64
	news    chan struct{} // closed at the next change; nil if nobody waits
}

// list returns the tasks and their version, if that is another.
func (t *tasks) list(known int64) ([]task, int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.version == known {
		return nil, known
	}
	out := make([]task, len(t.all))
	for i, one := range t.all {
		out[i] = *one
	}
	return out, t.version
}

// changed returns a channel that is closed when a task begins or ends.
func (t *tasks) changed() <-chan struct{} {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.news == nil {
		t.news = make(chan struct{})
	}
	return t.news
}

// tell has those who watch told of a change: at once if it is urgent, else with the
// next sample. t.mu is held.
func (t *tasks) tell(urgent bool) {
	t.version++
	if urgent && t.news != nil {
		close(t.news)
		t.news = nil
	}
}

// start runs move, which moves up to so many messages, until all that were there have
// been moved or no more are.
func (t *tasks) start(ctx context.Context, queue, to string, total int, move func(context.Context, int) (int, error)) (task, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if slices.ContainsFunc(t.all, func(one *task) bool { return one.Queue == queue && one.State == "running" }) {
		return task{}, false
	}
	t.latest++
	one := &task{ID: t.latest, Queue: queue, To: to, Total: total, State: "running"}
	ctx, one.cancel = context.WithCancel(ctx)
	if i := slices.IndexFunc(t.all, func(one *task) bool { return one.State != "running" }); i >= 0 && len(t.all) >= maxTasks {
		t.all = slices.Delete(t.all, i, i+1)
	}
	t.all = append(t.all, one)
	t.tell(true)
	go t.run(ctx, one, move)
	return *one, true
}

func (t *tasks) run(ctx context.Context, one *task, move func(context.Context, int) (int, error)) {
	defer one.cancel()
	size := firstStep
	for left := one.Total; ; {
		n := min(left, size)
		begun := time.Now()
		moved, err := 0, error(nil)
		if n > 0 {
			moved, err = move(ctx, n)
		}
		left -= moved
		state := "running"
		switch {
		case ctx.Err() != nil:
			state = "cancelled"
		case err != nil:
			state = "failed"
		case moved < n || left <= 0:
			state = "done"
		}
		t.mu.Lock()
		one.Moved += moved
		one.State = state
		if state == "failed" {
			one.Error = err.Error()
		}
		t.tell(state != "running")
		t.mu.Unlock()
		if state != "running" {
			return
		}
		if time.Since(begun) < stepTime {
			size = min(2*size, maxStep)
		} else {
			size = max(size/2, firstStep)
		}
		select {
		case <-time.After(time.Millisecond):
		case <-ctx.Done():
		}
	}
}

// stop cancels the task with that ID, and reports whether it ran.
func (t *tasks) stop(id int) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, one := range t.all {
		if one.ID == id && one.State == "running" {
			one.cancel()
			return true
		}
	}
	return false
}
