package sqsbus

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/middleware"
	"gocloud.dev/gcerrors"
)

// patience is a middleware with the promise that a request fails only for what
// no retry can help, or at the end of its context.
//
// The SDK gives up after three tries, and the portable Subscription then fails
// for ever. Here messages are sent, received, deleted and changed with as many
// tries as it takes: while AWS answers with its own faults or throttles, while
// connections drop or hang, and, once a request of this client has been
// answered, whatever goes wrong before the next one reaches AWS (names that do
// not resolve, credentials that cannot be refreshed). A request that was refused
// because this machine's clock is wrong is tried again, since the SDK corrects that,
// and so is one whose credentials had expired, if their issuer gives new ones. Access
// that is denied, a queue that does not exist and a request that is invalid fail at
// once. Controls are tried five times, since somebody waits for their answer.
type patience struct {
	outage      *outage
	credentials aws.CredentialsProvider // nil if there are none
	answered    atomic.Bool             // some request has been answered
}

const (
	controlTries = 5
	firstBackoff = 100 * time.Millisecond
	maxBackoff   = 10 * time.Second
	answerTime   = 30 * time.Second // within which AWS answers what it does not hold for a long poll
)

func (*patience) ID() string { return "OmnibusPatience" }

func (p *patience) HandleInitialize(ctx context.Context, in middleware.InitializeInput, next middleware.InitializeHandler) (
	out middleware.InitializeOutput, metadata middleware.Metadata, err error,
) {
	op := middleware.GetOperationName(ctx)
	patient := dataActions[op] || ctx.Value(patientKey{}) != nil
	for try := 1; ; try++ {
		out, metadata, err = p.try(ctx, in, next)
		if err == nil {
			p.answered.Store(true)
			p.outage.ended(try > 1, true)
			return out, metadata, nil
		}
		err = coded(err)
		refused := ctx.Err() == nil && !p.transient(ctx, err)
		if refused || ctx.Err() != nil || !patient && try == controlTries {
			p.outage.ended(try > 1, refused)
			return out, metadata, err
		}
		p.outage.failed(op, try, err)
		if limit, ok := ctx.Value(heardByKey{}).(time.Time); ok && !errors.As(err, new(*codedError)) {
			var cancel context.CancelFunc
			ctx, cancel = context.WithDeadline(ctx, limit)
			defer cancel() // few: the limit is the same each time
		}
		if !sleep(ctx, before(ctx, backoff(try))) {
			p.outage.ended(true, false)
			return out, metadata, ctx.Err()
		}
		if stale, ok := ctx.Value(unlessKey{}).(func() bool); ok && stale() {
			p.outage.ended(true, false)
			return out, metadata, err
		}
	}
}

type heardByKey struct{}

// heardBy returns a context for a request that is not to be made again after a time if a
// try of it was not answered, and so may have had its effect.
func heardBy(ctx context.Context, limit time.Time) context.Context {
	return context.WithValue(ctx, heardByKey{}, limit)
}

type unlessKey struct{}

// unless returns a context for a request that is not to be made again once it is stale.
func unless(ctx context.Context, stale func() bool) context.Context {
	return context.WithValue(ctx, unlessKey{}, stale)
}

// try makes one try, which is not to hang for ever.
func (p *patience) try(ctx context.Context, in middleware.InitializeInput, next middleware.InitializeHandler) (
	middleware.InitializeOutput, middleware.Metadata, error,
) {
	tryCtx, cancel := context.WithTimeoutCause(ctx, answerTime+longPoll(in.Parameters), errHangs)
	defer cancel()
	out, metadata, err := next.HandleInitialize(tryCtx, in)
	if err != nil && ctx.Err() == nil && tryCtx.Err() != nil {
		err = errHangs
	}
	return out, metadata, err
}

// errHangs is the error of a request that was not answered in time.
var errHangs = errors.New("sqsbus: no answer in time")

// dataActions are the actions that carry messages and what becomes of them.
var dataActions = map[string]bool{
	"SendMessage":                  true,
	"SendMessageBatch":             true,
	"ReceiveMessage":               true,
	"DeleteMessage":                true,
	"DeleteMessageBatch":           true,
	"ChangeMessageVisibility":      true,
	"ChangeMessageVisibilityBatch": true,
	"Publish":                      true,
	"PublishBatch":                 true,
}

type patientKey struct{}

// patiently returns a context for a control that messages wait for.
func patiently(ctx context.Context) context.Context {
	return context.WithValue(ctx, patientKey{}, true)
}

// retryable knows what the SDK itself would try again: among other things, requests
// refused for a wrong clock, which it has corrected by then.
var retryable = retry.IsErrorRetryables(retry.DefaultRetryables)

// transient reports whether another try may help.
func (p *patience) transient(ctx context.Context, err error) bool {
	var c *codedError
	if !errors.As(err, &c) {
		return p.unanswered(err)
	}
	p.answered.Store(true)
	switch {
	case c.code == gcerrors.Internal, c.code == gcerrors.ResourceExhausted: // the latter also of too many in flight
		return true
	case c.expired():
		return p.renews(ctx)
	}
	return retryable.IsErrorRetryable(err) == aws.TrueTernary
}

// renews reports whether other credentials can be had, and makes the SDK ask for them.
func (p *patience) renews(ctx context.Context) bool {
	if p.credentials == nil {
		return false
	}
	if c, err := p.credentials.Retrieve(ctx); err == nil && !c.CanExpire {
		return false
	}
	if cache, ok := p.credentials.(invalidator); ok {
		cache.Invalidate()
	}
	return true
}

// unanswered reports whether another try may help a request that did not get as
// far as an answer.
func (p *patience) unanswered(err error) bool {
	if err == errHangs || p.answered.Load() {
		return true
	}
	var broken *smithy.DeserializationError
	if errors.As(err, &broken) {
		return true
	}
	return retryable.IsErrorRetryable(err) == aws.TrueTernary // a name that does not resolve is none of these
}

// backoff returns how long to wait after so many tries: twice as long after each,
// up to 10 s, of which the second half is random.
func backoff(tries int) time.Duration {
	d := maxBackoff
	if tries < 8 {
		d = min(d, firstBackoff<<(tries-1))
	}
	return d/2 + rand.N(d/2+1)
}

// before returns d, or half of the time that is left to ctx if that is shorter: what is
// to be done in time, such as a renewal, has more tries towards its end.
func before(ctx context.Context, d time.Duration) time.Duration {
	if deadline, ok := ctx.Deadline(); ok {
		d = min(d, max(time.Until(deadline)/2, firstBackoff))
	}
	return d
}

// sleep waits for d, and reports false if ctx ended before.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
