//go:build strangers

// Command cost measures what an SQS endpoint costs. It compares sqsd with fauxqs and
// with a Go server that only parses and answers: what that one costs is not the
// queue's. The Go server runs twice, with the runtime's own settings and on one
// processor, since sqsd uses one.
//
//	cost -sqsd SQSD -fauxqs CLI.JS [-check]
//
// All are started here and take turns of a few milliseconds under the same
// load, so that a busy machine is as busy for each: messages of 200 bytes from the
// AWS SDK, over one connection. The client is most of the elapsed time, so a
// message's cost is the server's own processor time, user and system, from /proc.
// The table is Markdown. With -check, a limit that is not kept is an error.
//
// fauxqs listens on every interface, so where there is more than loopback the
// program refuses to start it: run it in a network namespace of its own.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"os/signal"
	"time"

	"omnibus/strangers/process"
)

// An endpoint is a server to be measured.
type endpoint struct {
	name    string
	command func(addr string) []string
	env     func(addr string) []string
	holds   bool // it keeps messages
}

func main() {
	if len(os.Args) == 3 && os.Args[1] == doNothingCommand {
		fmt.Fprintln(os.Stderr, serveNothing(os.Args[2]))
		os.Exit(1)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx); err != nil {
		fmt.Fprintf(os.Stderr, "cost: %v\n", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	sqsd := flag.String("sqsd", "", "`program` sqsd")
	fauxqs := flag.String("fauxqs", "", "`file` dist/cli.js of fauxqs")
	singles := flag.Int("singles", 10_000, "messages sent one by one")
	messages := flag.Int("messages", 100_000, "messages that fill the queue, in batches of ten")
	limit := flag.Duration("limit", time.Minute, "time in its turns after which a server's fill or drain is cut short")
	check := flag.Bool("check", false, "fail if a limit is not kept")
	flag.Parse()
	if *sqsd == "" || *fauxqs == "" {
		return errors.New("-sqsd and -fauxqs are needed")
	}
	for _, n := range []int{*singles, *messages} {
		if n <= 0 || n%batchSize != 0 {
			return fmt.Errorf("%d messages are no whole number of batches of %d", n, batchSize)
		}
	}
	if err := process.OnlyLoopback(); err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	nothing := func(addr string) []string { return []string{self, doNothingCommand, addr} }
	all, err := measure(ctx, []endpoint{
		{name: "sqsd", holds: true,
			command: func(addr string) []string { return []string{*sqsd, "-addr", addr} }},
		{name: "fauxqs", holds: true,
			command: func(string) []string { return []string{"node", *fauxqs} },
			env: func(addr string) []string {
				_, port, _ := net.SplitHostPort(addr)
				return []string{"FAUXQS_PORT=" + port, "FAUXQS_LOGGER=false"}
			}},
		{name: "do-nothing", command: nothing},
		{name: "do-nothing, one processor", command: nothing, env: func(string) []string { return []string{"GOMAXPROCS=1"} }},
	}, load{*singles, *messages, *limit})
	if err != nil {
		return err
	}
	return report(os.Stdout, all, *check)
}
