// peer.mjs: a node of @ethereumjs/devp2p on 127.0.0.1 for the interop tests. Its protocols send every message back.
//
//   node peer.mjs listen PORT CAPS    accept connections
//   node peer.mjs dial ENODE CAPS     dial one node
//
// CAPS is NAME/VERSION/LENGTH[,...]. Prints ENODE URL once it listens or dials, PEER NAME/VERSION@OFFSET ... when a link is
// up, GONE REASON WHO when it has ended, ERROR TEXT. Standard input: "disconnect REASON"; its end ends the program.
import { randomBytes } from 'node:crypto'
import readline from 'node:readline'
import { RLPx } from '@ethereumjs/devp2p'
import { Common, Mainnet } from '@ethereumjs/common'
import { bytesToHex, hexToBytes, utf8ToBytes } from '@ethereumjs/util'
import * as snappy from 'snappyjs'

const [mode, target, caps] = process.argv.slice(2)
if (!['listen', 'dial'].includes(mode) || !target || !caps) {
  console.error('usage: peer.mjs listen PORT CAPS | dial ENODE CAPS')
  process.exit(2)
}
const say = (...words) => console.log(...words)

// echo makes the class of a protocol. The library has compressed payloads of its own protocols only, so ours are compressed here.
function echo(name) {
  return class {
    constructor(version, peer, send) {
      Object.assign(this, { name, version, peer, send })
    }
    _handleMessage(code, data) {
      this.send(code, this.peer.getHelloMessage().protocolVersion >= 5 ? snappy.compress(data) : data)
    }
  }
}

const capabilities = caps.split(',').map((cap) => {
  const [name, version, length] = cap.split('/')
  return { name, version: Number(version), length: Number(length), constructor: echo(name) }
})
const rlpx = new RLPx(new Uint8Array(randomBytes(32)), {
  capabilities, common: new Common({ chain: Mainnet }), maxPeers: 5, listenPort: mode === 'listen' ? Number(target) : null,
  clientId: utf8ToBytes('ethereumjs-devp2p/10.0.0/interop'),
})
rlpx.events.on('error', (err) => say('ERROR', err.message))
rlpx.events.on('peer:error', (_, err) => say('ERROR', err.message))
rlpx.events.on('peer:added', (peer) => say('PEER', ...peer._protocols.map((p) => `${p.protocol.name}/${p.protocol.version}@${p.offset}`)))
rlpx.events.on('peer:removed', (_, reason, byUs) => say('GONE', reason, byUs ? 'us' : 'them'))

const id = bytesToHex(rlpx.id).slice(2)
if (mode === 'listen') {
  rlpx.events.on('listening', () => say(`ENODE enode://${id}@127.0.0.1:${target}`))
  rlpx.listen(Number(target), '127.0.0.1')
} else {
  const [, key, address, port] = /^enode:\/\/([0-9a-f]{128})@([^:]+):(\d+)/.exec(target)
  say(`ENODE enode://${id}@127.0.0.1:0`)
  rlpx.connect({ id: hexToBytes('0x' + key), address, tcpPort: Number(port), udpPort: Number(port) }).catch((err) => say('ERROR', err.message))
}
const lines = readline.createInterface({ input: process.stdin })
lines.on('line', (line) => {
  const [command, reason] = line.split(' ')
  if (command === 'disconnect') for (const peer of rlpx.getPeers()) peer.disconnect(Number(reason))
})
lines.on('close', () => process.exit(0))
