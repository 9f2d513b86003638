package rlpx

import (
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"

	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/crypto/keccak"
)

// Handshake exchanges keys with the remote and returns its static public key: dialDest for an initiator, for a recipient
// the key that the remote proved to own. Prv is the local static key. Frames can be read and written afterwards.
//
// It sends and receives exactly one packet; see DelayAck for when. It sets no deadline, which is the caller's to do. An
// error, [ErrHandshake], [ErrBadKey], [ErrHandshakeDone], [ErrDetached] or one of the network connection, leaves the Conn
// without secrets and fit only to be closed.
func (c *Conn) Handshake(prv *ecdsa.PrivateKey) (*ecdsa.PublicKey, error) {
	if c.detached {
		return nil, ErrDetached
	}
	if c.opener != nil {
		return nil, ErrHandshakeDone
	}
	local, err := newIdentity(prv)
	if err != nil {
		return nil, err
	}
	var sec Secrets
	if c.dialDest != nil {
		sec, err = c.initiate(local)
	} else {
		sec, err = c.receive(local)
	}
	if err != nil {
		return nil, err
	}
	if err := c.install(sec); err != nil {
		return nil, err
	}
	return sec.remote, nil
}

// initiate sends auth and reads ack.
func (c *Conn) initiate(local *identity) (Secrets, error) {
	remote, err := checkKey(c.dialDest)
	if err != nil {
		return Secrets{}, err
	}
	// The ephemeral key's public half is needed by nobody here: the recipient gets it from the signature.
	ephemeral := newSecret()
	defer clear(ephemeral[:])

	var auth authBody
	rand.Read(auth.nonce[:]) // never fails
	local.public.put(auth.static[:])
	signature, err := ephemeral.sign(xor(local.secret.shared(remote), auth.nonce))
	if err != nil {
		return Secrets{}, err
	}
	copy(auth.signature[:], signature)
	r, err := newKeyPair()
	if err != nil {
		return Secrets{}, err
	}
	authPacket := sealPacket(authBodySize, auth.encode, r, remote)
	clear(r.secret[:])
	if _, err := c.conn.Write(authPacket); err != nil {
		return Secrets{}, err
	}

	ackPacket, err := readPacket(&c.in)
	if err != nil {
		return Secrets{}, err
	}
	text, ok := openPacket(ackPacket, &local.secret)
	var ack ackBody
	ok = ok && ack.decode(text)
	remoteEphemeral, valid := parsePoint(ack.ephemeral[:])
	shared := ephemeral.shared(remoteEphemeral)
	if !ok || !valid {
		return Secrets{}, ErrHandshake
	}
	x := exchange{shared: shared, initiatorNonce: auth.nonce, recipientNonce: ack.nonce, auth: authPacket, ack: ackPacket}
	sec := x.initiatorSecrets()
	sec.remote = c.dialDest
	return sec, nil
}

// receive reads auth and answers with ack, in the form the initiator used.
func (c *Conn) receive(local *identity) (Secrets, error) {
	auth, err := c.readAuth(local)
	if err != nil {
		return Secrets{}, err
	}
	ephemeral, err := newKeyPair()
	if err != nil {
		return Secrets{}, err
	}
	defer clear(ephemeral.secret[:])

	var ack ackBody
	rand.Read(ack.nonce[:]) // never fails
	ephemeral.public.put(ack.ephemeral[:])
	var ackPacket []byte
	if auth.plain {
		ackPacket = sealPlainAck(&ack, ephemeral, auth.static)
	} else {
		ackPacket = sealPacket(ackBodySize, ack.encode, ephemeral, auth.static)
	}
	if c.delayAck {
		c.ack = ackPacket
	} else if _, err := c.conn.Write(ackPacket); err != nil {
		return Secrets{}, err
	}
	x := exchange{
		shared:         ephemeral.secret.shared(auth.ephemeral),
		initiatorNonce: auth.nonce, recipientNonce: ack.nonce,
		auth: auth.packet, ack: ackPacket,
	}
	sec := x.recipientSecrets()
	sec.remote = auth.static.key()
	return sec, nil
}

