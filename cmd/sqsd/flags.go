package main

import (
	"cmp"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"strings"

	"omnibus/bus/sigv4"
	"omnibus/bus/sqsserver"
	"omnibus/internal/origin"
)

// config is the command line, and the environment for what it leaves out.
type config struct {
	addr        string
	allowRemote bool
	keysFile    string
	keys        sigv4.Keys // nil if all may come in
	hosts       []string
	cors        origins
	region      string
	account     string
	queues      string
	data        string
	sync        bool
	report      func(string) // gets what -data has to report; may be nil
	lenient     bool
	externalURL string
	inspect     bool
	log         string
	metrics     bool
	ui          bool
	uiReadOnly  bool
	uiToken     string
	healthcheck bool
	dump        bool
}

const usage = `usage: sqsd [flags]

An SQS endpoint for the programs of this machine, in memory, or with -data in a
directory as well. It uses one processor
at a time, or as many as GOMAXPROCS in the environment says. Each flag can be given
in the environment too: -allow-remote as SQSD_ALLOW_REMOTE, and so on.

`

const example = `
Example:
  sqsd -lenient -queues queues.yaml

where queues.yaml has queues by name, each with its attributes as CreateQueue takes
them, its tags, and its dead-letter queue by name; topics with their subscriptions; and
places, which are other regions and accounts. It may be
  queues:
    donors: {VisibilityTimeout: 60}
  topics:
    news:
      subscriptions:
        - {queue: donors, raw: true, filter: {kind: [large]}}
  places:
    - {region: eu-west-1, account: "123456789012", queues: {donors: {}}}
or, of nothing but queues,
  donors:
    VisibilityTimeout: 60
    dlq: donors-dead
    maxReceiveCount: 3
    tags: {team: blue}
  donors-dead: {}
or in JSON
  {"donors": {"VisibilityTimeout": 60, "dlq": "donors-dead", "maxReceiveCount": 3, "tags": {"team": "blue"}},
   "donors-dead": {}}
`

