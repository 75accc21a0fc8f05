/** The whole command on a real cluster: the same shop, with the log elsewhere. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import {
  DECEMBER,
  freshDirectory,
  getJson,
  run,
  sendJson,
  type Running,
  type Shop,
  start,
  startShop,
  stop,
} from '../e2e/command.ts'
import { ask, openCoupon } from '../e2e/coupons.ts'
import { eventually } from '../support/kafka/eventually.ts'
import { oneBroker } from '../support/kafka/own-cluster.ts'

const DEMO_TIMEOUT_MS = 300_000

const cluster = oneBroker({ registry: true })
/** Tasks are handed over at once, so that no test waits for the processes of the one before. */
const LEAVES = ['--set', 'kafka.leaveOnStop=true']
const kafka = (): string[] => ['--kafka', cluster().bootstrap, ...LEAVES]
const registry = (): string[] => ['--registry', cluster().registryUrl as string]
const registers = (): string[] => [...registry(), '--set', 'registry.register=true']

interface Planned {
  readonly name: string
  readonly action: string
}

async function plan() {
  const args = ['topics', 'plan', '--json', '--kafka', cluster().bootstrap]
  const { code, stdout, stderr } = await run(args)
  return { code, stderr, topics: JSON.parse(stdout) as readonly Planned[] }
}

describe('the topics of a shop', () => {
  test('are planned, made and compared, changelogs and dead letters too', async () => {
    const before = await plan()
    expect(before.code).toBe(3)
    expect(new Set(before.topics.map(({ action }) => action))).toEqual(new Set(['create']))
    const names = before.topics.map(({ name }) => name)
    for (const name of ['order.confirmed', 'order.confirmed.dlq', 'millrace-catalog-products-changelog'])
      expect(names).toContain(name)

    const args = ['start', '--port', '0', '--data-dir', freshDirectory(), ...kafka()]
    const unmade = await run([...args, '--set', 'kafka.createTopics=false'])
    expect(unmade.stderr).toContain("make it with 'millrace topics apply'")
    expect(unmade.code).toBe(1)

    // As a container does it: the environment alone.
    const applied = await run(['topics', 'apply'], { MILLRACE_KAFKA_BROKERS: cluster().bootstrap })
    expect(applied.stdout).toMatch(/order\.confirmed +create/)
    expect(applied.code).toBe(0)
    const after = await plan()
    expect(after.code).toBe(0)
    expect(new Set(after.topics.map(({ action }) => action))).toEqual(new Set(['ok']))
  })

  test('that cannot become what they should stay as they are', async () => {
    const overrides = '{"coupon.issue.rejected":{"partitions":3},"order.cancelled":{"retentionMs":5}}'
    const args = ['topics', 'apply', '--kafka', cluster().bootstrap]
    const { code, stdout, stderr } = await run([...args, '--set', `topics.overrides=${overrides}`])
    expect(stdout).toMatch(/coupon\.issue\.rejected +mismatch +partitions 6, not 3/)
    expect(stderr).toContain('nothing was changed: coupon.issue.rejected')
    expect(code).toBe(3)
    expect((await plan()).code).toBe(0)
  })
})

