/**
 * Asks a broker which brokers live, in Kafka's Metadata request of version 1, the plainest that every version since
 * 0.10 answers. https://kafka.apache.org/protocol.html#The_Messages_Metadata
 *
 * Not its job: being a client of Kafka. One question, one connection.
 */
import { connect } from 'node:net'

const METADATA_KEY = 3
const METADATA_VERSION = 1
const TIMEOUT_MS = 2_000
/** Length of the frame, correlation id. */
const HEADER_BYTES = 8

/** Ids of the brokers that the controller counts as alive. Rejects where nobody listens or nothing comes. */
export async function liveBrokers(host: string, port: number): Promise<readonly number[]> {
  return brokerIds(await exchange(host, port, metadataRequest()))
}

function metadataRequest(): Buffer {
  const frame = Buffer.alloc(18)
  let at = frame.writeInt32BE(frame.length - 4, 0)
  at = frame.writeInt16BE(METADATA_KEY, at)
  at = frame.writeInt16BE(METADATA_VERSION, at)
  at = frame.writeInt32BE(1, at)
  // No client id; an empty list of topics asks for none.
  at = frame.writeInt16BE(-1, at)
  frame.writeInt32BE(0, at)
  return frame
}

function exchange(host: string, port: number, request: Buffer): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    let received = Buffer.alloc(0)
    const socket = connect({ host, port })
    const end = (): void => void socket.destroy()
    socket.setTimeout(TIMEOUT_MS, () => socket.destroy(new Error(`no answer in ${TIMEOUT_MS} ms`)))
    socket.once('connect', () => socket.write(request))
    socket.on('data', (chunk) => {
      received = Buffer.concat([received, chunk])
      if (received.length < 4 || received.length < 4 + received.readInt32BE(0)) return
      resolve(received)
      end()
    })
    socket.once('error', reject)
    socket.once('close', () => reject(new Error('the connection was closed')))
  })
}

function brokerIds(frame: Buffer): number[] {
  const ids: number[] = []
  const count = frame.readInt32BE(HEADER_BYTES)
  let at = HEADER_BYTES + 4
  for (let index = 0; index < count; index += 1) {
    ids.push(frame.readInt32BE(at))
    const host = at + 4
    const rack = host + 2 + frame.readInt16BE(host) + 4
    at = rack + 2 + Math.max(0, frame.readInt16BE(rack))
  }
  return ids
}
