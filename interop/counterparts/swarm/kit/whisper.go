package kit

import (
	"encoding/hex"
	"time"

	shh "github.com/ethereum/go-ethereum/whisper/whisperv6"
)

// Shh is Whisper v6 with one symmetric key and one topic.
type Shh struct {
	W     *shh.Whisper
	key   []byte
	topic shh.TopicType
}

// NewShh makes a Whisper that prints each message it can decrypt, as MSG "text". Releases up to 1.8.27 and those from 1.9.0
// on count an envelope's proof of work differently: with a minimum above 0 they refuse each other's.
func NewShh(password, topic string, minPoW float64) (*Shh, error) {
	w := shh.New(&shh.Config{MaxMessageSize: shh.DefaultMaxMessageSize, MinimumAcceptedPOW: minPoW})
	id, err := w.AddSymKeyFromPassword(password)
	if err != nil {
		return nil, err
	}
	key, err := w.GetSymKey(id)
	if err != nil {
		return nil, err
	}
	tb, err := hex.DecodeString(topic)
	if err != nil {
		return nil, err
	}
	s := &Shh{W: w, key: key, topic: shh.BytesToTopic(tb)}
	filter, err := w.Subscribe(&shh.Filter{KeySym: key, Topics: [][]byte{s.topic[:]}, AllowP2P: true})
	if err != nil {
		return nil, err
	}
	go func() {
		for range time.Tick(50 * time.Millisecond) {
			for _, m := range w.GetFilter(filter).Retrieve() {
				Say("MSG %q", m.Payload)
			}
		}
	}()
	return s, nil
}

// Post sends a text to everybody: POSTED hash error.
func (s *Shh) Post(text string) {
	p := &shh.MessageParams{TTL: 50, KeySym: s.key, Topic: s.topic, WorkTime: 5, PoW: 0.2, Payload: []byte(text)}
	m, err := shh.NewSentMessage(p)
	if err != nil {
		Say("POSTED 0 %v", err)
		return
	}
	env, err := m.Wrap(p)
	if err != nil {
		Say("POSTED 0 %v", err)
		return
	}
	Say("POSTED %x %v", env.Hash(), s.W.Send(env))
}
