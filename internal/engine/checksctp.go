package engine

import (
	"context"
	"encoding/binary"
	"hash/crc32"
	"math/rand/v2"

	"golang.org/x/sys/unix"
)

// The chunks of SCTP that matter to a check (RFC 9260, section 3.2).
const (
	sctpInit    = 1
	sctpInitAck = 2
	sctpAbort   = 6
)

// The common header, and a chunk's own (RFC 9260, sections 3.1 and 3.2), in bytes.
const (
	sctpHeader      = 12
	sctpChunkHeader = 4
)

// askSCTP begins an association and aborts it: the kernel need not know SCTP. A member that answers INIT with INIT ACK is well, one
// that aborts is not.
func askSCTP(ctx context.Context, q question) error {
	w, err := q.connect(ctx, unix.SOCK_RAW, unix.IPPROTO_SCTP)
	if err != nil {
		return err
	}
	defer w.close()
	own := sctpEnd{from: uint16(32768 + rand.IntN(28232)), to: q.to.Port(), tag: 1 + rand.Uint32N(1<<32-2)}
	if err := w.send(own.init()); err != nil {
		return err
	}
	in := make([]byte, 1500)
	for {
		n, err := w.receive(in)
		if err != nil {
			return err
		}
		chunk, tag := own.read(payload(in[:n], q.to.Addr()))
		switch chunk {
		case sctpInitAck:
			_ = w.send(own.abort(tag)) // the member need not keep its half
			return nil
		case sctpAbort:
			return unix.ECONNREFUSED
		}
	}
}

// sctpEnd is our end of an association that does not come about.
type sctpEnd struct {
	from, to uint16
	tag      uint32 // what the member's packets have to carry
}

// init is the packet that asks for an association. Its own tag is 0 (RFC 9260, section 8.5.1).
func (s sctpEnd) init() []byte {
	value := make([]byte, 16)
	binary.BigEndian.PutUint32(value, s.tag)
	binary.BigEndian.PutUint32(value[4:], 65536)   // the window
	binary.BigEndian.PutUint16(value[8:], 1)       // streams out
	binary.BigEndian.PutUint16(value[10:], 1)      // streams in
	binary.BigEndian.PutUint32(value[12:], ^s.tag) // the first number of a chunk of data, if there were any
	return s.packet(0, sctpInit, value)
}

// abort is the packet that ends what an INIT ACK began; tag is the member's.
func (s sctpEnd) abort(tag uint32) []byte { return s.packet(tag, sctpAbort, nil) }

func (s sctpEnd) packet(tag uint32, chunk byte, value []byte) []byte {
	p := make([]byte, sctpHeader+sctpChunkHeader, sctpHeader+sctpChunkHeader+len(value))
	binary.BigEndian.PutUint16(p, s.from)
	binary.BigEndian.PutUint16(p[2:], s.to)
	binary.BigEndian.PutUint32(p[4:], tag)
	p[sctpHeader] = chunk
	binary.BigEndian.PutUint16(p[sctpHeader+2:], uint16(sctpChunkHeader+len(value)))
	p = append(p, value...)
	binary.LittleEndian.PutUint32(p[8:], sctpChecksum(p))
	return p
}

// sctpChecksum is the CRC32c of a packet whose own place is taken for 0 (RFC 9260, appendix A).
func sctpChecksum(packet []byte) uint32 {
	table := crc32.MakeTable(crc32.Castagnoli)
	sum := crc32.Update(0, table, packet[:8])
	sum = crc32.Update(sum, table, make([]byte, 4))
	return crc32.Update(sum, table, packet[sctpHeader:])
}

// read returns the first chunk of a packet that is meant for us, else 0, and the tag that its sender asks for.
func (s sctpEnd) read(packet []byte) (chunk byte, tag uint32) {
	if len(packet) < sctpHeader+sctpChunkHeader || binary.LittleEndian.Uint32(packet[8:]) != sctpChecksum(packet) {
		return 0, 0
	}
	if binary.BigEndian.Uint16(packet) != s.to || binary.BigEndian.Uint16(packet[2:]) != s.from || binary.BigEndian.Uint32(packet[4:]) != s.tag {
		return 0, 0
	}
	chunk = packet[sctpHeader]
	if chunk == sctpInitAck {
		if len(packet) < sctpHeader+sctpChunkHeader+16 {
			return 0, 0
		}
		tag = binary.BigEndian.Uint32(packet[sctpHeader+sctpChunkHeader:])
	}
	return chunk, tag
}
