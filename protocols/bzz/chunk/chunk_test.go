package chunk

import (
	"bytes"
	"encoding/hex"
	"errors"
	"testing"
)

// pattern is the content of the fact sheet's vectors: byte i is i mod 255.
func pattern(n int) []byte {
	p := make([]byte, n)
	for i := range p {
		p[i] = byte(i % 255)
	}
	return p
}

// vectors are from section 7 of the fact sheet: whole files that are one chunk.
var vectors = []struct {
	name    string
	payload []byte
	address string
}{
	{"hello world", []byte("hello world"), "92672a471f4419b255d7cb0cf313474a6f5856fb347c5ece85fb706d644b630f"},
	{"foo", []byte("foo"), "2387e8e7d8a48c2a9339c97c1dc3461a9a7aa07e994c5cb8b38fd7c1b3e6ea48"},
	{"one zero", []byte{0}, "fe60ba40b87599ddfb9e8947c1c872a4a1a5b56f7d1b80f0a646005b38db52a5"},
	{"31 bytes", pattern(31), "ece86edb20669cc60d142789d464d57bdf5e33cb789d443f608cbd81cfa5697d"},
	{"32 bytes", pattern(32), "0be77f0bb7abc9cd0abed640ee29849a3072ccfd1020019fe03658c38f087e02"},
	{"33 bytes", pattern(33), "3463b46d4f9d5bfcbf9a23224d635e51896c1daef7d225b86679db17c5fd868e"},
	{"64 bytes", pattern(64), "490072cc55b8ad381335ff882ac51303cc069cbcb8d8d3f7aa152d9c617829fe"},
	{"65 bytes", pattern(65), "541552bae05e9a63a6cb561f69edf36ffe073e441667dbf7a0e9a3864bb744ea"},
	{"4095 bytes", pattern(4095), "eca8bbd38ce5d9af8f11f4428b2b4720c4c7c445759d000eb307bd3f19e8672c"},
	{"4096 bytes", pattern(4096), "c10090961e7682a10890c334d759a28426647141213abda93b096b892824d2ef"},
}

func TestAddressesAreThoseOfTheFactSheet(t *testing.T) {
	for _, tt := range vectors {
		t.Run(tt.name, func(t *testing.T) {
			c, err := New(uint64(len(tt.payload)), tt.payload)
			if err != nil {
				t.Fatal(err)
			}
			if c.Address().String() != tt.address {
				t.Fatalf("address %v, want %s", c.Address(), tt.address)
			}
			if !bytes.Equal(c.Payload(), tt.payload) || c.Span() != uint64(len(tt.payload)) || !c.Valid() {
				t.Fatalf("the chunk is not what it was made of: span %d, %d bytes", c.Span(), len(c.Payload()))
			}
		})
	}
}

func TestAnIntermediateChunkHasTheAddressOfTheFactSheet(t *testing.T) {
	data, err := hex.DecodeString("0110000000000000" +
		"c10090961e7682a10890c334d759a28426647141213abda93b096b892824d2ef" +
		"f2eab32ab81fb9f7885ccf69da7c38011977c3325c92f9bad1f6437621f4b765")
	if err != nil {
		t.Fatal(err)
	}
	c, err := FromData(data)
	if err != nil {
		t.Fatal(err)
	}
	if want := "df49978d2da34a98ca14fdf5393a71bb4930357ef05adb2541d35fb1345106e4"; c.Address().String() != want {
		t.Fatalf("address %v, want %s", c.Address(), want)
	}
	if c.Span() != 4097 {
		t.Fatalf("span %d, want 4097", c.Span())
	}
}

func TestRootsBeforeTheSpanAreThoseOfTheFactSheet(t *testing.T) {
	tests := []struct {
		name    string
		payload []byte
		root    string
	}{
		{"hello world", []byte("hello world"), "16043601ca4b598c08344a13d40019dfe94a109e9e38a2995352d6e3a5ebd7b5"},
		{"4096 bytes", pattern(4096), "d4965ba33a1b9f5dec885dd92e3e93c8c3b06769ac7f7862ca0548095d8c6697"},
		{"nothing", nil, "ffd70157e48063fc33c97a050f7f640233bf646cc98d9524c6b92bcf3ab56f83"},
		{"4096 zeros", make([]byte, 4096), "ffd70157e48063fc33c97a050f7f640233bf646cc98d9524c6b92bcf3ab56f83"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if root := new(Hasher).Root(tt.payload); hex.EncodeToString(root[:]) != tt.root {
				t.Fatalf("root %x, want %s", root, tt.root)
			}
		})
	}
}

