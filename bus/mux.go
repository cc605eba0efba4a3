package bus

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"sync"

	"gocloud.dev/gcerrors"
	"gocloud.dev/pubsub"

	"omnibus/bus/driver"
)

// A Mux opens queues by the scheme of their URL. The zero value knows no
// scheme. Its methods are safe for concurrent use.
type Mux struct {
	// Fallback opens URLs whose scheme is not registered, as plain portable ends
	// without controls. If it is nil, such URLs are refused.
	Fallback *pubsub.URLMux

	mu      sync.Mutex // guards openers
	openers map[string]driver.Opener
}

var defaultMux = &Mux{Fallback: pubsub.DefaultURLMux()}

// DefaultMux returns the mux that [Open], [Create] and [List] use. Importing a
// backend's package registers its schemes there; schemes that are not
// registered go to the Go CDK's own default mux.
func DefaultMux() *Mux { return defaultMux }

// Open opens the queue that the URL names, with [DefaultMux].
func Open(ctx context.Context, url string) (*Queue, error) { return defaultMux.Open(ctx, url) }

// Create creates a queue, with [DefaultMux].
func Create(ctx context.Context, url string, s QueueSettings) (string, error) {
	return defaultMux.Create(ctx, url, s)
}

// List lists queues, with [DefaultMux].
func List(ctx context.Context, url, prefix string) ([]string, error) {
	return defaultMux.List(ctx, url, prefix)
}

// Register makes o open the URLs of a scheme. It panics if the scheme is taken: see
// [Mux.Unregister].
//
// On [DefaultMux], importing a backend's package registers all schemes of that
// backend. Package sqsbus thereby claims http and https, so that the URL of a queue,
// as SQS, sqsd and [Create] print it, can be opened as it is, and one variable holds
// it whatever the backend. Nothing else in this module, nor a driver of the Go CDK,
// names queues by such URLs. A program that has another backend for them frees the
// schemes first, or uses a mux of its own.
func (m *Mux) Register(scheme string, o driver.Opener) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.openers[scheme] != nil {
		panic(fmt.Sprintf("bus: scheme %q is registered already", scheme))
	}
	if m.openers == nil {
		m.openers = map[string]driver.Opener{}
	}
	m.openers[scheme] = o
}

// Unregister frees a scheme, so that its URLs go to the fallback or another backend can
// be registered. Queues that are open stay so. If the scheme is not registered,
// nothing happens.
func (m *Mux) Unregister(scheme string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.openers, scheme)
}

// Schemes returns the registered schemes, sorted, without those of the
// fallback.
func (m *Mux) Schemes() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	var schemes []string
	for s := range m.openers {
		schemes = append(schemes, s)
	}
	slices.Sort(schemes)
	return schemes
}

// Open opens the queue that the URL names. It fails with InvalidArgument for a
// URL that does not parse, has an unknown scheme or parameter, a value out of
// range, or credentials in it. Shut the queue down when done.
func (m *Mux) Open(ctx context.Context, rawURL string) (*Queue, error) {
	o, u, err := m.find("open", rawURL)
	if err != nil {
		return nil, err
	}
	if o == nil {
		return m.openFallback(ctx, u)
	}
	impl, err := o.OpenQueue(ctx, u)
	if err != nil {
		return nil, newError("open", rawURL, driver.ErrorCode(err), err)
	}
	return &Queue{
		Topic:        impl.Topic(),
		Subscription: impl.Subscription(),
		url:          rawURL,
		opener:       o,
		impl:         impl,
	}, nil
}

// Create creates the queue that the URL names, with the settings given, and
// returns the URL that opens it. A queue that exists is not an error, unless it
// has other values for settings given (AlreadyExists).
func (m *Mux) Create(ctx context.Context, rawURL string, s QueueSettings) (string, error) {
	o, u, err := m.find("create", rawURL)
	if err != nil {
		return "", err
	}
	c, ok := driver.Find[driver.Creator](o)
	if !ok {
		return "", unsupported("create", rawURL, driver.ControlCreate)
	}
	created, err := c.CreateQueue(ctx, u, s)
	if err != nil {
		return "", newError("create", rawURL, driver.ErrorCode(err), err)
	}
	return created, nil
}

