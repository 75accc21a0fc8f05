import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { inspect } from 'node:util'
import { afterAll, describe, expect, test } from 'vitest'
import {
  ConfigError,
  type ConfigInput,
  configKeys,
  type ConfigProblem,
  loadConfig,
  nearest,
} from '../../../config/index.ts'

const directory = mkdtempSync(join(tmpdir(), 'millrace-config-'))
afterAll(() => rmSync(directory, { recursive: true, force: true }))

const TOKEN = 'a-token-of-some-length'
const OTHER_TOKEN = 'another-token-of-some-length'

function load(input: Partial<ConfigInput> = {}) {
  return loadConfig({ env: {}, cwd: directory, ...input })
}

function configFile(content: unknown): string {
  const file = join(directory, 'config.json')
  writeFileSync(file, typeof content === 'string' ? content : JSON.stringify(content))
  return file
}

function secretFile(content: string): string {
  const file = join(directory, 'secret')
  writeFileSync(file, content)
  return file
}

function flags(values: Readonly<Record<string, string>>) {
  return Object.fromEntries(
    Object.entries(values).map(([key, text]) => [key, { text, flag: `--set ${key}` }]),
  )
}

function problemsOf(input: Partial<ConfigInput>): readonly ConfigProblem[] {
  try {
    load(input)
  } catch (error) {
    if (error instanceof ConfigError) return error.problems
    throw error
  }
  return []
}

describe('where values come from', () => {
  test('without anything the defaults hold', () => {
    const { config } = load()
    expect(config.http).toMatchObject({ host: '127.0.0.1', port: 8080 })
    expect(config.topics.partitions).toBe(6)
    expect(config.ranking.closing).toBe('wallClock')
    expect(config.dataDir).toBe(join(directory, '.millrace'))
    expect(config.auth.tokens).toEqual([])
  })

  test('a flag goes over the environment, that over the file, that over the default', () => {
    const file = configFile({ http: { port: 1 }, ranking: { graceMs: 1 }, commitIntervalMs: 1 })
    const env = { MILLRACE_PORT: '2', MILLRACE_RANKING_GRACE_MS: '2' }
    const { config, shown } = load({ file, env, flags: flags({ 'http.port': '3' }) })
    expect([
      config.http.port,
      config.ranking.graceMs,
      config.commitIntervalMs,
      config.topics.partitions,
    ]).toEqual([3, 2, 1, 6])
    expect(shown.find(({ path }) => path === 'http.port')?.origin).toBe('--set http.port')
    expect(shown.find(({ path }) => path === 'ranking.graceMs')?.origin).toBe('MILLRACE_RANKING_GRACE_MS')
  })

  test('MILLRACE_CONFIG names the file', () => {
    const file = configFile({ http: { port: 4 } })
    expect(load({ env: { MILLRACE_CONFIG: file } }).config.http.port).toBe(4)
  })

  test('variables that are not ours do not concern us', () => {
    expect(load({ env: { PATH: '/bin', PORT: '1' } }).config.http.port).toBe(8080)
  })

  test('structured keys are JSON in variables', () => {
    const env = { MILLRACE_TOPIC_OVERRIDES: '{"order.confirmed":{"retentionMs":"unlimited"}}' }
    expect(load({ env }).config.topics.overrides['order.confirmed']).toEqual({
      retentionMs: Number.POSITIVE_INFINITY,
    })
  })

  test('unlimited is Infinity', () => {
    expect(load({ env: { MILLRACE_RETENTION_MS: 'unlimited' } }).config.topics.retentionMs).toBe(
      Number.POSITIVE_INFINITY,
    )
  })

  test('the result is frozen to its depths', () => {
    const { config } = load({ env: { MILLRACE_TOPIC_OVERRIDES: '{"order.confirmed":{"retentionMs":5}}' } })
    expect(Object.isFrozen(config.topics.overrides['order.confirmed'])).toBe(true)
    expect(() => Object.assign(config.http, { port: 1 })).toThrow(TypeError)
  })
})

