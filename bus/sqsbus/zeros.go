package sqsbus

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math"

	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// explicitZero is a number of seconds that is sent as 0.
//
// In the SDK's requests a 0 means that nothing is said, so that the queue's own
// delay, visibility timeout or wait applies. To say 0, which SQS understands, a
// request has explicitZero, and the middleware [zeros] writes it as 0.
const explicitZero = math.MinInt32

// orZero returns seconds such that 0 is sent.
func orZero(seconds int32) int32 {
	if seconds == 0 {
		return explicitZero
	}
	return seconds
}

// zeros is the middleware with the promise that a 0 that was asked for is sent. It
// rewrites the request's JSON; what it looks for cannot be part of a message,
// whose quotes are escaped.
type zeros struct{}

var zeroFields = [][2][]byte{
	zeroField("DelaySeconds"),
	zeroField("VisibilityTimeout"),
	zeroField("WaitTimeSeconds"),
}

func zeroField(name string) [2][]byte {
	return [2][]byte{fmt.Appendf(nil, `"%s":%d`, name, explicitZero), fmt.Appendf(nil, `"%s":0`, name)}
}

func (zeros) ID() string { return "OmnibusZeros" }

func (zeros) HandleBuild(ctx context.Context, in middleware.BuildInput, next middleware.BuildHandler) (
	middleware.BuildOutput, middleware.Metadata, error,
) {
	req, ok := in.Request.(*smithyhttp.Request)
	if !ok || req.GetStream() == nil {
		return next.HandleBuild(ctx, in)
	}
	body, err := io.ReadAll(req.GetStream())
	if err != nil {
		return middleware.BuildOutput{}, middleware.Metadata{}, err
	}
	for _, f := range zeroFields {
		if bytes.Contains(body, f[0]) { // ReplaceAll copies the body in any case
			body = bytes.ReplaceAll(body, f[0], f[1])
		}
	}
	if in.Request, err = req.SetStream(bytes.NewReader(body)); err != nil {
		return middleware.BuildOutput{}, middleware.Metadata{}, err
	}
	return next.HandleBuild(ctx, in)
}
