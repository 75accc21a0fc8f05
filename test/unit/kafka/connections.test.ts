import { createServer } from 'node:net'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { type ConnectionOptions, Connections } from '../../../transports/kafka/connections.ts'
import { answerFrame, FakeBroker, type FakeBrokerOptions, type Received, text } from './fake-broker.ts'

const closing: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close()
})

const echo = (request: Received) => request.answer(request.body)
const silent = () => {}

async function fakeBroker(
  onRequest: (request: Received) => void,
  options?: FakeBrokerOptions,
): Promise<FakeBroker> {
  const broker = await FakeBroker.start(onRequest, options)
  closing.push(() => broker.close())
  return broker
}

function connectionsTo(
  brokers: readonly FakeBroker[],
  options: Partial<ConnectionOptions> = {},
): Connections {
  const connections = new Connections(
    { brokers: brokers.map(({ address }) => address), clientId: 'shop', ...options },
    'test',
  )
  closing.push(() => connections.close())
  connections.know(brokers.map(({ port }, index) => ({ nodeId: index + 1, host: '127.0.0.1', port })))
  return connections
}

/** A port on which nobody listens. */
async function freePort(): Promise<number> {
  const broker = await FakeBroker.start(silent)
  const { port } = broker
  await broker.close()
  return port
}

describe('one broker', () => {
  test('concurrent requests share one connection and one connect', async () => {
    const broker = await fakeBroker(echo)
    const connections = connectionsTo([broker])
    const answers = await Promise.all(['a', 'b', 'c'].map((body) => connections.send(1, text(body))))
    expect(answers).toEqual(['a', 'b', 'c'])
    expect(broker.connections).toBe(1)
    expect(broker.received[0]?.clientId).toBe('shop-test')
  })

  test('requests are sent in order without waiting for answers', async () => {
    const broker = await fakeBroker(silent)
    const connections = connectionsTo([broker])
    const bodies = Array.from({ length: 50 }, (_, index) => `${index}`)
    const answers = bodies.map((body) => connections.send(1, text(body)))
    await broker.requests(bodies.length)
    expect(broker.received.map(({ body }) => body.toString())).toEqual(bodies)
    for (const request of broker.received) echo(request)
    expect(await Promise.all(answers)).toEqual(bodies)
  })

  test('purposes have connections of their own', async () => {
    const broker = await fakeBroker(echo)
    const options = { brokers: [broker.address], clientId: 'shop' }
    for (const purpose of ['fetch', 'group']) {
      const connections = new Connections(options, purpose)
      closing.push(() => connections.close())
      await connections.sendToAny(text(purpose))
    }
    expect(broker.received.map(({ clientId }) => clientId)).toEqual(['shop-fetch', 'shop-group'])
    expect(broker.connections).toBe(2)
  })

  test('answers that arrive in pieces, and many in one piece, are told apart', async () => {
    const broker = await fakeBroker(silent)
    const connections = connectionsTo([broker])
    const bodies = ['x'.repeat(200_000), 'y', 'z']
    const answers = bodies.map((body) => connections.send(1, text(body)))
    await broker.requests(bodies.length)
    const frames = Buffer.concat(
      broker.received.map(({ correlationId, body }) => answerFrame(correlationId, body)),
    )
    const socket = broker.received[0]?.socket
    for (const cut of [3, 9, 70_000, 200_010]) {
      socket?.write(frames.subarray([0, 3, 9, 70_000, 200_010].findLast((from) => from < cut) ?? 0, cut))
      await new Promise(setImmediate)
    }
    socket?.write(frames.subarray(200_010))
    expect(await Promise.all(answers)).toEqual(bodies)
  })
})

describe('a request that was not sent', () => {
  test('fails with CONNECTION_FAILED when nobody listens', async () => {
    const connections = new Connections({ brokers: ['127.0.0.1:9'], clientId: 'shop' }, 'test')
    connections.know([{ nodeId: 1, host: '127.0.0.1', port: await freePort() }])
    await expect(connections.send(1, text('a'))).rejects.toMatchObject({
      code: 'CONNECTION_FAILED',
      detail: expect.stringContaining('ECONNREFUSED'),
    })
  })

  test('fails with CONNECTION_FAILED when the broker is not known', async () => {
    const connections = connectionsTo([await fakeBroker(echo)])
    await expect(connections.send(7, text('a'))).rejects.toMatchObject({
      code: 'CONNECTION_FAILED',
      detail: 'Text: broker 7 is not known',
    })
  })

  test('fails with CONNECTION_FAILED when a broker takes the connection and says nothing', async () => {
    const broker = await fakeBroker(silent, { versions: () => undefined })
    const connections = connectionsTo([broker], { connectTimeoutMs: 50 })
    await expect(connections.send(1, text('a'))).rejects.toMatchObject({ code: 'CONNECTION_FAILED' })
    expect(broker.received).toEqual([])
  })

  test('fails with CONNECTION_FAILED when what listens is no broker', async () => {
    const server = createServer((socket) => {
      socket.on('error', silent)
      // A TLS alert, as a TLS listener answers plain text.
      socket.on('data', () => socket.write(Buffer.from('15030300020250', 'hex')))
    })
    await new Promise<void>((resolve) => {
      server.listen(0, '127.0.0.1', resolve)
    })
    closing.push(async () => void server.close())
    const address = server.address()
    const port = typeof address === 'object' && address !== null ? address.port : 0
    const connections = new Connections({ brokers: [`127.0.0.1:${port}`], clientId: 'shop' }, 'test')
    await expect(connections.sendToAny(text('a'))).rejects.toMatchObject({
      code: 'CONNECTION_FAILED',
      detail: expect.stringContaining('no answer of Kafka'),
    })
  })

  test('fails with its own error when it cannot be encoded, and others go on', async () => {
    const broker = await fakeBroker(echo)
    const connections = connectionsTo([broker])
    const broken = {
      ...text(''),
      encode: () => {
        throw new RangeError('too large')
      },
    }
    await expect(connections.send(1, broken)).rejects.toThrow('too large')
    expect(await connections.send(1, text('next'))).toBe('next')
    expect(broker.connections).toBe(1)
  })
})

