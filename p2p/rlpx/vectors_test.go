package rlpx

import (
	"bytes"
	"fmt"
	"testing"
)

func TestPublishedAuthPacketsAreUnderstood(t *testing.T) {
	v := vectors(t)
	staticA, ephemeralA := newTestIdentity(t, toKey(t, v["static-key-a"])), newTestIdentity(t, toKey(t, v["ephemeral-key-a"]))
	b := newTestIdentity(t, toKey(t, v["static-key-b"]))
	for _, name := range []string{"auth1", "auth2", "auth3"} {
		c := NewConn(says(v[name]), nil)
		c.AcceptLegacy(name == "auth1")
		auth, err := c.readAuth(b)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if auth.static.x.Cmp(staticA.public.x) != 0 || auth.static.y.Cmp(staticA.public.y) != 0 {
			t.Errorf("%s: wrong static key", name)
		}
		if auth.ephemeral.x.Cmp(ephemeralA.public.x) != 0 || auth.ephemeral.y.Cmp(ephemeralA.public.y) != 0 {
			t.Errorf("%s: wrong ephemeral key", name)
		}
		if !bytes.Equal(auth.nonce[:], v["nonce-a"]) {
			t.Errorf("%s: wrong nonce", name)
		}
		if !bytes.Equal(auth.packet, v[name]) || auth.plain != (name == "auth1") {
			t.Errorf("%s: packet %x, plain %t", name, auth.packet, auth.plain)
		}
	}
}

func TestPublishedSignatureAndOursRecoverToTheEphemeralKey(t *testing.T) {
	v := vectors(t)
	shared := (*secret)(v["static-key-a"]).shared(newTestIdentity(t, toKey(t, v["static-key-b"])).public)
	if !bytes.Equal(shared[:], v["static-shared"]) {
		t.Fatalf("static shared secret %x, want %x", shared, v["static-shared"])
	}
	hash := xor(shared, [32]byte(v["nonce-a"]))
	ours, err := (*secret)(v["ephemeral-key-a"]).sign(hash)
	if err != nil {
		t.Fatal(err)
	}
	want := newTestIdentity(t, toKey(t, v["ephemeral-key-a"])).public
	for name, signature := range map[string][]byte{"published": v["signature"], "our own": ours} {
		if p, ok := recoverSigner(hash, [signatureSize]byte(signature)); !ok || p.x.Cmp(want.x) != 0 || p.y.Cmp(want.y) != 0 {
			t.Errorf("%s signature recovers to %v, %t", name, p, ok)
		}
	}
}

func TestPublishedAckPacketsAreUnderstood(t *testing.T) {
	v := vectors(t)
	var want ackBody
	newTestIdentity(t, toKey(t, v["ephemeral-key-b"])).public.put(want.ephemeral[:])
	copy(want.nonce[:], v["nonce-b"])
	for _, name := range []string{"ack2", "ack3"} {
		packet, err := readPacket(&input{src: bytes.NewReader(v[name])})
		if err != nil || !bytes.Equal(packet, v[name]) {
			t.Fatalf("%s: read %x, %v", name, packet, err)
		}
		text, ok := openPacket(packet, (*secret)(v["static-key-a"]))
		var ack ackBody
		if !ok || !ack.decode(text) || ack != want {
			t.Errorf("%s: opened %t, %+v", name, ok, ack)
		}
	}
	text, ok := eciesOpen(v["ack1"], (*secret)(v["static-key-a"]), nil)
	if plain := want.encodePlain(nil); !ok || !bytes.Equal(text, plain) {
		t.Errorf("ack1: opened %t, %x, want %x", ok, text, plain)
	}
}

func TestPublishedSecretsAreDerived(t *testing.T) {
	v := vectors(t)
	shared := (*secret)(v["ephemeral-key-b"]).shared(newTestIdentity(t, toKey(t, v["ephemeral-key-a"])).public)
	if !bytes.Equal(shared[:], v["ephemeral-key"]) {
		t.Fatalf("ephemeral shared secret %x, want %x", shared, v["ephemeral-key"])
	}
	initiator, recipient := goldenSecrets(t)
	for _, sec := range []Secrets{initiator(), recipient()} {
		if !bytes.Equal(sec.AES, v["aes-secret"]) || !bytes.Equal(sec.MAC, v["mac-secret"]) {
			t.Errorf("secrets %x and %x, want %x and %x", sec.AES, sec.MAC, v["aes-secret"], v["mac-secret"])
		}
	}
	state := recipient().IngressMAC
	state.Write([]byte("foo"))
	if digest := state.Sum(nil); !bytes.Equal(digest, v["ingress-b-foo"]) {
		t.Errorf("ingress MAC after foo is %x, want %x", digest, v["ingress-b-foo"])
	}
}

func TestFramesOfTheSessionGoThroughConn(t *testing.T) {
	v := vectors(t)
	type message struct {
		code    uint64
		payload []byte
	}
	sequences := map[string][]message{
		"a-to-b-": {{0, v["hello"]}, {2, []byte{0xc0}}, {0x10, []byte{0xc4, 1, 2, 3, 4}}, {0x80, []byte{0xc0}}},
		"b-to-a-": {{0, v["hello"]}, {3, []byte{0xc0}}, {1, []byte{0xc1, 4}}},
	}
	for prefix, messages := range sequences {
		var wire []byte
		for i := range messages {
			wire = append(wire, v[fmt.Sprintf("%s%d", prefix, i+1)]...)
		}
		from, to := goldenSecrets(t)
		if prefix == "b-to-a-" {
			from, to = to, from
		}
		network := says(wire)
		sender, receiver := NewConn(network, nil), NewConn(network, nil)
		sender.InitWithSecrets(from())
		receiver.InitWithSecrets(to())
		for i, m := range messages {
			if _, err := sender.Write(m.code, m.payload); err != nil {
				t.Fatalf("%s%d: %v", prefix, i+1, err)
			}
			code, payload, _, err := receiver.Read()
			if err != nil || code != m.code || !bytes.Equal(payload, m.payload) {
				t.Fatalf("%s%d: read code %#x, payload %x, %v", prefix, i+1, code, payload, err)
			}
			sender.SetSnappy(true)
			receiver.SetSnappy(true)
		}
		if !bytes.Equal(network.sent.Bytes(), wire) {
			t.Errorf("%s: wrote\n%x, want\n%x", prefix, network.sent.Bytes(), wire)
		}
		if network.writes != len(messages) {
			t.Errorf("%s: %d writes for %d messages", prefix, network.writes, len(messages))
		}
	}
}
