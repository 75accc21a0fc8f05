import { configure } from '../configure.ts'
import type { Context } from '../context.ts'
import type { StartFlags } from '../flags.ts'
import { table } from '../output.ts'

/** Prints every key with its value and where that came from; secrets are never shown. */
export function printConfig(context: Context, flags: StartFlags): void {
  const { shown } = configure(context, flags)
  if (flags.json === true) context.output.data(JSON.stringify(shown, null, 2))
  else {
    const rows = shown.map(({ path, value, origin }) => [path, JSON.stringify(value), origin])
    context.output.data(table(['key', 'value', 'from'], rows))
  }
}
