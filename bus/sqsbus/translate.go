package sqsbus

import (
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	snstypes "github.com/aws/aws-sdk-go-v2/service/sns/types"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"omnibus/bus/driver"
	"omnibus/bus/spec"
)

func init() { driver.RegisterTranslator(translator{}) }

// A translator reads and writes what package bus says of messages on the As types
// of the stock driver, whoever opened it.
type translator struct{}

// SetSendOptions checks what SQS would refuse of the options alone.
func (translator) SetSendOptions(as func(any) bool, o driver.SendOptions) (bool, error) {
	var entry *types.SendMessageBatchRequestEntry
	var publish *snstypes.PublishBatchRequestEntry
	switch {
	case as(&entry):
		return true, stoodIn(setEntry(entry, o))
	case as(&publish):
		return true, stoodIn(setPublish(publish, o))
	}
	return false, nil
}

func setEntry(e *types.SendMessageBatchRequestEntry, o driver.SendOptions) error {
	if o.Delay != nil {
		if err := errors.Join(spec.CheckDelay(*o.Delay), spec.CheckWholeSeconds("DelaySeconds", *o.Delay)); err != nil {
			return err
		}
		e.DelaySeconds = orZero(seconds(*o.Delay))
	}
	setID(&e.MessageGroupId, o.Group)
	setID(&e.MessageDeduplicationId, o.Deduplication)
	if o.TraceHeader != "" {
		e.MessageSystemAttributes = map[string]types.MessageSystemAttributeValue{
			string(types.MessageSystemAttributeNameForSendsAWSTraceHeader): {DataType: aws.String("String"), StringValue: &o.TraceHeader},
		}
	}
	if err := setAttributes(&e.MessageAttributes, o.Attributes, toWire); err != nil {
		return err
	}
	return setAttributes(&e.MessageAttributes, fitting(o, e.MessageBody, e.MessageAttributes, attribute, spec.MaxMessageBytes), toWire)
}

// fitting returns the attributes offered that a message has room for.
func fitting[V any](o driver.SendOptions, body *string, wire map[string]V, read func(V) spec.Attribute, maxBytes int) []spec.NamedAttribute {
	if len(o.Offered) == 0 {
		return nil
	}
	return o.Fitting(aws.ToString(body), attributes(wire, read), maxBytes)
}

func setPublish(e *snstypes.PublishBatchRequestEntry, o driver.SendOptions) error {
	if o.Delay != nil {
		return fmt.Errorf("sqsbus: SNS has no delay; give the queue behind the topic one: control %q: %w", driver.ControlDelay, errors.ErrUnsupported)
	}
	setID(&e.MessageGroupId, o.Group)
	setID(&e.MessageDeduplicationId, o.Deduplication)
	if err := setAttributes(&e.MessageAttributes, o.Attributes, toPublish); err != nil {
		return err
	}
	return setAttributes(&e.MessageAttributes, fitting(o, e.Message, e.MessageAttributes, published, snsMessageBytes), toPublish)
}

func setAttributes[V any](to *map[string]V, attrs []spec.NamedAttribute, write func(spec.Attribute) V) error {
	for _, a := range attrs {
		if _, twice := (*to)[a.Name]; twice {
			return spec.Errorf(spec.InvalidParameterValue, "the message has two attributes named %q", a.Name)
		}
		if *to == nil {
			*to = map[string]V{}
		}
		(*to)[a.Name] = write(a.Attribute)
	}
	return nil
}

func setID(to **string, id string) {
	if id != "" {
		*to = aws.String(id)
	}
}

func (translator) Sent(as func(any) bool) (driver.Sent, bool) {
	var entry types.SendMessageBatchResultEntry
	var publish snstypes.PublishBatchResultEntry
	switch {
	case as(&entry):
		return driver.Sent{ID: aws.ToString(entry.MessageId), SequenceNumber: aws.ToString(entry.SequenceNumber)}, true
	case as(&publish):
		return driver.Sent{ID: aws.ToString(publish.MessageId), SequenceNumber: aws.ToString(publish.SequenceNumber)}, true
	}
	return driver.Sent{}, false
}

// base64Key is the attribute with which the stock driver marks a body that is not
// text.
const base64Key = "base64encoded"

// Details reads a message that was received. When its lease ends is known if [stock]
// has received it.
func (translator) Details(as func(any) bool) (driver.Details, bool) {
	var m types.Message
	if !as(&m) {
		return driver.Details{}, false
	}
	d := details(&m)
	for name, v := range m.MessageAttributes {
		if name == base64Key {
			continue
		}
		if d.Attributes == nil {
			d.Attributes = map[string]spec.Attribute{}
		}
		d.Attributes[name] = attribute(v)
	}
	if end := milliseconds(m.Attributes[leaseEnd]); time.Now().Before(end) {
		d.VisibleAt = end
	}
	return d, true
}
