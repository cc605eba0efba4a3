package sqsbus

import (
	"context"
	"log/slog"
	"net/url"

	"github.com/aws/aws-sdk-go-v2/aws"

	"omnibus/bus"
	"omnibus/bus/driver"
)

// The schemes of the URLs, besides http and https.
const (
	SchemeSQS = "awssqs"
	SchemeSNS = "awssns"
)

var defaultBackend = New(nil)

func init() { defaultBackend.Register(bus.DefaultMux()) }

// Default returns the backend that is registered on [bus.DefaultMux].
func Default() *Backend { return defaultBackend }

// Options configure a [Backend].
type Options struct {
	// HTTPClient makes the requests; nil means one of the SDK's for each queue,
	// whose connections are closed with the queue. A client that calls a handler
	// directly lets a test run in a testing/synctest bubble.
	HTTPClient aws.HTTPClient

	// Config is used instead of what the SDK's chain finds. The URL's region and
	// endpoint go before its own. Its Retryer and HTTPClient are not used.
	Config *aws.Config

	// Logger is told when a queue does not answer, and when it answers again, and of
	// acknowledgements that came too late; nil means slog.Default().
	Logger *slog.Logger

	// Meter counts the requests of all queues; nil means a new one.
	Meter *Meter
}

// A Backend opens queues on SQS. It is safe for concurrent use.
type Backend struct {
	options Options
}

// New returns a backend. opts may be nil. Register it on a [bus.Mux] with
// [Backend.Register].
func New(opts *Options) *Backend {
	b := &Backend{}
	if opts != nil {
		b.options = *opts
	}
	if b.options.Meter == nil {
		b.options.Meter = new(Meter)
	}
	return b
}

// logger returns where to log. The default is read when a queue is opened: a program
// may set it after this package has made the backend of its init function.
func (b *Backend) logger() *slog.Logger {
	if b.options.Logger != nil {
		return b.options.Logger
	}
	return slog.Default()
}

// Register registers the schemes awssqs, awssns, https and http; for why it claims the
// last two see [bus.Mux.Register]. A program that wants some of them only registers
// the Backend itself, which opens them all.
func (b *Backend) Register(mux *bus.Mux) {
	for _, scheme := range []string{SchemeSQS, "https", "http"} {
		mux.Register(scheme, b)
	}
	mux.Register(SchemeSNS, topics{b})
}

// topics opens topics, which are neither created nor listed here.
type topics struct{ b *Backend }

func (t topics) OpenQueue(ctx context.Context, u *url.URL) (driver.Queue, error) {
	return t.b.OpenQueue(ctx, u)
}

// Meter returns what counts the backend's requests.
func (b *Backend) Meter() *Meter { return b.options.Meter }

// OpenQueue opens the queue or the topic that the URL names. It makes no request:
// whether the queue exists shows when it is used.
func (b *Backend) OpenQueue(ctx context.Context, u *url.URL) (driver.Queue, error) {
	a, err := parse(u, false)
	if err != nil {
		return nil, err
	}
	cfg, closeIdle, err := b.configure(ctx, a)
	if err != nil {
		return nil, err
	}
	switch {
	case a.topicARN != "":
		return b.openTopic(ctx, cfg, a, closeIdle), nil
	case a.stock:
		return b.openStock(ctx, cfg, a, closeIdle), nil
	}
	return b.openQueue(cfg, a, closeIdle), nil
}
