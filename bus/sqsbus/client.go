package sqsbus

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/credentials/ec2rolecreds"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	smithyendpoints "github.com/aws/smithy-go/endpoints"
	"github.com/aws/smithy-go/logging"
	"github.com/aws/smithy-go/middleware"
	gcaws "gocloud.dev/aws"
)

// What a loopback endpoint gets where nothing is configured. It checks neither.
const (
	localRegion = "us-east-1"
	localKey    = "local"
)

var madeUp = credentials.NewStaticCredentialsProvider(localKey, localKey, "")

// ifToBeHad gives the credentials that the environment names, or made-up ones from when
// those cannot be had, as those of a login that has expired.
type ifToBeHad struct {
	aws.CredentialsProvider
	log   *slog.Logger
	given atomic.Bool
}

func (c *ifToBeHad) Retrieve(ctx context.Context) (aws.Credentials, error) {
	if !c.given.Load() {
		got, err := c.CredentialsProvider.Retrieve(ctx)
		if err == nil || ctx.Err() != nil {
			return got, err
		}
		if !c.given.Swap(true) {
			c.log.Warn("sqsbus: the endpoint on this machine gets made-up credentials, since those of the environment cannot be had", "error", err)
		}
	}
	return madeUp.Retrieve(ctx)
}

// Invalidate has the credentials be asked for anew.
func (c *ifToBeHad) Invalidate() {
	if cache, ok := c.CredentialsProvider.(invalidator); ok {
		cache.Invalidate()
	}
}

// IsCredentialsProvider reports what the credentials of the environment are, by which
// the SDK tells anonymous ones.
func (c *ifToBeHad) IsCredentialsProvider(target aws.CredentialsProvider) bool {
	return aws.IsCredentialsProvider(c.CredentialsProvider, target)
}

// invalidator is implemented by an aws.CredentialsCache.
type invalidator interface{ Invalidate() }

// configure returns the configuration for an address, and what closes its idle
// connections.
func (b *Backend) configure(ctx context.Context, a *address) (aws.Config, func(), error) {
	cfg, err := b.load(ctx, a)
	if err != nil {
		return cfg, nil, err
	}
	if a.region != "" {
		cfg.Region = a.region
	}
	if e, err := url.Parse(a.endpoint); err == nil && isLoopback(e.Hostname()) {
		if cfg.Region == "" {
			cfg.Region = localRegion
		}
		if cfg.Credentials == nil || aws.IsCredentialsProvider(cfg.Credentials, (*ec2rolecreds.Provider)(nil)) {
			cfg.Credentials = madeUp
		} else if b.options.Config == nil {
			cfg.Credentials = &ifToBeHad{CredentialsProvider: cfg.Credentials, log: b.logger()}
		}
	}
	if cfg.Region == "" {
		return cfg, nil, invalid("no region is known; give the parameter region, or set AWS_REGION")
	}
	if a.endpoint != "" {
		b.pin(&cfg, a.endpoint)
	}
	cfg.Logger = logging.LoggerFunc(func(level logging.Classification, format string, args ...any) {
		if level == logging.Warn && !strings.HasPrefix(format, "failed to discard remaining HTTP response body") { // of each answer that broke off
			b.logger().Warn("sqsbus: " + fmt.Sprintf(format, args...))
		}
	})
	cfg.Retryer = func() aws.Retryer { return aws.NopRetryer{} } // patience retries
	if b.options.HTTPClient != nil {
		cfg.HTTPClient = bodyInMemory{b.options.HTTPClient}
		return cfg, func() {}, nil
	}
	client, transport := newHTTP()
	transport.MaxIdleConnsPerHost = transport.MaxIdleConns // all are to one
	cfg.HTTPClient = bodyInMemory{client}
	return cfg, transport.CloseIdleConnections, nil
}

// newHTTP returns a client that is as the SDK's own.
func newHTTP() (*http.Client, *http.Transport) {
	transport := awshttp.NewBuildableClient().GetTransport()
	return &http.Client{Transport: transport, CheckRedirect: noRedirect}, transport
}

// pin makes requests go to an endpoint, whatever the environment and the SDK's files
// say of other endpoints: SQS and SNS look into the configuration's sources for that,
// and for nothing else.
func (b *Backend) pin(cfg *aws.Config, endpoint string) {
	e, err := url.Parse(endpoint)
	if err == nil && regionOf(e.Hostname()) != "" && !isFIPS(e.Hostname()) && wantsFIPS(cfg.ConfigSources) {
		b.logger().Warn("sqsbus: FIPS endpoints are configured, but the URL names another one", "endpoint", endpoint)
	}
	cfg.BaseEndpoint, cfg.ConfigSources = &endpoint, nil
}

