/** What mails look like, without a shop. */
import { mkdir, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import {
  type MailFacts,
  type MailLanguage,
  mailLanguages,
  type MailTemplate,
  mailTemplates,
  renderMail,
} from '../../connectors/index.ts'
import type { Context } from '../context.ts'
import { UsageError } from '../errors.ts'
import type { MailPreviewFlags } from '../flags.ts'

const example: Omit<MailFacts, 'template'> = {
  orderId: 'o-1042',
  couponId: 'spring-10',
  returnId: 'r-1',
  lines: [
    { title: 'White mug <large>', quantity: 2, amount: 1_190 },
    { title: 'Tea & biscuits', quantity: 1, amount: 450 },
  ],
  amount: 1_640,
  currency: 'GBP',
  step: 'payment',
  refunded: false,
  happenedAt: Date.UTC(2026, 3, 1, 9, 30),
  expiresAt: Date.UTC(2026, 4, 1),
}

/** Throws a `UsageError` for a template that there is not. */
export async function previewMails({ output, cwd }: Context, flags: MailPreviewFlags): Promise<void> {
  const { html = false, shop } = flags
  const to = flags.to === undefined ? undefined : resolve(cwd, flags.to)
  const languages = flags.locale === undefined ? mailLanguages : [flags.locale]
  for (const template of templatesOf(flags)) {
    for (const language of languages) {
      const mail = render(template, language, shop)
      if (to === undefined) {
        output.data(
          html ? mail.html : `# ${template} (${language})\nSubject: ${mail.subject}\n\n${mail.text}`,
        )
        continue
      }
      await mkdir(to, { recursive: true })
      await writeFile(join(to, `${template}.${language}.txt`), `Subject: ${mail.subject}\n\n${mail.text}`)
      await writeFile(join(to, `${template}.${language}.html`), mail.html)
    }
  }
}

function render(template: MailTemplate, language: MailLanguage, shopName: string) {
  const currency = language === 'ko' ? 'KRW' : example.currency
  return renderMail({ ...example, template, currency }, { language, shopName, timeZone: 'UTC' })
}

function templatesOf({ template }: MailPreviewFlags): readonly MailTemplate[] {
  if (template === undefined) return mailTemplates
  const found = mailTemplates.find((name) => name === template)
  if (found === undefined)
    throw new UsageError(`there is no template ${template}; there are ${mailTemplates.join(', ')}`)
  return [found]
}
