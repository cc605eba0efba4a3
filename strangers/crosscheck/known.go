//go:build strangers

package main

import "regexp"

// A difference is a known one.
type difference struct {
	line *regexp.Regexp // of "CALL -> OURS | THEIRS"
	why  string
}

// known are the known differences, by endpoint. Where AWS's API reference decides,
// it decides for ours.
var known = map[string][]difference{
	"fauxqs":        {},
	"local-aws-sqs": {},
}
