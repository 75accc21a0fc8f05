/** A mail as text and HTML, from what happened and a language. Pure: the same facts make the same mail. */
import { type Html, html } from './html.ts'
import { type Language, languages, type MailLanguage, type Wording, type Written } from './words.ts'

export const mailTemplates = ['order-completed', 'order-failed', 'refund', 'coupon-issued'] as const

export type MailTemplate = (typeof mailTemplates)[number]

/** What a mail tells. */
export interface MailFacts {
  readonly template: MailTemplate
  readonly orderId: string
  readonly couponId: string
  readonly returnId: string | undefined
  readonly lines: readonly { readonly title: string; readonly quantity: number; readonly amount: number }[]
  /** Minor units of `currency`. */
  readonly amount: number
  /** ISO 4217. */
  readonly currency: string
  /** Of an order that failed: the step. */
  readonly step: string
  readonly refunded: boolean
  /** Epoch milliseconds. */
  readonly happenedAt: number | undefined
  readonly expiresAt: number | undefined
}

export interface RenderOptions {
  readonly language: MailLanguage
  readonly shopName: string
  /** IANA zone of times. */
  readonly timeZone: string
}

export interface Rendered {
  readonly subject: string
  readonly text: string
  readonly html: string
}

export function renderMail(facts: MailFacts, { language, shopName, timeZone }: RenderOptions): Rendered {
  const words = languages[language]
  const money = (amount: number): string => moneyText(amount, facts.currency, words.tag)
  const written: Written = {
    amount: money(facts.amount),
    at: timeText(facts.happenedAt, words.tag, timeZone),
    expires: timeText(facts.expiresAt, words.tag, timeZone),
  }
  const wording = words.templates[facts.template](facts, written)
  const lines = facts.lines.map(({ title, quantity, amount }) => {
    return [`${words.quantity(quantity)} ${title}`, money(amount)] as const
  })
  const rows = wording.total === undefined ? [] : [...lines, [wording.total, written.amount] as const]
  const parts = { words, wording, rows, shopName }
  // A line end in a header would begin another header.
  return { subject: oneLine(wording.subject), text: textOf(parts), html: htmlOf(parts).text }
}

interface Parts {
  readonly words: Language
  readonly wording: Wording
  readonly rows: readonly (readonly [name: string, amount: string])[]
  readonly shopName: string
}

function textOf({ words, wording, rows, shopName }: Parts): string {
  const table = rows.map(([name, amount]) => `  ${name}: ${amount}`).join('\n')
  const blocks = [wording.heading, words.greeting, ...wording.paragraphs, table, words.farewell(shopName)]
  return `${[...blocks, `-- \n${words.automatic}`].filter((block) => block !== '').join('\n\n')}\n`
}

function htmlOf({ words, wording, rows, shopName }: Parts): Html {
  const cells = rows.map(
    ([name, amount]) =>
      html`<tr><td style="padding:4px 24px 4px 0">${name}</td><td style="padding:4px 0;text-align:right">${amount}</td></tr>`,
  )
  const table = rows.length === 0 ? html`` : html`<table role="presentation">${cells}</table>`
  return html`<!doctype html>
<html lang="${words.tag}"><head><meta charset="utf-8"><title>${wording.subject}</title></head>
<body style="font-family:sans-serif;color:#222;max-width:560px;margin:0 auto;padding:24px">
<h1 style="font-size:20px">${wording.heading}</h1>
<p>${words.greeting}</p>
${wording.paragraphs.map((paragraph) => html`<p>${paragraph}</p>`)}
${table}
<p>${words.farewell(shopName)}</p>
<p style="color:#777;font-size:12px">${words.automatic}</p>
</body></html>
`
}

/** As the currency and the language write it: minor units have as many digits as the currency says. */
export function moneyText(minor: number, currency: string, tag: string): string {
  const format = new Intl.NumberFormat(tag, { style: 'currency', currency })
  const digits = format.resolvedOptions().maximumFractionDigits ?? 2
  return format.format(minor / 10 ** digits)
}

function timeText(at: number | undefined, tag: string, timeZone: string): string {
  if (at === undefined) return ''
  return new Intl.DateTimeFormat(tag, { dateStyle: 'long', timeStyle: 'short', timeZone }).format(at)
}

function oneLine(text: string): string {
  return text.replaceAll(/[\p{Cc}\u2028\u2029]+/gu, ' ').slice(0, 200)
}
