package sqsserver

import (
	"encoding/base64"
	"fmt"
	"slices"
	"strconv"

	"omnibus/bus/spec"
)

// CreateQueue, DeleteQueue, GetQueueUrl, ListQueues and PurgeQueue.
//
// Supported: creation with attributes and tags, which gives the existing queue
// when no attribute given differs; the minute for which a deleted queue's name
// is taken, and the minute between two purges, unless the engine is lenient;
// listing by prefix and in pages.
//
// Not as on AWS: nobody needs a permission for the queues of another account;
// DeleteQueue and PurgeQueue take effect at once instead of within a minute.

// queueAction is the part of all actions that name a queue.
type queueAction struct{ queueURL string }

func (a *queueAction) member(name []byte, r *jsonReader) {
	if string(name) == "QueueUrl" {
		a.queueURL = r.text()
		return
	}
	r.skip()
}

type createQueue struct {
	name       string
	named      bool // a name was given, if an empty one
	attributes map[string]string
	tags       map[string]string
	url        string
}

func (a *createQueue) member(name []byte, r *jsonReader) {
	switch string(name) {
	case "QueueName":
		a.name, a.named = r.given()
	case "Attributes":
		a.attributes = r.textMap()
	case "tags", "Tags":
		a.tags = r.textMap()
	default:
		r.skip()
	}
}

func (a *createQueue) run(c *call) error {
	c.queueName = a.name
	switch {
	case !a.named:
		return spec.Errorf(spec.InvalidParameterValue, "Value for parameter QueueName is invalid. Reason: Must specify a queue name.")
	case a.name == "":
		return spec.Errorf(spec.InvalidParameterValue, "Queue name cannot be empty")
	}
	if err := spec.CheckQueueType(a.name, isTrue(a.attributes["FifoQueue"])); err != nil {
		return err
	}
	settings, err := spec.ParseQueueSettings(a.name, a.attributes, c.server)
	if err != nil {
		return err
	}
	if _, err := c.server.engine.CreateTagged(c.server.scoped(c.place, a.name), settings, a.tags); err != nil {
		return ofPolicy(err, a.attributes)
	}
	a.url = c.queueURL(c.server.scoped(c.place, a.name))
	return nil
}

func isTrue(value string) bool { return value == "true" || value == "TRUE" || value == "True" }

func (a *createQueue) answer(w writer) { w.text("QueueUrl", a.url) }

type deleteQueue struct{ queueAction }

func (a *deleteQueue) run(c *call) error {
	q, err := c.queue(a.queueURL)
	if err != nil {
		return err
	}
	return c.server.engine.Delete(q.Name())
}

type getQueueURL struct {
	name, owner string
	url         string
}

func (a *getQueueURL) member(name []byte, r *jsonReader) {
	switch string(name) {
	case "QueueName":
		a.name = r.text()
	case "QueueOwnerAWSAccountId":
		a.owner = r.text()
	default:
		r.skip()
	}
}

func (a *getQueueURL) run(c *call) error {
	if a.name == "" {
		return spec.Missing("QueueName")
	}
	p := c.place
	if a.owner != "" {
		p.account = a.owner
	}
	q, err := c.queueNamed(p, a.name)
	if err == nil {
		a.url = c.queueURL(q.Name())
	}
	return err
}

func (a *getQueueURL) answer(w writer) { w.text("QueueUrl", a.url) }

// page is the part of the actions that list queues in pages.
type page struct {
	max   *int
	token string
	urls  []string
	next  string
}

func (p *page) member(name []byte, r *jsonReader) bool {
	switch string(name) {
	case "MaxResults":
		p.max = r.number()
	case "NextToken":
		p.token = r.text()
	default:
		return false
	}
	return true
}

// cut takes the page out of all names, which are sorted. A token is the last
// name of the page before, so a page is right whatever was created or deleted
// since. Without MaxResults there is one page, of a thousand at most.
func (p *page) cut(c *call, names []string) error {
	size := spec.MaxListResult
	if p.max != nil {
		if size = *p.max; size < 1 || size > spec.MaxListResult {
			return spec.InvalidParameter(strconv.Itoa(size), "MaxResults", fmt.Sprintf("MaxResults must be an integer between 1 and %d.", spec.MaxListResult))
		}
	}
	if p.token != "" {
		last, err := base64.RawURLEncoding.DecodeString(p.token)
		if _, name := c.server.placed(string(last)); err != nil || spec.CheckQueueName(name) != nil {
			return spec.Errorf(spec.InvalidParameterValue, "Invalid or expired next token.")
		}
		i, found := slices.BinarySearch(names, string(last))
		if found {
			i++
		}
		names = names[i:]
	}
	if len(names) > size {
		names = names[:size]
		if p.max != nil {
			p.next = base64.RawURLEncoding.EncodeToString([]byte(names[size-1]))
		}
	}
	for _, name := range names {
		p.urls = append(p.urls, c.queueURL(name))
	}
	return nil
}

func (p *page) write(w writer, list string) {
	w.beginList(list)
	for _, u := range p.urls {
		w.textItem("QueueUrl", u)
	}
	w.endList()
	if p.next != "" {
		w.text("NextToken", p.next)
	}
}

type listQueues struct {
	page
	prefix string
}

func (a *listQueues) member(name []byte, r *jsonReader) {
	switch {
	case string(name) == "QueueNamePrefix":
		a.prefix = r.text()
	case !a.page.member(name, r):
		r.skip()
	}
}

func (a *listQueues) run(c *call) error { return a.cut(c, c.server.list(c.place, a.prefix)) }

func (a *listQueues) answer(w writer) {
	if len(a.urls) > 0 {
		a.write(w, "QueueUrls")
	}
}

type purgeQueue struct{ queueAction }

func (a *purgeQueue) run(c *call) error {
	q, err := c.queue(a.queueURL)
	if err != nil {
		return err
	}
	return q.Purge()
}
