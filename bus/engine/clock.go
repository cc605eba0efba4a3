package engine

import "time"

// clock is the time of an engine and all its queues: nanoseconds that go on as the
// computer's monotonic clock does. They began as those of the wall clock, but do
// not follow it when it is set, nor over a suspend. So nothing is delayed, hidden or
// dropped for another time than was said, and the times of a message mean the same
// in every queue it moves to.
//
// What the engine tells are times of the wall clock, as it was when the time came.
// The zero value is ready. The engine's mutex guards it.
type clock struct {
	read  func() (monotonic int64, wall time.Time) // nil means readClock
	mono  int64                                    // at the latest reading
	wall  time.Time
	now   int64
	steps []step // of the wall clock, the latest last; the first is that of the beginning
}

// step says that from a time on the wall clock is ahead by so much.
type step struct{ from, ahead int64 }

const (
	// stepSize is by how much the wall clock must have moved against the monotonic
	// one to have been set.
	stepSize = time.Second

	// maxSteps bounds what is remembered: times before the oldest step are told as
	// the wall clock showed them after it.
	maxSteps = 100
)

// base is where the monotonic clock counts from.
var base = time.Now()

func readClock() (int64, time.Time) {
	t := time.Now()
	return int64(t.Sub(base)), t
}

// tick reads the computer's clocks and returns the engine's time. It never falls:
// where the monotonic clock does, as from one synctest bubble to the next, it goes
// on from where it was.
func (c *clock) tick() int64 {
	read := c.read
	if read == nil {
		read = readClock
	}
	mono, wall := read()
	if c.wall.IsZero() {
		c.now = wall.UnixNano()
		c.steps = []step{{from: c.now}}
	} else {
		c.now += max(0, mono-c.mono)
	}
	c.mono, c.wall = mono, wall
	ahead := wall.UnixNano() - c.now
	if last := c.steps[len(c.steps)-1]; max(ahead-last.ahead, last.ahead-ahead) > int64(stepSize) {
		c.steps = append(c.steps, step{c.now, ahead})
		if len(c.steps) > maxSteps {
			c.steps = c.steps[1:]
		}
	}
	return c.now
}

// restore has a new clock go on from what another was at, by the wall clock's steps that
// it had seen and a time that it had come to.
func (c *clock) restore(steps []stepRecord, latest int64) {
	if len(steps) == 0 {
		return
	}
	c.tick()
	c.steps = nil
	for _, s := range steps {
		c.steps = append(c.steps, step{s.From, s.Ahead})
	}
	c.now = max(latest, c.wall.UnixNano()-c.steps[len(c.steps)-1].ahead)
	c.tick()
}

// past returns what the wall clock showed at a time that has come.
func (c *clock) past(t int64) time.Time { return time.Unix(0, c.pastUnix(t)) }

// pastUnix is past in nanoseconds of Unix time.
func (c *clock) pastUnix(t int64) int64 {
	i := len(c.steps) - 1
	for i > 0 && c.steps[i].from > t {
		i--
	}
	if i < 0 {
		return t
	}
	return t + c.steps[i].ahead
}

// future returns what the wall clock will show at a time that is to come. As a
// value of package time it goes by the monotonic clock, for those who wait for it.
func (c *clock) future(t int64) time.Time { return c.wall.Add(time.Duration(t - c.now)) }
