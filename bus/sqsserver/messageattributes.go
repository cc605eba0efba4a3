package sqsserver

import (
	"cmp"
	"crypto/md5"
	"encoding/binary"
	"slices"
	"strings"

	"omnibus/bus/spec"
)

// md5OfBody returns the MD5 of a body, without an allocation for one of at most
// 1 KiB.
func md5OfBody(body string) [md5.Size]byte {
	var buf [1 << 10]byte
	return md5.Sum(append(buf[:0], body...))
}

// md5OfAttributes returns the MD5 of attributes that are sorted by name, by which
// clients check them
// (https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-message-metadata.html#sqs-attributes-md5-message-digest-calculation).
func md5OfAttributes(attrs []spec.NamedAttribute) [md5.Size]byte {
	buf := make([]byte, 0, 512)
	for i := range attrs {
		a := &attrs[i]
		buf = appendCounted(buf, a.Name)
		buf = appendCounted(buf, a.DataType)
		if a.IsBinary() {
			buf = append(buf, 2)
			buf = binary.BigEndian.AppendUint32(buf, uint32(len(a.BinaryValue)))
			buf = append(buf, a.BinaryValue...)
		} else {
			buf = append(buf, 1)
			buf = appendCounted(buf, a.StringValue)
		}
	}
	return md5.Sum(buf)
}

func appendCounted(buf []byte, s string) []byte {
	return append(binary.BigEndian.AppendUint32(buf, uint32(len(s))), s...)
}

// messageAttributes reads attributes, sorted by name. Two of one name stay, to
// be refused.
func (r *jsonReader) messageAttributes() []spec.NamedAttribute {
	var attrs []spec.NamedAttribute
	r.object(func(name []byte) {
		a := spec.NamedAttribute{Name: string(name)}
		r.object(func(name []byte) {
			switch string(name) {
			case "DataType":
				a.DataType = r.dataType()
			case "StringValue":
				a.StringValue = r.text()
			case "BinaryValue":
				a.BinaryValue = r.blob()
			case "StringListValues", "BinaryListValues":
				if len(r.texts()) > 0 && r.err == nil {
					r.err = spec.Errorf(spec.InvalidParameterValue, "Message attribute list values in SendMessage operation are not supported.")
				}
			default:
				r.skip()
			}
		})
		attrs = append(attrs, a)
	})
	slices.SortFunc(attrs, func(a, b spec.NamedAttribute) int { return cmp.Compare(a.Name, b.Name) })
	return attrs
}

// dataType reads a data type, without a copy of those that almost all have.
func (r *jsonReader) dataType() string {
	if !r.begins('"', "a String") {
		return ""
	}
	switch t := r.quoted(); string(t) {
	case "String":
		return "String"
	case "Number":
		return "Number"
	case "Binary":
		return "Binary"
	default:
		return string(t)
	}
}

// traceHeaderName is the one system attribute that a sender can give.
const traceHeaderName = "AWSTraceHeader"

// traceHeader reads the system attributes of a message that is sent, and returns
// the trace header, if it is among them.
func (r *jsonReader) traceHeader() string {
	attrs := r.messageAttributes()
	header := ""
	for _, a := range attrs {
		header = a.StringValue
		var err error
		switch {
		case a.Name != traceHeaderName:
			err = spec.Errorf(spec.InvalidParameterValue, "Message system attribute name '%.80s' is invalid.", a.Name)
		case a.DataType != "String":
			err = spec.Errorf(spec.InvalidParameterValue, "The type of message system attribute 'AWSTraceHeader' must be String.")
		default:
			err = spec.CheckAttributes(attrs)
		}
		if err != nil && r.err == nil {
			r.err = err
		}
	}
	return header
}

// selectAttributes returns those of a message's attributes that a receive asks
// for: by name, by a prefix as in "bar.*", or with All.
func selectAttributes(attrs []spec.NamedAttribute, names []string) []spec.NamedAttribute {
	if len(names) == 0 || len(attrs) == 0 {
		return nil
	}
	if names[0] == "All" || names[0] == ".*" {
		return attrs
	}
	var out []spec.NamedAttribute
	for _, a := range attrs {
		if slices.ContainsFunc(names, func(name string) bool { return selects(name, a.Name) }) {
			out = append(out, a)
		}
	}
	return out
}

func selects(selector, name string) bool {
	switch selector {
	case name, "All", "*":
		return true
	}
	prefix, ok := strings.CutSuffix(selector, ".*")
	return ok && strings.HasPrefix(name, prefix)
}

// writeAttributes writes attributes with their MD5.
func writeAttributes(w writer, attrs []spec.NamedAttribute) {
	if len(attrs) == 0 {
		return
	}
	w.digest("MD5OfMessageAttributes", md5OfAttributes(attrs))
	w.beginMap("MessageAttributes")
	for i := range attrs {
		a := &attrs[i]
		w.beginEntry("MessageAttribute", "Name", a.Name)
		if a.IsBinary() {
			w.blob("BinaryValue", a.BinaryValue)
		} else {
			w.text("StringValue", a.StringValue)
		}
		w.text("DataType", a.DataType)
		w.endEntry("MessageAttribute")
	}
	w.endMap()
}