describe('what is refused, naming the field', () => {
  const rows: readonly [what: string, input: () => Partial<ConfigInput>, key: string, message: RegExp][] = [
    ['an unknown key of a file', () => ({ file: configFile({ htpp: { port: 1 } }) }), 'htpp', /no such key/],
    [
      'an unknown key in a section',
      () => ({ file: configFile({ http: { prot: 1 } }) }),
      'http.prot',
      /mean http\.port/,
    ],
    ['an unknown variable', () => ({ env: { MILLRACE_PROT: '1' } }), 'MILLRACE_PROT', /mean MILLRACE_PORT/],
    [
      'an unknown flag',
      () => ({ flags: flags({ 'ranking.grace': '1' }) }),
      'ranking.grace',
      /mean ranking\.graceMs/,
    ],
    [
      'a section that is no object',
      () => ({ file: configFile({ http: 8080 }) }),
      'http',
      /must be an object/,
    ],
    ['a file that is no JSON', () => ({ file: configFile('{') }), 'config file', /not JSON/],
    ['a file that is not there', () => ({ file: join(directory, 'none') }), 'config file', /ENOENT/],
    ['a file that is a list', () => ({ file: configFile([]) }), 'config file', /must be an object/],
    [
      'a wrong type in a file',
      () => ({ file: configFile({ http: { port: '80' } }) }),
      'http.port',
      /"80" is not an integer/,
    ],
    [
      'a wrong type in a variable',
      () => ({ env: { MILLRACE_PORT: 'tcp://10.0.0.1' } }),
      'http.port',
      /is not an integer/,
    ],
    ['port 65536', () => ({ flags: flags({ 'http.port': '65536' }) }), 'http.port', /from 0 to 65535/],
    ['port -1', () => ({ flags: flags({ 'http.port': '-1' }) }), 'http.port', /from 0 to 65535/],
    [
      'a port with a fraction',
      () => ({ flags: flags({ 'http.port': '80.5' }) }),
      'http.port',
      /from 0 to 65535/,
    ],
    ['an empty number', () => ({ env: { MILLRACE_PORT: '' } }), 'http.port', /is not an integer/],
    [
      'a word that is not one of these',
      () => ({ env: { MILLRACE_RANKING_CLOSING: 'never' } }),
      'ranking.closing',
      /one of streamTime, wallClock/,
    ],
    [
      'a limit that is neither number nor unlimited',
      () => ({ env: { MILLRACE_RETENTION_MS: 'forever' } }),
      'topics.retentionMs',
      /or 'unlimited'/,
    ],
    [
      'a relative path that escapes',
      () => ({ flags: flags({ dataDir: '../elsewhere' }) }),
      'dataDir',
      /leaves the working directory/,
    ],
    [
      'one that escapes on a detour',
      () => ({ flags: flags({ dataDir: 'a/../../b' }) }),
      'dataDir',
      /leaves the working directory/,
    ],
    ['a path with NUL', () => ({ flags: flags({ dataDir: '/tmp/a\0b' }) }), 'dataDir', /NUL/],
    [
      'a name with a slash',
      () => ({ flags: flags({ application: 'a/b' }) }),
      'application',
      /letters, digits/,
    ],
    [
      'an override of nonsense',
      () => ({ env: { MILLRACE_TOPIC_OVERRIDES: '{"t":{"partitions":0}}' } }),
      'topics.overrides.t.partitions',
      /from 1 to 1024/,
    ],
    [
      'an unknown key of an override',
      () => ({ env: { MILLRACE_TOPIC_OVERRIDES: '{"t":{"parts":1}}' } }),
      'topics.overrides.t.parts',
      /no such key/,
    ],
    [
      'an override of what is no name of a topic',
      () => ({ env: { MILLRACE_TOPIC_OVERRIDES: '{"[object Object]":null}' } }),
      'topics.overrides.[object Object]',
      /no such key/,
    ],
    ['JSON that is none', () => ({ env: { MILLRACE_PRODUCERS: '[' } }), 'auth.producers', /not JSON/],
    [
      'a zone that there is not',
      () => ({ env: { MILLRACE_TIME_ZONE: 'Mars/Olympus' } }),
      'shop.timeZone',
      /not an IANA time zone/,
    ],
    [
      'a currency in small letters',
      () => ({ env: { MILLRACE_CURRENCY: 'gbp' } }),
      'shop.currency',
      /three capital letters/,
    ],
    [
      'retention below grace',
      () => ({ env: { MILLRACE_RANKING_RETENTION_MS: '1' } }),
      'ranking.retentionMs',
      /less than ranking\.graceMs/,
    ],
    [
      'a flood that no window can hold',
      () => ({ env: { MILLRACE_DEAD_LETTERS_WINDOW_RECORDS: '99' } }),
      'deadLetters.leastDeadLetters',
      /it would never open/,
    ],
    [
      'mails that are put off with other partitions',
      () => ({ env: { MILLRACE_TOPIC_OVERRIDES: '{"mail.requested":{"partitions":3}}' } }),
      'topics.overrides',
      /mail\.requested 3, mail\.retry\.requested 6: these need the same number of partitions/,
    ],
    [
      'a courier whose answers have other partitions than what it is asked',
      () => {
        const asked = ['requested', 'cancel.requested', 'call.result'].map((name) => [
          `delivery.${name}`,
          { partitions: 3 },
        ])
        const overrides = JSON.stringify(Object.fromEntries(asked))
        return {
          env: { MILLRACE_TOPIC_OVERRIDES: overrides, MILLRACE_DELIVERIES_URL: 'http://localhost:9/v1' },
        }
      },
      'topics.overrides',
      /delivery\.requested 3, delivery\.result 6, .*: these need the same number of partitions/,
    ],
    [
      'partners with other partitions',
      () => ({ env: { MILLRACE_TOPIC_OVERRIDES: '{"order.returned":{"partitions":3}}' } }),
      'topics.overrides',
      /same number of partitions/,
    ],
    [
      'a public address without tokens',
      () => ({ flags: flags({ 'http.host': '0.0.0.0' }) }),
      'http.host',
      /MILLRACE_READ_TOKEN and MILLRACE_ADMIN_TOKEN/,
    ],
    [
      'one with a read token only',
      () => ({ env: { MILLRACE_READ_TOKEN: TOKEN }, flags: flags({ 'http.host': '::' }) }),
      'http.host',
      /MILLRACE_ADMIN_TOKEN/,
    ],
    [
      'a token of a few characters',
      () => ({ env: { MILLRACE_READ_TOKEN: 'short' } }),
      'auth.readToken',
      /16 to 4096/,
    ],
    [
      'a token in a file',
      () => ({ file: configFile({ auth: { adminToken: TOKEN } }) }),
      'auth.adminToken',
      /use MILLRACE_ADMIN_TOKEN/,
    ],
    [
      'a token in a flag',
      () => ({ flags: flags({ 'auth.adminToken': TOKEN }) }),
      'auth.adminToken',
      /not read from here/,
    ],
    [
      'a token and its file',
      () => ({ env: { MILLRACE_READ_TOKEN: TOKEN, MILLRACE_READ_TOKEN_FILE: secretFile(TOKEN) } }),
      'auth.readToken',
      /also set by/,
    ],
    [
      'a secret file that is not there',
      () => ({ env: { MILLRACE_READ_TOKEN_FILE: join(directory, 'none') } }),
      'auth.readToken',
      /ENOENT/,
    ],
    [
      'the same token twice',
      () => ({ env: { MILLRACE_READ_TOKEN: TOKEN, MILLRACE_ADMIN_TOKEN: TOKEN } }),
      'auth.adminToken',
      /same token as read/,
    ],
    [
      'two producers of one id',
      () => ({ env: { A: TOKEN, B: OTHER_TOKEN, MILLRACE_PRODUCERS: producers('till/A', 'till/B') } }),
      'auth.producers',
      /till is given twice/,
    ],
    [
      'a producer without a token',
      () => ({ env: { MILLRACE_PRODUCERS: producers('till/A') } }),
      'auth.producers[0]',
      /variable A is not set/,
    ],
    [
      'a producer with a weak token',
      () => ({ env: { A: 'x', MILLRACE_PRODUCERS: producers('till/A') } }),
      'auth.producers[0]',
      /16 to 4096/,
    ],
    [
      'a producer without topics',
      () => ({ env: { MILLRACE_PRODUCERS: '[{"id":"till","topics":[],"tokenEnv":"A"}]' } }),
      'auth.producers[0].topics',
      /./,
    ],
  ]
  test.each(rows)('%s', (_what, input, key, message) => {
    const problems = problemsOf(input())
    expect(problems.map((problem) => problem.key)).toContain(key)
    expect(problems.find((problem) => problem.key === key)?.message).toMatch(message)
  })

  test.each([
    ['PAYMENTS_URL', 'http://pay.example/v1', 'pay.example can be reached over a network: use https'],
    ['DELIVERIES_URL', 'ftp://courier.example', 'is not https://host/path'],
    ['PAYMENTS_WEBHOOK_SECRETS', 'short', 'the value given is not 1 to 4 secrets'],
    ['PAYMENTS_WEBHOOK_SECRETS', 'long enough, or not', 'the value given is not 1 to 4 secrets'],
    ['PAYMENTS_WEBHOOK_SECRETS', 'one-that-is-long-enough', 'needs payments.url'],
  ])('MILLRACE_%s %s: %s', (name, text, message) => {
    expect(() => loadConfig({ env: { [`MILLRACE_${name}`]: text }, cwd: '/' })).toThrow(message)
  })

  test('a provider on this machine may be asked without TLS; its secrets do not show', () => {
    const env = {
      MILLRACE_PAYMENTS_URL: 'http://127.0.0.1:9000/api',
      MILLRACE_PAYMENTS_TOKEN: 'a-token-of-some-length',
      MILLRACE_PAYMENTS_WEBHOOK_SECRETS: 'one-that-is-long-enough,another-that-is-as-well',
    }
    const { config } = loadConfig({ env, cwd: '/' })
    expect(config.payments.webhookSecrets?.reveal().split(',')).toHaveLength(2)
    expect(JSON.stringify(config)).not.toMatch(/a-token|long-enough/)
  })

  test('all of it at once', () => {
    const env = { MILLRACE_PORT: 'x', MILLRACE_CURRENCY: 'x', MILLRACE_PROT: '1' }
    expect(problemsOf({ env })).toHaveLength(3)
  })
})