describe('a shop', () => {
  test('whose schemas are not registered does not start, and says what registers them', async () => {
    const args = ['start', '--port', '0', '--data-dir', freshDirectory(), ...kafka(), ...registry()]
    const { code, stderr } = await run(args)
    expect(stderr).toContain('run: millrace schemas register')
    expect(code).toBe(1)
  })

  test('that is ended and started again knows what it decided', async () => {
    const dataDir = freshDirectory()
    const first = await startReady(dataDir)
    await openCoupon(first, 'spring', 2)
    const before = await ask(first, 'spring', 'ann', 'r1')
    expect(before).toMatchObject({ status: 'ISSUED', sequence: 1 })
    const slot = readFileSync(join(dataDir, 'slot'), 'utf8')

    const other = await run(['start', '--port', '0', '--data-dir', dataDir, ...kafka()])
    expect(other.stderr).toContain(`locked by pid ${first.pid}`)
    expect(other.code).toBe(4)
    const ended = await stop(first)
    expect(ended.code).toBe(0)
    // Nor does Node warn of what libraries do.
    expect(ended.stderr).not.toContain('Warning')

    const second = await startReady(dataDir)
    expect(await getJson(`${second.url}/v1/coupons/spring`)).toMatchObject({ quota: 2, issued: 1 })
    expect(await ask(second, 'spring', 'ann', 'r1')).toEqual(before)
    expect(await ask(second, 'spring', 'bob', 'r2')).toMatchObject({ status: 'ISSUED', sequence: 2 })
    expect(readFileSync(join(dataDir, 'slot'), 'utf8')).toBe(slot)
    await stop(second)

    const embedded = await run(['start', '--port', '0', '--data-dir', dataDir])
    expect(embedded.stderr).toContain('belongs to millrace on Kafka')
    expect(embedded.code).toBe(4)
  })

  test('has its state again in a directory that has none', async () => {
    const first = await startReady(freshDirectory())
    await openCoupon(first, 'summer', 2)
    const before = await ask(first, 'summer', 'ann', 'r1')
    await stop(first)
    const second = await startReady(freshDirectory())
    expect(await ask(second, 'summer', 'ann', 'r1')).toEqual(before)
    const metrics = await (await fetch(`${second.url}/metrics`)).text()
    expect(metrics).toContain('millrace_topology_state{topology="coupon-issuance",state="running"} 1')
    await stop(second)
  })

  test('that runs some topologies leaves the others to other processes', async () => {
    const shop = await startReady(freshDirectory(), '--topologies', 'catalog')
    const { checks } = await getJson(`${shop.url}/readyz`)
    expect(checks).toEqual([
      { name: 'topology catalog', ok: true, detail: 'running' },
      { name: 'tasks', ok: true, detail: '6 run' },
      { name: 'dead letters', ok: true, detail: 'no task is paused' },
    ])
    const response = await fetch(`${shop.url}/v1/users/ann/coupons`)
    expect(response.status).toBe(503)
    expect(response.headers.get('retry-after')).toBe('1')
    await stop(shop)
  })

  test('keeps no orders as recorded', async () => {
    const args = ['replay', DECEMBER, '--as-recorded', '--exit', '--port', '0', ...kafka()]
    const { code, stderr } = await run([...args, '--data-dir', freshDirectory()])
    expect(stderr).toContain('--as-recorded')
    expect(code).toBe(2)
  })
})

