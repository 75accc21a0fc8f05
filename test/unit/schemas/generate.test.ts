import { appendFileSync, cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { main, plan, stale } from '../../../schemas/generate.ts'
import { recordedSchemas } from '../../../schemas/index.ts'

const room = join(import.meta.dirname, '../../../schemas')

describe('the generated code', () => {
  it('is what the schemas say', () => {
    expect(stale(room, plan(room))).toEqual([])
  })
})

describe('the generator', () => {
  let copy: string
  let lines: string[]
  const run = (...args: string[]) => main(args, copy, (line) => lines.push(line))
  const edit = (path: string, from: string, to: string) => {
    const text = readFileSync(join(copy, path), 'utf8')
    expect(text).toContain(from)
    writeFileSync(join(copy, path), text.replace(from, to))
  }

  beforeEach(() => {
    copy = mkdtempSync(join(tmpdir(), 'schemas-'))
    cpSync(room, copy, { recursive: true })
    lines = []
  })

  afterEach(() => {
    rmSync(copy, { recursive: true })
  })

  it('finds nothing to do in what is committed', () => {
    expect(run('--check')).toBe(0)
    expect(run()).toBe(0)
    expect(lines).toEqual([])
  })

  it('fails the check when a generated file was edited', () => {
    appendFileSync(join(copy, 'generated/coupon.ts'), '// edited\n')
    expect(run('--check')).toBe(1)
    expect(lines).toEqual(['stale: schemas/generated/coupon.ts; run node schemas/generate.ts'])
    expect(run()).toBe(0)
    expect(run('--check')).toBe(0)
  })

  it('fails the check when a generated file is missing', () => {
    rmSync(join(copy, 'generated/versions.ts'))
    expect(run('--check')).toBe(1)
  })

  it('takes a change of words without a new version', () => {
    edit('coupon/coupon-issued.avsc', 'The verdict ISSUED on one request.', 'One more winner.')
    expect(run('--check')).toBe(1)
    expect(run()).toBe(0)
    expect(readFileSync(join(copy, 'generated/coupon.ts'), 'utf8')).toContain('One more winner.')
  })

  const shard = '{"name": "shard", "type": "int", "default": 0},'
  const withChannel = `${shard}\n    {"name": "channel", "type": ["null", "string"], "default": null},`

  it('refuses a changed schema until it is recorded', () => {
    edit('coupon/coupon-issued.avsc', shard, withChannel)
    expect(run()).toBe(1)
    expect(lines.join()).toContain('millrace.coupon.CouponIssued')
    expect(run('--check')).toBe(1)
  })

  it('records a compatible change under a new id and keeps the old one', () => {
    const nextId = 1 + Math.max(...recordedSchemas.map(({ id }) => id ?? 0))
    const before = [...plan(copy).keys()]
    edit('coupon/coupon-issued.avsc', shard, withChannel)
    expect(run('--record')).toBe(0)
    expect(lines.filter((line) => line.includes('versions/'))).toEqual([
      `wrote schemas/versions/${String(nextId).padStart(4, '0')}-coupon.CouponIssued-v4.avsc`,
    ])
    expect(run('--check')).toBe(0)
    const versions = readFileSync(join(copy, 'generated/versions.ts'), 'utf8')
    expect(versions).toContain(`id: 5,\n    name: 'millrace.coupon.CouponIssued',\n    version: 1`)
    expect(versions).toContain(`id: ${nextId},\n    name: 'millrace.coupon.CouponIssued',\n    version: 4`)
    expect([...plan(copy).keys()]).toEqual(before)
  })

  it.each([
    [
      'a new field without a default',
      withChannel.replace(', "default": null', '').replace('["null", "string"]', '"string"'),
    ],
    ['a field of another type', shard.replace('"int"', '"string"').replace('0', '"0"')],
  ])('does not record %s', (_, replacement) => {
    edit('coupon/coupon-issued.avsc', shard, replacement)
    expect(run('--record')).toBe(1)
    expect(lines.join()).toContain('breaks compatibility')
  })

  it('does not record the loss of a field that others need', () => {
    edit('coupon/coupon-issued.avsc', '{"name": "userId", "type": "string"},', '')
    expect(run('--record')).toBe(1)
    expect(lines.join()).toContain('not forward compatible')
  })

  it('amends a version that nothing was written with', () => {
    edit('state/claim-state.avsc', '"userCouponId"', '"lastUserCouponId"')
    expect(run('--amend')).toBe(0)
    expect(run('--check')).toBe(0)
    expect(readFileSync(join(copy, 'versions/state.ClaimState-v1.avsc'), 'utf8')).toContain(
      'lastUserCouponId',
    )
  })

  it('refuses an id that is given twice', () => {
    cpSync(
      join(copy, 'versions/0005-coupon.CouponIssued-v1.avsc'),
      join(copy, 'versions/0006-coupon.CouponIssued-v2.avsc'),
    )
    expect(run('--check')).toBe(1)
    expect(lines.join()).toContain('id 6 is given twice')
  })

  it('refuses the loss of a recorded schema', () => {
    rmSync(join(copy, 'cart/cart-changed.avsc'))
    expect(run('--check')).toBe(1)
    expect(lines.join()).toContain('recorded but gone')
  })

  it('refuses a file that is not named after its type', () => {
    cpSync(join(copy, 'cart/cart-item.avsc'), join(copy, 'cart/other.avsc'))
    expect(run('--check')).toBe(1)
    expect(lines.join()).toContain('cart-item.avsc')
  })

  it('refuses arguments that it does not know', () => {
    expect(run('--chekc')).toBe(2)
    expect(run('--check', '--record')).toBe(2)
  })
})
