package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"gocloud.dev/gcerrors"
	"golang.org/x/time/rate"

	"omnibus/bus"
	"omnibus/workers"
)

// consumerFlags are the flags of consume that say how messages are received, and what
// becomes of those that cannot be printed.
type consumerFlags struct {
	flags *flagSet

	concurrency int
	targetTime  time.Duration
	rate        float64
	maxLease    time.Duration
	retryMin    time.Duration
	retryMax    time.Duration
	deadLetter  string
	maxReceives int
	wait        bool
}

const (
	mostHidden = 12 * time.Hour // of one delivery, as SQS has it
	leastRate  = 0.001
	mostRate   = 100_000
)

// addConsumer adds the flags.
func (f *flagSet) addConsumer() *consumerFlags {
	s := &consumerFlags{flags: f}
	f.IntVar(&s.concurrency, "concurrency", 1, "messages handled at a time, 1 or more")
	f.DurationVar(&s.targetTime, "target-time", 0, "handle fewer at a time than -concurrency while to print one takes longer than\nthis, over 0s (default: always as many)")
	f.Float64Var(&s.rate, "rate", 0, "messages to receive a second at most, 0.001 to 100000 (default: no limit)")
	f.DurationVar(&s.maxLease, "max-lease", 10*time.Minute, "for how long after its receive a message that is being printed is kept from\nothers, 1s to 12h; it is not for less than its visibility timeout")
	f.DurationVar(&s.retryMin, "retry-min", time.Second, "how long a message that cannot be printed stays hidden at least, 1s to 12h;\nwithout this and -retry-max it comes again at once")
	f.DurationVar(&s.retryMax, "retry-max", 15*time.Minute, "how long a message that cannot be printed stays hidden at most, -retry-min to\n12h: the time is random, and its upper bound doubles with every receive up to\nthis")
	f.StringVar(&s.deadLetter, "dead-letter", "", "`URL` of the queue to send messages to that were received too often; needs\n-max-receives (default: none)")
	f.IntVar(&s.maxReceives, "max-receives", 0, "receives after which a message goes to -dead-letter: when it cannot be printed\nthe last time, or is received once more; 1 or more (default: none)")
	f.BoolVar(&s.wait, "wait-for-queue", false, "wait for a queue that does not exist, or not any more, and do not fail")
	return s
}

// apply sets in c what the flags say, all but the dead-letter queue.
func (s *consumerFlags) apply(c *workers.Consumer) error {
	f := s.flags
	if err := atLeast("concurrency", s.concurrency, 1); err != nil {
		return err
	}
	c.Concurrency, c.TargetTime, c.WaitForQueue = s.concurrency, s.targetTime, s.wait
	if f.given("target-time") {
		if s.targetTime <= 0 {
			return usagef("-target-time is %v; it must be over 0s, or left out for a fixed -concurrency", s.targetTime)
		}
		if s.concurrency < 2 {
			return usagef("-target-time %v chooses from 1 to -concurrency, which is %d; give -concurrency 2 or more", s.targetTime, s.concurrency)
		}
	}
	if f.given("rate") {
		if !(s.rate >= leastRate && s.rate <= mostRate) { // NaN is neither
			return usagef("-rate is %v; allowed are %v to %d messages a second, or leave it out for no limit", s.rate, leastRate, mostRate)
		}
		c.Limiter = rate.NewLimiter(rate.Limit(s.rate), 1)
	}
	if s.maxLease < time.Second || s.maxLease > mostHidden {
		return usagef("-max-lease is %v; allowed are 1s to 12h, or leave it out for 10m", s.maxLease)
	}
	c.MaxLease = s.maxLease
	if s.retries() {
		switch {
		case s.retryMin < time.Second || s.retryMin > mostHidden:
			return usagef("-retry-min is %v; allowed are 1s to 12h, or leave it out", s.retryMin)
		case s.retryMax > mostHidden:
			return usagef("-retry-max is %v; allowed are -retry-min, %v, to 12h, or leave it out for 15m", s.retryMax, s.retryMin)
		case s.retryMax < s.retryMin:
			return usagef("-retry-max is %v and -retry-min %v; give a -retry-max of at least -retry-min", s.retryMax, s.retryMin)
		}
		c.Retry = workers.Backoff(s.retryMin, s.retryMax)
	}
	return s.applyDeadLetter(c)
}

func (s *consumerFlags) applyDeadLetter(c *workers.Consumer) error {
	f := s.flags
	switch {
	case !f.given("dead-letter") && !f.given("max-receives"):
		return nil
	case f.given("max-receives") && s.maxReceives < 1:
		return usagef("-max-receives is %d; it must be 1 or more, or left out together with -dead-letter", s.maxReceives)
	case s.deadLetter == "":
		return usagef("-max-receives %d has no queue for what was received too often; name one with -dead-letter URL", s.maxReceives)
	case s.maxReceives == 0:
		return usagef("-dead-letter %s does not say after how many receives; add -max-receives N, 1 or more", bus.Redact(s.deadLetter))
	case withoutParams(s.deadLetter) == withoutParams(f.queue):
		return usagef("-dead-letter %s is the queue itself; name another one", bus.Redact(s.deadLetter))
	}
	c.MaxReceives = s.maxReceives
	return f.needShared(s.deadLetter)
}

// retries reports whether a message that cannot be printed is to wait.
func (s *consumerFlags) retries() bool {
	return s.flags.given("retry-min") || s.flags.given("retry-max")
}

// retried returns the error of a message that is to come again: at once, unless the
// flags say when.
func (s *consumerFlags) retried(err error) error {
	if s.retries() {
		return err
	}
	return workers.RetryAfter(err, 0)
}

// openDeadLetter opens the dead-letter queue, if there is to be one; it is shut down
// with the queue.
func (s *consumerFlags) openDeadLetter(ctx context.Context, c *workers.Consumer) error {
	if s.deadLetter == "" {
		return nil
	}
	q, err := s.flags.app.mux.Open(ctx, s.deadLetter)
	if err != nil {
		return fmt.Errorf("-dead-letter: %w", err)
	}
	s.flags.beside = q
	c.DeadLetter = q
	// Any other error may be no more than a right to ask that is missing.
	if _, err := q.Attributes(ctx); gcerrors.Code(err) == gcerrors.NotFound {
		return fmt.Errorf("-dead-letter: create the queue first, with omnibus create -queue %s: %w", bus.Redact(s.deadLetter), err)
	}
	return nil
}

func withoutParams(rawURL string) string {
	name, _, _ := strings.Cut(rawURL, "?")
	return name
}
