// Package sqsbus is the backend for Amazon SQS, and for endpoints that speak its
// protocol, with every control of package bus. A queue's portable ends stand on a
// driver of this package, for which the SDK's client makes the requests; its messages
// are on the wire as those of the Go CDK's own driver,
// gocloud.dev/pubsub/awssnssqs, in both directions. Topics of SNS are opened by that
// driver.
//
// # URLs
//
// Importing the package registers its schemes on [omnibus/bus.DefaultMux]; a
// [Backend] of your own is registered with [Backend.Register].
//
//	awssqs://sqs.us-east-1.amazonaws.com/123456789012/donors?region=us-east-1
//	https://sqs.us-east-1.amazonaws.com/123456789012/donors
//	http://127.0.0.1:9324/000000000000/donors
//	awssns:///arn:aws:sns:us-east-1:123456789012:donations
//
// The first is the Go CDK's form; the next two are queue URLs as AWS and a local
// endpoint print them; the last is an SNS topic, to send to and for
// [omnibus/bus.Queue.SubscribeTo], which has the queue's policy let the topic send to it.
// Creating or listing queues returns URLs of the form that was asked for, and they open
// the queues from here.
//
// Requests go to the scheme and host of the URL, whatever the environment says of
// endpoints. A URL whose scheme is awssqs leaves the choice to the SDK if its host is
// the ordinary one of a region, sqs.REGION.amazonaws.com or its like in another
// partition: then fips, dualstack, AWS_USE_FIPS_ENDPOINT, AWS_ENDPOINT_URL_SQS and so
// on apply. Of any other host it takes that host, by http if it is this machine. An
// endpoint below a path is named by the parameter endpoint.
//
// The region is that of the host to which requests go, if AWS has it in any partition
// that the SDK knows, else that of the ARN, of the parameter or of the SDK's
// configuration.
//
// Where this machine is the endpoint and nothing is configured, a fixed region
// and fixed credentials are used, which a local endpoint does not check. Credentials
// that are configured and cannot be had, as those of a login that has expired, give way
// to the fixed ones there, and a line of the log says so. Anywhere else the SDK's chain
// decides: environment, files, container, instance.
//
// These parameters are ours. Durations are written as in Go and in whole seconds.
// A parameter that is unknown, out of range or without effect is an error.
//
//	visibility    visibility timeout of what is received: 0s to 12h, default the queue's own
//	wait          how long one ReceiveMessage waits: 0s to 20s, default 20s
//	endpoint      where requests go, such as http://127.0.0.1:9324
//	driver        stock: the ends are those of gocloud.dev/pubsub/awssnssqs as they
//	              come, which wait as the queue says and take no visibility; see
//	              docs/traps.md
//
// These are the Go CDK's:
//
//	waittime      the same as wait
//	raw           true, the default: bodies are as they were sent
//	snstopicarn   the topic that feeds the queue: bodies are SNS's envelopes and are opened
//	region, profile, role, anonymous, dualstack, fips, hostname_immutable,
//	request_checksum_calculation, response_checksum_validation
//	              see https://pkg.go.dev/gocloud.dev/aws#V2ConfigFromURLParams
//
// Its rate_limiter_capacity is refused: how often is retried is the promise below. So
// is its nacklazy: [omnibus/bus.Queue.GiveBack] makes a message visible when it is to
// be, and a message that is neither acknowledged nor given back comes again when its
// visibility timeout is over.
//
// # Delivery
//
// At least once. A standard queue's messages come in no order; a FIFO queue's come
// in order within their group, also after a nack.
//
// A Send returns when SQS has the message. Its context ends the wait and not the
// sending: a Send that timed out may still be sent. Sends, deletes and changes of
// visibility that come at about the same time go in one request, up to ten. A sender
// waits two milliseconds at most for others, and none at all if it is alone; a
// deletion, for which nobody waits, up to ten milliseconds on a standard queue. Each
// has its own outcome.
//
// A request is tried again for as long as AWS has faults of its own, throttles, or
// cannot be reached, until the context of the call ends. So it is when this machine's
// clock was wrong, and when credentials have expired that are renewed by who issues
// them. The log has a line when requests to a queue begin to fail twice in a row, and
// one when all are answered again, however many are under way. What no retry can help is
// returned at once, and ends the Subscription: access that is denied, a queue that does
// not exist, a request that is invalid. Controls are tried five times.
//
// A ReceiveMessage asks for one message until the consumer has shown its pace, and
// for up to ten if it takes them within a second, and within a quarter of the
// visibility timeout. One request runs at a time, and waits at the queue. While
// answers come full and the consumer takes their messages faster than they come,
// more run at the same time, up to twenty, which do not wait at the queue; there are
// never more than bring what the consumer takes within a second. What is not handed
// out yet waits here, its visibility timeout begun anew whenever half of it is over,
// and goes back to the queue when the Queue is released or shut down. A stop waits
// for answers that are about to come, so that none of their messages stays in
// flight.
//
// A message handed out is the consumer's: its visibility timeout is extended by
// [omnibus/bus.Queue.Renew] and [omnibus/bus.Queue.ChangeVisibility] only. A consumer
// that takes over a thousand messages a second is handed up to ten at a time, which
// wait in the portable Subscription. Until it asks for more, those that it has neither
// settled nor looked at with [omnibus/bus.Details] or Message.As are kept as if they
// waited here.
//
// One message can wait in the portable Subscription where nothing extends its
// timeout: one that comes when the context of the last Receive has ended. So release
// the Queue when you stop receiving.
//
// A FIFO queue's messages are asked for one at a time, so that none is received,
// and counted as received, before those ahead of it in its group are done with.
// SQS gives out one message of a group at a time then, so that several requests at
// the same time bring messages of several groups. The price is one request for each
// message, and for a queue with a single group one message a round trip. Batches
// would cost a tenth; but when a message fails, those of its group that came with it
// have been received in vain, and a dead-letter queue counts that against them.
//
// When a lease ends is reckoned from when the message arrived, and whether an
// acknowledgement was in time from when it was answered, so that the time that
// answers take does not count. Where no visibility is given, that takes one
// GetQueueAttributes before the first receive; if it is not permitted, leases are
// taken to last for 12 hours and nothing is fetched ahead. A timeout that another
// program changes on the queue afterwards is noticed when this Queue reads or sets
// attributes.
//
// A message whose MD5 is not that of its body is left in the queue, and logged.
//
// # What goes wrong with the driver as it comes
//
// Each line is a trap of the Go CDK 0.47 on SQS: what happens there, and what
// happens here. The tests show both.
//
//  1. One error after three tries, or one failed entry of a delete, ends the
//     Subscription for ever. Here it ends on what no retry can help; failed entries
//     are tried again, or counted and cleared.
//  2. A message waits, at worst for a whole long poll, while receivers are idle.
//     Here what comes goes to whoever asks.
//  3. A goroutine is left when nobody calls Receive again. Here
//     [omnibus/bus.Queue.Shutdown] leaves none; the Subscription's own Shutdown
//     alone still may.
//  4. MaxBatchByteSize makes Shutdown hang. Here it is not set; sizes are checked.
//  5. MinBatchSize makes receives spin and holds acknowledgements back. Here it is
//     not set; entries are joined in the client.
//  6. Up to 1,000 messages wait in memory until their leases are lost. Here what waits
//     keeps its lease, and it is no more than the consumer takes within a second.
//  7. Some 240 requests a minute when idle. Here three.
//  8. A nap of 250 ms after every empty answer. Here none.
//  9. Sends and deletes hardly share requests: 1.1 to 2.4 requests a message. Here
//     0.31 to 0.34.
//  10. One bad message fails ten senders, and AfterSend may get another's id. Here
//     each is checked, sent and answered by itself.
//  11. The caller's context does not reach the SDK. That cannot be helped: see
//     Delivery. A deduplication id, or an id of the application's own, tells a
//     message sent twice.
//  12. Ack tells nobody that it came too late, and panics when called twice. Here
//     late ones are counted ([omnibus/bus.Queue.LateAcks]); calling it once is left
//     to the program.
//  13. Nack takes a second. Here it is at once.
//  14. Attributes lose their types, Binary ones their values, and a percent sign is
//     decoded that nobody encoded. Here [omnibus/bus.Details] has them as they were
//     sent; the portable metadata stay as the driver makes them.
//  15. A body that looks like SNS's sets metadata. Here bodies are raw unless
//     snstopicarn names the topic.
//  16. Queue URLs are forced to https. Here they are as they are.
//  17. Most errors have the code Unknown. Here they have theirs.
//  18. No visibility timeout of a receiver's own, and no extension. Here both.
//  19. Over a fast connection an answer breaks off now and then, and its messages
//     stay in flight: the SDK closes a request's body while net/http still looks
//     for its end. Here bodies are sent from memory.
//
// # As
//
//   - Topic, Subscription: **sqs.Client; **sns.Client for a topic of SNS
//   - Message: *types.Message of service/sqs
//   - Message.BeforeSend: **types.SendMessageBatchRequestEntry of service/sqs or
//     **types.PublishBatchRequestEntry of service/sns
//   - Message.AfterSend: *types.SendMessageBatchResultEntry and
//     *types.PublishBatchResultEntry
//   - Error: *smithy.APIError, as AWS sent it; errors.Is finds its spec.Code. For a
//     topic of SNS the first in the chain has a code that the Go CDK's driver knows,
//     and the one that AWS sent follows it
//
// # Deviations
//
//   - Peek is not offered: SQS shows no message without receiving it.
//   - The counts of AWS are approximate, and the age of the oldest message is not
//     among the attributes.
//   - A dead-letter queue must exist before a queue that names it is created.
//   - Redrive of a number of messages moves them one by one, since SQS's tasks know
//     no number; a failure in between leaves a message in both queues.
//   - Bury sends to the dead-letter queue and deletes then; if the deletion fails the
//     message is in both queues. SQS does not know where a buried message came from:
//     a Redrive that names neither a queue nor a number is a task of SQS's own, and
//     leaves it where it is. With either the message moves.
//   - A lease that has been lost is not asked for: changing its visibility fails
//     with MessageNotInflight, and giving it back does nothing, without a request.
//   - Every OverLimit on a receive, 120,000 messages in flight, is waited out.
//   - A topic of SNS takes 256 KiB a message, and has no delay.
//   - Every queue declares that it can subscribe to topics: whether there is SNS beside
//     an endpoint of others shows when it is asked.
//   - A queue's policy is read and written by SubscribeTo: of two changes of it at the
//     same time, one can be lost.
package sqsbus
