package wire

import (
	"bytes"
	"testing"
)

// FuzzMessages parses whatever comes as each message there is. What parses must encode to what was parsed, since there is
// one encoding only; a proof in an offer is the exception, because it is not kept.
func FuzzMessages(f *testing.F) {
	for _, v := range vectors {
		f.Add(Append(nil, v.message))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		payload, err := Unwrap(data)
		if err != nil {
			return
		}
		for proto, length := range map[string]uint64{BzzName: BzzLength, HiveName: HiveLength, StreamName: StreamLength} {
			for code := range length {
				m, err := parse(proto, code, payload)
				if err != nil || m == nil {
					continue
				}
				again, err := Unwrap(Append(nil, m))
				if err != nil {
					t.Fatalf("%s %d: our own encoding: %v", proto, code, err)
				}
				if _, ok := m.(OfferedHashes); ok {
					if _, err := ParseOfferedHashes(again); err != nil {
						t.Fatal(err)
					}
					continue
				}
				if !bytes.Equal(again, payload) {
					t.Fatalf("%s %d: %x parses and encodes as %x", proto, code, payload, again)
				}
			}
		}
	})
}
