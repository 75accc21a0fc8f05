/** `millrace schemas check` and `register`, against a registry in this process. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { exitCodes } from '../../../cli/errors.ts'
import { buildProgram } from '../../../cli/program.ts'
import { reportError } from '../../../cli/report-error.ts'
import { topics } from '../../../schemas/index.ts'
import { silent } from '../cli/output.ts'
import { FakeRegistry } from './fake-registry.ts'

let registry: FakeRegistry
beforeEach(async () => {
  registry = await FakeRegistry.open()
})
afterEach(() => registry.close())

async function run(args: readonly string[], env: Readonly<Record<string, string>> = {}) {
  const output = silent()
  const context = { output, env, cwd: '/', stop: new AbortController().signal, version: '1.2.3' }
  let code: number = exitCodes.ok
  try {
    await buildProgram(context).parseAsync(['schemas', ...args], { from: 'user' })
  } catch (error) {
    code = reportError(error, output)
  }
  return { code, stdout: output.stdout.join('\n'), stderr: output.stderr.join('\n') }
}

const check = (...more: readonly string[]) => run(['check', '--registry', registry.url, ...more])
const register = (...more: readonly string[]) => run(['register', '--registry', registry.url, ...more])
const subjects = Object.values(topics).map(({ name }) => `${name}-value`)
/** Puts something else under a subject. */
async function occupy(subject: string, schema: object): Promise<void> {
  await fetch(`${registry.url}/subjects/${subject}/versions`, {
    method: 'POST',
    body: JSON.stringify({ schema: JSON.stringify(schema) }),
  })
}

describe('check', () => {
  test('of an empty registry: every subject is missing, and nothing is written', async () => {
    const { code, stdout, stderr } = await check()
    expect(code).toBe(exitCodes.checkFailed)
    for (const subject of subjects) expect(stdout).toMatch(new RegExp(`${subject} .*missing`))
    expect(stderr).toContain('millrace schemas register')
    expect(registry.calls.filter((call) => /PUT|versions$/.test(call))).toEqual([])
  })

  test('after register: every subject has its id and its level', async () => {
    await register()
    const { code, stdout, stderr } = await check()
    expect({ code, stderr }).toEqual({ code: exitCodes.ok, stderr: '' })
    for (const subject of subjects)
      expect(stdout).toMatch(new RegExp(`${subject} +1\\d\\d  FULL_TRANSITIVE +registered`))
  })

  test('tells what may follow from what may not, and why', async () => {
    const { definition } = topics.cartChanged.schema
    await register()
    const known = { type: 'record', name: definition.name, namespace: definition.namespace }
    registry.forget('cart.changed-value')
    registry.forget('user.profile-value')
    await occupy('cart.changed-value', { ...known, fields: [{ name: 'userId', type: 'string' }] })
    await occupy('user.profile-value', { ...known, fields: [] })
    const { code, stdout, stderr } = await check()
    expect(code).toBe(exitCodes.checkFailed)
    expect(stdout).toMatch(/cart\.changed-value .* compatible/)
    expect(stdout).toMatch(/user\.profile-value .*incompatible/)
    expect(stderr).toMatch(/user\.profile-value is incompatible \(.+\)/)
  })
})

describe('register', () => {
  test('is idempotent', async () => {
    const first = await register()
    const second = await register()
    expect([first.code, second.code]).toEqual([exitCodes.ok, exitCodes.ok])
    expect(second.stdout).toBe(
      first.stdout.replaceAll('added     ', 'registered').replaceAll('added', 'registered'),
    )
    for (const subject of subjects) expect(registry.texts(subject)).toHaveLength(1)
  })

  test('goes on after a subject that refuses', async () => {
    await occupy('coupon.issued-value', { type: 'record', name: 'Other', fields: [] })
    const { code, stdout, stderr } = await register('--json')
    expect(code).toBe(exitCodes.checkFailed)
    const reports = JSON.parse(stdout) as { subject: string; state: string }[]
    const states = reports.filter(({ state }) => state !== 'added')
    expect(states).toMatchObject([{ subject: 'coupon.issued-value', state: 'incompatible' }])
    expect(reports).toHaveLength(subjects.length)
    expect(stderr).toMatch(/coupon\.issued-value is incompatible \(.+\)/)
  })

  test('sets the level of what is there already', async () => {
    await register()
    registry.levels.set('cart.changed-value', 'NONE')
    expect((await check()).stdout).toMatch(/cart\.changed-value +\d+  NONE/)
    await register()
    expect(registry.levels.get('cart.changed-value')).toBe('FULL_TRANSITIVE')
  })
})

test('a registry without an answer is a failure, not a failed check', async () => {
  registry.trouble = (_call, response) => Boolean(response.writeHead(503).end())
  const { code, stderr } = await check()
  expect(code).toBe(exitCodes.failure)
  expect(stderr).toMatch(/gives no answer.*503/)
})

test('the registry and the login may come from the configuration', async () => {
  const env = {
    MILLRACE_REGISTRY_URL: registry.url,
    MILLRACE_REGISTRY_USERNAME: 'shop',
    MILLRACE_REGISTRY_PASSWORD: 'hush-hush',
  }
  const { code, stdout, stderr } = await run(['register'], env)
  expect(code).toBe(exitCodes.ok)
  expect([...registry.credentials]).toEqual([`Basic ${Buffer.from('shop:hush-hush').toString('base64')}`])
  expect(stdout + stderr).not.toContain('hush')
})

const wrong: readonly [what: string, args: readonly string[], message: RegExp][] = [
  ['no registry', [], /give --registry, or set registry\.url/],
  ['a wrong one', ['--registry', 'registry'], /registry\.url \(--registry\).*http or https URL/],
  ['a login in the URL', ['--registry', 'http://a:b@127.0.0.1'], /do not belong into the URL/],
  ['half a login', ['--registry', 'http://127.0.0.1', '--set', 'registry.username=a'], /need each other/],
]
test.each(wrong)('%s is wrong usage', async (_what, args, message) => {
  const { code, stderr } = await run(['check', ...args])
  expect(code).toBe(exitCodes.usage)
  expect(stderr).toMatch(message)
})