describe('secrets', () => {
  test('come from the environment or from a file, whose last line end is not theirs', () => {
    const env = { MILLRACE_READ_TOKEN: TOKEN, MILLRACE_ADMIN_TOKEN_FILE: secretFile(`${OTHER_TOKEN}\n`) }
    const tokens = load({ env, flags: flags({ 'http.host': '0.0.0.0' }) }).config.auth.tokens
    expect(tokens.map(({ id, role, token }) => [id, role, token.reveal()])).toEqual([
      ['read', 'read', TOKEN],
      ['admin', 'admin', OTHER_TOKEN],
    ])
  })

  test('a producer has its own, and its topics', () => {
    const env = { A: TOKEN, MILLRACE_PRODUCERS: producers('till/A') }
    const [grant] = load({ env }).config.auth.tokens
    expect(grant).toMatchObject({ id: 'till', role: 'producer', topics: ['order.confirmed'] })
    expect(grant?.token.reveal()).toBe(TOKEN)
  })

  test('never show, however the configuration is printed', () => {
    const { config, shown } = load({ env: { MILLRACE_READ_TOKEN: TOKEN } })
    const prints = [
      JSON.stringify(config),
      inspect(config, { depth: 9 }),
      JSON.stringify(shown),
      String(config.auth.tokens[0]?.token),
    ]
    for (const print of prints) {
      expect(print).toContain('[redacted]')
      expect(print).not.toContain(TOKEN)
    }
  })

  test('never show in a message about them', () => {
    const weak = 'short-secret'
    const { message } = new ConfigError(problemsOf({ env: { MILLRACE_READ_TOKEN: weak } }))
    expect(message).not.toContain(weak)
  })
})

