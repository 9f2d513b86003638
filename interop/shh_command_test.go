package interop

import (
	"encoding/hex"
	"testing"

	"github.com/ethereum/go-ethereum/crypto"

	"github.com/sennit-net/sennit/interop/counterparts"
)

// sennitProgram is the program as people start it.
var sennitProgram = counterparts.Program{Module: "../..", Path: "cmd/sennit"}

func TestWhisperCommandsExchangeMessagesWithGoEthereum(t *testing.T) {
	for _, g := range generations {
		t.Run(g.name, func(t *testing.T) {
			them := g.start(t)
			key := hex.EncodeToString(crypto.FromECDSAPub(them.key))
			via := []string{"--node", them.node.URLv4()}
			send := sennitProgram.Start(t, append([]string{"whisper", "send", "--password", "test", "--topic", "deadbeef", "from a command"}, via...)...)
			hash := send.Await(`^0x(\w{64})$`, patience)[1]
			send.Exited(patience)
			them.Await(`^MSG sym payload="from a command" .* hash=`+hash+`$`, patience)

			send = sennitProgram.Start(t, append([]string{"whisper", "send", "--to", key, "to one alone"}, via...)...)
			them.Await(`^MSG asym payload="to one alone"`, patience)
			send.Exited(patience)

			listen := sennitProgram.Start(t, append([]string{"whisper", "listen", "--password", "test", "--topic", "deadbeef", "--from", key, "--count", "2"}, via...)...)
			them.Await(`^PEER\+`, patience)
			for _, text := range []string{"one", "two"} {
				them.Say("sign number %s", text)
				listen.Await(`^\S+ \S+  0xdeadbeef  `+key[2:10]+`  number `+text+`$`, patience)
			}
			listen.Exited(patience)
		})
	}
}
