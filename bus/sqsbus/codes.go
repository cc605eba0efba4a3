package sqsbus

import (
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/traits"
	"gocloud.dev/gcerrors"

	"omnibus/bus/spec"
)

// queryNames are the codes that the Query protocol spells otherwise than the JSON
// protocol, as the SDK's model of SQS has them. AWS sends them in the JSON protocol
// too: in the header X-Amzn-Query-Error, which the SDK prefers, and as codes of
// failed entries.
var queryNames = func() map[string]spec.Code {
	names := map[string]spec.Code{}
	for _, e := range sqs.TypeRegistry.Entries {
		if t, ok := smithy.SchemaTrait[*traits.AWSQueryError](e.Schema); ok {
			names[t.ErrorCode] = spec.Code(e.Schema.ID().Name)
		}
	}
	return names
}()

// queryPrefix is what the Query protocol puts before many codes.
const queryPrefix = "AWS.SimpleQueueService."

// codeName returns an error's AWS code as the JSON protocol spells it.
func codeName(api smithy.APIError) spec.Code {
	if name, ok := queryNames[api.ErrorCode()]; ok {
		return name
	}
	code := spec.Code(strings.TrimPrefix(api.ErrorCode(), queryPrefix))
	if code == spec.InvalidParameterValue && strings.Contains(api.ErrorMessage(), "not available for visibility timeout change") {
		return spec.MessageNotInflight // what SQS says of a receipt handle whose message has moved on
	}
	return code
}

// commonCodes are codes of AWS that are not of the SQS engine: those common to
// all services
// (https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/CommonErrors.html),
// those of KMS and those of SNS.
var commonCodes = map[spec.Code]gcerrors.ErrorCode{
	"AccessDenied":                        gcerrors.PermissionDenied,
	"AccessDeniedException":               gcerrors.PermissionDenied,
	"AuthFailure":                         gcerrors.PermissionDenied,
	"AuthorizationError":                  gcerrors.PermissionDenied,
	"ExpiredToken":                        gcerrors.PermissionDenied,
	"ExpiredTokenException":               gcerrors.PermissionDenied,
	"IncompleteSignature":                 gcerrors.PermissionDenied,
	"IncompleteSignatureException":        gcerrors.PermissionDenied,
	"InvalidAccessKeyId":                  gcerrors.PermissionDenied,
	"InvalidClientTokenId":                gcerrors.PermissionDenied,
	"InvalidSecurity":                     gcerrors.PermissionDenied,
	"InvalidSignatureException":           gcerrors.PermissionDenied,
	"KmsAccessDenied":                     gcerrors.PermissionDenied,
	"KMSAccessDenied":                     gcerrors.PermissionDenied,
	"MissingAuthenticationToken":          gcerrors.PermissionDenied,
	"MissingAuthenticationTokenException": gcerrors.PermissionDenied,
	"NotAuthorized":                       gcerrors.PermissionDenied,
	"OptInRequired":                       gcerrors.PermissionDenied,
	"RequestExpired":                      gcerrors.PermissionDenied,
	"RequestTimeTooSkewed":                gcerrors.PermissionDenied,
	"SignatureDoesNotMatch":               gcerrors.PermissionDenied,
	"TagPolicy":                           gcerrors.PermissionDenied,
	"UnrecognizedClientException":         gcerrors.PermissionDenied,
	"EmptyValue":                          gcerrors.InvalidArgument,
	"InvalidAction":                       gcerrors.InvalidArgument,
	"InvalidIdFormat":                     gcerrors.InvalidArgument,
	"InvalidParameter":                    gcerrors.InvalidArgument,
	"InvalidParameterCombination":         gcerrors.InvalidArgument,
	"MalformedQueryString":                gcerrors.InvalidArgument,
	"ParameterValueInvalid":               gcerrors.InvalidArgument,
	"UserError":                           gcerrors.InvalidArgument,
	"ValidationError":                     gcerrors.InvalidArgument,
	"ValidationException":                 gcerrors.InvalidArgument,
	"ConcurrentAccess":                    gcerrors.FailedPrecondition,
	"EndpointDisabled":                    gcerrors.FailedPrecondition,
	"InvalidState":                        gcerrors.FailedPrecondition,
	"KmsDisabled":                         gcerrors.FailedPrecondition,
	"KMSDisabled":                         gcerrors.FailedPrecondition,
	"KmsInvalidKeyUsage":                  gcerrors.FailedPrecondition,
	"KmsInvalidState":                     gcerrors.FailedPrecondition,
	"KMSInvalidState":                     gcerrors.FailedPrecondition,
	"KmsOptInRequired":                    gcerrors.FailedPrecondition,
	"KMSOptInRequired":                    gcerrors.FailedPrecondition,
	"OptedOut":                            gcerrors.FailedPrecondition,
	"PlatformApplicationDisabled":         gcerrors.FailedPrecondition,
	"StaleTag":                            gcerrors.FailedPrecondition,
	"VerificationException":               gcerrors.FailedPrecondition,
	"InvalidAddress":                      gcerrors.NotFound,
	"KmsNotFound":                         gcerrors.NotFound,
	"KMSNotFound":                         gcerrors.NotFound,
	"NotFound":                            gcerrors.NotFound,
	"ResourceNotFound":                    gcerrors.NotFound,
	"ResourceNotFoundException":           gcerrors.NotFound,
	"InternalError":                       gcerrors.Internal,
	"InternalFailure":                     gcerrors.Internal,
	"InternalServerError":                 gcerrors.Internal,
	"RequestTimeout":                      gcerrors.Internal,
	"RequestTimeoutException":             gcerrors.Internal,
	"ServiceUnavailable":                  gcerrors.Internal,
	"BandwidthLimitExceeded":              gcerrors.ResourceExhausted,
	"FilterPolicyLimitExceeded":           gcerrors.ResourceExhausted,
	"KmsThrottled":                        gcerrors.ResourceExhausted,
	"KMSThrottling":                       gcerrors.ResourceExhausted,
	"LimitExceededException":              gcerrors.ResourceExhausted,
	"ReplayLimitExceeded":                 gcerrors.ResourceExhausted,
	"RequestLimitExceeded":                gcerrors.ResourceExhausted,
	"RequestThrottled":                    gcerrors.ResourceExhausted,
	"RequestThrottledException":           gcerrors.ResourceExhausted,
	"SlowDown":                            gcerrors.ResourceExhausted,
	"SubscriptionLimitExceeded":           gcerrors.ResourceExhausted,
	"TagLimitExceeded":                    gcerrors.ResourceExhausted,
	"Throttled":                           gcerrors.ResourceExhausted,
	"ThrottledException":                  gcerrors.ResourceExhausted,
	"Throttling":                          gcerrors.ResourceExhausted,
	"ThrottlingException":                 gcerrors.ResourceExhausted,
	"TooManyRequestsException":            gcerrors.ResourceExhausted,
	"TopicLimitExceeded":                  gcerrors.ResourceExhausted,
	"TotalRequestLimitExceeded":           gcerrors.ResourceExhausted,
}
