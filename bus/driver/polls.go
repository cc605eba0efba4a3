package driver

import (
	"context"
	"sync"
)

// Polls are a subscription's calls of ReceiveBatch in progress, kept so that
// they can be paused: the whole of a [Pauser] for a backend whose receive ends
// with its context. The zero value is ready; it is safe for concurrent use.
type Polls struct {
	mu      sync.Mutex                   // guards all below
	running map[*context.CancelFunc]bool // the calls in progress
	idle    map[*func()]bool             // what to call when one begins while paused
}

// Begin registers a call of ReceiveBatch. The call is to receive with the context
// returned, which ends when the call is paused, and to call end when done. While
// paused, ok is false, and the call is to return no message and no error.
func (p *Polls) Begin(ctx context.Context) (pollCtx context.Context, end func(), ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.idle) > 0 {
		for idle := range p.idle {
			(*idle)()
		}
		return nil, nil, false
	}
	if p.running == nil {
		p.running = map[*context.CancelFunc]bool{}
	}
	ctx, cancel := context.WithCancel(ctx)
	p.running[&cancel] = true
	return ctx, func() {
		cancel()
		p.mu.Lock()
		defer p.mu.Unlock()
		delete(p.running, &cancel)
	}, true
}

// Pause is [Pauser]'s.
func (p *Polls) Pause(idle func()) (resume func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.idle == nil {
		p.idle = map[*func()]bool{}
	}
	p.idle[&idle] = true
	for cancel := range p.running {
		(*cancel)()
	}
	return func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		delete(p.idle, &idle)
	}
}