func TestRootsOfZerosAreThoseOfTheFactSheet(t *testing.T) {
	for level, want := range []string{
		"0000000000000000000000000000000000000000000000000000000000000000",
		"ad3228b676f7d3cd4284a5443f17f1962b36e491b30a40b2405849e597ba5fb5",
		"b4c11951957c6f8f642c4af61cd6b24640fec6dc7fc607ee8206a99e92410d30",
		"21ddb9a356815c3fac1026b6dec5df3124afbadb485c9ba5a3e3398a04b7ba85",
		"e58769b32a1beaf1ea27375a44095a0d1fb664ce2dd358e7fcbfb78c26a19344",
		"0eb01ebfc9ed27500cd4dfc979272d1f0913cc9f66540d7e8005811109e1cf2d",
		"887c22bd8750d34016ac3c66b5ff102dacdd73f6b014e710b51e8022af9a1968",
	} {
		if got := hex.EncodeToString(zeroRoots[level][:]); got != want {
			t.Errorf("level %d: %s, want %s", level, got, want)
		}
	}
}

func TestAShortPayloadHasTheRootOfItsZeroExtension(t *testing.T) {
	var h Hasher
	for n := 0; n <= MaxPayload; n++ {
		if n > 200 && n%61 != 0 && n < MaxPayload-70 {
			continue
		}
		padded := make([]byte, MaxPayload)
		copy(padded, pattern(n))
		if got, want := h.Root(pattern(n)), h.Root(padded); got != want {
			t.Fatalf("%d bytes: root %x, padded with zeros %x", n, got, want)
		}
	}
}

func TestAWarmHasherDoesNotAllocate(t *testing.T) {
	var h Hasher
	data := pattern(MaxDataSize)
	if n := testing.AllocsPerRun(20, func() { h.HashData(data); h.HashData(data[:MinDataSize]) }); n != 0 {
		t.Fatalf("%v allocations, want none", n)
	}
}

func TestLengthsThatNoChunkHasAreRefused(t *testing.T) {
	for _, n := range []int{0, 1, SpanSize, MaxDataSize + 1, 1 << 20} {
		data := make([]byte, n)
		if _, err := FromData(data); !errors.Is(err, ErrInvalid) {
			t.Errorf("FromData of %d bytes: %v", n, err)
		}
		if _, err := Trusted(Address{}, data); !errors.Is(err, ErrInvalid) {
			t.Errorf("Trusted of %d bytes: %v", n, err)
		}
		if _, err := Verify(Address{}, data); !errors.Is(err, ErrInvalid) {
			t.Errorf("Verify of %d bytes: %v", n, err)
		}
	}
	for _, n := range []int{0, MaxPayload + 1} {
		if _, err := New(1, make([]byte, n)); !errors.Is(err, ErrInvalid) {
			t.Errorf("New with a payload of %d bytes: %v", n, err)
		}
	}
}

func TestAChunkUnderAnotherAddressIsRefused(t *testing.T) {
	c, err := New(3, []byte("foo"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Verify(c.Address(), c.Data()); err != nil {
		t.Fatal(err)
	}
	wrong := c.Address()
	wrong[31] ^= 1
	if _, err := Verify(wrong, c.Data()); !errors.Is(err, ErrInvalid) {
		t.Fatalf("another address: %v", err)
	}
	if forged, err := Trusted(wrong, c.Data()); err != nil || forged.Valid() {
		t.Fatalf("a chunk with the address of another is valid (%v)", err)
	}
}

func TestNewCopiesThePayload(t *testing.T) {
	payload := []byte("foo")
	c, err := New(3, payload)
	if err != nil {
		t.Fatal(err)
	}
	payload[0] = 'b'
	if !c.Valid() {
		t.Fatal("the chunk changed with the slice it was made of")
	}
}

func TestTheZeroChunkIsNoChunk(t *testing.T) {
	var c Chunk
	if !c.IsZero() || c.Valid() || c.Span() != 0 || c.Payload() != nil {
		t.Fatalf("the zero chunk has something: %+v", c)
	}
}

func FuzzVerifyAcceptsWhatFromDataMade(f *testing.F) {
	for _, v := range vectors {
		f.Add(append([]byte{byte(len(v.payload)), byte(len(v.payload) >> 8), 0, 0, 0, 0, 0, 0}, v.payload...))
	}
	f.Add([]byte{})
	f.Add(make([]byte, MaxDataSize+1))
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := FromData(data)
		if err != nil {
			if len(data) >= MinDataSize && len(data) <= MaxDataSize {
				t.Fatalf("%d bytes refused: %v", len(data), err)
			}
			return
		}
		if _, err := Verify(c.Address(), bytes.Clone(data)); err != nil {
			t.Fatal(err)
		}
		changed := bytes.Clone(data)
		changed[len(changed)-1] ^= 1
		if _, err := Verify(c.Address(), changed); err == nil {
			t.Fatal("changed data has the same address")
		}
	})
}

func BenchmarkHash4096(b *testing.B) {
	var h Hasher
	data := pattern(MaxDataSize)
	b.SetBytes(MaxPayload)
	for b.Loop() {
		h.HashData(data)
	}
}

func BenchmarkHashShort(b *testing.B) {
	var h Hasher
	data := pattern(SpanSize + 40)
	for b.Loop() {
		h.HashData(data)
	}
}
