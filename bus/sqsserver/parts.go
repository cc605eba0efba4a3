package sqsserver

import "net/http"

// An answer is written in memory and sent with its length. A long one, ten
// messages of the largest size, would take sixty times a message there, for as
// long as its client takes to read it; so of those only a part is held at a time,
// and sent before the next is written. Message bodies are not copied otherwise.

// partSize is how much of an answer, or of one text in it, is written before what
// is there is sent.
const partSize = 32 << 10

// sendPart sends the beginning of an answer, all but its last byte, by which a
// writer knows where it is. It does so only if that is enough to be worth it.
func (c *call) sendPart(buf []byte) []byte {
	if c == nil || !c.inParts || len(buf) < partSize {
		return buf
	}
	if !c.begun {
		c.begun = true
		c.w.Header()["X-Amzn-Requestid"] = []string{c.requestID}
		c.w.WriteHeader(http.StatusOK)
	}
	last := len(buf) - 1
	if _, err := c.w.Write(buf[:last]); err != nil {
		panic(http.ErrAbortHandler) // nobody reads the rest
	}
	buf[0] = buf[last]
	return buf[:1]
}

// nextPart cuts the next part off a text, between two characters.
func nextPart(s string) (part, rest string) {
	if len(s) <= partSize {
		return s, ""
	}
	end := partSize
	for end > partSize-3 && s[end]&0xC0 == 0x80 {
		end--
	}
	return s[:end], s[end:]
}

// blobPart is how many bytes become a part in base64: whole groups of three.
const blobPart = partSize / 4 * 3
