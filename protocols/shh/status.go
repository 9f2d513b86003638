package shh

import (
	"errors"
	"fmt"
	"math"

	"github.com/ethereum/go-ethereum/rlp"
)

// The protocol, and the codes of its messages.
const (
	// ProtocolName, ProtocolVersion and ProtocolLength are what nodes agree on in Hello.
	ProtocolName    = "shh"
	ProtocolVersion = 6
	ProtocolLength  = 128

	statusCode   = 0   // [version, minimum of proof of work, bloom filter, light]
	messagesCode = 1   // [envelope, ...]
	workCode     = 2   // minimum of proof of work: the bits of a float64 as an integer
	bloomCode    = 3   // bloom filter: 64 bytes
	requestCode  = 126 // an envelope for a mail server; ignored, as this node is none
	directCode   = 127 // an envelope from a trusted peer, not to be relayed
)

var errStatus = errors.New("malformed status")

// status is what nodes tell each other first.
type status struct {
	minWork float64
	bloom   Bloom
	light   bool
}

// encodeStatus returns a status. A node that wants every topic says so with an empty filter, as go-ethereum does.
func encodeStatus(s status) []byte {
	buf := rlp.NewEncoderBuffer(nil)
	defer buf.Flush()
	list := buf.List()
	buf.WriteUint64(ProtocolVersion)
	buf.WriteUint64(math.Float64bits(s.minWork))
	if s.bloom.Full() {
		buf.WriteBytes(nil)
	} else {
		buf.WriteBytes(s.bloom[:])
	}
	buf.WriteBool(s.light)
	buf.ListEnd(list)
	return buf.ToBytes()
}

// decodeStatus reads a status. Only the version has to be there; items beyond those we know are ignored.
func decodeStatus(payload []byte) (status, error) {
	s := status{bloom: FullBloom()}
	content, rest, err := rlp.SplitList(payload)
	if err == nil && len(rest) > 0 {
		err = fmt.Errorf("%d bytes after its end", len(rest))
	}
	if err != nil {
		return s, fmt.Errorf("%w: %w", errStatus, err)
	}
	version, content, err := rlp.SplitUint64(content)
	if err != nil {
		return s, fmt.Errorf("%w: version: %w", errStatus, err)
	}
	if version != ProtocolVersion {
		return s, fmt.Errorf("%w: version %d, want %d", errStatus, version, ProtocolVersion)
	}
	for _, item := range []func([]byte) ([]byte, error){s.readWork, s.readBloom, s.readLight} {
		if len(content) == 0 {
			return s, nil
		}
		if content, err = item(content); err != nil {
			return s, fmt.Errorf("%w: %w", errStatus, err)
		}
	}
	if _, err := rlp.CountValues(content); err != nil {
		return s, fmt.Errorf("%w: %w", errStatus, err)
	}
	return s, nil
}

func (s *status) readWork(b []byte) (rest []byte, err error) {
	bits, rest, err := rlp.SplitUint64(b)
	if err != nil {
		return nil, fmt.Errorf("proof of work: %w", err)
	}
	s.minWork, err = workFromBits(bits)
	return rest, err
}

func (s *status) readBloom(b []byte) (rest []byte, err error) {
	filter, rest, err := rlp.SplitString(b)
	if err != nil {
		return nil, fmt.Errorf("bloom filter: %w", err)
	}
	if len(filter) > 0 {
		s.bloom, err = bloomFromBytes(filter)
	}
	return rest, err
}

func (s *status) readLight(b []byte) (rest []byte, err error) {
	flag, rest, err := rlp.SplitUint64(b)
	if err == nil && flag > 1 {
		err = fmt.Errorf("%d is no boolean", flag)
	}
	if err != nil {
		return nil, fmt.Errorf("light: %w", err)
	}
	s.light = flag == 1
	return rest, nil
}

func workFromBits(bits uint64) (float64, error) {
	work := math.Float64frombits(bits)
	return work, checkMinWork(work)
}

func checkMinWork(work float64) error {
	if math.IsNaN(work) || math.IsInf(work, 0) || work < 0 {
		return fmt.Errorf("a minimum of %v for proof of work", work)
	}
	return nil
}

func bloomFromBytes(b []byte) (Bloom, error) {
	if len(b) != BloomSize {
		return Bloom{}, fmt.Errorf("a bloom filter of %d bytes, want %d", len(b), BloomSize)
	}
	return Bloom(b), nil
}

func encodeWork(work float64) []byte { return rlp.AppendUint64(nil, math.Float64bits(work)) }

func decodeWork(payload []byte) (float64, error) {
	bits, rest, err := rlp.SplitUint64(payload)
	if err == nil && len(rest) > 0 {
		err = fmt.Errorf("%d bytes after its end", len(rest))
	}
	if err != nil {
		return 0, fmt.Errorf("malformed minimum of proof of work: %w", err)
	}
	return workFromBits(bits)
}

func encodeBloom(b Bloom) []byte { return append(appendHead(nil, 0x80, BloomSize), b[:]...) }

func decodeBloom(payload []byte) (Bloom, error) {
	filter, rest, err := rlp.SplitString(payload)
	if err == nil && len(rest) > 0 {
		err = fmt.Errorf("%d bytes after its end", len(rest))
	}
	if err != nil {
		return Bloom{}, fmt.Errorf("malformed bloom filter: %w", err)
	}
	return bloomFromBytes(filter)
}