// wantsFIPS reports whether the sources of a configuration ask for FIPS endpoints.
func wantsFIPS(sources []any) bool {
	for _, s := range sources {
		asked, ok := s.(interface {
			GetUseFIPSEndpoint(context.Context) (aws.FIPSEndpointState, bool, error)
		})
		if !ok {
			continue
		}
		if state, found, err := asked.GetUseFIPSEndpoint(context.Background()); err == nil && found {
			return state == aws.FIPSEndpointStateEnabled
		}
	}
	return false
}

// bodyInMemory is an HTTP client with the promise that an answer is not lost for
// the request's body, which it sends from memory, in one piece with the header.
//
// The SDK's own body reports an error when net/http looks for its end after the
// SDK has closed it, which it does as soon as an answer begins. Then net/http
// closes the connection while the answer is being read, and the messages in it
// stay in flight for their visibility timeout:
// https://github.com/aws/aws-sdk-go-v2/issues/1825.
type bodyInMemory struct{ client aws.HTTPClient }

func (c bodyInMemory) Do(r *http.Request) (*http.Response, error) {
	if r.Body == nil || r.ContentLength <= 0 {
		return c.client.Do(r)
	}
	body := make([]byte, r.ContentLength)
	if _, err := io.ReadFull(r.Body, body); err != nil {
		return nil, err
	}
	r = r.WithContext(r.Context()) // a copy
	r.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil }
	r.Body, _ = r.GetBody()
	return c.client.Do(r)
}

// noRedirect makes an answer that redirects the outcome of its request, as it is with
// the SDK's own client.
func noRedirect(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

// load returns the configuration that the program was given or the SDK's own
// chain finds, with the URL's parameters.
func (b *Backend) load(ctx context.Context, a *address) (aws.Config, error) {
	given := b.options.Config
	if given == nil {
		cfg, err := gcaws.V2ConfigFromURLParams(ctx, a.config)
		if err != nil {
			return cfg, invalid("%v", err)
		}
		return cfg, nil
	}
	for name := range a.config {
		if name != "region" && name != "hostname_immutable" {
			return aws.Config{}, invalid("parameter %s does not apply: this backend was given a configuration", name)
		}
	}
	return given.Copy(), nil
}

// stack adds the middlewares of every request: [metering] counts each try that
// [patience] makes, and [zeros] writes what the SDK leaves out.
func (b *Backend) stack(cfg aws.Config, t *traffic) func(*middleware.Stack) error {
	patient := &patience{outage: &t.outage, credentials: cfg.Credentials}
	counted := &metering{meter: b.options.Meter, traffic: t}
	return func(s *middleware.Stack) error {
		return firstError(
			s.Initialize.Add(patient, middleware.Before),
			s.Initialize.Add(counted, middleware.After),
			s.Build.Add(zeros{}, middleware.Before),
		)
	}
}

func firstError(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return fmt.Errorf("sqsbus: %w", err)
		}
	}
	return nil
}

// newSQS returns the client that makes a queue's requests. It does not check sums
// by itself: see checkSum.
func (b *Backend) newSQS(cfg aws.Config, t *traffic) *sqs.Client {
	return sqs.NewFromConfig(cfg, func(o *sqs.Options) {
		o.DisableMessageChecksumValidation = true
		o.EndpointResolverV2 = &resolvedOnce{EndpointResolverV2: sqs.NewDefaultEndpointResolverV2()}
		o.APIOptions = append(o.APIOptions, b.stack(cfg, t))
	})
}

// A resolvedOnce is the SDK's resolver of endpoints, asked once: for one client the
// answer is always the same, and working it out takes a tenth of a request's
// processor time.
type resolvedOnce struct {
	sqs.EndpointResolverV2
	known atomic.Pointer[smithyendpoints.Endpoint]
}

func (r *resolvedOnce) ResolveEndpoint(ctx context.Context, p sqs.EndpointParameters) (smithyendpoints.Endpoint, error) {
	if e := r.known.Load(); e != nil {
		return *e, nil
	}
	e, err := r.EndpointResolverV2.ResolveEndpoint(ctx, p)
	if err == nil {
		r.known.Store(&e)
	}
	return e, err
}

// newSNS returns the client that makes a topic's requests.
func (b *Backend) newSNS(cfg aws.Config, t *traffic) *sns.Client {
	return sns.NewFromConfig(cfg, func(o *sns.Options) {
		o.APIOptions = append(o.APIOptions, b.stack(cfg, t))
	})
}
