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

// attributes returns a message's typed attributes, sorted by name.
func attributes(wire map[string]sqstypes.MessageAttributeValue) []spec.NamedAttribute {
	var attrs []spec.NamedAttribute
	for name, v := range wire {
		attrs = append(attrs, spec.NamedAttribute{Name: name, Attribute: attribute(v)})
	}
	slices.SortFunc(attrs, byName)
	return attrs
}

func attribute(v sqstypes.MessageAttributeValue) spec.Attribute {
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

func byName(a, b spec.NamedAttribute) int {
	if a.Name < b.Name {
		return -1
	}
	return 1
}

func attributesSize(wire map[string]sqstypes.MessageAttributeValue) int {
	n := 0
	for name, v := range wire {
		n += len(name) + len(aws.ToString(v.DataType)) + len(aws.ToString(v.StringValue)) + len(v.BinaryValue)
	}
	return n
}

func entrySize(e *sqstypes.SendMessageBatchRequestEntry) int {
	return len(aws.ToString(e.MessageBody)) + attributesSize(e.MessageAttributes)
}

func receivedSize(m *sqstypes.Message) int {
	return len(aws.ToString(m.Body)) + attributesSize(m.MessageAttributes)
}

// published returns the attributes of a message to a topic.
func published(wire map[string]snstypes.MessageAttributeValue) []spec.NamedAttribute {
	var attrs []spec.NamedAttribute
	for name, v := range wire {
		attrs = append(attrs, spec.NamedAttribute{Name: name, Attribute: spec.Attribute{
			DataType: aws.ToString(v.DataType), StringValue: aws.ToString(v.StringValue), BinaryValue: v.BinaryValue,
		}})
	}
	slices.SortFunc(attrs, byName)
	return attrs
}

func publishSize(e *snstypes.PublishBatchRequestEntry) int {
	return spec.MessageSize(aws.ToString(e.Message), published(e.MessageAttributes))
}

// seconds returns d for the wire, which has whole seconds.
func seconds(d time.Duration) int32 { return int32(d / time.Second) }
