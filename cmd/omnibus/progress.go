package main

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"time"
)

// A progress draws a bar on a terminal, again and again over itself.
type progress struct {
	w     io.Writer
	begin time.Time
	look  func() (done, total int)
	stop  chan struct{}
	drawn sync.WaitGroup
}

const (
	progressEvery = 200 * time.Millisecond
	progressWidth = 30
)

// startProgress draws what look returns until end is called, if w is not nil.
func startProgress(w io.Writer, look func() (done, total int)) *progress {
	p := &progress{w: w, begin: time.Now(), look: look, stop: make(chan struct{})}
	if w != nil {
		p.drawn.Go(p.run)
	}
	return p
}

func (p *progress) run() {
	tick := time.NewTicker(progressEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			p.draw("")
		case <-p.stop:
			p.draw("\n")
			return
		}
	}
}

// end draws the bar a last time.
func (p *progress) end() {
	close(p.stop)
	p.drawn.Wait()
}

// draw draws the bar; a bar that cannot be drawn is no loss.
func (p *progress) draw(after string) {
	done, total := p.look()
	_, _ = fmt.Fprintf(p.w, "\r%s\x1b[K%s", bar(done, total, time.Since(p.begin)), after)
}

// bar returns a line for so much done in so long.
func bar(done, total int, took time.Duration) string {
	total = max(total, done)
	full := progressWidth
	if total > 0 {
		full = progressWidth * done / total
	}
	line := fmt.Sprintf("[%s%s] %d of %d", strings.Repeat("#", full), strings.Repeat(".", progressWidth-full), done, total)
	perSecond := float64(done) / max(took.Seconds(), progressEvery.Seconds())
	if done > 0 && done < total {
		left := time.Duration(float64(total-done) / perSecond * float64(time.Second))
		line += fmt.Sprintf(", %.0f/s, %v left", perSecond, left.Round(time.Second))
	}
	return line
}