describe('two workers', () => {
  test('share the tasks, answer for each other, and come back when one is killed', async () => {
    const { parent, workers } = await startWorkers()
    const [one, two] = workers
    await openCoupon(one, 'autumn', 2)
    const verdict = await ask(one, 'autumn', 'ann', 'r1')
    expect(verdict).toMatchObject({ status: 'ISSUED' })
    for (const { url } of workers)
      expect(await getJson(`${url}/v1/coupons/autumn/requests/r1`)).toEqual(verdict)

    process.kill(two.pid, 'SIGKILL')
    await parent.said(/worker \d ended with 137; again in 1 s/)
    const back = await eventually(async () => listening(await parent.said(/./))[2])
    await Promise.all([ready(one.url), ready(back.url)])
    for (const { url } of [one, back])
      expect(await getJson(`${url}/v1/coupons/autumn/requests/r1`)).toEqual(verdict)

    expect((await stop(parent)).code).toBe(0)
    expect([one, back].map(({ pid }) => isAlive(pid))).toEqual([false, false])
  })

  test('make one order of an Idempotency-Key, whichever is asked, and tell who sent the other', async () => {
    const { parent, workers } = await startWorkers()
    const mug = { title: 'Mug', price: 300, received: 100 }
    await sendJson('PUT', `${workers[0].url}/v1/products/mug`, mug)
    const orderOf = (units: number) => ({ userId: 'ann', items: [{ productId: 'mug', quantity: units }] })
    // Each reads the catalogue along for itself.
    for (const { url } of workers)
      await eventually(async () => (await order(url, orderOf(1), `warm ${url}`)).status === 202)

    const same = await Promise.all([...workers, ...workers].map(({ url }) => order(url, orderOf(2), 'one')))
    expect(same.map(({ status }) => status)).toEqual([202, 202, 202, 202])
    expect(new Set(same.map(({ body }) => body['orderId'])).size).toBe(1)

    const sent = await Promise.all(workers.map(({ url }, i) => order(url, orderOf(3 + i), 'other')))
    // Where the one that came first is known already it is said at once, else at the place to ask.
    const told = await Promise.all(
      sent.map(async ({ status, body, location }, i) => {
        if (status !== 202) return { status, body }
        const response = await fetch(`${workers[1 - i]?.url}${location}&wait=10s`)
        return { status: response.status, body: (await response.json()) as Record<string, unknown> }
      }),
    )
    const winner = told.findIndex(({ status }) => status === 200)
    expect(told[winner]?.body).toMatchObject({ items: [{ productId: 'mug', quantity: 3 + winner }] })
    expect(told[1 - winner]).toMatchObject({ status: 422, body: { code: 'IDEMPOTENCY_CONFLICT' } })

    const ids = async () => {
      const { items } = await getJson(`${workers[0].url}/v1/orders?userId=ann`)
      return (items as readonly { readonly orderId: string }[]).map(({ orderId }) => orderId)
    }
    await eventually(async () => (await ids()).length === 4)
    const expected = [same[0]?.body['orderId'], sent[winner]?.body['orderId']]
    expect(await ids()).toEqual(expect.arrayContaining(expected))
    await stop(parent)
  })

  test('end when the process that started them is gone', async () => {
    const { parent, workers } = await startWorkers()
    parent.kill('SIGKILL')
    await parent.finished
    await eventually(() => workers.every(({ pid }) => !isAlive(pid)))
  })

  test('that cannot start end the parent as they end', async () => {
    const args = ['start', '--workers', '2', '--port', '0', '--data-dir', freshDirectory(), ...kafka()]
    const { code, stderr } = await run([...args, '--topologies', 'catalgo'])
    expect(stderr).toMatch(/there is no catalgo[\s\S]*worker \d ended with exit code 2/)
    expect(code).toBe(2)
  })
})

describe('the demo', () => {
  test('is not for brokers that have topics of a shop', async () => {
    await run(['topics', 'apply', '--kafka', cluster().bootstrap])
    const { code, stderr } = await run(['demo', '--exit', '--kafka', cluster().bootstrap])
    expect(stderr).toContain('the demo needs brokers without')
    expect(code).toBe(2)
  })

  test(
    'on a broker of its own holds all that it checks',
    async () => {
      const { code, stdout } = await run(['demo', '--exit', '--kafka'])
      expect(stdout).not.toContain('failed')
      expect(stdout.match(/^ {2}ok /gm)).toHaveLength(22)
      expect(code).toBe(0)
    },
    DEMO_TIMEOUT_MS,
  )
})

/** A shop whose tasks run: what restores is answered with 503 until then. */
async function startReady(dataDir: string, ...more: readonly string[]): Promise<Shop> {
  const shop = await startShop(dataDir, ...kafka(), ...registers(), ...more)
  await ready(shop.url)
  return shop
}

/** Placed under a key; `location` is where to ask. */
async function order(url: string, body: object, key: string) {
  const response = await fetch(`${url}/v1/orders`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'idempotency-key': key },
    body: JSON.stringify(body),
  })
  const said = (await response.json()) as Record<string, unknown>
  return { status: response.status, body: said, location: response.headers.get('location') }
}

interface Listening {
  readonly url: string
  readonly pid: number
}

async function startWorkers(): Promise<{ parent: Running; workers: [Listening, Listening] }> {
  const args = ['start', '--json', '--workers', '2', '--port', '0', '--data-dir', freshDirectory()]
  const parent = start([...args, ...kafka(), ...registers()])
  const [one, two] = listening(await parent.said(/("pid":\d+\}\n[\s\S]*){2}/))
  if (one === undefined || two === undefined) throw new Error('two were to listen')
  await Promise.all([ready(one.url), ready(two.url)])
  return { parent, workers: [one, two] }
}

function listening(stdout: string): Listening[] {
  return stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Listening)
}

async function ready(url: string): Promise<void> {
  await eventually(async () => (await fetch(`${url}/readyz`)).ok)
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}
