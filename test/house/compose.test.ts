/**
 * The compose files say what Compose understands, and what Millrace takes: without an engine to run them, everything
 * that can be known of them is held here. `compose-spec.json` is Compose's own schema.
 */
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Compile, type XSchema } from 'typebox/schema'
import { afterAll, describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { buildProgram } from '../../cli/program.ts'
import { loadConfig } from '../../config/index.ts'
import { silent } from '../unit/cli/output.ts'
import { type Compose, readCompose, readImage, ROOT, type Service } from './compose.ts'

const FILES = ['docker-compose.yml', 'docker-compose.embedded.yml'] as const
const IMAGE = 'millrace'
const SECRETS = '/run/secrets'

const kafka = readCompose('docker-compose.yml')
const embedded = readCompose('docker-compose.embedded.yml')
const image = readImage()
const secrets = mkdtempSync(join(tmpdir(), 'millrace-secrets-'))
afterAll(() => rmSync(secrets, { recursive: true, force: true }))

function namesIn(entries: object | undefined): string[] {
  return Object.keys(entries ?? {}).toSorted()
}

/** What all services of a file have under one key, each once. */
function usedBy({ services }: Compose, key: 'secrets' | 'networks'): string[] {
  return [...new Set(Object.values(services).flatMap((service) => service[key] ?? []))].toSorted()
}

function isOneShot({ restart }: Service): boolean {
  return restart === 'no'
}

function hasHealthcheck({ image: name, healthcheck }: Service): boolean {
  return (
    healthcheck?.test !== undefined || (name === IMAGE && healthcheck === undefined && image.hasHealthcheck)
  )
}

/** Services that are Millrace, with the environment that they get. */
function programs({ services }: Compose) {
  const own = Object.entries(services).filter(([, service]) => service.image === IMAGE)
  return own.map(([name, service]) => {
    return { name, service, environment: { ...image.environment, ...service.environment } }
  })
}

function servers(compose: Compose) {
  return programs(compose).filter(({ service }) => !isOneShot(service))
}

function mounts({ volumes = [] }: Service) {
  return volumes.map((volume) => {
    const [source = '', target = '', mode] = volume.split(':')
    return { source, target, mode }
  })
}

describe.each(FILES)('%s', (file) => {
  const compose = readCompose(file)
  const services = Object.entries(compose.services)

  test('is what the Compose Specification allows', () => {
    const schema = JSON.parse(readFileSync(join(import.meta.dirname, 'compose-spec.json'), 'utf8')) as XSchema
    const [, errors] = Compile(schema).Errors(compose)
    expect(errors).toEqual([])
    const [fits] = Compile(schema).Errors({ ...compose, services: { kafka: { imagine: 'no such key' } } })
    expect(fits).toBe(false)
  })

  test('declares the secrets, volumes and networks that its services use, and no others', () => {
    expect(namesIn(compose.secrets)).toEqual(usedBy(compose, 'secrets'))
    expect(namesIn(compose.networks)).toEqual(usedBy(compose, 'networks'))
    const volumes = services.flatMap(([, service]) => mounts(service).map(({ source }) => source))
    expect(namesIn(compose.volumes)).toEqual(volumes.filter((source) => !source.startsWith('.')).toSorted())
  })

  test('takes its secrets from a folder that git and the image do not see, and says how to make them', () => {
    const text = readFileSync(join(ROOT, file), 'utf8')
    const [, made = ''] = /^# {3}for name in (.+); do$/m.exec(text) ?? []
    expect(made.split(' ').toSorted()).toEqual(namesIn(compose.secrets))
    for (const [name, { file: path }] of Object.entries(compose.secrets))
      expect(path).toBe(`./secrets/${name}`)
    for (const ignore of ['.gitignore', '.dockerignore']) {
      expect(readFileSync(join(ROOT, ignore), 'utf8')).toMatch(/^secrets\/?$/m)
    }
  })

  test('publishes ports on this machine alone, each once', () => {
    const ports = services.flatMap(([, { ports = [] }]) => ports)
    for (const port of ports) expect(port).toMatch(/^127\.0\.0\.1:\d+:\d+$/)
    const published = ports.map((port) => port.split(':')[1])
    expect(new Set(published).size).toBe(published.length)
  })

  test.each(services)(
    '%s has a version, a health check, and no rights that it does not need',
    (_, service) => {
      if (service.image !== IMAGE) expect(service.image).toMatch(/^[\w./-]+:v?\d+\.\d+\.\d+[\w.]*$/)
      expect(service.build).toBe(service.image === IMAGE ? '.' : undefined)
      expect(service.cap_drop).toEqual(['ALL'])
      expect(service.security_opt).toEqual(['no-new-privileges:true'])
      expect(hasHealthcheck(service)).toBe(!isOneShot(service))
      expect(['no', 'unless-stopped']).toContain(service.restart)
    },
  )

  test('waits for what can come: for health where it is checked, for an end where there is one', () => {
    const found = services.flatMap(([name, { depends_on: wanted = {} }]) => {
      return Object.entries(wanted).map(([on, { condition }]) => ({ name, on, condition }))
    })
    const possible = found.map(({ name, on }) => {
      const service = compose.services[on] as Service
      return {
        name,
        on,
        condition: isOneShot(service) ? 'service_completed_successfully' : 'service_healthy',
      }
    })
    expect(found).toEqual(possible)
  })

  test('mounts files of this repository, and none to be written', () => {
    const bound = services
      .flatMap(([, service]) => mounts(service))
      .filter(({ source }) => source.startsWith('.'))
    expect(bound.filter(({ source }) => !existsSync(join(ROOT, source)))).toEqual([])
    expect(bound.filter(({ mode }) => mode !== 'ro')).toEqual([])
  })

  test.each(programs(compose))(
    '$name has a configuration that Millrace takes',
    ({ service, environment }) => {
      const env = Object.entries(environment).map(([name, value]) => {
        if (!value.startsWith(SECRETS)) return [name, value] as const
        const secret = value.slice(SECRETS.length + 1)
        expect(service.secrets).toContain(secret)
        // As `openssl rand -hex 32` makes them, no two alike.
        writeFileSync(join(secrets, secret), `${Buffer.from(secret.padEnd(32, '.')).toString('hex')}\n`)
        return [name, join(secrets, secret)] as const
      })
      expect(() => loadConfig({ env: Object.fromEntries(env), cwd: '/' })).not.toThrow()
    },
  )

  test('keeps the state of every process in a volume of its own', () => {
    const kept = servers(compose).map(({ service, environment }) => {
      expect(environment['MILLRACE_DATA_DIR']).toBe(image.volume)
      return mounts(service).find(({ target }) => target === image.volume)?.source
    })
    expect(kept).not.toContain(undefined)
    expect(new Set(kept).size).toBe(kept.length)
  })

  test('has Prometheus scrape every process at its port', () => {
    const targets = mounts(compose.services['prometheus'] as Service).find(({ target }) => {
      return target === '/etc/prometheus/targets.yml'
    })
    const listed = parse(readFileSync(join(ROOT, targets?.source ?? ''), 'utf8')) as { targets: string[] }[]
    const listening = servers(compose).map(
      ({ name, environment }) => `${name}:${environment['MILLRACE_PORT']}`,
    )
    expect(listed.flatMap((group) => group.targets).toSorted()).toEqual(listening.toSorted())
  })
})

describe('on Kafka', () => {
  const processes = servers(kafka)

  test('there are two processes that differ in their place only', () => {
    expect(processes).toHaveLength(2)
    const [first, second] = processes.map(({ service, environment }) => {
      const { MILLRACE_KAFKA_SLOT: slot, MILLRACE_PEERS_ADDRESS: address, ...shared } = environment
      const { ports, volumes, ...rest } = service
      return { place: [slot, address, ports, volumes], same: { ...rest, environment: shared } }
    })
    expect(first?.same).toEqual(second?.same)
    for (const [index, part] of (first?.place ?? []).entries()) expect(part).not.toEqual(second?.place[index])
    for (const { name, environment } of processes) {
      const {
        MILLRACE_PEERS_ADDRESS: address,
        MILLRACE_PORT: port,
        MILLRACE_PEERS_ALLOW: allowed,
      } = environment
      expect(address).toBe(`http://${name}:${port}`)
      expect(allowed?.split(',')).toEqual(processes.map((one) => one.name))
    }
  })

  test('topics and schemas are there before a process starts, by commands that Millrace has', () => {
    const once = programs(kafka).filter(({ service }) => isOneShot(service))
    for (const { service } of processes) {
      expect(namesIn(service.depends_on)).toEqual(expect.arrayContaining(once.map(({ name }) => name)))
    }
    const context = {
      output: silent(),
      env: {},
      cwd: '/',
      stop: new AbortController().signal,
      version: '0.0.0',
    }
    for (const { service } of once) {
      const [group, name, ...flags] = service.command ?? []
      const program = buildProgram(context).commands.find((command) => command.name() === group)
      const command = program?.commands.find((candidate) => candidate.name() === name)
      expect(command?.parseOptions(flags), `${group} ${name}`).toMatchObject({ operands: [], unknown: [] })
      const needed = command?.options.filter(({ mandatory }) => mandatory).map(({ long }) => long)
      expect(flags).toEqual(expect.arrayContaining(needed ?? []))
    }
  })

  test('broker and registry are reached from inside only', () => {
    for (const name of ['kafka', 'registry']) {
      expect(kafka.services[name]?.ports).toBeUndefined()
      expect(kafka.services[name]?.networks).toEqual(['log'])
    }
    expect(kafka.networks?.['log']).toEqual({ internal: true })
    for (const name of ['prometheus', 'grafana']) expect(kafka.services[name]?.networks).toEqual(['watch'])
  })
})

test('both files watch with the same Prometheus and the same Grafana', () => {
  const watching = ({ services }: Compose) => {
    return ['prometheus', 'grafana'].map((name) => {
      const { networks: _, volumes = [], ...rest } = services[name] as Service
      return { ...rest, volumes: volumes.filter((volume) => !volume.includes('/targets/')) }
    })
  }
  expect(watching(kafka)).toEqual(watching(embedded))
})

test('the image runs as nobody special, on the Node that the package asks for', () => {
  expect(image.user).toBe('millrace')
  expect(new Set(image.bases)).toEqual(new Set(['node:24-slim']))
  expect(image.hasHealthcheck).toBe(true)
  const copied = readFileSync(join(ROOT, 'Dockerfile'), 'utf8').match(
    /(?<=^COPY --from=build \/src\/)[\w./-]+/gm,
  )
  const missing = (copied ?? []).filter((path) => path !== 'dist' && !existsSync(join(ROOT, path)))
  expect(missing).toEqual([])
})

test('data directories of the examples are seen by neither git nor the image', () => {
  const readme = readFileSync(join(ROOT, 'README.md'), 'utf8')
  const named = [...readme.matchAll(/--data-dir (\S+)/g)].map(([, path]) => path)
  expect(named.filter((path) => path?.startsWith('./data') !== true)).toEqual([])
  for (const ignore of ['.gitignore', '.dockerignore']) {
    const lines = readFileSync(join(ROOT, ignore), 'utf8').split('\n')
    const ignored = lines.map((line) => line.replaceAll(/^\/|[*/]+$/g, ''))
    expect(ignored).toEqual(expect.arrayContaining(['data', '.millrace']))
  }
})
