import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Command } from 'commander'
import { afterAll, describe, expect, test } from 'vitest'
import { Interrupted } from '../../../cli/context.ts'
import { CheckError, DirectoryError, exitCodes } from '../../../cli/errors.ts'
import { buildProgram } from '../../../cli/program.ts'
import { reportError } from '../../../cli/report-error.ts'
import { StateError } from '../../../state/index.ts'
import { StreamsError } from '../../../streams/index.ts'
import { silent } from './output.ts'

const directory = mkdtempSync(join(tmpdir(), 'millrace-cli-'))
afterAll(() => rmSync(directory, { recursive: true, force: true }))

/** Runs a command line in this process; commands that would open anything are not for here. */
async function run(line: string, env: Readonly<Record<string, string>> = {}) {
  const output = silent()
  const context = { output, env, cwd: directory, stop: new AbortController().signal, version: '1.2.3' }
  const args = line.split(' ').filter((word) => word !== '')
  let code: number = exitCodes.ok
  try {
    await buildProgram(context).parseAsync(args, { from: 'user' })
  } catch (error) {
    code = reportError(error, output)
  }
  return { code, stdout: output.stdout.join('\n'), stderr: output.stderr.join('\n') }
}

describe('what is asked for in vain ends with 2 and says what would be right', () => {
  writeFileSync(join(directory, 'bad.csv'), 'a,b\n')
  const rows: readonly [line: string, message: RegExp][] = [
    ['', /Usage: millrace/],
    ['strat', /unknown command 'strat'[\s\S]*Did you mean start/],
    ['start --prot 1', /unknown option '--prot'[\s\S]*Did you mean --port/],
    ['start --port 99999', /http\.port \(--port\): 99999 is not an integer from 0 to 65535/],
    ['start --data-dir ../up', /dataDir \(--data-dir\): .*leaves the working directory/],
    ['start --set graceMs=1', /graceMs \(--set\): there is no such key/],
    ['start --set ranking.graceMs', /--set ranking\.graceMs: write --set <key>=<value>/],
    ['start --config none.json', /config file \(none\.json\): ENOENT/],
    [
      'start --set topics.overrides={"order.confirmd":{"retentionMs":1}}',
      /no such topic; did you mean order\.confirmed/,
    ],
    ['start extra', /too many arguments/],
    ['replay', /missing required argument 'file'/],
    ['replay a.csv --as-recorded --end-now', /'--as-recorded' cannot be used with option '--end-now'/],
    ['replay a.csv --speed fast', /It must be a number above 0/],
    ['replay none.csv', /none\.csv/],
    ['replay bad.csv', /the header must be/],
    ['replay bad.csv --set shop.currency=EUR', /shop\.currency .*these orders are in GBP/],
    ['load', /Usage: millrace load/],
    ['load coupons --rate 0', /It must be a number above 0/],
    ['load coupons --quota many', /whole number from 1/],
    ['load coupons --url ftp://x', /--url ftp:\/\/x is not an http/],
    ['load coupons --follow 2', /from 0 to 1/],
    ['load orders --orders 0', /whole number from 1/],
    ['load orders --mix goood=1', /--mix: there is no goood; there are good, points/],
    ['load orders --url ftp://x', /--url ftp:\/\/x is not an http/],
    ['seed --users -1', /whole number from 0/],
    ['seed --url ftp://x', /--url ftp:\/\/x is not an http/],
    ['topology --format png', /Allowed choices are describe, mermaid, json/],
    ['demo --port 70000', /http\.port \(--port\)/],
    ['demo --registry http://localhost:1', /--registry goes with --kafka <brokers>/],
    ['start --kafka localhost', /kafka\.brokers\[0\] \(--kafka\)/],
    ['start --workers 2', /workers \(--workers\): more than one process needs kafka\.brokers/],
    ['start --topologies catalgo', /topologies .*there is no catalgo; did you mean catalog\?/],
    ['start --registry http://localhost:1', /registry\.url .*is for Kafka mode/],
    ['topics', /Usage: millrace topics/],
    ['topics plan', /no cluster: give --kafka/],
    ['topics apply --port 1', /unknown option '--port'/],
    ['backup there --set kafka.brokers=localhost:9092', /in Kafka mode the cluster has everything/],
    ['restore there --set kafka.brokers=localhost:9092', /in Kafka mode the cluster has everything/],
    ['backup', /missing required argument 'directory'/],
    ['restore', /missing required argument 'directory'/],
    ['reset', /missing required argument 'topology'/],
    ['reset catalog --local', /--local is for Kafka mode/],
    ['reset catalgo --kafka localhost:9092', /no topology or connector catalgo; did you mean catalog\?/],
    ['reset connector-mial --kafka localhost:9092', /connector-mial; did you mean connector-mail\?/],
    ['reset everything --kafka localhost:9092', /there are coupon-issuance, .*catalog, .*connector-mail/],
  ]
  test.each(rows)('millrace %s', async (line, message) => {
    const { code, stdout, stderr } = await run(line)
    expect(stderr).toMatch(message)
    expect(code).toBe(exitCodes.usage)
    expect(stdout).toBe('')
  })

  test('a wrong variable', async () => {
    const { code, stderr } = await run('start', { MILLRACE_PROT: '1' })
    expect(stderr).toContain(
      'MILLRACE_PROT (environment): there is no such variable; did you mean MILLRACE_PORT?',
    )
    expect(code).toBe(exitCodes.usage)
  })
})

