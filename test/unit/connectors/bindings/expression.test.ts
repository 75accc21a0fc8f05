import { describe, expect, it } from 'vitest'
import { compileExpression } from '../../../../connectors/bindings/expression.ts'
import type { Expression } from '../../../../connectors/index.ts'
import { type Given, messageOf } from './given.ts'

async function valueOf(expression: Expression, given: Given = { value: {} }): Promise<unknown> {
  const address = () => Promise.resolve(undefined)
  return compileExpression(expression)({
    message: messageOf(given),
    item: { value: { sku: 'tea' }, index: 3 },
    lookup: (topic, key) => `${topic}/${key}`,
    address,
  })
}

describe('what an expression sees', () => {
  it('is the message, its key, headers, place and time, and the item', async () => {
    const expression =
      '[a, $key, $headers.trace, $topic, $partition, $offset, $position, $timestamp, $item.sku, $index]'
    const given = { key: 'k', headers: { trace: 't1' }, value: { a: 1 }, offset: 7 }
    expect(await valueOf(expression, given)).toEqual([
      1,
      'k',
      't1',
      'theirs',
      0,
      7,
      'theirs-0-7',
      Date.UTC(2026, 2, 2),
      'tea',
      3,
    ])
  })

  it('is nothing of the process or of the expressions before it', async () => {
    await valueOf('($item2 := 5; $item2)')
    expect(() => compileExpression('$item2')).toThrow('there is no $item2')
    expect(() => compileExpression('$process')).toThrow('there is no $process')
    expect(await valueOf('constructor')).toBeUndefined()
    expect(await valueOf('__proto__.polluted')).toBeUndefined()
  })

  it('is looked up where the profile has a view', async () => {
    expect(await valueOf("$view('product.catalog', a)", { value: { a: 'p1' } })).toBe('product.catalog/p1')
  })

  it('may be several lines, and its names its own', async () => {
    const lines = ['(', '  $twice := function($n) { $n * 2 };', '  items@$i.$twice($i.n)', ')']
    expect(await valueOf(lines, { value: { items: [{ n: 1 }, { n: 2 }] } })).toEqual([2, 4])
  })
})

describe('what is refused when it is compiled', () => {
  it.each([
    ['a +', /Unexpected end of expression \(at character \d+\)/],
    ['$minr(a, 2)', /there is no \$minr/],
    ['$now()', /\$now is not to be used/],
    ['$millis()', /\$millis is not to be used/],
    ['$random()', /\$random is not to be used/],
    ['$shuffle(a)', /\$shuffle is not to be used/],
    ['$eval(a)', /\$eval is not to be used/],
    [`"${'x'.repeat(10_001)}"`, /longer than 10000 characters/],
  ])('%.30s', (text, problem) => {
    expect(() => compileExpression(text)).toThrow(problem)
  })
})

describe('what an evaluation may take', () => {
  it('ends where it would go on for ever, by count and not by clock', async () => {
    await expect(valueOf('($f := function($n) { $f($n + 1) }; $f(1))')).rejects.toThrow('steps')
  })

  it('ends where it would go too deep', async () => {
    await expect(valueOf('($f := function($n) { 1 + $f($n + 1) }; $f(1))')).rejects.toThrow('JSONata D1011')
  })

  it('ends where a list would be too long', async () => {
    await expect(valueOf('[1..20000]')).rejects.toThrow('JSONata')
  })

  it('says which error it was and repeats nothing of the message', async () => {
    const error = await valueOf('$number(secret)', { value: { secret: 'Kim' } }).catch(
      (fault: Error) => fault.message,
    )
    expect(error).toBe('JSONata D3030 at character 8')
    await expect(valueOf("$error('no such thing')")).rejects.toThrow('no such thing')
  })

  it('gives no function', async () => {
    await expect(valueOf('$sum')).rejects.toThrow('gives a function')
    await expect(valueOf('{"a": function($x) { $x }}')).rejects.toThrow('gives a function')
  })
})

describe('functions', () => {
  const of = (expression: string, value: unknown) => valueOf(expression, { value: { a: value } })

  it('$id takes text and integers', async () => {
    expect(await of('$id(a)', 42)).toBe('42')
    expect(await of('$id(a)', 'x-1')).toBe('x-1')
    expect(await of('$id(a)', undefined)).toBeUndefined()
    for (const bad of ['', 1.5, 2 ** 53, true, {}, 'x'.repeat(201)]) {
      await expect(of('$id(a)', bad)).rejects.toThrow('$id takes')
    }
  })

  it('$integer gives numbers back to shops whose ids are numbers', async () => {
    expect(await of('$integer(a)', '42')).toBe(42)
    for (const bad of ['x', '', '9007199254740993', '1.0']) {
      await expect(of('$integer(a)', bad)).rejects.toThrow('$integer takes')
    }
  })

  it('$minor and $major lose no cent', async () => {
    expect(await of('$minor(a, 2)', 12.5)).toBe(1250)
    expect(await of('$minor(a, 2)', '1234567890123.45')).toBe(123456789012345)
    expect(await of('$minor(a, 2)', 4.35)).toBe(435)
    expect(await of('$minor(a, 0)', 28000)).toBe(28000)
    for (const bad of [1.005, '1e3', 'x', '90071992547409.93']) {
      await expect(of('$minor(a, 2)', bad)).rejects.toThrow('$minor takes')
    }
    await expect(of('$minor(a)', 1)).rejects.toThrow('digits')
    expect(await of('$major(a, 2)', 1205)).toBe(12.05)
    expect(await of('$major(a, 0)', -7)).toBe(-7)
  })

  it('$instant reads ISO, epoch milliseconds, and local times with an offset', async () => {
    const at = Date.UTC(2026, 0, 2, 3, 4, 5)
    expect(await of('$instant(a)', '2026-01-02T03:04:05Z')).toBe(at)
    expect(await of('$instant(a)', '2026-01-02T12:04:05.000+09:00')).toBe(at)
    expect(await of("$instant(a, '+09:00')", '2026-01-02T12:04:05')).toBe(at)
    expect(await of("$instant(a, '+09:00')", [2026, 1, 2, 12, 4, 5])).toBe(at)
    expect(await of("$instant(a, '+09:00')", [2026, 1, 2, 12, 4])).toBe(at - 5000)
    expect(await of('$instant(a)', at)).toBe(at)
    for (const bad of ['2026-01-02T03:04:05', '2026-13-02T03:04:05Z', '2 January', -1, 1.5, [2026, 1]]) {
      await expect(of('$instant(a)', bad)).rejects.toThrow('$instant takes')
    }
  })
})
