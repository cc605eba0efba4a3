package snsserver

import (
	"encoding/binary"
	"io"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"

	"omnibus/bus/internal/query"
	"omnibus/bus/sigv4"
	"omnibus/bus/spec"
	"omnibus/bus/topics"
)

// call is one request on its way through the server.
type call struct {
	server    *Server
	req       *http.Request
	requestID string
	account   string // of the caller
	region    string
	signed    bool // the request says both itself, unlike one by a link
	params    form
	xml       xmlWriter
}

func newCall(s *Server, r *http.Request) *call {
	var b [16]byte
	binary.NativeEndian.PutUint64(b[:8], rand.Uint64())
	binary.NativeEndian.PutUint64(b[8:], rand.Uint64())
	c := &call{server: s, req: r, requestID: spec.ID(b, 4)}
	scope, signed := sigv4.ScopeOf(r)
	c.account, c.region, c.signed = scope.Account(), scope.Region, signed
	if c.account == "" {
		c.account = s.opts.Account
	}
	if !spec.IsRegion(c.region) {
		c.region = s.opts.Region
	}
	return c
}

// maxRequestBytes is more than a full batch needs in the form in which its bytes
// take the most room that clients use: three for one.
const maxRequestBytes = 3*spec.MaxMessageBytes + spec.MaxMessageBytes/4

// body reads the body. action is the action, if the URL names it.
func (c *call) body(action string) (string, error) {
	var b strings.Builder
	n, err := io.Copy(&b, io.LimitReader(c.req.Body, maxRequestBytes+1))
	switch {
	case n > maxRequestBytes && (action == "PublishBatch" || strings.Contains(b.String(), "Action=PublishBatch&")):
		return "", spec.Errorf(topics.BatchRequestTooLong, "The length of all the messages put together is more than the limit.")
	case n > maxRequestBytes:
		return "", invalid("Message too long")
	case err != nil:
		return "", spec.Errorf(query.Malformed, "The request's body could not be read.")
	}
	return b.String(), nil
}

// A Describer is an [http.ResponseWriter] that wants to know what the request
// asks for that it answers, as one that keeps a log does. It is called once, before
// the answer: action is "" where there is none of that name, topic where an action
// is for none.
type Describer interface {
	Describe(account, region, action, topic string)
}

func (c *call) describe(w http.ResponseWriter, action string) {
	d, ok := w.(Describer)
	if !ok {
		return
	}
	topic := c.params["Name"]
	for _, parameter := range []string{"TopicArn", "TargetArn", "ResourceArn", "SubscriptionArn"} {
		if a, err := topics.ParseARN("", c.params[parameter]); err == nil {
			topic, _, _ = strings.Cut(a.Resource, ":")
		}
	}
	d.Describe(c.account, c.region, action, topic)
}

// send sends the answer.
func (c *call) send(w http.ResponseWriter, status int) {
	h := w.Header()
	h.Set("Content-Type", "text/xml")
	h.Set("X-Amzn-Requestid", c.requestID)
	h.Set("Content-Length", strconv.Itoa(c.xml.Len()))
	w.WriteHeader(status)
	_, _ = w.Write(c.xml.Bytes()) // an error is that the client has gone; there is nobody to tell
}

// base returns the address at which the client of this request reaches the
// server.
func (c *call) base() string {
	if c.server.opts.Base != nil {
		return c.server.opts.Base(c.req)
	}
	scheme := "http://"
	if c.req.TLS != nil {
		scheme = "https://"
	}
	return scheme + c.req.Host
}

// arnPrefix is what the ARNs of the caller's topics begin with.
func (c *call) arnPrefix() string { return c.arn("").String() }

func (c *call) arn(name string) topics.ARN {
	return topics.ARN{Partition: spec.Partition(c.region), Service: "sns", Region: c.region, Account: c.account, Resource: name}
}

// topicARN returns the ARN of a topic in the caller's region.
func (c *call) topicARN(parameter string) (string, error) {
	arn, given := c.params[parameter]
	if !given {
		return "", missing(strings.ToLower(parameter[:1]) + parameter[1:])
	}
	a, err := topics.ParseARN(parameter, arn)
	switch {
	case err != nil:
		return "", err
	case c.signed && a.Region != c.region:
		return "", invalid(parameter)
	}
	return arn, nil
}

// page cuts a page out of a list, behind the place that the parameter NextToken
// says, and returns the token of the next one, if there is one.
func page[E any](c *call, list []E, place func(E) string) ([]E, string, error) {
	token := c.params["NextToken"]
	if token != "" {
		decoded, err := decodeToken(token)
		last, ours := strings.CutPrefix(decoded, behind)
		if err != nil || !ours {
			return nil, "", invalid("NextToken")
		}
		i := 0
		for i < len(list) && place(list[i]) <= last {
			i++
		}
		list = list[i:]
	}
	if len(list) <= pageSize {
		return list, "", nil
	}
	list = list[:pageSize]
	return list, encodeToken(behind + place(list[pageSize-1])), nil
}

// behind begins what a NextToken says.
const behind = "behind "

// pageSize is how many topics or subscriptions are listed at a time.
const pageSize = 100
