/** The proxy of the fault tests, between a client and a broker that are nothing but sockets. */
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { API, KafkaProxy, type SeenRequest } from '../../support/kafka-proxy.ts'

const BROKER = 7

/** Answers each request with its number; remembers what came. */
async function setUp() {
  const heard: number[] = []
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket))
    socket.on('data', (bytes) => {
      for (let at = 0; at < bytes.length; at += 4 + bytes.readInt32BE(at)) {
        const number = bytes.readInt32BE(at + 8)
        heard.push(number)
        const answer = Buffer.alloc(8)
        answer.writeInt32BE(4, 0)
        answer.writeInt32BE(number, 4)
        socket.write(answer)
      }
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const proxy = await KafkaProxy.open((server.address() as AddressInfo).port, BROKER)
  onTestFinished(async () => {
    await proxy.close()
    server.close()
  })
  return { heard, proxy, sockets }
}

function client(proxy: KafkaProxy, clientId = 'a-commit') {
  const socket = connect({ port: proxy.port, host: '127.0.0.1', noDelay: true })
  socket.on('error', () => undefined)
  const answers: number[] = []
  socket.on('data', (bytes) => {
    for (let at = 0; at < bytes.length; at += 8) answers.push(bytes.readInt32BE(at + 4))
  })
  onTestFinished(() => void socket.destroy())
  const send = (api: number, number: number): void => {
    const frame = Buffer.alloc(14 + clientId.length)
    frame.writeInt32BE(frame.length - 4, 0)
    frame.writeInt16BE(api, 4)
    frame.writeInt16BE(3, 6)
    frame.writeInt32BE(number, 8)
    frame.writeInt16BE(clientId.length, 12)
    frame.write(clientId, 14)
    socket.write(frame)
  }
  return { socket, answers, send, closed: once(socket, 'close') }
}

const isEnd = ({ api }: SeenRequest): boolean => api === API.endTxn

describe('a request', () => {
  test('passes, and is seen with its number, version, client and broker', async () => {
    const { proxy, heard } = await setUp()
    const seen: SeenRequest[] = []
    proxy.fateOf = (request) => {
      seen.push(request)
      return 'pass'
    }
    const { send, answers } = client(proxy)
    send(API.produce, 1)
    await vi.waitUntil(() => answers.length === 1)
    expect(heard).toEqual([1])
    expect(seen).toEqual([{ api: 0, version: 3, correlationId: 1, clientId: 'a-commit', broker: BROKER }])
  })

  test.each([
    ['lose request', [2], [2]],
    ['lose answer', [1, 2], [2]],
  ] as const)('%s: the next one passes', async (fate, atBroker, atClient) => {
    const { proxy, heard } = await setUp()
    const lost = proxy.once(isEnd, fate)
    const { send, answers } = client(proxy)
    send(API.endTxn, 1)
    send(API.endTxn, 2)
    await vi.waitUntil(() => answers.length === 1)
    expect((await lost).correlationId).toBe(1)
    expect([heard, answers]).toEqual([atBroker, atClient])
  })

  test.each([
    ['cut', [1]],
    ['refuse', []],
  ] as const)('%s: the connection ends', async (fate, atBroker) => {
    const { proxy, heard, sockets } = await setUp()
    void proxy.once(isEnd, fate)
    const { send, answers, closed } = client(proxy)
    send(API.endTxn, 1)
    await closed
    await vi.waitUntil(() => sockets.size === 0)
    expect([heard, answers]).toEqual([atBroker, []])
  })

  test('each of them, until told otherwise, by client', async () => {
    const { proxy, heard } = await setUp()
    proxy.each(({ clientId }) => clientId.startsWith('a-'), 'lose request')
    const [a, b] = [client(proxy), client(proxy, 'b-commit')]
    a.send(API.produce, 1)
    b.send(API.produce, 2)
    await vi.waitUntil(() => b.answers.length === 1)
    proxy.each(() => false, 'pass')
    a.send(API.produce, 3)
    await vi.waitUntil(() => a.answers.length === 1)
    expect([heard, a.answers]).toEqual([[2, 3], [3]])
  })

  test('that is held holds up what comes after it on its connection, and nothing else', async () => {
    const { proxy, heard } = await setUp()
    const held = proxy.hold(isEnd)
    const [a, b] = [client(proxy), client(proxy)]
    a.send(API.endTxn, 1)
    a.send(API.produce, 2)
    const { request, letGo } = await held
    b.send(API.produce, 3)
    await vi.waitUntil(() => b.answers.length === 1)
    expect([request.correlationId, heard]).toEqual([1, [3]])
    letGo()
    await vi.waitUntil(() => a.answers.length === 2)
    expect(a.answers).toEqual([1, 2])
  })

  test('that is put aside comes late, also when its client has gone', async () => {
    const { proxy, heard, sockets } = await setUp()
    const aside = proxy.putAside(isEnd)
    const { send, socket } = client(proxy)
    send(API.endTxn, 1)
    const { deliver } = await aside
    socket.destroy()
    await vi.waitUntil(() => sockets.size === 0)
    expect(heard).toEqual([])
    expect((await deliver()).readInt32BE(4)).toBe(1)
    expect(heard).toEqual([1])
  })
})

describe('a connection', () => {
  test('that is half-open carries nothing either way, and no end is told; another one works', async () => {
    const { proxy, heard, sockets } = await setUp()
    const lost = proxy.once(isEnd, 'half-open')
    const a = client(proxy)
    a.send(API.produce, 1)
    await vi.waitUntil(() => a.answers.length === 1)
    a.send(API.endTxn, 2)
    await lost
    const [atBroker] = sockets
    a.send(API.produce, 3)
    atBroker?.write(Buffer.from([0, 0, 0, 4, 0, 0, 0, 1]))
    const b = client(proxy)
    b.send(API.produce, 4)
    await vi.waitUntil(() => b.answers.length === 1)
    expect([heard, a.answers]).toEqual([[1, 4], [1]])
    a.socket.destroy()
    b.socket.destroy()
    await vi.waitUntil(() => sockets.size === 1)
    expect([...sockets]).toEqual([atBroker])
  })

  test('ends at the client when it ends at the broker', async () => {
    const { proxy, sockets } = await setUp()
    const { send, answers, closed } = client(proxy)
    send(API.produce, 1)
    await vi.waitUntil(() => answers.length === 1)
    for (const socket of sockets) socket.destroy()
    await closed
  })

  test('ends with the proxy', async () => {
    const { proxy } = await setUp()
    const { send, answers, closed } = client(proxy)
    send(API.produce, 1)
    await vi.waitUntil(() => answers.length === 1)
    await proxy.close()
    await closed
  })
})
