package spec

import (
	"strconv"
	"strings"
)

// FIFOSuffix ends the names of FIFO queues, and of no others.
const FIFOSuffix = ".fifo"

// IsFIFOName reports whether a queue of that name is a FIFO queue.
func IsFIFOName(name string) bool { return strings.HasSuffix(name, FIFOSuffix) }

// PlainName returns the name of a queue without its scope. A backend that has
// several sets of queues may know a queue by a scoped name, SCOPE/NAME, in its
// engine and in redrive policies; no client ever sees it.
func PlainName(name string) string { return name[strings.LastIndexByte(name, '/')+1:] }

// CheckQueueName reports a name that SQS would refuse: names have 1 to 80
// characters of A-Z, a-z, 0-9, hyphen and underscore. The suffix .fifo of a
// FIFO queue counts towards the 80.
func CheckQueueName(name string) error {
	if !isNameText(strings.TrimSuffix(name, FIFOSuffix)) || len(name) > 80 {
		return badName("Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length", name)
	}
	return nil
}

// CheckQueueType reports a name that SQS would refuse for a queue of that type:
// the names of FIFO queues, and no others, end in .fifo.
func CheckQueueType(name string, fifo bool) error {
	switch {
	case fifo && (!IsFIFOName(name) || CheckQueueName(name) != nil):
		return badName("The name of a FIFO queue can only include alphanumeric characters, hyphens, or underscores, must end with .fifo suffix and be 1 to 80 in length.", name)
	case !fifo && IsFIFOName(name):
		return badName("Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length", name)
	}
	return CheckQueueName(name)
}

func badName(text, name string) *Error {
	return Errorf(InvalidParameterValue, "%s", text).detail("queue name %s; the names of FIFO queues, and no others, end in %s", quoteShort(name), FIFOSuffix)
}

// CheckGroup reports a message group id, a deduplication id or an attempt id,
// whichever parameter names, that SQS would refuse: 1 to 128 printable ASCII
// characters without the space.
func CheckGroup(parameter, id string) error {
	ok := id != "" && len(id) <= 128
	for i := range len(id) {
		ok = ok && id[i] > ' ' && id[i] < 0x7f
	}
	if !ok {
		return InvalidParameter(id, parameter, parameter+" can only include alphanumeric and punctuation characters. 1 to 128 in length.")
	}
	return nil
}

// CheckBatchEntryID reports an id of an entry of a batch that SQS would refuse:
// 1 to 80 characters of A-Z, a-z, 0-9, hyphen and underscore.
func CheckBatchEntryID(id string) error {
	if !isNameText(id) || len(id) > 80 {
		return Errorf(InvalidBatchEntryID, "A batch entry id can only contain alphanumeric characters, hyphens and underscores. It can be at most 80 letters long.").detail("id %s", quoteShort(id))
	}
	return nil
}

// isNameText reports whether s has characters of names only, and has some.
func isNameText(s string) bool {
	for i := range len(s) {
		if !isNameByte(s[i]) {
			return false
		}
	}
	return s != ""
}

func isNameByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' || c == '-'
}

// IsNumber reports whether s is a decimal number, as a Number attribute must
// be. SQS keeps 38 digits of precision; how many s has is not checked, since
// the text is passed on as it is.
func IsNumber(s string) bool {
	if strings.ContainsAny(s, "xXpP_nN") { // forms of Go's, not of SQS's: hexadecimal, 1_000, NaN, Inf
		return false
	}
	_, err := strconv.ParseFloat(s, 64)
	return err == nil || err.(*strconv.NumError).Err == strconv.ErrRange
}

// quoteShort quotes s for an error text, cut to a length that people read.
func quoteShort(s string) string {
	const most = 60
	if len(s) > most {
		return strconv.Quote(s[:most]) + "…"
	}
	return strconv.Quote(s)
}