describe('nearest', () => {
  test('finds slips of the fingers, and nothing for another word', () => {
    expect(nearest('prot', ['port', 'host'])).toBe('port')
    expect(nearest('completely-else', ['port', 'host'])).toBeUndefined()
  })
})

test('docs/configuration.md has every key with its variable and default', () => {
  const text = readFileSync(join(import.meta.dirname, '../../../docs/configuration.md'), 'utf8')
  for (const { path, env, default: value } of configKeys) {
    const shown = value === undefined ? '–' : `\`${JSON.stringify(value)}\``
    expect(text).toContain(`| \`${path}\` | \`${env}\``)
    expect(text.split('\n').find((line) => line.startsWith(`| \`${path}\` `))).toContain(`| ${shown} |`)
  }
  const documented = text.match(/^\| `[a-zA-Z.]+` \| `MILLRACE_/gm) ?? []
  expect(documented).toHaveLength(configKeys.length)
})

/** Producers by `id/variable of the token`. */
function producers(...list: readonly string[]): string {
  return JSON.stringify(
    list.map((one) => {
      const [id, tokenEnv] = one.split('/')
      return { id, topics: ['order.confirmed'], tokenEnv }
    }),
  )
}

describe('Kafka mode', () => {
  test('lists are words with commas, or JSON', () => {
    const env = { MILLRACE_KAFKA_BROKERS: 'a:9092, b:9092', MILLRACE_TOPOLOGIES: '["catalog"]' }
    const { config } = load({ env })
    expect(config.kafka.brokers).toEqual(['a:9092', 'b:9092'])
    expect(config.topologies).toEqual(['catalog'])
  })

  test('passwords come from files and do not show', () => {
    const env = {
      MILLRACE_KAFKA_BROKERS: 'broker:9092',
      MILLRACE_KAFKA_SASL_MECHANISM: 'scram-sha-512',
      MILLRACE_KAFKA_SASL_USERNAME: 'millrace',
      MILLRACE_KAFKA_SASL_PASSWORD_FILE: secretFile('hunter2\n'),
    }
    const { config } = load({ env })
    expect(config.kafka.saslPassword?.reveal()).toBe('hunter2')
    expect(inspect(config, { depth: 10 })).not.toContain('hunter2')
  })

  test.each([
    ['a broker without a port', 'kafka.brokers[0]', { MILLRACE_KAFKA_BROKERS: 'broker' }],
    ['workers without brokers', 'workers', { MILLRACE_WORKERS: '2' }],
    [
      'a sentinel where verdicts come twice by design',
      'sentinel.enabled',
      { MILLRACE_SENTINEL_ENABLED: 'true', MILLRACE_KAFKA_GUARANTEE: 'at-least-once' },
    ],
    [
      'a sentinel over topics of other partitions',
      'topics.overrides',
      {
        MILLRACE_SENTINEL_ENABLED: 'true',
        MILLRACE_TOPIC_OVERRIDES: '{"coupon.issued":{"partitions":3}}',
      },
    ],
    [
      'an order saga over topics of other partitions',
      'topics.overrides',
      { MILLRACE_TOPIC_OVERRIDES: '{"payment.result":{"partitions":3}}' },
    ],
    [
      'I12: services that forget what the log still has commands of',
      'orders.keepMs',
      {
        MILLRACE_TOPIC_OVERRIDES: '{"stock.restore.requested":{"retentionMs":2592000000}}',
      },
    ],
    [
      'returns of orders that services have forgotten',
      'orders.returnsMs',
      { MILLRACE_ORDERS_RETURNS_MS: '2591999999' },
    ],
    [
      'a wait for coupons that the order does not outlast',
      'orders.couponWaitMs',
      { MILLRACE_ORDERS_COUPON_WAIT_MS: '30000' },
    ],
    ['a flag that is neither true nor false', 'kafka.tls', { MILLRACE_KAFKA_TLS: 'yes' }],
    [
      'a password in the clear',
      'kafka.saslMechanism',
      {
        MILLRACE_KAFKA_BROKERS: 'broker:9092',
        MILLRACE_KAFKA_SASL_MECHANISM: 'plain',
        MILLRACE_KAFKA_SASL_USERNAME: 'millrace',
        MILLRACE_KAFKA_SASL_PASSWORD: 'hunter2',
      },
    ],
    [
      'a mechanism without its user',
      'kafka.saslUsername',
      {
        MILLRACE_KAFKA_SASL_MECHANISM: 'scram-sha-256',
        MILLRACE_KAFKA_SASL_PASSWORD: 'hunter2',
      },
    ],
    [
      'a mechanism without its token',
      'kafka.oauthTokenFile',
      { MILLRACE_KAFKA_SASL_MECHANISM: 'oauthbearer' },
    ],
    [
      'a certificate without its key',
      'kafka.tlsCertFile',
      { MILLRACE_KAFKA_TLS: 'true', MILLRACE_KAFKA_TLS_CERT_FILE: 'cert.pem' },
    ],
    ['certificates without TLS', 'kafka.tls', { MILLRACE_KAFKA_TLS_CA_FILE: 'ca.pem' }],
    [
      'more copies in sync than there are',
      'kafka.minInSyncReplicas',
      { MILLRACE_KAFKA_MIN_IN_SYNC_REPLICAS: '2' },
    ],
  ])('%s is refused', (_what, key, env) => {
    expect(problemsOf({ env }).map((problem) => problem.key)).toContain(key)
  })
})
