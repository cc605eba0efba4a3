package snsserver

import (
	"bufio"
	"io"
	"net/http"
	"net/url"
	"strings"

	"omnibus/bus/internal/inprocess"
	"omnibus/bus/sigv4"
)

// Services that a request can be for.
const (
	SNS = "sns"
	STS = "sts"
	SQS = "sqs"
)

// ServiceOf returns which service a request is for: SNS, STS or, if it is for
// neither, SQS. It looks at the credential scope of the signature, and for a
// request without one at the parameters Version and Action, at most at the first
// 16 KiB of the body, which can be read after it as before.
func ServiceOf(r *http.Request) string {
	if len(r.Header["X-Amz-Target"]) > 0 {
		return SQS // the JSON protocol, which the others do not have
	}
	if scope, signed := sigv4.ScopeOf(r); signed {
		if scope.Service == SNS || scope.Service == STS {
			return scope.Service
		}
		return SQS
	}
	if isCertificatePath(r.URL.Path) {
		return SNS
	}
	if service := serviceIn(r.URL.RawQuery); service != "" {
		return service
	}
	if r.Method == http.MethodPost && r.Body != nil {
		if service := serviceIn(peek(r)); service != "" {
			return service
		}
	}
	return SQS
}

// serviceIn returns the service that the parameters Version or Action tell.
func serviceIn(query string) string {
	service := ""
	for query != "" {
		var pair string
		pair, query, _ = strings.Cut(query, "&")
		name, value, _ := strings.Cut(pair, "=")
		value, _ = url.QueryUnescape(value)
		a := actions[value]
		switch {
		case name == "Version" && value == snsVersion:
			return SNS
		case name == "Version" && value == stsVersion:
			return STS
		case name == "Version":
			return SQS
		case name != "Action" || a.run == nil:
		case a.namespace == stsNamespace:
			service = STS
		case value != "AddPermission" && value != "RemovePermission": // which SQS has too
			service = SNS
		}
	}
	return service
}

// Unsigned reports a request that AWS takes without a signature: for a
// certificate, and by the links to confirm a subscription and to end one, whose path
// is /. A handler before this one that asks for signatures lets it pass.
//
// It looks at what the server itself will: of a parameter that is there twice the
// last counts, and what the parameters turn over to SQS is no such request. Nor is one
// that has a signature, in a header or in its URL: the server takes it for one of the
// account that the signature names, so somebody has to check it. The server does not look
// at the path of a link, but a program may have pages of its own beside it: those stay
// closed whatever their parameters say.
func Unsigned(r *http.Request) bool {
	_, signed := sigv4.ScopeOf(r)
	if signed || r.Method != http.MethodGet && r.Method != http.MethodHead || ServiceOf(r) != SNS {
		return false
	}
	if isCertificatePath(r.URL.Path) {
		return true
	}
	f := form{}
	if r.URL.Path != "/" || f.parse(r.URL.RawQuery) != nil {
		return false
	}
	return f["Action"] == "ConfirmSubscription" || f["Action"] == "Unsubscribe"
}

const peekBytes = 16 << 10

// peek returns the beginning of a request's body, which stays to be read.
func peek(r *http.Request) string {
	b := bufio.NewReaderSize(r.Body, peekBytes)
	start, _ := b.Peek(peekBytes) // an error comes again when the body is read
	r.Body = struct {
		io.Reader
		io.Closer
	}{b, r.Body}
	return string(start)
}

// Beside returns a handler that answers requests of SNS and of STS by a server
// and all others by another handler, that of SQS: one address for all of them.
//
//	queues := sqsserver.New(nil)
//	topics := snsserver.New(&snsserver.Options{Queues: queues})
//	http.Serve(l, snsserver.Beside(topics, queues))
func Beside(sns *Server, sqs http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if ServiceOf(r) == SQS {
			sqs.ServeHTTP(w, r)
		} else {
			sns.ServeHTTP(w, r)
		}
	})
}

// Client returns an HTTP client whose requests a handler, as of [Beside], answers
// without a socket, for SDKs, also in a synctest bubble.
func Client(h http.Handler) *http.Client { return inprocess.Client(h) }