test('docs/cli.md has a row for each command', () => {
  const text = readFileSync(join(import.meta.dirname, '../../../docs/cli.md'), 'utf8')
  const cells = [...text.slice(0, text.indexOf('\n## ')).matchAll(/^\| (`[^|]+) \|/gm)].map(
    ([, cell = '']) => cell,
  )
  // `topics plan`, or only `plan` behind another one of its group.
  const named = cells.flatMap((cell) => {
    const names = [...cell.matchAll(/`([a-z-]+(?: [a-z][a-z-]*)?)/g)].map(([, name = '']) => name)
    const [group] = names[0]?.split(' ') ?? []
    return names.flatMap((name) => [name, `${group} ${name}`])
  })
  const leaves = ({ commands }: Pick<Command, 'commands'>, path: readonly string[]): string[] =>
    commands.length === 0
      ? [path.join(' ')]
      : commands.flatMap((command) => leaves(command, [...path, command.name()]))
  const context = {
    output: silent(),
    env: {},
    cwd: directory,
    stop: new AbortController().signal,
    version: '1',
  }
  expect(named).toEqual(expect.arrayContaining(leaves(buildProgram(context), [])))
})

describe('data goes to stdout', () => {
  test('--version', async () => {
    expect(await run('--version')).toEqual({ code: 0, stdout: '1.2.3', stderr: '' })
  })

  test('--help, also of a command', async () => {
    expect(await run('--help')).toMatchObject({
      code: 0,
      stderr: '',
      stdout: expect.stringContaining('replay'),
    })
    expect(await run('replay --help')).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('--as-recorded'),
    })
  })

  test('topology in each format', async () => {
    const { stdout: text } = await run('topology')
    expect(text).toContain('coupon-issuance')
    expect(text).toContain('Sub-topology: 0')
    const { stdout: mermaid } = await run('topology --format mermaid')
    expect(mermaid).toMatch(/^flowchart LR/)
    const { stdout: json } = await run('topology --format json')
    const names = (JSON.parse(json) as { name: string }[]).map(({ name }) => name)
    const coupons = ['coupon-issuance', 'coupon-wallet']
    const services = ['orders', 'stock', 'points', 'users', 'carts', 'privacy']
    const sandboxes = ['payment-sandbox', 'delivery-sandbox']
    expect(names).toEqual([...coupons, ...services, ...sandboxes, 'catalog', 'best-sellers', 'mailer'])
  })

  test('mail preview prints every template in every language, or writes them', async () => {
    const { stdout } = await run('mail preview')
    for (const name of ['order-completed', 'order-failed', 'refund', 'coupon-issued'])
      for (const language of ['en', 'ko']) expect(stdout).toContain(`# ${name} (${language})`)
    const { stdout: one } = await run('mail preview --template refund --locale ko --html')
    expect(one).toContain('lang="ko-KR"')
    expect(one).toContain('White mug &lt;large&gt;')
    await run('mail preview --template refund --to previews')
    expect(readdirSync(join(directory, 'previews')).toSorted()).toEqual([
      'refund.en.html',
      'refund.en.txt',
      'refund.ko.html',
      'refund.ko.txt',
    ])
    expect((await run('mail preview --template greeting')).code).toBe(2)
  })

  test('config, without secrets', async () => {
    const env = { MILLRACE_READ_TOKEN: 'a-token-of-some-length' }
    const { stdout } = await run('config --port 1234', env)
    expect(stdout).toMatch(/http\.port +1234 +--port/)
    expect(stdout).toMatch(/auth\.readToken +"\[redacted\]" +MILLRACE_READ_TOKEN/)
    const { stdout: json } = await run('config --json', env)
    expect(JSON.parse(json)).toContainEqual({ path: 'http.port', value: 8080, origin: 'default' })
    expect(stdout + json).not.toContain(env.MILLRACE_READ_TOKEN)
  })
})

describe('errors and their exit codes', () => {
  const wrapped = Object.assign(
    new Error('The operation was aborted', { cause: new Interrupted('SIGINT') }),
    {
      name: 'AbortError',
    },
  )
  const rows: readonly [what: string, error: unknown, code: number, message: RegExp][] = [
    ['anything', new Error('boom'), 1, /millrace: boom/],
    ['one with a cause', new Error('a', { cause: new Error('b') }), 1, /a \(b\)/],
    ['several', new AggregateError([new Error('x'), new Error('y')], 'both'), 1, /both[\s\S]*x[\s\S]*y/],
    [
      'a port in use',
      Object.assign(new Error('listen EADDRINUSE'), { code: 'EADDRINUSE' }),
      1,
      /another --port/,
    ],
    [
      'a check, and then closing',
      new AggregateError([new CheckError('x'), new Error('y')], 'both'),
      3,
      /both/,
    ],
    ['a check', new CheckError('failed: x'), 3, /failed: x/],
    ['a directory', new DirectoryError('no'), 4, /no/],
    [
      'a locked directory',
      new StateError('STATE_LOCKED', '/d is locked by pid 7'),
      4,
      /locked by pid 7.*another --data-dir/,
    ],
    ['a foreign directory', new StateError('STATE_INCOMPATIBLE', '/d'), 4, /not for this program/],
    ['state of other stores', new StreamsError('RESET_REQUIRED', 'x'), 4, /no longer fit.*millrace reset/],
    ['a topology that runs', new StreamsError('TOPOLOGY_RUNNING', 'x'), 4, /is running.*sessionTimeoutMs/],
    [
      'other partitions',
      new StreamsError('TOPIC_MISMATCH', 'x has partitions 6, not 3'),
      2,
      /topics\.partitions/,
    ],
    ['SIGTERM', new Interrupted('SIGTERM'), 143, /ended by SIGTERM/],
    ['SIGINT in a wait', wrapped, 130, /ended by SIGINT/],
  ]
  test.each(rows)('%s', (_what, error, code, message) => {
    const output = silent()
    expect(reportError(error, output)).toBe(code)
    expect(output.stderr.join('\n')).toMatch(message)
    expect(output.stdout).toEqual([])
  })
})
