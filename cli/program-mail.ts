/** The commands about mails. */
import { type Command, Option } from 'commander'
import type { Context } from './context.ts'
import type { MailPreviewFlags } from './flags.ts'

export function addMail(program: Command, context: Context): void {
  const mail = program.command('mail').description('Mails to customers.')
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
