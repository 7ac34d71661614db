/** UDP goes past any proxy: whatever of it reaches the user's own machine is counted here. */
import { createSocket } from 'node:dgram'
import type { AddressInfo } from 'node:net'

export interface UdpServer {
  readonly packets: () => number
  /** A script that has a page's WebRTC ask for its addresses here, and resolves when it has no more to ask. */
  readonly gather: string
  close(): void
}

export async function udpOnOwnMachine(): Promise<UdpServer> {
  let packets = 0
  const socket = createSocket('udp4', () => {
    packets += 1
  })
  await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve))
  const { port } = socket.address() as AddressInfo
  const gather = `new Promise((resolve) => {
    const peer = new RTCPeerConnection({ iceServers: [{ urls: 'stun:127.0.0.1:${port}' }] })
    peer.onicecandidate = ({ candidate }) => candidate || resolve()
    peer.createDataChannel('any')
    peer.createOffer().then((offer) => peer.setLocalDescription(offer))
  })`
  return { packets: () => packets, gather, close: () => socket.close() }
}
