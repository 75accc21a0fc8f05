import { describe, expect, test } from 'vitest'
import { noAnswers, unanswered } from '../../../processors/index.ts'
import { CLOSES, OPENS } from '../coupons/given.ts'
import { given, issue, reject, report, request, revision, type Told } from './given.ts'

/** The same facts in both orders: what they prove must not depend on it. */
function eitherOrder(a: readonly Told[], b: readonly Told[]): [string[], string[]] {
  return [given(...a, ...b).found, given(...b, ...a).found]
}

describe('I1', () => {
  test('a number above the quota of its own revision', () => {
    const [first, second] = eitherOrder([revision(1, { quota: 1 })], [issue(0, 1), issue(1, 2)])
    expect(first).toEqual(['I1 number 2 of 1 by revision 1'])
    expect(second).toEqual(first)
  })

  test('is not broken by a revision that is still to come', () => {
    const late = { campaignRevision: 2 }
    expect(given(revision(1, { quota: 1 }), issue(0, 1), issue(1, 2, late)).found).toEqual([])
    expect(
      given(revision(1, { quota: 1 }), issue(0, 1), issue(1, 2, late)).when(revision(2, { quota: 2 })),
    ).toEqual([])
  })

  test('a report of more than the quota', () => {
    expect(given().when(report(1, 11))).toEqual(['I1 11 of 10 issued, says quota report 1'])
  })
})

describe('I2', () => {
  test('more for one user than the revision allows', () => {
    const twice = [issue(0, 1, { userId: 'ann' }), issue(1, 2, { userId: 'ann' })]
    const [first, second] = eitherOrder([revision(1)], twice)
    expect(first).toEqual(['I2 2 for one user, 1 allowed by revision 1'])
    expect(second).toEqual(first)
  })

  test('a verdict that is said again gives nobody a second one', () => {
    const again = issue(0, 1, {}, { answers: 5 })
    expect(given(revision(1), issue(0, 1)).when(again)).toEqual([])
  })
})

describe('I3', () => {
  test('two verdicts on one request', () => {
    expect(given(issue(0, 1)).when(issue(0, 2))).toContain('I3 two verdicts on the request at 0')
  })

  test('the same event again is no second verdict', () => {
    const event = { eventId: 'e' }
    expect(given(issue(0, 1, {}, event)).when(issue(0, 1, {}, event))).toEqual([])
  })

  test('a verdict that no request caused', () => {
    const { answers: _, ...forged } = issue(0, 1)
    expect(given().when(forged)).toEqual(['I3 the verdict at coupon.issued 0 answers no request'])
  })

  test('a number on a request that was passed already', () => {
    expect(given(issue(4, 1), issue(5, 2)).when(issue(2, 3))).toEqual([
      'I3 number 3 was issued on a request that had its verdict',
    ])
  })

  const all = Array.from({ length: 130 }, (_, n) => n)
  const verdicts = (left: readonly number[]): Told[] => {
    return left.map((n) => (n % 2 === 0 ? issue(n, n / 2 + 1) : reject(n, { reason: 'PAUSED' })))
  }

  test('a missing verdict is found once all have passed it, wherever they stand meanwhile', () => {
    const answered = all.filter((n) => n !== 41)
    const requests = all.map(request)
    const [first, second] = eitherOrder(requests, verdicts(answered))
    expect(first).toEqual([expect.stringMatching(/^I3 requests \d+ to \d+: 1 without a verdict$/)])
    expect(second).toEqual(first)
  })

  test('nothing is missing of what has not been read', () => {
    const shop = given(...all.map(request), ...verdicts(all.slice(0, 60)))
    expect(shop.found).toEqual([])
    const watch = shop.rows.answers.get('answers') ?? noAnswers
    expect(unanswered(watch)).toBe(70)
    expect(watch.marks.length).toBeLessThanOrEqual(16)
  })

  test('where verdicts were deleted before they were read, it begins after them', () => {
    const left = verdicts(all.slice(50)).map((told, i): Told => ({ ...told, offset: 25 + Math.floor(i / 2) }))
    expect(given(...all.map(request), ...left).found).toEqual([])
  })
})

describe('I4', () => {
  test('another verdict under the same requestId', () => {
    const late = reject(7, { requestId: 'r0', userId: 'u0' })
    const [first, second] = eitherOrder([issue(0, 1)], [late])
    expect(first).toEqual(['I4 the request first asked at 7 has two verdicts'])
    expect(second).toEqual(['I4 the request first asked at 0 has two verdicts'])
  })

  test('a conflict is no verdict on the request', () => {
    const conflict = reject(7, { requestId: 'r0', userId: 'eve', reason: 'REQUEST_ID_CONFLICT' })
    expect(given(issue(0, 1)).when(conflict)).toEqual([])
  })

  test('what is said again, and was not said', () => {
    expect(given(issue(3, 1)).when(issue(1, 9, {}, { answers: 8 }))).toEqual([
      'I4 number 9 is said again and was not said before',
    ])
  })
})

