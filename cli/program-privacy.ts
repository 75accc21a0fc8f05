/** The commands about personal data. */
import type { Command } from 'commander'
import type { Context } from './context.ts'
import type { DirectoryFlags } from './flags.ts'
import { json, withDataDir } from './program-options.ts'

export function addPrivacy(program: Command, context: Context): void {
  const group = program.command('privacy').description('Keys that personal data is sealed with.')
  const command = group
    .command('rewrap')
    .description('Wrap the data keys of a shop that does not run anew by the first of privacy.masterKeys.')
  json(withDataDir(command), 'print the result as JSON').action(async (flags: DirectoryFlags) => {
    const { rewrapKeys } = await import('./commands/privacy.ts')
    await rewrapKeys(context, flags)
  })
}
