// Package snsserver is Amazon SNS on one machine: an [http.Handler] that speaks
// its protocol, Query with XML answers of version 2010-03-31, over the topics of
// package [omnibus/bus/topics]. What is published goes to the queues of an SQS
// endpoint in the same process. It also answers GetCallerIdentity of STS, with
// which many tools begin.
//
// [Beside] joins it with that SQS endpoint on one address. In a test that takes
// three lines, over a socket or, with [Client], without one and in virtual time:
//
//	queues := sqsserver.New(nil)
//	topics := snsserver.New(&snsserver.Options{Queues: queues})
//	client := sns.New(sns.Options{HTTPClient: snsserver.Client(snsserver.Beside(topics, queues)), …})
//
// # Requests
//
// Parameters are a form in the body of a POST, in the URL, or both. Signatures
// are not checked; the region is the one in the signature's scope, the account is
// the access key, if that has twelve digits. Each pair of them has topics of its
// own. An ARN of another region is refused, one of another account is not. A
// request that is not signed, as by a link, may name topics of all regions.
//
// Each file that has a family of actions opens with what it supports.
//
// # Compared with AWS
//
// What the documentation of SNS promises, the API Reference and the Developer
// Guide, what AWS itself has been recorded to do where that is known (R), and what
// this package does.
//
//	point                         AWS                                 here
//	error codes and texts         R, for most                         the same; else our own
//	protocol                      Query                               the same
//	topic names                   1 to 256 characters (R)             the same
//	CreateTopic of an existing    same or fewer attributes and        the same
//	                              tags (R)
//	attributes                    as set, and what follows (R)        the same; a value "" removes one
//	lists                         100 a page (R), in no order         100 a page; topics by ARN, subscriptions
//	                                                                  as they were made
//	subscriptions of queues       confirmed at once for the queue's   the same
//	                              own account; need not exist (R)
//	of endpoints over HTTP        confirmed by token or link, which   the same, on loopback addresses; on others
//	                              lives two days                      they stay pending
//	of other protocols            by their own ways (sms, lambda:     they stay pending and get nothing
//	                              confirmed at once, R)
//	filter policies               within 15 minutes                   at once
//	filter limits                 5 keys, 150 combinations (R),       the same
//	                              256 KiB, 200 a topic
//	anything-but on an array      any element that is none of them,   any element
//	                              or no element that is one: the
//	                              documentation has had both
//	special characters in         " and \ in attributes are escaped   once
//	filters                       twice
//	subject                       under 100 characters on one line    at most 100 on one line, the text of R's
//	                                                                  empty subject
//	message size                  256 KiB (R), 1 MiB by attribute     the same
//	batches                       what R refuses as a whole           the same; other entries fail alone
//	envelope                      members and their order (R)         the same
//	signature                     SHA1, SHA256; none on FIFO (R)      the same, by a key of this process, whose
//	                                                                  certificate is at its SigningCertURL
//	message structure json        attributes are not sent             they are sent, so that nothing is lost
//	more than 10 attributes, raw  a client error                      the same; the dead letter has the envelope
//	                                                                  which has room for them
//	FIFO topics                   group required, 5 minutes of        the same
//	                              deduplication, ids to FIFO
//	                              queues only (R)
//	deliveries to queues          asynchronous, retried for 23 days   before Publish answers; a queue that fails
//	                                                                  is a client error
//	deliveries over HTTP          4xx final, others by the delivery   the same; backoff is always linear, the
//	                              policy                              throttle policy is kept
//	unsubscribe links             GET, without a signature (R)        the same
//	policies, permissions         enforced                            kept, and not enforced; queues need none
//	                                                                  for SNS
//	encryption, archives, tracing attributes with an effect           attributes kept
//	mobile push, text messages,   there                               not there
//	data protection policies
//	STS                           all                                 GetCallerIdentity; the caller is the
//	                                                                  account's root
package snsserver
