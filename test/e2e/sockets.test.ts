/** A flood of connections: most are turned away, none is left hanging, and the shop does its work meanwhile. */
import { connect, type Socket } from 'node:net'
import { expect, onTestFinished, test } from 'vitest'
import { freshDirectory, getJson, startShop, stop } from './command.ts'
import { ask, openCoupon } from './coupons.ts'

const SOCKETS = 10_000
/** Opened at a time: more would overflow the backlog of the listening socket. */
const WAVE = 250
const REQUEST = 'GET /time HTTP/1.1\r\nhost: localhost\r\n\r\n'

test('10,000 sockets: an answer, 503 or an end for each, and coupons are given meanwhile', async () => {
  const shop = await startShop(freshDirectory())
  await openCoupon(shop, 'flood', 2)
  expect(await ask(shop, 'flood', 'before', 'r1')).toMatchObject({ status: 'ISSUED' })
  const held: Socket[] = []
  onTestFinished(() => held.forEach((socket) => socket.destroy()))
  const outcomes = new Map<string, number>()
  for (let opened = 0; opened < SOCKETS; opened += WAVE) {
    const wave = await Promise.all(Array.from({ length: WAVE }, () => outcomeOf(shop.url, held)))
    for (const outcome of wave) outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1)
    // On a connection that it has had from the beginning.
    if (opened === SOCKETS / 2)
      expect(await ask(shop, 'flood', 'amid', 'r2')).toMatchObject({ status: 'ISSUED', sequence: 2 })
  }
  expect([...outcomes.keys()].filter((outcome) => !['200', '503', 'ended'].includes(outcome))).toEqual([])
  expect(outcomes.get('200')).toBeGreaterThan(1_000)
  expect((outcomes.get('503') ?? 0) + (outcomes.get('ended') ?? 0)).toBeGreaterThan(0)
  for (const socket of held.splice(0)) socket.destroy()
  expect(await getJson(`${shop.url}/v1/coupons/flood`)).toMatchObject({ issued: 2 })
  expect((await stop(shop)).code).toBe(0)
})

/** The status of its first answer; `ended` where there was none. The socket stays open as long as it is let. */
function outcomeOf(url: string, held: Socket[]): Promise<string> {
  const { hostname, port } = new URL(url)
  const socket = connect(Number(port), hostname)
  held.push(socket)
  return new Promise((resolve) => {
    socket.on('connect', () => socket.write(REQUEST))
    socket.once('data', (data: Buffer) =>
      resolve(/^HTTP\/1\.1 (\d{3})/.exec(data.toString('latin1'))?.[1] ?? 'nonsense'),
    )
    socket.on('data', () => {})
    // A reset is one way of being ended.
    socket.on('error', () => {})
    socket.on('close', () => resolve('ended'))
  })
}
