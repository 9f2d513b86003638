package lanes

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"testing"
)

// testKey returns a secret that depends on seed.
func testKey(seed byte) (k Key) {
	for i := range k.Key {
		k.Key[i] = seed + byte(i)
	}
	for i := range k.IV {
		k.IV[i] = ^seed - byte(i)
	}
	return k
}

// ends returns both halves of one direction.
func ends(t testing.TB) (*Sealer, *Opener) {
	s, err := NewSealer(testKey(1))
	if err != nil {
		t.Fatal(err)
	}
	o, err := NewOpener(testKey(1))
	if err != nil {
		t.Fatal(err)
	}
	return s, o
}

// room returns a buffer for Seal with the given plaintext.
func room(plain []byte) []byte {
	return append(make([]byte, PrefixSize, PrefixSize+len(plain)+TagSize), plain...)
}

func TestRecordsOfAllSizesAreOpenedAsTheyWereSealed(t *testing.T) {
	s, o := ends(t)
	rng := rand.NewChaCha8([32]byte{1})
	for _, n := range []int{1, 2, 15, 16, 17, 255, 256, 4096, 40 << 10, MaxPlaintext - 1, MaxPlaintext} {
		plain := make([]byte, n)
		rng.Read(plain)
		record := s.Seal(room(plain))
		if len(record) != PrefixSize+n+TagSize || len(record) > MaxRecord {
			t.Fatalf("the record of %d bytes has %d", n, len(record))
		}
		if size, err := RecordSize(record[:PrefixSize]); size != len(record) || err != nil {
			t.Errorf("its size is read as %d, %v", size, err)
		}
		got, err := o.Open(record)
		if err != nil || !bytes.Equal(got, plain) {
			t.Errorf("%d bytes: %v", n, err)
		}
	}
}

func TestNoRecordIsEmptyOrLargerThanTheLargest(t *testing.T) {
	for _, test := range []struct {
		length, size int
	}{
		{0, 0}, {1, 0}, {16, 0}, {17, 20}, {18, 21}, {65_552, MaxRecord}, {65_553, 0}, {1<<24 - 1, 0},
	} {
		size, err := RecordSize([]byte{byte(test.length >> 16), byte(test.length >> 8), byte(test.length)})
		if size != test.size || (err == nil) != (size > 0) || err != nil && !errors.Is(err, ErrRecord) {
			t.Errorf("length %d: %d, %v", test.length, size, err)
		}
	}
}

func TestSealPanicsOnWhatIsNoRecord(t *testing.T) {
	for name, buf := range map[string][]byte{
		"no plaintext":        make([]byte, PrefixSize, 100),
		"too large":           make([]byte, PrefixSize+MaxPlaintext+1, MaxRecord+1),
		"no room for the tag": make([]byte, 10, 10+TagSize-1),
	} {
		s, _ := ends(t)
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: no panic", name)
				}
			}()
			s.Seal(buf)
		}()
	}
}

func TestARecordThatWasTouchedIsNotOpened(t *testing.T) {
	plain := []byte("nobody may change this")
	for bit := range 8 * (PrefixSize + len(plain) + TagSize) {
		s, o := ends(t)
		record := s.Seal(room(plain))
		record[bit/8] ^= 1 << (bit % 8)
		// A changed length changes how much is read: here the record stays whole, and its associated data is wrong.
		if _, err := o.Open(record); err != ErrRecord {
			t.Fatalf("bit %d: %v", bit, err)
		}
	}
}

