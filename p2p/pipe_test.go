package p2p

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"testing/synctest"
)

// writing starts WriteMsg and returns where its outcome will be.
func writing(w MsgWriter, code uint64, payload []byte) <-chan error {
	done := make(chan error, 1)
	go func() {
		done <- w.WriteMsg(Msg{Code: code, Size: uint32(len(payload)), Payload: bytes.NewReader(payload)})
	}()
	return done
}

// settled returns the outcome of an operation once nothing moves any more, and whether there is one.
func settled(done <-chan error) (error, bool) {
	synctest.Wait()
	select {
	case err := <-done:
		return err, true
	default:
		return nil, false
	}
}

func TestPipeWriterWaitsUntilThePayloadIsConsumed(t *testing.T) {
	consume := map[string]func(*testing.T, Msg){
		"read to its size": func(t *testing.T, m Msg) {
			if _, err := io.ReadFull(m.Payload, make([]byte, 2)); err != nil {
				t.Error(err)
			}
		},
		"discarded": func(t *testing.T, m Msg) {
			if err := m.Discard(); err != nil {
				t.Error(err)
			}
		},
		"decoded": func(t *testing.T, m Msg) {
			var v []uint
			if err := m.Decode(&v); err != nil || len(v) != 1 || v[0] != 7 {
				t.Errorf("%v, %v", v, err)
			}
		},
	}
	for name, consume := range consume {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a, b := MsgPipe()
				defer a.Close()
				done := writing(a, 5, []byte{0xc1, 0x07})
				if _, over := settled(done); over {
					t.Fatal("WriteMsg returned before anybody read")
				}
				msg, err := b.ReadMsg()
				if err != nil || msg.Code != 5 || msg.Size != 2 {
					t.Fatalf("read %v, %v", msg, err)
				}
				if _, over := settled(done); over {
					t.Fatal("WriteMsg returned before the payload was consumed")
				}
				consume(t, msg)
				if err, over := settled(done); !over || err != nil {
					t.Fatalf("returned %v, %v", over, err)
				}
			})
		})
	}
}

func TestPipeWriterOfAnEmptyMessageWaitsForTheReadOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := MsgPipe()
		defer a.Close()
		done := writing(a, 1, nil)
		if _, over := settled(done); over {
			t.Fatal("WriteMsg returned before anybody read")
		}
		if _, err := b.ReadMsg(); err != nil {
			t.Fatal(err)
		}
		if err, over := settled(done); !over || err != nil {
			t.Fatalf("returned %v, %v", over, err)
		}
	})
}

func TestPipeWriterReturnsWhenThePayloadFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := MsgPipe()
		defer a.Close()
		done := make(chan error, 1)
		go func() { done <- a.WriteMsg(Msg{Size: 10, Payload: bytes.NewReader([]byte{1})}) }()
		msg, _ := b.ReadMsg()
		if got, err := io.ReadAll(msg.Payload); len(got) != 1 || err != nil {
			t.Errorf("read %x, %v", got, err)
		}
		if err, over := settled(done); !over || err != nil {
			t.Fatalf("returned %v, %v", over, err)
		}
	})
}

func TestPipeReaderSeesSizeBytesAndNoMore(t *testing.T) {
	for name, msg := range map[string]struct {
		size    uint32
		payload io.Reader
		want    string
	}{
		"no payload":            {0, nil, ""},
		"an empty payload":      {0, strings.NewReader(""), ""},
		"more than no bytes":    {0, strings.NewReader("abc"), ""},
		"the whole payload":     {3, strings.NewReader("abc"), "abc"},
		"more than Size":        {3, strings.NewReader("abcdef"), "abc"},
		"more, byte after byte": {3, iotest.OneByteReader(strings.NewReader("abcdef")), "abc"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a, b := MsgPipe()
				defer a.Close()
				done := make(chan error, 1)
				go func() { done <- a.WriteMsg(Msg{Code: 1, Size: msg.size, Payload: msg.payload}) }()
				m, err := b.ReadMsg()
				if err != nil || m.Size != msg.size {
					t.Fatalf("read %v, %v", m, err)
				}
				got, err := io.ReadAll(m.Payload)
				if string(got) != msg.want || err != nil {
					t.Errorf("payload %q, %v; want %q", got, err, msg.want)
				}
				if err, over := settled(done); !over || err != nil {
					t.Errorf("WriteMsg returned %v, %v", over, err)
				}
				if err := m.Discard(); err != nil {
					t.Errorf("discarding the rest: %v", err)
				}
				var v []uint
				if err := m.Decode(&v); err == nil {
					t.Errorf("nothing was decoded as %v", v)
				}
			})
		})
	}
}