describe('a request that was sent', () => {
  test('fails with OUTCOME_UNKNOWN at once when the connection ends', async () => {
    const broker = await fakeBroker(silent)
    const connections = connectionsTo([broker])
    const answers = ['a', 'b'].map((body) => connections.send(1, text(body)))
    const settled = Promise.allSettled(answers)
    await broker.requests(2)
    broker.cut()
    for (const answer of await settled) {
      expect(answer).toMatchObject({ status: 'rejected', reason: { code: 'OUTCOME_UNKNOWN' } })
    }
  })

  test('fails with OUTCOME_UNKNOWN when no answer comes in time, as do those behind it', async () => {
    const broker = await fakeBroker(silent)
    const connections = connectionsTo([broker])
    const late = connections.send(1, text('late', 60))
    const behind = connections.send(1, text('behind'))
    await expect(late).rejects.toMatchObject({
      code: 'OUTCOME_UNKNOWN',
      detail: expect.stringContaining('no answer to Text within 60 ms'),
    })
    await expect(behind).rejects.toMatchObject({ code: 'OUTCOME_UNKNOWN' })
  })

  test('is not given the answer of another: late answers die with their connection', async () => {
    const broker = await fakeBroker(silent)
    const connections = connectionsTo([broker])
    await expect(connections.send(1, text('first', 60))).rejects.toMatchObject({ code: 'OUTCOME_UNKNOWN' })
    const second = connections.send(1, text('second'))
    await broker.requests(2)
    broker.received[0]?.answer('of the first')
    broker.received[1]?.answer('of the second')
    expect(await second).toBe('of the second')
    expect(broker.connections).toBe(2)
  })

  test('fails with OUTCOME_UNKNOWN when answers come out of order', async () => {
    const broker = await fakeBroker(silent)
    const connections = connectionsTo([broker])
    const answers = Promise.allSettled(['a', 'b'].map((body) => connections.send(1, text(body))))
    await broker.requests(2)
    broker.received[1]?.answer('b')
    for (const answer of await answers) {
      expect(answer).toMatchObject({ status: 'rejected', reason: { code: 'OUTCOME_UNKNOWN' } })
    }
  })

  test('fails with OUTCOME_UNKNOWN when its answer cannot be read', async () => {
    const connections = connectionsTo([await fakeBroker(echo)])
    const unreadable = {
      ...text('a'),
      decode: (): string => {
        throw new Error('bytes are left')
      },
    }
    await expect(connections.send(1, unreadable)).rejects.toMatchObject({
      code: 'OUTCOME_UNKNOWN',
      cause: { message: 'bytes are left' },
    })
  })

  test('is answered although this process was busy for longer than its timeout', async () => {
    const broker = await fakeBroker(echo)
    const connections = connectionsTo([broker])
    await connections.send(1, text('warm'))
    const child = connections.send(1, text('a', 40))
    // The answer is in the socket before the timer is looked at.
    await broker.requests(2)
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 120)
    expect(await child).toBe('a')
  })
})

describe('after a failure', () => {
  test('the next request connects again', async () => {
    const broker = await fakeBroker(echo)
    const connections = connectionsTo([broker])
    await connections.send(1, text('a'))
    broker.cut()
    await vi.waitFor(async () => expect(await connections.send(1, text('b'))).toBe('b'))
    expect(broker.connections).toBe(2)
  })

  test('a broker that was down is connected to once it is up', async () => {
    const port = await freePort()
    const connections = new Connections({ brokers: [`127.0.0.1:${port}`], clientId: 'shop' }, 'test')
    closing.push(() => connections.close())
    await expect(connections.sendToAny(text('a'))).rejects.toMatchObject({ code: 'CONNECTION_FAILED' })
    await fakeBroker(echo, { port })
    expect(await connections.sendToAny(text('a'))).toBe('a')
  })
})

