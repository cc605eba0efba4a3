package claimcheck

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
)

// A reference says where a body is.
type reference struct{ bucket, key string }

// The names of the classes that the extended clients for Java write references of.
const (
	class       = "software.amazon.payloadoffloading.PayloadS3Pointer"
	legacyClass = "com.amazon.sqs.javamessaging.MessageS3Pointer"
)

// pointer is a reference's object on the wire.
type pointer struct {
	Bucket string `json:"s3BucketName"`
	Key    string `json:"s3Key"`
}

// text returns a reference as it travels.
func (r reference) text(legacy bool) []byte {
	name := class
	if legacy {
		name = legacyClass
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	_ = e.Encode([]any{name, pointer{r.bucket, r.key}}) // text alone
	return bytes.TrimSpace(b.Bytes())
}

// parse reads a reference. What class it names does not matter.
func parse(body []byte) (reference, error) {
	var parts []json.RawMessage
	if err := json.Unmarshal(body, &parts); err != nil {
		return reference{}, err
	}
	if len(parts) != 2 {
		return reference{}, fmt.Errorf("it is an array of %d, not of a class and an object", len(parts))
	}
	var name string
	var p pointer
	if err := errors.Join(json.Unmarshal(parts[0], &name), json.Unmarshal(parts[1], &p)); err != nil {
		return reference{}, err
	}
	if p.Bucket == "" || p.Key == "" {
		return reference{}, errors.New("it lacks s3BucketName or s3Key")
	}
	return reference{p.Bucket, p.Key}, nil
}
