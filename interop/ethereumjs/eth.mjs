// eth.mjs: a node of @ethereumjs/devp2p on 127.0.0.1 that speaks its eth, up to eth/68, for the interop tests. It has no chain:
// it says to be on that of whoever it is linked to, and answers what it is told to.
//
//   node eth.mjs listen PORT    accept connections
//   node eth.mjs dial ENODE     dial one node
//
// Prints ENODE URL once it listens or dials, STATUS ETH/VERSION when both sides have sent theirs, MSG CODE HEX for every
// message, GONE REASON WHO when a link has ended, ERROR TEXT. Standard input: "send CODE HEX" sends a payload, "answer CODE HEX"
// has the next request with that code answered with its id and this list, and prints READY CODE, "disconnect REASON"; its end
// ends the program.
import { randomBytes } from 'node:crypto'
import readline from 'node:readline'
import { ETH, RLPx } from '@ethereumjs/devp2p'
import { Common, Mainnet } from '@ethereumjs/common'
import { RLP } from '@ethereumjs/rlp'
import { bytesToHex, hexToBytes, utf8ToBytes } from '@ethereumjs/util'
import * as snappy from 'snappyjs'

const [mode, target] = process.argv.slice(2)
if (!['listen', 'dial'].includes(mode) || !target) {
  console.error('usage: eth.mjs listen PORT | dial ENODE')
  process.exit(2)
}
const say = (...words) => console.log(...words)
const answers = new Map() // by code of the request
const links = new Set()

class Eth extends ETH {
  constructor(...args) {
    super(...args)
    links.add(this)
    this.events.on('status', () => say('STATUS', `eth/${this._version}`))
  }
  _handleMessage(code, data) {
    if (code === 0 && this._status === null) {
      this._status = RLP.decode(data)
      this.put(0, data)
    } else if (code !== 0) {
      say('MSG', code, bytesToHex(data).slice(2))
    }
    const answer = answers.get(code)
    if (answer) {
      answers.delete(code)
      this.put(code + 1, RLP.encode([RLP.decode(data)[0], RLP.decode(answer)]))
    }
    super._handleMessage(code, data)
  }
  _validateForkId() {} // any chain will do
  // put sends a payload; the library leaves it to its protocols to compress.
  put(code, data) {
    this._send(code, this._peer.getHelloMessage().protocolVersion >= 5 ? snappy.compress(data) : data)
  }
}

const rlpx = new RLPx(new Uint8Array(randomBytes(32)), {
  capabilities: [{ ...ETH.eth68, constructor: Eth }], common: new Common({ chain: Mainnet }), maxPeers: 5,
  listenPort: mode === 'listen' ? Number(target) : null, clientId: utf8ToBytes('ethereumjs-devp2p/10.0.0/interop'),
})
rlpx.events.on('error', (err) => say('ERROR', err.message))
rlpx.events.on('peer:error', (_, err) => say('ERROR', err.message))
rlpx.events.on('peer:removed', (_, reason, byUs) => {
  links.clear()
  say('GONE', reason, byUs ? 'us' : 'them')
})

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
  const [command, number, hex] = line.split(' ')
  if (command === 'send') for (const link of links) link.put(Number(number), hexToBytes('0x' + hex))
  if (command === 'answer') {
    answers.set(Number(number), hexToBytes('0x' + hex))
    say('READY', number)
  }
  if (command === 'disconnect') for (const peer of rlpx.getPeers()) peer.disconnect(Number(number))
})
lines.on('close', () => process.exit(0))
