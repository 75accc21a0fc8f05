/** The commands about mails. */
import { type Command, Option } from 'commander'
import type { Context } from './context.ts'
import type { MailPreviewFlags, SuppressedMailFlags } from './flags.ts'
import { json, whole, withDataDir } from './program-options.ts'

export function addMail(program: Command, context: Context): void {
  const mail = program.command('mail').description('Mails to customers.')
  const suppressed = withDataDir(
    mail
      .command('suppressed')
      .description('Users whose addresses mails came back from, in a shop that runs.'),
  )
  json(suppressed, 'print the result as JSON')
    .option('--url <url>', 'the shop; else the one that runs on the data directory')
    .option('--limit <number>', 'how many, the last ones first', whole(1, 1_000), 100)
    .option('--release <userId>', 'let mails go to the address of this user again; goes on record')
    .action(async (flags: SuppressedMailFlags) => {
      const { suppressedMails } = await import('./commands/suppressed-mails.ts')
      await suppressedMails(context, flags)
    })
  const locale = new Option('--locale <language>', 'in this language; else in each')
  mail
    .command('preview')
    .description('What mails look like, with an example in each: text on stdout, or files.')
    .option('--template <name>', 'this one; else all')
    .addOption(locale.choices(['en', 'ko']))
    .option('--html', 'the HTML instead of the text')
    .option('--to <directory>', 'write text and HTML of each there')
    .option('--shop <name>', 'name of the shop', 'Millrace')
    .action(async (flags: MailPreviewFlags) => {
      const { previewMails } = await import('./commands/mail.ts')
      await previewMails(context, flags)
    })
}
