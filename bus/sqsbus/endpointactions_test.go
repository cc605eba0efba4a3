package sqsbus

import (
	"context"
	"errors"
	"maps"
	"strconv"
	"time"

	"omnibus/bus/engine"
	"omnibus/bus/spec"
)

// request has the members of all requests.
type request struct {
	wireMessage
	QueueUrl, QueueName, QueueNamePrefix  string
	SourceArn, DestinationArn             string
	ReceiptHandle                         string
	MaxNumberOfMessages                   int
	VisibilityTimeout, WaitTimeSeconds    *int
	Attributes, Tags                      map[string]string
	TagKeys                               []string
	Entries                               []wireEntry
	ReceiveRequestAttemptId               string
	MessageAttributeNames, AttributeNames []string
}

type wireMessage struct {
	MessageBody                            string
	DelaySeconds                           *int
	MessageAttributes                      map[string]wireAttribute
	MessageGroupId, MessageDeduplicationId string
}

type wireEntry struct {
	wireMessage
	Id, ReceiptHandle string
	VisibilityTimeout int
}

type wireAttribute struct {
	DataType    string
	StringValue string `json:",omitempty"`
	BinaryValue []byte `json:",omitempty"`
}

type object = map[string]any

// serve answers a call from the engine.
func (e *endpoint) serve(ctx context.Context, c *call) (any, error) {
	switch c.action {
	case "CreateQueue", "GetQueueUrl", "ListQueues", "ListMessageMoveTasks", "StartMessageMoveTask", "CancelMessageMoveTask":
		return e.serveAccount(c)
	}
	q, err := e.queue(c.in.QueueUrl)
	if err != nil {
		return nil, err
	}
	switch c.action {
	case "SendMessage":
		return e.send(q, &c.in.wireMessage)
	case "ReceiveMessage":
		return e.receive(ctx, q, &c.in)
	case "DeleteMessage":
		_, err := q.Delete(c.in.ReceiptHandle)
		return object{}, err
	case "ChangeMessageVisibility":
		return object{}, q.ChangeVisibility(c.in.ReceiptHandle, time.Duration(*c.in.VisibilityTimeout)*time.Second)
	case "SendMessageBatch", "DeleteMessageBatch", "ChangeMessageVisibilityBatch":
		return e.batch(c, q)
	case "GetQueueAttributes":
		return e.attributesOf(q)
	case "SetQueueAttributes":
		s, err := settingsOf(q.Name(), c.in.Attributes)
		if err != nil {
			return nil, err
		}
		return object{}, q.SetAttributes(s)
	case "PurgeQueue":
		return object{}, q.Purge()
	case "DeleteQueue":
		return object{}, e.engine.Delete(q.Name())
	case "ListDeadLetterSourceQueues":
		urls := []string{}
		for _, name := range e.engine.DeadLetterSources(q.Name()) {
			urls = append(urls, queueURL(name))
		}
		return object{"queueUrls": urls}, nil
	}
	return e.serveTags(c)
}

func (e *endpoint) serveTags(c *call) (any, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	switch c.action {
	case "TagQueue":
		e.tags = c.in.Tags
		return object{}, nil
	case "UntagQueue":
		for _, key := range c.in.TagKeys {
			delete(e.tags, key)
		}
		return object{}, nil
	case "ListQueueTags":
		return object{"Tags": e.tags}, nil
	}
	return nil, spec.Errorf("InvalidAction", "no action %s here", c.action)
}

