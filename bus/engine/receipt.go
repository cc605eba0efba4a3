package engine

import (
	"encoding/base64"
	"encoding/binary"
	"time"

	"omnibus/bus/spec"
)

// receipt is what a receipt handle says: which queue, which message, which of its
// deliveries, and for how long that hid the message.
type receipt struct {
	queue      uint64
	message    uint64 // its seq
	delivery   int32
	visibility time.Duration
}

const (
	receiptBytes = 8 + 8 + 4 + 8
	receiptText  = (receiptBytes*8 + 5) / 6 // of base64
)

var strictBase64 = base64.RawURLEncoding.Strict()

// String returns the receipt handle: opaque to its holder, and short.
func (r receipt) String() string {
	var text [receiptText]byte
	r.put(text[:])
	return string(text[:])
}

func (r receipt) put(text []byte) {
	var b [receiptBytes]byte
	binary.BigEndian.PutUint64(b[0:], r.queue)
	binary.BigEndian.PutUint64(b[8:], r.message)
	binary.BigEndian.PutUint32(b[16:], uint32(r.delivery))
	binary.BigEndian.PutUint64(b[20:], uint64(r.visibility))
	base64.RawURLEncoding.Encode(text, b[:])
}

// parseReceipt reads a receipt handle of the queue with the number queue.
func parseReceipt(handle string, queue uint64) (receipt, error) {
	var b [receiptBytes]byte
	var text [receiptText]byte
	if len(handle) == receiptText {
		copy(text[:], handle)
		// Fewer bytes come of line breaks, which Decode passes over.
		if n, err := strictBase64.Decode(b[:], text[:]); err == nil && n == receiptBytes {
			r := receipt{
				queue:      binary.BigEndian.Uint64(b[0:]),
				message:    binary.BigEndian.Uint64(b[8:]),
				delivery:   int32(binary.BigEndian.Uint32(b[16:])),
				visibility: time.Duration(binary.BigEndian.Uint64(b[20:])),
			}
			if r.queue == queue {
				return r, nil
			}
		}
	}
	return receipt{}, spec.BadReceipt(handle)
}

// messageID returns the id of the n-th message of an engine: a UUID (RFC 9562,
// version 8) of the engine's random seed and the message's number, so that
// messages need not store theirs.
func messageID(seed, n uint64) string {
	return spec.ID(messageNumber(seed, n), 8)
}

func messageNumber(seed, n uint64) (b [16]byte) {
	binary.BigEndian.PutUint64(b[0:], seed)
	binary.BigEndian.PutUint64(b[8:], n)
	return b
}

// names returns a message's id and a receipt handle, which share their memory.
func names(seed, n uint64, r receipt) (id, handle string) {
	var text [spec.IDLength + receiptText]byte
	spec.PutID(text[:], messageNumber(seed, n), 8)
	r.put(text[spec.IDLength:])
	both := string(text[:])
	return both[:spec.IDLength], both[spec.IDLength:]
}