// authentic is an auth packet that was found good.
type authentic struct {
	packet            []byte // valid until the next fill
	plain             bool   // it had the form from before EIP-8
	static, ephemeral point
	nonce             [secretSize]byte
}

// readAuth reads and checks the initiator's packet.
func (c *Conn) readAuth(local *identity) (*authentic, error) {
	if c.legacy {
		if a, err := c.readPlainAuth(local); a != nil || err != nil {
			return a, err
		}
	}
	packet, err := readPacket(&c.in)
	if err != nil {
		return nil, err
	}
	text, ok := openPacket(packet, &local.secret)
	var body authBody
	ok = ok && body.decode(text)
	a, valid := body.verify(local)
	if !ok || !valid {
		return nil, ErrHandshake
	}
	a.packet = packet
	return a, nil
}

// readPlainAuth reads a packet in the form from before EIP-8. It returns nil if the remote sent something else, of which
// nothing has been consumed then.
func (c *Conn) readPlainAuth(local *identity) (*authentic, error) {
	if err := c.in.fill(prefixSize); err != nil {
		return nil, err
	}
	// The size in an EIP-8 packet may start with the same byte, but is then at least 0x0400: waiting for 307 bytes waits for
	// none that the remote does not send.
	if _, plain := AuthSize([2]byte(c.in.unread()), true); !plain {
		return nil, nil
	}
	if err := c.in.fill(plainAuthSize); err != nil {
		return nil, err
	}
	text, ok := eciesOpen(c.in.unread()[:plainAuthSize], &local.secret, nil)
	if !ok {
		return nil, nil
	}
	var body authBody
	ok = body.decodePlain(text)
	a, valid := body.verify(local)
	if !ok || !valid {
		return nil, ErrHandshake
	}
	a.packet, a.plain = c.in.take(plainAuthSize), true
	return a, nil
}

// verify checks the static key and recovers the ephemeral one. It does all of its work for a bad body too, an empty one
// included.
func (b *authBody) verify(local *identity) (*authentic, bool) {
	static, staticOK := parsePoint(b.static[:])
	ephemeral, ephemeralOK := recoverSigner(xor(local.secret.shared(static), b.nonce), b.signature)
	return &authentic{static: static, ephemeral: ephemeral, nonce: b.nonce}, staticOK && ephemeralOK
}

// exchange is all that the secrets of a connection are made of.
type exchange struct {
	shared                         [secretSize]byte // Diffie-Hellman secret of the two ephemeral keys
	initiatorNonce, recipientNonce [secretSize]byte
	auth, ack                      []byte // packets as they were on the wire, the remote's valid until the next fill
}

// initiatorSecrets derives the secrets as the initiator sees them.
func (x *exchange) initiatorSecrets() Secrets {
	shared := crypto.Keccak256(x.shared[:], crypto.Keccak256(x.recipientNonce[:], x.initiatorNonce[:]))
	sec := Secrets{AES: crypto.Keccak256(x.shared[:], shared), ephemeral: x.shared, packets: sha256.New()}
	sec.packets.Write(x.auth)
	sec.packets.Write(x.ack)
	sec.MAC = crypto.Keccak256(x.shared[:], sec.AES)

	mac := [secretSize]byte(sec.MAC)
	toRecipient, toInitiator := xor(mac, x.recipientNonce), xor(mac, x.initiatorNonce)
	sec.EgressMAC, sec.IngressMAC = keccak.NewLegacyKeccak256(), keccak.NewLegacyKeccak256()
	sec.EgressMAC.Write(toRecipient[:])
	sec.EgressMAC.Write(x.auth)
	sec.IngressMAC.Write(toInitiator[:])
	sec.IngressMAC.Write(x.ack)
	return sec
}

// recipientSecrets derives the secrets as the recipient sees them: the directions are the other way round.
func (x *exchange) recipientSecrets() Secrets {
	sec := x.initiatorSecrets()
	sec.EgressMAC, sec.IngressMAC = sec.IngressMAC, sec.EgressMAC
	return sec
}

func xor(a, b [secretSize]byte) (c [secretSize]byte) {
	subtle.XORBytes(c[:], a[:], b[:])
	return c
}
