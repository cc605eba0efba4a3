package sqsbus

import "sync"

// A group runs functions, each in a goroutine that has just run another if there is
// one: the SDK's calls nest deeply, and to grow the stack of a new goroutine for each
// request takes a tenth of its processor time. No goroutine is left when no function
// runs. The zero value is ready.
type group struct {
	mu     sync.Mutex // guards all below
	active int        // functions
	idle   []chan func()
	done   chan struct{} // closed when no function runs; nil if nobody waits for that
}

// Go runs f.
func (g *group) Go(f func()) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.active++
	if n := len(g.idle); n > 0 {
		g.idle[n-1] <- f
		g.idle = g.idle[:n-1]
		return
	}
	go g.run(f)
}

// Wait waits until no function runs. Unlike that of a sync.WaitGroup it may be called
// while functions begin.
func (g *group) Wait() {
	g.mu.Lock()
	if g.active == 0 {
		g.mu.Unlock()
		return
	}
	if g.done == nil {
		g.done = make(chan struct{})
	}
	done := g.done
	g.mu.Unlock()
	<-done
}

func (g *group) run(f func()) {
	next := make(chan func(), 1)
	for ok := true; ok; f, ok = <-next {
		f()
		g.idles(next)
	}
}

// idles offers a goroutine for another function. The last one ends all that are idle.
func (g *group) idles(next chan func()) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.active--
	g.idle = append(g.idle, next)
	if g.active == 0 {
		for _, next := range g.idle {
			close(next)
		}
		g.idle = nil
		if g.done != nil {
			close(g.done)
			g.done = nil
		}
	}
}
