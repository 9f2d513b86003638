// Command whisper runs Whisper of go-ethereum 1.9.20, the last release that has it, on that release's p2p server, or with the tag
// geth18 and go18.mod that of 1.8.27, which counts proof of work differently.
//
// It prints
//
//	ENODE URL          it listens
//	KEY HEX            its public key, which asymmetric messages are encrypted to and its own are signed with
//	PEER+ ID NAME      a peer has come; PEER- ID ERROR: it has gone
//	MSG ...            a message that it could read
//	POSTED HASH WORK   a message of its own is on its way; ERR ...: it is not
//
// and takes the commands
//
//	dial URL | sym TEXT | sign TEXT | asym PUBLIC-KEY TEXT | pow NUMBER | bloom HEX | trust ID | direct ID TEXT | quit
//	rate BYTES COUNT: seal so many envelopes with a payload of that size, and print "RATE nonces per second of processor time"
package main

import (
	"bufio"
	"crypto/ecdsa"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/p2p"
	"github.com/ethereum/go-ethereum/p2p/enode"
	shh "github.com/ethereum/go-ethereum/whisper/whisperv6"
)

var topic = shh.BytesToTopic([]byte{0xde, 0xad, 0xbe, 0xef})

var out sync.Mutex

func say(format string, args ...interface{}) {
	out.Lock()
	defer out.Unlock()
	fmt.Printf(format+"\n", args...)
}

func fail(err error) {
	if err != nil {
		say("ERR %v", err)
		os.Exit(1)
	}
}

// program is one node.
type program struct {
	whisper *shh.Whisper
	server  *p2p.Server
	key     *ecdsa.PrivateKey
	symKey  []byte
	work    float64
}

func main() {
	password := flag.String("password", "test", "of the symmetric key")
	minWork := flag.Float64("minpow", 0.2, "least proof of work that is accepted")
	work := flag.Float64("pow", 0.2, "proof of work of posted messages")
	flag.Parse()

	p := &program{work: *work}
	var err error
	p.key, err = crypto.GenerateKey()
	fail(err)
	p.whisper = newWhisper(&shh.Config{MaxMessageSize: shh.DefaultMaxMessageSize, MinimumAcceptedPOW: *minWork})
	id, err := p.whisper.AddSymKeyFromPassword(*password)
	fail(err)
	p.symKey, err = p.whisper.GetSymKey(id)
	fail(err)
	protocols := p.whisper.Protocols()
	run := protocols[0].Run
	protocols[0].Run = func(peer *p2p.Peer, rw p2p.MsgReadWriter) error {
		say("PEER+ %v %s", peer.ID(), peer.Name())
		err := run(peer, rw)
		say("PEER- %v %v", peer.ID(), err)
		return err
	}
	p.server = &p2p.Server{Config: p2p.Config{
		PrivateKey: p.key, MaxPeers: 25, NoDiscovery: true, Name: clientName, ListenAddr: "127.0.0.1:0", Protocols: protocols,
	}}
	fail(p.server.Start())
	fail(start(p.whisper, p.server))
	p.listen(&shh.Filter{KeySym: p.symKey, Topics: [][]byte{topic[:]}, AllowP2P: true})
	p.listen(&shh.Filter{KeyAsym: p.key, AllowP2P: true})
	say("KEY %x", crypto.FromECDSAPub(&p.key.PublicKey))
	say("ENODE %s", url(p.server))
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		words := strings.SplitN(in.Text(), " ", 3)
		if words[0] == "quit" {
			break
		}
		if err := p.command(words[0], append(words[1:], "", "")); err != nil {
			say("ERR %v", err)
		}
	}
	fail(p.whisper.Stop())
	p.server.Stop()
}