func TestRecordsOpenInTheirOrderAndDirectionAlone(t *testing.T) {
	out, in, err := Derive(make([]byte, 32), [32]byte{})
	if err != nil {
		t.Fatal(err)
	}
	sealer := func(k Key) *Sealer { s, _ := NewSealer(k); return s }
	opener := func(k Key) *Opener { o, _ := NewOpener(k); return o }
	s := sealer(out)
	first, second := s.Seal(room([]byte("first"))), s.Seal(room([]byte("second")))
	for name, open := range map[string]func() error{
		"the second one first": func() error { _, err := opener(out).Open(bytes.Clone(second)); return err },
		"a record twice": func() error {
			o := opener(out)
			if _, err := o.Open(bytes.Clone(first)); err != nil {
				t.Fatal(err)
			}
			_, err := o.Open(bytes.Clone(first))
			return err
		},
		"a record sent back": func() error { _, err := opener(in).Open(bytes.Clone(first)); return err },
		"without its end":    func() error { _, err := opener(out).Open(bytes.Clone(first[:len(first)-1])); return err },
		"with more behind it": func() error {
			_, err := opener(out).Open(append(bytes.Clone(first), 0))
			return err
		},
	} {
		if err := open(); err != ErrRecord {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestEqualPlaintextsLookDifferentInEveryRecord(t *testing.T) {
	s, _ := ends(t)
	seen := make(map[string]int)
	for i := range 1000 {
		record := string(s.Seal(room([]byte("sixteen bytes is"))))
		if before, ok := seen[record]; ok {
			t.Fatalf("records %d and %d are the same", before, i)
		}
		seen[record] = i
	}
}

// pass seals a record and opens it.
func pass(t *testing.T, s *Sealer, o *Opener, buf []byte) {
	t.Helper()
	want := buf[PrefixSize]
	plain, err := o.Open(s.Seal(buf))
	if err != nil || len(plain) != len(buf)-PrefixSize || plain[0] != want {
		t.Fatalf("record %d: %x, %v", s.half.number, plain, err)
	}
}

func TestSecretsAreReplacedAfterExactly2To20Records(t *testing.T) {
	s, o := ends(t)
	buf := make([]byte, PrefixSize+1, PrefixSize+1+TagSize)
	old := s.half.secret
	for ratchet := range 2 {
		for range ratchetAfter {
			if s.half.secret != old {
				t.Fatalf("replaced after %d records", s.half.number)
			}
			pass(t, s, o, buf)
		}
		if s.half.secret == old || o.half.secret != s.half.secret || s.half.number != 0 || o.half.number != 0 {
			t.Fatalf("ratchet %d: sealer at %d, opener at %d", ratchet, s.half.number, o.half.number)
		}
		old = s.half.secret
	}
}

// A day at 1 GB/s in records of 40 KiB is 2.1e9 records and 2,000 ratchets. Records between the first and the last ones
// under a secret differ in nothing but their number, so most of them are passed over.
func TestADayOfRecordsPassesWithAllItsRatchets(t *testing.T) {
	const perSecond, day = 25_000, 24 * 60 * 60
	s, o := ends(t)
	secrets := make(map[Key]bool)
	buf := make([]byte, PrefixSize+9, PrefixSize+9+TagSize)
	for records := 0; records < perSecond*day; records += ratchetAfter {
		if secrets[s.half.secret] {
			t.Fatal("a secret comes a second time")
		}
		secrets[s.half.secret] = true
		for _, from := range []uint64{0, 1<<8 - 1, 1<<16 - 1, ratchetAfter/2 - 1, ratchetAfter - 2} {
			s.half.number, o.half.number = from, from
			pass(t, s, o, buf)
			pass(t, s, o, buf)
		}
	}
	if len(secrets) < 2000 {
		t.Errorf("%d secrets", len(secrets))
	}
}

func TestARatchetOnOneSideAloneIsNotOpened(t *testing.T) {
	s, o := ends(t)
	s.half.number = ratchetAfter - 1
	s.Seal(room([]byte{1}))
	if _, err := o.Open(s.Seal(room([]byte{1}))); err != ErrRecord {
		t.Errorf("opened under an old secret: %v", err)
	}
}

func TestSealingOpeningAndParsingAllocateNothing(t *testing.T) {
	s, o := ends(t)
	plain := everyFrame()
	buf := room(plain)
	var f Frame
	count := 0
	if n := testing.AllocsPerRun(1000, func() {
		copy(buf[PrefixSize:], plain)
		opened, err := o.Open(s.Seal(buf))
		if err != nil {
			t.Fatal(err)
		}
		parser := Parse(opened)
		for {
			more, err := parser.Next(&f)
			if err != nil {
				t.Fatal(err)
			}
			if !more {
				break
			}
			count++
		}
	}); n != 0 {
		t.Errorf("%v allocations per record", n)
	}
	if count == 0 {
		t.Error("nothing was parsed")
	}
	if n := testing.AllocsPerRun(1000, func() {
		p := AppendMessage(buf[:0], 1, 2, 3, Plain, 3, 3)
		p = AppendPart(p, 1, 1)
		p = AppendCredit(p, 1, 1<<40)
		p = AppendPing(p, Pong, [OpaqueSize]byte{})
		AppendDisconnect(p, 2)
	}); n != 0 {
		t.Errorf("%v allocations for the heads of frames", n)
	}
}

// FuzzOpen: nothing opens but what was sealed, and nothing panics. The input is either a record by itself, or a change to
// one that is good.
func FuzzOpen(f *testing.F) {
	s, _ := ends(f)
	f.Add(s.Seal(room([]byte("this was the first record"))), []byte(nil))
	f.Add(s.Seal(room([]byte("this was the second record"))), []byte(nil))
	f.Add(make([]byte, 20), []byte{1})
	f.Add([]byte{0, 0, 17}, []byte("plain"))
	f.Fuzz(func(t *testing.T, record, plain []byte) {
		if len(record) < PrefixSize {
			return
		}
		if size, err := RecordSize(record); err == nil && (size < PrefixSize+1+TagSize || size > MaxRecord) {
			t.Fatalf("a record of %d bytes", size)
		}
		s, o := ends(t)
		first := s.Seal(room([]byte("this was the first record")))
		if _, err := o.Open(bytes.Clone(record)); (err == nil) != bytes.Equal(record, first) {
			t.Fatalf("%x: %v", record, err)
		}
		if len(plain) == 0 || len(plain) > MaxPlaintext {
			return
		}
		s, o = ends(t)
		sealed := s.Seal(room(plain))
		changed := bytes.Clone(sealed)
		for i, b := range record {
			changed[i%len(changed)] ^= b
		}
		same := bytes.Equal(changed, sealed)
		got, err := o.Open(changed)
		if same != (err == nil) || same && !bytes.Equal(got, plain) {
			t.Fatalf("same: %v, but %v", same, err)
		}
	})
}

func BenchmarkRecord(b *testing.B) {
	for _, bench := range []struct {
		name string
		size int
	}{{"64 B", 64}, {"1 KiB", 1 << 10}, {"40 KiB", 40 << 10}} {
		b.Run(bench.name, func(b *testing.B) {
			s, o := ends(b)
			buf := room(make([]byte, bench.size))
			b.SetBytes(int64(bench.size))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := o.Open(s.Seal(buf)); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
