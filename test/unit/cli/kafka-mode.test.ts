import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { DirectoryError } from '../../../cli/errors.ts'
import { pipelineGate } from '../../../cli/pipeline/gate.ts'
import { healthChecks } from '../../../cli/pipeline/health.ts'
import { connectionOptions } from '../../../cli/pipeline/kafka-connection.ts'
import { openKafkaDirectory } from '../../../cli/pipeline/kafka-shop-log.ts'
import { keptValue } from '../../../cli/pipeline/kept-file.ts'
import { queriesOf, runnerOf } from '../../../cli/pipeline/queries.ts'
import { shopTopologies } from '../../../cli/pipeline/topologies.ts'
import { type Config, ConfigError, loadConfig } from '../../../config/index.ts'
import { createTopics, embeddedSchemas } from '../../../schemas/index.ts'
import type { Streams, Topology } from '../../../streams/index.ts'
import { createLogger, Telemetry } from '../../../telemetry/index.ts'
import { campaignStore, couponIssuance } from '../../../topologies/index.ts'

const directory = mkdtempSync(join(tmpdir(), 'millrace-kafka-mode-'))
afterAll(() => rmSync(directory, { recursive: true, force: true }))

const { signal } = new AbortController()
const telemetry = new Telemetry({
  logger: createLogger({ level: 'silent', format: 'json' }),
  version: '1.2.3',
  maxCampaigns: 0,
})

function configOf(
  settings: Readonly<Record<string, string>> = {},
  env: Readonly<Record<string, string>> = {},
): Config {
  const all = { 'kafka.brokers': 'localhost:9092', ...settings }
  const flags = Object.fromEntries(Object.entries(all).map(([key, text]) => [key, { text, flag: '--set' }]))
  return loadConfig({ env, cwd: '/', flags }).config
}

describe('topologies', () => {
  test('are all of them, or those that are named', () => {
    expect(shopTopologies(configOf()).here).toHaveLength(13)
    const { all, here } = shopTopologies(configOf({ topologies: 'catalog,coupon-wallet' }))
    expect(here.map(({ name }) => name)).toEqual(['coupon-wallet', 'catalog'])
    expect(all).toHaveLength(13)
  })

  test('that there are not are refused, with the nearest', () => {
    const open = () => shopTopologies(configOf({ topologies: 'catalgo' }))
    expect(open).toThrow(ConfigError)
    expect(open).toThrow(/there is no catalgo; did you mean catalog\?/)
  })

  test('take the topics that they are given', () => {
    const topics = createTopics(embeddedSchemas)
    const { all } = shopTopologies(configOf(), topics)
    const used = all.flatMap(({ subTopologies }) => subTopologies.flatMap(({ sources }) => sources))
    expect(used.map(({ topic }) => topic)).toContain(topics.orderConfirmed)
  })

  test('write records of the catalogue with the given schemas also into topics of their own', () => {
    const topics = createTopics(embeddedSchemas)
    const { all } = shopTopologies(configOf(), topics)
    const own = all.flatMap(({ internalTopics }) => internalTopics)
    expect(own.map(({ value }) => value)).toContain(topics.couponIssued.value)
    const used = all.flatMap(({ subTopologies }) => subTopologies.flatMap(({ sources }) => sources))
    expect(
      used.map(({ topic }) => topic.value).filter((value) => value === topics.couponIssued.value),
    ).toHaveLength(3)
  })

  test('that run elsewhere have every key elsewhere', async () => {
    const streams = { runners: [] } as unknown as Streams
    const campaigns = queriesOf(streams, couponIssuance.name, campaignStore)
    const elsewhere = { code: 'TASK_NOT_HERE', detail: 'coupon-issuance does not run in this process' }
    expect(() => campaigns.get('spring')).toThrow(expect.objectContaining(elsewhere))
    await expect(campaigns.page('spring', { limit: 1 })).rejects.toMatchObject(elsewhere)
    expect(await campaigns.pageAll({ limit: 1 })).toEqual([])
    expect(() => runnerOf(streams, couponIssuance.name)).toThrow(expect.objectContaining(elsewhere))
  })
})

describe('health', () => {
  const task = { topology: 'catalog', subTopology: 0, partition: 3 }
  const runner = { topology: { name: 'catalog' }, state: 'running', tasks: [], notRunning: [task] }
  const streams = { runners: [runner] } as unknown as Streams
  const deciding = [{ name: 'catalog' }] as Topology[]
  const failing = (probe: 'live' | 'ready' | 'startup'): string[] => {
    const checks = healthChecks(probe, streams, deciding, () => [{ name: 'other', ok: false }])
    return checks.filter(({ ok }) => !ok).map(({ name }) => name)
  }

  test('a task that is being restored keeps the process from being ready, not from living', () => {
    expect(failing('live')).toEqual([])
    expect(failing('startup')).toEqual(['tasks'])
    expect(failing('ready')).toEqual(['tasks', 'other'])
  })
})

describe('health of a sentinel', () => {
  const task = { topology: 'sentinel', subTopology: 0, partition: 3 }
  const failed = { topology: { name: 'sentinel' }, state: 'failed', tasks: [], notRunning: [task] }
  const streams = { runners: [failed] } as unknown as Streams

  test('that has failed: the shop lives and serves, degraded', () => {
    for (const probe of ['live', 'startup', 'ready'] as const) {
      const checks = healthChecks(probe, streams, [], () => [])
      expect(checks.every(({ ok }) => ok)).toBe(true)
      expect(checks.find(({ degraded }) => degraded)?.detail).toBe('failed, 1 tasks do not run')
    }
  })
})

