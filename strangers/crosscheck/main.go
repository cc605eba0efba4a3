//go:build strangers

// Command crosscheck plays one random sequence of calls to sqsd and to an endpoint
// that others made, through the AWS SDK, and compares the answers.
//
//	crosscheck -ours URL -theirs URL -endpoint fauxqs|local-aws-sqs [-seed N] [-sequences N] [-calls N] [-all] [-v]
//
// The seed is printed, and the same seed plays the same calls. Nothing in them
// depends on time: messages are visible at once or not for an hour. Ids, receipt
// handles, times and the texts of errors are not compared. A known difference (see
// [known]) is counted, and explained in the end. Any other is printed and makes the
// exit status 1; so does, with -all, a known one that did not show. Where a
// difference may have changed the queues, they are replaced on both sides, so that
// it does not lead to others.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"os/signal"
	"slices"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx); err != nil {
		fmt.Fprintf(os.Stderr, "crosscheck: %v\n", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	ours := flag.String("ours", "", "`URL` of sqsd")
	theirs := flag.String("theirs", "", "`URL` of the other endpoint")
	name := flag.String("endpoint", "", "`name` of the other endpoint")
	seed := flag.Uint64("seed", uint64(time.Now().UnixNano()), "seed of the first sequence")
	sequences := flag.Uint64("sequences", 1, "sequences to play, with one seed after the other")
	calls := flag.Int("calls", 1500, "calls of a sequence")
	all := flag.Bool("all", false, "fail if a known difference does not show")
	verbose := flag.Bool("v", false, "print every call")
	flag.Parse()
	differences, ok := known[*name]
	if !ok {
		return fmt.Errorf("-endpoint %q is none of %v", *name, slices.Sorted(maps.Keys(known)))
	}
	t := &tally{differences: differences, times: make([]int, len(differences)), verbose: *verbose}
	for i := range *sequences {
		fmt.Printf("%d calls to sqsd and %s, seed %d\n", *calls, *name, *seed+i)
		if err := t.play(ctx, newPlayer(*seed+i, *ours, *theirs), *calls); err != nil {
			return err
		}
	}
	return t.report(*all)
}

// A tally counts answers.
type tally struct {
	differences []difference // that are known
	times       []int        // that each was seen
	equal       int
	unknown     int
	verbose     bool
}

// play plays calls to both sides and counts the answers. What is known of the queue
// follows our answers.
func (t *tally) play(ctx context.Context, p *player, calls int) error {
	for range calls {
		c, err := p.next(ctx)
		if err != nil {
			return err
		}
		e := exchange{c.what, c.play(ctx, p.sides[0]), c.play(ctx, p.sides[1])}
		if t.verbose {
			fmt.Printf("%s: %s\n", c.queue, e)
		}
		if c.learn != nil {
			c.learn(e.ours)
		}
		if !t.count(e) {
			p.replace(c.queue)
		}
	}
	return nil
}

// count counts the answers to a call, and reports whether the queues are the same
// after it.
func (t *tally) count(e exchange) bool {
	if e.ours == e.theirs {
		t.equal++
		return true
	}
	i := slices.IndexFunc(t.differences, func(d difference) bool { return d.is(e) })
	if i < 0 {
		t.unknown++
		fmt.Println("differs:", e)
		return false
	}
	t.times[i]++
	return t.differences[i].same
}

// report prints what was counted. A difference that is not known is an error, and
// one that did not show is if all are to.
func (t *tally) report(all bool) error {
	var errs []error
	fmt.Printf("%d answers are the same\n", t.equal)
	for i, d := range t.differences {
		fmt.Printf("%d times known: %s\n", t.times[i], d.why)
		if all && t.times[i] == 0 {
			errs = append(errs, fmt.Errorf("take it off the list: %s", d.why))
		}
	}
	if t.unknown > 0 {
		errs = append(errs, fmt.Errorf("%d differences are not known", t.unknown))
	}
	return errors.Join(errs...)
}
