/** What mails say: every template in every language, amounts, times, and nothing that is not escaped. */
import { describe, expect, test } from 'vitest'
import {
  languageOf,
  type MailFacts,
  mailLanguages,
  mailTemplates,
  renderMail,
} from '../../../connectors/index.ts'
import { completedMail, couponMail, failedMail, refundMail } from '../../../processors/index.ts'
import { cancelled, completed, failed, issued, returned } from './given.ts'

const facts: MailFacts = {
  template: 'order-completed',
  orderId: 'o-17',
  couponId: 'spring-10',
  returnId: 'r-3',
  lines: [{ title: 'Blue mug', quantity: 2, amount: 600 }],
  amount: 600,
  currency: 'GBP',
  step: 'stock',
  refunded: false,
  happenedAt: Date.UTC(2026, 0, 1, 12),
  expiresAt: Date.UTC(2026, 5, 1),
}
const options = { language: 'en', shopName: 'Corner Shop', timeZone: 'UTC' } as const

describe.each(mailLanguages)('%s', (language) => {
  test.each(mailTemplates)('%s has a subject, a text and an HTML that say the same', (template) => {
    const mail = renderMail({ ...facts, template }, { ...options, language })
    const about = template === 'coupon-issued' ? 'spring-10' : 'o-17'
    for (const part of [mail.subject, mail.text, mail.html]) {
      expect(part).toContain(about)
      expect(part).not.toMatch(/undefined|null|NaN|\[object/)
    }
    expect(mail.text).toContain('Corner Shop')
    expect(mail.html).toContain('Corner Shop')
    expect(/[가-힣]/.test(mail.text)).toBe(language === 'ko')
  })
})

test('what is asked for and what can be written are the same', () => {
  const asked = [
    completedMail(completed(), 'GBP'),
    failedMail(failed()),
    refundMail(cancelled(), 'GBP'),
    refundMail(returned(), 'GBP'),
    couponMail(issued()),
  ]
  const names = asked.map(({ template }) => template.split('#', 1)[0])
  expect(new Set(names)).toEqual(new Set(mailTemplates))
})

test('a mail without lines, times and reasons is one all the same', () => {
  for (const template of mailTemplates) {
    const bare = { ...facts, template, lines: [], happenedAt: undefined, expiresAt: undefined, step: '' }
    const { text, html } = renderMail({ ...bare, returnId: undefined }, options)
    expect(text + html).not.toMatch(/undefined|NaN/)
  }
})

test('everything that is put in is escaped', () => {
  const evil = `<script>"x" & 'y'</script>`
  for (const template of mailTemplates) {
    const mail = renderMail(
      {
        ...facts,
        template,
        orderId: evil,
        couponId: evil,
        returnId: evil,
        lines: [{ title: evil, quantity: 1, amount: 1 }],
      },
      { ...options, shopName: evil },
    )
    expect(mail.html).not.toContain('<script>')
    expect(mail.html).toContain('&lt;script&gt;&quot;x&quot; &amp; &#39;y&#39;')
    expect(mail.text).toContain(evil)
  }
})

test('a line end begins no header', () => {
  const { subject } = renderMail({ ...facts, orderId: 'o1\r\nBcc: all@example.org' }, options)
  expect(subject).toBe('Your order o1 Bcc: all@example.org')
})

test('money is written as its currency is', () => {
  const totals = (currency: string, language: 'en' | 'ko') =>
    renderMail({ ...facts, currency, amount: 1_234_500 }, { ...options, language }).text
  expect(totals('GBP', 'en')).toContain('£12,345.00')
  expect(totals('KRW', 'ko')).toContain('₩1,234,500')
  expect(totals('JPY', 'en')).toContain('JP¥1,234,500')
  expect(totals('KWD', 'en')).toMatch(/KWD\s1,234\.500/)
})

test('times are those of the shop', () => {
  const at = { ...facts, happenedAt: Date.UTC(2026, 0, 1, 23, 30) }
  expect(renderMail(at, options).text).toContain('1 January 2026 at 23:30')
  expect(renderMail(at, { ...options, timeZone: 'Asia/Seoul', language: 'ko' }).text).toContain(
    '2026년 1월 2일',
  )
})

test('the language is that of the locale, or of the shop', () => {
  expect(languageOf('ko-KR', 'en')).toBe('ko')
  expect(languageOf('KO', 'en')).toBe('ko')
  expect(languageOf('en_GB', 'ko')).toBe('en')
  expect(languageOf('fr', 'ko')).toBe('ko')
  expect(languageOf(undefined, 'en')).toBe('en')
})
