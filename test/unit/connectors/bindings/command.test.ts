/** `millrace bindings check` and `try`, on the profiles that ship. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { exitCodes } from '../../../../cli/errors.ts'
import { buildProgram } from '../../../../cli/program.ts'
import { reportError } from '../../../../cli/report-error.ts'
import { silent } from '../../cli/output.ts'

const SHOPS = 'samples/shops'
let directory: string
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'bindings-'))
})
afterEach(() => rm(directory, { recursive: true }))

async function run(...args: readonly string[]) {
  const output = silent()
  const context = {
    output,
    env: {},
    cwd: process.cwd(),
    stop: new AbortController().signal,
    version: '1.2.3',
  }
  let code: number = exitCodes.ok
  try {
    await buildProgram(context).parseAsync(['bindings', ...args], { from: 'user' })
  } catch (error) {
    code = reportError(error, output)
  }
  return { code, stdout: output.stdout.join('\n'), stderr: output.stderr.join('\n') }
}

async function file(name: string, content: unknown): Promise<string> {
  const path = join(directory, name)
  await writeFile(path, typeof content === 'string' ? content : JSON.stringify(content))
  return path
}

describe('check', () => {
  it('lists what is bound to what, of all five shops', async () => {
    const { code, stdout } = await run(
      'check',
      ...['a', 'b', 'c', 'd', 'e'].map((shop) => `${SHOPS}/${shop}/profile.json`),
    )
    expect(code).toBe(exitCodes.ok)
    expect(stdout).toMatch(
      /a-order-completed +in +shop-a.order.completed +order.completed, order.confirmed, coupon.use.requested/,
    )
    expect(stdout).toMatch(/d-stock-response +out +stock.reserve.result +stock-response-topic/)
    expect(stdout.split('\n').filter((line) => / (in|out) /.test(line))).toHaveLength(18)
  })

  it('says what is wrong: file, binding and field', async () => {
    const bad = {
      shop: 'x',
      topics: { theirs: {} },
      bindings: [
        {
          name: 'one',
          direction: 'in',
          from: 'theirs',
          writes: [{ to: 'point.earned', fields: { user: 'a' } }],
        },
      ],
    }
    const path = await file('x.json', bad)
    const { code, stderr } = await run('check', path)
    expect(code).toBe(exitCodes.usage)
    expect(stderr).toContain(`${path}: bindings.one.writes.0.fields.user: PointEarned has orderId`)
    expect(stderr).toContain(`${path}: bindings.one.writes.0.fields.userId: PointEarned needs it`)
  })

  it('says where a file is none', async () => {
    expect((await run('check', join(directory, 'none.json'))).stderr).toContain(
      'none.json: profile: cannot be read',
    )
    const broken = await file('broken.json', '{')
    expect(await run('check', broken)).toMatchObject({ code: exitCodes.usage })
  })

  it('takes a module', async () => {
    const module = await file(
      'x.mjs',
      `export default {
      shop: 'x', topics: { theirs: {} },
      bindings: [{ name: 'one', direction: 'out', from: 'point.earned', writes: [
        { to: 'theirs', key: ({ value }) => value.userId, fields: ({ value }) => ({ user: Number(value.userId) }) }] }],
    }`,
    )
    expect(await run('check', module)).toMatchObject({ code: exitCodes.ok })
    const earned = { orderId: 'o', userId: '42', points: 3, rateBp: 1, earnedAt: 0, expiresAt: null }
    const { stdout } = await run(
      'try',
      module,
      '--topic',
      'point.earned',
      '--samples',
      await file('s.json', earned),
      '--json',
    )
    expect(JSON.parse(stdout)).toMatchObject([
      { records: [{ topic: 'theirs', key: '42', value: { user: 42 } }] },
    ])
  })
})

describe('try', () => {
  it('shows what the samples of a shop would become, and what does not fit', async () => {
    const samples = `${SHOPS}/a/order.completed.json`
    const { code, stdout, stderr } = await run(
      'try',
      `${SHOPS}/a/profile.json`,
      '--topic',
      'order.completed',
      '--samples',
      samples,
    )
    expect(code).toBe(exitCodes.checkFailed)
    expect(stderr).toContain('1 of 3 would go to the dead letters')
    expect(stdout).toContain('"topic":"coupon.use.requested","key":"43"')
    expect(stdout).toContain('3. a-order-completed: does not fit: order.completed: userId is missing')
  })

  it('looks into views that are given', async () => {
    const p = (price: number) => ({ price, categoryId: null })
    const products = {
      'b1f7e7a2-0000-4000-8000-000000000001': p(12500),
      'b1f7e7a2-0000-4000-8000-000000000002': p(3000),
    }
    const views = await file('views.json', { 'product.catalog': products })
    const args = [
      'try',
      `${SHOPS}/d/profile.json`,
      '--topic',
      'order-created',
      '--samples',
      `${SHOPS}/d/order-created.json`,
    ]
    expect((await run(...args)).stdout).toContain('not in the catalogue: b1f7e7a2')
    const { code, stdout } = await run(...args, '--views', views)
    expect(code).toBe(exitCodes.ok)
    expect(stdout).toContain('"unitPrice":12500')
  })

  it('reads numbers as the topic would: a long id stays what it is', async () => {
    const samples = join(directory, 'long.json')
    await writeFile(samples, '[{"userId": 9007199254740993, "couponId": 5}]')
    const args = ['try', `${SHOPS}/c/profile.json`, '--topic', 'coupon-issue-topic', '--samples', samples]
    const { code, stdout } = await run(...args, '--json')
    expect(code).toBe(exitCodes.ok)
    expect(JSON.parse(stdout)).toMatchObject([
      { records: [{ key: '5', value: { userId: '9007199254740993' } }] },
    ])
    const earned =
      '{"orderId":"o","userId":"ann","points":9007199254740993,"rateBp":1,"earnedAt":0,"expiresAt":null}'
    await writeFile(samples, earned)
    const ours = ['try', `${SHOPS}/b/profile.json`, '--topic', 'point.earned', '--samples', samples]
    expect((await run(...ours)).stdout).not.toContain('9007199254740992')
  })

  it('says which topics a profile reads, and what is no JSON', async () => {
    const args = ['try', `${SHOPS}/e/profile.json`, '--topic']
    const unknown = await run(...args, 'nowhere', '--samples', await file('s.json', {}))
    expect(unknown).toMatchObject({ code: exitCodes.usage })
    expect(unknown.stderr).toContain('no binding reads nowhere; they read order-confirmed')
    expect(await run(...args, 'coupon-issue', '--samples', await file('s.json', '{'))).toMatchObject({
      code: exitCodes.usage,
    })
  })
})
