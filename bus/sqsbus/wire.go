package sqsbus

import (
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	snstypes "github.com/aws/aws-sdk-go-v2/service/sns/types"
	sqstypes "github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"omnibus/bus/spec"
)

// This file turns the SDK's messages into those of package spec and back.

// attributes returns a message's typed attributes, sorted by name. read reads one
// of SQS or of SNS.
func attributes[V any](wire map[string]V, read func(V) spec.Attribute) []spec.NamedAttribute {
	var attrs []spec.NamedAttribute
	for name, v := range wire {
		attrs = append(attrs, spec.NamedAttribute{Name: name, Attribute: read(v)})
	}
	slices.SortFunc(attrs, byName)
	return attrs
}

func attribute(v sqstypes.MessageAttributeValue) spec.Attribute {
	return spec.Attribute{DataType: aws.ToString(v.DataType), StringValue: aws.ToString(v.StringValue), BinaryValue: v.BinaryValue}
}

// published is [attribute] for a message to a topic.
func published(v snstypes.MessageAttributeValue) spec.Attribute {
	return spec.Attribute{DataType: aws.ToString(v.DataType), StringValue: aws.ToString(v.StringValue), BinaryValue: v.BinaryValue}
}

// toWire returns an attribute as the SDK has it. A value that is not in use is
// left out, whatever it is.
func toWire(a spec.Attribute) sqstypes.MessageAttributeValue {
	v := sqstypes.MessageAttributeValue{DataType: aws.String(a.DataType), BinaryValue: a.BinaryValue}
	if a.StringValue != "" || !a.IsBinary() {
		v.StringValue = aws.String(a.StringValue)
	}
	return v
}

// toPublish is [toWire] for a message to a topic.
func toPublish(a spec.Attribute) snstypes.MessageAttributeValue {
	w := toWire(a)
	return snstypes.MessageAttributeValue{DataType: w.DataType, StringValue: w.StringValue, BinaryValue: w.BinaryValue}
}

func byName(a, b spec.NamedAttribute) int {
	if a.Name < b.Name {
		return -1
	}
	return 1
}

// messageSize returns a message's size with its attributes, in no order.
func messageSize[V any](body *string, wire map[string]V, read func(V) spec.Attribute) int {
	n := len(aws.ToString(body))
	for name, v := range wire {
		n += spec.MessageSize("", []spec.NamedAttribute{{Name: name, Attribute: read(v)}})
	}
	return n
}

func entrySize(e *sqstypes.SendMessageBatchRequestEntry) int {
	return messageSize(e.MessageBody, e.MessageAttributes, attribute)
}

func publishSize(e *snstypes.PublishBatchRequestEntry) int {
	return messageSize(e.Message, e.MessageAttributes, published)
}

// seconds returns d for the wire, which has whole seconds.
func seconds(d time.Duration) int32 { return int32(d / time.Second) }
