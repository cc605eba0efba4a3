package spec

import "encoding/hex"

// ID returns 16 bytes in the form that the ids of messages and of requests have,
// that of a UUID with the version given (RFC 9562). Of the bytes, six bits make
// way for the version and the variant.
func ID(b [16]byte, version byte) string {
	var s [IDLength]byte
	PutID(s[:], b, version)
	return string(s[:])
}

// IDLength is how many characters an id has.
const IDLength = 36

// PutID writes what [ID] returns into the first [IDLength] bytes of s.
func PutID(s []byte, b [16]byte, version byte) {
	b[6] = b[6]&0x0f | version<<4
	b[8] = b[8]&0x3f | 0x80
	hex.Encode(s[0:], b[0:4])
	hex.Encode(s[9:], b[4:6])
	hex.Encode(s[14:], b[6:8])
	hex.Encode(s[19:], b[8:10])
	hex.Encode(s[24:], b[10:16])
	s[8], s[13], s[18], s[23] = '-', '-', '-', '-'
}