describe('I5', () => {
  test('a later request is issued while the quota is what it was', () => {
    const [first, second] = eitherOrder([reject(3)], [issue(0, 1), issue(5, 2)])
    expect(first).toEqual(['I5 request 3 was SOLD_OUT and the later 5 issued'])
    expect(second).toEqual(first)
  })

  test('a raise in between allows it, whenever it is read', () => {
    const verdicts = [issue(0, 1), reject(3), issue(5, 2, { campaignRevision: 2 })]
    const revisions = [revision(1, { quota: 1 }), revision(2, { quota: 2 })]
    expect(eitherOrder(revisions, verdicts)).toEqual([[], []])
  })

  test('an edit that raises nothing does not', () => {
    const verdicts = [issue(0, 1), reject(3), issue(5, 2, { campaignRevision: 2 })]
    const revisions = [revision(1), revision(2, { name: 'Another name' })]
    const [first, second] = eitherOrder(revisions, verdicts)
    expect(first).toEqual(['I5 request 3 was SOLD_OUT and the later 5 issued'])
    expect(new Set(second)).toEqual(new Set(first))
  })
})

describe('I6', () => {
  test.each([
    ['a gap', 4, 'I6 number 4 where 3 was due'],
    ['a number twice', 2, 'I6 number 2 where 3 was due'],
  ])('%s', (_, sequence, words) => {
    expect(given(issue(0, 1), issue(1, 2)).when(issue(2, sequence))).toEqual([words])
  })

  test('a coupon begins with 1, where nothing was deleted before', () => {
    expect(given().when(issue(0, 5))).toEqual(['I6 number 5 where 1 was due'])
    expect(given().when(issue(90, 5, {}, { offset: 40 }))).toEqual([])
  })
})

describe('I7', () => {
  test.each([
    ['before it opens', { issuedAt: OPENS - 1 }],
    ['when it closes', { issuedAt: CLOSES }],
  ])('issued %s', (_, changes) => {
    const words = `I7 issued at ${changes.issuedAt}, outside the window of revision 1`
    const [first, second] = eitherOrder([revision(1)], [issue(0, 1, changes)])
    expect(first).toContain(words)
    expect(second).toContain(words)
  })

  test('another time than that of its request', () => {
    expect(given(revision(1)).when(issue(0, 1, { issuedAt: OPENS + 1 }))).toEqual([
      'I7 number 1 bears another time than its request',
    ])
  })
})

test('I9 an edit below what earlier revisions issued', () => {
  const before = [revision(1), issue(0, 1), issue(1, 2)]
  const words = ['I9 revision 2 allows 1, and 2 were issued before it']
  expect(given(...before).when(revision(2, { quota: 1 }))).toEqual(words)
  expect(given(revision(1), revision(2, { quota: 1 }), issue(0, 1)).when(issue(1, 2))).toEqual(words)
})

describe('I15', () => {
  test('two states of one revision; the same state again is none', () => {
    const shop = given(revision(1), revision(2))
    expect(shop.when(revision(2))).toEqual([])
    expect(shop.when(revision(2, { quota: 7 }))).toEqual(['I15 campaign revision 2 after 2'])
  })

  test('reports that do not grow', () => {
    const shop = given(report(1, 1), report(4, 2))
    expect(shop.when(report(4, 2))).toEqual([])
    expect(shop.when(report(3, 2))).toEqual(['I15 quota report 3 after 4'])
  })
})

test('a verdict of before verdicts named their revision is held to what can be said without', () => {
  const old = { campaignRevision: 0 }
  expect(given(revision(3, { quota: 1 }), issue(0, 1, old), issue(1, 2, old)).found).toEqual([])
  expect(given(issue(0, 1, old)).when(issue(1, 3, old))).toEqual(['I6 number 3 where 2 was due'])
})

test('rows of a coupon stay few, whatever happens to it', () => {
  const shop = given(...Array.from({ length: 60 }, (_, i) => revision(i + 1, { quota: i + 10 })))
  expect(shop.rows.coupons.get('spring')?.revisions).toHaveLength(16)
  expect(shop.when(issue(0, 1, { campaignRevision: 2 }))).toEqual([])
})