func (e *endpoint) serveAccount(c *call) (any, error) {
	switch c.action {
	case "CreateQueue":
		s, err := settingsOf(c.in.QueueName, c.in.Attributes)
		if err == nil {
			_, err = e.engine.Create(c.in.QueueName, s)
		}
		return object{"QueueUrl": queueURL(c.in.QueueName)}, err
	case "GetQueueUrl":
		_, err := e.engine.Queue(c.in.QueueName)
		return object{"QueueUrl": queueURL(c.in.QueueName)}, err
	case "ListQueues":
		urls := []string{}
		for _, name := range e.engine.List(c.in.QueueNamePrefix) {
			urls = append(urls, queueURL(name))
		}
		return object{"QueueUrls": urls}, nil
	}
	var moved any
	e.set(func() {
		if e.move != nil {
			moved = e.move(c.action)
		}
	})
	if moved != nil {
		return moved, nil
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	switch c.action {
	case "StartMessageMoveTask":
		q, err := e.queue(c.in.SourceArn)
		if err != nil {
			return nil, err
		}
		moved, err := q.Redrive(arnName(c.in.DestinationArn), 1_000_000)
		e.moved = int64(moved)
		return object{"TaskHandle": "task"}, err
	case "CancelMessageMoveTask":
		return object{"ApproximateNumberOfMessagesMoved": e.moved}, nil
	}
	return object{"Results": []object{{"Status": "COMPLETED", "ApproximateNumberOfMessagesMoved": e.moved}}}, nil
}

func (e *endpoint) send(q *engine.Queue, m *wireMessage) (object, error) {
	in := engine.Message{Body: m.MessageBody, Group: m.MessageGroupId, Deduplication: m.MessageDeduplicationId}
	for name, a := range m.MessageAttributes {
		in.Attributes = append(in.Attributes, spec.NamedAttribute{Name: name, Attribute: spec.Attribute(a)})
	}
	if m.DelaySeconds != nil {
		in.Delay = new(time.Duration(*m.DelaySeconds) * time.Second)
	}
	sent, err := q.Send(in)
	return object{"MessageId": sent.ID, "MD5OfMessageBody": sum(e.passOn(m.MessageBody)), "SequenceNumber": sent.SequenceNumber}, err
}

func (e *endpoint) receive(ctx context.Context, q *engine.Queue, in *request) (any, error) {
	r := engine.ReceiveRequest{Max: in.MaxNumberOfMessages}
	if in.VisibilityTimeout != nil {
		r.Visibility = new(time.Duration(*in.VisibilityTimeout) * time.Second)
	}
	if in.WaitTimeSeconds != nil {
		r.Wait = new(time.Duration(*in.WaitTimeSeconds) * time.Second)
	}
	ds, err := q.Receive(ctx, r)
	ms := []object{}
	for _, d := range ds {
		system := map[string]string{
			"SentTimestamp":                    millis(d.Sent),
			"ApproximateFirstReceiveTimestamp": millis(d.FirstReceived),
			"ApproximateReceiveCount":          strconv.Itoa(d.ReceiveCount),
		}
		for name, value := range map[string]string{
			"MessageGroupId": d.Group, "MessageDeduplicationId": d.Deduplication, "SequenceNumber": d.SequenceNumber,
		} {
			if value != "" {
				system[name] = value
			}
		}
		if d.DeadLetterSource != "" {
			system["DeadLetterQueueSourceArn"] = queueARN(d.DeadLetterSource)
		}
		attrs := map[string]wireAttribute{}
		for _, a := range d.Attributes {
			attrs[a.Name] = wireAttribute(a.Attribute)
		}
		ms = append(ms, object{
			"MessageId": d.ID, "ReceiptHandle": d.ReceiptHandle, "Body": e.passOn(d.Body), "MD5OfBody": sum(d.Body),
			"Attributes": system, "MessageAttributes": attrs,
		})
	}
	return object{"Messages": ms}, err
}

// passOn returns a body as it arrives.
func (e *endpoint) passOn(body string) string {
	e.set(func() {
		if e.damage != nil && e.damage(body) {
			body += "?"
		}
	})
	return body
}

// batch serves the entries of a batch one by one.
func (e *endpoint) batch(c *call, q *engine.Queue) (any, error) {
	successful, failed := []object{}, []object{}
	for _, in := range c.in.Entries {
		out := object{}
		var err error
		e.set(func() {
			if e.entry != nil {
				if code := e.entry(c, in.MessageBody+in.ReceiptHandle); code != "" {
					err = &spec.Error{Code: spec.Code(code), Message: "as the test says"}
				}
			}
		})
		switch {
		case err != nil:
		case c.action == "SendMessageBatch":
			out, err = e.send(q, &in.wireMessage)
		case c.action == "DeleteMessageBatch":
			_, err = q.Delete(in.ReceiptHandle)
		default:
			err = q.ChangeVisibility(in.ReceiptHandle, time.Duration(in.VisibilityTimeout)*time.Second)
		}
		var refused *spec.Error
		if errors.As(err, &refused) {
			if refused.Code != unmentioned {
				own := refused.Code == "InternalError" || refused.Code == somethingNew
				failed = append(failed, object{"Id": in.Id, "Code": refused.Code, "Message": refused.Message, "SenderFault": !own})
			}
			continue
		}
		out["Id"] = in.Id
		successful = append([]object{out}, successful...) // in another order, as SQS may
	}
	return object{"Successful": successful, "Failed": failed}, nil
}

func (e *endpoint) attributesOf(q *engine.Queue) (any, error) {
	a, err := q.Attributes()
	if err != nil {
		return nil, err
	}
	wire := a.Wire(beside(queueARN("")))
	wire[spec.QueueArn] = queueARN(q.Name())
	maps.Copy(wire, e.odd)
	return object{"Attributes": wire}, nil
}

func settingsOf(queue string, attrs map[string]string) (spec.QueueSettings, error) {
	return spec.ParseQueueSettings(queue, attrs, beside(queueARN("")))
}
