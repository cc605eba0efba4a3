package plainbus

import (
	"encoding/base64"
	"fmt"
	"maps"
	"slices"
	"strings"

	cdk "gocloud.dev/pubsub/driver"

	"omnibus/bus/driver"
	"omnibus/bus/spec"
)

// typesKey is the metadata key that lists the types of attributes, as
// "price=Number&photo=Binary.jpeg". Names and types have none of the two
// separators in them.
const typesKey = "omnibus.types"

// offered returns the attributes offered that the message has room for.
func offered(m *cdk.Message, o driver.SendOptions) []spec.NamedAttribute {
	if len(o.Offered) == 0 {
		return nil
	}
	all := slices.Clone(o.Attributes)
	for name, value := range m.Metadata {
		all = append(all, spec.NamedAttribute{Name: name, Attribute: spec.Attribute{DataType: "String", StringValue: value}})
	}
	return o.Fitting(string(m.Body), all, spec.MaxMessageBytes)
}

// encode adds typed attributes to metadata: the value as text, a binary one in
// base64, and the type in the list. It does not change metadata.
func encode(metadata map[string]string, attrs []spec.NamedAttribute) (map[string]string, error) {
	if err := spec.CheckAttributes(attrs); err != nil {
		return nil, err
	}
	if n := len(metadata) + len(attrs); n > spec.MaxAttributes && len(attrs) > 0 {
		names := slices.Sorted(maps.Keys(metadata))
		for _, a := range attrs {
			names = append(names, a.Name)
		}
		return nil, spec.Errorf(spec.InvalidParameterValue, "the message has %d attributes, %q; at most %d are allowed", n, names, spec.MaxAttributes)
	}
	if len(attrs) == 0 {
		return metadata, nil
	}
	out := maps.Clone(metadata)
	if out == nil {
		out = map[string]string{}
	}
	var types []string
	for _, a := range attrs {
		if _, ok := out[a.Name]; ok {
			return nil, spec.Errorf(spec.InvalidParameterValue, "the message has metadata and an attribute named %q", a.Name)
		}
		if strings.ContainsAny(a.DataType, "=&") {
			return nil, spec.Errorf(spec.InvalidParameterValue, "attribute %q has the type %q; this backend allows neither = nor & in it", a.Name, a.DataType)
		}
		out[a.Name] = a.StringValue
		if a.IsBinary() {
			out[a.Name] = base64.StdEncoding.EncodeToString(a.BinaryValue)
		}
		if a.DataType != "String" { // what has no type in the list is of that one
			types = append(types, fmt.Sprintf("%s=%s", a.Name, a.DataType))
		}
	}
	if len(types) > 0 {
		out[typesKey] = strings.Join(types, "&")
	}
	return out, nil
}

// decode reverses encode. Metadata without a type in the list is of type String.
// As on SQS, a binary attribute's key is in the metadata with an empty value.
func decode(received map[string]string) (map[string]string, map[string]spec.Attribute) {
	if len(received) == 0 {
		return nil, nil
	}
	metadata := maps.Clone(received) // mempubsub hands out the sender's own map
	delete(metadata, typesKey)
	typed := make(map[string]spec.Attribute, len(metadata))
	for name, value := range metadata {
		typed[name] = spec.Attribute{DataType: "String", StringValue: value}
	}
	for entry := range strings.SplitSeq(received[typesKey], "&") {
		name, dataType, ok := strings.Cut(entry, "=")
		value, has := metadata[name]
		if !ok || !has {
			continue
		}
		a := spec.Attribute{DataType: dataType, StringValue: value}
		if a.IsBinary() {
			if b, err := base64.StdEncoding.DecodeString(value); err == nil {
				a.StringValue, a.BinaryValue = "", b
				metadata[name] = ""
			}
		}
		typed[name] = a
	}
	return metadata, typed
}