describe('before it has joined', () => {
  test('a process lives, is not ready, and takes and tells nothing', async () => {
    const { pipeline } = pipelineGate(telemetry)
    expect(pipeline.health('live').every(({ ok }) => ok)).toBe(true)
    expect(pipeline.health('ready').some(({ ok }) => ok)).toBe(false)
    expect(pipeline.admission('order.confirmed')).toMatchObject({ retryAfterMs: 1_000 })
    expect(() => pipeline.product('p')).toThrow(expect.objectContaining({ code: 'TASK_NOT_HERE' }))
    expect((await pipeline.metrics()).body).toContain('millrace_build_info')
  })

  test('and afterwards does what is behind the gate', () => {
    const gate = pipelineGate(telemetry)
    class Behind {
      readonly #title = 'a hat'
      titles(): readonly string[] {
        return [this.#title]
      }
    }
    gate.open(new Behind() as never)
    expect(gate.pipeline.titles(['p'])).toEqual(['a hat'])
    expect(gate.pipeline.copies).toBeUndefined()
  })
})

describe('a kept value', () => {
  const value = { name: 'slot', pattern: /^[0-9a-f]{8}$/, draw: () => '0badcafe' }

  test('is drawn once, and for its own user', async () => {
    expect(await keptValue(directory, value)).toBe('0badcafe')
    expect(await keptValue(directory, { ...value, draw: () => 'deadbeef' })).toBe('0badcafe')
    expect(readFileSync(join(directory, 'slot'), 'utf8')).toBe('0badcafe\n')
    expect(statSync(join(directory, 'slot')).mode & 0o777).toBe(0o600)
  })

  test('that is none of ours is not used', async () => {
    writeFileSync(join(directory, 'other'), '../../etc\n')
    await expect(keptValue(directory, { ...value, name: 'other' })).rejects.toThrow(DirectoryError)
  })
})

describe('its data directory', () => {
  const open = (dataDir: string, env: Readonly<Record<string, string>> = {}) =>
    openKafkaDirectory({ config: configOf({ dataDir }, env), telemetry, version: '1.2.3', signal })

  test('is held by one process, and let go at the end', async () => {
    const dataDir = join(directory, 'held')
    const first = await open(dataDir)
    await expect(open(dataDir)).rejects.toMatchObject({
      code: 'STATE_LOCKED',
      message: expect.stringContaining(`locked by pid ${process.pid}`),
    })
    await first.close()
    await first.close()
    await (await open(dataDir)).close()
  })

  test('seals cursors as long as it lives, or as all processes with the same secret do', async () => {
    const secretOf = async (name: string, env: Readonly<Record<string, string>> = {}): Promise<string> => {
      const opened = await open(join(directory, name), env)
      await opened.close()
      return opened.cursorSecret.toString('hex')
    }
    expect(await secretOf('one')).toBe(await secretOf('one'))
    expect(await secretOf('one')).not.toBe(await secretOf('two'))
    const env = { MILLRACE_PEERS_SECRET: 'the-one-of-the-deployment' }
    expect(await secretOf('one', env)).toBe(await secretOf('two', env))
    expect(await secretOf('one', env)).not.toContain(env.MILLRACE_PEERS_SECRET)
  })

  test('keeps no orders as recorded, and makes no backup', async () => {
    const options = {
      config: configOf({ dataDir: join(directory, 'old') }),
      telemetry,
      version: '1.2.3',
      signal,
    }
    await expect(openKafkaDirectory({ ...options, mode: 'as-recorded' })).rejects.toThrow(/--as-recorded/)
    const opened = await openKafkaDirectory(options)
    await expect(opened.backup('/somewhere')).rejects.toThrow(/the cluster has everything/)
    await opened.close()
  })
})

describe('the connection', () => {
  test('has brokers and a name', () => {
    const config = configOf({ 'kafka.brokers': 'a:1,b:2' })
    expect(connectionOptions(config, 'shop-1')).toEqual({ brokers: ['a:1', 'b:2'], clientId: 'shop-1' })
  })

  test('has the certificates that the files hold', () => {
    const file = join(directory, 'ca.pem')
    writeFileSync(file, 'PEM')
    const { tls } = connectionOptions(configOf({ 'kafka.tls': 'true', 'kafka.tlsCaFile': file }), 'x')
    expect(tls).toEqual({ ca: Buffer.from('PEM') })
    const config = configOf({ 'kafka.tls': 'true', 'kafka.tlsCaFile': '/none.pem' })
    expect(() => connectionOptions(config, 'x')).toThrow(/kafka\.tlsCaFile .*ENOENT/)
  })

  test.each([
    ['plain', 'PLAIN'],
    ['scram-sha-256', 'SCRAM-SHA-256'],
    ['scram-sha-512', 'SCRAM-SHA-512'],
  ])('logs in with %s', (mechanism, name) => {
    const settings = { 'kafka.saslMechanism': mechanism, 'kafka.saslUsername': 'shop', 'kafka.tls': 'true' }
    const config = configOf(settings, { MILLRACE_KAFKA_SASL_PASSWORD: 'pa55' })
    expect(connectionOptions(config, 'x').sasl).toMatchObject({
      mechanism: name,
      username: 'shop',
      password: 'pa55',
    })
  })

  test('has the token that the file holds at the time', async () => {
    const file = join(directory, 'token')
    const config = configOf({
      'kafka.saslMechanism': 'oauthbearer',
      'kafka.oauthTokenFile': file,
      'kafka.tls': 'true',
    })
    const { sasl } = connectionOptions(config, 'x')
    if (sasl?.mechanism !== 'OAUTHBEARER') throw new Error('another mechanism')
    for (const token of ['first', 'second']) {
      writeFileSync(file, `${token}\n`)
      expect(await sasl.token()).toEqual({ value: token })
    }
  })
})