describe('any broker', () => {
  test('is the next when one is down', async () => {
    const broker = await fakeBroker(echo)
    const brokers = [`127.0.0.1:${await freePort()}`, broker.address]
    const connections = new Connections({ brokers, clientId: 'shop' }, 'test')
    closing.push(() => connections.close())
    expect(await connections.sendToAny(text('a'))).toBe('a')
    expect(await connections.sendToAny(text('b'))).toBe('b')
  })

  test('is the next when one does not answer', async () => {
    const [hanging, healthy] = [await fakeBroker(silent), await fakeBroker(echo)]
    const connections = connectionsTo([hanging, healthy])
    expect(await connections.sendToAny(text('a', 50))).toBe('a')
  })

  test('fails with the error of the brokers when none answers', async () => {
    const brokers = [`127.0.0.1:${await freePort()}`, `127.0.0.1:${await freePort()}`]
    const connections = new Connections({ brokers, clientId: 'shop' }, 'test')
    await expect(connections.sendToAny(text('a'))).rejects.toMatchObject({ code: 'CONNECTION_FAILED' })
  })

  test('keeps to the connection that there is', async () => {
    const brokers = [await fakeBroker(echo), await fakeBroker(echo), await fakeBroker(echo)]
    const connections = connectionsTo(brokers)
    for (let i = 0; i < 6; i++) await connections.sendToAny(text('a'))
    expect(brokers.reduce((sum, broker) => sum + broker.connections, 0)).toBe(1)
  })
})

describe('addresses', () => {
  test('a broker that moved loses its connection, and its requests are of unknown outcome', async () => {
    const [before, after] = [await fakeBroker(silent), await fakeBroker(echo)]
    const connections = connectionsTo([before])
    const waiting = connections.send(1, text('a'))
    waiting.catch(silent)
    await before.requests(1)
    connections.know([{ nodeId: 1, host: '127.0.0.1', port: after.port }])
    await expect(waiting).rejects.toMatchObject({ code: 'OUTCOME_UNKNOWN' })
    expect(await connections.send(1, text('b'))).toBe('b')
    expect(after.connections).toBe(1)
  })

  test('a broker that is where it was keeps its connection', async () => {
    const broker = await fakeBroker(echo)
    const connections = connectionsTo([broker])
    await connections.send(1, text('a'))
    connections.know([{ nodeId: 1, host: '127.0.0.1', port: broker.port }])
    await connections.send(1, text('b'))
    expect(broker.connections).toBe(1)
  })

  test.each(['kafka', 'kafka:', 'kafka:0', 'kafka:70000', ':9092', '::1:9092', 'kafka:9092/x'])(
    '%s is refused',
    (address) => {
      expect(() => new Connections({ brokers: [address], clientId: 'shop' }, 'test')).toThrow(RangeError)
    },
  )

  test.each(['kafka:9092', '[::1]:9092', '10.0.0.1:1'])('%s is taken', (address) => {
    expect(() => new Connections({ brokers: [address], clientId: 'shop' }, 'test')).not.toThrow()
  })
})

describe('closing', () => {
  test('rejects what waits, ends the sockets, and may be done twice', async () => {
    const broker = await fakeBroker(silent)
    const connections = connectionsTo([broker])
    const waiting = connections.send(1, text('a'))
    waiting.catch(silent)
    await broker.requests(1)
    await connections.close()
    await connections.close()
    await expect(waiting).rejects.toMatchObject({ code: 'OUTCOME_UNKNOWN' })
    await expect(connections.send(1, text('b'))).rejects.toMatchObject({ code: 'CONNECTION_FAILED' })
    await expect(connections.sendToAny(text('b'))).rejects.toMatchObject({ code: 'CONNECTION_FAILED' })
    await vi.waitFor(() => expect(broker.open).toBe(0))
  })

  test('rejects a request whose connection is being opened: it was not sent', async () => {
    const broker = await fakeBroker(silent, { versions: () => undefined })
    const connections = connectionsTo([broker])
    const waiting = connections.send(1, text('a'))
    waiting.catch(silent)
    await vi.waitFor(() => expect(broker.open).toBe(1))
    await connections.close()
    await expect(waiting).rejects.toMatchObject({ code: 'CONNECTION_FAILED' })
  })

  test('no timer has a negative length', async () => {
    const warnings: string[] = []
    const onWarning = (warning: Error) => warnings.push(warning.name)
    process.on('warning', onWarning)
    const broker = await fakeBroker(echo)
    const connections = connectionsTo([broker])
    for (let i = 0; i < 20; i++) await connections.send(1, text('a'))
    await connections.close()
    await vi.waitFor(() => expect(broker.open).toBe(0))
    process.off('warning', onWarning)
    expect(warnings).toEqual([])
  })
})
