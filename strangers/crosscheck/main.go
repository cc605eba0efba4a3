//go:build strangers

// Command crosscheck plays one random sequence of calls to sqsd and to an endpoint
// that others made, through the AWS SDK, and compares the answers.
//
//	crosscheck -ours URL -theirs URL -endpoint fauxqs|local-aws-sqs [-seed N] [-calls N] [-v]
//
// The seed is printed, and the same seed plays the same calls. Nothing in them
// depends on time: messages are visible at once or not for an hour. Ids, receipt
// handles, times and the texts of errors are not compared. A difference that is
// known, see [known], is counted and explained in the end; any other is printed,
// and the exit status is 1. After a difference the queue is replaced on both sides,
// so that one does not lead to others.
package main

import (
	"context"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
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
	seed := flag.Uint64("seed", uint64(time.Now().UnixNano()), "seed of the sequence")
	calls := flag.Int("calls", 1500, "calls to play")
	verbose := flag.Bool("v", false, "print every call")
	flag.Parse()
	differences, ok := known[*name]
	if !ok {
		return fmt.Errorf("-endpoint %q is none of %v", *name, slices.Sorted(maps.Keys(known)))
	}
	fmt.Printf("%d calls to sqsd and %s, seed %d\n", *calls, *name, *seed)

	p := &player{
		rand:  rand.New(rand.NewPCG(*seed, 0)),
		run:   time.Now().UnixNano(),
		sides: [2]*side{newSide(*ours), newSide(*theirs)},
	}
	seen := make([]int, len(differences))
	equal, unknown := 0, 0
	for range *calls {
		c, err := p.next(ctx)
		if err != nil {
			return err
		}
		line := fmt.Sprintf("%s -> %s | %s", c.what, c.play(ctx, p.sides[0]), c.play(ctx, p.sides[1]))
		if *verbose {
			fmt.Printf("%s: %s\n", c.queue, line)
		}
		if sameAnswers(line) {
			equal++
			continue
		}
		p.replace(c.queue)
		if i := slices.IndexFunc(differences, func(d difference) bool { return d.line.MatchString(line) }); i >= 0 {
			seen[i]++
			continue
		}
		unknown++
		fmt.Println("differs:", line)
	}
	fmt.Printf("%d answers are the same\n", equal)
	for i, d := range differences {
		fmt.Printf("%d times known: %s\n", seen[i], d.why)
	}
	if unknown > 0 {
		return fmt.Errorf("%d differences are not known; -seed %d plays them again", unknown, *seed)
	}
	return nil
}
