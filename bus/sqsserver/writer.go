package sqsserver

import "crypto/md5"

// writer writes an answer in one of the two protocols. An answer is a structure
// of named texts, numbers and booleans, of lists, and of maps from texts. Where
// the protocols name a thing differently, the JSON name comes first.
//
//	JSON                                  Query
//	"QueueUrl":"…"                        <QueueUrl>…</QueueUrl>
//	"Messages":[{…},{…}]                  <Message>…</Message><Message>…</Message>
//	"Attributes":{"DelaySeconds":"5"}     <Attribute><Name>DelaySeconds</Name><Value>5</Value></Attribute>
type writer interface {
	text(name, value string)
	number(name string, n int64)
	boolean(name string, b bool)
	blob(name string, b []byte)
	digest(name string, sum [md5.Size]byte) // in hexadecimal

	// A list of structures or of texts.
	beginList(name string)
	beginItem(element string)
	endItem(element string)
	textItem(element, value string)
	endList()

	// A map to texts or to structures. key is what Query calls a key: Name or
	// Key.
	beginMap(name string)
	textEntry(element, key, name, value string)
	beginEntry(element, key, name string)
	endEntry(element string)
	endMap()
}