func TestPipeRefusesASizeWithoutAPayload(t *testing.T) {
	a, _ := MsgPipe()
	defer a.Close()
	err := a.WriteMsg(Msg{Code: 7, Size: 3})
	if err == nil || err.Error() != "message 7 has a size of 3 bytes but a nil Payload" {
		t.Errorf("error %v", err)
	}
}

func TestPipeIsFullDuplex(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := MsgPipe()
		defer a.Close()
		fromA, fromB := writing(a, 1, []byte{0xc0}), writing(b, 2, []byte{0xc0})
		for end, code := range map[*MsgPipeRW]uint64{a: 2, b: 1} {
			if err := ExpectMsg(end, code, []uint{}); err != nil {
				t.Error(err)
			}
		}
		for _, done := range []<-chan error{fromA, fromB} {
			if err, over := settled(done); !over || err != nil {
				t.Errorf("returned %v, %v", over, err)
			}
		}
	})
}

func TestClosingEitherEndOfAPipeEndsBoth(t *testing.T) {
	for name, pick := range map[string]func(a, b *MsgPipeRW) *MsgPipeRW{
		"the reader's end": func(_, b *MsgPipeRW) *MsgPipeRW { return b },
		"the writer's end": func(a, _ *MsgPipeRW) *MsgPipeRW { return a },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a, b := MsgPipe()
				write := writing(a, 1, []byte{0xc0})
				read := make(chan error, 1)
				go func() { _, err := a.ReadMsg(); read <- err }()
				if _, over := settled(read); over {
					t.Fatal("ReadMsg returned although nobody wrote")
				}
				if err := pick(a, b).Close(); err != nil {
					t.Fatal(err)
				}
				for what, done := range map[string]<-chan error{"ReadMsg": read, "WriteMsg": write} {
					if err, over := settled(done); !over || err != ErrPipeClosed {
						t.Errorf("pending %s: returned %v, %v", what, over, err)
					}
				}
				for _, end := range []*MsgPipeRW{a, b} {
					if _, err := end.ReadMsg(); err != ErrPipeClosed {
						t.Errorf("later ReadMsg: %v", err)
					}
					if err := Send(end, 1, []uint{}); err != ErrPipeClosed {
						t.Errorf("later WriteMsg: %v", err)
					}
					if err := end.Close(); err != nil {
						t.Errorf("second Close: %v", err)
					}
				}
			})
		})
	}
}

func TestClosingAPipeLetsAWriterWhosePayloadIsBeingConsumedGo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := MsgPipe()
		done := writing(a, 1, []byte{1, 2, 3, 4})
		msg, err := b.ReadMsg()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(msg.Payload, make([]byte, 2)); err != nil {
			t.Fatal(err)
		}
		if _, over := settled(done); over {
			t.Fatal("WriteMsg returned with half of the payload consumed")
		}
		b.Close()
		if err, over := settled(done); !over || err != nil {
			t.Fatalf("returned %v, %v; want true, <nil>", over, err)
		}
	})
}

func TestPipeCarriesManyWritersAndReaders(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const writers, each = 4, 100
		a, b := MsgPipe()
		results := make(chan error, writers)
		for w := range writers {
			go func() {
				var err error
				for range each {
					err = errors.Join(err, SendItems(a, uint64(w), uint(w)))
				}
				results <- err
			}()
		}
		counts := make(chan int, 2)
		for range 2 {
			go func() {
				n := 0
				for {
					msg, err := b.ReadMsg()
					if err != nil {
						break
					}
					var v []uint64
					if err := msg.Decode(&v); err != nil || len(v) != 1 || v[0] != msg.Code {
						t.Errorf("%v: %v, %v", msg, v, err)
					}
					n++
				}
				counts <- n
			}()
		}
		for range writers {
			if err := <-results; err != nil {
				t.Error(err)
			}
		}
		a.Close()
		if n := <-counts + <-counts; n != writers*each {
			t.Errorf("%d messages of %d arrived", n, writers*each)
		}
	})
}
