// Command swarm5 runs the Swarm of ethersphere/swarm 0.5.8 (bzz/14, hive/11, bzz-stream/8, bzz-retrieve/2) on a server of
// go-ethereum 1.9.2's peer layer, which listens on 127.0.0.1. It prints OVERLAY, CAPS and ENODE lines, and RUN+ and RUN-
// when a protocol begins and ends on a link. It takes these commands on standard input, one a line:
//
//	put TEXT             store a chunk: PUT hash error
//	get HASH             fetch one, from the peers if need be: GOT "text" error
//	has HASH             is it in the local store: HAS hash true
//	upload PATH          store a file: UPLOADED hash error
//	download HASH PATH   fetch a file: DOWNLOADED bytes error
//	dial ENODE           connect to a node
//	quit
package main

import (
	"bufio"
	"bytes"
	"flag"
	"fmt"
	"io/ioutil"
	"os"
	"strings"
	"sync"

	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/log"
	"github.com/ethereum/go-ethereum/p2p"
	"github.com/ethereum/go-ethereum/p2p/enode"
)

var out sync.Mutex

// say prints one line.
func say(f string, a ...interface{}) {
	out.Lock()
	defer out.Unlock()
	fmt.Printf(f+"\n", a...)
}

func die(what string, err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, what+":", err)
		os.Exit(1)
	}
}

// shown prints what passes on one protocol of one link.
type shown struct {
	p2p.MsgReadWriter
	peer, proto string
}

func (t *shown) show(dir string, m p2p.Msg) p2p.Msg {
	data, _ := ioutil.ReadAll(m.Payload)
	m.Payload = bytes.NewReader(data)
	if len(data) > 160 {
		data = data[:160]
	}
	say("%s %s %s %d %d %x", dir, t.peer, t.proto, m.Code, m.Size, data)
	return m
}

// ReadMsg reads and prints a message.
func (t *shown) ReadMsg() (p2p.Msg, error) {
	m, err := t.MsgReadWriter.ReadMsg()
	if err != nil {
		return m, err
	}
	return t.show("<-", m), nil
}

// WriteMsg prints and writes a message.
func (t *shown) WriteMsg(m p2p.Msg) error { return t.MsgReadWriter.WriteMsg(t.show("->", m)) }

// tap has the beginning and the end of each protocol on each link printed, and with all set its messages as well.
func tap(protos []p2p.Protocol, all bool) []p2p.Protocol {
	for i := range protos {
		run, name := protos[i].Run, protos[i].Name
		protos[i].Run = func(p *p2p.Peer, rw p2p.MsgReadWriter) error {
			id := p.ID().String()[:16]
			say("RUN+ %s %s %q", id, name, p.Name())
			if all {
				rw = &shown{rw, id, name}
			}
			err := run(p, rw)
			say("RUN- %s %s %v", id, name, err)
			return err
		}
	}
	return protos
}

func main() {
	var (
		port    = flag.Int("port", 0, "TCP port on 127.0.0.1, 0 for any")
		network = flag.Uint64("network", 4, "network id")
		light   = flag.Bool("light", false, "be a light node")
		syncing = flag.Bool("sync", false, "sync with neighbours as well as retrieve")
		all     = flag.Bool("tap", false, "print every message")
		dial    = flag.String("dial", "", "enode URLs to dial, separated by commas")
		verb    = flag.Int("v", 1, "log level")
	)
	flag.Parse()
	log.Root().SetHandler(log.LvlFilterHandler(log.Lvl(*verb), log.StreamHandler(os.Stderr, log.TerminalFormat(false))))
	key, err := crypto.GenerateKey()
	die("key", err)
	dir, err := ioutil.TempDir("", "swarm5")
	die("directory", err)
	defer os.RemoveAll(dir)
	srv := &p2p.Server{Config: p2p.Config{
		PrivateKey: key, MaxPeers: 25, NoDiscovery: true, Name: "swarm/v0.5.8", ListenAddr: fmt.Sprintf("127.0.0.1:%d", *port),
	}}
	sw, err := newSwarm(config{key: key, dir: dir, network: *network, light: *light, sync: *syncing})
	die("swarm", err)
	srv.Protocols = tap(sw.bzz.Protocols(), *all)
	die("server", srv.Start())
	die("start", sw.start(srv))
	say("OVERLAY %x", sw.overlay)
	for _, p := range srv.Protocols {
		say("CAPS %s/%d len=%d", p.Name, p.Version, p.Length)
	}
	say("ENODE %s", srv.Self().URLv4())
	connect := func(url string) {
		if n, err := enode.ParseV4(url); err == nil {
			srv.AddPeer(n)
		}
	}
	for _, u := range strings.Split(*dial, ",") {
		connect(u)
	}
	commands := sw.commands()
	commands["dial"] = connect
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		words := strings.SplitN(strings.TrimSpace(in.Text()), " ", 2)
		if words[0] == "quit" {
			break
		}
		if f := commands[words[0]]; f != nil {
			go f(strings.Join(words[1:], ""))
		}
	}
	srv.Stop()
}
