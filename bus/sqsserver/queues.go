package sqsserver

import (
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"

	"omnibus/bus/spec"
)

// CreateQueue, DeleteQueue, GetQueueUrl, ListQueues and PurgeQueue.
//
// Supported: creation with attributes and tags, which gives the existing queue
// when no attribute given differs; the minute for which a deleted queue's name
// is taken, and the minute between two purges, unless the engine is lenient;
// listing by prefix and in pages.
//
// Not as on AWS: there is one account, so QueueOwnerAWSAccountId must be its id;
// DeleteQueue and PurgeQueue take effect at once instead of within a minute; the
// tags of a queue that exists are added to by CreateQueue.

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
	switch {
	case !a.named:
		return spec.Errorf(spec.InvalidParameterValue, "Value for parameter QueueName is invalid. Reason: Must specify a queue name.")
	case a.name == "":
		return spec.Errorf(spec.InvalidParameterValue, "Queue name cannot be empty")
	}
	if err := checkName(a.name, a.attributes); err != nil {
		return err
	}
	if err := spec.CheckTags(a.tags); err != nil { // before there is a queue
		return err
	}
	settings, err := c.settings(a.name, a.attributes, nil)
	if err != nil {
		return err
	}
	q, err := c.server.engine.Create(a.name, settings)
	if err != nil {
		return reword(existing(err), spec.QueueDeletedRecently,
			"You must wait 60 seconds after deleting a queue before you can create another with the same name.")
	}
	a.url = c.queueURL(a.name)
	if len(a.tags) == 0 {
		return nil
	}
	return gone(q.Tag(a.tags))
}

// checkName reports a queue name that AWS would refuse, in its words, and one
// whose suffix does not fit the attribute FifoQueue.
func checkName(name string, attributes map[string]string) error {
	fifo := isTrue(attributes["FifoQueue"])
	switch {
	case fifo && (spec.CheckQueueName(name) != nil || !spec.IsFIFOName(name)):
		return spec.Errorf(spec.InvalidParameterValue, "The name of a FIFO queue can only include alphanumeric characters, hyphens, or underscores, must end with .fifo suffix and be 1 to 80 in length.")
	case !fifo && (spec.CheckQueueName(name) != nil || spec.IsFIFOName(name)):
		return spec.Errorf(spec.InvalidParameterValue, "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length")
	}
	return nil
}

// existing puts AWS's text in the place of the engine's when a queue exists with
// other attributes. The engine's text names the attribute after "exists with".
func existing(err error) error {
	if !errors.Is(err, spec.QueueNameExists) {
		return err
	}
	_, attribute, _ := strings.Cut(asSpecError(err).Message, " exists with ")
	attribute, _, _ = strings.Cut(attribute, " ")
	return spec.Errorf(spec.QueueNameExists, "A queue already exists with the same name and a different value for attribute %s", attribute)
}

func (a *createQueue) answer(w writer) { w.text("QueueUrl", a.url) }

type deleteQueue struct{ queueAction }

func (a *deleteQueue) run(c *call) error {
	q, err := c.queue(a.queueURL)
	if err != nil {
		return err
	}
	return gone(c.server.engine.Delete(q.Name()))
}

// gone puts AWS's text in the place of the engine's when a queue was deleted
// during the request.
func gone(err error) error { return reword(err, spec.QueueDoesNotExist, errNoQueue.Message) }

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
		return missing("QueueName")
	}
	if a.owner != "" && a.owner != c.server.account {
		return errNoQueue
	}
	_, err := c.queueNamed(a.name)
	a.url = c.queueURL(a.name)
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
			return invalidParameter(size, "MaxResults", fmt.Sprintf("MaxResults must be an integer between 1 and %d.", spec.MaxListResult))
		}
	}
	if p.token != "" {
		last, err := base64.RawURLEncoding.DecodeString(p.token)
		if err != nil || spec.CheckQueueName(string(last)) != nil {
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

func (a *listQueues) run(c *call) error { return a.cut(c, c.server.engine.List(a.prefix)) }

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
	return reword(gone(q.Purge()), spec.PurgeQueueInProgress,
		fmt.Sprintf("Only one PurgeQueue operation on %s is allowed every 60 seconds.", q.Name()))
}