// listen prints the messages that a filter lets pass.
func (p *program) listen(f *shh.Filter) {
	id, err := p.whisper.Subscribe(f)
	fail(err)
	go func() {
		for range time.Tick(50 * time.Millisecond) {
			for _, m := range p.whisper.GetFilter(id).Retrieve() {
				kind := "sym"
				if m.Dst != nil {
					kind = "asym"
				}
				signer := ""
				if m.Src != nil {
					signer = hex.EncodeToString(crypto.FromECDSAPub(m.Src))
				}
				say("MSG %s payload=%q from=%s topic=%x ttl=%d pow=%v hash=%x", kind, m.Payload, signer, m.Topic, m.TTL, m.PoW, m.EnvelopeHash)
			}
		}
	}()
}

func (p *program) command(name string, args []string) error {
	switch name {
	case "dial":
		node, err := enode.ParseV4(args[0])
		if err == nil {
			p.server.AddPeer(node)
		}
		return err
	case "sym":
		return p.post(strings.TrimSpace(args[0]+" "+args[1]), nil, nil)
	case "sign":
		return p.post(strings.TrimSpace(args[0]+" "+args[1]), nil, p.key)
	case "asym":
		b, err := hex.DecodeString(args[0])
		if err != nil {
			return err
		}
		to, err := crypto.UnmarshalPubkey(b)
		if err != nil {
			return err
		}
		return p.post(args[1], to, p.key)
	case "pow":
		work, err := strconv.ParseFloat(args[0], 64)
		if err != nil {
			return err
		}
		return p.whisper.SetMinimumPoW(work)
	case "bloom":
		b, err := hex.DecodeString(args[0])
		if err != nil {
			return err
		}
		return p.whisper.SetBloomFilter(b)
	case "rate":
		return p.rate(args)
	case "trust", "direct":
		return p.trusted(name, args)
	}
	return errors.New("unknown command " + name)
}

// trusted is about messages that go to one peer and no further.
func (p *program) trusted(name string, args []string) error {
	id, err := parseID(args[0])
	if err != nil {
		return err
	}
	if name == "trust" {
		return p.whisper.AllowP2PMessagesFromPeer(id[:])
	}
	e, err := p.seal(args[1], nil, nil, 0)
	if err != nil {
		return err
	}
	return p.whisper.SendP2PMessage(id[:], e)
}

func (p *program) seal(text string, to *ecdsa.PublicKey, signer *ecdsa.PrivateKey, work float64) (*shh.Envelope, error) {
	params := &shh.MessageParams{TTL: 50, Topic: topic, WorkTime: 10, PoW: work, Payload: []byte(text), Src: signer, Dst: to}
	if to == nil {
		params.KeySym = p.symKey
	}
	m, err := shh.NewSentMessage(params)
	if err != nil {
		return nil, err
	}
	return m.Wrap(params)
}

func (p *program) post(text string, to *ecdsa.PublicKey, signer *ecdsa.PrivateKey) error {
	e, err := p.seal(text, to, signer, p.work)
	if err == nil {
		err = p.whisper.Send(e)
	}
	if err == nil {
		say("POSTED %x %v", e.Hash(), e.PoW())
	}
	return err
}

// rate measures how many nonces are tried in a second of processor time. The search starts at 0, so the nonce tells how many there were.
func (p *program) rate(args []string) error {
	size, err := strconv.Atoi(args[0])
	if err != nil {
		return err
	}
	count, err := strconv.Atoi(args[1])
	if err != nil {
		return err
	}
	var tries uint64
	var took time.Duration
	for i := 0; i < count; i++ {
		params := &shh.MessageParams{TTL: 50, Topic: topic, Payload: make([]byte, size), KeySym: p.symKey}
		m, err := shh.NewSentMessage(params)
		if err != nil {
			return err
		}
		e, err := m.Wrap(params) // not sealed, as no proof of work is asked for
		if err != nil {
			return err
		}
		params.PoW, params.WorkTime = 2, 60
		began := cpuTime()
		if err := e.Seal(params); err != nil {
			return err
		}
		took += cpuTime() - began
		tries += e.Nonce + 1
	}
	say("RATE %.0f", float64(tries)/took.Seconds())
	return nil
}
