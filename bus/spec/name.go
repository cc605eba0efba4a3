package spec

import (
	"strconv"
	"strings"
)

// FIFOSuffix ends the names of FIFO queues, and of no others.
const FIFOSuffix = ".fifo"

// IsFIFOName reports whether a queue of that name is a FIFO queue.
func IsFIFOName(name string) bool { return strings.HasSuffix(name, FIFOSuffix) }

// CheckQueueName reports a name that SQS would refuse: names have 1 to 80
// characters of A-Z, a-z, 0-9, hyphen and underscore. The suffix .fifo of a
// FIFO queue counts towards the 80.
func CheckQueueName(name string) error {
	base := strings.TrimSuffix(name, FIFOSuffix)
	ok := base != "" && len(name) <= 80
	for i := range len(base) {
		ok = ok && isNameByte(base[i])
	}
	if !ok {
		return Errorf(InvalidParameterValue,
			"queue name %s must have 1 to 80 characters of A-Z, a-z, 0-9, hyphen and underscore, and may end in %s", quoteShort(name), FIFOSuffix)
	}
	return nil
}

// CheckGroup reports a message group id or a deduplication id, whichever what
// names, that SQS would refuse: 1 to 128 printable ASCII characters without
// the space.
func CheckGroup(what, id string) error {
	ok := id != "" && len(id) <= 128
	for i := range len(id) {
		ok = ok && id[i] > ' ' && id[i] < 0x7f
	}
	if !ok {
		return Errorf(InvalidParameterValue, "%s %s must have 1 to 128 letters, digits and punctuation characters", what, quoteShort(id))
	}
	return nil
}

// CheckBatchEntryID reports an id of an entry of a batch that SQS would refuse:
// 1 to 80 characters of A-Z, a-z, 0-9, hyphen and underscore.
func CheckBatchEntryID(id string) error {
	ok := id != "" && len(id) <= 80
	for i := range len(id) {
		ok = ok && isNameByte(id[i])
	}
	if !ok {
		return Errorf(InvalidBatchEntryID, "batch entry id %s must have 1 to 80 characters of A-Z, a-z, 0-9, hyphen and underscore", quoteShort(id))
	}
	return nil
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