// List returns the URLs of the queues whose names start with prefix, at the
// place that the URL names: for a URL of a queue, those beside it.
func (m *Mux) List(ctx context.Context, rawURL, prefix string) ([]string, error) {
	o, u, err := m.find("list", rawURL)
	if err != nil {
		return nil, err
	}
	l, ok := driver.Find[driver.Lister](o)
	if !ok {
		return nil, unsupported("list", rawURL, driver.ControlList)
	}
	urls, err := l.ListQueues(ctx, u, prefix)
	if err != nil {
		return nil, newError("list", rawURL, driver.ErrorCode(err), err)
	}
	return urls, nil
}

// Local reports whether the queues of the URL's scheme exist in this process
// only.
func (m *Mux) Local(rawURL string) (bool, error) {
	o, _, err := m.find("open", rawURL)
	if err != nil {
		return false, err
	}
	l, ok := driver.Find[driver.Local](o)
	return ok && l.Local(), nil
}

// find returns the URL and its opener, which is nil when the fallback knows the
// scheme.
func (m *Mux) find(op, rawURL string) (driver.Opener, *url.URL, error) {
	bad := func(err error) (driver.Opener, *url.URL, error) {
		return nil, nil, newError(op, rawURL, gcerrors.InvalidArgument, err)
	}
	if rawURL == "" {
		return bad(errors.New("no URL is given; one like mem://donors is needed"))
	}
	u, err := driver.ParseURL(rawURL)
	if err != nil {
		return bad(err)
	}
	m.mu.Lock()
	o := m.openers[u.Scheme]
	m.mu.Unlock()
	if o != nil {
		return o, u, nil
	}
	if m.Fallback != nil && (m.Fallback.ValidTopicScheme(u.Scheme) || m.Fallback.ValidSubscriptionScheme(u.Scheme)) {
		return nil, u, nil
	}
	return bad(m.unknownScheme(u.Scheme))
}

// backends are the packages of this module whose backends open the URLs of a scheme.
// They are named, and not imported, so that an error can tell what to import.
var backends = map[string]string{
	"awssns":    "sqsbus",
	"awssqs":    "sqsbus",
	"http":      "sqsbus",
	"https":     "sqsbus",
	"mem":       "membus",
	"memsns":    "membus",
	"mempubsub": "plainbus",
}

// unknownScheme returns the error of a URL whose scheme nobody has registered.
func (m *Mux) unknownScheme(scheme string) error {
	known := m.Schemes()
	if m.Fallback != nil {
		known = append(known, m.Fallback.TopicSchemes()...)
		slices.Sort(known)
		known = slices.Compact(known)
	}
	list := "none is known"
	if len(known) > 0 {
		list = "known are " + strings.Join(known, ", ")
	}
	name, ok := backends[scheme]
	if !ok {
		return fmt.Errorf("unknown scheme %q; %s (a scheme is known once its backend's package is imported)", scheme, list)
	}
	name = reflect.TypeFor[Mux]().PkgPath() + "/" + name
	if m == defaultMux {
		return fmt.Errorf("unknown scheme %q; import _ %q, whose backend opens it; %s", scheme, name, list)
	}
	return fmt.Errorf("unknown scheme %q; register the backend of package %s on this mux; %s", scheme, name, list)
}

// openFallback opens what the Go CDK's mux has for the URL. A scheme, or a URL,
// may be good for one end only.
func (m *Mux) openFallback(ctx context.Context, u *url.URL) (*Queue, error) {
	topic, topicErr := m.Fallback.OpenTopicURL(ctx, u)
	sub, subErr := m.Fallback.OpenSubscriptionURL(ctx, u)
	if topicErr != nil && subErr != nil {
		err := errors.Join(topicErr, subErr)
		code := gcerrors.Code(topicErr)
		if code == gcerrors.Unknown {
			code = gcerrors.InvalidArgument
		}
		return nil, newError("open", u.String(), code, err)
	}
	q := Wrap(topic, sub)
	q.url = u.String()
	return q, nil
}
