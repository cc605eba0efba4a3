// Package sqsserver is Amazon SQS on one machine: an [http.Handler] that speaks
// both of its protocols, JSON 1.0 and Query with XML answers, over the queues of
// package [omnibus/bus/engine]. The AWS SDKs and CLIs use it by its URL; the
// command sqsd serves it on a socket.
//
// In a test it takes one line, over a socket or, with [Server.Client], without
// one and in virtual time:
//
//	endpoint := httptest.NewServer(sqsserver.New(nil))
//	client := sqs.New(sqs.Options{HTTPClient: sqsserver.New(nil).Client(), …})
//
// # Requests
//
// A request with the header X-Amz-Target is of the JSON protocol, any other of
// the Query protocol: a form in the body of a POST, or in the URL of a GET.
// Signatures are not checked. Queue URLs in answers begin with what the request was
// sent to, as the client or a proxy's X-Forwarded-Proto, -Host and -Prefix say, or
// with [Options].ExternalURL.
//
// # Regions and accounts
//
// Each account has queues of its own in each region. A request is from the region of
// its signature, in the header or in a presigned URL, or else from [Options].Region,
// and from the account that is its access key, if that is 12 digits, or else from
// [Options].Account. Queues are created, listed and found by their names there.
//
// A queue's URL leads to it whoever uses it: it has the account in its path, and the
// region in a host of the form sqs.REGION.… or else before the account, as in
// http://127.0.0.1:9324/eu-west-1/123456789012/donors. Without either it is of the
// server's own region or, if there is no such queue, of the request's, so nothing of
// this shows where only one is used. ARNs lead from one region and account to the
// other, dead letters and move tasks too.
//
// Services beside SQS, such as topics that queues subscribe to, find a queue by its
// ARN with [Server.Queue] and send to it directly.
//
// All 23 actions are there; each file that has a family of them opens with what
// it supports. An answer over 32 KiB is sent in parts as it is written, so that a
// client that does not read holds no more than a part in memory. A handler ends
// when its request does.
//
// # Faults
//
// A server does what it can. For tests of programs that must stand what a network and
// AWS do, [Options].Fault says for each request what goes wrong: it waits, is refused
// or throttled, has entries that fail, has its effect twice, or loses its connection
// before the effect, after it, or in the middle of the answer. See [Fault].
//
//	var calls atomic.Int32
//	server := sqsserver.New(&sqsserver.Options{Fault: func(c *sqsserver.Call) (f sqsserver.Fault) {
//		if c.Action == "DeleteMessageBatch" && calls.Add(1)%10 == 0 {
//			f.Drop = sqsserver.DropAfter // deleted, and nobody is told
//		}
//		return f
//	}})
//
// A function that draws from a generator with a seed makes faults at random that are
// the same again where requests come in the same order. It has no part in requests that
// the server cannot read, nor in [Server.ServeMessages].
//
// # Compared with AWS
//
// What the documentation of SQS promises, the API Reference and the Developer
// Guide, and what this package does. Where AWS itself has been recorded to do
// something else, that stands in brackets:
//
//	point                         AWS                                 here
//	error codes, both protocols   modelled errors and common ones     the same; SerializationException and
//	                                                                  UnknownOperationException for bad JSON
//	                                                                  (the latter has no text on AWS itself)
//	error texts                   not documented                      AWS's as recorded, where known; else our own
//	HTTP status of errors         400; 403, 404 for some              the same
//	x-amzn-RequestId              on every answer                     the same
//	MD5 of body and attributes    as sent, and as received            the same
//	MD5 of system attributes      as sent                             the same
//	message size                  1 MiB, and of a batch               the same
//	request size                  not documented                      at most 3.25 MiB; larger ones get the error
//	                                                                  of a message or batch that is too large;
//	                                                                  at most 10,000 parameters in a form
//	JSON nulls                    as if not there                     the same
//	JSON of another type          not documented                      SerializationException, for numbers in the
//	                                                                  place of texts too
//	message attribute names       A-Z, a-z, 0-9, _ - .                the same (AWS itself accepts other letters)
//	characters                    the set of XML 1.0; InvalidMessage- the same
//	                              Contents (in an attribute
//	                              InvalidParameterValue)
//	delay                         0 to 900 s                          the same
//	visibility timeout            0 to 12 h in all                    the same, never clamped
//	change after the timeout      MessageNotInflight (accepted, on    as recorded; so too with a receipt handle
//	                              a standard queue: a receipt handle  that a later receive has superseded, as
//	                              lives as long as its message)       clients have seen. FIFO: as documented
//	retention                     applied within 15 minutes           applied at once
//	long poll                     0 to 20 s                           the same; wakes at once
//	poll whose client has gone    not documented                      takes nothing
//	short poll                    samples hosts, may miss messages    finds what is there
//	order of a standard queue     best effort                         as messages become visible
//	delivery of a standard queue  at least once                       once for each visibility timeout
//	counts                        approximate, within a minute        exact, at once
//	in flight                     120,000; OverLimit, FIFO: none      the same
//	FIFO order and group locks    strict (what comes before the       as recorded
//	                              first message in flight is given
//	                              out again)
//	delay on a FIFO queue         the queue's only; 0 in a message    the same
//	a changed delay               FIFO: moves what waits; standard:   the same
//	                              for what is sent from then on
//	deduplication                 5 minutes, by queue or group        the same (a change of the scope has been
//	                                                                  seen to have no effect on AWS)
//	sequence number               20 digits, rising (without a long   the same, in each queue
//	                              run of zeros)
//	ReceiveRequestAttemptId       5 minutes                           the same
//	fair queues                   by share of messages in flight      by share of messages in flight
//	                              and of processing time
//	dead-letter queues            at the receive over the limit       the same; time of sending kept on
//	                                                                  standard queues
//	a queue as its own            not documented (accepted)           accepted
//	dead-letter queue
//	redrive allow policy          enforced                            the same
//	move tasks                    1 to 500 a second, 36 hours         the same rates; ends when no message
//	                                                                  is ready; cancelled at once
//	queue URLs                    as answered; a name will do (with   any whose path ends as answered; a name
//	                              a slash behind it too, as clients   will do; with a slash behind it too
//	                              have seen)
//	URL of no queue               InvalidAddress (NonExistentQueue,   as recorded
//	                              except of a bare endpoint)
//	actions at a queue's path     not CreateQueue and ListQueues      the same (by recording, in Query; in JSON
//	                                                                  the same is unproven)
//	queue names                   1 to 80 characters; InvalidParame-  the same
//	                              terValue for an empty or no name
//	tags                          50 of 128 and 256 characters, of    the same; more than 50 are refused
//	                              letters, digits, white space and
//	                              _ . : / = + - @; no key in aws:
//	CreateQueue of an existing    same attributes only (and the same  the same; without tags in the request
//	                              tags, as clients have seen)         they are not compared, which is unproven
//	name of a deleted queue       free after a minute                 the same; at once if the engine is lenient
//	PurgeQueue                    once a minute, takes a minute       the same rule; done at once
//	                              (ends deduplication)
//	paging                        NextToken, up to 1,000              the same
//	attributes set                hold within a minute                hold at once
//	SenderId                      the caller's user id                the account's id
//	policies, permissions         enforced                            kept, and not enforced
//	encryption                    SSE-SQS, SSE-KMS                    attributes kept, nothing encrypted
//	throttling                    quotas of a region                  none, unless Options.Fault says so
//	accounts and regions          many                                many, by signature; dead letters lead from
//	                                                                  one to the other, which AWS forbids
//	GET of no action              404, UnknownOperationException      the same
//	Query answers in JSON         with Accept: application/json       the same; of actions other than ListQueues,
//	                              (recorded for ListQueues)           and of errors, the form is unproven
//	X-Amzn-Trace-Id of a send     not documented (the message's       as recorded; a system attribute of that
//	                              AWSTraceHeader)                     name that is given goes before it
//	batches without failures      JSON: an empty Failed (no Failed)   as recorded
//	other lists with nothing in   not documented (no QueueUrls, Mes- left out too; of a dead-letter queue's sources
//	them                          sages and Attributes)               and of a batch that failed as a whole an empty
//	                                                                  list is sent; both, and Tags and Results, are
//	                                                                  unproven
//	HTTP/2, VPC endpoints, SOAP   some                                none
//
// Limits of the engine itself are in its own documentation.
package sqsserver
