package sqsbus

import (
	"context"
	"fmt"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/smithy-go"
	"gocloud.dev/gcerrors"

	"omnibus/bus"
	"omnibus/bus/spec"
)

// A guard is an endpoint that looks at how requests are signed before it takes
// them: they are not to be older than five minutes by its own clock, which may be
// ahead, nor signed with a token that has expired.
type guard struct {
	*endpoint
	ahead time.Duration
}

func (g guard) Do(req *http.Request) (*http.Response, error) {
	now := time.Now().Add(g.ahead)
	signed, err := time.Parse("20060102T150405Z", req.Header.Get("X-Amz-Date"))
	if err != nil {
		return nil, err
	}
	var answer *http.Response
	switch token := req.Header.Get("X-Amz-Security-Token"); {
	case now.Sub(signed).Abs() > 5*time.Minute:
		answer = respond(http.StatusForbidden, object{"__type": "InvalidSignatureException"})
	case token != "" && token < now.Format(time.RFC3339):
		answer = respond(http.StatusForbidden, object{"__type": "ExpiredTokenException"})
	default:
		if answer, err = g.endpoint.Do(req); err != nil {
			return nil, err
		}
	}
	answer.Header.Set("Date", now.UTC().Format(http.TimeFormat))
	return answer, nil
}

// open opens the queue donors with credentials of the test's own.
func (g guard) open(t *testing.T, credentials aws.CredentialsProvider) *bus.Queue {
	g.create(t, "donors", spec.QueueSettings{})
	var mux bus.Mux
	New(&Options{HTTPClient: g, Config: &aws.Config{Region: "us-east-1", Credentials: credentials}}).Register(&mux)
	q, err := mux.Open(t.Context(), testQueue+"?visibility=30s")
	if err != nil {
		t.Fatal(err)
	}
	return q
}

// tokens are credentials that are valid for a quarter of an hour, of which the SDK
// knows if renewed is set. This machine's clock is three seconds slow.
func tokens(renewed bool) aws.CredentialsProvider {
	return aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
		expires := time.Now().Add(15 * time.Minute)
		return aws.Credentials{
			AccessKeyID: "k", SecretAccessKey: "s", SessionToken: expires.Add(-3 * time.Second).Format(time.RFC3339),
			CanExpire: renewed, Expires: expires,
		}, nil
	})
}

func TestAWrongClockDoesNotEndTheSubscription(t *testing.T) {
	for _, ahead := range []time.Duration{time.Hour, -time.Hour} {
		t.Run(fmt.Sprint(ahead), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				q := guard{newEndpoint(), ahead}.open(t, nil)
				defer shutDown(t, q)
				send(t, q, "m")
				receive(t, q, time.Minute).Ack()
			})
		})
	}
}

func TestCredentialsThatExpireDoNotEndTheSubscription(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := guard{newEndpoint(), 0}.open(t, aws.NewCredentialsCache(tokens(true)))
		defer shutDown(t, q)
		for range 16 * 60 { // requests at every moment, so also between the two ends
			start := time.Now()
			send(t, q, "m")
			receive(t, q, time.Minute).Ack()
			if took := time.Since(start); took > 500*time.Millisecond {
				t.Errorf("a message took %v while others had the old credentials", took)
			}
			time.Sleep(time.Second)
		}
	})
}

func TestCredentialsThatNobodyRenewsEndTheSubscription(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := guard{newEndpoint(), 0}.open(t, aws.NewCredentialsCache(tokens(false)))
		start := time.Now()
		_, err := q.Subscription.Receive(t.Context())
		check(t, "receive", err, gcerrors.PermissionDenied)
		if took := time.Since(start); took < 14*time.Minute || took > 16*time.Minute {
			t.Errorf("it ended after %v; the credentials expire after 15m", took)
		}
		_ = q.Shutdown(t.Context())
	})
}

func TestWhatTheSDKRetriesIsRetriedHere(t *testing.T) {
	p := new(patience)
	for _, codes := range []map[string]struct{}{retry.DefaultRetryableErrorCodes, retry.DefaultThrottleErrorCodes, {
		"KmsThrottled": {}, "KMSThrottling": {}, "Throttled": {}, "InternalError": {},
	}} {
		for code := range codes {
			if err := coded(&smithy.GenericAPIError{Code: code}); !p.transient(t.Context(), err) {
				t.Errorf("%s is not tried again", code)
			}
		}
	}
}
