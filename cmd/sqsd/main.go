// Command sqsd is an SQS endpoint for one machine: package sqsserver over a
// loopback socket. It keeps queues and messages in memory, so they end with it.
//
//	sqsd                       listens on 127.0.0.1:9324
//	sqsd -queues queues.json   creates queues at start
//
// It prints its address and an example of BUS_URL once it listens. SIGTERM and
// SIGINT drain it: long polls answer empty at once, requests in progress finish,
// and it exits with status 0. A second signal ends it at once. The exit status
// is 1 when something failed, and 2 for a command line that makes no sense.
//
// It uses one processor at a time; GOMAXPROCS in the environment sets another
// number.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"runtime"
	"syscall"
	"time"

	"omnibus/bus/engine"
	"omnibus/bus/sqsserver"
)

func main() {
	thrift()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

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

const (
	// readTimeout is how long a request may take to arrive. On one machine that
	// is a matter of milliseconds.
	readTimeout = 5 * time.Second

	// drainTimeout is how long requests in progress may take after a signal. It
	// is longer than readTimeout, so no client can make the program wait for it.
	drainTimeout = 10 * time.Second
)

// config is the command line.
type config struct {
	addr    string
	region  string
	account string
	queues  string
	lenient bool
}

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
	if err := c.serve(ctx, stdout); err != nil {
		fmt.Fprintf(stderr, "sqsd: %v\n", err)
		return exitFailed
	}
	return 0
}

func parse(args []string, stdout io.Writer) (*config, error) {
	c := &config{}
	f := flag.NewFlagSet("sqsd", flag.ContinueOnError)
	f.SetOutput(io.Discard)
	f.StringVar(&c.addr, "addr", "127.0.0.1:9324", "loopback `address` to listen on; port 0 takes a free one")
	f.StringVar(&c.region, "region", "us-east-1", "`region` in the queues' ARNs")
	f.StringVar(&c.account, "account", "000000000000", "account `id` in queue URLs and ARNs, 12 digits")
	f.StringVar(&c.queues, "queues", "", "`file` of queues to create at start, in JSON: names, and attributes as CreateQueue takes them")
	f.BoolVar(&c.lenient, "lenient", false, "let queues be purged, and names of deleted ones used again, within a minute")
	switch err := f.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		fmt.Fprint(stdout, "usage: sqsd [flags]\n\nAn SQS endpoint for one machine, in memory. It uses one processor at a time, or\nas many as GOMAXPROCS in the environment says.\n\n")
		f.SetOutput(stdout)
		f.PrintDefaults()
		fmt.Fprint(stdout, "\nExample:\n  sqsd -lenient -queues queues.json\n\nwhere queues.json may be\n  {\"donors-dead\": {},\n   \"donors\": {\"DelaySeconds\": \"5\",\n              \"RedrivePolicy\": {\"deadLetterTargetArn\": \"arn:aws:sqs:us-east-1:000000000000:donors-dead\", \"maxReceiveCount\": 3}}}\n")
		return nil, err
	case err != nil:
		return nil, err
	case f.NArg() > 0:
		return nil, fmt.Errorf("unexpected argument %q; all settings are flags", f.Arg(0))
	}
	if err := checkLoopback(c.addr); err != nil {
		return nil, err
	}
	return c, sqsserver.CheckOptions(c.options(nil))
}

// checkLoopback reports an address that others than this machine can reach: the
// endpoint asks nobody who they are.
func checkLoopback(addr string) error {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return fmt.Errorf("-addr %s: %w", addr, err)
	}
	if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return fmt.Errorf("-addr %s is not a loopback address; allowed are 127.0.0.1, ::1 and localhost, since everybody who reaches the endpoint may use it", addr)
	}
	return nil
}

func (c *config) options(e *engine.Engine) *sqsserver.Options {
	return &sqsserver.Options{Engine: e, Region: c.region, Account: c.account}
}

// serve listens, creates the queues and serves until ctx ends.
func (c *config) serve(ctx context.Context, stdout io.Writer) error {
	l, err := net.Listen("tcp", c.addr)
	if err != nil {
		return err
	}
	server := sqsserver.New(c.options(engine.New(&engine.Options{Lenient: c.lenient})))
	name := "donors"
	if c.queues != "" {
		names, err := createQueues(ctx, server, c.queues)
		if err != nil {
			return errors.Join(err, l.Close())
		}
		if len(names) > 0 {
			name = names[0]
		}
	}
	base := "http://" + l.Addr().String()
	fmt.Fprintf(stdout, "sqsd: listening on %s, in memory\nBUS_URL=%s/%s/%s\n", base, base, c.account, name)
	return serve(ctx, l, server)
}

// serve serves until ctx ends, and then drains.
func serve(ctx context.Context, l net.Listener, server *sqsserver.Server) error {
	// One deadline is for the arrival of a whole request, header and body, and
	// costs no more than one for the header does. When the request is there,
	// net/http lifts it, so it is none for polls that wait. Answers have no
	// deadline: it would be one more for every request, and a client that does
	// not read what it asked for holds nobody up but itself.
	h := &http.Server{
		Handler:        server,
		ReadTimeout:    readTimeout,
		IdleTimeout:    -1, // none, instead of ReadTimeout: SDKs keep connections
		MaxHeaderBytes: 64 << 10,
	}
	failed := make(chan error, 1)
	go func() { failed <- h.Serve(l) }()
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	server.Drain()
	drainCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTimeout)
	defer cancel()
	err := h.Shutdown(drainCtx)
	if err != nil {
		err = errors.Join(fmt.Errorf("requests still in progress after %v: %w", drainTimeout, err), h.Close())
	}
	<-failed
	return err
}
