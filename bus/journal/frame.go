package journal

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
)

// A segment is a file that begins with a head:
//
//	16 bytes  "omnibus journal\n"
//	 4        version of the format
//	 4        1 if it goes on where the segment before it ends, 0 if it begins anew
//	 8        number of the segment
//	 4        CRC-32C of the above
//
// Frames follow, each of them:
//
//	4 bytes  "frm\n"
//	4        length of the content
//	4        CRC-32C of the length, the next field and the content
//	8        how much of the segment was on the disk for sure when this was written
//	         content
//
// All numbers are little-endian. A frame that is cut short, or was written in another
// order than its neighbours, shows by its CRC. Whether it had ever been on the disk,
// so that somebody relies on it, shows by the next good frame. The salt keeps content
// that looks like frames from being taken for some.
const (
	// Version is that of the format.
	Version = 1

	headMagic  = "omnibus journal\n"
	headSize   = len(headMagic) + 4 + 4 + 8 + 4 + 4
	frameMagic = "frm\n"

	// FrameHead is the room for its head that a frame begins with.
	FrameHead = 4 + 4 + 4 + 8

	// MaxFrame is how long the content of a frame can be. It bounds what a damaged length
	// can have a reader allocate.
	MaxFrame = 1 << 30
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// head is what the head of a segment says.
type head struct {
	number uint64
	goesOn bool
	salt   uint32
}

func (h head) bytes() []byte {
	b := make([]byte, 0, headSize)
	b = append(b, headMagic...)
	b = binary.LittleEndian.AppendUint32(b, Version)
	b = binary.LittleEndian.AppendUint32(b, map[bool]uint32{true: 1}[h.goesOn])
	b = binary.LittleEndian.AppendUint64(b, h.number)
	b = binary.LittleEndian.AppendUint32(b, h.salt)
	return binary.LittleEndian.AppendUint32(b, crc32.Checksum(b, castagnoli))
}

// errTorn is the error of a head or a frame that is not whole.
var errTorn = errors.New("not whole")

// parseHead reads the head of the segment with that number.
func parseHead(b []byte, number uint64) (head, error) {
	if len(b) < headSize {
		return head{}, errTorn
	}
	body := b[:headSize-4]
	if crc32.Checksum(body, castagnoli) != binary.LittleEndian.Uint32(b[headSize-4:]) {
		return head{}, errTorn
	}
	rest := body[len(headMagic):]
	if v := binary.LittleEndian.Uint32(rest); v != Version {
		return head{}, fmt.Errorf("its format is version %d, and this program reads version %d; take the program that wrote it, or another directory", v, Version)
	}
	h := head{binary.LittleEndian.Uint64(rest[8:]), binary.LittleEndian.Uint32(rest[4:]) == 1, binary.LittleEndian.Uint32(rest[16:])}
	if h.number != number {
		return head{}, fmt.Errorf("it says that it is segment %d; give it back the name that it had", h.number)
	}
	return h, nil
}

// putFrameHead writes the head of a frame whose content follows its room.
func putFrameHead(frame []byte, salt uint32, synced int64) {
	copy(frame, frameMagic)
	binary.LittleEndian.PutUint32(frame[4:], uint32(len(frame)-FrameHead))
	binary.LittleEndian.PutUint64(frame[12:], uint64(synced))
	binary.LittleEndian.PutUint32(frame[8:], frameSum(frame, salt))
}

func frameSum(frame []byte, salt uint32) uint32 {
	return crc32.Update(crc32.Update(salt, castagnoli, frame[4:8]), castagnoli, frame[12:])
}

// frames reads the frames of a segment one by one.
type frames struct {
	r      io.Reader
	salt   uint32
	offset int64 // of the next frame
	buf    []byte
}

// next returns the content of the next frame, which is valid until the next call:
// io.EOF at the end, and errTorn for what is no frame.
func (f *frames) next() ([]byte, error) {
	var head [FrameHead]byte
	switch n, err := io.ReadFull(f.r, head[:]); {
	case n == 0 && err == io.EOF:
		return nil, io.EOF
	case err == io.ErrUnexpectedEOF:
		return nil, errTorn
	case err != nil:
		return nil, err
	}
	length := int64(binary.LittleEndian.Uint32(head[4:]))
	if string(head[:4]) != frameMagic || length > MaxFrame {
		return nil, errTorn
	}
	if int64(cap(f.buf)) < FrameHead+length {
		f.buf = make([]byte, FrameHead+length+length/4)
	}
	frame := f.buf[:FrameHead+length]
	copy(frame, head[:])
	switch _, err := io.ReadFull(f.r, frame[FrameHead:]); {
	case err == io.EOF || err == io.ErrUnexpectedEOF:
		return nil, errTorn
	case err != nil:
		return nil, err
	}
	if frameSum(frame, f.salt) != binary.LittleEndian.Uint32(head[8:]) {
		return nil, errTorn
	}
	f.offset += int64(len(frame))
	return frame[FrameHead:], nil
}

// reliedOn reports whether a whole frame in rest, which is a segment from offset on,
// says that the segment was on the disk beyond offset.
func reliedOn(rest []byte, salt uint32, offset int64) bool {
	for {
		i := bytes.Index(rest, []byte(frameMagic))
		if i < 0 || len(rest)-i < FrameHead {
			return false
		}
		rest = rest[i:]
		length := int64(binary.LittleEndian.Uint32(rest[4:]))
		if end := FrameHead + length; end <= int64(len(rest)) {
			frame := rest[:end]
			if int64(binary.LittleEndian.Uint64(frame[12:])) > offset && frameSum(frame, salt) == binary.LittleEndian.Uint32(frame[8:]) {
				return true
			}
		}
		rest = rest[1:]
	}
}
