// Command sqsd is an SQS endpoint for one machine: package sqsserver over a
// loopback socket. It keeps queues and messages in memory, so they end with it, unless
// -data names a directory to keep them in as well.
//
//	sqsd                                    listens on 127.0.0.1:9324
//	sqsd -queues queues.yaml                creates queues at start
//	sqsd -data /var/lib/sqsd                keeps queues and messages over kills and power cuts
//	sqsd -addr 0.0.0.0:9324 -keys keys.ini  lets those in who sign with one of the keys
//	sqsd -addr 0.0.0.0:9324 -allow-remote   lets all in
//
// Each flag can be given in the environment too, -allow-remote as
// SQSD_ALLOW_REMOTE.
//
// Without -keys it asks nobody who they are, so it listens on loopback, and refuses what a page
// in a browser can make it send there: a Host that is neither an address nor a
// name below localhost nor one given by -host, and requests of pages whose origin
// -cors does not name. Programs notice nothing of that.
//
// No client can keep it from serving the others. A request has 5 seconds to
// arrive, and each 32 KiB of an answer 5 seconds to be taken. A connection may be
// idle for 10 minutes; where descriptors run out, the one that has been idle the
// longest makes way. Of bodies over 64 KiB, 128 MiB are taken at a time; past that
// the answer is 503, ServiceUnavailable, which SDKs retry.
//
// It prints its address and an example of BUS_URL once it listens. SIGTERM and
// SIGINT drain it: long polls answer empty at once, requests in progress finish,
// within 5 seconds, and it exits with status 0. A second signal, half a second
// after the first or later, ends it at once.
// The exit status is 1 when something failed, and 2 for a command line that makes no sense.
//
// Beside SQS it answers GET /health, also as /_localstack/health. On loopback, or
// with -inspect, tests can look at a queue without receiving, with
// GET /messages?QueueUrl=…, and bring back the state of the start with POST /reset;
// sqsd -dump prints the queues and topics of a running one as a file for -queues, from
// GET /queues.
//
// GET /metrics has the counts of all queues, and of requests by action, in the form of
// Prometheus: on loopback, and with -metrics beyond it.
//
// With -ui it serves a page at /ui/ that shows the queues live in a browser: package
// view/web. Other sites' pages cannot use it, whatever -cors allows. Beyond loopback,
// and with -keys, it asks for a token, which is in the address that sqsd prints.
//
// With -data a send, a delete, a change of visibility or of a queue is answered when it is
// on the disk, one sync for all that wait: docs/durability.md says what that promises, and
// what a full or broken disk does. Topics are not kept; -queues makes them at each start,
// and of its queues those that are not there.
//
// It uses one processor at a time; GOMAXPROCS in the environment sets another
// number. Messages of 10 KiB take about 1.1 times their bodies in memory, small ones
// 300 bytes more than theirs and up to twice that; GOGC in the environment trades
// memory for processor time.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"syscall"
	"time"
)

func main() {
	thrift()
	ctx, _ := untilSignal()
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// untilSignal returns a context that ends with the first signal to stop. A second
// one, after signalTime, ends the process at once.
func untilSignal() (context.Context, context.CancelFunc) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, func() { time.AfterFunc(signalTime, stop) })
	return ctx, stop
}

// signalTime is how long signals after the first are taken for the same: timeout(1)
// sends each of its own twice, to the program and to its process group.
const signalTime = time.Second / 2

// thrift has the program use one processor at a time, unless the environment says
// otherwise. What comes over one connection at a time, as from a test or a lab,
// then costs two thirds of the processor time that the runtime's own setting takes,
// most of which goes into waking processors for what one has done by then. From
// many connections, one processor takes tens of thousands of messages a second.
func thrift() {
	if os.Getenv("GOMAXPROCS") == "" {
		runtime.GOMAXPROCS(1)
	}
}

const (
	exitFailed = 1
	exitUsage  = 2
)

// run is the program, and returns its exit status.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	c, err := parse(args, stdout)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil:
		fmt.Fprintf(stderr, "sqsd: %v\nsqsd -h tells more\n", err)
		return exitUsage
	}
	do := func() error { return c.serve(ctx, stdout, stderr) }
	switch {
	case c.healthcheck:
		do = func() error { return c.checkHealth(ctx) }
	case c.dump:
		do = func() error { return c.printDump(ctx, stdout) }
	}
	if err := do(); err != nil {
		fmt.Fprintf(stderr, "sqsd: %v\n", err)
		return exitFailed
	}
	return 0
}