func parse(args []string, stdout io.Writer) (*config, error) {
	c := &config{}
	f := flag.NewFlagSet("sqsd", flag.ContinueOnError)
	f.SetOutput(io.Discard)
	f.StringVar(&c.addr, "addr", "127.0.0.1:9324", "`address` to listen on; port 0 takes a free one")
	f.BoolVar(&c.allowRemote, "allow-remote", false, "let -addr be one that other machines reach; all who do may use the endpoint")
	f.StringVar(&c.keysFile, "keys", "", "`file` of access keys, as ~/.aws/credentials has them: only requests signed with one are answered, besides health checks and the links and the certificate of SNS, from any address of -addr")
	f.Func("host", "host `names` that requests may be for, besides addresses and localhost, with commas between them; .name allows all below it", func(s string) error {
		return eachOf(s, func(name string) error {
			c.hosts = append(c.hosts, strings.ToLower(name))
			if err := origin.CheckHost(name); err != nil {
				return fmt.Errorf("-host %w", err)
			}
			return nil
		})
	})
	f.Func("cors", "`origins` whose pages may use the endpoint from a browser, with commas between them; * is all", func(s string) error {
		return eachOf(s, func(origin string) error {
			c.cors = append(c.cors, origin)
			return checkOrigin(origin)
		})
	})
	f.StringVar(&c.region, "region", cmp.Or(os.Getenv("AWS_REGION"), os.Getenv("AWS_DEFAULT_REGION"), "us-east-1"),
		"`region` of requests that are not signed, and of queues whose URL says none; AWS_REGION or AWS_DEFAULT_REGION sets the default")
	f.StringVar(&c.account, "account", "000000000000", "account `id` of requests whose access key is not 12 digits")
	f.StringVar(&c.queues, "queues", "", "`file` of queues and topics to create at start, in YAML or JSON")
	f.StringVar(&c.data, "data", "", "`directory` that queues and messages are kept in: what was answered outlasts the end of sqsd and power cuts; made if need be; default none, and all ends with sqsd")
	f.BoolVar(&c.sync, "sync", true, "with -data, answer when changes are on the disk; false answers when the system has them, so that a power cut loses the last ones")
	f.BoolVar(&c.lenient, "lenient", false, "let queues be purged, and names of deleted ones used again, within a minute")
	f.StringVar(&c.externalURL, "external-url", "", "`URL` that queue URLs begin with; default what a request was sent to, or what a proxy's X-Forwarded-Proto, -Host and -Prefix say")
	f.BoolVar(&c.inspect, "inspect", false, "serve GET /messages?QueueUrl=…, GET /queues and POST /reset, for tests, beyond loopback too")
	f.StringVar(&c.log, "log", "", "log each request to standard error, in the `format` text or json")
	f.BoolVar(&c.metrics, "metrics", false, "serve GET /metrics, for Prometheus, beyond loopback too, and unsigned with -keys")
	f.BoolVar(&c.ui, "ui", false, "serve a page at /ui/ that shows the queues live in a browser, and sends, looks at, deletes, purges and redrives messages")
	f.BoolVar(&c.uiReadOnly, "ui-read-only", false, "serve that page for looking only")
	f.StringVar(&c.uiToken, "ui-token", "", "`token` that the page needs; default none on loopback, and one made at each start beyond it or with -keys")
	f.BoolVar(&c.healthcheck, "healthcheck", false, "ask the sqsd that listens on -addr whether it runs, and exit with 0 or 1")
	f.BoolVar(&c.dump, "dump", false, "print the queues and topics of the sqsd that listens on -addr as a file for -queues; with -keys, or an access key in the environment, the request is signed")
	err := f.Parse(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		fmt.Fprint(stdout, usage)
		f.SetOutput(stdout)
		f.PrintDefaults()
		fmt.Fprint(stdout, example)
		return nil, err
	case err != nil:
		return nil, err
	case f.NArg() > 0:
		return nil, fmt.Errorf("unexpected argument %q; all settings are flags", f.Arg(0))
	}
	if err := setFromEnvironment(f); err != nil {
		return nil, err
	}
	f.Visit(func(g *flag.Flag) {
		if g.Name == "data" && c.data == "" { // a variable that is not set would have queues in memory
			err = errors.New("-data is empty; give it a directory, or leave it out to keep queues in memory only")
		}
	})
	if err != nil {
		return nil, err
	}
	return c, c.check()
}

// setFromEnvironment sets the flags that the command line does not have.
func setFromEnvironment(f *flag.FlagSet) error {
	given := map[string]bool{}
	f.Visit(func(g *flag.Flag) { given[g.Name] = true })
	var errs []error
	f.VisitAll(func(g *flag.Flag) {
		name := "SQSD_" + strings.ToUpper(strings.ReplaceAll(g.Name, "-", "_"))
		value := os.Getenv(name)
		if value == "" || given[g.Name] {
			return
		}
		if err := f.Set(g.Name, value); err != nil {
			errs = append(errs, fmt.Errorf("%s=%s: %w", name, value, err))
		}
	})
	return errors.Join(errs...)
}

// eachOf calls do for each part of a list with commas.
func eachOf(list string, do func(string) error) error {
	for part := range strings.SplitSeq(list, ",") {
		if err := do(strings.TrimSpace(part)); err != nil {
			return err
		}
	}
	return nil
}

func (c *config) check() error {
	host, _, err := net.SplitHostPort(c.addr)
	if err != nil {
		return fmt.Errorf("-addr %s: %w", c.addr, err)
	}
	if ip := net.ParseIP(host); !c.allowRemote && c.keysFile == "" && host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return fmt.Errorf("-addr %s is not a loopback address; allowed are 127.0.0.1, ::1 and localhost, and any other with -keys, or with -allow-remote, which lets all in who reach it", c.addr)
	}
	if c.keysFile != "" {
		if c.keys, err = readKeys(c.keysFile); err != nil {
			return fmt.Errorf("-keys %w", err)
		}
	}
	if !c.sync && c.data == "" {
		return errors.New("-sync=false is for -data, which is not given")
	}
	if c.log != "" {
		if _, err := newLogger(c.log, io.Discard); err != nil {
			return err
		}
	}
	return sqsserver.CheckOptions(c.options(nil))
}
