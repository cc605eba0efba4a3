package main

import (
	"cmp"
	"net/http"

	"omnibus/bus/engine"
	"omnibus/bus/snsserver"
	"omnibus/bus/sqsserver"
)

// endpoint is SQS, with SNS and STS beside it on the same address.
type endpoint struct {
	*sqsserver.Server
	topics *snsserver.Server
	all    http.Handler
	base   string // what links begin with that no request asks for
}

func newEndpoint(c *config, e *engine.Engine) *endpoint {
	queues := sqsserver.New(c.options(e))
	topics := snsserver.New(&snsserver.Options{Queues: queues, Region: c.region, Account: c.account, Base: queues.Base})
	return &endpoint{queues, topics, snsserver.Beside(topics, queues), cmp.Or(c.externalURL, "http://"+c.addr)}
}

func (e *endpoint) ServeHTTP(w http.ResponseWriter, r *http.Request) { e.all.ServeHTTP(w, r) }

// Client returns a client that the endpoint answers without a socket.
func (e *endpoint) Client() *http.Client { return snsserver.Client(e.all) }

// Drain ends what waits: polls, and deliveries that are to be tried again.
func (e *endpoint) Drain() {
	e.Server.Drain()
	e.topics.Close()
}
