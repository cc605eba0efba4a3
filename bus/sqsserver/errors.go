package sqsserver

import (
	"errors"
	"net/http"

	"omnibus/bus/spec"
)

// Codes that only the protocols have.
const (
	codeInvalidAction    spec.Code = "InvalidAction"             // Query: no such action
	codeUnknownOperation spec.Code = "UnknownOperationException" // JSON: no such action
	codeInternal         spec.Code = "InternalFailure"
)

// An errorName is how the protocols spell a code where they differ from its
// spec.Code, and the status it comes with.
type errorName struct {
	json   string // the shape's name, after com.amazonaws.sqs#
	query  string // Code of Query answers, and the header x-amzn-query-error of JSON ones
	status int    // 0 means 400
}

const queryPrefix = "AWS.SimpleQueueService."

// errorNames are as AWS answers them, and as the service's model had them while
// it was a Query one.
var errorNames = map[spec.Code]errorName{
	spec.BatchEntryIdsNotDistinct:     {query: queryPrefix + "BatchEntryIdsNotDistinct"},
	spec.BatchRequestTooLong:          {query: queryPrefix + "BatchRequestTooLong"},
	spec.EmptyBatchRequest:            {query: queryPrefix + "EmptyBatchRequest"},
	spec.InvalidBatchEntryID:          {query: queryPrefix + "InvalidBatchEntryId"},
	spec.MessageNotInflight:           {query: queryPrefix + "MessageNotInflight"},
	spec.PurgeQueueInProgress:         {query: queryPrefix + "PurgeQueueInProgress", status: http.StatusForbidden},
	spec.QueueDeletedRecently:         {query: queryPrefix + "QueueDeletedRecently"},
	spec.QueueDoesNotExist:            {query: queryPrefix + "NonExistentQueue"},
	spec.QueueNameExists:              {query: "QueueAlreadyExists"},
	spec.TooManyEntriesInBatchRequest: {query: queryPrefix + "TooManyEntriesInBatchRequest"},
	spec.UnsupportedOperation:         {query: queryPrefix + "UnsupportedOperation"},
	spec.OverLimit:                    {status: http.StatusForbidden},
	spec.ResourceNotFound:             {status: http.StatusNotFound},
	spec.InvalidParameterValue:        {json: "InvalidParameterValueException"},
	spec.MissingParameter:             {json: "MissingRequiredParameterException"},
	codeInternal:                      {status: http.StatusInternalServerError},
	InternalError:                     {status: http.StatusInternalServerError},
	Unavailable:                       {status: http.StatusServiceUnavailable},
}

// asSpecError returns err as an error of SQS. One that is none cannot come from
// the engine; it is answered as an internal failure, and its text kept to the
// log.
func asSpecError(err error) *spec.Error {
	var e *spec.Error
	if errors.As(err, &e) {
		return e
	}
	return spec.Errorf(codeInternal, "The request failed.")
}

func (n errorName) statusCode() int {
	if n.status == 0 {
		return http.StatusBadRequest
	}
	return n.status
}

// queryCode returns a code as Query spells it.
func queryCode(c spec.Code) string {
	if n := errorNames[c]; n.query != "" {
		return n.query
	}
	return string(c)
}

// writeError writes an error as the JSON protocol has it.
func (w *jsonWriter) writeError(h http.Header, e *spec.Error) (status int) {
	n := errorNames[e.Code]
	w.begin()
	switch e.Code {
	case codeSerialization, codeUnknownOperation, codeInternal:
		w.text("__type", "com.amazon.coral.service#"+string(e.Code))
	default:
		shape := n.json
		if shape == "" {
			shape = string(e.Code)
		}
		w.text("__type", "com.amazonaws.sqs#"+shape)
		h["X-Amzn-Query-Error"] = []string{queryCode(e.Code) + ";" + fault(e.Code)}
	}
	w.text("message", e.Message)
	w.end()
	return n.statusCode()
}

// writeError writes an error as the Query protocol has it.
func (w *xmlWriter) writeError(e *spec.Error, requestID string) (status int) {
	w.buf = append(w.buf, `<?xml version="1.0"?><ErrorResponse xmlns="`+xmlNamespace+`"><Error>`...)
	w.text("Type", fault(e.Code))
	w.text("Code", queryCode(e.Code))
	w.text("Message", queryMessage(e))
	w.buf = append(w.buf, "<Detail/></Error>"...)
	w.text("RequestId", requestID)
	w.close("ErrorResponse")
	return errorNames[e.Code].statusCode()
}

// fault returns whose fault an error is, as Query says it.
func fault(c spec.Code) string {
	if errorNames[c].statusCode() >= 500 {
		return "Receiver"
	}
	return "Sender"
}

// queryMessage returns the text that an error has in Query.
func queryMessage(e *spec.Error) string {
	if e.Code == spec.QueueDoesNotExist {
		return "The specified queue does not exist for this wsdl version."
	}
	return e.Message
}
